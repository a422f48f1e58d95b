from __future__ import annotations

import os
from pathlib import Path

import pytest

from crosspi.errors import SourceError
from crosspi.sources.treehash import tree_hash


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    (root / "d").mkdir(parents=True)
    (root / "d" / "f").write_text("x")
    (root / "d.c").write_text("y")
    (root / "l").symlink_to("d/f")
    return root


def test_known_value(tree: Path) -> None:
    # Recipes are pinned by it: it must never change.
    assert (
        tree_hash(tree) == "sha256:d6b8e4402458bbc320f936b7b7a3d1df5b0767e30668970f7a0880573afdda55"
    )


def test_times_modes_of_others_and_empty_folders_do_not_count(tree: Path) -> None:
    before = tree_hash(tree)
    os.utime(tree / "d.c", (1, 1))
    (tree / "d.c").chmod(0o600)
    (tree / "empty").mkdir()
    assert tree_hash(tree) == before


def test_what_counts(tree: Path) -> None:
    hashes = {tree_hash(tree)}
    (tree / "d" / "f").write_text("z")
    hashes.add(tree_hash(tree))
    (tree / "d" / "f").chmod(0o755)
    hashes.add(tree_hash(tree))
    (tree / "d" / "f").rename(tree / "d" / "g")
    hashes.add(tree_hash(tree))
    (tree / "l").unlink()
    (tree / "l").symlink_to("d")
    hashes.add(tree_hash(tree))
    assert len(hashes) == 5


def test_a_named_pipe_is_refused(tree: Path) -> None:
    os.mkfifo(tree / "p")
    with pytest.raises(SourceError, match="no file, folder or link"):
        tree_hash(tree)
