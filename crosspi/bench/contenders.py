"""The wheels that are measured side by side: checked by their names, and unpacked as pip would."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from packaging.tags import Tag
from packaging.utils import canonicalize_name, parse_wheel_filename

from crosspi.audit.wheelfile import open_wheel
from crosspi.data.source import UNPINNED, PypiOrigin, Source
from crosspi.data.targets import Cell
from crosspi.errors import BenchError
from crosspi.sources.cache import SourceCache
from crosspi.sources.unpack import unpack
from crosspi.trial import fits

_PINNED = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*==[^/\s]+")


@dataclass(frozen=True)
class Contender:
    """A wheel that is measured.

    Attributes:
        name: what the table calls it.
        file: its file name.
        sha256: of the file.
        folder: what is in it, unpacked.
    """

    name: str
    file: str
    sha256: str
    folder: Path


def unpacked(wheel: Path, cell: Cell, into: Path, *, name: str = "") -> Contender:
    """A wheel, unpacked below a folder.

    Raises:
        NotAWheelError: it is none, or would do harm.
        BenchError: it is for another board or Python.
    """
    opened = open_wheel(wheel)
    with opened.archive:
        _check(wheel, opened.tags, cell)
    folder = into / wheel.name
    unpack(wheel, folder, strip=0)
    return Contender(name or f"{opened.name} {opened.version}", wheel.name, opened.sha256, folder)


def found(word: str, cell: Cell, sources: SourceCache) -> Path:
    """The wheel that --against names: a file, or `NAME==VERSION` of the package index.

    Raises:
        BenchError: the index has no wheel of it for this board and Python.
        SourceError: there is no such version, or it could not be fetched.
    """
    if not _PINNED.fullmatch(word) or Path(word).exists():
        return Path(word)
    name, _, version = word.partition("==")
    files = [file.name for file in sources.project(canonicalize_name(name)).of(version)]
    wheels = [file for file in files if file.endswith(".whl")]
    fitting = [file for file in wheels if _serves(parse_wheel_filename(file)[3], cell)]
    if not fitting:
        raise BenchError(
            f"the index has no wheel of {word} for {cell.identifier}",
            why="it has: " + (", ".join(sorted(wheels)[:8]) or "none at all"),
            fix="name a version or a Python that it serves, or the path of a wheel",
        )
    origin = PypiOrigin(pypi=canonicalize_name(name), version=version, file=sorted(fitting)[0])
    source = Source.model_construct(file=UNPINNED, origins=(origin,))
    return sources.fetch_unpinned(word, source)


def _check(wheel: Path, tags: frozenset[Tag], cell: Cell) -> None:
    if not _serves(tags, cell):
        raise BenchError(
            f"{wheel.name} is not for Python {cell.python.version} on {cell.toolchain.name}",
            where=str(wheel),
            why="its tags are " + ", ".join(sorted(map(str, tags))),
            fix="name the --target and the --python that it is for, or another wheel",
        )


def _serves(tags: Iterable[Tag], cell: Cell) -> bool:
    law = cell.toolchain.data.audit
    mine = frozenset(t for t in tags if t.platform == "any" or law.accepts_platform(t.platform))
    return bool(mine) and fits(cell.python, mine)
