"""Pins: what `track` writes, for versions that are there and for new ones, and what it refuses."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from making import write_recipe

from crosspi.data.pins import FILE, Pins
from crosspi.data.recipe import Package
from crosspi.errors import DataError, SourceError, UsageError
from crosspi.sources.cache import SourceCache
from crosspi.sources.projects import Project, ProjectFile
from crosspi.sources.pypi import PipConfig
from crosspi.track.pins import folders, track

RECIPE = """\
name: pack
summary: a made-up package
licence: MIT
homepage: https://example.org
build: {system: pep517}
"""


def sdist(folder: Path, version: str, **files: str) -> None:
    """A source distribution of pack."""
    folder.mkdir(exist_ok=True)
    with tarfile.open(folder / f"pack-{version}.tar.gz", "w:gz") as archive:
        for name, text in {"setup.py": f"# {version}\n", **files}.items():
            info = tarfile.TarInfo(f"pack-{version}/{name}")
            info.size = len(text)
            archive.addfile(info, io.BytesIO(text.encode()))


def page(*names: str, pythons: str = ">=3.9") -> Callable[[], Project]:
    """What an index says: these files."""
    files = [ProjectFile.parse(name, pythons, yanked=False) for name in names]
    return lambda: Project("pack", [file for file in files if file])


def no_index() -> Project:
    raise AssertionError("the index was asked")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_recipe(tmp_path / "recipes" / "pack", RECIPE)


@pytest.fixture
def cache(tmp_path: Path) -> SourceCache:
    for version in ("1.0", "1.1"):
        sdist(tmp_path / "files", version)
    config = PipConfig(indexes=(), find_links=(str(tmp_path / "files"),))
    return SourceCache(tmp_path / "cache", pip=lambda: config)


INDEX = page("pack-1.0.tar.gz", "pack-1.1.tar.gz")


def test_a_first_version_is_the_source_distribution(folder: Path, cache: SourceCache) -> None:
    (found,) = track(folder, ["1.0"], cache, index=INDEX)
    assert (found.version, found.source, found.before) == ("1.0", "pack", "")
    data = Package.load(folder).recipes[0].data
    assert (data.version, data.pythons) == ("1.0", ">=3.9")
    assert data.sources["pack"].pin == found.pin
    assert data.sources["pack"].origins[0].sha256
    assert (cache.fetch("pack", data.sources["pack"]) / "setup.py").read_text() == "# 1.0\n"


def test_a_new_version_is_taken_from_the_origins_of_the_newest(
    folder: Path, cache: SourceCache
) -> None:
    track(folder, ["1.0"], cache, index=INDEX)
    track(folder, ["1.1"], cache, index=INDEX)
    assert Pins.read(folder).newest == ["1.1", "1.0"]
    source = Package.load(folder).recipes[0].data.sources["pack"]
    assert source.origins[0].label == "pypi pack: pack-1.1.tar.gz"


def test_without_a_version_all_are_measured_again(folder: Path, cache: SourceCache) -> None:
    track(folder, ["1.0"], cache, index=INDEX)
    text = (folder / FILE).read_text()
    (found,) = track(folder, [], cache, index=INDEX)
    assert found.before == found.pin
    assert (folder / FILE).read_text() == text


def test_what_the_recipe_takes_of_a_tree_is_what_is_measured(
    tmp_path: Path, folder: Path, cache: SourceCache
) -> None:
    sdist(tmp_path / "files", "1.0", extra="x")
    (whole,) = track(folder, ["1.0"], cache, index=INDEX)
    (folder / "recipe.yaml").write_text(RECIPE + "sources: {pack: {include: [setup.py]}}\n")
    (part,) = track(folder, ["1.0"], cache, index=INDEX)
    assert part.pin != whole.pin
    source = Package.load(folder).recipes[0].data.sources["pack"]
    assert not (cache.fetch("pack", source) / "extra").exists()
    assert "include" not in (folder / FILE).read_text()


def test_a_versions_own_file_says_what_of_its_tree_is_taken(
    tmp_path: Path, folder: Path, cache: SourceCache
) -> None:
    sdist(tmp_path / "files", "1.0", extra="x")
    (whole,) = track(folder, ["1.0"], cache, index=INDEX)
    own = RECIPE + "version: '1.0'\nsources: {pack: {include: [setup.py]}}\n"
    (folder / "recipe-1.0.yaml").write_text(own)
    (part,) = track(folder, ["1.0"], cache, index=INDEX)
    assert part.pin != whole.pin


def test_sources_from_elsewhere_ask_no_index(folder: Path, cache: SourceCache) -> None:
    (folder / "code").mkdir()
    (folder / "code" / "file").write_text("1")
    zeros = "sha256:" + "0" * 64
    code = f"{{tree: {zeros}, origins: [{{local: code}}]}}"
    pins = f"versions:\n  '1.0':\n    sources:\n      code: {code}\n"
    (folder / FILE).write_text(pins)
    (found,) = track(folder, [], cache, index=no_index)
    assert (found.before, found.pin != zeros) == (zeros, True)


def test_another_archive_than_the_pinned_one_is_refused(
    tmp_path: Path, folder: Path, cache: SourceCache
) -> None:
    """A release that was replaced is not pinned in silence."""
    track(folder, ["1.0"], cache, index=INDEX)
    text = (folder / FILE).read_text()
    sdist(tmp_path / "files", "1.0", changed="x")
    other = SourceCache(
        tmp_path / "cache2", pip=lambda: PipConfig((), find_links=(str(tmp_path / "files"),))
    )
    with pytest.raises(SourceError):
        track(folder, [], other, index=INDEX)
    assert (folder / FILE).read_text() == text


@pytest.mark.parametrize(
    ("versions", "error", "said"),
    [
        (["one"], UsageError, "'one' is not a version"),
        ([], UsageError, "no version of pack is pinned yet"),
        (["9.9"], SourceError, "the index has no pack 9.9"),
    ],
)
def test_refusals(
    folder: Path, cache: SourceCache, versions: list[str], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        track(folder, versions, cache, index=INDEX)
    assert not (folder / FILE).exists()


def test_a_version_of_wheels_alone_is_refused(folder: Path, cache: SourceCache) -> None:
    with pytest.raises(SourceError, match="has no source distribution"):
        track(folder, ["1.0"], cache, index=page("pack-1.0-py3-none-any.whl"))


def test_wrong_pins_are_no_ground_for_others(folder: Path, cache: SourceCache) -> None:
    (folder / FILE).write_text("versions: 1\n")
    with pytest.raises(DataError):
        track(folder, ["1.0"], cache, index=INDEX)


def test_a_recipe_is_found_before_it_can_be_read(folder: Path) -> None:
    assert folders(folder.parent) == ["pack"]
