"""Boards, toolchains and Pythons: the data of `toolchains/`, and the words of a request."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from crosspi.audit.law import Law
from crosspi.data.document import Document, Fault, Model
from crosspi.data.source import InsidePath, PlainName
from crosspi.errors import DataError, UsageError, did_you_mean

#: Files of `toolchains/` that are no toolchains.
PYTHONS, OTHERS = "pythons.yaml", "others.yaml"


def _dotted(value: str) -> str:
    if not re.fullmatch(r"\d+\.\d+", value):
        raise ValueError("must be two numbers with a dot, in quotes, like '2.28'")
    return value


def _numbers(dotted: str) -> tuple[int, ...]:
    return tuple(map(int, dotted.split(".")))


Dotted = Annotated[str, AfterValidator(_dotted)]


class Compiler(Model):
    """How zig is called for a target."""

    target: str
    glibc: Dotted
    cpu: str
    clang_cpu: str
    flags: tuple[str, ...] = ()
    link_flags: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    march: tuple[tuple[str, str], ...] = ()


#: Not the processor of any board: what qemu takes for these runs all that it knows.
ANY_CPU = ("max", "any")


class EmulatedBoard(Model):
    """A board as qemu plays it for the smoke tests.

    `cpu` is qemu's name of the processor, never its default one; `cpuinfo` the board's
    /proc/cpuinfo, a file beside the toolchain's. Where qemu has no such processor, `note` says what
    is played instead, and what that leaves unproven, and `midr` is the board's own identification
    (Arm Architecture Reference Manual, MIDR): qemu from 8.2 on makes up a /proc/cpuinfo of it, over
    the file.
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
    plays: str
    cpu: Annotated[str, Field(min_length=1)]
    cpuinfo: InsidePath
    midr: Annotated[str, Field(pattern=r"^(0x[0-9a-f]{8})?$")] = ""
    note: str = ""

    @property
    def qemu_cpu(self) -> str:
        """What QEMU_CPU says: the processor, and as what it identifies itself."""
        return f"{self.cpu},midr={self.midr}" if self.midr else self.cpu


class Naming(Model):
    """How Python's build systems name the machine."""

    cpu_family: str
    cpu: str
    host: str


class ToolchainData(Model):
    """A file of `toolchains/`."""

    summary: str
    boards: dict[str, str] = Field(min_length=1)
    platform: Annotated[str, Field(pattern=r"^linux_\w+$")]
    uname: str
    compiler: Compiler
    emulated: tuple[EmulatedBoard, ...] = Field(
        min_length=1, description="the boards that smoke tests run on, the oldest first"
    )
    python: Naming
    audit: Law
    system: str = Field(
        default="", description="the Python whose system tests what has none; else the first"
    )

    @property
    def host_platform(self) -> str:
        """The platform as `sysconfig.get_platform` says it on the board: linux-armv7l."""
        return self.platform.replace("_", "-", 1)


@dataclass(frozen=True)
class Toolchain:
    """A named toolchain: one architecture, several boards."""

    name: str
    path: Path
    data: ToolchainData

    @property
    def oldest(self) -> EmulatedBoard:
        """The board whose processor runs the least: what runs there runs on the others."""
        return self.data.emulated[0]

    def cpuinfo(self, board: EmulatedBoard) -> Path:
        """The file that is an emulated board's /proc/cpuinfo."""
        return self.path.parent / board.cpuinfo


class PackagedPython(Model):
    """A target's interpreter from a distribution's packages: a folder of `dockerfiles/`."""

    image: PlainName
    suite: PlainName
    architecture: str


class BuiltPython(Model):
    """A target's interpreter from a root that is built here: a part (see `parts`)."""

    part: str
    platform: Annotated[str, Field(pattern=r"^linux/\w+(/\w+)?$")]


PythonImage = PackagedPython | BuiltPython


class PythonData(Model):
    """One Python version."""

    tag: Annotated[str, Field(pattern=r"^cp\d+$")]
    abi: Annotated[str, Field(pattern=r"^cp\d+[a-z]*$")]
    released_with: str = ""
    glibc: Dotted = Field(description="of the oldest system with it: its wheels need no newer one")
    targets: dict[str, PythonImage]


@dataclass(frozen=True)
class Python:
    """A Python version by its name, like 3.11."""

    version: str
    data: PythonData


@dataclass(frozen=True)
class Targets:
    """Everything that `toolchains/` says."""

    toolchains: Mapping[str, Toolchain]
    pythons: Mapping[str, Python]
    others: Mapping[str, str]

    @classmethod
    def load(cls, folder: Path) -> Targets:
        """Read all files.

        Raises:
            DataError: with all faults of the first wrong file.
        """
        toolchains = {}
        for path in sorted(folder.glob("*.yaml")):
            if path.name in (PYTHONS, OTHERS):
                continue
            document = Document.read(path)
            data = document.model(ToolchainData)
            toolchain = Toolchain(name=path.stem, path=path, data=data)
            if faults := list(_emulation_faults(toolchain)):
                raise document.error(faults)
            toolchains[path.stem] = toolchain
        if not toolchains:
            raise DataError("no toolchain found", where=str(folder))
        _check_boards(toolchains.values())
        document = Document.read(folder / PYTHONS)
        pythons = {}
        if not isinstance(document.data, dict):
            raise document.error([Fault((), "must map versions like '3.11' to their data")])
        for version in document.data:
            if not isinstance(version, str):
                raise document.error([Fault((str(version),), "must be text: put it in quotes")])
            python = document.model(PythonData, where=(version,))
            unknown = sorted(set(python.targets) - set(toolchains))
            if unknown:
                raise document.error(
                    [
                        Fault((version, "targets", name), did_you_mean(name, toolchains))
                        for name in unknown
                    ]
                )
            newer = [
                Fault((version, "glibc"), f"{t.name} compiles for {t.data.compiler.glibc} already")
                for t in toolchains.values()
                if t.name in python.targets
                and _numbers(t.data.compiler.glibc) > _numbers(python.glibc)
            ]
            if newer:
                raise document.error(newer)
            pythons[version] = Python(version=version, data=python)
        for toolchain in toolchains.values():
            _check_system(toolchain, pythons)
        return cls(toolchains=toolchains, pythons=pythons, others=_others(folder / OTHERS))

    def toolchain(self, word: str) -> Toolchain:
        """The toolchain of a board, or by its own name.

        Raises:
            UsageError: nothing is called that; suggests near names.
        """
        for toolchain in self.toolchains.values():
            if word == toolchain.name or word in toolchain.data.boards:
                return toolchain
        known = [*self.toolchains, *(b for t in self.toolchains.values() for b in t.data.boards)]
        if word.lower() in self.others:
            raise UsageError(
                f"'{word}' is not a target of crosspi",
                where="--target",
                why=self.others[word.lower()],
            )
        raise UsageError(
            f"there is no target '{word}'",
            where="--target",
            fix=f"{did_you_mean(word, known)} (`invoke list` shows all)",
        )

    def law(self, toolchain: Toolchain, tags: Collection[str]) -> Law:
        """An architecture's law for Pythons by their tags, like cp39.

        The C library is that of the oldest of their systems; for Pythons that are not known, the
        one of the architecture's own law.
        """
        cells = [Cell(toolchain, p) for p in self.pythons.values() if p.data.tag in tags]
        laws = [cell.law for cell in cells] or [toolchain.data.audit]
        return min(laws, key=lambda law: _numbers(law.glibc))

    def system(self, toolchain: Toolchain) -> Cell:
        """The cell on whose system programs are tested that no Python loads.

        Raises:
            UsageError: no Python is known for this architecture.
        """
        known = [p for p in self.pythons.values() if toolchain.name in p.data.targets]
        if not known:
            raise UsageError(
                f"nothing can be tested for {toolchain.name}: no Python is known for it",
                where=PYTHONS,
                why="programs run on the system of a Python, by a harness that is written in it",
                fix="an entry of that file under `targets`",
            )
        named = [python for python in known if python.version == toolchain.data.system]
        return Cell(toolchain, (named or known)[0])

    def python(self, word: str) -> Python:
        """The Python of a version, as 3.11, cp311, python3.11 or py311.

        Raises:
            UsageError: it is unknown, or not a version of CPython.
        """
        text = word.strip().lower()
        text = re.sub(r"^(c?python-?|cp|py)(?=\d)", "", text)
        if re.fullmatch(r"[23]\d{1,2}", text):
            text = f"{text[0]}.{text[1:]}"
        if text in self.pythons:
            return self.pythons[text]
        known = "known: " + ", ".join(self.pythons)
        if match := re.fullmatch(r"(\d+\.\d+)\.\d+", text):
            fix = f"name the minor version only: --python {match[1]}"
        elif match := re.fullmatch(r"(\d+\.\d+)t", text):
            fix = f"free-threaded Pythons are not built for; with the GIL: --python {match[1]}"
        elif re.fullmatch(r"\d", text):
            fix = f"name the minor version too; {known}"
        elif re.fullmatch(r"\d+\.\d+", text):
            fix = f"{known}; a new one is an entry of {PYTHONS}"
        elif text.startswith("pypy"):
            fix = f"crosspi builds for CPython; {known}"
        else:
            fix = did_you_mean(text, self.pythons) + " (`invoke list` shows all)"
        raise UsageError(f"there is no Python '{word}'", where="--python", fix=fix)


class OtherBoards(Model):
    """Boards that people ask for and that are not ours, with what serves them."""

    names: tuple[str, ...]
    use: str


def _others(path: Path) -> Mapping[str, str]:
    """What serves a board that is not ours, by its name."""
    document = Document.read(path)
    if not isinstance(document.data, list):
        raise document.error([Fault((), "must be a list of boards and what serves them")])
    groups = [document.model(OtherBoards, where=(place,)) for place in range(len(document.data))]
    return {name: group.use for group in groups for name in group.names}


def _emulation_faults(toolchain: Toolchain) -> Iterator[Fault]:
    """What is wrong with a toolchain's emulated boards."""
    seen: set[str] = set()
    for place, board in enumerate(toolchain.data.emulated):
        where = ("emulated", place)
        if board.name in seen:
            yield Fault((*where, "name"), f"there are two emulated boards '{board.name}'")
        seen.add(board.name)
        if not toolchain.cpuinfo(board).is_file():
            yield Fault((*where, "cpuinfo"), "there is no such file")
        if board.cpu in ANY_CPU and place == 0:
            yield Fault((*where, "cpu"), f"'{board.cpu}' runs everything: name the oldest board's")
        elif board.cpu in ANY_CPU and not board.note:
            yield Fault((*where, "note"), f"say why the CPU is '{board.cpu}', not the board's own")


def _check_system(toolchain: Toolchain, pythons: Mapping[str, Python]) -> None:
    known = [v for v, python in pythons.items() if toolchain.name in python.data.targets]
    if toolchain.data.system and toolchain.data.system not in known:
        raise DataError(
            f"the system of {toolchain.name} is that of a Python that is not known for it",
            where=f"{toolchain.path}: system: {toolchain.data.system}",
            fix=did_you_mean(toolchain.data.system, known),
        )


def _check_boards(toolchains: Iterable[Toolchain]) -> None:
    owners: dict[str, str] = {}
    for toolchain in toolchains:
        for board in toolchain.data.boards:
            if board in owners:
                raise DataError(
                    f"the board '{board}' belongs to two toolchains",
                    where=str(toolchain.path),
                    why=f"'{owners[board]}' names it too",
                    fix="leave it in one of them",
                )
            owners[board] = toolchain.name


@dataclass(frozen=True)
class Slot:
    """What something is built for: an architecture, and where it is a `Cell`, a Python on it."""

    toolchain: Toolchain

    @property
    def identifier(self) -> str:
        """The build identifier, like `armv7`: it names the slot everywhere."""
        return self.toolchain.name

    @property
    def law(self) -> Law:
        """The law of what is built for it."""
        return self.toolchain.data.audit


@dataclass(frozen=True)
class Cell(Slot):
    """One Python on one architecture: what a wheel is built for."""

    python: Python

    @property
    def identifier(self) -> str:
        """The build identifier, like `cp311-armv7`: it names the cell everywhere."""
        return f"{self.python.data.tag}-{self.toolchain.name}"

    @property
    def wheel_tag(self) -> str:
        """The tags of a wheel with extension modules (PEP 425), like cp311-cp311-linux_armv7l."""
        data = self.python.data
        return f"{data.tag}-{data.abi}-{self.toolchain.data.platform}"

    @property
    def law(self) -> Law:
        """The law of the cell's wheels: its architecture's, with its Python's C library."""
        return self.toolchain.data.audit.model_copy(update={"glibc": self.python.data.glibc})

    @property
    def image(self) -> PythonImage | None:
        """Where the interpreter comes from; None where it is not known for this architecture."""
        return self.python.data.targets.get(self.toolchain.name)


def split_words(words: Sequence[str], option: str) -> list[str]:
    """The values of an option that repeats and takes commas, each once, in order.

    Raises:
        UsageError: the option is there, and names nothing.
    """
    found = list(dict.fromkeys(w.strip() for word in words for w in word.split(",") if w.strip()))
    if words and not found:
        raise UsageError(
            f"{option} names nothing",
            where=option,
            why=f"its value is {', '.join(map(repr, words))}; perhaps a variable was empty",
            fix="name something, or leave the option out",
        )
    return found
