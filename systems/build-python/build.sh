#!/bin/bash
# CPython for the build machine: cross-building another CPython of the same minor version, and
# running a setup.py that wants this version, need one.
#
#   $VERSION    which
#   /src/python its sources: a tree, or an archive
#   /build      scratch
#   /out        the result: bin/, lib/, include/. It finds its files next to itself.
set -euo pipefail

SRC=${SRC:-/src} BUILD=${BUILD:-/build} OUT=${OUT:-/out} JOBS=${JOBS:-2}
TREE=$BUILD/tree
export LC_ALL=C.UTF-8 SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-0}
. /usr/local/lib/crosspi/stages.sh

prepare() {
  cpython_sources "$SRC/python" "$TREE"
  cpython_tests "$TREE/Lib" "$BUILD/tests"
}

configure() {
  local options=()
  case $VERSION in
    2.7) options=(--enable-unicode=ucs4 --with-system-ffi) ;;
    3.[4-9] | 3.10) options=(--with-system-ffi) ;;
    *) options=(--disable-test-modules) ;;
  esac
  cpython_place "$VERSION"
  # It runs for a minute or two: compiling it well would take longer than it saves.
  OPT="-O1 -g0 -DNDEBUG -fwrapv -w" LDFLAGS=-s \
    "$PLACE/configure" --prefix=/build-python --with-ensurepip=no "${options[@]}"
  # Modules that no build asks for. Until 3.6, Modules/makesetup does not know the word *disabled*.
  case $VERSION in 2.7 | 3.[4-6]) return ;; esac
  cat > Modules/Setup.local <<MODULES
*disabled*
_codecs_cn _codecs_hk _codecs_iso2022 _codecs_jp _codecs_kr _codecs_tw _multibytecodec
_ctypes_test _testbuffer _testcapi _testimportmultiple _testinternalcapi _testmultiphase
_xxsubinterpreters _xxtestfuzz xxlimited xxlimited_35
_curses _curses_panel _dbm _gdbm _decimal _lsprof _zoneinfo audioop nis ossaudiodev spwd
MODULES
}

compile() { cd "$BUILD/python"; make -j"$JOBS" CC="${CROSSPI_CCACHE:-} gcc"; }

install() {
  local wheels=("$TREE"/Lib/ensurepip/_bundled/*.whl) wheel
  cd "$BUILD/python"
  make install DESTDIR="$BUILD/root" TESTSUBDIRS=
  mv "$BUILD"/root/build-python/* "$OUT/"
  rm -f "$OUT"/lib/libpython*.a "$OUT"/lib/python*/config*/libpython*.a
  # Unpacking is all that the installation of these wheels is.
  for wheel in "${wheels[@]}"; do
    python3 -m zipfile -e "$wheel" "$OUT/lib/python$VERSION/site-packages"
  done
}

stages prepare configure compile install
