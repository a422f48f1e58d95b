from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from crosspi.sources import site
from crosspi.sources.site import SiteFolder
from crosspi.sources.treehash import tree_hash

SHA = hashlib.sha256(b"x").hexdigest()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "site" / "a" / "b").mkdir(parents=True)
    return tmp_path / "site"


@pytest.fixture
def found(folder: Path, tmp_path: Path) -> SiteFolder:
    return SiteFolder(folder, tmp_path / "index.json")


def test_an_archive_is_found_by_its_hash(folder: Path, found: SiteFolder) -> None:
    (folder / "a" / "b" / "other name.tar.gz").write_text("x")
    assert found.by_hash([SHA]) == folder / "a" / "b" / "other name.tar.gz"
    assert found.by_hash(["0" * 64]) is None


def test_a_file_is_found_by_its_name(folder: Path, found: SiteFolder) -> None:
    (folder / "a" / "n.bin").write_text("x")
    assert found.by_name(["n.bin"]) == [folder / "a" / "n.bin"]


def test_a_tree_is_found_by_hash_or_name(folder: Path, found: SiteFolder) -> None:
    (folder / "ruy").mkdir()
    (folder / "ruy" / "f").write_text("x")
    digest = tree_hash(folder / "ruy").removeprefix("sha256:")
    assert found.tree(digest, "ruy") == folder / "ruy"
    assert found.tree("0" * 64, "ruy") is None
    (folder / "ruy").rename(folder / digest)
    assert found.tree(digest, "ruy") == folder / digest


def test_hashes_are_remembered_until_the_file_changes(
    folder: Path, found: SiteFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[object] = []
    monkeypatch.setattr(site, "file_sha256", lambda path: reads.append(path) or SHA)
    (folder / "f.zip").write_text("x")
    found.by_hash(["0"])
    found.by_hash(["0"])
    assert len(reads) == 1
    (folder / "f.zip").write_text("xy")
    found.by_hash(["0"])
    assert len(reads) == 2
