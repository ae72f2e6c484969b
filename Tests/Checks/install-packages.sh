#!/bin/bash
# Installs those of the named Debian packages that are missing; does nothing, and needs nothing, if none is.
set -euo pipefail
missing=()
for package in "$@"; do
  dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q '^install ok installed' || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0
command -v apt-get >/dev/null || {
  echo "These Debian packages are needed: ${missing[*]}. Install what your distribution calls them." >&2
  exit 1
}
sudo=
if [ "$(id -u)" != 0 ]; then
  sudo=sudo
  command -v sudo >/dev/null || {
    echo "These Debian packages are needed: ${missing[*]}. Install them as root, or install sudo." >&2
    exit 1
  }
fi
export DEBIAN_FRONTEND=noninteractive
# What the package manager says matters only when it fails.
log=$(mktemp)
policy=
trap 'rm -f "$log"; [ -z "$policy" ] || $sudo rm -f "$policy"' EXIT
# Debian starts the servers that it installs, unless a policy forbids it (invoke-rc.d(8)). Nobody asked for these to run.
policy_file=${POLICY_RC_D:-/usr/sbin/policy-rc.d}
if [ ! -e "$policy_file" ]; then
  policy=$policy_file
  printf '#!/bin/sh\nexit 101\n' | $sudo tee "$policy" >/dev/null
  $sudo chmod 755 "$policy"
fi
echo "Installing Debian packages: ${missing[*]}"
{
  $sudo apt-get -o Acquire::Retries=3 update -qq &&
    $sudo apt-get -o Acquire::Retries=3 install -y -qq --no-install-recommends "${missing[@]}"
} >"$log" 2>&1 || {
  cat "$log" >&2
  exit 1
}
