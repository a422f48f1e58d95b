"""Pins apart from prose: `recipes/NAME/pins.yaml`, written by `invoke track`, read with the recipe.

For each version of a package it has the sources with their hashes, and the Pythons that the version
says it is for. What the recipe itself says of a source or of Pythons is laid over it. A recipe that
names no version is a recipe for each version here that no variant of it names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from packaging.version import Version

from crosspi.data.document import Document, Fault, Model
from crosspi.data.recipe_data import Specifier, VersionText
from crosspi.data.source import PlainName, Source

FILE = "pins.yaml"


class Pinned(Model):
    """A version: its sources, and for which Pythons it is.

    Attributes:
        pythons: as its metadata says; empty where they do not.
        sources: with their pins.
    """

    pythons: Specifier = ""
    sources: dict[PlainName, Source] = {}


class _Pins(Model):
    versions: dict[VersionText, Pinned]


@dataclass(frozen=True)
class Pins:
    """The pins of a recipe's folder, as the file says them.

    Attributes:
        versions: each version as a mapping, checked.
    """

    versions: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path) -> Pins:
        """The pins beside a recipe; none where there is no file.

        Raises:
            DataError: with all faults of the file.
        """
        path = folder / FILE
        if not path.is_file():
            return cls()
        document = Document.read(path)
        document.model(_Pins)
        return cls(document.data["versions"])

    @property
    def newest(self) -> list[str]:
        """The versions, the newest first."""
        return sorted(self.versions, key=Version, reverse=True)

    def laid_under(self, documents: list[Document]) -> Iterator[Document]:
        """What a recipe's variants say, with the pins of the versions that they are for.

        Args:
            documents: a recipe's variants; the file itself is the last.

        Raises:
            DataError: a variant is for a version that has neither pins nor sources of its own.
        """
        named = {str(d.data.get("version")) for d in documents if isinstance(d.data, dict)}
        for document in documents:
            if not isinstance(document.data, dict):
                yield document
            elif "version" in document.data:
                yield self._under(document, str(document.data["version"]))
            else:
                rest = [version for version in self.newest if version not in named]
                for version in rest:
                    data = {**document.data, "version": version}
                    yield self._under(replace(document, data=data), version)
                if not rest:
                    yield document

    def _under(self, document: Document, version: str) -> Document:
        own = document.data
        pinned = self.versions.get(version)
        if pinned is None:
            if not own.get("sources"):
                place = ("version",)
                raise document.error(
                    [
                        Fault(
                            place,
                            f"there are no sources for {version}: `invoke track --recipe "
                            f"{document.path.parent.name} --version {version}` pins them",
                        )
                    ]
                )
            return document
        sources = dict(pinned.get("sources", {}))
        written = own.get("sources", {})
        if not isinstance(written, dict):
            return document
        for name, source in written.items():
            both = isinstance(source, dict) and name in sources
            sources[name] = {**sources[name], **source} if both else source
        data = {**own, "sources": sources}
        if pinned.get("pythons"):
            data.setdefault("pythons", pinned["pythons"])
        return replace(document, data=data)
