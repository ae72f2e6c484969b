#!/bin/bash
# All tests, or those that the arguments of `swift test` choose. What failed comes again at the end, with its reasons:
# in a thousand lines nobody finds it, and of a long output often only the end is kept.
set -uo pipefail
# So many tests at a time: with more, two processors are late with what a test waits for, and the whole takes longer.
export SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH=${SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH:-4}
log=$(mktemp)
trap 'rm -f "$log"' EXIT
swift test --skip-build "$@" 2>&1 | tee "$log"
status=${PIPESTATUS[0]}
echo
echo "tests: the slowest, in seconds:"
sed -nE 's/^[^ ]+ Test (".*") (with [0-9]+ test cases )?(passed|failed) after ([0-9.]+) seconds.*/\4 \1/p' "$log" |
  sort -rn | head -n 10
if [ "$status" != 0 ]; then
  echo
  echo "tests: what failed, once more:"
  # The first is mostly the cause.
  grep -aE 'recorded an issue|^↳|: error: |[Ff]atal error|unexpected(ly)? signal|✘ Test run' "$log" |
    grep -avE '^↳ (Testing Library Version|Target Platform)' | cut -c1-600 | head -n 60
fi
exit "$status"
