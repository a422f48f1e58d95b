"""Sources that only python.org has: the same path, with a local server in its place.

The tarball is that of a version which Debian has too, byte for byte.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from sources.server import Handler, serving
from workshop import CHECKOUT, Workshop

from crosspi.console import Console
from crosspi.data.part import load_parts
from crosspi.data.source import Source
from crosspi.errors import SourceError
from crosspi.paths import Paths
from crosspi.project import Project
from crosspi.sources.cache import SourceCache
from crosspi.sources.treehash import tree_hash

pytestmark = pytest.mark.e2e

PART = "build-python-2.7"


@pytest.fixture(scope="module")
def python() -> Source:
    """The sources of a CPython, as its part names them."""
    return load_parts(CHECKOUT / "systems")[PART].data.sources["python"]


@pytest.fixture(scope="module")
def tarball(python: Source) -> Path:
    """The file that Debian has."""
    (origin,) = [origin for origin in python.origins if hasattr(origin, "debian")]
    project = Project(Paths.from_environment(CHECKOUT), Console())
    source = Source(file=f"sha256:{origin.sha256}", origins=(origin,))
    return project.sources.fetch("python", source)


@pytest.fixture
def requested() -> list[str]:
    return []


@pytest.fixture
def elsewhere(python: Source, tarball: Path, requested: list[str]) -> Iterator[Source]:
    """The source with python.org's origin alone, and a local server in python.org's place."""
    (origin,) = [origin for origin in python.origins if "python.org" in origin.label]
    path = urlsplit(origin.url).path

    def answer(handler: Handler) -> None:
        requested.append(handler.path)
        if handler.path == path:
            handler.send(200, tarball.read_bytes())
        else:
            handler.send(404)

    with serving(answer) as server:
        local = origin.model_copy(update={"url": server.url + path})
        yield python.model_copy(update={"origins": (local,)})


def cache_at(folder: Path, extra: Path | None = None) -> SourceCache:
    return SourceCache(folder, extra=extra)


def test_what_python_org_serves_is_the_pinned_tree(
    elsewhere: Source, requested: list[str], tmp_path: Path
) -> None:
    tree = cache_at(tmp_path / "cache").fetch("python", elsewhere)
    assert requested == ["/ftp/python/2.7.18/Python-2.7.18.tgz"]
    assert (tree / "configure").is_file()
    assert tree_hash(tree) == elsewhere.pin


def test_other_bytes_are_refused(elsewhere: Source, tmp_path: Path) -> None:
    other = elsewhere.origins[0].model_copy(update={"sha256": 64 * "0"})
    changed = elsewhere.model_copy(update={"origins": (other,)})
    with pytest.raises(SourceError) as caught:
        cache_at(tmp_path / "cache").fetch("python", changed)
    assert f"expected sha256 {64 * '0'}" in caught.value.why
    assert not cache_at(tmp_path / "cache").path(changed).exists()


def test_an_unreachable_version_names_the_file_that_helps(tmp_path: Path) -> None:
    workshop = Workshop(tmp_path)
    workshop.hello()
    run = workshop.invoke("build", "--target", "pi3", "--python", "3.5", "--offline")
    assert run.code == SourceError.exit_code
    assert "Python-3.5.10.tar.xz" in run.err
    assert "0f0fa8685c1dc1f1dacb0b4e7779796b90aef99dc1fa4967a71b9da7b57d4a28" in run.err
    assert "CROSSPI_SOURCES" in run.err
    assert "Traceback" not in run.err


def test_the_matrix_goes_on_without_it(tmp_path: Path) -> None:
    workshop = Workshop(tmp_path)
    workshop.hello()
    selection = ("--target", "pi3", "--python", "3.5,3.11")
    run = workshop.invoke("matrix", *selection, "--offline", "--json")
    assert run.code == SourceError.exit_code
    verdicts = {
        square["python"]: square["verdict"] for square in run.data["squares"] if square["python"]
    }
    assert verdicts["3.5"] == "unreachable"
    assert verdicts["3.11"] in ("built", "from the store")


def test_the_file_in_the_folder_of_sources_serves(
    elsewhere: Source, tarball: Path, requested: list[str], tmp_path: Path
) -> None:
    site = tmp_path / "site"
    site.mkdir()
    (site / elsewhere.origins[0].filename).symlink_to(tarball)
    tree = cache_at(tmp_path / "cache", extra=site).fetch("python", elsewhere)
    assert tree_hash(tree) == elsewhere.pin
    assert requested == []
