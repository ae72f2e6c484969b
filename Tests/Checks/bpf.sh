#!/bin/bash
# Compiles the BPF program into the C source that Sources/CBPF embeds; with --check only compares.
#
# The clang of the Swift toolchain does it. Its output holds no path of this machine, so that the same source gives the
# same bytes in every folder. Usage: bpf.sh [--check]
set -euo pipefail
cd "$(dirname "$0")/../.."
folder=Sources/CBPF
clang=$(dirname "$(readlink -f "$(command -v swift)")")/clang
strip=$(dirname "$clang")/llvm-objcopy
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
headers=/usr/include/$(uname -m)-linux-gnu
# -g is for BTF; of the debug information nothing else is loaded.
(cd $folder/program && "$clang" -target bpf -mcpu=v2 -O2 -g -Wall -Wextra -Werror -Wno-unused-parameter \
  -I"$headers" -fdebug-compilation-dir=. -c witness.bpf.c -o "$work/witness.o")
"$strip" --strip-debug "$work/witness.o"
{
  echo "// Made by Tests/Checks/bpf.sh of program/witness.bpf.c, which has the licence. Not to be edited."
  echo "// SPDX-License-Identifier: MIT OR GPL-2.0-only"
  echo '#include "object.h"'
  echo
  echo "const unsigned char cbpf_object[] __attribute__((aligned(8))) = {"
  od -An -v -tu1 -w32 "$work/witness.o" | sed 's/  */,/g; s/^,//; s/$/,/'
  echo "};"
  echo "const unsigned int cbpf_object_size = sizeof cbpf_object;"
} >"$work/object.c"
if [ "${1:-}" = --check ]; then
  cmp -s "$work/object.c" $folder/object.c || {
    echo "bpf: $folder/object.c is not what $folder/program gives: run make bpf" >&2
    exit 1
  }
else
  cp "$work/object.c" $folder/object.c
fi
