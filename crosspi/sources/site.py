"""The folder that CROSSPI_SOURCES names: what an air-gapped site has put there by hand.

It may hold, at its top or up to three folders deep, archives and other files under any name
(found by name, or by sha256 where the name ends like an archive's), and at its top or in
`trees/` unpacked trees, named by the hash of the tree or by the source. A cache folder of
another machine will do. Hashes are remembered in a file of the cache, by path, size and time.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from filelock import FileLock

from crosspi.errors import SourceError
from crosspi.files import file_sha256, write_text
from crosspi.sources.fingerprint import fingerprint
from crosspi.sources.treehash import tree_hash

_DEPTH = 3
_ARCHIVES = (
    ".tar",
    ".tar.gz",
    ".tar.xz",
    ".tar.bz2",
    ".tar.zst",
    ".tgz",
    ".txz",
    ".tbz2",
    ".zip",
    ".whl",
    ".deb",
    ".jar",
)


class SiteFolder:
    """Finds files and trees below `folder`, remembering hashes in the file `index`."""

    def __init__(self, folder: Path, index: Path) -> None:
        self.folder = folder
        self._index = index

    def by_hash(self, digests: Iterable[str]) -> Path | None:
        """A file with one of these sha256 (hexadecimal) whose name ends like an archive's."""
        wanted = set(digests)
        if not wanted:
            return None
        files = [file for file in self._files() if file.name.endswith(_ARCHIVES)]
        hashes = self._hashes(files)
        return next((file for file in files if hashes.get(file) in wanted), None)

    def by_name(self, names: Iterable[str]) -> list[Path]:
        """The files with one of these names."""
        wanted = set(names)
        return [file for file in self._files() if file.name in wanted]

    def sha256(self, file: Path) -> str:
        """The sha256 of a file, remembered."""
        return self._hashes([file]).get(file, "")

    def tree(self, digest: str, name: str) -> Path | None:
        """A folder named by its tree hash or by the source, whose tree hash is `digest`."""
        for place in (digest, f"trees/{digest}", name, f"trees/{name}"):
            folder = self.folder / place
            if folder.is_dir() and self._hashes([folder]).get(folder) == digest:
                return folder
        return None

    def _files(self) -> Iterator[Path]:
        for folder, folders, files in os.walk(self.folder):
            depth = len(Path(folder).relative_to(self.folder).parts)
            folders[:] = sorted(f for f in folders if f != "trees") if depth < _DEPTH else []
            for file in sorted(files):
                path = Path(folder, file)
                if path.is_file():
                    yield path

    def _hashes(self, paths: list[Path]) -> dict[Path, str]:
        with FileLock(self._index.with_suffix(".lock")):
            known = self._load()
            result: dict[Path, str] = {}
            changed = False
            for path in paths:
                try:
                    mark = fingerprint(path)
                    key = f"{path}|{mark.files}|{mark.size}|{mark.mtime}|{mark.modes}"
                    if key not in known:
                        digest = file_sha256(path) if path.is_file() else tree_hash(path)
                        known[key] = digest.removeprefix("sha256:")
                        changed = True
                except (OSError, SourceError):  # what cannot be read is not there
                    continue
                result[path] = known[key]
            if changed:
                write_text(self._index, json.dumps(known, indent=0, sort_keys=True))
        return result

    def _load(self) -> dict[str, str]:
        try:
            known = json.loads(self._index.read_text())
        except (OSError, ValueError):
            return {}
        return known if isinstance(known, dict) else {}
