#!/bin/bash
# A shell and the usual tools, and everything put together: a root that can be imported as an image.
#
#   /src/busybox  its sources
#   /sysroot      the result of armv6-libc
#   /python       the result of armv6-python
#   /build        scratch
#   /out          the result: root/
set -euo pipefail

HERE=$(dirname "$(readlink -f "$0")")
SRC=${SRC:-/src} BUILD=${BUILD:-/build} OUT=${OUT:-/out} JOBS=${JOBS:-2}
SYSROOT=${SYSROOT:-/sysroot} PYTHON=${PYTHON:-/python}
T=arm-linux-gnueabihf
ROOT=$OUT/root
export LC_ALL=C SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-0} KCONFIG_NOTIMESTAMP=1
export PATH=$SYSROOT/bin:/usr/sbin:/usr/bin:/sbin:/bin

stage() {
  LOG=$BUILD/log-$1.txt TIMEFORMAT="$1: %U s user, %S s system, %R s"
  time "$1" > "$LOG" 2>&1
}
trap '[ $? = 0 ] || { echo "failed; the end of $LOG:"; tail -n 40 "$LOG" | cut -c1-300; }' EXIT

busybox() {
  local symbol
  mkdir -p "$BUILD/busybox"; cd "$BUILD/busybox"
  make -C "$SRC/busybox" O="$PWD" HOSTCC=gcc allnoconfig
  for symbol in $(cat "$HERE/applets"); do
    sed -i "/^\(# \)\?CONFIG_$symbol[ =]/d" .config
    echo "CONFIG_$symbol=y" >> .config
  done
  set +o pipefail; yes "" | make oldconfig > /dev/null; set -o pipefail
  make -j"$JOBS" CROSS_COMPILE=$T- CC=armv6-gcc HOSTCC=gcc SKIP_STRIP=y \
    EXTRA_CFLAGS="-g0 -ffile-prefix-map=$SRC/=./ -ffile-prefix-map=$BUILD/=./" busybox
  make CROSS_COMPILE=$T- CC=armv6-gcc HOSTCC=gcc SKIP_STRIP=y busybox.links
}

assemble() {
  local link
  mkdir -p "$ROOT"/{bin,dev,etc,home,lib,proc,root,run,sys,tmp,usr/bin,usr/lib/locale,var/tmp}
  chmod 1777 "$ROOT/tmp" "$ROOT/var/tmp"
  cp -a "$SYSROOT/root/." "$ROOT/"
  cp -a "$PYTHON/root/." "$ROOT/"
  $T-strip -o "$ROOT/bin/busybox" "$BUILD/busybox/busybox"
  while read -r link; do
    mkdir -p "$ROOT/$(dirname "$link")"
    [ -e "$ROOT$link" ] || ln -s /bin/busybox "$ROOT$link"
  done < "$BUILD/busybox/busybox.links"
  # Locales have no machine code, and one byte order is like another's of the same.
  cp -a /usr/lib/locale/C.utf8 "$ROOT/usr/lib/locale/"
  printf 'root:x:0:0:root:/root:/bin/sh\npi:x:1000:1000:pi:/home:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n' > "$ROOT/etc/passwd"
  printf 'root:x:0:\npi:x:1000:\nnogroup:x:65534:\n' > "$ROOT/etc/group"
  printf '127.0.0.1 localhost\n::1 localhost\n' > "$ROOT/etc/hosts"
  printf 'hosts: files dns\n' > "$ROOT/etc/nsswitch.conf"
  # Where crosspi looks for what it must know of the interpreter.
  local python=$ROOT/opt/crosspi/python version
  version=$(basename "$(ls -d "$ROOT"/usr/include/python3.*)")
  mkdir -p "$python/include"
  cp -r "$ROOT/usr/include/$version" "$python/include/"
  cp "$ROOT/usr/lib/$version"/_sysconfigdata__linux_*.py "$python/sysconfigdata.py"
  ln -s "/usr/bin/$version" "$python/python"
  ls "$ROOT/usr/lib/$version/site-packages" | sed -n 's/^pip-\(.*\).dist-info$/pip \1/p' > "$python/pip-version"
}

for name in ${STAGES:-busybox assemble}; do stage "$name"; done
