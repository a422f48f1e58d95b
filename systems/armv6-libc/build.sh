#!/bin/bash
# The ARMv6 C library, and the compiler's own runtime: what makes Debian's armhf gcc an ARMv6 one.
#
#   /src/gcc    gcc 12's sources: the tree, or Debian's orig, which holds the tree as a .tar.xz
#   /src/glibc  glibc 2.36's sources
#   /build      scratch
#   /out        the result: root/ (the runtime), lib/ (what is linked), bin/armv6-gcc (the compiler),
#               tests/ (some of glibc's own tests)
set -euo pipefail

HERE=$(dirname "$(readlink -f "$0")")
SRC=${SRC:-/src} BUILD=${BUILD:-/build} OUT=${OUT:-/out} JOBS=${JOBS:-2}
ARCH="-march=armv6k+fp -mfloat-abi=hard -marm -mtune=arm1176jzf-s -mno-unaligned-access"
T=arm-linux-gnueabihf
GCC=$BUILD/gcc GLIBC=$BUILD/glibc GLIBC_SRC=$BUILD/glibc-src BIN=$BUILD/bin RT=$OUT/lib ROOT=$OUT/root
PREFIX_MAP="-ffile-prefix-map=$SRC/=./ -ffile-prefix-map=$BUILD/=./"
BUILD_TRIPLET=x86_64-pc-linux-gnu
HEADERS=/usr/$T/include

export PATH=$BIN:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-0}

. /usr/local/lib/crosspi/stages.sh

compiler() {  # compiler NAME OPTIONS: a gcc that makes ARMv6 code and looks into our folder first
  mkdir -p "$(dirname "$1")"
  printf '#!/bin/sh\nexec ${CROSSPI_CCACHE:-} %s-gcc-12 %s "$@"\n' "$T" "$2" > "$1"
  chmod +x "$1"
}

# The parts of gcc that libgcc needs, with our patch.
GCC_PARTS="libgcc include config config-ml.in config.guess config.rpath config.sub install-sh
  mkinstalldirs move-if-change gcc/BASE-VER gcc/DATESTAMP gcc/DEV-PHASE gcc/coretypes.h
  gcc/tsystem.h gcc/gcov-io.h gcc/gcov-counter.def gcc/defaults.h gcc/sync-builtins.def"
prepare() {
  local archive patch
  mkdir -p "$GCC/src"; cd "$GCC/src"
  for archive in "$SRC"/gcc/gcc-12.*.tar.xz; do
    if [ -f "$archive" ]; then
      archive_top=$(basename "$archive" .tar.xz); archive_top=${archive_top%-dfsg}
      tar xf "$archive" --strip-components=1 $(printf "$archive_top/%s " $GCC_PARTS)
    else
      tar cf - -C "$SRC/gcc" $GCC_PARTS | tar xf -
    fi
  done
  chmod -R u+w .
  patch -p1 < "$HERE/patches/libgcc-vfpv2.patch"
  cp -a "$SRC/glibc" "$GLIBC_SRC"; chmod -R u+w "$GLIBC_SRC"
  for patch in glibc-2.36-stable glibc-without-manual; do
    patch -d "$GLIBC_SRC" -p1 < "$HERE/patches/$patch.patch"
  done
}

# libgcc is built without building gcc: the headers that describe the compiler are those that Debian
# ships for its plugins.
libgcc() {
  mkdir -p "$GCC/gcc/include" "$GCC/$T/libgcc" "$RT"
  cp -r "$($T-gcc-12 -print-file-name=plugin)"/include/. "$GCC/gcc/"
  printf '#ifndef GCC_TCONFIG_H\n#define GCC_TCONFIG_H\n#ifndef USED_FOR_TARGET\n# define USED_FOR_TARGET\n#endif\n#endif\n' \
    > "$GCC/gcc/tconfig.h"
  cat > "$GCC/gcc/libgcc.mvars" <<EOF
GCC_CFLAGS = -O2 -g0 -DIN_GCC -DCROSS_DIRECTORY_STRUCTURE -isystem ./include
INHIBIT_LIBC_CFLAGS =
TARGET_SYSTEM_ROOT =
NO_PIE_CFLAGS = -fno-PIE
EOF
  cd "$GCC/$T/libgcc"
  # Fixed-point arithmetic is most of the work, and nothing uses it.
  libgcc_cv_fixed_point=no "$GCC/src/libgcc/configure" --build=$BUILD_TRIPLET --host=$T --target=$T \
    --enable-shared --enable-threads=posix --disable-multilib --with-gcc-major-version-only \
    --prefix=/usr CC=armv6-gcc CXX=false AR=$T-ar NM=$T-nm RANLIB=$T-ranlib OBJDUMP=$T-objdump \
    STRIP=$T-strip CFLAGS="-O2 -g0 $PREFIX_MAP"
  make -j"$JOBS" host_subdir=. AR_FOR_TARGET=$T-ar \
    libgcc.a libgcc_eh.a crtbegin.o crtend.o crtbeginS.o crtendS.o crtbeginT.o
  cp libgcc.a libgcc_eh.a crt*.o "$RT/"
}

libgcc_shared() {
  cd "$GCC/$T/libgcc"
  make -j"$JOBS" host_subdir=. AR_FOR_TARGET=$T-ar libgcc_s.so
  $T-strip --strip-unneeded -o "$ROOT/lib/$T/libgcc_s.so.1" libgcc_s.so.1
  ln -s "../root/lib/$T/libgcc_s.so.1" "$RT/libgcc_s.so.1"
  printf 'GROUP ( libgcc_s.so.1 -lgcc )\n' > "$RT/libgcc_s.so"
}

configure_glibc() {
  mkdir -p "$GLIBC"; cd "$GLIBC"
  "$GLIBC_SRC/configure" --prefix=/usr --build=$BUILD_TRIPLET --host=$T CC=armv6-gcc CXX=false \
    BUILD_CC=gcc CFLAGS="-O2 -g0 $PREFIX_MAP" --with-headers="$HEADERS" --enable-kernel=3.2 \
    --enable-stack-protector=strong --disable-crypt --disable-profile --disable-werror \
    --disable-nscd --disable-build-nscd --disable-timezone-tools --without-selinux \
    --libdir=/usr/lib/$T libc_cv_slibdir=/lib/$T libc_cv_rtlddir=/lib \
    libc_cv_complocaledir=/usr/lib/locale
}

# Only what is shared: the static libraries and the programs would double the cost.
glibc() { cd "$GLIBC" && make -r -C "$GLIBC_SRC" objdir="$GLIBC" object-suffixes=.os -j"$JOBS" lib; }

LIBRARIES="math/libm:libm.so.6 dlfcn/libdl:libdl.so.2 nptl/libpthread:libpthread.so.0
  rt/librt:librt.so.1 login/libutil:libutil.so.1 resolv/libresolv:libresolv.so.2
  resolv/libnss_dns:libnss_dns.so.2 resolv/libanl:libanl.so.1 nss/libnss_files:libnss_files.so.2
  nptl_db/libthread_db:libthread_db.so.1"
libraries() {
  local entry folder
  for entry in $LIBRARIES; do
    folder=${entry%%/*}
    make -r -C "$GLIBC_SRC/$folder" ..=../ subdir="$folder" objdir="$GLIBC" object-suffixes=.os \
      -j"$JOBS" "$GLIBC/${entry%%:*}.so"
  done
}

install() {
  local entry libs="$ROOT/lib/$T"
  mkdir -p "$libs" "$RT"
  $T-strip --strip-unneeded -o "$libs/ld-linux-armhf.so.3" "$GLIBC/elf/ld.so"
  ln -s "$T/ld-linux-armhf.so.3" "$ROOT/lib/ld-linux-armhf.so.3"
  $T-strip --strip-unneeded -o "$libs/libc.so.6" "$GLIBC/libc.so"
  for entry in $LIBRARIES; do
    $T-strip --strip-unneeded -o "$libs/${entry##*:}" "$GLIBC/${entry%%:*}.so"
  done
  cp "$GLIBC"/csu/{crt1,Scrt1,crti,crtn}.o "$GLIBC/libc_nonshared.a" "$RT/"
  # What -lNAME finds. The linker looks for libc.so.6 and the loader next to this script.
  local name
  for name in libc.so.6 ld-linux-armhf.so.3 libm.so.6 libresolv.so.2; do
    ln -s "../root/lib/$T/$name" "$RT/$name"
  done
  ln -s libm.so.6 "$RT/libm.so"; ln -s libresolv.so.2 "$RT/libresolv.so"
  printf 'OUTPUT_FORMAT(elf32-littlearm)\nGROUP ( libc.so.6 libc_nonshared.a AS_NEEDED ( ld-linux-armhf.so.3 ) )\n' \
    > "$RT/libc.so"
  for name in pthread dl rt util; do $T-ar rcD "$RT/lib$name.a"; done  # empty since glibc 2.34
}

# Some of its own tests, linked by the result's compiler with the result's libraries. The board runs
# them: they are no part of the root.
tests() {
  local folder names name made="make -r ..=../ objdir=$GLIBC -j$JOBS"
  $made -C "$GLIBC_SRC/support" subdir=support "$GLIBC/support/libsupport_nonshared.a"
  for folder in nptl malloc; do
    names=$(sed -n "s/^$folder //p" "$HERE/tests.txt")
    mkdir -p "$GLIBC/$folder" "$OUT/tests/$folder"
    $made -C "$GLIBC_SRC/$folder" subdir=$folder $(printf "$GLIBC/$folder/%s.o " $names)
    for name in $names; do
      "$OUT/bin/armv6-gcc" -s -o "$OUT/tests/$folder/$name" "$GLIBC/$folder/$name.o" \
        "$GLIBC/support/libsupport_nonshared.a"
    done
  done
}

compiler "$BIN/armv6-gcc" "$ARCH -B$RT/"
# The result's own: it finds its libraries next to itself, wherever it is mounted.
mkdir -p "$OUT/bin"
cat > "$OUT/bin/armv6-gcc" <<EOF
#!/bin/sh
here=\$(dirname "\$(dirname "\$(readlink -f "\$0")")")
exec \${CROSSPI_CCACHE:-} $T-gcc-12 $ARCH --sysroot="\$here" -B"\$here/lib/" "\$@"
EOF
chmod +x "$OUT/bin/armv6-gcc"

stages prepare libgcc configure_glibc glibc libraries install libgcc_shared tests
