"""Whom containers run as, and how it comes that this user can read and write what it must.

They run as the user who calls crosspi, and never as root. Where crosspi is root, that is another
user: what it must write is given to it, and what it may not read of a mount it gets as a copy that
it may. A checkout that was made under umask 077 stays as its owner wanted it.
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

#: Containers run as this user where crosspi is root.
UNPRIVILEGED = 1000


def container_user() -> tuple[int, int]:
    """The user and group that jobs run as: never root."""
    uid, gid = os.getuid(), os.getgid()
    return (uid, gid) if uid else (UNPRIVILEGED, UNPRIVILEGED)


def give_to_container_user(folder: Path) -> None:
    """Let jobs write a folder (needed only where crosspi itself runs as root)."""
    if os.getuid() == 0:
        os.chown(folder, *container_user())


def readable(source: Path, stack: ExitStack) -> Path:
    """A file or folder that the container's user can read, or a copy of it that this user can.

    Args:
        source: what is mounted; the folders above it do not matter.
        stack: removes the copy at its end.
    """
    # What is not there is for the engine to tell.
    if not source.exists() or can_read(source, *container_user()):
        return source
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="crosspi-readable-"))
    return copy_readable(source, Path(folder) / "copy")


def can_read(source: Path, user: int, group: int) -> bool:
    """Whether a user can read a file, or a folder and all that is in it."""
    return all(_allows(status, user, group) for _, status in _below(source))


def copy_readable(source: Path, target: Path) -> Path:
    """Copy a file or folder so that everybody can read it; links and times stay as they are."""
    if source.is_dir():
        shutil.copytree(source, target, symlinks=True)
    else:
        shutil.copy2(source, target)
    for path, status in _below(target):
        more = 0o555 if stat.S_ISDIR(status.st_mode) or status.st_mode & stat.S_IXUSR else 0o444
        os.chmod(path, stat.S_IMODE(status.st_mode) | more)  # noqa: PTH101 (text, not a path)
    return target


def _below(source: Path) -> Iterator[tuple[str, os.stat_result]]:
    """A file or folder, and everything in it but links, each folder before what it holds."""
    yield os.fspath(source), source.stat()
    stack = [os.fspath(source)] if source.is_dir() else []
    while stack:
        with os.scandir(stack.pop()) as entries:
            for entry in entries:
                if entry.is_symlink():
                    continue
                yield entry.path, entry.stat(follow_symlinks=False)
                if entry.is_dir(follow_symlinks=False):
                    stack.append(entry.path)


def _allows(status: os.stat_result, user: int, group: int) -> bool:
    wanted = 5 if stat.S_ISDIR(status.st_mode) else 4  # a folder is entered as well
    shift = 6 if status.st_uid == user else 3 if status.st_gid == group else 0
    return status.st_mode >> shift & wanted == wanted
