"""The manifest beside a wheel: what it was made of, with what, and what was proven of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from crosspi import __version__
from crosspi.data.recipe import Recipe
from crosspi.data.targets import Cell, Slot
from crosspi.files import file_sha256
from crosspi.index.numbers import is_archive
from crosspi.wheels import promises_of


def manifest(
    recipe: Recipe,
    cell: Slot,
    wheel: Path,
    packed: str,
    proof: Mapping[str, str],
    proven: datetime,
    steps: Mapping[str, Mapping[str, object]],
    made_with: Mapping[str, object],
) -> str:
    """The JSON that is published beside a wheel: what went in, what was found, what it cost.

    Args:
        recipe, cell, wheel: what it is about; the file may be an archive.
        packed: the sha256 of the same file without a build number.
        proof: the keys of the steps that made and proved it.
        proven: when the last of its smoke tests passed.
        steps: what each step cost and found.
        made_with: what of this machine and its images no data pins.
    """
    toolchain = cell.toolchain.data
    return (
        json.dumps(
            {
                "archive" if is_archive(wheel.name) else "wheel": wheel.name,
                "sha256": hashlib.sha256(wheel.read_bytes()).hexdigest(),
                "size": wheel.stat().st_size,
                "packed": packed,
                "recipe": recipe.name,
                "version": recipe.data.version,
                "licence": recipe.data.licence,
                "proof": proof,
                "proven": proven.isoformat(),
                "build_identifier": cell.identifier,
                "promises": promises_of(recipe, cell).model_dump(mode="json"),
                **({"python": cell.python.version} if isinstance(cell, Cell) else {}),
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
            },
            indent=1,
            sort_keys=True,
        )
        + "\n"
    )


def published_manifest(wheel: Path) -> Mapping[str, Any]:
    """The manifest beside a wheel, if it is about exactly this file; else nothing."""
    manifest = read_manifest(wheel)
    return manifest if manifest and manifest.get("sha256") == file_sha256(wheel) else {}


def manifest_of(wheel: Path) -> Path:
    """Where a published wheel's manifest lies."""
    return wheel.with_name(wheel.name + ".json")


def read_manifest(wheel: Path) -> Mapping[str, Any]:
    """What stands in the manifest beside a wheel; nothing where there is none."""
    try:
        manifest = json.loads(manifest_of(wheel).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return manifest if isinstance(manifest, dict) else {}
