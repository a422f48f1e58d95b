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
from making import tiny_wheel

from crosspi.errors import AuditError, SmokeError, StoreError
from crosspi.index import manifest_of, proven, publish, write_index


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def page(root: Path, name: str = "") -> str:
    return (root / "simple" / name / "index.html").read_text()


def put(dist: Path, wheel: Path, **changes: Any) -> Path:
    """Publish with good reports, but for the changes."""
    digest = sha256(wheel)
    audit = changes.get("audit", {"sha256": digest, "ok": True})
    smoke = changes.get("smoke", {"sha256": digest, "outcome": "passed"})
    return publish(dist, wheel, json.dumps({"sha256": digest}), audit, smoke)


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
        'data-requires-python="&gt;=3.9,&lt;3.12">tiny-1.0-py3-none-any.whl</a>'
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
    assert [p.name for p in (tmp_path / "simple" / "tiny").iterdir()] == ["index.html"]


def test_pip_itself_reads_the_index(tmp_path: Path) -> None:
    root = tmp_path / "a folder"
    write_index(root, [tiny_wheel(root), tiny_wheel(root, version="0.9")])
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PIP_")}
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-cache-dir"),
            *("--disable-pip-version-check", "--index-url", (root / "simple").as_uri()),
            *("--dest", str(tmp_path / "got"), "tiny"),
        ],
        env={**environment, "PIP_CONFIG_FILE": os.devnull},
        check=True,
    )
    (got,) = (tmp_path / "got").iterdir()
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


def test_publishing_again_changes_nothing(tmp_path: Path) -> None:
    wheel = tiny_wheel(tmp_path)
    target = put(tmp_path / "dist", wheel)
    inode = target.stat().st_ino
    put(tmp_path / "dist", wheel)
    assert target.stat().st_ino == inode


def test_a_new_build_replaces_the_old_one(tmp_path: Path) -> None:
    put(tmp_path / "dist", tiny_wheel(tmp_path / "old"))
    wheel = tiny_wheel(tmp_path / "new", requires_python=">=3.10")
    put(tmp_path / "dist", wheel)
    assert page(tmp_path / "dist", "tiny").count("<a href") == 1
    assert sha256(wheel) in page(tmp_path / "dist", "tiny")


def test_a_published_file_that_was_changed_is_found(tmp_path: Path) -> None:
    target = put(tmp_path / "dist", tiny_wheel(tmp_path))
    target.write_bytes(target.read_bytes() + b"x")
    with pytest.raises(StoreError, match="not the one that was proven") as caught:
        put(tmp_path / "dist", tiny_wheel(tmp_path, "other"))
    assert caught.value.exit_code == 12
    assert caught.value.where == str(target)


def test_building_a_changed_file_again_heals_it(tmp_path: Path) -> None:
    wheel = tiny_wheel(tmp_path)
    target = put(tmp_path / "dist", wheel)
    target.write_bytes(b"x")
    put(tmp_path / "dist", wheel)
    assert target.read_bytes() == wheel.read_bytes()


def test_wheels_without_a_manifest_are_not_listed(tmp_path: Path) -> None:
    dist = tmp_path / "dist"
    put(dist, tiny_wheel(tmp_path))
    stranger = tiny_wheel(dist, "stranger")
    manifest_of(tiny_wheel(dist, "broken")).write_text("{")
    assert stranger not in proven(dist)
    assert [w.name for w in proven(dist)] == ["tiny-1.0-py3-none-any.whl"]


def test_a_broken_off_copy_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = put(tmp_path / "dist", tiny_wheel(tmp_path / "old")).read_bytes()

    def fail(source: Path, target: Path) -> None:
        target.write_bytes(source.read_bytes()[:10])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("crosspi.index.shutil.copyfile", fail)
    with pytest.raises(OSError, match="No space"):
        put(tmp_path / "dist", tiny_wheel(tmp_path / "new", requires_python=">=3.10"))
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    assert wheel.read_bytes() == old
    assert [w.name for w in proven(tmp_path / "dist")] == [wheel.name]
