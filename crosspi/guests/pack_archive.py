"""Packs a folder as an archive for C users: `pack_archive.py TREE LICENSES TOP OUT.tar.gz`.

It is alone in a build container: standard library only. The same files make the same bytes,
whatever the clock, the owners and the order on the disk are. In a container and not on the host:
what a compressor makes of the same bytes differs with its version.
"""

from __future__ import annotations

import gzip
import io
import os
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path


def members(tree: Path, inside: str) -> Iterator[tuple[str, Path]]:
    """What is below a folder, by its name in the archive, sorted."""
    for path in sorted(tree.rglob("*"), key=lambda p: p.relative_to(tree).parts):
        yield f"{inside}/{path.relative_to(tree).as_posix()}", path


def add(archive: tarfile.TarFile, name: str, path: Path, time: int) -> None:
    """Write a member that knows no owner, and of modes only whether it can be run."""
    info = tarfile.TarInfo(name)
    info.mtime = time
    if path.is_symlink():
        info.type, info.linkname, info.mode = tarfile.SYMTYPE, str(path.readlink()), 0o777
        archive.addfile(info)
    elif path.is_dir():
        info.type, info.mode = tarfile.DIRTYPE, 0o755
        archive.addfile(info)
    else:
        data = path.read_bytes()
        info.size = len(data)
        info.mode = 0o755 if path.stat().st_mode & 0o100 else 0o644
        archive.addfile(info, io.BytesIO(data))


def main(tree: str, licences: str, top: str, out: str) -> None:
    """Write the archive."""
    time = int(os.environ["SOURCE_DATE_EPOCH"])
    with (
        Path(out).open("wb") as stream,
        gzip.GzipFile("", "wb", 9, stream, time) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        add(archive, top, Path(tree), time)
        for name, path in members(Path(tree), top):
            add(archive, name, path, time)
        add(archive, f"{top}/licenses", Path(licences), time)
        for name, path in members(Path(licences), f"{top}/licenses"):
            add(archive, name, path, time)


if __name__ == "__main__":
    main(*sys.argv[1:])
