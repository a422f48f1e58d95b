"""The package index: plain pages that every pip since 1.5 reads (PEP 503), and who may enter it."""

from __future__ import annotations

import fcntl
import html
import json
import os
import shutil
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from email.parser import Parser
from pathlib import Path
from typing import Any
from urllib.parse import quote

from packaging.utils import canonicalize_name

from crosspi.errors import AuditError, SmokeError, StoreError
from crosspi.files import write_text
from crosspi.sources.treehash import file_sha256


def write_index(root: Path, wheels: Sequence[Path]) -> None:
    """Write `root/simple/` for wheels that lie in `root`.

    Each page is replaced by rename: a pip that reads meanwhile sees the old or the new one.
    """
    projects: dict[str, list[Path]] = {}
    for wheel in sorted(wheels):
        projects.setdefault(canonicalize_name(wheel.name.split("-")[0]), []).append(wheel)
    for name, files in projects.items():
        links = [_link(file) for file in files]
        _write_page(root / "simple" / name / "index.html", f"Links for {name}", links)
    names = [f'<a href="{name}/">{name}</a><br>' for name in sorted(projects)]
    _write_page(root / "simple" / "index.html", "Simple index", names)


def publish(dist: Path, wheel: Path, manifest: str, audit: Any, smoke: Any) -> Path:
    """Put a wheel into the published index, if its own audit and smoke test passed.

    Args:
        dist: the folder of published wheels.
        wheel: the file.
        manifest: its manifest, as JSON text.
        audit, smoke: the reports; each names the sha256 of the file that it is about.

    Returns:
        The published file.

    Raises:
        AuditError, SmokeError: that report is missing, negative or about another file.
    """
    sha256 = file_sha256(wheel)
    if not isinstance(audit, Mapping) or audit.get("sha256") != sha256 or not audit.get("ok"):
        raise AuditError(
            f"{wheel.name} is not published: no audit of exactly this file passed",
            where=str(wheel),
            fix="build it again with `invoke build`",
        )
    passed = isinstance(smoke, Mapping) and smoke.get("outcome") == "passed"
    if not passed or smoke.get("sha256") != sha256:
        raise SmokeError(
            f"{wheel.name} is not published: no smoke test of exactly this file passed",
            where=str(wheel),
            fix="build it again with `invoke build`",
        )
    dist.mkdir(parents=True, exist_ok=True)
    with _locked(dist):
        target = dist / wheel.name
        if not target.is_file() or file_sha256(target) != sha256:
            partial = dist / f".{wheel.name}.{os.getpid()}"
            shutil.copyfile(wheel, partial)
            partial.rename(target)
        write_text(manifest_of(target), manifest)
        write_index(dist, proven(dist))
    return target


def proven(dist: Path) -> list[Path]:
    """The wheels of a folder whose manifest is about exactly that file.

    Raises:
        StoreError: a published file was changed afterwards.
    """
    wheels = []
    for wheel in sorted(dist.glob("*.whl")):
        manifest = _read_manifest(wheel)
        if not manifest:
            continue
        if manifest.get("sha256") != file_sha256(wheel):
            raise StoreError(
                f"the published file {wheel.name} is not the one that was proven",
                where=str(wheel),
                why="it was changed after it was published",
                fix="remove it and its .json, then build it again",
            )
        wheels.append(wheel)
    return wheels


def is_published(dist: Path, wheel: Path, proof: Mapping[str, str]) -> bool:
    """Whether exactly this wheel is in the index already, proven by exactly these steps."""
    project = canonicalize_name(wheel.name.split("-")[0])
    manifest = published_manifest(dist / wheel.name)
    return (
        manifest.get("proof") == proof
        and manifest.get("sha256") == file_sha256(wheel)
        and wheel.name in _text(dist / "simple" / project / "index.html")
    )


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def published_manifest(wheel: Path) -> Mapping[str, Any]:
    """The manifest beside a wheel, if it is about exactly this file; else nothing."""
    manifest = _read_manifest(wheel)
    return manifest if manifest and manifest.get("sha256") == file_sha256(wheel) else {}


def _read_manifest(wheel: Path) -> Mapping[str, Any]:
    """What stands in the manifest beside a wheel; nothing where there is none."""
    try:
        manifest: Mapping[str, Any] = json.loads(manifest_of(wheel).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return manifest


def manifest_of(wheel: Path) -> Path:
    """Where a published wheel's manifest lies."""
    return wheel.with_name(wheel.name + ".json")


def _link(wheel: Path) -> str:
    requires = _requires_python(wheel)
    attribute = f' data-requires-python="{html.escape(requires)}"' if requires else ""
    href = f"../../{quote(wheel.name)}#sha256={file_sha256(wheel)}"
    return f'<a href="{href}"{attribute}>{html.escape(wheel.name)}</a><br>'


def _requires_python(wheel: Path) -> str:
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if name.endswith(".dist-info/METADATA") and name.count("/") == 1:
                text = archive.read(name).decode("utf-8")
                return str(Parser().parsestr(text, headersonly=True)["Requires-Python"] or "")
    return ""


def _write_page(path: Path, title: str, lines: Sequence[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    body = "\n".join(lines)
    write_text(
        path,
        '<!DOCTYPE html>\n<html><head><meta charset="utf-8">'
        '<meta name="pypi:repository-version" content="1.0">'
        f"<title>{title}</title></head>\n<body>\n<h1>{title}</h1>\n{body}\n</body></html>\n",
    )


@contextmanager
def _locked(dist: Path) -> Iterator[None]:
    """Two publishers of one folder wait for each other."""
    with (dist / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
