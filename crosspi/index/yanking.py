"""Yanked files (PEP 592): pip takes them only for those who pinned them, and tells why."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from crosspi.errors import UsageError, did_you_mean
from crosspi.files import write_text
from crosspi.index.manifest import Manifest, manifest_of
from crosspi.index.publishing import listing, locked, write_pages


def yank(dist: Path, word: str, why: str) -> Sequence[Path]:
    """Say of files why nobody should get them any more; or, with an empty reason, take that back.

    Args:
        dist: the folder of the index.
        word: a file's name, or NAME==VERSION for all of a version.
        why: what pip shows to those who get it all the same.

    Returns:
        The files of which that was not said already.

    Raises:
        UsageError: nothing that is listed is called that.
    """
    if not dist.is_dir():
        raise UsageError(f"there is no index in '{dist}'", fix="build something first")
    with locked(dist):
        found = listing(dist)
        meant = [p for p in found.wheels if _is_meant(p, found.manifests[p], word)]
        if not meant:
            names = [path.name for path in found.wheels]
            raise UsageError(
                f"no wheel of the index is called '{word}'",
                where=str(dist),
                fix=f"{did_you_mean(word, names)}; or give NAME==VERSION",
            )
        changed = [path for path in meant if found.manifests[path].yanked != why]
        for path in changed:
            record = found.manifests[path].model_copy(update={"yanked": why})
            write_text(manifest_of(path), record.to_json())
        write_pages(dist)
    return changed


def _is_meant(path: Path, manifest: Manifest, word: str) -> bool:
    name, equals, version = word.partition("==")
    if not equals:
        return path.name == word
    try:
        same = Version(version.strip()) == Version(manifest.version)
    except InvalidVersion:
        return False
    return same and canonicalize_name(name.strip()) == canonicalize_name(path.name.split("-")[0])
