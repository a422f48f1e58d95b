"""When the wheels of a cell were last proven, from their manifests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def proven_on(record: Mapping[str, Any]) -> list[str]:
    """The emulated boards that a published wheel was tested on, from its manifest."""
    return [board["name"] for board in record.get("toolchain", {}).get("emulated", ())]


def last_proven(
    python: str, toolchain: str, records: Sequence[Mapping[str, Any]]
) -> dict[str, str]:
    """When the wheels of a cell last passed their smoke test, by package, from their manifests."""
    found: dict[str, str] = {}
    for record in records:
        if record.get("python") != python or record["toolchain"]["name"] != toolchain:
            continue
        if when := record.get("proven"):
            found[record["recipe"]] = max(when, found.get(record["recipe"], ""))
    return found


def proven_text(proven: Mapping[str, str]) -> str:
    days: dict[str, list[str]] = {}
    for package, when in sorted(proven.items()):
        days.setdefault(when[:10], []).append(package)
    return "; ".join(f"{day}: {', '.join(names)}" for day, names in days.items()) or "never"
