"""Writes the members of an archive into a folder, and nothing anywhere else.

Files are made only in folders that this writer made itself, never through a link, never twice,
and links only at the very end, when no file can be written through them any more. Owners,
setuid bits and group permissions of the archive are dropped.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from crosspi.errors import ArchiveError

#: The time of every file: 1980-01-01, the oldest that a zip file (and so a wheel) can hold. A pin
#: does not know times, and make and Ninja go by them: with those of an archive, the same tree from
#: two origins would be built in two ways. Where all are equal, nothing counts as out of date.
TIME = 315_532_800  # seconds since 1970, UTC


@dataclass(frozen=True)
class Limits:
    """How much an archive may unpack to.

    Attributes:
        total_bytes: bytes written to disk.
        files: files and links written.
        ratio: bytes unpacked for each byte of the archive, checked beyond `ratio_floor` bytes.
    """

    total_bytes: int = 8 << 30
    files: int = 500_000
    ratio: int = 200
    ratio_floor: int = 100 << 20

    def unpacked_bytes(self, archive_bytes: int) -> int:
        """How many bytes an archive of that size may unpack to before it is called a bomb."""
        return max(self.ratio_floor, self.ratio * archive_bytes)


def refuse(archive: Path, member: str, why: str, fix: str = "") -> ArchiveError:
    """The error for a member that is not unpacked."""
    return ArchiveError(
        f"refused to unpack a member of {archive.name}",
        where=f"{archive}: {member!r}" if member else str(archive),
        why=why,
        fix=fix or "do not use this archive; nothing of it was kept",
    )


def member_path(archive: Path, name: str) -> str:
    """A member's name as a clean relative path; empty for the top folder itself.

    Raises:
        ArchiveError: it is absolute, climbs by `..` or holds a NUL.
    """
    if name.startswith("/"):
        raise refuse(archive, name, "its path is absolute: it would be written outside the folder")
    if "\0" in name:
        raise refuse(archive, name, "its path holds a NUL byte")
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise refuse(archive, name, "its path climbs by '..': it could leave the folder")
    return "/".join(parts)


class TreeWriter:
    """Writes one tree below `root`, an empty folder that nobody else writes to."""

    def __init__(self, root: Path, archive: Path, limits: Limits) -> None:
        self.archive = archive
        self._root = os.path.realpath(root)
        self._limits = limits
        self._kinds: dict[str, str] = {"": "folder"}
        self._links: dict[str, tuple[str, str]] = {}
        self._bytes = 0

    @property
    def count(self) -> int:
        """How many files and links there are."""
        return sum(kind != "folder" for kind in self._kinds.values())

    def file(self, path: str, member: str, chunks: Iterable[bytes], *, executable: bool) -> None:
        """Writes a file.

        Raises:
            ArchiveError: its place is taken or lies behind a link, or the limits are reached.
            OSError: the disk is full, the name too long.
        """
        self._claim(path, member, "file")
        target = f"{self._root}/{path}"
        mode = 0o755 if executable else 0o644
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
        with os.fdopen(descriptor, "wb", buffering=0) as out:
            for chunk in chunks:
                self._bytes += len(chunk)
                if self._bytes > self._limits.total_bytes:
                    raise refuse(
                        self.archive,
                        member,
                        f"the archive unpacks to more than {self._limits.total_bytes} bytes",
                    )
                view = memoryview(chunk)
                while view:
                    view = view[out.write(view) :]
            os.fchmod(descriptor, mode)
            os.utime(descriptor, (TIME, TIME))

    def copy(self, path: str, member: str, target: str) -> None:
        """Writes a hard link as a file of its own: a copy of the file written at `target`."""
        if self._kinds.get(target) != "file":
            raise refuse(
                self.archive,
                member,
                f"it is a hard link to {target!r}, which is no file unpacked before it",
                "select the other file too, or leave this one out by 'exclude'",
            )
        source = Path(self._root, target)
        status = source.stat()
        with source.open("rb") as file:
            self.file(
                path,
                member,
                iter(lambda: file.read(1 << 20), b""),
                executable=bool(status.st_mode & 0o100),
            )

    def link(self, path: str, member: str, target: str) -> None:
        """Notes a symbolic link, to be made by `finish`.

        Raises:
            ArchiveError: it points outside the tree.
        """
        self._claim(path, member, "link")
        joined = os.path.normpath(os.path.join(os.path.dirname(path), target))  # noqa: PTH118, PTH120
        climbs = joined == ".." or joined.startswith("../")
        if not target or "\0" in target or target.startswith("/") or climbs:
            raise self._outside(member, target)
        self._links[path] = (member, target)

    def finish(self) -> None:
        """Makes the links, and follows each to see that it stays inside.

        Raises:
            ArchiveError: a link leads outside by way of other links.
        """
        for path, (_member, target) in self._links.items():
            full = f"{self._root}/{path}"
            os.symlink(target, full)  # noqa: PTH211 (text, not paths)
            os.utime(full, (TIME, TIME), follow_symlinks=False)
        for path, (member, target) in self._links.items():
            real = os.path.realpath(f"{self._root}/{path}")
            if real != self._root and not real.startswith(self._root + "/"):
                raise self._outside(member, target)

    def _outside(self, member: str, target: str) -> ArchiveError:
        return refuse(
            self.archive,
            member,
            f"it is a link to {target!r}, which is outside the unpacked tree",
            "if the link is harmless and not needed, leave it out by 'exclude'; else do not "
            "use this archive",
        )

    def _claim(self, path: str, member: str, kind: str) -> None:
        if path in self._kinds:
            raise refuse(
                self.archive,
                member,
                f"its place is taken by another member (a {self._kinds[path]})",
            )
        self._folder(path.rpartition("/")[0], member)
        self._kinds[path] = kind
        if len(self._kinds) > self._limits.files:
            raise refuse(
                self.archive, member, f"the archive holds more than {self._limits.files} files"
            )

    def _folder(self, path: str, member: str) -> None:
        missing = []
        while path not in self._kinds:
            missing.append(path)
            path = path.rpartition("/")[0]
        if self._kinds[path] != "folder":
            raise refuse(self.archive, member, f"it lies below {path!r}, a {self._kinds[path]}")
        for folder in reversed(missing):
            full = f"{self._root}/{folder}"
            os.mkdir(full, 0o755)  # noqa: PTH102 (speed: tens of thousands)
            os.chmod(full, 0o755)  # noqa: PTH101
            self._kinds[folder] = "folder"
