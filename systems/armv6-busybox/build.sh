#!/bin/bash
# A shell and the usual tools.
#
#   /src/busybox  its sources
#   /sysroot      the result of armv6-libc
#   /recipe/…     `applets` lies next to this script
#   /build        scratch
#   /out          the result: root/
set -euo pipefail

HERE=$(dirname "$(readlink -f "$0")")
SRC=${SRC:-/src} BUILD=${BUILD:-/build} OUT=${OUT:-/out} JOBS=${JOBS:-2}
SYSROOT=${SYSROOT:-/sysroot}
T=arm-linux-gnueabihf
ROOT=$OUT/root
export LC_ALL=C SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-0} KCONFIG_NOTIMESTAMP=1
export PATH=$SYSROOT/bin:/usr/sbin:/usr/bin:/sbin:/bin
. /usr/local/lib/crosspi/stages.sh

compile() {
  local symbol
  mkdir "$BUILD/busybox"; cd "$BUILD/busybox"
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

install() {
  local link
  mkdir -p "$ROOT/bin"
  $T-strip -o "$ROOT/bin/busybox" "$BUILD/busybox/busybox"
  while read -r link; do
    mkdir -p "$ROOT/$(dirname "$link")"
    ln -sf /bin/busybox "$ROOT$link"
  done < "$BUILD/busybox/busybox.links"
}

stages compile install
