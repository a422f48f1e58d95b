#!/bin/bash
# CPython for ARMv6.
#
#   $VERSION      which
#   /src/python   its sources: a tree, or an archive
#   /src/pip      a wheel of pip, where the one that this CPython brings along does not serve
#   /build-python the result of build-python: the same minor version for this machine (not for 3.11)
#   /sysroot      the result of armv6-libc: the compiler
#   /libs         the result of armv6-libs
#   /recipe/…     config.site, relocate.py and patches/ lie next to this script
#   /build        scratch
#   /out          the result: root/; python/ with Python's own tests, as they lie in its Lib/
set -euo pipefail

HERE=$(dirname "$(readlink -f "$0")")
SRC=${SRC:-/src} BUILD=${BUILD:-/build} OUT=${OUT:-/out} JOBS=${JOBS:-2}
SYSROOT=${SYSROOT:-/sysroot} LIBS=${LIBS:-/libs}
T=arm-linux-gnueabihf
TREE=$BUILD/tree
ROOT=$OUT/root LIB=$OUT/root/usr/lib/python$VERSION
export LC_ALL=C.UTF-8 SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-0}
# 3.9 and older take the first Python of their version in PATH; Debian's is the 3.11 of all others.
export PATH=$SYSROOT/bin:/build-python/bin:/usr/sbin:/usr/bin:/sbin:/bin
export CONFIG_SITE=$HERE/config.site
# No C++ is compiled; the name is for those who ask.
export CC=armv6-gcc CXX=g++ AR=$T-ar RANLIB=$T-ranlib READELF=$T-readelf
export PKG_CONFIG_LIBDIR=$LIBS/lib/pkgconfig PKG_CONFIG_PATH=
MAPS="-ffile-prefix-map=$TREE/=./ -ffile-prefix-map=$BUILD/=./"
INCLUDES="-I$LIBS/include -I$LIBS/include/ncursesw"
# The libraries' names stay their own: a module exports PyInit_* and nothing of what it carries.
LINKING="-L$LIBS/lib -s -Wl,--exclude-libs,$(cd "$LIBS/lib"; echo lib*.a | tr ' ' :)"
# 3.9's SHA-3 would read words wherever they lie; of the others no source knows the name.
export CFLAGS="-g0 $MAPS -DNO_MISALIGNED_ACCESSES" CPPFLAGS="$INCLUDES" LDFLAGS="$LINKING"
# From 3.12 on, configure does not guess what a static readline needs.
export LIBREADLINE_CFLAGS="-I$LIBS/include" LIBREADLINE_LIBS="-lreadline -lncursesw"
. /usr/local/lib/crosspi/stages.sh

prepare() {
  local patch
  cpython_sources "$SRC/python" "$TREE"
  cpython_tests "$TREE/Lib" "$OUT/python"
  for patch in "$HERE"/patches/"$VERSION"/*.patch; do
    if [ -e "$patch" ]; then patch -d "$TREE" -p1 --fuzz=0 < "$patch"; fi
  done
}

configure() {
  local options  # configure passes over what its version does not know
  case $VERSION in
    2.7) options=(--enable-unicode=ucs4 --with-system-ffi) ;;
    3.[4-9] | 3.10) options=(--with-openssl="$LIBS" --with-system-ffi --with-ssl-default-suites=openssl) ;;
    *) options=(--with-openssl="$LIBS" --with-system-ffi --with-ssl-default-suites=openssl
         --without-static-libpython --with-build-python="$(command -v "python$VERSION")") ;;
  esac
  mkdir "$BUILD/python"; cd "$BUILD/python"
  ../tree/configure --host=$T --build=x86_64-linux-gnu --prefix=/usr --with-ensurepip=no \
    --enable-loadable-sqlite-extensions --enable-ipv6 --with-computed-gotos "${options[@]}"
}

compile() { cd "$BUILD/python"; make -j"$JOBS"; }

install() {
  cd "$BUILD/python"
  if [ "$VERSION" = 2.7 ]; then
    # Its setup.py imports modules from where it put those for ARMv6: it may see the one that tells
    # how this Python was configured, and no other.
    mkdir "$BUILD/sysconfig"; cp "$(cat pybuilddir.txt)/_sysconfigdata.py" "$BUILD/sysconfig/"
    set -- PYTHON_FOR_BUILD='_PYTHON_PROJECT_BASE=$(abs_builddir) _PYTHON_HOST_PLATFORM=$(_PYTHON_HOST_PLATFORM) PYTHONPATH=$(abs_builddir)/../sysconfig:$(srcdir)/Lib:$(srcdir)/Lib/$(PLATDIR) python2.7'
  fi
  make install DESTDIR="$ROOT" TESTSUBDIRS= "$@"
  ln -sf "python$VERSION" "$ROOT/usr/bin/python"
  rm -f "$ROOT"/usr/lib/libpython*.a "$LIB"/config*/libpython*.a
}

# pip's own installation is unpacking it, and a script.
pip() {
  local wheels=("$SRC"/pip/*.whl) name
  [ -e "${wheels[0]}" ] || wheels=("$LIB"/ensurepip/_bundled/pip-*.whl)
  python3 -m zipfile -e "${wheels[0]}" "$LIB/site-packages"
  for name in pip "pip${VERSION%%.*}" "pip$VERSION"; do
    printf '#!/usr/bin/python%s\nimport runpy\nrunpy.run_module("pip", run_name="__main__")\n' \
      "$VERSION" > "$ROOT/usr/bin/$name"
    chmod +x "$ROOT/usr/bin/$name"
  done
}

relocate() { python3 "$HERE/relocate.py" "$ROOT" "$BUILD" "$LIBS"; }

# Bytecode that needs no comparison with its source, whose time changes on the way into an image.
bytecode() {
  find "$LIB" -name '*.pyc' -delete -o -name '*.pyo' -delete
  case $VERSION in
    2.7)  # knows the source's time only: that which the image gives it
      find "$LIB" -name '*.py' -exec touch -d "@$SOURCE_DATE_EPOCH" {} +
      python2.7 -m compileall -q -d "/usr/lib/python$VERSION" "$LIB" ;;
    *) "python$VERSION" -m compileall -q -j "$JOBS" -s "$ROOT" -p / --invalidation-mode unchecked-hash "$LIB" ;;
  esac
}

stages prepare configure compile install pip relocate bytecode
