"""Unpacks an archive, or copies a folder, into a new folder: all of it or nothing.

Tar archives (plain, gzip, bzip2, xz, zstd) are read once, front to back (see `tar`), and only the
selected members are written; zip archives and wheels too. See `writer` for what is refused.
"""

from __future__ import annotations

import bz2
import contextlib
import errno
import gzip
import importlib
import lzma
import os
import shutil
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any, cast

from crosspi.data.globs import Chooser, Selection, Strip
from crosspi.errors import ArchiveError, SourceError, from_os_error
from crosspi.sources import tar
from crosspi.sources.treehash import walk
from crosspi.sources.writer import Limits, TreeWriter, member_path, refuse

_CHUNK = 1 << 20  # bytes
_CORRUPT = (
    EOFError,
    zlib.error,
    lzma.LZMAError,
    gzip.BadGzipFile,
    tar.BadTar,
    zipfile.BadZipFile,
    NotImplementedError,  # a zip member with an unknown compression
    UnicodeError,
    RuntimeError,  # an encrypted zip member
    ValueError,
    OverflowError,
)


class _NoTopFolder(Exception):
    """The members do not share one top folder after all."""


def unpack(
    archive: Path,
    into: Path,
    *,
    strip: Strip = "auto",
    subdir: str = "",
    include: Iterable[str] = (),
    exclude: Iterable[str] = (),
    limits: Limits | None = None,
) -> int:
    """Unpacks `archive` (a file, or a folder to be copied) into `into`, which must not exist.

    Files get mode 0644 or 0755, folders 0755, all the same time; empty folders are dropped.
    Everything is written into a temporary folder beside `into`, which is renamed at the end.
    A folder is copied under the same rules, less a `.git` at its top; `strip: auto` means 0.

    Returns:
        How many files and links were written.

    Raises:
        ArchiveError: it is cut off or corrupt, a bomb, writes or links outside, holds devices,
            or nothing in it is selected.
        DiskFullError: no space left.
        SourceError: it cannot be read, or `into` cannot be written.
    """
    selection = Selection(strip, subdir, tuple(include), tuple(exclude))
    limits = limits or Limits()
    try:
        into.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=staging_prefix(into), dir=into.parent))
        try:
            count = _unpack(archive, staging / "tree", selection, limits)
            (staging / "tree").rename(into)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
    except OSError as error:
        if error.errno and not error.filename:  # a write does not say to which file
            error.filename = str(into)
        raise _from_os_error(error, archive) from error
    return count


def staging_prefix(into: Path) -> str:
    """How the names of the temporary folders beside `into` begin."""
    return f".{into.name}."


def _unpack(archive: Path, tree: Path, selection: Selection, limits: Limits) -> int:
    if archive.is_dir():
        if selection.strip == "auto":
            selection = _with_strip(selection, 0)
        return _fill(archive, tree, selection, limits, folder=True)
    if selection.strip != "auto":
        return _fill(archive, tree, selection, limits)
    try:
        return _fill(archive, tree, selection, limits)
    except _NoTopFolder:
        shutil.rmtree(tree)
        return _fill(archive, tree, _with_strip(selection, 0), limits)


def _with_strip(selection: Selection, strip: Strip) -> Selection:
    return Selection(strip, selection.subdir, selection.include, selection.exclude)


def _fill(
    archive: Path, tree: Path, selection: Selection, limits: Limits, *, folder: bool = False
) -> int:
    tree.mkdir()
    tree.chmod(0o755)
    writer = TreeWriter(tree, archive, limits)
    chooser = Chooser(selection)
    placer = _Placer(archive, selection.strip, chooser)
    try:
        if folder:
            _read_folder(archive, writer, placer)
        elif zipfile.is_zipfile(archive) and _magic(archive).startswith(b"PK"):
            _read_zip(archive, writer, placer, limits)
        else:
            _read_tar(archive, writer, placer, limits)
        writer.finish()
    except _CORRUPT as error:
        raise ArchiveError(
            f"{archive.name} is cut off or corrupt",
            where=f"{archive} ({_size(archive)} bytes)",
            why=str(error) or type(error).__name__,
            fix="fetch it again; if it stays so, the file at its origin is broken",
        ) from error
    if not writer.count:
        place = f" below '{selection.subdir}'" if selection.subdir else ""
        raise ArchiveError(
            f"nothing in {archive.name} is selected{place}",
            where=str(archive),
            why="subdir, include or exclude do not fit its layout"
            + (f"; its top is {placer.seen}" if placer.seen else ""),
            fix="correct these options of the source or of this origin",
        )
    if chooser.unmatched:
        raise ArchiveError(
            f"an include pattern matches nothing in {archive.name}",
            where=f"{archive}: " + ", ".join(sorted(chooser.unmatched)),
            why="patterns start at the top of the tree, after strip and subdir",
            fix="correct the pattern or remove it",
        )
    return writer.count


class _Placer:
    """The place of each member in the tree: `strip`, then the chooser."""

    def __init__(self, archive: Path, strip: Strip, chooser: Chooser) -> None:
        self._archive = archive
        self._strip = strip
        self._chooser = chooser
        self._top: str | None = None
        self._tops: dict[str, None] = {}

    @property
    def seen(self) -> str:
        """The first few names at the top, for messages."""
        return ", ".join(list(self._tops)[:5])

    def clean(self, name: str) -> str:
        """A member's name without the stripped folder; empty for what is stripped away."""
        path = member_path(self._archive, name)
        if not self._strip:
            self._note(path)
            return path
        rest = path.partition("/")[2]
        self._note(rest)
        return rest

    def check_top(self, name: str, *, is_folder: bool) -> None:
        """With `strip: auto`: sees that all members share one top folder.

        Raises:
            _NoTopFolder: they do not.
        """
        if self._strip != "auto":
            return
        top, _, rest = member_path(self._archive, name).partition("/")
        if not top:
            return
        if (not rest and not is_folder) or self._top not in (None, top):
            raise _NoTopFolder
        self._top = top

    def written(self, name: str) -> str:
        """The place of the file that a hard link names; one that is not there if there is none."""
        try:
            return self.choose(self.clean(name)) or name
        except ArchiveError:
            return name

    def choose(self, path: str) -> str | None:
        """The place in the tree, or None."""
        return self._chooser.choose(path)

    def _note(self, path: str) -> None:
        if len(self._tops) < 6 and path:
            self._tops.setdefault(path.partition("/")[0])


# --- tar ---------------------------------------------------------------------------------


class _Counted:
    """A decompressed stream that stops a bomb."""

    def __init__(self, stream: IO[bytes], archive: Path, limits: Limits) -> None:
        self._stream = stream
        self._archive = archive
        self._limit = limits.unpacked_bytes(_size(archive))
        self._read = 0

    def read(self, size: int) -> bytes:
        """At most `size` bytes; raises ArchiveError beyond the limit."""
        data = self._stream.read(size)
        self._read += len(data)
        if self._read > self._limit:
            raise _bomb(self._archive, self._limit)
        return data


def _bomb(archive: Path, limit: int) -> ArchiveError:
    return refuse(
        archive,
        "",
        f"it unpacks to more than {limit} bytes, from {_size(archive)}: a bomb",
    )


def _read_tar(archive: Path, writer: TreeWriter, placer: _Placer, limits: Limits) -> None:
    with contextlib.ExitStack() as stack:
        stream = _Counted(_decompressed(archive, stack), archive, limits)
        for member, content in tar.read(stream):
            _write_tar_member(member, content, writer, placer)


def _write_tar_member(
    member: tar.Member, content: Iterator[bytes], writer: TreeWriter, placer: _Placer
) -> None:
    name = member.name
    placer.check_top(name, is_folder=member.kind == "folder")
    path = placer.choose(placer.clean(name))
    if path is None or member.kind == "folder":
        return
    if member.kind == "link":
        writer.link(path, name, member.target)
    elif member.kind == "hard link":
        writer.copy(path, name, placer.written(member.target))
    elif member.kind == "file":
        writer.file(path, name, content, executable=bool(member.mode & stat.S_IXUSR))
    else:
        raise refuse(
            writer.archive,
            name,
            "it is a device, a named pipe, a sparse file or of an unknown kind",
        )


def _exactly(content: IO[bytes], size: int, name: str) -> Iterator[bytes]:
    left = size
    while left:
        chunk = content.read(min(left, _CHUNK))
        if not chunk:
            raise EOFError(f"the content of {name!r} is cut off")
        left -= len(chunk)
        yield chunk


def _magic(archive: Path) -> bytes:
    with archive.open("rb") as file:
        return file.read(8)


def _decompressed(archive: Path, stack: contextlib.ExitStack) -> IO[bytes]:
    magic = _magic(archive)
    if magic.startswith(b"\x1f\x8b"):
        return stack.enter_context(cast("IO[bytes]", gzip.open(archive)))
    if magic.startswith(b"BZh"):
        return stack.enter_context(bz2.open(archive))
    if magic.startswith(b"\xfd7zXZ\0"):
        return stack.enter_context(lzma.open(archive))
    if magic.startswith(b"\x28\xb5\x2f\xfd"):
        return cast("IO[bytes]", stack.enter_context(_zstd(archive)))
    if magic.startswith(b"PK"):
        raise zipfile.BadZipFile("a zip file without its directory, which is at the end")
    if magic.lstrip()[:1] == b"<":
        raise EOFError("it is a web page, not an archive")
    return stack.enter_context(archive.open("rb"))


def _zstd(archive: Path) -> Any:
    for name in ("compression.zstd", "zstandard"):
        with contextlib.suppress(ImportError):
            return importlib.import_module(name).open(archive, "rb")
    raise ArchiveError(
        f"{archive.name} is compressed by zstd, which this Python cannot read",
        where=str(archive),
        fix="install the Python package 'zstandard' into crosspi's environment",
    )


# --- zip ---------------------------------------------------------------------------------


def _read_zip(archive: Path, writer: TreeWriter, placer: _Placer, limits: Limits) -> None:
    with zipfile.ZipFile(archive) as zipped:
        members = zipped.infolist()
        limit = limits.unpacked_bytes(_size(archive))
        if sum(member.file_size for member in members) > limit:
            raise _bomb(archive, limit)
        for member in members:
            placer.check_top(member.filename, is_folder=member.is_dir())
        for member in members:
            path = placer.choose(placer.clean(member.filename))
            if path is not None and not member.is_dir():
                _write_zip_member(zipped, member, path, writer)


def _write_zip_member(
    zipped: zipfile.ZipFile, member: zipfile.ZipInfo, path: str, writer: TreeWriter
) -> None:
    name = member.filename
    if member.flag_bits & 0x1:
        raise refuse(writer.archive, name, "it is encrypted")
    mode = member.external_attr >> 16 if member.create_system == 3 else 0  # 3: Unix
    with zipped.open(member) as content:
        if stat.S_ISLNK(mode):
            target = os.fsdecode(content.read(4097))
            writer.link(path, name, target)
        elif stat.S_IFMT(mode) in (0, stat.S_IFREG):
            writer.file(
                path,
                name,
                _exactly(content, member.file_size, name),
                executable=bool(mode & stat.S_IXUSR),
            )
        else:
            raise refuse(writer.archive, name, "it is a device or a named pipe")


# --- folders -----------------------------------------------------------------------------


def _read_folder(folder: Path, writer: TreeWriter, placer: _Placer) -> None:
    for raw, entry in sorted(walk(folder), key=lambda item: item[0]):
        name = os.fsdecode(raw)
        if name.startswith(".git/") or name == ".git":
            continue
        path = placer.choose(placer.clean(name))
        if path is None:
            continue
        status = entry.stat(follow_symlinks=False)
        if entry.is_symlink():
            target = os.readlink(os.fsdecode(entry.path))  # noqa: PTH115 (text, not a path)
            writer.link(path, name, target)
        elif entry.is_file(follow_symlinks=False):
            with Path(os.fsdecode(entry.path)).open("rb") as content:
                writer.file(
                    path,
                    name,
                    _exactly(content, status.st_size, name),
                    executable=bool(status.st_mode & stat.S_IXUSR),
                )
        else:
            raise refuse(writer.archive, name, "it is a device, a socket or a named pipe")


# --- errors ------------------------------------------------------------------------------


def _size(archive: Path) -> int:
    return archive.stat().st_size


def _from_os_error(error: OSError, archive: Path) -> Exception:
    known = from_os_error(error, doing=f"unpacking {archive.name}")
    if known is not None:
        return known
    if error.errno is None:  # bz2: "Invalid data stream"
        return ArchiveError(
            f"{archive.name} is cut off or corrupt",
            where=str(archive),
            why=str(error),
            fix="fetch it again; if it stays so, the file at its origin is broken",
        )
    if error.errno in (errno.ENAMETOOLONG, errno.EILSEQ):
        return ArchiveError(
            f"{archive.name} holds a file name that this file system cannot store",
            where=os.fsdecode(error.filename or str(archive)),
            why=os.strerror(error.errno),
            fix="leave the member out by 'exclude', or use another file system",
        )
    return SourceError(
        f"cannot unpack {archive.name}",
        where=os.fsdecode(error.filename or str(archive)),
        why=error.strerror or str(error),
        fix="see that the archive can be read and the cache folder be written",
    )
