#!/bin/bash
# CPython for ARMv6.
#
#   $VERSION      which
#   /src/python   its sources: a tree, or an archive
#   /src/pip      a wheel of pip, where the one that this CPython brings along does not serve
#   /build-python the result of build-python: the same minor version for this machine (not for 3.11)
#   /sysroot      the result of armv6-libc: the compiler
#   /libs         the result of armv6-libs
#   /recipe/…     config.site, relocate.py, bytecode.py and patches/ lie next to this script; a folder
#                 of patches/ is named for the versions that it serves, like 3.8,3.9
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
# configure takes the first Python of its version in PATH, and in /build-python/bin `python3` is that
# one too. What this script runs itself is Debian's.
DEBIAN_PYTHON=${DEBIAN_PYTHON:-/usr/bin/python3}
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
  local folder patch
  cpython_sources "$SRC/python" "$TREE"
  cpython_tests "$TREE/Lib" "$OUT/python"
  for folder in "$HERE"/patches/*; do
    case ,${folder##*/}, in *,$VERSION,*) ;; *) continue ;; esac
    for patch in "$folder"/*.patch; do patch -d "$TREE" -p1 --fuzz=0 < "$patch"; done
  done
  # A cross-build for the prefix /usr does not look into this machine's /usr/include and /usr/lib.
  # Where nothing changes, the version asks so itself (bpo-28444), or has no setup.py any more.
  [ ! -e "$TREE/setup.py" ] || sed -i "$TREE/setup.py" -e \
    "s|if \(os\.path\.normpath(sys\.\(base_\)\?prefix) != '/usr'\)|if not cross_compiling and \1|"
}

configure() {
  local options openssl=(--with-openssl="$LIBS" --with-ssl-default-suites=openssl)
  local build=(--without-static-libpython --with-build-python="$(command -v "python$VERSION")")
  case $VERSION in
    2.7) options=(--enable-unicode=ucs4 --with-system-ffi) ;;
    3.[4-6]) options=(--with-system-ffi) ;;
    3.[7-9] | 3.10) options=("${openssl[@]}" --with-system-ffi) ;;
    3.11) options=("${openssl[@]}" "${build[@]}" --with-system-ffi) ;;
    *) options=("${openssl[@]}" "${build[@]}") ;;
  esac
  cpython_place "$VERSION"
  "$PLACE/configure" --host=$T --build=x86_64-linux-gnu --prefix=/usr --with-ensurepip=no \
    --enable-loadable-sqlite-extensions --enable-ipv6 --with-computed-gotos "${options[@]}"
}

compile() { cd "$BUILD/python"; make -j"$JOBS"; }

install() {
  cd "$BUILD/python"
  case $VERSION in 2.7 | 3.4)
    # Their setup.py imports modules from where it put those for ARMv6, whose names are like those of
    # this machine's (from 3.5 on, a module's suffix names the platform): it may see the one that
    # tells how this Python was configured, and no other.
    mkdir "$BUILD/sysconfig"; cp "$(cat pybuilddir.txt)/_sysconfigdata.py" "$BUILD/sysconfig/"
    set -- PYTHON_FOR_BUILD='_PYTHON_PROJECT_BASE=$(abs_builddir) _PYTHON_HOST_PLATFORM=$(_PYTHON_HOST_PLATFORM) PYTHONPATH=$(abs_builddir)/../sysconfig:$(srcdir)/Lib:$(srcdir)/Lib/$(PLATDIR) python'"$VERSION"
  esac
  make install DESTDIR="$ROOT" TESTSUBDIRS= "$@"
  ln -sf "python$VERSION" "$ROOT/usr/bin/python"
  rm -f "$ROOT"/usr/lib/libpython*.a "$LIB"/config*/libpython*.a
  # This system has no libcrypt. The older setup.py build the module all the same, and no import of it
  # would find the function.
  rm -f "$LIB"/lib-dynload/crypt.so "$LIB"/lib-dynload/_crypt.*so
}

# pip's own installation is unpacking it, and a script.
pip() {
  local wheels=("$SRC"/pip/*.whl) name
  [ -e "${wheels[0]}" ] || wheels=("$LIB"/ensurepip/_bundled/pip-*.whl)
  "$DEBIAN_PYTHON" -m zipfile -e "${wheels[0]}" "$LIB/site-packages"
  for name in pip "pip${VERSION%%.*}" "pip$VERSION"; do
    printf '#!/usr/bin/python%s\nimport runpy\nrunpy.run_module("pip", run_name="__main__")\n' \
      "$VERSION" > "$ROOT/usr/bin/$name"
    chmod +x "$ROOT/usr/bin/$name"
  done
}

relocate() { "$DEBIAN_PYTHON" "$HERE/relocate.py" "$ROOT" "$BUILD" "$LIBS"; }

bytecode() {
  find "$LIB" -name '*.pyc' -delete -o -name '*.pyo' -delete
  "python$VERSION" "$HERE/bytecode.py" "$ROOT" "$LIB"
}

stages prepare configure compile install pip relocate bytecode
