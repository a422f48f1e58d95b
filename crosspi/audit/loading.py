"""What the dynamic loader does with the files of a wheel: which libraries it finds, in which
versions, and whether each symbol is somewhere.

It is played as `ld.so(8)` and the gABI say it: a module and what it needs, and what that needs, in
breadth; a library that is loaded already is not looked for; else in RPATH (also that of who asked
for it, unless there is a RUNPATH), RUNPATH, and the system's own folders.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from mmap import mmap
from pathlib import PurePosixPath

from packaging.version import Version

from crosspi.audit.elf.file import Elf
from crosspi.audit.elf.format import DT_RELR, ET_EXEC, ET_REL, BrokenElf, VersionNeed
from crosspi.audit.findings import Finding, Severity, finding
from crosspi.audit.law import Law
from crosspi.audit.namesets import NameSet
from crosspi.audit.systems import FEATURES, LOADED, System, system_with

_SHOWN = 3
_SITE = PurePosixPath("lib/python3/site-packages")
_SCHEMES = {"purelib": _SITE, "platlib": _SITE, "scripts": PurePosixPath("bin")}
_RELR = "GLIBC_ABI_DT_RELR"


@dataclass(frozen=True)
class Linkage:
    """What the loader reads of one file.

    Attributes:
        name: in the wheel, for findings.
        place: where pip puts it, below the prefix.
        module: whether Python imports it by itself.
        undefined: symbols without a version that somebody else must have. One with a version was
            found by the linker in a library of that version: the version is what counts.
    """

    name: str
    place: PurePosixPath
    program: bool
    module: bool
    static: bool
    soname: str
    needed: tuple[str, ...]
    rpath: tuple[str, ...]
    runpath: tuple[str, ...]
    interpreter: str
    versions: tuple[VersionNeed, ...]
    relr: bool
    undefined: frozenset[str]
    exports: NameSet

    @property
    def names(self) -> set[str]:
        return {self.soname, self.place.name} - {""}


def linkage(data: bytes | mmap, name: str) -> Linkage | None:
    """What the loader reads of a file; None where it loads none such."""
    try:
        elf = Elf(data)
        if not elf.header.is_arm32 or elf.header.kind == ET_REL:
            return None
        undefined: set[str] = set()
        modules: set[str] = set()
        exports = NameSet.of(_exported(elf, modules, undefined))
        old = "init" + PurePosixPath(name).name.split(".")[0]
        return Linkage(
            name=name,
            place=installed(name),
            program=elf.header.kind == ET_EXEC or bool(elf.interpreter),
            module=bool(modules) or old in exports,
            static=elf.static,
            soname=elf.soname,
            needed=elf.needed,
            rpath=elf.rpath,
            runpath=elf.runpath,
            interpreter=PurePosixPath(elf.interpreter).name,
            versions=elf.version_needs,
            relr=elf.dyn(DT_RELR) is not None,
            undefined=frozenset(undefined),
            exports=exports,
        )
    except BrokenElf:
        return None


def _exported(elf: Elf, modules: set[str], undefined: set[str]) -> Iterator[str]:
    """What others may take from a file; the rest of interest is put into the sets meanwhile."""
    for symbol in elf.references():
        if symbol.defined:
            if symbol.name.startswith("PyInit_"):
                modules.add(symbol.name)
            yield symbol.name
        elif not symbol.weak and not symbol.version:
            undefined.add(symbol.name)


def installed(member: str) -> PurePosixPath:
    """Where pip puts a member of a wheel, below the prefix (PEP 427, "spread")."""
    path = PurePosixPath(member)
    if len(path.parts) > 2 and path.parts[0].endswith(".data"):
        return _SCHEMES.get(path.parts[1], PurePosixPath()) / PurePosixPath(*path.parts[2:])
    return _SITE / path


@dataclass
class _Process:
    """A module or program with everything that is loaded for it."""

    files: list[Linkage] = field(default_factory=list)
    board: set[str] = field(default_factory=set)
    missing: list[tuple[Linkage, str]] = field(default_factory=list)


class Loader:
    """The loader of a board, over files that come together.

    Args:
        files: all of them.
        law: what the board has.
        anywhere: a library that is among the files is found wherever it lies, as in a whole system.
        preloads: tells whether Python code among the files may load libraries by itself.
    """

    def __init__(
        self,
        files: Sequence[Linkage],
        law: Law,
        *,
        anywhere: bool = False,
        preloads: Callable[[], bool] = lambda: False,
    ) -> None:
        self.files = files
        self.law = law
        self.system = system_with(law.glibc)
        self.anywhere = anywhere
        self.preloads = preloads
        self.places = {file.place: file for file in files}
        self.carried: dict[str, Linkage] = {}
        for file in files:
            for name in file.names:
                self.carried.setdefault(name, file)

    def check(self) -> Iterator[Finding]:
        """Everything that the loader will stumble over."""
        for file in self.files:
            yield from self._check_versions(file)
            yield from self._check_interpreter(file)
        told: set[tuple[str, str]] = set()
        for process in self._processes():
            for found in self._check_process(process):
                if (found.file, found.message) not in told:
                    told.add((found.file, found.message))
                    yield found

    def _processes(self) -> Iterator[_Process]:
        """What is loaded by itself, with what is loaded for it.

        Modules and programs first: what is said of a library there is said best. Then libraries
        that no file names: somebody opens them. Last, those that only name each other.
        """
        wanted = {name for file in self.files for name in file.needed}
        files = [file for file in self.files if not file.static]
        starts = [file for file in files if file.module or file.program]
        opened = [file for file in files if file.names.isdisjoint(wanted)]
        seen: set[str] = set()
        for file in (*starts, *opened, *(f for f in files if not (f.module or f.program))):
            if file.name not in seen or file.module or file.program:
                process = self._load(file)
                seen |= {other.name for other in process.files}
                yield process

    def _check_interpreter(self, file: Linkage) -> Iterator[Finding]:
        loader = file.interpreter
        if loader and loader not in self.law.needed and loader not in self.carried:
            yield finding("foreign-needed", file.name, f"its loader is {loader}")

    def _check_versions(self, file: Linkage) -> Iterator[Finding]:
        libc: list[str] = []
        gcc: list[str] = []
        for need in file.versions:
            if need.library in self.carried:
                continue
            if need.version == "GLIBC_PRIVATE" or not self._has(need.version):
                (libc if need.version.startswith("GLIBC_") else gcc).append(need.version)
        if libc:
            text = f"it needs {', '.join(libc)}; the floor is {self.law.glibc}"
            yield finding("glibc-floor", file.name, text)
        elif file.relr and not file.static and not self._has(_RELR):
            text = (
                f"its relocations are packed (DT_RELR): that needs glibc {FEATURES[_RELR]}; "
                f"the floor is {self.law.glibc}"
            )
            yield finding("glibc-floor", file.name, text)
        if gcc:
            system = self.system
            text = f"it needs {', '.join(gcc)}; {system.name} has gcc {system.gcc}"
            yield finding("gcc-floor", file.name, f"{text}, GLIBCXX_{system.glibcxx}")

    def _has(self, version: str) -> bool:
        """The C library is the law's, which may be older than the system."""
        return self.system.model_copy(update={"glibc": self.law.glibc}).has(version)

    def _check_process(self, process: _Process) -> Iterator[Finding]:
        start = process.files[0]
        certain = start.module or start.program
        for file, library in process.missing:
            yield self._not_found(file, library, certain=certain)
        if not process.missing:
            yield from self._check_symbols(process, certain=certain)

    def _not_found(self, file: Linkage, library: str, *, certain: bool) -> Finding:
        holder = self.carried.get(PurePosixPath(library).name)
        if holder is None:
            text = f"it needs {library}, which not every board has, and which does not come with it"
            return finding("foreign-needed", file.name, text)
        ways = ":".join(file.runpath or file.rpath) or "no RPATH or RUNPATH"
        text = f"it needs {library}, which lies at {holder.name}; it looks in {ways}"
        severity: Severity = "error"
        if not certain or self.preloads():
            severity = "note"
            text += "; it works where somebody has loaded that library before"
        return finding("carried-not-found", file.name, text, severity=severity)

    def _load(self, start: Linkage) -> _Process:
        process = _Process(files=[start])
        askers: dict[str, Linkage | None] = {start.name: None}
        loaded = set(start.names)
        for file in process.files:
            for library in file.needed:
                if library in loaded or library in process.board:
                    continue
                found = self._find(file, library, askers)
                if found is not None:
                    loaded |= found.names | {library}
                    if found.name not in askers:
                        askers[found.name] = file
                        process.files.append(found)
                elif library in self.law.needed:
                    process.board.add(library)
                else:
                    process.missing.append((file, library))
        return process

    def _find(
        self, file: Linkage, library: str, askers: Mapping[str, Linkage | None]
    ) -> Linkage | None:
        if self.anywhere:
            return self.carried.get(PurePosixPath(library).name)
        if "/" in library:
            return None
        folders = list(_folders(file, file.runpath))
        asker: Linkage | None = file
        while asker is not None and not file.runpath:
            folders += [] if asker.runpath else _folders(asker, asker.rpath)
            asker = askers.get(asker.name)
        return next((self.places[f / library] for f in folders if f / library in self.places), None)

    def _check_symbols(self, process: _Process, *, certain: bool) -> Iterator[Finding]:
        """Strong symbols that nothing in the process has.

        What Python has loaded is there for a module; in a whole system, as it is in that system.
        """
        loaded = [self.carried[name] for name in LOADED if self.anywhere and name in self.carried]
        others = {*process.board, *LOADED}.difference(*(file.names for file in loaded))
        board = _exports(self.system, others)
        if board is None:
            return
        for file in process.files:
            program = process.files[0].program
            lost = sorted(
                name
                for name in file.undefined - board
                if program or not name.startswith(("Py", "_Py"))
                if not any(name in other.exports for other in (*process.files, *loaded))
            )
            elsewhere = [n for n in lost if any(n in other.exports for other in self.files)]
            nowhere = [n for n in lost if n not in elsewhere]
            if nowhere:
                text = f"it needs {_some(nowhere)}, which no library that it names has"
                # Of what nobody starts by itself in a system, whoever opens it may have them.
                opened: Severity = "note" if self.anywhere and not certain else "error"
                yield finding("undefined-symbol", file.name, text, severity=opened)
            if elsewhere:
                text = f"it needs {_some(elsewhere)} of a file that it does not name"
                unsure = not certain or self.preloads()
                severity: Severity = "note" if unsure else "error"
                yield finding("undefined-symbol", file.name, text, severity=severity)


def _exports(system: System, libraries: Iterable[str]) -> frozenset[str] | None:
    """What the board's libraries export; None where that is not known of one of them."""
    tables = [system.exports(library) for library in libraries]
    if any(table is None for table in tables):
        return None
    return frozenset(name for table in tables if table is not None for name in table)


def _folders(file: Linkage, paths: Iterable[str]) -> Iterator[PurePosixPath]:
    """The folders of a search path that lie below the prefix."""
    for path in paths:
        match = re.fullmatch(r"\$(?:ORIGIN|\{ORIGIN\})(/.*)?", path)
        if not match:
            continue
        parts = list(file.place.parent.parts)
        for part in PurePosixPath((match[1] or "").lstrip("/")).parts:
            if part != "..":
                parts.append(part)
            elif parts:
                parts.pop()
        yield PurePosixPath(*parts)


def _some(names: Sequence[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def highest_glibc(elf: Elf) -> str:
    """The newest glibc that a file needs."""
    found = [
        Version(match[1])
        for need in elf.version_needs
        if (match := re.fullmatch(r"GLIBC_(\d+(?:\.\d+)*)", need.version))
    ]
    return str(max(found)) if found else ""
