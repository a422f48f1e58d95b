"""Wheels that nobody should get any more, and why."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from making import a_manifest, tiny_wheel

from crosspi.errors import UsageError
from crosspi.index.gathering import gather
from crosspi.index.publishing import publish, withdraw
from crosspi.index.verifying import verify
from crosspi.index.yanking import yank

FIRST = "tiny-1.0-py3-none-any.whl"


def put(dist: Path, version: str) -> Path:
    built = tiny_wheel(dist.parent / "built", version=version)
    digest = hashlib.sha256(built.read_bytes()).hexdigest()
    passed = {"toy1": {"outcome": "passed", "sha256": digest}}
    manifest = a_manifest(built, version=version)
    return publish(dist, built, manifest, {"ok": True, "sha256": digest}, passed)


@pytest.fixture
def dist(tmp_path: Path) -> Path:
    for version in ("1.0", "2.0"):
        put(tmp_path / "dist", version)
    return tmp_path / "dist"


def reasons(dist: Path) -> dict[str, object]:
    data = json.loads((dist / "simple" / "tiny" / "index.json").read_text())
    return {file["filename"]: file["yanked"] for file in data["files"]}


@pytest.mark.parametrize("word", [FIRST, "tiny==1.0", "Tiny == 1.0.0"])
def test_the_pages_tell_why(dist: Path, word: str) -> None:
    assert [path.name for path in yank(dist, word, "wrong <answers>")] == [FIRST]
    assert reasons(dist) == {FIRST: "wrong <answers>", "tiny-2.0-py3-none-any.whl": False}
    page = (dist / "simple" / "tiny" / "index.html").read_text()
    assert 'data-yanked="wrong &lt;answers&gt;"' in page
    assert verify(dist).faults == []


def test_it_can_be_taken_back(dist: Path) -> None:
    yank(dist, FIRST, "wrong")
    assert yank(dist, FIRST, "wrong") == []
    assert [path.name for path in yank(dist, FIRST, "")] == [FIRST]
    assert set(reasons(dist).values()) == {False}
    assert "yanked" not in json.loads((dist / f"{FIRST}.json").read_text())


@pytest.mark.parametrize("word", ["tiny==3.0", "tiny==x", "tiny-1.0-py3-none-any", "other==1.0"])
def test_what_is_not_there_is_told(dist: Path, word: str) -> None:
    with pytest.raises(UsageError, match="no wheel of the index is called"):
        yank(dist, word, "wrong")
    assert set(reasons(dist).values()) == {False}


def test_no_index_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no index"):
        yank(tmp_path / "nowhere", FIRST, "wrong")


def test_a_new_proof_does_not_take_it_back(dist: Path, tmp_path: Path) -> None:
    yank(dist, FIRST, "wrong")
    put(dist, "1.0")
    assert reasons(dist)[FIRST] == "wrong"
    withdraw(dist, dist / FIRST, "it broke")
    assert FIRST not in reasons(dist)
    put(tmp_path / "farm" / "dist", "1.0")
    gather(dist, [tmp_path / "farm" / "dist"])
    assert reasons(dist)[FIRST] == "wrong"
