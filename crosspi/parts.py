"""Parts: what a board's test system is made of where no distribution has it, as data.

A part is a folder of `recipes/` with `part.yaml` and a script that builds it, from pinned sources,
in a build container. With `variants` (see `variants`) the folder is several parts, called
NAME-VARIANT. Where a part leaves a folder `root/`, it can be audited as a whole and become
an image.
"""

from __future__ import annotations

import re
import tarfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from crosspi import builders
from crosspi.auditing import tools
from crosspi.containers import Mount
from crosspi.document import Document, Fault, Location, Model
from crosspi.engine import Engine
from crosspi.errors import AuditError, did_you_mean
from crosspi.images import IMAGE, Image, image_tag, require_architecture
from crosspi.machine import BuildMachine, folder_digest, run_commands, source_mounts
from crosspi.plan import Step, Workspace, digest, digest_files
from crosspi.recipe_data import Smoke
from crosspi.rooms import ROOM
from crosspi.sources.spec import ALLOW_UNPINNED, InsidePath, PlainName, Source
from crosspi.sources.writer import TIME
from crosspi.targets import Toolchain
from crosspi.variants import documents

#: The folder of a part's result that is a root file system.
ROOT = "root"


#: Folders of a build container that are taken.
_TAKEN = frozenset(
    path.strip("/").split("/")[0]
    for path in (builders.SOURCES, builders.RECIPE, builders.WORK, builders.OUT, builders.NEEDS)
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
    prebuilt: bool = Field(default=False, description="others' binaries, which are not audited")
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


def load_parts(folder: Path, *, unpinned: bool = False) -> Mapping[str, Part]:
    """Read all `part.yaml` of `recipes/`.

    Args:
        folder: where they are.
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
            if faults := [*_faults(part), *_taken(part, folder, parts)]:
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


def _taken(part: Part, folder: Path, parts: Mapping[str, Part]) -> Iterator[Fault]:
    """A name means one thing: steps and results are called by it."""
    if part.name in parts:
        other = parts[part.name].folder.name
        yield Fault(("name",), f"the folder '{other}' makes a part '{part.name}' already")
    if (folder / part.name / "recipe.yaml").is_file():
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


def part_step(
    part: Part, machine: BuildMachine, needs: Mapping[str, Step], sources: list[Step]
) -> Step:
    """The step that builds a part.

    Args:
        part: what to build.
        machine: the build machine, with the part's image.
        needs: the steps of the parts that it needs, by folder in the container.
        sources: the steps of its sources.
    """
    command = {"argv": ["bash", f"{builders.RECIPE}/{part.data.script}"]}
    environment = {
        "SRC": builders.SOURCES,
        "BUILD": builders.WORK,
        "OUT": builders.OUT,
        "JOBS": str(machine.jobs),
        **part.data.environment,
    }

    def act(work: Workspace) -> None:
        run_commands(
            machine,
            work,
            commands=[command],
            mounts=[
                *source_mounts(part.data.sources, part.folder, machine),
                Mount(part.folder, builders.RECIPE),
                *(Mount(work.results[step.name], f"/{name}") for name, step in needs.items()),
            ],
            environment=environment,
            roots=(ROOT,),
        )

    inputs = {
        "part": digest(
            [
                command,
                sorted(part.data.needs.items()),
                {name: source.digest for name, source in part.data.sources.items()},
            ]
        ),
        "files of the part": folder_digest(part.folder, "part.yaml"),
        # Not this module: a word in a message would compile the board's system anew.
        ROOM: machine.room(environment),
    }
    return Step("part", part.name, inputs, (machine.image.step, *needs.values(), *sources), act)


def part_audit_step(part: Part, built: Step, toolchain: Toolchain) -> Step:
    """The step that holds every ELF file of a part's root to a target's law."""
    law = toolchain.data.audit
    if part.data.glibc:
        # The floor is for wheels; what brings a C library needs that one.
        law = law.model_copy(update={"glibc": part.data.glibc})

    def act(work: Workspace) -> None:
        from crosspi.audit import audit_tree

        if not (work.results[built.name] / ROOT).is_dir():
            raise AuditError(
                f"the part {part.name} left no folder {ROOT}/ to audit",
                where=str(part.folder / part.data.script),
                fix="let its script put a root file system there",
            )
        root = work.results[built.name] / ROOT
        report = audit_tree(root, law, build_paths=builders.BUILD_PATHS, own=True)
        (work.out / "audit.json").write_text(report.to_json(), encoding="utf-8")
        work.log.write_text(report.to_text(), encoding="utf-8")
        work.notes.update(files=len(report.files), errors=len(report.errors))
        if not report.files:
            raise AuditError(
                f"the part {part.name} holds no ELF file: nothing was audited",
                where=str(part.folder / part.data.script),
                fix="see the part's log: its script may have installed elsewhere",
            )
        if not report.ok:
            raise AuditError(
                f"the part {part.name} breaks the law of {toolchain.name}",
                where=f"the whole report: {work.log}",
                why="\n".join(f"{f.file}: {f.code}: {f.message}" for f in report.errors[:20]),
                fix="the findings in the report name the way out, each its own",
            )

    inputs = {
        "law": digest(law.model_dump()),
        "code": digest_files(Path(__file__).parent / "audit"),
        "tools": tools(),
        "build paths": digest(builders.BUILD_PATHS),
    }
    return Step("audit", f"{part.name}-{toolchain.name}", inputs, (built,), act)


def root_image(
    name: str,
    built: Step,
    engine: Callable[[], Engine],
    *,
    platform: str,
) -> Image:
    """The step that makes an image of a part's root."""
    architecture = platform.split("/")[1]

    def act(work: Workspace) -> None:
        archive = work.out / "root.tar"
        pack_root(work.results[built.name] / ROOT, archive)
        engine().import_root(archive, tag, platform=platform)
        require_architecture(engine(), tag, architecture)

    def present() -> bool:
        return engine().image_architecture(tag) == architecture

    step = Step(IMAGE, name, {"platform": platform}, (built,), act, present)
    tag = image_tag(step)
    return Image(step=step, tag=tag)


def pack_root(root: Path, archive: Path) -> None:
    """Pack a root file system for an image: all root's, and the same bytes for the same tree."""

    def normal(info: tarfile.TarInfo) -> tarfile.TarInfo:
        info.uid = info.gid = 0
        info.uname = info.gname = ""
        info.mtime = TIME
        return info

    with tarfile.open(archive, "w", format=tarfile.GNU_FORMAT) as packed:
        packed.add(root, ".", filter=normal)  # its names sorted; links as links
