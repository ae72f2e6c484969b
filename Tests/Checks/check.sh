#!/bin/bash
# What CI checks besides the tests: format, layers, where unsafe code is, what no source may hold, what privileged
# programs link.
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
# Arrows point down, never sideways: modules of one layer, abilities among them, do not import each other.
layers=(
  'C[A-Z]+[A-Za-z0-9]*' 'Model INI Patterns' SystemRuntime 'Channel Curl Netfilter' Ownership Diagnosis
  'Monitors Pipes Probes Aggregation Output Notifications Tstat AMQP HTTPRecords Publishing' Program Metering
  'runmonitor runpipe runaggregator connvitals connmonitor netconnmon tstat_send tstat_cull'
)
layer_of() {
  local number
  for number in "${!layers[@]}"; do
    [[ $1 =~ ^(${layers[number]// /|})$ ]] && echo "$number" && return
  done
}
imports() {
  grep -rhoE '^ *(@[A-Za-z_()]+ +)*((public|package|internal|fileprivate|private) +)?import +((struct|enum|class|actor|protocol|func|var|let|typealias) +)?[A-Za-z_0-9]+' "$1" --include='*.swift' | awk '{ print $NF }' | sort -u
}
for module in Sources/*/; do
  name=$(basename "$module")
  own=$(layer_of "$name")
  [ -n "$own" ] || fail "layers: $name has none: give it one in Tests/Checks/check.sh and Docs/architecture.md"
  for import in $(imports "$module"); do
    [ -d "Sources/$import" ] || continue
    [ "$(layer_of "$import")" -lt "${own:-0}" ] || fail "layers: $name imports $import, which is not below it"
  done
done
# The search itself: a program imports what is below it.
imports Sources/runpipe | grep -qx Pipes || fail "layers: the search for imports finds nothing where there is something"

# The runtime, what decodes the kernel's answers, and the wrappers of PCRE2, libcurl, librabbitmq, zlib and OpenSSL's digests
# may be unsafe; nothing else.
found=$(grep -rnwE 'unsafe|@unchecked' Sources --include='*.swift' | grep -vE '^Sources/(SystemRuntime|Netfilter|Patterns|Curl)/|^Sources/(AMQP/RabbitConnection|Tstat/Rows/(Slice|GzipFile))\.swift:')
[ -z "$found" ] || fail "unsafe code outside SystemRuntime, Netfilter, Patterns, Curl and the wrappers of libraries: $found"

# What runs in the kernel is what the source says.
Tests/Checks/bpf.sh --check || failed=1

# What no source may hold: all lines that match, without comments and without what the second expression allows.
absent() {
  found=$(grep -rnE "$1" Sources --include='*.swift' | grep -vE '^[^:]*:[0-9]+: *//' | grep -vE "${3:-^$}")
  [ -z "$found" ] || fail "$2: $found"
}
absent '\bTask(\.detached)? *\{' "an unstructured task: use a task group"
absent '\b(fatalError|preconditionFailure)\(|\btry!|\bas!' "a crash in waiting: throw"
# A lock is only for what two threads share: in SystemRuntime, Ownership, Pipes and Curl, whose thread takes transfers from
# callers, and AMQP's publisher, whose thread may be stopped while it waits for a broker. Notifications' and Publishing's atomic
# counters of what was dropped and waits are read by the loop and written by the service; they make nobody wait.
absent '\b(Mutex|NSLock|NSRecursiveLock|DispatchSemaphore|pthread_mutex[a-z_]*|pthread_rwlock[a-z_]*)\b' \
  "a lock outside SystemRuntime, Ownership, Pipes, Curl and AMQP's publisher" \
  '^Sources/(SystemRuntime|Ownership|Pipes|Curl)/|^Sources/AMQP/RabbitPublisher\.swift:'
absent '\bAtomic\b' "an atomic outside SystemRuntime, Ownership, Pipes, Notifications and Publishing" '^Sources/(SystemRuntime|Ownership|Pipes|Notifications|Publishing)/'

# Mails that wait are written by runaggregator and netconnmon, which have no such fence; what waits to be published by
# runaggregator, whose fence leaves it files then.
absent '\.(writeOnly|readWrite)\b|\bO_(WRONLY|RDWR|CREAT)\b' \
  "a file opened to write, which the fence (Docs/decisions/0012) refuses: open it before, and name it here" \
  '^Sources/(Netfilter/Conntrack/ConntrackSettings|SystemRuntime/Files/(DurableFolder|Folder\+Changes))\.swift:'

# Who shows or delivers events says of each kind what it does with it: a kind that is new is an error of the build.
defaults() {
  awk '
    /^ *switch event \{$/ { indent = match($0, /[^ ]/); inside = 1; next }
    inside && match($0, /[^ ]/) == indent && /^ *\}/ { inside = 0 }
    inside && match($0, /[^ ]/) == indent && /case \.usage/ { events++ }
    inside && match($0, /[^ ]/) == indent && /default:/ { print FILENAME ":" FNR }
    END { print events + 0 " switches" }' "$@"
}
found=$(defaults $(grep -rlE 'switch event \{' Sources --include='*.swift'))
[[ ${found##*$'\n'} =~ ^([7-9]|[1-9][0-9]+)\ switches$ ]] || fail "events: few switches over them are found: ${found##*$'\n'}"
# Kinds of others (of the kernel, of transfers) may have a default.
events=$(grep -rlE 'case \.(usage|probeAlert)\b' Sources --include='*.swift')
found=$(grep -F -f <(printf '%s:\n' $events) <<<"$found")
[ -z "$found" ] || fail "a default: in a switch over events: $found"

# Tables and what programs print have lines of their own length.
found=$(LC_ALL=C.UTF-8 awk 'FNR == 1 { code = 0 } /^```/ { code = !code } !code && !/^ *\|/ && length($0) > 120 { print FILENAME ":" FNR }' README.md Docs/*.md Docs/decisions/*.md)
[ -z "$found" ] || fail "lines of more than 120 characters: $found"

found=$(find Sources -type f -name '*.swift' -exec wc -l {} + | awk '$2 != "total" && $1 > 300')
[ -z "$found" ] || fail "files of more than 300 lines, split as Type+Aspect.swift: $found"
found=$(find Sources Tests | grep -E '/(Utils?|Common|Helpers?|Core|Managers?)[A-Z]|(Utils?|Common|Helpers?|Core|Managers?)(/|\.|\+|$)')
[ -z "$found" ] || fail "a name that says nothing of what it holds: $found"

# No TLS, mail, HTTP, AMQP or database code in what runs with privilege.
allowed='libc|libm|libgcc_s|libstdc\+\+|ld-linux-x86-64|libmnl|libbpf|libelf|libz|libpcre2-8|libswift[A-Za-z_]*|libdispatch|libBlocksRuntime|lib_FoundationICU|libFoundation[A-Za-z]*'
# Symbols as they stand in the file: Swift's are mangled, a module's name comes after its length.
forbidden='7NIOCore|15AsyncHTTPClient|10Subprocess|curl_easy|SSL_connect|sqlite3_open|amqp_login'
bin=$(swift build --show-bin-path)
symbols=$(mktemp)
trap 'rm -f "$symbols"' EXIT
# How many forbidden symbols a program holds; nothing if it cannot be read or is stripped, which must not pass for none.
count_forbidden() {
  nm "$1" >"$symbols" 2>/dev/null && grep -q '4main\|main$' "$symbols" && grep -cE "$forbidden" "$symbols"
}
for program in runmonitor runpipe; do
  for binary in "$bin/$program" ".build-release/release/$program"; do
    # The release build is looked at where there is one.
    [[ -e $binary || $binary != .build-release/* ]] || continue
    needed=$(readelf -d "$binary" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p')
    [ -n "$needed" ] || fail "links: $binary was not built"
    for library in $needed; do
      [[ $library =~ ^($allowed)\.so ]] || fail "links: $binary needs $library"
    done
    case $(count_forbidden "$binary") in
    0) ;;
    '') fail "links: the symbols of $binary cannot be read, so nothing is known of what it holds" ;;
    *) fail "links: $binary holds code that a privileged program must not have" ;;
    esac
  done
done
links() { readelf -d "$bin/$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p'; }
# What the others link besides, each by what it is for.
declare -A more=(
  [runaggregator]='libcurl|libcrypto|libssl|librabbitmq'
  [connvitals]='libcurl|libcrypto' [connmonitor]='libcurl|libcrypto' [netconnmon]='libcurl|libcrypto'
  [tstat_send]='libcurl|libcrypto|libssl|librabbitmq' [tstat_cull]='libcrypto'
)
for program in "${!more[@]}"; do
  for library in $(links "$program"); do
    [[ $library =~ ^($allowed|${more[$program]})\.so ]] || fail "links: $program needs $library, which nothing here is for"
  done
done
# libnetfilter_conntrack, which is under the GPL, is the oracle of tests and benchmarks alone: README says so. Those that only
# probe do not read the connection table: neither netlink's library nor BPF's has a place in them.
for program in runmonitor runpipe runaggregator connvitals connmonitor netconnmon tstat_send tstat_cull; do
  needed=$(links "$program")
  [ -n "$needed" ] || fail "links: $program was not built"
  ! grep libnetfilter_conntrack <<<"$needed" || fail "licence: $program links libnetfilter_conntrack, which README denies"
  [[ $program == run* ]] || ! grep -E 'libmnl|libbpf' <<<"$needed" ||
    fail "links: $program needs what reads the connection table"
done
links benchmark | grep -q libnetfilter_conntrack ||
  fail "links: the search for libnetfilter_conntrack finds nothing where there is something"

# The search itself: this program runs commands, so it must find something.
[ "$(count_forbidden "$bin/runaggregator")" -gt 0 ] 2>/dev/null ||
  fail "links: the search for forbidden symbols finds nothing where there is something"

# Races: several threads share connections, counters and limits in Pipes alone. Only what its tests need is built.
BWMON_THREADS=1 TSAN_OPTIONS="halt_on_error=1 suppressions=$PWD/Tests/Checks/thread.supp" swift test --sanitize=thread --scratch-path .build-thread --filter 'PipesTests\.' >"$symbols" 2>&1 ||
  fail "threads: $(
    grep -E 'ThreadSanitizer|error:|recorded an issue' "$symbols" | head -5
    tail -n 5 "$symbols"
  )"

[ $failed = 0 ] && echo "check: all well"
exit $failed
