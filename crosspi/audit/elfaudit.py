"""One ELF file against the law: its ABI, attributes, instructions, needs and paths."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from pathlib import PurePosixPath

from packaging.version import Version

from crosspi.audit.attributes import CPU_NAME, VFP_ARGS, Attributes, read_attributes
from crosspi.audit.code import classes
from crosspi.audit.code.scan import Scan, scan
from crosspi.audit.elf import (
    EF_ABI_HARD,
    EF_ABI_SOFT,
    ET_REL,
    BrokenElf,
    Elf,
    read_header,
)
from crosspi.audit.findings import FileFacts, Finding, Severity, finding
from crosspi.audit.law import Law, Promises

BUILD_PATHS = ("/work/", "/src/", "/build/")
LOW_COVERAGE = 0.75
_SHOWN_SYMBOLS = 3


def audit_elf(
    data: bytes,
    name: str,
    law: Law,
    promises: Promises | None = None,
    *,
    carried: Collection[str] = (),
    build_paths: Sequence[str] = BUILD_PATHS,
) -> tuple[FileFacts, list[Finding]]:
    """One ELF file: what it is, and what is wrong with it.

    Args:
        data: the file's bytes.
        name: what to call it in findings.
        law: the target's law.
        promises: what the recipe declares.
        carried: names of the libraries that come with it.
        build_paths: folders whose names must not be in the file.
    """
    try:
        return _audit_arm(data, name, law, promises or Promises(), carried, build_paths)
    except BrokenElf as error:
        return (
            FileFacts(name, len(data), "unreadable"),
            [finding("elf-broken", name, f"its tables cannot be read: {error}")],
        )


def _audit_arm(
    data: bytes,
    name: str,
    law: Law,
    promises: Promises,
    carried: Collection[str],
    build_paths: Sequence[str],
) -> tuple[FileFacts, list[Finding]]:
    header = read_header(data)
    if not header.is_arm32 or header.machine_name != law.machine:
        order = "" if header.little else ", big-endian"
        text = f"it is for {header.machine_name} ({header.bits}-bit{order}), not {law.machine}"
        facts = FileFacts(name, len(data), header.machine_name)
        return facts, [finding("foreign-machine", name, text)]
    elf = Elf(data)
    attributes = read_attributes(elf)
    result = scan(elf, attributes)
    findings = [
        *_check_abi(elf, name, attributes),
        *_check_attributes(name, attributes, law, promises),
        *_check_instructions(name, attributes, result, law, promises),
        *_check_loading(elf, name, law, carried),
        *_check_paths(elf, name, build_paths),
    ]
    arch, fp, simd = attributes.describe() if attributes else ("none declared", "", "")
    facts = FileFacts(
        file=name,
        size=len(data),
        machine=header.machine_name,
        arch=arch,
        fp=fp,
        simd=simd,
        glibc=_highest_glibc(elf, carried),
        method=result.method,
        instructions=result.instructions,
        coverage=round(result.coverage, 4),
        counts=result.counts,
        dispatched={entry.why: ", ".join(entry.classes) for entry in promises.for_file(name)},
    )
    return facts, findings


def _check_abi(elf: Elf, name: str, attributes: Attributes | None) -> Iterator[Finding]:
    """EABI 5, and the hard-float ABI by the header or, where that says nothing, the attributes."""
    header = elf.header
    if header.eabi != 5:
        yield finding("eabi-version", name, f"it is of EABI version {header.eabi}, not 5")
    if header.kind == ET_REL:
        return
    declared = attributes is not None and attributes[VFP_ARGS] == 1
    hard = bool(header.flags & EF_ABI_HARD) or (not header.flags & EF_ABI_SOFT and declared)
    if not hard:
        says = "says soft-float" if header.flags & EF_ABI_SOFT else "does not say hard-float"
        yield finding("float-abi", name, f"its header {says} (flags {header.flags:#x})")


def _check_attributes(
    name: str, attributes: Attributes | None, law: Law, promises: Promises
) -> Iterator[Finding]:
    if attributes is None:
        yield finding("attr-missing", name, "it has no .ARM.attributes")
        return
    extra = promises.for_file(name)
    arch, fp, simd = attributes.describe()
    cpu = attributes.texts.get(CPU_NAME, "")
    if attributes.arch not in {*law.arch_tags, *(t for e in extra for t in e.arch_tags)}:
        made = f" ({cpu})" if cpu else ""
        yield finding("attr-arch", name, f"it is declared for {arch}{made}")
    if attributes.fp not in {*law.fp_arch, *(t for e in extra for t in e.fp_arch)}:
        yield finding("attr-fp", name, f"it is declared for floating point {fp}")
    if attributes.simd not in {*law.simd, *(t for e in extra for t in e.simd)}:
        yield finding("attr-simd", name, f"it is declared for SIMD {simd}")
    if attributes.thumb2 and not law.thumb2:
        yield finding("attr-thumb2", name, "it is declared to hold Thumb-2 code")


def _check_instructions(
    name: str, attributes: Attributes | None, result: Scan, law: Law, promises: Promises
) -> Iterator[Finding]:
    """One finding for each forbidden class, and one where the attributes kept silent about it."""
    lies: list[str] = []
    granted = classes.granted(attributes) if attributes else classes.ALL
    rules: tuple[tuple[tuple[str, ...], Severity], ...] = (
        (law.instructions, "error"),
        (tuple(n for n in law.noted if n not in law.instructions), "note"),
    )
    for names, severity in rules:
        for kind in names:
            if not result.counts.get(kind):
                continue
            found = _forbidden(name, kind, result, promises)
            if found is None:
                continue
            text, where = found
            yield finding(f"isa-{kind}", name, text, where=where, severity=severity)
            if severity == "error" and not classes.BITS[kind] & granted:
                lies.append(f"{classes.WORDS[kind]} at {where}")
    if lies and attributes:
        arch, fp, simd = attributes.describe()
        text = f"it declares {arch}, floating point {fp}, SIMD {simd}, and holds {'; '.join(lies)}"
        yield finding("attr-lies", name, text, where=lies[0].split(" at ", 1)[1])
    if result.coverage < LOW_COVERAGE:
        text = f"{result.coverage:.0%} of its code was reached by following the execution"
        blind: Severity = "note" if result.instructions else "error"
        yield finding("isa-unreached", name, text, severity=blind)


def _forbidden(name: str, kind: str, result: Scan, promises: Promises) -> tuple[str, str] | None:
    """What to say about the instructions of a class that no promise covers, or None."""
    covers = [entry for entry in promises.for_file(name) if kind in entry.classes]
    count, first = 0, None
    symbols: dict[str, None] = {}
    for hit in result.hits(classes.BITS[kind]):
        symbol = result.names.symbol(hit)
        if any(entry.covers_symbol(symbol) for entry in covers):
            continue
        first = first or hit
        count += 1
        if symbol:
            symbols[symbol] = None
    if first is None:
        return None
    named = [_short(symbol) for symbol in symbols]
    more = len(named) - _SHOWN_SYMBOLS
    text = f"{count} {classes.WORDS[kind]} instruction{'s' * (count != 1)}"
    instruction = result.names.disassemble(first)
    if instruction:
        text += f", the first is `{instruction}`"
    if named:
        shown = ", ".join(named[:_SHOWN_SYMBOLS])
        text += f"; in {shown}" + (f" and {more} more functions" if more > 0 else "")
    symbol = result.names.symbol(first)
    return text, f"{first.addr:#x}" + (f" ({_short(symbol)})" if symbol else "")


def _short(symbol: str) -> str:
    return symbol if len(symbol) <= 60 else symbol[:57] + "..."


def _check_loading(elf: Elf, name: str, law: Law, carried: Collection[str]) -> Iterator[Finding]:
    """What the dynamic loader will look for."""
    if elf.header.kind == ET_REL:
        return
    if elf.exec_stack is not False:
        why = "asks for an executable stack" if elf.exec_stack else "has no PT_GNU_STACK header"
        yield finding("exec-stack", name, f"it {why}")
    for library in elf.needed:
        if library not in law.needed and PurePosixPath(library).name not in carried:
            text = f"it needs {library}, which not every board has, and which does not come with it"
            yield finding("foreign-needed", name, text)
    loader = PurePosixPath(elf.interpreter).name
    if loader and loader not in law.needed and loader not in carried:
        yield finding("foreign-needed", name, f"its loader is {elf.interpreter}")
    floor = Version(law.glibc)
    above, cxx = [], []
    for need in elf.version_needs:
        if need.library in carried:
            continue
        version = _glibc_version(need.version)
        if need.version == "GLIBC_PRIVATE" or (version is not None and version > floor):
            above.append(need.version)
        elif need.version.startswith(("GLIBCXX_", "CXXABI_")):
            cxx.append(need.version)
    if above:
        text = f"it needs {', '.join(above)}; the floor is {law.glibc}"
        yield finding("glibc-floor", name, text)
    if cxx:
        yield finding("glibcxx-need", name, f"it needs {', '.join(cxx)} of the system's libstdc++")


def _glibc_version(version: str) -> Version | None:
    match = re.fullmatch(r"GLIBC_(\d+(?:\.\d+)*)", version)
    return Version(match[1]) if match else None


def _highest_glibc(elf: Elf, carried: Collection[str]) -> str:
    found = [
        version
        for need in elf.version_needs
        if need.library not in carried and (version := _glibc_version(need.version)) is not None
    ]
    return str(max(found)) if found else ""


def _check_paths(elf: Elf, name: str, build_paths: Sequence[str]) -> Iterator[Finding]:
    """RPATHs stay within the wheel; the names of build folders are nowhere in the file."""
    folder = PurePosixPath(name).parent
    for path in elf.search_paths:
        if not _inside(folder, path):
            yield finding("rpath", name, f"its RPATH or RUNPATH has {path!r}")
    for prefix in build_paths:
        # A name of its own, not the tail of a longer path or of a URL.
        match = re.search(rb"(?<![\w.~/$}+-])" + re.escape(prefix.encode()) + rb"[ -~]*", elf.data)
        if match:
            text = f"it holds the path {match[0][:120].decode('ascii', 'replace')!r}"
            yield finding("build-path", name, text, where=f"offset {match.start():#x}")


def _inside(folder: PurePosixPath, path: str) -> bool:
    """Whether a search path is relative to the file and stays below the top of the wheel."""
    match = re.fullmatch(r"\$(?:ORIGIN|\{ORIGIN\})(/.*)?", path)
    if not match:
        return False
    depth = len(folder.parts)
    for part in PurePosixPath((match[1] or "").lstrip("/")).parts:
        depth += -1 if part == ".." else 1
        if depth < 0:
            return False
    return True
