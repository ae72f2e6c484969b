#!/bin/bash
# Installs the originals that the tests run beside ours, from PyPI, unless they are there: some seconds, 5 MB. A machine that
# cannot reach PyPI tests without them, and says so.
set -euo pipefail
cd "$(dirname "$0")/../.."
folder=.build-originals
[ ! -x $folder/bin/connmonitor ] || exit 0
log=$(mktemp)
trap 'rm -f "$log"' EXIT
{
  python3 -m venv $folder &&
    $folder/bin/pip install --quiet --disable-pip-version-check connvitals==4.3.2 connmonitor==4.1.3
} >"$log" 2>&1 || {
  tail -n 3 "$log"
  echo "connvitals and connmonitor could not be installed from PyPI: what is tested beside them is skipped, and fails with CI=true."
}
