"""Folders that can be made again: each is marked as crosspi's own, and none is removed in use.

CROSSPI_CACHE may name any folder, and there may be a `store` or a `logs` in it that is somebody
else's. So a folder that crosspi makes gets a `CACHEDIR.TAG`, which backup programs know as well,
and only what has crosspi's own is ever removed.

Source: the Cache Directory Tagging Specification (bford.info/cachedir).
"""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from crosspi.errors import StoreError, from_os_error
from crosspi.files import write_text

TAG = "CACHEDIR.TAG"
#: What `inv` leaves in the folder of logs before anything else does.
OF_SETUP = frozenset({"setup.log", "dockerd.log"})
_TEXT = """\
Signature: 8a477f597d28d172789f06886806bc55
# This folder is a cache made by crosspi: it can be made again, and `invoke clean` removes it.
"""
_LOCK = ".in-use.lock"


def make_cache(folder: Path, *, known: Collection[str] = ()) -> None:
    """Make a folder, and mark it as crosspi's own; one that holds anything else stays unmarked.

    Args:
        folder: the folder, whose own folder may be anybody's.
        known: names in it that do not count as somebody else's.
    """
    if not folder.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
    if (folder / TAG).exists() or any(path.name not in known for path in folder.iterdir()):
        return
    write_text(folder / TAG, _TEXT)


def is_ours(folder: Path) -> bool:
    """Whether crosspi made a folder."""
    try:
        return (folder / TAG).read_text(encoding="utf-8").startswith(_TEXT)
    except (OSError, UnicodeError):
        return False


def remove(folder: Path) -> None:
    """Remove a cache; of one that is elsewhere, by a link, only the link."""
    if folder.is_symlink():
        folder.unlink()
    elif folder.exists():
        shutil.rmtree(folder)


@contextmanager
def in_use(cache: Path) -> Iterator[None]:
    """Keep the caches below a folder from being removed meanwhile; many may use them at once.

    Raises:
        StoreError: the folder cannot be made or written.
    """
    with _lock(cache) as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        yield


@contextmanager
def alone(cache: Path) -> Iterator[None]:
    """Be the only one who uses the caches below a folder.

    Raises:
        StoreError: somebody else does.
    """
    with _lock(cache) as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StoreError(
                "nothing was removed: another crosspi works with this cache",
                where=str(cache),
                why="what a running build reads would vanish under it",
                fix="wait until it ends, or stop it, then say the same again",
            ) from error
        yield


def _lock(cache: Path) -> IO[str]:
    try:
        cache.mkdir(parents=True, exist_ok=True)
        return (cache / _LOCK).open("a")
    except OSError as error:
        raise from_os_error(error, doing="opening the cache") or StoreError(
            "the folder for caches cannot be used",
            where=str(cache),
            why=error.strerror or str(error),
            fix="make it writable for this user, or point CROSSPI_CACHE at another folder",
        ) from error
