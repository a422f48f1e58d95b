"""Which wheels are measured: of this board and this Python, from a file or from the index."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from making import tiny_wheel

from crosspi.bench.contenders import found, unpacked
from crosspi.data.source import Source
from crosspi.data.targets import Cell, Targets
from crosspi.errors import BenchError, NotAWheelError
from crosspi.sources.cache import SourceCache
from crosspi.sources.projects import Project, ProjectFile

TARGETS = Targets.load(Path(__file__).parents[2] / "toolchains")
ARMV7 = Cell(TARGETS.toolchain("pi3"), TARGETS.python("3.11"))
ARMV6 = Cell(TARGETS.toolchain("pi-zero"), TARGETS.python("3.11"))


class Index:
    """A source cache whose index has one project."""

    def __init__(self, *names: str) -> None:
        files = [ProjectFile.parse(name, None, yanked=False) for name in names]
        self._project = Project("tiny", [file for file in files if file is not None])
        self.fetched: list[Source] = []

    def project(self, _name: str) -> Project:
        return self._project

    def measure(self, _name: str, _source: Source) -> Any:
        return SimpleNamespace(pin="sha256:" + "0" * 64)

    fetch_unpinned = SourceCache.fetch_unpinned

    def fetch(self, _name: str, source: Source) -> Path:
        self.fetched.append(source)
        return Path(source.filename)


def index(*names: str) -> SourceCache:
    return cast("SourceCache", Index(*names))


def test_a_wheel_is_unpacked(tmp_path: Path) -> None:
    wheel = tiny_wheel(tmp_path, tag="cp311-cp311-manylinux_2_34_armv7l")
    made = unpacked(wheel, ARMV7, tmp_path / "into")
    assert (made.name, made.file) == ("tiny 1.0", wheel.name)
    assert (made.folder / "tiny.py").is_file()
    assert len(made.sha256) == 64


@pytest.mark.parametrize(
    ("tag", "cell"),
    [
        ("cp311-cp311-linux_armv7l", ARMV6),
        ("cp311-cp311-manylinux_2_34_armv7l", ARMV6),
        ("cp311-cp311-manylinux_2_17_aarch64", ARMV7),
        ("cp311-cp311-linux_armv6l", ARMV7),
        ("cp39-cp39-linux_armv7l", ARMV7),
        ("cp313-cp313-linux_armv7l", ARMV7),
    ],
)
def test_a_wheel_for_another_board_or_python(tmp_path: Path, tag: str, cell: Cell) -> None:
    wheel = tiny_wheel(tmp_path, tag=tag)
    with pytest.raises(BenchError, match="is not for Python 3") as caught:
        unpacked(wheel, cell, tmp_path / "into")
    assert tag in caught.value.why
    assert not (tmp_path / "into").exists()


def test_what_is_no_wheel(tmp_path: Path) -> None:
    path = tmp_path / "tiny-1.0-py3-none-any.whl"
    path.write_text("no zip")
    with pytest.raises(NotAWheelError, match="no zip archive"):
        unpacked(path, ARMV7, tmp_path / "into")


def test_a_wheel_of_the_index_is_pinned_and_fetched() -> None:
    sources = index(
        "tiny-1.0-cp310-cp310-manylinux_2_34_armv7l.whl",
        "tiny-1.0-cp311-cp311-manylinux_2_34_armv7l.whl",
        "tiny-1.0-cp311-cp311-manylinux_2_34_x86_64.whl",
        "tiny-1.0.tar.gz",
    )
    path = found("tiny==1.0", ARMV7, sources)
    assert path.name == "tiny-1.0-cp311-cp311-manylinux_2_34_armv7l.whl"
    (source,) = cast("Index", sources).fetched
    assert source.pinned


@pytest.mark.parametrize(
    ("names", "why"),
    [
        (["tiny-1.0-cp311-cp311-manylinux_2_34_x86_64.whl"], "x86_64"),
        (["tiny-1.0.tar.gz"], "none at all"),
    ],
)
def test_the_index_has_none_for_this_board(names: list[str], why: str) -> None:
    with pytest.raises(BenchError, match="no wheel of tiny") as caught:
        found("tiny==1.0", ARMV7, index(*names))
    assert why in caught.value.why


def test_a_file_is_taken_as_it_is(tmp_path: Path) -> None:
    wheel = tiny_wheel(tmp_path)
    assert found(str(wheel), ARMV7, index()) == wheel
