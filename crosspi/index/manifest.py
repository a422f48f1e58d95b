"""The manifest beside a wheel: what it was made of, with what, and what was proven of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import AwareDatetime, Field, JsonValue

from crosspi import __version__
from crosspi.audit.law import Promises
from crosspi.data.document import Model
from crosspi.data.recipe import Recipe
from crosspi.data.record import validated
from crosspi.data.targets import Cell, Slot
from crosspi.errors import StoreError
from crosspi.files import file_sha256
from crosspi.index.numbers import is_archive
from crosspi.wheels import promises_of

#: Counted up where a field gets another meaning, or goes; what reads manifests knows older ones.
SCHEMA: Final = 1


class EmulatedRecord(Model):
    """A board as qemu played it."""

    name: str
    plays: str
    cpu: str
    midr: str = ""
    note: str = ""


class ToolchainRecord(Model):
    """For which boards, and how the compiler was called."""

    name: str
    boards: tuple[str, ...]
    emulated: tuple[EmulatedRecord, ...]
    target: str
    glibc: str
    cpu: str
    clang_cpu: str
    flags: tuple[str, ...]
    link_flags: tuple[str, ...]


class ImageRecord(Model):
    """An image that something was done in."""

    id: str
    digest: str
    packages: tuple[str, ...] = Field(description="Debian's: name, version, architecture")


class MadeWith(Model):
    """What of a machine and its images no data pins."""

    images: dict[str, ImageRecord]
    emulator: str
    audit: str = Field(description="the versions of the libraries that the audit rests on")


class Manifest(Model):
    """What is published beside a wheel or an archive."""

    version_of_schema: Literal[1] = Field(SCHEMA, alias="schema")
    wheel: str | None = Field(None, description="the file's name, of a wheel")
    archive: str | None = Field(None, description="the file's name, of an archive")
    sha256: str
    size: int = Field(description="bytes")
    packed: str = Field(description="the sha256 of the same file without a build number")
    recipe: str
    version: str
    licence: str
    proof: dict[str, str] = Field(description="the keys of the steps that made and proved it")
    proven: AwareDatetime = Field(description="when the last of its smoke tests passed")
    build_identifier: str
    promises: Promises
    python: str | None = None
    toolchain: ToolchainRecord
    sources: dict[str, str]
    steps: dict[str, JsonValue] = Field(description="what each step cost and found")
    made_with: MadeWith
    crosspi: str
    withdrawn: str = Field("", description="why its proof no longer holds")
    yanked: str = Field("", description="why only those get it who pinned it (PEP 592)")

    def to_json(self) -> str:
        """As it is published."""
        plain = self.model_dump(mode="json", by_alias=True, exclude_none=True)
        for name in ("withdrawn", "yanked"):
            if not plain[name]:
                del plain[name]
        return json.dumps(plain, indent=1, sort_keys=True) + "\n"


def manifest(
    recipe: Recipe,
    cell: Slot,
    wheel: Path,
    packed: str,
    proof: Mapping[str, str],
    proven: datetime,
    steps: Mapping[str, Mapping[str, object]],
    made_with: Mapping[str, object],
) -> Manifest:
    """What is published beside a wheel: what went in, what was found, what it cost.

    Args:
        recipe, cell, wheel: what it is about; the file may be an archive.
        packed: the sha256 of the same file without a build number.
        proof: the keys of the steps that made and proved it.
        proven: when the last of its smoke tests passed.
        steps: what each step cost and found.
        made_with: what of this machine and its images no data pins.
    """
    toolchain = cell.toolchain.data
    return Manifest.model_validate(
        {
            "archive" if is_archive(wheel.name) else "wheel": wheel.name,
            "sha256": file_sha256(wheel),
            "size": wheel.stat().st_size,
            "packed": packed,
            "recipe": recipe.name,
            "version": recipe.data.version,
            "licence": recipe.data.licence,
            "proof": proof,
            "proven": proven,
            "build_identifier": cell.identifier,
            "promises": promises_of(recipe, cell),
            "python": cell.python.version if isinstance(cell, Cell) else None,
            "toolchain": {
                "name": cell.toolchain.name,
                "boards": sorted(toolchain.boards),
                **toolchain.compiler.model_dump(exclude={"march", "drop"}),
                "emulated": [b.model_dump(exclude={"cpuinfo"}) for b in toolchain.emulated],
            },
            "sources": {
                name: source.tree or source.file
                for name, source in sorted(recipe.data.sources.items())
            },
            "steps": steps,
            "made_with": made_with,
            "crosspi": __version__,
        }
    )


def published_manifest(wheel: Path) -> Manifest | None:
    """The manifest beside a wheel, if it is about exactly this file.

    Raises:
        StoreError: it is damaged.
    """
    manifest = read_manifest(wheel)
    return manifest if manifest and manifest.sha256 == file_sha256(wheel) else None


def manifest_of(wheel: Path) -> Path:
    """Where a published wheel's manifest lies."""
    return wheel.with_name(wheel.name + ".json")


def read_manifest(wheel: Path) -> Manifest | None:
    """What stands in the manifest beside a wheel; None where there is none.

    Raises:
        StoreError: it cannot be read, is damaged, or of a newer crosspi.
    """
    path = manifest_of(wheel)
    try:
        plain: Any = json.loads(path.read_bytes())
        number = plain.get("schema") if isinstance(plain, dict) else None
        if isinstance(number, int) and number > SCHEMA:
            raise StoreError(
                f"the manifest of {wheel.name} is of a newer crosspi",
                where=str(path),
                why=f"it has schema {number}, and this crosspi knows {SCHEMA}",
                fix="use that crosspi, or another folder for what this one builds",
            )
        return validated(Manifest, plain)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise StoreError(
            f"the manifest of {wheel.name} is damaged",
            where=str(path),
            why=str(error),
            fix="it was changed or cut off: remove it and build again; the build writes it anew",
        ) from error
