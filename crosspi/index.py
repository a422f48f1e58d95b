"""The package index: plain pages that every pip since 1.5 reads (PEP 503), and who may enter it.

A file in the index never changes: other bytes of the same version and tags get a build number
(PEP 427), and the page calls the older builds yanked (PEP 592), so that pip takes them only for
those who pinned them. What lies in the folder without a manifest of exactly that file, or with one
that says that its proof no longer holds, is not on a page.
"""

from __future__ import annotations

import html
import json
import shutil
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from email.parser import Parser
from pathlib import Path
from typing import Any
from urllib.parse import quote

from filelock import FileLock
from packaging.utils import canonicalize_name

from crosspi.errors import AuditError, SmokeError, StoreError
from crosspi.files import write_text
from crosspi.sources.treehash import file_sha256

#: The field of a manifest that says why its wheel's proof no longer holds.
WITHDRAWN = "withdrawn"


@dataclass(frozen=True)
class Listing:
    """What lies in a folder of published wheels.

    Attributes:
        wheels: what is on the pages.
        withdrawn: what was, and why it is not any more, by path.
        strangers: files that are not the ones that their manifest is about, or have none.
    """

    wheels: Sequence[Path]
    withdrawn: Mapping[Path, str]
    strangers: Sequence[Path]


def write_index(root: Path, wheels: Sequence[Path]) -> None:
    """Write `root/simple/` for wheels that lie in `root`.

    Each page is replaced by rename: a pip that reads meanwhile sees the old or the new one. The
    page of a project that has no wheel any more goes last.
    """
    projects: dict[str, list[Path]] = {}
    for wheel in sorted(wheels):
        projects.setdefault(canonicalize_name(wheel.name.split("-")[0]), []).append(wheel)
    for name, files in projects.items():
        _write_page(root / "simple" / name / "index.html", f"Links for {name}", _links(files))
    names = [f'<a href="{name}/">{name}</a><br>' for name in sorted(projects)]
    _write_page(root / "simple" / "index.html", "Simple index", names)
    for page in (root / "simple").glob("*/index.html"):
        if page.parent.name not in projects:
            page.unlink()
            page.parent.rmdir()


def publish(dist: Path, wheel: Path, manifest: str, audit: Any, smokes: Mapping[str, Any]) -> Path:
    """Put a wheel into the published index, if its own audit and smoke tests passed.

    Killed at any moment it leaves the old index or the new one: the file comes first, then the
    manifest without which it is not listed, then the pages.

    Args:
        dist: the folder of published wheels.
        wheel: the file.
        manifest: its manifest, as JSON text.
        audit: the report; it names the sha256 of the file that it is about.
        smokes: the results on each emulated board, by its name; they do likewise.

    Returns:
        The published file.

    Raises:
        AuditError, SmokeError: that report is missing, negative or about another file.
        StoreError: the name is taken by other bytes.
    """
    sha256 = file_sha256(wheel)
    if not isinstance(audit, Mapping) or audit.get("sha256") != sha256 or not audit.get("ok"):
        raise AuditError(
            f"{wheel.name} is not published: no audit of exactly this file passed",
            where=str(wheel),
            fix="build it again with `invoke build`",
        )
    failed = [
        board
        for board, smoke in smokes.items()
        if not isinstance(smoke, Mapping)
        or smoke.get("outcome") != "passed"
        or smoke.get("sha256") != sha256
    ]
    if failed or not smokes:
        on = f" on {', '.join(failed)}" if failed else ""
        raise SmokeError(
            f"{wheel.name} is not published: no smoke test of exactly this file passed{on}",
            where=str(wheel),
            fix="build it again with `invoke build`",
        )
    dist.mkdir(parents=True, exist_ok=True)
    with _locked(dist):
        target = dist / wheel.name
        taken = _read_manifest(target)
        if taken and taken.get("sha256") != sha256:
            raise StoreError(
                f"{wheel.name} is published already, with other bytes",
                where=str(target),
                why="a published file never changes: pip keeps it, and people pin its hash",
                fix="run the same command again: this build then gets the next build number",
            )
        if not target.is_file() or file_sha256(target) != sha256:
            partial = dist / f".{wheel.name}.part"
            shutil.copyfile(wheel, partial)
            partial.rename(target)
        write_text(manifest_of(target), manifest)
        write_index(dist, listing(dist).wheels)
    return target


def withdraw(dist: Path, wheel: Path, why: str) -> Path | None:
    """Take a wheel whose proof no longer holds off the pages; the file and its record stay.

    Args:
        dist: the folder of published wheels.
        wheel: a file with its bytes, or with those that it was packed as before it got a number.
        why: what showed it.

    Returns:
        The published wheel, if it was listed.
    """
    if not dist.is_dir():
        return None
    with _locked(dist):
        path = published_as(dist, wheel)
        if path is None or path not in listing(dist).wheels:
            return None
        text = json.dumps({**_read_manifest(path), WITHDRAWN: why}, indent=1, sort_keys=True)
        write_text(manifest_of(path), text + "\n")
        write_index(dist, listing(dist).wheels)
        return path


def listing(dist: Path) -> Listing:
    """What in a folder is listed, and what is not, and why.

    A file that was changed is known by its size here, and by its hash to whoever downloads it: the
    page names the hash of what was proven.
    """
    wheels, withdrawn, strangers = [], {}, []
    for wheel in sorted(dist.glob("*.whl")):
        manifest = _read_manifest(wheel)
        if not manifest.get("sha256") or manifest.get("size") != wheel.stat().st_size:
            strangers.append(wheel)
        elif why := manifest.get(WITHDRAWN):
            withdrawn[wheel] = str(why)
        else:
            wheels.append(wheel)
    return Listing(wheels, withdrawn, strangers)


def published_as(dist: Path, wheel: Path) -> Path | None:
    """Under which name a wheel is published: its own, or one with a build number."""
    sha256 = file_sha256(wheel)
    for path in _builds(dist, wheel):
        manifest = _read_manifest(path)
        if sha256 in (manifest.get("sha256"), manifest.get("packed")):
            return path
    return None


def build_number(dist: Path, wheel: Path) -> int:
    """The build number of a wheel, or that which it will get; 0, which no name spells, if none."""
    path = published_as(dist, wheel)
    if path is not None:
        return _number(path.name)
    return max((_number(path.name) for path in _builds(dist, wheel)), default=-1) + 1


def is_published(dist: Path, wheel: Path, proof: Mapping[str, str]) -> bool:
    """Whether exactly this wheel is in the index already, proven by exactly these steps."""
    path = published_as(dist, wheel)
    if path is None:
        return False
    manifest = published_manifest(path)
    project = canonicalize_name(wheel.name.split("-")[0])
    return (
        manifest.get("proof") == proof
        and WITHDRAWN not in manifest
        and f">{html.escape(path.name)}<" in _text(dist / "simple" / project / "index.html")
    )


def published_manifest(wheel: Path) -> Mapping[str, Any]:
    """The manifest beside a wheel, if it is about exactly this file; else nothing."""
    manifest = _read_manifest(wheel)
    return manifest if manifest and manifest.get("sha256") == file_sha256(wheel) else {}


def manifest_of(wheel: Path) -> Path:
    """Where a published wheel's manifest lies."""
    return wheel.with_name(wheel.name + ".json")


def _read_manifest(wheel: Path) -> Mapping[str, Any]:
    """What stands in the manifest beside a wheel; nothing where there is none."""
    try:
        manifest = json.loads(manifest_of(wheel).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return manifest if isinstance(manifest, dict) else {}


def _builds(dist: Path, wheel: Path) -> list[Path]:
    """All builds of a wheel's version and tags that were published, also where the file is gone."""
    wanted = _without_number(wheel.name)
    paths = [path.with_suffix("") for path in sorted(dist.glob("*.whl.json"))]
    return [path for path in paths if _without_number(path.name) == wanted]


def _without_number(name: str) -> tuple[str, ...]:
    """The parts of a wheel's name less its build number (PEP 427: the third of six)."""
    parts = name.split("-")
    return tuple(parts[:2] + parts[-3:])


def _number(name: str) -> int:
    """The build number in a wheel's name; 0 where there is none."""
    parts = name.split("-")
    return int(parts[2]) if len(parts) == 6 and parts[2].isdecimal() else 0


def _links(wheels: Sequence[Path]) -> list[str]:
    """The links of a project's page.

    Of one version and tags the newest build comes first: pip before version 10 does not compare
    build numbers, and takes the first of equals; pip before 20.0 does not know what yanked is.
    """
    newest = {_without_number(w.name): w for w in sorted(wheels, key=lambda w: _number(w.name))}
    ordered = sorted(wheels, key=lambda w: (_without_number(w.name), -_number(w.name)))
    return [_link(wheel, newest[_without_number(wheel.name)]) for wheel in ordered]


def _link(wheel: Path, newest: Path) -> str:
    requires = _requires_python(wheel)
    attribute = f' data-requires-python="{html.escape(requires)}"' if requires else ""
    if wheel != newest:
        attribute += f' data-yanked="replaced by build {_number(newest.name)}"'
    sha256 = _read_manifest(wheel).get("sha256") or file_sha256(wheel)
    href = f"../../{quote(wheel.name)}#sha256={sha256}"
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


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""


@contextmanager
def _locked(dist: Path) -> Iterator[None]:
    """Two publishers of one folder wait for each other."""
    with FileLock(dist / ".lock"):
        yield
