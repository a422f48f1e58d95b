"""Whether an index is whole, in a folder and on a server."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from making import a_manifest, tiny_wheel
from serving import served

from crosspi.errors import SourceError
from crosspi.index.pages import metadata_of
from crosspi.index.publishing import manifest_of, publish, withdraw
from crosspi.index.verifying import Verified, verify, verify_site

WHEEL = "tiny-1.0-py3-none-any.whl"


@pytest.fixture
def dist(tmp_path: Path) -> Path:
    """An index of two wheels."""
    folder = tmp_path / "dist"
    for version in ("1.0", "2.0"):
        built = tiny_wheel(tmp_path, version=version)
        digest = hashlib.sha256(built.read_bytes()).hexdigest()
        passed = {"toy1": {"outcome": "passed", "sha256": digest}}
        publish(folder, built, a_manifest(built), {"ok": True, "sha256": digest}, passed)
    return folder


def flip(path: Path) -> None:
    """Change a byte, not the size."""
    data = bytearray(path.read_bytes())
    data[20] ^= 1
    path.write_bytes(bytes(data))


def of_site(dist: Path) -> Verified:
    with served(dist) as (address, _):
        return verify_site(address)


@pytest.mark.parametrize("ask", [verify, of_site])
def test_a_whole_index_is_whole(dist: Path, ask: Callable[[Path], Verified]) -> None:
    assert ask(dist) == Verified(2, [], [])


def change_manifest(dist: Path, **fields: object) -> None:
    path = manifest_of(dist / WHEEL)
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))


SPOILED: dict[str, tuple[Callable[[Path], object], str]] = {
    "a wheel": (lambda dist: flip(dist / WHEEL), "its bytes are not those that were proven"),
    "metadata": (lambda dist: flip(metadata_of(dist / WHEEL)), "metadata beside it are not those"),
    "no metadata": (lambda dist: metadata_of(dist / WHEEL).unlink(), "do not lie beside it"),
    "name": (lambda dist: change_manifest(dist, wheel="x.whl"), "its manifest is about x.whl"),
    "proof": (lambda dist: change_manifest(dist, proof={}), "its manifest names no proof"),
    "a page": (lambda dist: flip(dist / "simple/tiny/index.html"), "tiny/index.html: the page is"),
    "no page": (lambda dist: (dist / "simple/index.json").unlink(), "index.json: the page is not"),
}


@pytest.mark.parametrize("what", SPOILED)
def test_what_was_changed_is_told(dist: Path, what: str) -> None:
    spoil, said = SPOILED[what]
    spoil(dist)
    (fault,) = verify(dist).faults
    assert said in fault


def test_all_that_is_wrong_is_told_at_once(dist: Path) -> None:
    flip(dist / WHEEL)
    metadata_of(dist / "tiny-2.0-py3-none-any.whl").unlink()
    found = verify(dist)
    assert (found.files, len(found.faults)) == (0, 2)


def test_a_page_of_nothing_is_told(dist: Path) -> None:
    (dist / "simple" / "ghost").mkdir()
    (dist / "simple" / "ghost" / "index.html").write_text("<a>")
    (fault,) = verify(dist).faults
    assert fault == "simple/ghost/index.html: nothing that is published belongs on this page"


def test_files_of_others_are_no_fault(dist: Path) -> None:
    tiny_wheel(dist, "stranger")
    found = verify(dist)
    assert (found.faults, found.strangers) == ([], ["stranger-1.0-py3-none-any.whl: no manifest"])


def test_what_is_withdrawn_must_be_what_it_was(dist: Path) -> None:
    withdraw(dist, dist / WHEEL, "it broke")
    assert verify(dist) == Verified(1, [], [])
    flip(dist / WHEEL)
    assert len(verify(dist).faults) == 1


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda dist: flip(dist / WHEEL), f"{WHEEL}: its hash is "),
        (lambda dist: flip(metadata_of(dist / WHEEL)), f"{WHEEL}: its hash of its metadata is "),
        (lambda dist: (dist / WHEEL).unlink(), f"{WHEEL}: the server says 404"),
        (lambda dist: manifest_of(dist / WHEEL).write_text("{}"), f"{WHEEL}: "),
        (lambda dist: change_manifest(dist, size=7), f"{WHEEL}: its size is "),
        (lambda dist: change_manifest(dist, withdrawn="it broke"), "it is withdrawn, and listed"),
        (lambda dist: (dist / "simple/tiny/index.json").unlink(), "simple/tiny/index.json: the se"),
        (lambda dist: (dist / "simple/tiny/index.json").write_text("[]"), "json: it is no object"),
    ],
)
def test_a_site_that_is_not_whole(dist: Path, spoil: Callable[[Path], object], said: str) -> None:
    spoil(dist)
    (fault,) = of_site(dist).faults
    assert said in fault


def test_no_index_answers(dist: Path) -> None:
    with served(dist.parent) as (address, _), pytest.raises(SourceError, match="no index answers"):
        verify_site(address)
    with pytest.raises(SourceError, match="no answer"):  # nobody listens any more
        verify_site(address)
