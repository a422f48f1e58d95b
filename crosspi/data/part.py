"""Parts: what a board's test system is made of where no distribution has it, as data.

A part is a folder of `systems/` with `part.yaml` and a script that builds it, from pinned sources,
in a build container. With `variants` (see `variants`) the folder is several parts, called
NAME-VARIANT. Where a part leaves a folder `root/`, it can be audited as a whole and become
an image.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from crosspi import places
from crosspi.data.document import Document, Fault, Location, Model
from crosspi.data.recipe_data import Smoke
from crosspi.data.source import ALLOW_UNPINNED, InsidePath, PlainName, Source
from crosspi.data.variants import documents
from crosspi.errors import did_you_mean

#: The folder of a part's result that is a root file system.
ROOT = "root"


#: Folders of a build container that are taken.
_TAKEN = frozenset(
    path.strip("/").split("/")[0]
    for path in (places.SOURCES, places.RECIPE, places.WORK, places.OUT, places.NEEDS)
).union(
    ("bin", "cache", "crosspi", "dev", "etc", "lib", "opt", "proc", "run", "sbin", "scratch"),
    ("step", "sys", "tmp", "toolchain", "usr", "var"),
)


def _mount_name(value: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9-]*", value) or value in _TAKEN:
        raise ValueError(f"'{value}' is taken in a build container, or no plain name")
    return value


class PartSmoke(Smoke):
    """How a part's root is tested; `folders` of other parts' results: name → part."""

    folders: dict[PlainName, str] = {}


class PartData(Model):
    """A part.yaml."""

    name: str = Field(pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$")
    version: str
    summary: str
    licence: str
    homepage: str
    image: PlainName = Field(description="the folder of dockerfiles/ with the tools")
    script: InsidePath = "build.sh"
    sources: dict[PlainName, Source] = {}
    needs: dict[Annotated[str, AfterValidator(_mount_name)], str] = Field(
        default={}, description="folder in the container → part"
    )
    environment: dict[str, str] = {}
    glibc: str = Field(default="", description="of a root with its own C library: its version")
    audit: Literal["ours", "law", "none"] = Field(
        default="ours",
        description="how its root is audited: as what we build, by the law alone (others' "
        "binaries), or not at all (a distribution's own)",
    )
    smoke: PartSmoke | None = Field(default=None, description="its smoke.py tests its root")


@dataclass(frozen=True)
class Part:
    """A part, the folder it was read from, and which of the folder's variants it is."""

    folder: Path
    data: PartData
    variant: str = ""

    @property
    def name(self) -> str:
        return f"{self.data.name}-{self.variant}" if self.variant else self.data.name


def load_parts(
    folder: Path, *, taken: Collection[str] = (), unpinned: bool = False
) -> Mapping[str, Part]:
    """Read all `part.yaml` of `systems/`.

    Args:
        folder: where they are.
        taken: names that recipes have.
        unpinned: let sources pass that have no hash yet, to fetch them.

    Raises:
        DataError: one is wrong, or needs a part that does not exist or that needs it.
    """
    parts: dict[str, Part] = {}
    read: dict[str, Document] = {}
    for path in sorted(folder.glob("*/part.yaml")):
        for name, document in documents(Document.read(path)):
            data = document.model(PartData, context=ALLOW_UNPINNED if unpinned else None)
            part = Part(path.parent, data, name)
            if faults := [*_faults(part), *_taken(part, taken, parts)]:
                raise document.error(faults)
            parts[part.name] = part
            read[part.name] = document
    for part in parts.values():
        for place, name in _named(part):
            if name not in parts:
                fault = Fault(place, f"no part '{name}'; {did_you_mean(name, parts)}")
                raise read[part.name].error([fault])
            if place[0] == "needs" and part.name in _all_needs(name, parts):
                raise read[part.name].error([Fault(place, f"'{name}' needs this part too")])
    return parts


def _taken(part: Part, taken: Collection[str], parts: Mapping[str, Part]) -> Iterator[Fault]:
    """A name means one thing: steps and results are called by it."""
    if part.name in parts:
        other = parts[part.name].folder.name
        yield Fault(("name",), f"the folder '{other}' makes a part '{part.name}' already")
    if part.name in taken:
        yield Fault(("name",), f"there is a recipe '{part.name}': call the part otherwise")


def _named(part: Part) -> Iterator[tuple[Location, str]]:
    """The parts that a part names, and where."""
    for inside, name in part.data.needs.items():
        yield ("needs", inside), name
    for inside, name in part.data.smoke.folders.items() if part.data.smoke else ():
        yield ("smoke", "folders", inside), name


def _faults(part: Part) -> Iterator[Fault]:
    """What the fields' types cannot say."""
    data = part.data
    if data.name != part.folder.name:
        yield Fault(("name",), f"the folder is called '{part.folder.name}'")
    if not (part.folder / data.script).is_file():
        yield Fault(("script",), f"there is no file '{data.script}' here")
    if data.smoke is None:
        return
    if not (part.folder / "smoke.py").is_file():
        yield Fault(("smoke",), "there is no smoke.py beside part.yaml: write one")
    for name in data.smoke.data:
        if name not in data.sources:
            place = ("smoke", "data", name)
            yield Fault(place, f"no source '{name}'; {did_you_mean(name, data.sources)}")


def _all_needs(name: str, parts: Mapping[str, Part]) -> set[str]:
    """A part and all that it needs, each once."""
    seen: set[str] = set()
    todo = [name]
    while todo:
        part = todo.pop()
        if part not in seen:
            seen.add(part)
            todo += parts[part].data.needs.values() if part in parts else ()
    return seen
