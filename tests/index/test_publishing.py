"""The package index: what pip reads, and who may enter."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from making import a_manifest, tiny_wheel

from crosspi.errors import AuditError, SmokeError, StoreError
from crosspi.index.pages import write_index
from crosspi.index.publishing import (
    build_number,
    is_published,
    listing,
    manifest_of,
    publish,
    published_as,
    withdraw,
)


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def page(root: Path, name: str = "") -> str:
    return (root / "simple" / name / "index.html").read_text()


def put(dist: Path, wheel: Path, **changes: Any) -> Path:
    """Publish with good reports, but for the changes."""
    digest = sha256(wheel)
    audit = changes.get("audit", {"sha256": digest, "ok": True})
    smoke = changes.get("smoke", {"sha256": digest, "outcome": "passed"})
    smokes = changes.get("smokes", {"toy1": smoke})
    return publish(dist, wheel, a_manifest(wheel, **changes.get("manifest", {})), audit, smokes)


# --- pages ----------------------------------------------------------------------------------------


def test_the_root_page_names_projects_as_pep_503_does(tmp_path: Path) -> None:
    wheels = [tiny_wheel(tmp_path, "My.Big_Pack"), tiny_wheel(tmp_path, "tiny")]
    write_index(tmp_path, wheels)
    assert re.findall(r'<a href="([^"]*)">([^<]*)</a>', page(tmp_path)) == [
        ("my-big-pack/", "my-big-pack"),
        ("tiny/", "tiny"),
    ]
    assert "My.Big_Pack-1.0" in page(tmp_path, "my-big-pack")


def test_a_link_has_the_hash_and_the_python_range(tmp_path: Path) -> None:
    wheel = tiny_wheel(tmp_path, requires_python=">=3.9,<3.12")
    write_index(tmp_path, [wheel])
    assert (
        f'<a href="../../tiny-1.0-py3-none-any.whl#sha256={sha256(wheel)}" '
        'data-requires-python="&gt;=3.9,&lt;3.12" '
    ) in page(tmp_path, "tiny")


def test_without_a_python_range_there_is_no_attribute(tmp_path: Path) -> None:
    write_index(tmp_path, [tiny_wheel(tmp_path, requires_python="")])
    assert "data-requires-python" not in page(tmp_path, "tiny")


def test_a_local_version_is_quoted_in_the_link(tmp_path: Path) -> None:
    write_index(tmp_path, [tiny_wheel(tmp_path, version="1.0+x")])
    assert 'href="../../tiny-1.0%2Bx-py3-none-any.whl#' in page(tmp_path, "tiny")


def test_all_versions_of_a_project_share_a_page(tmp_path: Path) -> None:
    wheels = [tiny_wheel(tmp_path, version=v) for v in ("1.0", "2.0")]
    write_index(tmp_path, wheels)
    assert page(tmp_path, "tiny").count("<a href") == 2


def test_no_half_page_is_left(tmp_path: Path) -> None:
    write_index(tmp_path, [tiny_wheel(tmp_path)])
    pages = sorted(p.name for p in (tmp_path / "simple" / "tiny").iterdir())
    assert pages == ["index.html", "index.json"]


def test_pip_itself_reads_the_index(tmp_path: Path) -> None:
    root = tmp_path / "a folder"
    write_index(root, [tiny_wheel(root), tiny_wheel(root, version="0.9")])
    got = tmp_path / "got" / pip_takes(root, tmp_path / "got", "tiny")
    assert got.read_bytes() == (root / "tiny-1.0-py3-none-any.whl").read_bytes()


# --- publishing -----------------------------------------------------------------------------------


def test_a_proven_wheel_is_published_with_its_manifest(tmp_path: Path) -> None:
    wheel = tiny_wheel(tmp_path)
    target = put(tmp_path / "dist", wheel)
    assert target == tmp_path / "dist" / wheel.name
    assert target.read_bytes() == wheel.read_bytes()
    assert json.loads(manifest_of(target).read_text())["sha256"] == sha256(wheel)
    assert wheel.name in page(tmp_path / "dist", "tiny")


FOREIGN = "0" * 64


@pytest.mark.parametrize(
    "audit", [None, {}, "ok", {"ok": True}, {"sha256": FOREIGN, "ok": True}, {"ok": False}]
)
def test_without_its_own_good_audit_a_wheel_stays_out(tmp_path: Path, audit: Any) -> None:
    with pytest.raises(AuditError, match="no audit of exactly this file passed") as caught:
        put(tmp_path / "dist", tiny_wheel(tmp_path), audit=audit)
    assert caught.value.exit_code == 9
    assert not (tmp_path / "dist").exists()


def test_a_negative_audit_keeps_a_wheel_out(tmp_path: Path) -> None:
    wheel = tiny_wheel(tmp_path)
    with pytest.raises(AuditError):
        put(tmp_path / "dist", wheel, audit={"sha256": sha256(wheel), "ok": False})


@pytest.mark.parametrize(
    "smoke",
    [None, {}, {"outcome": "passed"}, {"sha256": FOREIGN, "outcome": "passed"}],
)
def test_without_its_own_smoke_test_a_wheel_stays_out(tmp_path: Path, smoke: Any) -> None:
    with pytest.raises(SmokeError, match="no smoke test of exactly this file passed") as caught:
        put(tmp_path / "dist", tiny_wheel(tmp_path), smoke=smoke)
    assert caught.value.exit_code == 10
    assert not (tmp_path / "dist").exists()


def test_a_failed_smoke_test_keeps_a_wheel_out(tmp_path: Path) -> None:
    wheel = tiny_wheel(tmp_path)
    with pytest.raises(SmokeError):
        put(tmp_path / "dist", wheel, smoke={"sha256": sha256(wheel), "outcome": "failed"})


def test_one_board_that_failed_keeps_a_wheel_out(tmp_path: Path) -> None:
    wheel = tiny_wheel(tmp_path)
    good = {"sha256": sha256(wheel), "outcome": "passed"}
    with pytest.raises(SmokeError, match="passed on toy2") as caught:
        put(tmp_path / "dist", wheel, smokes={"toy1": good, "toy2": {**good, "outcome": "failed"}})
    assert "toy1" not in caught.value.what
    assert put(tmp_path / "dist", wheel, smokes={"toy1": good, "toy2": good}).is_file()


def test_without_any_board_a_wheel_stays_out(tmp_path: Path) -> None:
    with pytest.raises(SmokeError, match="no smoke test"):
        put(tmp_path / "dist", tiny_wheel(tmp_path), smokes={})


def test_publishing_again_changes_nothing(tmp_path: Path) -> None:
    wheel = tiny_wheel(tmp_path)
    target = put(tmp_path / "dist", wheel)
    inode = target.stat().st_ino
    put(tmp_path / "dist", wheel)
    assert target.stat().st_ino == inode


def test_a_changed_file_is_not_listed_and_blocks_no_other(tmp_path: Path) -> None:
    target = put(tmp_path / "dist", tiny_wheel(tmp_path))
    target.write_bytes(target.read_bytes() + b"x")
    put(tmp_path / "dist", tiny_wheel(tmp_path, "other"))
    assert listing(tmp_path / "dist").strangers == {target: "it is not the file of its manifest"}
    assert not (tmp_path / "dist" / "simple" / "tiny").exists()
    assert "tiny" not in page(tmp_path / "dist")


def test_building_a_changed_file_again_heals_it(tmp_path: Path) -> None:
    wheel = tiny_wheel(tmp_path)
    target = put(tmp_path / "dist", wheel)
    target.write_bytes(b"x")
    put(tmp_path / "dist", wheel)
    assert target.read_bytes() == wheel.read_bytes()
    assert listing(tmp_path / "dist").wheels == [target]


def test_wheels_without_a_manifest_are_not_listed(tmp_path: Path) -> None:
    dist = tmp_path / "dist"
    put(dist, tiny_wheel(tmp_path))
    stranger = tiny_wheel(dist, "stranger")
    broken = tiny_wheel(dist, "broken")
    manifest_of(broken).write_text("{")
    strange = tiny_wheel(dist, "strange")
    manifest_of(strange).write_text("[]")
    found = listing(dist)
    assert [w.name for w in found.wheels] == ["tiny-1.0-py3-none-any.whl"]
    assert list(found.strangers) == [broken, strange, stranger]
    assert found.strangers[stranger] == "no manifest"
    assert "is damaged: " in found.strangers[broken]


@pytest.mark.parametrize("step", ["manifest", "project page", "front page"])
def test_killed_at_any_moment_publishing_goes_on_with_the_next_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    dist, wheel, proof = tmp_path / "dist", tiny_wheel(tmp_path), {"wheel": "k"}
    part = {"manifest": ".whl.json", "project page": "tiny/index.html", "front page": "simple/ind"}
    from crosspi.index import pages, publishing

    def write(path: Path, text: str) -> None:
        if part[step] in str(path):
            raise KeyboardInterrupt
        write_text(path, text)

    write_text = publishing.write_text
    for module in (publishing, pages):
        monkeypatch.setattr(module, "write_text", write)
    with pytest.raises(KeyboardInterrupt):
        put(dist, wheel, manifest={"proof": proof})
    monkeypatch.undo()
    put(dist, tiny_wheel(tmp_path, "other"))
    assert "other" in page(dist)
    if step == "manifest":
        assert not is_published(dist, wheel, proof)
    put(dist, wheel, manifest={"proof": proof})
    assert is_published(dist, wheel, proof)
    assert "tiny" in page(dist)


# --- other bytes of one name ----------------------------------------------------------------------


def test_other_bytes_never_replace_a_published_file(tmp_path: Path) -> None:
    dist = tmp_path / "dist"
    old = put(dist, tiny_wheel(tmp_path / "old")).read_bytes()
    with pytest.raises(StoreError, match="published already, with other bytes") as caught:
        put(dist, tiny_wheel(tmp_path / "new", requires_python=">=3.10"))
    assert caught.value.exit_code == 12
    assert (dist / "tiny-1.0-py3-none-any.whl").read_bytes() == old


def test_not_even_where_the_published_file_is_gone(tmp_path: Path) -> None:
    dist = tmp_path / "dist"
    put(dist, tiny_wheel(tmp_path / "old")).unlink()
    new = tiny_wheel(tmp_path / "new", requires_python=">=3.10")
    assert build_number(dist, new) == 1
    with pytest.raises(StoreError, match="with other bytes"):
        put(dist, new)


def test_the_build_number_number(tmp_path: Path) -> None:
    dist = tmp_path / "dist"
    first = tiny_wheel(tmp_path / "old")
    assert build_number(dist, first) == 0
    put(dist, first)
    put(dist, tiny_wheel(tmp_path, version="2.0"))
    put(dist, tiny_wheel(tmp_path, tag="py2-none-any"))
    again = tiny_wheel(tmp_path / "new", requires_python=">=3.10")
    assert build_number(dist, again) == 1
    put(dist, tiny_wheel(tmp_path, build=1))
    put(dist, tiny_wheel(tmp_path, build=9))
    put(dist, tiny_wheel(tmp_path, build=10))
    assert build_number(dist, again) == 11
    assert build_number(dist, first) == 0
    assert build_number(dist, tiny_wheel(tmp_path, build=9)) == 9


def test_what_a_numbered_wheel_was_packed_as_first_is_known(tmp_path: Path) -> None:
    dist = tmp_path / "dist"
    put(dist, tiny_wheel(tmp_path / "old"))
    packed = tiny_wheel(tmp_path / "new", requires_python=">=3.10")
    assert published_as(dist, packed) is None
    numbered = tiny_wheel(tmp_path, build=1, requires_python=">=3.10")
    target = put(dist, numbered, manifest={"packed": sha256(packed), "proof": {"wheel": "k"}})
    assert published_as(dist, packed) == published_as(dist, numbered) == target
    assert is_published(dist, packed, {"wheel": "k"})
    assert not is_published(dist, packed, {"wheel": "other"})


def test_older_builds_are_yanked_and_come_later(tmp_path: Path) -> None:
    dist = tmp_path / "dist"
    for number in (0, 9, 10):
        put(dist, tiny_wheel(tmp_path, build=number, requires_python=f">=3.{number}"))
    put(dist, tiny_wheel(tmp_path, version="2.0"))
    lines = re.findall(r"<a [^>]*>", page(dist, "tiny"))
    assert [re.search(r"/(tiny[^#]*)#", line)[1] for line in lines] == [  # type: ignore[index]
        "tiny-1.0-10-py3-none-any.whl",
        "tiny-1.0-9-py3-none-any.whl",
        "tiny-1.0-py3-none-any.whl",
        "tiny-2.0-py3-none-any.whl",
    ]
    yanked = [re.findall(r'data-yanked="([^"]*)"', line) for line in lines]
    assert yanked == [[], ["replaced by build 10"], ["replaced by build 10"], []]


def pip_takes(root: Path, into: Path, *wanted: str) -> str:
    """The name of the file that pip downloads from an index."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PIP_")}
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-cache-dir"),
            *("--disable-pip-version-check", "--index-url", (root / "simple").as_uri()),
            *("--dest", str(into), *wanted),
        ],
        env={**environment, "PIP_CONFIG_FILE": os.devnull},
        check=True,
    )
    (got,) = into.iterdir()
    return got.name


def test_pip_takes_the_newest_build_and_the_pinned_one(tmp_path: Path) -> None:
    dist = tmp_path / "dist"
    old = put(dist, tiny_wheel(tmp_path / "old"))
    new = put(dist, tiny_wheel(tmp_path, build=1, requires_python=">=3.7"))
    assert pip_takes(dist, tmp_path / "a", "tiny") == new.name
    pins = tmp_path / "requirements.txt"
    pins.write_text(f"tiny==1.0 --hash=sha256:{sha256(old)}\n")
    assert pip_takes(dist, tmp_path / "b", "--require-hashes", "-r", str(pins)) == old.name


# --- proofs that no longer hold -------------------------------------------------------------------


def test_a_withdrawn_wheel_is_off_the_page_and_its_file_stays(tmp_path: Path) -> None:
    dist, wheel, proof = tmp_path / "dist", tiny_wheel(tmp_path), {"wheel": "k"}
    target = put(dist, wheel, manifest={"proof": proof})
    put(dist, tiny_wheel(tmp_path, "other"))
    assert withdraw(dist, wheel, "its smoke test fails") == target
    assert target.read_bytes() == wheel.read_bytes()
    assert listing(dist).withdrawn == {target: "its smoke test fails"}
    assert "tiny" not in page(dist)
    assert not is_published(dist, wheel, proof)


def test_an_older_build_takes_the_place_of_a_withdrawn_one(tmp_path: Path) -> None:
    dist = tmp_path / "dist"
    put(dist, tiny_wheel(tmp_path))
    new = put(dist, tiny_wheel(tmp_path, build=1, requires_python=">=3.7"))
    withdraw(dist, new, "its smoke test fails")
    assert "yanked" not in page(dist, "tiny")
    assert pip_takes(dist, tmp_path / "a", "tiny") == "tiny-1.0-py3-none-any.whl"


def test_proven_again_a_withdrawn_wheel_is_back(tmp_path: Path) -> None:
    dist, wheel, proof = tmp_path / "dist", tiny_wheel(tmp_path), {"wheel": "k"}
    put(dist, wheel, manifest={"proof": proof})
    withdraw(dist, wheel, "its smoke test fails")
    put(dist, wheel, manifest={"proof": proof})
    assert is_published(dist, wheel, proof)


def test_nothing_is_withdrawn_that_is_not_listed(tmp_path: Path) -> None:
    other = tiny_wheel(tmp_path, "other")
    assert withdraw(tmp_path / "none", other, "why") is None
    put(tmp_path / "dist", tiny_wheel(tmp_path))
    before = page(tmp_path / "dist", "tiny")
    assert withdraw(tmp_path / "dist", other, "why") is None
    assert page(tmp_path / "dist", "tiny") == before


def test_a_broken_off_copy_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = put(tmp_path / "dist", tiny_wheel(tmp_path / "old")).read_bytes()

    def fail(source: Path, target: Path) -> None:
        target.write_bytes(source.read_bytes()[:10])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("crosspi.index.publishing.shutil.copyfile", fail)
    with pytest.raises(OSError, match="No space"):
        put(tmp_path / "dist", tiny_wheel(tmp_path, version="2.0"))
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    assert wheel.read_bytes() == old
    assert listing(tmp_path / "dist").wheels == [wheel]
