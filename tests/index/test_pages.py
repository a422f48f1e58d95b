"""The pages that installers read: HTML, JSON, and the metadata beside each wheel."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from making import a_manifest, tiny_wheel
from packaging.metadata import Metadata
from pypi_simple import ProjectPage
from serving import served

from crosspi.files import write_text
from crosspi.index.manifest import manifest_of
from crosspi.index.pages import metadata_of, write_index


def project(root: Path, name: str = "tiny") -> dict[str, Any]:
    data: dict[str, Any] = json.loads((root / "simple" / name / "index.json").read_text())
    return data


def published(root: Path, *versions: str, build: int = 0) -> list[Path]:
    """Wheels with their manifests, and the pages of them."""
    wheels = [tiny_wheel(root, version=version, build=build) for version in versions]
    for wheel in wheels:
        write_text(manifest_of(wheel), a_manifest(wheel).to_json())
    write_index(root, sorted(root.glob("*.whl")))
    return wheels


def test_the_json_page_has_what_pep_700_asks_for(tmp_path: Path) -> None:
    (wheel,) = published(tmp_path, "1.0")
    data = project(tmp_path)
    assert data["meta"] == {"api-version": "1.1"}
    assert (data["name"], data["versions"]) == ("tiny", ["1.0"])
    metadata = hashlib.sha256(metadata_of(wheel).read_bytes()).hexdigest()
    assert data["files"] == [
        {
            "filename": wheel.name,
            "url": f"../../{wheel.name}",
            "hashes": {"sha256": hashlib.sha256(wheel.read_bytes()).hexdigest()},
            "size": wheel.stat().st_size,
            "requires-python": ">=3.9",
            "upload-time": "2026-01-02T10:00:00.000000Z",
            "core-metadata": {"sha256": metadata},
            "dist-info-metadata": {"sha256": metadata},
            "yanked": False,
        }
    ]
    front = json.loads((tmp_path / "simple" / "index.json").read_text())
    assert front["projects"] == [{"name": "tiny"}]


def test_a_reader_of_both_kinds_finds_the_same(tmp_path: Path) -> None:
    published(tmp_path, "1.0", "2.0")
    published(tmp_path, "2.0", build=1)
    page = (tmp_path / "simple" / "tiny" / "index.html").read_text()
    by_html = ProjectPage.from_html("tiny", page, base_url="https://x.example/simple/tiny/")
    by_json = ProjectPage.from_json_data(project(tmp_path), "https://x.example/simple/tiny/")
    assert by_json.versions == ["1.0", "2.0"]

    def told(page: ProjectPage) -> list[tuple[object, ...]]:
        return [
            (
                *(p.filename, p.url, p.digests, p.requires_python),
                *(p.is_yanked, p.yanked_reason, p.has_metadata, p.metadata_digests),
            )
            for p in page.packages
        ]

    assert told(by_html) == told(by_json)
    assert [p.yanked_reason for p in by_json.packages] == [None, None, "replaced by build 1"]


def test_the_metadata_are_those_in_the_wheel(tmp_path: Path) -> None:
    (wheel,) = published(tmp_path, "1.0")
    read = Metadata.from_email(metadata_of(wheel).read_bytes())
    assert (read.name, str(read.version), str(read.requires_python)) == ("tiny", "1.0", ">=3.9")


def test_versions_are_in_their_order(tmp_path: Path) -> None:
    published(tmp_path, "1.10", "1.9", "1.10.dev1")
    assert project(tmp_path)["versions"] == ["1.9", "1.10.dev1", "1.10"]


def test_a_page_that_stays_as_it_is_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    published(tmp_path, "1.0")
    tiny_wheel(tmp_path, "other")
    written: list[str] = []

    def write(path: Path, text: str) -> None:
        written.append(path.relative_to(tmp_path).as_posix())
        write_text(path, text)

    monkeypatch.setattr("crosspi.index.pages.write_text", write)
    write_index(tmp_path, sorted(tmp_path.glob("*.whl")))
    assert written == [
        "other-1.0-py3-none-any.whl.metadata",
        "simple/other/index.html",
        "simple/other/index.json",
        "simple/index.html",
        "simple/index.json",
    ]
    written.clear()
    write_index(tmp_path, sorted(tmp_path.glob("*.whl")))
    assert written == []


def test_no_wheel_with_a_manifest_is_opened_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    published(tmp_path, "1.0")

    def read(*_: object) -> str:
        raise AssertionError("the whole file was read")

    monkeypatch.setattr("crosspi.index.pages.metadata_in", read)
    monkeypatch.setattr("crosspi.index.pages.file_sha256", read)
    write_index(tmp_path, sorted(tmp_path.glob("*.whl")))


def test_a_project_without_wheels_loses_its_pages(tmp_path: Path) -> None:
    published(tmp_path, "1.0")
    write_index(tmp_path, [])
    assert sorted(p.name for p in (tmp_path / "simple").iterdir()) == ["index.html", "index.json"]
    assert json.loads((tmp_path / "simple" / "index.json").read_text())["projects"] == []


def test_pip_reads_the_metadata_before_the_wheel(tmp_path: Path) -> None:
    """PEP 658: what a wheel needs is known without it."""
    (wheel,) = published(tmp_path, "1.0")
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PIP_")}
    with served(tmp_path) as (address, asked):
        command = [sys.executable, "-m", "pip", "install", "--dry-run", "--quiet", "--no-cache-dir"]
        options = ["--ignore-installed", "--index-url", f"{address}/simple/", "tiny"]
        done = subprocess.run(
            [*command, "--disable-pip-version-check", "--report", "-", *options],
            env={**environment, "PIP_CONFIG_FILE": os.devnull},
            capture_output=True,
            text=True,
        )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["install"][0]["metadata"]["version"] == "1.0"
    # Older pips fetch the wheel all the same, afterwards.
    first = next(path for path in asked if wheel.name in path)
    assert first == f"/{wheel.name}.metadata"
