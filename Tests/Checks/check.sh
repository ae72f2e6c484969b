#!/bin/bash
# What CI checks besides the tests: format, layers, where unsafe code is, what privileged programs link.
set -uo pipefail
cd "$(dirname "$0")/../.."
failed=0
fail() {
  echo "check: $1" >&2
  failed=1
}

swift format lint --strict --configuration .swift-format -r Package.swift Sources Tests ||
  fail "format: run swift format format -i -r --configuration .swift-format Package.swift Sources Tests"

# An arrow that the package does not declare is an error of the build.
swift build --explicit-target-dependency-import-check error >/dev/null ||
  fail "layers: a module imports what its target does not depend on"
abilities='Monitors|Pipes|Probes|Aggregation|Output|Notifications|History|Dashboard|Tstat|AMQP'
for ability in Sources/*/; do
  name=$(basename "$ability")
  [[ $name =~ ^($abilities)$ ]] || continue
  found=$(grep -rnE "^ *((public|package|internal) )?import ($abilities)\b" "$ability" | grep -v 'Dashboard/.*import Output')
  [ -z "$found" ] || fail "layers: an ability imports another: $found"
done

# Kernel and the wrappers over C libraries may be unsafe; nothing else.
found=$(grep -rnwE 'unsafe|@unchecked' Sources --include='*.swift' | grep -vE '^Sources/(Kernel|Patterns)/')
[ -z "$found" ] || fail "unsafe code outside Kernel and Patterns: $found"

# No TLS, mail, HTTP, AMQP or database code in what runs with privilege.
allowed='libc|libm|libgcc_s|libstdc\+\+|ld-linux-x86-64|libmnl|libnfnetlink|libnetfilter_conntrack|libpcre2-8|libswift[A-Za-z_]*|libdispatch|libBlocksRuntime|lib_FoundationICU|libFoundation[A-Za-z]*'
bin=$(swift build --show-bin-path)
for program in runmonitor runpipe; do
  needed=$(readelf -d "$bin/$program" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p')
  [ -n "$needed" ] || fail "links: $program was not built"
  for library in $needed; do
    [[ $library =~ ^($allowed)\.so ]] || fail "links: $program needs $library"
  done
  found=$(nm -C "$bin/$program" 2>/dev/null | grep -cE 'NIOCore|AsyncHTTPClient|curl_easy|SSL_connect|sqlite3_open|amqp_login|Subprocess\.')
  [ "$found" = 0 ] || fail "links: $program holds code that a privileged program must not have"
done

[ $failed = 0 ] && echo "check: all well"
exit $failed
