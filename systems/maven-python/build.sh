#!/bin/bash
# CPython as the JavaCPP Presets build it, put where a distribution would have it.
#
#   /src/python   the content of the .jar: a prefix, whose programs are not executable
#   /build        scratch
#   /out          the result: root/
#
# For a root of its own, and not a part of another:
#   /base         the result of debian-base
#   /src/NAME     a .deb with a library that it needs
#
# For a Python whose .jar lacks modules, on a system that lacks a library:
#   /src/modules  the sources of a later CPython
#   /sysroot      the result of armv6-libc: the compiler
#   /libs         the result of armv6-libs
set -euo pipefail

HERE=$(dirname "$(readlink -f "$0")")
SRC=${SRC:-/src} BASE=${BASE:-/base} BUILD=${BUILD:-/build} OUT=${OUT:-/out}
SYSROOT=${SYSROOT:-/sysroot} LIBS=${LIBS:-/libs}
ROOT=$OUT/root
PREFIX=$SRC/python
T=arm-linux-gnueabihf
LIB=$ROOT/usr/lib/python$VERSION
INCLUDE=$ROOT/usr/include/python$VERSION
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-0}

base() {
  local deb
  cp -a "$BASE/root" "$ROOT"
  for deb in "$SRC"/*/*.deb; do
    dpkg-deb --fsys-tarfile "$deb" | tar --extract --keep-directory-symlink --directory "$ROOT"
  done
}

# An interpreter finds its prefix by where it lies itself, and the loader looks into these folders:
# so nothing has to be set in the environment.
interpreter() {
  mkdir -p "$ROOT"/usr/{bin,include,lib/$T}
  install -m 755 -t "$ROOT/usr/bin" "$PREFIX/bin/python$VERSION"
  install -m 644 -t "$ROOT/usr/lib/$T" "$PREFIX"/lib*.so.*
  cp -r --no-preserve=mode "$PREFIX/lib/python$VERSION" "$ROOT/usr/lib/"
  # The folder of 3.7's headers has the ABI's letter in its name. They include crypt.h for nothing,
  # and cross compilers do not have it.
  cp -r --no-preserve=mode "$PREFIX"/include/python$VERSION* "$INCLUDE"
  sed -i '/HAVE_CRYPT_H/d' "$INCLUDE/pyconfig.h"
  ln -s "python$VERSION" "$ROOT/usr/bin/python3"
  # pip, from the wheel that ensurepip would take; unpacking is all that its installation is.
  python3 -m zipfile --extract "$LIB"/ensurepip/_bundled/pip-*.whl "$LIB/site-packages"
}

# zlib, without which pip does not run, and ctypes. They are statically linked with what they use.
modules() {
  local suffix name define flags
  suffix=$(basename "$(ls "$LIB"/lib-dynload/math.*.so)"); suffix=${suffix#math}
  export PATH=$SYSROOT/bin:$PATH
  mkdir -p "$BUILD/include"
  cp "$SRC/modules/Include/internal/pycore_byteswap.h" "$BUILD/include/"
  flags="-O2 -g0 -fPIC -shared -s -Wl,--exclude-libs,ALL -ffile-prefix-map=$SRC/=./
    -ffile-prefix-map=$BUILD/=./ -Werror=implicit -Werror=int-conversion
    -I$INCLUDE -I$BUILD/include -I$LIBS/include -L$LIBS/lib"
  for name in PREP_CIF_VAR PREP_CLOSURE_LOC CLOSURE_ALLOC; do
    define+=" -DHAVE_FFI_$name=1"
  done
  armv6-gcc $flags -include "$HERE/modules/python37.h" "$SRC/modules/Modules/zlibmodule.c" -lz \
    -o "$LIB/lib-dynload/zlib$suffix"
  armv6-gcc $flags -include "$HERE/modules/python37.h" $define -I"$SRC/modules/Modules/_ctypes" \
    "$SRC"/modules/Modules/_ctypes/{_ctypes,callbacks,callproc,cfield,stgdict}.c -lffi -lm \
    -o "$LIB/lib-dynload/_ctypes$suffix"
  armv6-gcc $flags -Wl,-soname,libcrypt.so.1 "$HERE/modules/libcrypt.c" \
    -o "$ROOT/usr/lib/$T/libcrypt.so.1"
  # They want libcrypt and libnsl, which are not here, or are there for Python's own tests.
  rm "$LIB"/lib-dynload/{_crypt,nis,_ctypes_test,_test*,_xxtestfuzz,xxlimited}.*
}

# Where crosspi looks for what it must know of the interpreter.
describe() {
  local folder=$ROOT/opt/crosspi/python
  mkdir -p "$folder/include"
  cp -r "$INCLUDE" "$folder/include/"
  cp "$LIB"/_sysconfigdata_*_linux_$T.py "$folder/sysconfigdata.py"
  ln -s "/usr/bin/python$VERSION" "$folder/python"
  ls "$LIB/site-packages" | sed -n 's/^pip-\(.*\)\.dist-info$/pip \1/p' > "$folder/pip-version"
}

if [ -d "$BASE" ]; then base; fi
interpreter
if [ -d "$SRC/modules" ]; then modules; fi
if [ -d "$BASE" ]; then describe; fi
