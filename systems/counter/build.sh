#!/bin/bash
# An emulator that counts, in a folder that runs in any container, whatever system is in it: qemu,
# its libraries, their loader, and a plugin.
#
#   /recipe     this folder
#   /out        the result: qemu-arm, counter.so, loader, lib/
set -euo pipefail

RECIPE=${RECIPE:-/recipe} OUT=${OUT:-/out}
export LC_ALL=C.UTF-8

mkdir -p "$OUT/lib"
gcc -O2 -Wall -Wextra -Werror -shared -fPIC -o "$OUT/counter.so" "$RECIPE/counter.c"
cp "$(command -v qemu-arm)" "$OUT/qemu-arm"
# Each line of ldd's is "name => path (address)"; the loader's has no arrow, the kernel's no path.
ldd "$OUT/qemu-arm" | awk '$2 == "=>" { print $3 }' | xargs -I{} cp -L {} "$OUT/lib/"
cp -L "$(ldd "$OUT/qemu-arm" | awk '$1 ~ /ld-linux/ { print $1 }')" "$OUT/loader"

# The whole qemu of Debian may be built without plugins: say so here, not at the first program.
if ! "$OUT/loader" --library-path "$OUT/lib" "$OUT/qemu-arm" --help | grep -q -e '-plugin'; then
  echo "this qemu was built without plugins: it cannot count instructions" >&2
  exit 1
fi
