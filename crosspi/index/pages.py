"""The pages of an index: for pip, and one of the archives.

For pip each project has an HTML page (PEP 503; yanked files: PEP 592) and the same as JSON
(`index.json`: PEP 691, version 1.1 by PEP 700), for servers that can choose between both. Beside
each wheel lies its metadata (PEP 658, PEP 714): an installer reads from it what the wheel needs.
"""

from __future__ import annotations

import hashlib
import html
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from email.parser import Parser
from pathlib import Path
from urllib.parse import quote

from packaging.utils import canonicalize_name
from packaging.version import Version

from crosspi.files import file_sha256, write_text
from crosspi.index.manifest import Manifest, read_manifest
from crosspi.index.numbers import is_archive, number, without_number

ARCHIVES_PAGE = "archives/index.html"
_API = {"api-version": "1.1"}


@dataclass(frozen=True)
class Link:
    """A wheel as its project's pages tell of it.

    Attributes:
        name: the file's.
        version, requires_python, metadata: by its metadata; the last is that file's hash.
        sha256, size: of the file.
        uploaded: when its proof was whole, as PEP 700 writes it; empty where nobody says.
        yanked: why it is only for those who pinned it; empty where it is not.
    """

    name: str
    version: str
    requires_python: str
    metadata: str
    sha256: str
    size: int
    uploaded: str
    yanked: str

    @property
    def html(self) -> str:
        """The link."""
        values = {
            "data-requires-python": self.requires_python,
            # Under both names: PEP 714 tells why.
            "data-core-metadata": f"sha256={self.metadata}",
            "data-dist-info-metadata": f"sha256={self.metadata}",
            "data-yanked": self.yanked,
        }
        attributes = "".join(f' {n}="{html.escape(value)}"' for n, value in values.items() if value)
        href = f"../../{quote(self.name)}#sha256={self.sha256}"
        return f'<a href="{href}"{attributes}>{html.escape(self.name)}</a><br>'

    @property
    def json(self) -> dict[str, object]:
        """The file, as PEP 691 has it."""
        metadata = {"sha256": self.metadata}
        return {
            "filename": self.name,
            "url": f"../../{quote(self.name)}",
            "hashes": {"sha256": self.sha256},
            "size": self.size,
            **({"requires-python": self.requires_python} if self.requires_python else {}),
            **({"upload-time": self.uploaded} if self.uploaded else {}),
            "core-metadata": metadata,
            "dist-info-metadata": metadata,
            "yanked": self.yanked or False,
        }


def write_index(
    root: Path, wheels: Sequence[Path], manifests: Mapping[Path, Manifest] | None = None
) -> None:
    """Write `root/simple/` for wheels that lie in `root`, and the metadata of each.

    Each page is replaced by rename: a pip that reads meanwhile sees the old or the new one. A page
    that stays as it is is not written. Those of a project that has no wheel any more go last.

    Args:
        root: where all lies.
        wheels: what is listed.
        manifests: those that are known of them.
    """
    for wheel in wheels:
        if not metadata_of(wheel).is_file():
            write_text(metadata_of(wheel), metadata_in(wheel))
    pages = index_pages(wheels, manifests or {})
    _write(root, pages)
    for folder in (root / "simple").iterdir():
        if folder.is_dir() and f"simple/{folder.name}/index.html" not in pages:
            for page in ("index.html", "index.json"):
                (folder / page).unlink(missing_ok=True)
            folder.rmdir()


def write_archives(
    root: Path, archives: Sequence[Path], manifests: Mapping[Path, Manifest] | None = None
) -> None:
    """Write the page of the archives that lie in `root`: pip reads it not."""
    if archives or (root / ARCHIVES_PAGE).is_file():
        _write(root, archive_pages(archives, manifests or {}))


def index_pages(wheels: Sequence[Path], manifests: Mapping[Path, Manifest]) -> dict[str, str]:
    """The pages for pip, by their paths; those of projects come before those that name them."""
    projects: dict[str, list[Path]] = {}
    for wheel in sorted(wheels):
        projects.setdefault(canonicalize_name(wheel.name.split("-")[0]), []).append(wheel)
    pages = {}
    for name, files in projects.items():
        links = _links(files, manifests)
        shown = [link.html for link in links]
        pages[f"simple/{name}/index.html"] = _page(f"Links for {name}", shown)
        versions = sorted({link.version for link in links}, key=Version)
        data = {"name": name, "versions": versions, "files": [link.json for link in links]}
        pages[f"simple/{name}/index.json"] = _json(data)
    names = [f'<a href="{name}/">{name}</a><br>' for name in sorted(projects)]
    pages["simple/index.html"] = _page("Simple index", names)
    pages["simple/index.json"] = _json({"projects": [{"name": name} for name in sorted(projects)]})
    return pages


def archive_pages(archives: Sequence[Path], manifests: Mapping[Path, Manifest]) -> dict[str, str]:
    """The page of the archives, by its path."""
    links = [
        f'<a href="../{quote(path.name)}#sha256={_known(path, manifests)[0]}">'
        f"{html.escape(path.name)}</a><br>"
        for path in sorted(archives)
    ]
    return {ARCHIVES_PAGE: _page("Archives", links)}


def links_to(root: Path, file: str) -> bool:
    """Whether the page that a file belongs on has a link to it."""
    project = canonicalize_name(file.split("-")[0])
    folder = root / "archives" if is_archive(file) else root / "simple" / project
    page = folder / "index.html"
    return page.is_file() and f">{html.escape(file)}<" in page.read_text(encoding="utf-8")


def metadata_of(wheel: Path) -> Path:
    """Where the metadata of a wheel lies: beside it (PEP 658)."""
    return wheel.with_name(wheel.name + ".metadata")


def metadata_in(wheel: Path) -> str:
    """The METADATA that is in a wheel; empty where there is none."""
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if name.endswith(".dist-info/METADATA") and name.count("/") == 1:
                return archive.read(name).decode("utf-8")
    return ""


def _links(wheels: Sequence[Path], manifests: Mapping[Path, Manifest]) -> list[Link]:
    """The links of a project's pages.

    Of one version and tags the newest build comes first: pip before version 10 does not compare
    build numbers, and takes the first of equals; pip before 20.0 does not know what yanked is.
    """
    newest = {without_number(w.name): w for w in sorted(wheels, key=lambda w: number(w.name))}
    ordered = sorted(wheels, key=lambda w: (without_number(w.name), -number(w.name)))
    return [_link(wheel, newest[without_number(wheel.name)], manifests) for wheel in ordered]


def _link(wheel: Path, newest: Path, manifests: Mapping[Path, Manifest]) -> Link:
    data = metadata_of(wheel).read_bytes()
    metadata = Parser().parsestr(data.decode("utf-8"), headersonly=True)
    sha256, size, uploaded, yanked = _known(wheel, manifests)
    return Link(
        name=wheel.name,
        version=metadata["Version"] or wheel.name.split("-")[1],
        requires_python=metadata["Requires-Python"] or "",
        metadata=hashlib.sha256(data).hexdigest(),
        sha256=sha256,
        size=size,
        uploaded=uploaded,
        yanked=yanked or ("" if wheel == newest else f"replaced by build {number(newest.name)}"),
    )


def _known(file: Path, manifests: Mapping[Path, Manifest]) -> tuple[str, int, str, str]:
    """A file's hash and size, when its proof was whole, and why it is yanked: by its manifest."""
    manifest = manifests.get(file) or read_manifest(file)
    if manifest is None:
        return file_sha256(file), file.stat().st_size, "", ""
    proven = manifest.proven.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return manifest.sha256, manifest.size, proven, manifest.yanked


def _page(title: str, lines: Sequence[str]) -> str:
    body = "\n".join(lines)
    return (
        '<!DOCTYPE html>\n<html><head><meta charset="utf-8">'
        '<meta name="pypi:repository-version" content="1.0">'
        f"<title>{title}</title></head>\n<body>\n<h1>{title}</h1>\n{body}\n</body></html>\n"
    )


def _json(data: Mapping[str, object]) -> str:
    return json.dumps({"meta": _API, **data}, indent=1) + "\n"


def _write(root: Path, pages: Mapping[str, str]) -> None:
    """Write the pages that are others than there are."""
    for name, text in pages.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            write_text(path, text)
