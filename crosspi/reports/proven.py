"""When the wheels of a cell were last proven, from their manifests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from crosspi.index.manifest import Manifest


def proven_on(record: Manifest) -> list[str]:
    """The emulated boards that a published wheel was tested on, from its manifest."""
    return [board.name for board in record.toolchain.emulated]


def last_proven(python: str, toolchain: str, records: Iterable[Manifest]) -> dict[str, str]:
    """When the wheels of a cell last passed their smoke test, by package, from their manifests."""
    found: dict[str, str] = {}
    for record in records:
        if (record.python, record.toolchain.name) == (python, toolchain):
            when = record.proven.isoformat()
            found[record.recipe] = max(when, found.get(record.recipe, ""))
    return found


def proven_text(proven: Mapping[str, str]) -> str:
    days: dict[str, list[str]] = {}
    for package, when in sorted(proven.items()):
        days.setdefault(when[:10], []).append(package)
    return "; ".join(f"{day}: {', '.join(names)}" for day, names in days.items()) or "never"
