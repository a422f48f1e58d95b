"""The pages of an index: for pip (PEP 503, yanked files by PEP 592), and one of the archives."""

from __future__ import annotations

import html
import zipfile
from collections.abc import Sequence
from email.parser import Parser
from pathlib import Path
from urllib.parse import quote

from packaging.utils import canonicalize_name

from crosspi.files import file_sha256, write_text
from crosspi.index.manifest import read_manifest
from crosspi.index.numbers import is_archive, number, without_number


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


def write_archives(root: Path, archives: Sequence[Path]) -> None:
    """Write the page of the archives that lie in `root`: pip reads it not."""
    page = root / "archives" / "index.html"
    links = [
        f'<a href="../{quote(path.name)}#sha256={_sha256(path)}">{html.escape(path.name)}</a><br>'
        for path in sorted(archives)
    ]
    if links or page.is_file():
        _write_page(page, "Archives", links)


def links_to(root: Path, file: str) -> bool:
    """Whether the page that a file belongs on has a link to it."""
    project = canonicalize_name(file.split("-")[0])
    folder = root / "archives" if is_archive(file) else root / "simple" / project
    page = folder / "index.html"
    return page.is_file() and f">{html.escape(file)}<" in page.read_text(encoding="utf-8")


def _links(wheels: Sequence[Path]) -> list[str]:
    """The links of a project's page.

    Of one version and tags the newest build comes first: pip before version 10 does not compare
    build numbers, and takes the first of equals; pip before 20.0 does not know what yanked is.
    """
    newest = {without_number(w.name): w for w in sorted(wheels, key=lambda w: number(w.name))}
    ordered = sorted(wheels, key=lambda w: (without_number(w.name), -number(w.name)))
    return [_link(wheel, newest[without_number(wheel.name)]) for wheel in ordered]


def _link(wheel: Path, newest: Path) -> str:
    requires = _requires_python(wheel)
    attribute = f' data-requires-python="{html.escape(requires)}"' if requires else ""
    if wheel != newest:
        attribute += f' data-yanked="replaced by build {number(newest.name)}"'
    href = f"../../{quote(wheel.name)}#sha256={_sha256(wheel)}"
    return f'<a href="{href}"{attribute}>{html.escape(wheel.name)}</a><br>'


def _sha256(file: Path) -> str:
    manifest = read_manifest(file)
    return manifest.sha256 if manifest else file_sha256(file)


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
