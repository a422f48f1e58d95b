"""What was found in files before: a library that lies in thirteen wheels is examined once.

An entry is known by all that its content depends on: the file's bytes and name, what it was held
to, the audit's own code and the versions of its tools. It is a file with a checksum in its first
line; one that is damaged is no entry. It is never more than a saving of time: where nothing can be
written, nothing is remembered.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from mmap import mmap
from pathlib import Path, PurePosixPath
from typing import Any

from pydantic import TypeAdapter

from crosspi.audit.elf.format import VersionNeed
from crosspi.audit.examined import Examined, Terms, examine
from crosspi.audit.findings import FileFacts, Finding
from crosspi.audit.loading import Linkage
from crosspi.audit.namesets import NameSet
from crosspi.caches import make_cache, remove
from crosspi.digests import digest
from crosspi.errors import CrosspiError
from crosspi.files import write_text

_FACTS, _FINDINGS = TypeAdapter(tuple[FileFacts, ...]), TypeAdapter(tuple[Finding, ...])
_KEPT = 30 * 24 * 3600.0  # seconds after which what other code has found is thrown away
_DIGITS = 16


class Memory:
    """Entries in a folder.

    Args:
        folder: where they are.
        code: the digest of the audit's code and of its tools' versions.
        fresh: what was found before does not count; what is found now is remembered.
    """

    def __init__(self, folder: Path, code: str, *, fresh: bool = False) -> None:
        self.folder = folder
        self._mine = folder / code[:_DIGITS]
        self._code = code
        self.fresh = fresh

    def examine(self, data: bytes | mmap, sha256: str, name: str, terms: Terms) -> Examined:
        """What is in a file, as it is remembered, else as it is found now."""
        key = self._key(sha256, name, terms)
        known = None if self.fresh else self._read(key)
        if known is None:
            known = examine(data, name, terms)
            with suppress(OSError, CrosspiError):
                self._write(key, known)
        return known

    def _key(self, sha256: str, name: str, terms: Terms) -> str:
        return digest(
            {
                "code": self._code,
                "file": sha256,
                "name": name,
                "law": terms.law.model_dump(),
                "promises": terms.promises.model_dump(),
                "build paths": list(terms.build_paths),
                "own": terms.own,
            }
        )

    def _read(self, key: str) -> Examined | None:
        try:
            checksum, _, text = (self._mine / key).read_text(encoding="utf-8").partition("\n")
            if checksum != _checksum(key, text):
                return None
            row = json.loads(text)
            return Examined(
                _FACTS.validate_python(row["facts"]),
                _FINDINGS.validate_python(row["findings"]),
                tuple(map(_linkage, row["linkages"])),
            )
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _write(self, key: str, found: Examined) -> None:
        row = {
            "facts": [asdict(facts) for facts in found.facts],
            "findings": [asdict(item) for item in found.findings],
            "linkages": list(map(_row, found.linkages)),
        }
        text = json.dumps(row)
        if not self._mine.is_dir():
            make_cache(self.folder)
            self._mine.mkdir(exist_ok=True)
            self._forget()
        write_text(self._mine / key, f"{_checksum(key, text)}\n{text}")

    def _forget(self) -> None:
        """Throw away what other code has found, and nobody has added to for a while."""
        for folder in self.folder.iterdir():
            if folder.is_dir() and time.time() - folder.stat().st_mtime > _KEPT:
                remove(folder)


def _checksum(key: str, text: str) -> str:
    return hashlib.sha256(f"{key}\n{text}".encode()).hexdigest()


# How the fields of a linkage that JSON has no word for are written, and read again.
_WRITES: dict[str, Callable[[Any], Any]] = {
    "place": str,
    "versions": lambda needs: [[need.library, need.version] for need in needs],
    "undefined": sorted,
    "exports": NameSet.to_text,
}
_READS: dict[str, Callable[[Any], Any]] = {
    "place": PurePosixPath,
    "versions": lambda rows: tuple(VersionNeed(*row) for row in rows),
    "undefined": frozenset,
    "exports": NameSet.from_text,
    "needed": tuple,
    "rpath": tuple,
    "runpath": tuple,
}


def _row(link: Linkage) -> dict[str, Any]:
    return {name: _WRITES.get(name, _same)(value) for name, value in vars(link).items()}


def _linkage(row: dict[str, Any]) -> Linkage:
    return Linkage(**{name: _READS.get(name, _same)(value) for name, value in row.items()})


def _same(value: Any) -> Any:
    return value
