#!/bin/bash
# CPython for ARMv6.
#
#   /src/python  its sources
#   /sysroot     the result of armv6-libc: the compiler
#   /libs        the result of armv6-libs
#   /recipe/…    config.site lies next to this script
#   /build       scratch
#   /out         the result: root/, without Python's own tests
set -euo pipefail

HERE=$(dirname "$(readlink -f "$0")")
SRC=${SRC:-/src} BUILD=${BUILD:-/build} OUT=${OUT:-/out} JOBS=${JOBS:-2}
SYSROOT=${SYSROOT:-/sysroot} LIBS=${LIBS:-/libs}
VERSION=${VERSION:-3.11} BUILD_PYTHON=${BUILD_PYTHON:-/usr/bin/python3.11}
T=arm-linux-gnueabihf
TREE=$BUILD/tree
ROOT=$OUT/root LIB=$OUT/root/usr/lib/python$VERSION
export LC_ALL=C.UTF-8 SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-0}
export PATH=$SYSROOT/bin:/usr/sbin:/usr/bin:/sbin:/bin CONFIG_SITE=$HERE/config.site
export CC=armv6-gcc CXX=false AR=$T-ar RANLIB=$T-ranlib READELF=$T-readelf
export PKG_CONFIG_LIBDIR=$LIBS/lib/pkgconfig PKG_CONFIG_PATH=
export CFLAGS="-g0 -ffile-prefix-map=$TREE/=./ -ffile-prefix-map=$BUILD/=./"
# The libraries' names stay their own: a module exports PyInit_* and nothing of what it carries.
export CPPFLAGS="-I$LIBS/include -I$LIBS/include/ncursesw" LDFLAGS="-L$LIBS/lib -s -Wl,--exclude-libs,ALL"

stage() {
  LOG=$BUILD/log-$1.txt TIMEFORMAT="$1: %U s user, %S s system, %R s"
  time "$1" > "$LOG" 2>&1
}
trap '[ $? = 0 ] || { echo "failed; the end of $LOG:"; tail -n 40 "$LOG" | cut -c1-300; }' EXIT

# A copy, for the patches.
prepare() {
  local patch
  cp -r "$SRC/python" "$TREE"; chmod -R u+w "$TREE"; cd "$TREE"
  for patch in "$HERE"/patches/$VERSION/*.patch; do patch -p1 < "$patch"; done
}

configure() {
  mkdir -p "$BUILD/python"; cd "$BUILD/python"
  ../tree/configure --host=$T --build=x86_64-linux-gnu --prefix=/usr \
    --with-build-python="$BUILD_PYTHON" --with-openssl="$LIBS" --with-system-ffi \
    --with-ensurepip=no --without-static-libpython --with-ssl-default-suites=openssl \
    --enable-loadable-sqlite-extensions --enable-ipv6 --with-computed-gotos
}

compile() { cd "$BUILD/python"; make -j"$JOBS"; }

install() {
  cd "$BUILD/python"
  make install DESTDIR="$ROOT" TESTSUBDIRS= 
  ln -sf python$VERSION "$ROOT/usr/bin/python"
  # pip, from the wheel that ensurepip would take; unpacking is all that its installation is.
  python3 - "$LIB" "$ROOT/usr/bin" "$VERSION" <<'EOF'
import pathlib, sys, zipfile
lib, scripts, version = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3]
(wheel,) = (lib / "ensurepip" / "_bundled").glob("pip-*.whl")
zipfile.ZipFile(wheel).extractall(lib / "site-packages")
for name in ("pip", "pip3", f"pip{version}"):
    path = scripts / name
    path.write_text(f"#!/usr/bin/python{version}\nimport sys\nfrom pip._internal.cli.main import main\nsys.exit(main())\n")
    path.chmod(0o755)
EOF
}

for name in ${STAGES:-prepare configure compile install}; do stage "$name"; done
