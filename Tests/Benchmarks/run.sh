#!/bin/bash
# The claims of speed and memory, each measured beside a peer or a floor in the same run. Takes half an hour.
#
# Usage: run.sh [table|join|aggregation|idle|pipe|matrix|brief|watchers|names|owners|witness|calls|nginx|probes|tstat|flood[:SECONDS]|soak[:SECONDS]|fresh]... Prints a line for each claim.
# A goal that is missed is said so and is no failure: machines are noisy. What cannot be measured is one.
set -euo pipefail
cd "$(dirname "$0")/../.."
[ "$(id -u)" = 0 ] || exec sudo --preserve-env=PATH "$0" "$@"
release=.build-release
for product in runmonitor runpipe runaggregator connmonitor tstat_send benchmark traffic fakenet; do
  swift build -c release --static-swift-stdlib --scratch-path $release --product $product >$release.log 2>&1 ||
    { cat $release.log >&2 && exit 1; }
done
rm -f $release.log
export BWMON_PROGRAMS=$PWD/$release/release
echo "$(uname -sr), $(nproc) x $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -1), load $(cut -d' ' -f1 /proc/loadavg)"
[ $# -gt 0 ] || set -- table join aggregation idle pipe matrix brief watchers names owners witness calls nginx probes tstat flood soak fresh
for benchmark in "$@"; do
  IFS=: read -r name argument <<<"$benchmark"
  # Processes, connections and interfaces go with the namespaces. Only in the first pid namespace
  # are processes reported, and have they the numbers that the witness sees.
  apart=(unshare --net --mount --pid --fork --kill-child --mount-proc)
  [[ ! "$name" =~ ^(nginx|calls|names|join|idle|watchers)$ ]] || apart=(unshare --net --mount)
  [[ ! "$name" =~ ^(owners|tstat|fresh)$ ]] || apart=()
  "${apart[@]}" python3 "Tests/Benchmarks/$name.py" ${argument:+"$argument"}
done
