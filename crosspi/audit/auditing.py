"""The audit: every ELF file of a wheel or a folder against the law of a target."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path, PurePosixPath

from packaging.version import Version

from crosspi.audit import classes
from crosspi.audit.attributes import CPU_NAME, VFP_ARGS, Attributes, read_attributes
from crosspi.audit.elf import (
    EF_ABI_HARD,
    EF_ABI_SOFT,
    ET_REL,
    MAGIC,
    BrokenElf,
    Elf,
    is_elf,
    read_header,
)
from crosspi.audit.findings import FileFacts, Finding, Report, Severity, finding
from crosspi.audit.isa import Scan, scan
from crosspi.audit.law import Law, Promises
from crosspi.audit.wheelfile import Wheel, check_suffix, check_wheel, open_wheel
from crosspi.errors import NotAWheelError

BUILD_PATHS = ("/work/", "/src/", "/build/")
LOW_COVERAGE = 0.75
_SHOWN_SYMBOLS = 3
_FOREIGN = {
    b"MZ": "a Windows program",
    b"\xfe\xed\xfa\xce": "a Mach-O file",
    b"\xfe\xed\xfa\xcf": "a Mach-O file",
    b"\xce\xfa\xed\xfe": "a Mach-O file",
    b"\xcf\xfa\xed\xfe": "a Mach-O file",
}
_EXTENSION = re.compile(r"\.(so|pyd|dll|dylib)(\.[\w.]+)?$")


def audit_wheel(
    path: Path,
    law: Law,
    promises: Promises | None = None,
    build_paths: Sequence[str] = BUILD_PATHS,
) -> Report:
    """The verdict over a wheel; raises NotAWheelError where there is no wheel to judge."""
    wheel = open_wheel(path)
    with wheel.archive:
        return _audit_open_wheel(wheel, law, promises or Promises(), build_paths)


def _audit_open_wheel(
    wheel: Wheel, law: Law, promises: Promises, build_paths: Sequence[str]
) -> Report:
    findings = list(check_wheel(wheel, law))
    elves: dict[str, bytes] = {}
    for member in wheel.members:
        head = b"" if member.is_dir() else wheel.head(member)
        if head == MAGIC:
            elves[member.filename] = wheel.read(member)
        else:
            findings += _check_other(wheel, member.filename, head)
    carried = frozenset(PurePosixPath(name).name for name in elves) | _sonames(elves.values())
    facts = []
    for name, data in elves.items():
        fact, found = audit_elf(data, name, law, promises, carried=carried, build_paths=build_paths)
        facts.append(fact)
        findings += found
        findings += _check_member(wheel, name, data, law)
    findings += _check_kind(wheel, bool(elves))
    findings += _check_glibc_tag(wheel, facts)
    findings += _check_promises(wheel.path.name, facts, promises)
    return Report(wheel.path.name, law.name, wheel.sha256, tuple(facts), _ordered(findings))


def audit_tree(
    root: Path,
    law: Law,
    promises: Promises | None = None,
    build_paths: Sequence[str] = BUILD_PATHS,
) -> Report:
    """The verdict over every ELF file below a folder, e.g. a whole userland."""
    if not root.is_dir():
        raise NotAWheelError("there is no such folder", where=str(root), fix="give a folder")
    promises = promises or Promises()
    files = list(_elf_files(root))
    carried: set[str] = {path.name for path in files}
    for path in files:
        carried |= _sonames([path.read_bytes()])
    facts, findings = [], []
    for path in files:
        name = path.relative_to(root).as_posix()
        fact, found = audit_elf(
            path.read_bytes(), name, law, promises, carried=carried, build_paths=build_paths
        )
        facts.append(fact)
        findings += found
    findings += _check_promises(str(root), facts, promises)
    return Report(str(root), law.name, "", tuple(facts), _ordered(findings))


def _elf_files(root: Path) -> Iterator[Path]:
    """Regular ELF files below a folder, each once however many hard links it has."""
    seen: set[tuple[int, int]] = set()
    for folder, _, names in os.walk(root):
        for name in sorted(names):
            path = Path(folder, name)
            status = path.lstat()
            if not stat.S_ISREG(status.st_mode) or (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            with path.open("rb") as stream:
                if is_elf(stream.read(4)):
                    yield path


def _sonames(files: Collection[bytes]) -> frozenset[str]:
    found = set()
    for data in files:
        try:
            found.add(Elf(data).soname)
        except BrokenElf:
            continue
    return frozenset(found - {""})


def _ordered(findings: list[Finding]) -> tuple[Finding, ...]:
    unique = dict.fromkeys(findings)
    return tuple(sorted(unique, key=lambda item: (item.severity, item.file, item.code)))


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
        yield finding("isa-unreached", name, text, severity="note")


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


def _check_member(wheel: Wheel, name: str, data: bytes, law: Law) -> Iterator[Finding]:
    try:
        header = read_header(data)
        exported = Elf(data).exported if header.is_arm32 else ()
    except BrokenElf:
        return
    if name.endswith(".so"):
        yield from check_suffix(wheel, name, exported, law.soabi)


def _check_other(wheel: Wheel, name: str, head: bytes) -> Iterator[Finding]:
    """Files of other systems; Python's own launchers for Windows may lie in any wheel."""
    kind = _FOREIGN.get(head) or _FOREIGN.get(head[:2])
    if kind and (_EXTENSION.search(name) or not wheel.is_any):
        severity: Severity = "note" if wheel.is_any or name.endswith(".exe") else "error"
        yield finding("foreign-machine", name, f"it is {kind}", severity=severity)
    elif _EXTENSION.search(name) and name.endswith(".so") and not head.startswith(b"/*"):
        if head[:4] in (b"INPU", b"GROU", b"OUTP"):
            return
        yield finding("elf-broken", name, "it is called .so, and is no ELF file")


def _check_kind(wheel: Wheel, has_elf: bool) -> Iterator[Finding]:
    if wheel.is_any and has_elf:
        yield finding("any-with-elf", wheel.path.name, "its tag says any, and it holds ELF files")
    elif not wheel.is_any and not has_elf:
        platforms = ", ".join(sorted(wheel.platforms))
        text = f"it is for {platforms}, and holds no ELF file"
        yield finding("platform-without-elf", wheel.path.name, text)
    elif wheel.is_any:
        yield finding("pure-python", wheel.path.name, "it holds no machine code", severity="note")


def _check_glibc_tag(wheel: Wheel, facts: Sequence[FileFacts]) -> Iterator[Finding]:
    """A manylinux tag promises a glibc (PEP 600); the files keep to the lowest promise."""
    promised = [
        version
        for platform in wheel.platforms
        if (version := _manylinux_glibc(platform)) is not None
    ]
    if not promised:
        return
    for fact in facts:
        if fact.glibc and Version(fact.glibc) > min(promised):
            text = f"the wheel's name promises glibc {min(promised)}, it needs {fact.glibc}"
            yield finding("glibc-tag", fact.file, text)


def _manylinux_glibc(platform: str) -> Version | None:
    legacy = {"manylinux1_": "2.5", "manylinux2010_": "2.12", "manylinux2014_": "2.17"}
    for prefix, version in legacy.items():
        if platform.startswith(prefix):
            return Version(version)
    match = re.match(r"manylinux_(\d+)_(\d+)_", platform)
    return Version(f"{match[1]}.{match[2]}") if match else None


def _check_promises(
    subject: str, facts: Sequence[FileFacts], promises: Promises
) -> Iterator[Finding]:
    if promises.neon and not any(fact.counts.get("neon") for fact in facts):
        yield finding("promise-neon", subject, "NEON is promised, and no file has any of it")
