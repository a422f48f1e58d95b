#!/bin/bash
# The libraries of an ARMv6 CPython, static and position-independent: its extension modules carry
# them, and nothing of them is visible to other modules.
#
#   /src/NAME   sources: zlib libffi bzip2 xz-utils sqlite3 openssl ncurses readline
#   /sysroot    the result of armv6-libc
#   /build      scratch
#   /out        the result: include/, lib/ (static), lib/pkgconfig
set -euo pipefail

SRC=${SRC:-/src} BUILD=${BUILD:-/build} OUT=${OUT:-/out} SYSROOT=${SYSROOT:-/sysroot} JOBS=${JOBS:-2}
T=arm-linux-gnueabihf
BUILD_TRIPLET=x86_64-pc-linux-gnu
export PATH=$SYSROOT/bin:/usr/sbin:/usr/bin:/sbin:/bin
CC=armv6-gcc
export LC_ALL=C SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-0}
export CC AR=$T-ar RANLIB=$T-ranlib NM=$T-nm STRIP=$T-strip
export CFLAGS="-O2 -g0 -fPIC -fvisibility=hidden -ffile-prefix-map=$SRC/=./ -ffile-prefix-map=$BUILD/=./"
HOST="--host=$T --build=$BUILD_TRIPLET"

. /usr/local/lib/crosspi/stages.sh
scratch() { mkdir -p "$BUILD/$1" && cd "$BUILD/$1"; }
copy() { rm -rf "${BUILD:?}/$1" && cp -r "$SRC/$1" "$BUILD/$1" && chmod -R u+w "$BUILD/$1" && cd "$BUILD/$1"; }

zlib() {
  copy zlib
  CHOST=$T ./configure --static --prefix="$OUT"
  make -j"$JOBS" libz.a
  make install
}

libffi() {
  scratch libffi
  "$SRC/libffi/configure" $HOST --prefix="$OUT" --libdir="$OUT/lib" --enable-static \
    --disable-shared --with-pic --disable-docs --disable-multi-os-directory \
    --disable-exec-static-tramp
  make -j"$JOBS"
  make install
}

bzip2() {
  copy bzip2
  make -j"$JOBS" CC="$CC" AR="$AR" RANLIB="$RANLIB" CFLAGS="$CFLAGS -D_FILE_OFFSET_BITS=64" libbz2.a
  cp libbz2.a "$OUT/lib/" && cp bzlib.h "$OUT/include/"
}

xz() {
  scratch xz
  "$SRC/xz-utils/configure" $HOST --prefix="$OUT" --enable-static --disable-shared --with-pic \
    --disable-nls --disable-xz --disable-xzdec --disable-lzmadec --disable-lzmainfo \
    --disable-scripts --disable-doc --disable-rpath
  make -j"$JOBS" -C src/liblzma
  make -C src/liblzma install
}

sqlite() {
  scratch sqlite
  # Its sources in one file, as everybody compiles them. The host's Tcl writes it.
  "$SRC/sqlite3/configure" $HOST --prefix="$OUT" --disable-shared --disable-tcl --disable-readline
  make sqlite3.c
  $CC $CFLAGS -D_FILE_OFFSET_BITS=64 -DSQLITE_THREADSAFE=1 \
    -DSQLITE_ENABLE_FTS5 -DSQLITE_ENABLE_MATH_FUNCTIONS \
    -DSQLITE_ENABLE_COLUMN_METADATA -DSQLITE_ENABLE_UNLOCK_NOTIFY -DSQLITE_ENABLE_DBSTAT_VTAB \
    -DHAVE_USLEEP=1 -DSQLITE_API= -c sqlite3.c -o sqlite3.o
  $AR rcsD "$OUT/lib/libsqlite3core.a" sqlite3.o
  # It needs libm behind it, and CPython's configure test names none.
  echo "INPUT ( -lsqlite3core -lm )" > "$OUT/lib/libsqlite3.a"
  mkdir -p "$OUT/lib/pkgconfig"
  printf "Name: sqlite3\nDescription: SQLite\nVersion: %s\nLibs: -L$OUT/lib -lsqlite3 -lm\nCflags: -I$OUT/include\n" \
    "$(cat "$SRC/sqlite3/VERSION")" > "$OUT/lib/pkgconfig/sqlite3.pc"
  cp sqlite3.h "$SRC/sqlite3/src/sqlite3ext.h" "$OUT/include/"
}

# no-asm: its assembly chooses ARMv7, NEON and ARMv8 code at run time. An ARMv6 file holds none.
# NPN stays: _ssl of 3.5 calls it unasked.
openssl() {
  scratch openssl
  # no-filenames, and no -ffile-prefix-map: OpenSSL carries its own command line about.
  CFLAGS="-O2 -g0 -fPIC -fvisibility=hidden" perl "$SRC/openssl/Configure" linux-armv4 \
    no-asm no-shared no-tests no-module no-engine no-dso no-filenames no-afalgeng no-async no-legacy \
    no-cmp no-cms no-ct no-gost no-idea no-seed no-camellia no-aria no-sm2 no-sm3 no-sm4 no-rc2 \
    no-rc4 no-bf no-cast no-mdc2 no-whirlpool no-srp no-ts no-ssl3 no-weak-ssl-ciphers no-rfc3779 \
    no-ui-console no-siv no-ocb no-dtls no-dsa no-ec2m no-ocsp no-srtp \
    no-multiblock no-comp no-padlockeng no-capieng -D_FILE_OFFSET_BITS=64 \
    --prefix=/usr --openssldir=/etc/ssl --libdir=lib
  make -j"$JOBS" build_generated
  make -j"$JOBS" libcrypto.a libssl.a
  cp libcrypto.a libssl.a "$OUT/lib/"
  mkdir -p "$OUT/include/openssl"
  cp "$SRC"/openssl/include/openssl/*.h include/openssl/*.h "$OUT/include/openssl/"
  # setup.py of CPython up to 3.6 looks for a line with the number itself, or leaves out _hashlib.
  printf '#if 0\n# define OPENSSL_VERSION_NUMBER 0x%x%02x00%02x0L\n#endif\n' \
    $(awk '/define OPENSSL_VERSION_(MAJOR|MINOR|PATCH) /{print $4}' include/openssl/opensslv.h) \
    >> "$OUT/include/openssl/opensslv.h"
}

ncurses() {
  scratch ncurses
  "$SRC/ncurses/configure" $HOST --prefix=/usr --enable-widec --without-shared --with-normal \
    --without-debug --without-ada --without-cxx --without-cxx-binding --without-progs \
    --without-tests --without-manpages --disable-db-install --disable-stripping \
    --with-default-terminfo-dir=/etc/terminfo --with-terminfo-dirs=/etc/terminfo:/usr/share/terminfo \
    --with-fallbacks= --with-build-cc=gcc --disable-home-terminfo
  make -j"$JOBS" -C include && make -j"$JOBS" -C ncurses && make -j"$JOBS" -C panel
  cp lib/libncursesw.a lib/libpanelw.a "$OUT/lib/"
  cp include/{curses,ncurses_dll,term,unctrl,termcap}.h "$SRC"/ncurses/panel/panel.h "$OUT/include/"
  ln -sf curses.h "$OUT/include/ncurses.h"
}

readline() {
  scratch readline
  bash_cv_wcwidth_broken=no "$SRC/readline/configure" $HOST --prefix="$OUT" --enable-static --disable-shared --with-curses \
    LDFLAGS="-L$OUT/lib" CPPFLAGS="-I$OUT/include"
  make -j"$JOBS" static
  make install-headers
  cp libreadline.a "$OUT/lib/"
}

mkdir -p "$OUT/lib" "$OUT/include"
stages zlib libffi bzip2 xz sqlite openssl ncurses readline
# Wherever the result is mounted.
sed -i "s|$OUT|\${pcfiledir}/../..|g" "$OUT"/lib/pkgconfig/*.pc
rm -f "$OUT"/lib/*.la
