"""The package index: plain pages that every pip since 1.5 reads (PEP 503), and who may enter it.

A file in the index never changes: other bytes of the same version and tags get a build number
(PEP 427), and the page calls the older builds yanked (PEP 592), so that pip takes them only for
those who pinned them. What lies in the folder without a manifest of exactly that file, or with one
that says that its proof no longer holds, is not on a page.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from crosspi.errors import AuditError, SmokeError, StoreError
from crosspi.files import file_sha256, write_text
from crosspi.index.manifest import Manifest, manifest_of, published_manifest, read_manifest
from crosspi.index.numbers import ENDINGS, is_archive, number, without_number
from crosspi.index.pages import links_to, write_archives, write_index


@dataclass(frozen=True)
class Listing:
    """What lies in a folder of published wheels.

    Attributes:
        wheels, archives: what is on the pages.
        withdrawn: what was, and why it is not any more, by path.
        strangers: files that are not the ones that their manifest is about, or have none that can
            be read, and why, by path.
        manifests: of what is listed or withdrawn, by path.
    """

    wheels: Sequence[Path]
    archives: Sequence[Path]
    withdrawn: Mapping[Path, str]
    strangers: Mapping[Path, str]
    manifests: Mapping[Path, Manifest]


def publish(
    dist: Path, wheel: Path, manifest: Manifest, audit: Any, smokes: Mapping[str, Any]
) -> Path:
    """Put a wheel or archive into the published index, if its own audit and smoke tests passed.

    Killed at any moment it leaves the old index or the new one: the file comes first, then the
    manifest without which it is not listed, then the pages.

    Args:
        dist: the folder of published wheels.
        wheel: the file.
        manifest: its manifest.
        audit: the report; it names the sha256 of the file that it is about.
        smokes: the results on each emulated board, by its name; they do likewise.

    Returns:
        The published file.

    Raises:
        AuditError, SmokeError: that report is missing, negative or about another file.
        StoreError: the name is taken by other bytes, or nobody can say: its manifest is damaged.
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
    with locked(dist):
        target = dist / wheel.name
        taken = read_manifest(target)
        if taken and taken.sha256 != sha256:
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
        write_text(manifest_of(target), kept_yanked(manifest, taken).to_json())
        write_pages(dist)
    return target


def kept_yanked(manifest: Manifest, before: Manifest | None) -> Manifest:
    """A manifest with what somebody said of the same file: a new proof does not take it back."""
    return manifest.model_copy(update={"yanked": before.yanked if before else ""})


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
    with locked(dist):
        path = published_as(dist, wheel)
        found = listing(dist)
        if path is None or path not in (*found.wheels, *found.archives):
            return None
        record = found.manifests[path].model_copy(update={"withdrawn": why})
        write_text(manifest_of(path), record.to_json())
        write_pages(dist)
        return path


def listing(dist: Path) -> Listing:
    """What in a folder is listed, and what is not, and why.

    A file that was changed is known by its size here, and by its hash to whoever downloads it: the
    page names the hash of what was proven.
    """
    listed: list[Path] = []
    withdrawn: dict[Path, str] = {}
    strangers: dict[Path, str] = {}
    manifests: dict[Path, Manifest] = {}
    for wheel in sorted(path for ending in ENDINGS for path in dist.glob(f"*{ending}")):
        try:
            manifest = read_manifest(wheel)
        except StoreError as error:
            strangers[wheel] = f"{error.what}: {error.why}"
            continue
        if manifest is None or manifest.size != wheel.stat().st_size:
            strangers[wheel] = "it is not the file of its manifest" if manifest else "no manifest"
            continue
        manifests[wheel] = manifest
        if manifest.withdrawn:
            withdrawn[wheel] = manifest.withdrawn
        else:
            listed.append(wheel)
    archives = [path for path in listed if is_archive(path.name)]
    wheels = [path for path in listed if path not in archives]
    return Listing(wheels, archives, withdrawn, strangers, manifests)


def write_pages(dist: Path) -> None:
    """Write the pages of all that is listed; hold the lock meanwhile."""
    found = listing(dist)
    write_index(dist, found.wheels, found.manifests)
    write_archives(dist, found.archives, found.manifests)


def published_as(dist: Path, wheel: Path) -> Path | None:
    """Under which name a wheel is published: its own, or one with a build number."""
    sha256 = file_sha256(wheel)
    for path in _builds(dist, wheel):
        manifest = read_manifest(path)
        if manifest and sha256 in (manifest.sha256, manifest.packed):
            return path
    return None


def build_number(dist: Path, wheel: Path) -> int:
    """The build number of a wheel, or that which it will get; 0, which no name spells, if none."""
    path = published_as(dist, wheel)
    if path is not None:
        return number(path.name)
    return max((number(path.name) for path in _builds(dist, wheel)), default=-1) + 1


def is_published(dist: Path, wheel: Path, proof: Mapping[str, str]) -> bool:
    """Whether exactly this wheel is in the index already, proven by exactly these steps."""
    path = published_as(dist, wheel)
    if path is None:
        return False
    manifest = published_manifest(path)
    return (
        manifest is not None
        and manifest.proof == proof
        and not manifest.withdrawn
        and links_to(dist, path.name)
    )


def _builds(dist: Path, wheel: Path) -> list[Path]:
    """All builds of a wheel's version and tags that were published, also where the file is gone."""
    wanted = without_number(wheel.name)
    found = (path for ending in ENDINGS for path in sorted(dist.glob(f"*{ending}.json")))
    paths = [path.with_suffix("") for path in found]
    return [path for path in paths if without_number(path.name) == wanted]


@contextmanager
def locked(dist: Path) -> Iterator[None]:
    """Two publishers of one folder wait for each other."""
    with FileLock(dist / ".lock"):
        yield
