"""A cheap mark of what lies on disk, to see damage by a walk of `stat` calls, without reading."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from crosspi.files import write_text
from crosspi.sources.treehash import walk


@dataclass(frozen=True)
class Fingerprint:
    """Sums over all files and links below a folder.

    Attributes:
        files: how many.
        size: bytes.
        mtime: modification times, nanoseconds since 1970.
        modes: file types and permission bits.
    """

    files: int
    size: int
    mtime: int
    modes: int


def fingerprint(path: Path) -> Fingerprint:
    """The mark of a folder, or of one file; raises OSError where it cannot be read."""
    if path.is_file():
        stats = [path.stat()]
    else:
        stats = [entry.stat(follow_symlinks=False) for _, entry in walk(path)]
    return Fingerprint(
        files=len(stats),
        size=sum(status.st_size for status in stats),
        mtime=sum(status.st_mtime_ns for status in stats),
        modes=sum(status.st_mode for status in stats),
    )


def save(mark: Fingerprint, file: Path) -> None:
    """Writes a mark, whole or not at all."""
    write_text(file, json.dumps(asdict(mark)))


def load(file: Path) -> Fingerprint | None:
    """A saved mark, or None where there is none that can be read."""
    try:
        return Fingerprint(**json.loads(file.read_text()))
    except (OSError, ValueError, TypeError):
        return None
