#!/bin/bash
# Everything put together: a root that can be imported as an image.
#
#   $VERSION  of the Python
#   /sysroot  the result of armv6-libc
#   /busybox  the result of armv6-busybox
#   /python   the result of armv6-python
#   /out      the result: root/
set -euo pipefail

BUILD=${BUILD:-/build} OUT=${OUT:-/out}
SYSROOT=${SYSROOT:-/sysroot} BUSYBOX=${BUSYBOX:-/busybox} PYTHON=${PYTHON:-/python}
ROOT=$OUT/root
. /usr/local/lib/crosspi/stages.sh

assemble() {
  mkdir -p "$ROOT"/{bin,dev,etc,home,lib,proc,root,run,sys,tmp,usr/bin,usr/lib/locale,var/tmp}
  chmod 1777 "$ROOT/tmp" "$ROOT/var/tmp"
  cp -a "$BUSYBOX/root/." "$SYSROOT/root/." "$PYTHON/root/." "$ROOT/"
  # Locales have no machine code, and one byte order is like another's of the same.
  cp -a /usr/lib/locale/C.utf8 "$ROOT/usr/lib/locale/"
  printf 'root:x:0:0:root:/root:/bin/sh\npi:x:1000:1000:pi:/home:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n' > "$ROOT/etc/passwd"
  printf 'root:x:0:\npi:x:1000:\nnogroup:x:65534:\n' > "$ROOT/etc/group"
  printf '127.0.0.1 localhost\n::1 localhost\n' > "$ROOT/etc/hosts"
  printf 'hosts: files dns\n' > "$ROOT/etc/nsswitch.conf"
}

# Where crosspi looks for what it must know of the interpreter: there, the folder of headers is named
# for the version alone. From 3.4 to 3.7 its own name has the ABI's letter too, like python3.5m.
describe() {
  local folder=$ROOT/opt/crosspi/python name=python$VERSION sysconfigdata
  mkdir -p "$folder/include"
  cp -r "$ROOT/usr/include/$name"* "$folder/include/$name"
  sysconfigdata=$(find "$ROOT/usr/lib/$name" -maxdepth 1 -name '_sysconfigdata*.py')
  cp "$sysconfigdata" "$folder/sysconfigdata.py"
  ln -s "/usr/bin/$name" "$folder/python"
  ls "$ROOT/usr/lib/$name/site-packages" | sed -n 's/^pip-\(.*\).dist-info$/pip \1/p' > "$folder/pip-version"
}

stages assemble describe
