"""What other machines published, taken into one index: `./inv publish`.

A machine of a farm publishes into a folder of its own, after its own proofs. Only what is listed
there, and is exactly the file that its manifest is about, goes further.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from crosspi.errors import Mistakes, StoreError, UsageError
from crosspi.files import file_sha256, write_text
from crosspi.index.manifest import Manifest, manifest_of, read_manifest
from crosspi.index.publishing import kept_yanked, listing, locked, write_pages


@dataclass(frozen=True)
class Gathered:
    """What became of the files of other machines, by name."""

    new: Sequence[str]
    known: Sequence[str]


def gather(dist: Path, folders: Sequence[Path]) -> Gathered:
    """Take what lies published in other folders into an index.

    Killed at any moment it leaves an index of whole files. Said again, it goes on. Nothing is taken
    where anything is wrong.

    Args:
        dist: the folder of the index; it is made.
        folders: what machines published into.

    Raises:
        UsageError: a folder is not there or holds nothing, or is the index itself.
        StoreError: a file is not the one of its manifest, or its name is taken by other bytes.
    """
    mistakes = Mistakes()
    for folder in folders:
        with mistakes.noted():
            _usable(folder, dist)
    mistakes.check()
    found: dict[str, tuple[Path, Manifest]] = {}
    for path in (path for folder in folders for path in _listed(folder)):
        manifest = _proven(path)
        same, first = found.setdefault(path.name, (path, manifest))
        if first.sha256 != manifest.sha256:
            raise _taken(path, same)
    dist.mkdir(parents=True, exist_ok=True)
    with locked(dist):
        new = sorted(name for name, known in found.items() if not _there(dist, *known))
        for name in new:
            path, manifest = found[name]
            partial = dist / f".{name}.part"
            shutil.copyfile(path, partial)
            if file_sha256(partial) != manifest.sha256:
                partial.unlink()
                raise _another(path)
            partial.rename(dist / name)
            kept = kept_yanked(manifest, read_manifest(dist / name))
            write_text(manifest_of(dist / name), kept.to_json())
        write_pages(dist)
    return Gathered(new, sorted(set(found) - set(new)))


def _usable(folder: Path, dist: Path) -> None:
    if not folder.is_dir():
        raise UsageError(
            f"there is no folder '{folder}'",
            where="--source",
            fix="name the folder that a build published into (CROSSPI_DIST there)",
        )
    if folder.resolve() == dist.resolve():
        raise UsageError(
            f"'{folder}' is the index itself",
            where="--source, --to",
            fix="name another folder to publish to",
        )


def _listed(folder: Path) -> list[Path]:
    found = listing(folder)
    files = [*found.wheels, *found.archives]
    if not files:
        raise UsageError(
            f"nothing is published in '{folder}'",
            where="--source",
            why="; ".join(f"{path.name}: {why}" for path, why in found.strangers.items()),
            fix="build into it first; files that were put there by hand are not taken",
        )
    return files


def _proven(path: Path) -> Manifest:
    manifest = read_manifest(path)
    if manifest is None or manifest.sha256 != file_sha256(path):
        raise _another(path)
    return manifest


def _another(path: Path) -> StoreError:
    return StoreError(
        f"{path.name} is not the file that its manifest is about",
        where=str(path),
        why="its hash is another: it was changed after its proofs, or cut off on its way",
        fix="copy it again from the machine that made it, or build it again there",
    )


def _there(dist: Path, path: Path, manifest: Manifest) -> bool:
    """Whether the index has a file already, listed."""
    taken = read_manifest(dist / path.name)
    if taken is None:
        return False
    if taken.sha256 != manifest.sha256:
        raise _taken(path, dist / path.name)
    return not taken.withdrawn and (dist / path.name).is_file()


def _taken(path: Path, by: Path) -> StoreError:
    return StoreError(
        f"{path.name} is published already, with other bytes",
        where=f"{by}, and {path}",
        why="a published file never changes: pip keeps it, and people pin its hash",
        fix="build it on a machine that knows this index (CROSSPI_DIST): it then gets the next "
        "build number; or find out why two machines make different bytes",
    )
