#!/bin/bash
# The C library, busybox and what a system needs to start a program: Debian's packages, unpacked.
# No maintainer script runs.
#
#   /src/NAME  a .deb
#   /out       the result: root/
set -euo pipefail

SRC=${SRC:-/src} OUT=${OUT:-/out}
ROOT=$OUT/root

# The links of a merged /usr, which no package brings.
mkdir -p "$ROOT"/usr/{bin,sbin,lib} "$ROOT"/{dev,etc,home,proc,root,run,sys,tmp,var/tmp}
for name in bin sbin lib; do ln -s "usr/$name" "$ROOT/$name"; done
chmod 1777 "$ROOT/tmp" "$ROOT/var/tmp"
for deb in "$SRC"/*/*.deb; do
  dpkg-deb --fsys-tarfile "$deb" | tar --extract --keep-directory-symlink --directory "$ROOT"
done
find "$ROOT/usr/share/doc" ! -type d ! -name copyright -delete
rm -rf "$ROOT"/usr/share/{initramfs-tools,lintian,locale,man}

for name in ash basename cat chmod cp cut date dd df diff dirname du echo egrep env expr false find \
  grep gunzip gzip head hostname id kill ln ls md5sum mkdir mktemp mv nproc od printf ps pwd \
  readlink realpath rm rmdir sed seq sh sha256sum sleep sort stat stty tail tar tee test timeout \
  touch tr true tty uname uniq wc which whoami xargs zcat; do
  ln -s busybox "$ROOT/usr/bin/$name"
done
[ -e "$ROOT/usr/bin/busybox" ]
printf 'root:x:0:0:root:/root:/bin/sh\npi:x:1000:1000:pi:/home:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n' > "$ROOT/etc/passwd"
printf 'root:x:0:\npi:x:1000:\nnogroup:x:65534:\n' > "$ROOT/etc/group"
printf '127.0.0.1 localhost\n::1 localhost\n' > "$ROOT/etc/hosts"
printf 'hosts: files dns\n' > "$ROOT/etc/nsswitch.conf"
