"""Writes a recipe's `pins.yaml`: for a version, its sources from their origins, with their hashes.

A version that is new takes its sources from the newest one that is pinned: the same origins, with
the one version written as the other. Without any the package's own source distribution is taken
from the index of pip's configuration.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from packaging.version import InvalidVersion, Version

from crosspi.data.document import Document
from crosspi.data.pins import FILE, Pinned, Pins
from crosspi.data.source import ALLOW_UNPINNED, UNPINNED, Source
from crosspi.errors import UsageError
from crosspi.files import write_text
from crosspi.sources.cache import Measured, SourceCache
from crosspi.sources.projects import Project

HEAD = """\
# Written by `invoke track --recipe {name}`: by version, the sources with their hashes, and the
# Pythons that the version says it is for. recipe.yaml is laid over it.
"""


@dataclass(frozen=True)
class Tracked:
    """What became of a source's pin.

    Attributes:
        version: of the package.
        source: its name.
        before, pin: the hash that was there, if any, and the one that is.
    """

    version: str
    source: str
    before: str
    pin: str


def track(
    folder: Path, versions: list[str], sources: SourceCache, *, index: Callable[[], Project]
) -> list[Tracked]:
    """Write the pins of a recipe's versions anew.

    Args:
        folder: the recipe's.
        versions: which; without any all that are pinned.
        sources: fetches them and computes the hashes.
        index: gives what the index says of the package; asked where that is a source.

    Returns:
        What was found, in the file's order.

    Raises:
        UsageError: a version is none, or none is pinned and none was named.
        SourceError: the index has no such version, or a source cannot be had.
        DataError: the pins that are there are wrong.
    """
    pins = Pins.read(folder)
    wanted = [_version(text) for text in versions] or pins.newest
    if not wanted:
        raise UsageError(
            f"no version of {folder.name} is pinned yet",
            where=str(folder / FILE),
            fix=f"name one: --version {index().newest or 'VERSION'}",
        )
    written = {version: dict(pins.versions[version]) for version in pins.versions}
    found: list[Tracked] = []
    for version in wanted:
        data = _like(pins, version) or _sdist(index(), version)
        own = _own_sources(folder, version)
        before = Pinned.model_validate(written.get(version, {})).sources
        for name, entry in data["sources"].items():
            measured, source = _measured(name, {**entry, **own.get(name, {})}, sources, folder)
            data["sources"][name] = _entry(entry, measured, source)
            old = before[name].pin if name in before else ""
            found.append(Tracked(version, name, old, measured.pin))
        origins = data["sources"].get(folder.name, {}).get("origins", ())
        if any("pypi" in origin for origin in origins):
            data["pythons"] = index().requires_python(version)
        written[version] = data
    write_text(folder / FILE, _text(folder.name, written))
    return found


def folders(recipes: Path) -> list[str]:
    """The names of the recipes, also of those that cannot be read before they are pinned."""
    return sorted(path.parent.name for path in recipes.glob("*/recipe.yaml"))


def _version(text: str) -> str:
    try:
        return str(Version(text))
    except InvalidVersion as error:
        raise UsageError(f"'{text}' is not a version (PEP 440)", where="--version") from error


def _own_sources(folder: Path, version: str) -> Mapping[str, Mapping[str, Any]]:
    """What a version's recipe says of its sources: which part of a tree, not where it is from.

    Of variants nothing is looked at: what differs between them has its pins there.
    """
    of_version = folder / f"recipe-{version}.yaml"
    file = of_version if of_version.is_file() else folder / "recipe.yaml"
    data = Document.read(file).data
    sources = data.get("sources") if isinstance(data, dict) else None
    if not isinstance(sources, dict):
        return {}
    kept = ("include", "exclude", "subdir", "strip")
    return {
        name: {field: source[field] for field in kept if field in source}
        for name, source in sources.items()
        if isinstance(source, dict)
    }


def _like(pins: Pins, version: str) -> dict[str, Any] | None:
    """The sources of a version: its own, or those of the newest one, written for this one."""
    if version in pins.versions:
        return {"sources": dict(pins.versions[version]["sources"])}
    if not pins.versions:
        return None
    like = pins.newest[0]
    sources = pins.versions[like]["sources"]
    return {"sources": {name: _written(entry, like, version) for name, entry in sources.items()}}


def _written(entry: Mapping[str, Any], old: str, new: str) -> dict[str, Any]:
    """A source of one version as one of another: its origins say the other version."""
    origins = []
    for origin in entry["origins"]:
        said = {k: v.replace(old, new) if isinstance(v, str) else v for k, v in origin.items()}
        if said != origin:
            said.pop("sha256", None)
        origins.append(said)
    return {**entry, "origins": origins}


def _sdist(index: Project, version: str) -> dict[str, Any]:
    file = index.sdist(version)
    origin = {"pypi": index.name, "version": version, "file": file}
    return {"sources": {index.name: {"tree": UNPINNED, "origins": [origin]}}}


def _measured(
    name: str, entry: Mapping[str, Any], sources: SourceCache, folder: Path
) -> tuple[Measured, Source]:
    kind = "file" if "file" in entry else "tree"
    source = Source.model_validate({**entry, kind: UNPINNED}, context=ALLOW_UNPINNED)
    return sources.measure(name, source, base=folder), source


def _entry(entry: Mapping[str, Any], measured: Measured, source: Source) -> dict[str, Any]:
    """A source with the pin that was found; its first origin with the archive's hash."""
    kind = "file" if "file" in entry else "tree"
    origins = []
    for said, origin in zip(entry["origins"], source.origins, strict=True):
        known = measured.sha256 if origin.label == measured.origin else origin.sha256
        origins.append({**said, **({"sha256": known} if known else {})})
    others = {k: v for k, v in entry.items() if k not in (kind, "origins")}
    return {kind: measured.pin, **others, "origins": origins}


def _text(name: str, versions: Mapping[str, Any]) -> str:
    """The file: the newest version first, the same text for the same pins."""
    ordered = {v: versions[v] for v in sorted(versions, key=Version, reverse=True)}
    body = {
        version: {
            **({"pythons": d["pythons"]} if d.get("pythons") else {}),
            "sources": d["sources"],
        }
        for version, d in ordered.items()
    }
    text = yaml.safe_dump({"versions": body}, sort_keys=False, width=1000, allow_unicode=True)
    return HEAD.format(name=name) + text
