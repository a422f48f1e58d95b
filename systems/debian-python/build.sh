#!/bin/bash
# CPython of Debian's packages, unpacked. No maintainer script runs.
#
#   /src/NAME  a .deb, or pip's wheel; /src/headers: the .deb with the headers
#   /base      the result of debian-base
#   /build     scratch
#   /out       the result: root/
set -euo pipefail

SRC=${SRC:-/src} BASE=${BASE:-/base} BUILD=${BUILD:-/build} OUT=${OUT:-/out}
ROOT=$OUT/root
DEV=$BUILD/dev
T=arm-linux-gnueabihf

cp -a "$BASE/root" "$ROOT"
for deb in "$SRC"/*/*.deb; do
  case $deb in
    "$SRC"/headers/*) mkdir -p "$DEV"; into=$DEV ;;
    *) into=$ROOT ;;
  esac
  dpkg-deb --fsys-tarfile "$deb" | tar --extract --keep-directory-symlink --directory "$into"
done
find "$ROOT/usr/share/doc" ! -type d ! -name copyright -delete
rm -rf "$ROOT"/usr/share/{applications,info,lintian,man}

# Unpacking is all that the installation of pip is.
site=$ROOT/usr/lib/python3/dist-packages
mkdir -p "$site"
python3 -m zipfile --extract "$SRC"/pip/pip-*.whl "$site"

# Where crosspi looks for what it must know of the interpreter. Debian's pyconfig.h only chooses
# among architectures by the compiler's search path: the one that it would choose takes its place.
python=$ROOT/opt/crosspi/python
mkdir -p "$python/include"
cp -r "$DEV/usr/include/python$VERSION" "$python/include/"
cp "$DEV/usr/include/$T/python$VERSION/pyconfig.h" "$python/include/python$VERSION/"
cp "$ROOT/usr/lib/python$VERSION/_sysconfigdata__linux_$T.py" "$python/sysconfigdata.py"
ln -s "/usr/bin/python$VERSION" "$python/python"
ls "$site" | sed -n 's/^pip-\(.*\)\.dist-info$/pip \1/p' > "$python/pip-version"
