"""One ELF file against the law: its ABI, attributes, instructions, needs and paths."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from mmap import mmap
from pathlib import PurePosixPath
from typing import get_args

import numpy as np
import numpy.typing as npt

from crosspi.audit.code import classes
from crosspi.audit.code.choices import GOARM_TAGS, goarm
from crosspi.audit.code.found import Hits
from crosspi.audit.code.scan import Scan, scan
from crosspi.audit.elf.attributes import CPU_NAME, VFP_ARGS, Attributes, read_attributes
from crosspi.audit.elf.file import Elf
from crosspi.audit.elf.format import EF_ABI_HARD, EF_ABI_SOFT, ET_REL, BrokenElf, read_header
from crosspi.audit.findings import SEEN, Certainty, FileFacts, Finding, Severity, finding
from crosspi.audit.law import Dispatched, Law, Promises
from crosspi.audit.loading import highest_glibc

COMMON_BUILD_PATHS = ("/work/", "/src/", "/build/")
LOW_COVERAGE = 0.75  # of others' files, where too little is a note
_SOURCES = rb"c|cc|cpp|cxx|h|hh|hpp|inl|rs|go|py|pyx|f|f90|s|S"
_SHOWN_SYMBOLS = 3
#: Instructions of one class that are hardly constants: of megabytes of stripped code, fewer than
#: one constant is taken for one.
_MANY = 16


def audit_elf(
    data: bytes | mmap,
    name: str,
    law: Law,
    promises: Promises | None = None,
    *,
    build_paths: Sequence[str] = COMMON_BUILD_PATHS,
    own: bool = False,
) -> tuple[FileFacts, list[Finding]]:
    """One ELF file: what it is, and what is wrong with it.

    Args:
        data: the file's bytes.
        name: what to call it in findings.
        law: the target's law.
        promises: what the recipe declares.
        build_paths: folders whose names must not be in the file.
        own: it is of our own making: what is our policy and no law is asked too.
    """
    try:
        return _audit_arm(data, name, law, promises or Promises(), build_paths, own)
    except BrokenElf as error:
        return (
            FileFacts(name, len(data), "unreadable"),
            [finding("elf-broken", name, f"its tables cannot be read: {error}")],
        )


def _audit_arm(
    data: bytes | mmap,
    name: str,
    law: Law,
    promises: Promises,
    build_paths: Sequence[str],
    own: bool,
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
    instructions = [
        *_check_instructions(name, attributes, result, law, promises),
        *_check_coverage(name, result, own),
    ]
    doubts = [item.certainty for item in instructions if item.severity == "error"]
    # What is declared is the most that one object of it may hold. Where the code was looked at and
    # holds none of it, others' files may say so; ours would be made with the wrong flags. Where it
    # holds what may be data, or may be asked for, the declaration knows no more.
    blind = own or result.coverage < SEEN
    declared: Severity = "error" if blind or doubts else "note"
    sure: Certainty = "certain" if blind or not doubts else _surest(doubts)
    findings = [
        *_check_abi(elf, name, attributes),
        *(
            replace(item, certainty=sure) if item.severity == "error" else item
            for item in _check_attributes(elf, name, attributes, law, promises, own, declared)
        ),
        *instructions,
        *_check_stack(elf, name),
        *_check_paths(elf, name, build_paths, own),
    ]
    arch, fp, simd = attributes.describe() if attributes else ("none declared", "", "")
    facts = FileFacts(
        file=name,
        size=len(data),
        machine=header.machine_name,
        arch=arch,
        fp=fp,
        simd=simd,
        glibc=highest_glibc(elf),
        method=result.method,
        instructions=result.instructions,
        coverage=round(result.coverage, 4),
        counts=result.counts,
        dispatched=_excused(name, result, law, promises),
    )
    return facts, findings


def _check_abi(elf: Elf, name: str, attributes: Attributes | None) -> Iterator[Finding]:
    """EABI 5, and the hard-float ABI by the header or, where that says nothing, the attributes.

    A static program passes no floats to anybody else's library.
    """
    header = elf.header
    if header.eabi != 5:
        yield finding("eabi-version", name, f"it is of EABI version {header.eabi}, not 5")
    if header.kind == ET_REL or elf.static:
        return
    declared = attributes is not None and attributes[VFP_ARGS] == 1
    hard = bool(header.flags & EF_ABI_HARD) or (not header.flags & EF_ABI_SOFT and declared)
    if not hard:
        says = "says soft-float" if header.flags & EF_ABI_SOFT else "does not say hard-float"
        yield finding("float-abi", name, f"its header {says} (flags {header.flags:#x})")


def _check_attributes(
    elf: Elf,
    name: str,
    attributes: Attributes | None,
    law: Law,
    promises: Promises,
    own: bool,
    severity: Severity,
) -> Iterator[Finding]:
    if attributes is None:
        # Go writes none. How a program passes floats to itself is its own business.
        missing: Severity = "note" if elf.static and not own else "error"
        yield finding("attr-missing", name, "it has no .ARM.attributes", severity=missing)
        made_for = goarm(elf)
        if made_for is not None and GOARM_TAGS[made_for] > max(law.arch_tags):
            yield finding(
                "attr-arch", name, f"it is built with GOARM={made_for}", severity=severity
            )
        return
    extra = promises.for_file(name)
    arch, fp, simd = attributes.describe()
    cpu = attributes.texts.get(CPU_NAME, "")
    told: list[tuple[str, str]] = []
    if attributes.arch not in {*law.arch_tags, *(t for e in extra for t in e.arch_tags)}:
        made = f" ({cpu})" if cpu else ""
        told.append(("attr-arch", f"it is declared for {arch}{made}"))
    if attributes.fp not in {*law.fp_arch, *(t for e in extra for t in e.fp_arch)}:
        told.append(("attr-fp", f"it is declared for floating point {fp}"))
    if attributes.simd not in {*law.simd, *(t for e in extra for t in e.simd)}:
        told.append(("attr-simd", f"it is declared for SIMD {simd}"))
    if attributes.thumb2 and not law.thumb2:
        told.append(("attr-thumb2", "it is declared to hold Thumb-2 code"))
    for code, text in told:
        text += (
            "" if severity == "error" else "; of what that allows, the board has all that is used"
        )
        yield finding(code, name, text, severity=severity)


def _check_instructions(
    name: str, attributes: Attributes | None, result: Scan, law: Law, promises: Promises
) -> Iterator[Finding]:
    """One finding for each forbidden class, and one where the attributes kept silent about it."""
    lies: list[str] = []
    lying: Certainty = "unclear"
    granted = classes.granted(attributes) if attributes else classes.ALL
    for kind, severity in _asked(result, law):
        found = _forbidden(name, kind, result, promises)
        if found is None:
            continue
        text, where, certainty = found
        yield finding(
            f"isa-{kind}", name, text, where=where, severity=severity, certainty=certainty
        )
        # Assembly that asks for the CPU never declares what it then uses.
        if severity == "error" and not classes.BITS[kind] & granted and certainty != "unproven":
            lying = _surest([lying, certainty])
            lies.append(f"{classes.WORDS[kind]} at {where}")
    if lies and attributes:
        arch, fp, simd = attributes.describe()
        text = f"it declares {arch}, floating point {fp}, SIMD {simd}, and holds {'; '.join(lies)}"
        where = lies[0].split(" at ", 1)[1]
        yield finding("attr-lies", name, text, where=where, certainty=lying)


def _surest(found: Iterable[Certainty]) -> Certainty:
    return min(found, key=get_args(Certainty).index)


def _check_coverage(name: str, result: Scan, own: bool) -> Iterator[Finding]:
    """Of our own files nearly all is known; of others', whether anything was looked at."""
    if result.coverage < (SEEN if own else LOW_COVERAGE):
        # Not rounded up: 89.6 % is not the 90 % that were asked for.
        text = f"{int(result.coverage * 100)}% of its code was reached by following the execution"
        severity: Severity = "error" if own or not result.instructions else "note"
        yield finding("isa-unreached", name, text, severity=severity)


def _asked(result: Scan, law: Law) -> Iterator[tuple[str, Severity]]:
    """The classes of which the file has some and the law speaks, and how it does."""
    for kind in dict.fromkeys((*law.instructions, *law.noted)):
        if result.counts.get(kind):
            yield kind, "error" if kind in law.instructions else "note"


def _excused(name: str, result: Scan, law: Law, promises: Promises) -> dict[str, str]:
    """Why instructions beyond the law are no findings, and how many of which class they are."""
    found = {entry.why: dict.fromkeys(entry.classes, 0) for entry in promises.for_file(name)}
    for kind, _ in _asked(result, law):
        for why, number in result.chosen(classes.BITS[kind]).items():
            found.setdefault(why, {})[kind] = number
        covers = [entry for entry in promises.for_file(name) if kind in entry.classes]
        for hits in result.hits(classes.BITS[kind]) if covers else ():
            promised = _promised(result, hits, covers)
            for number, entry in enumerate(covers):
                found[entry.why][kind] += int(np.count_nonzero(promised == number))
    return {
        why: ", ".join(f"{kind} {number}" for kind, number in counts.items())
        for why, counts in found.items()
    }


def _forbidden(
    name: str, kind: str, result: Scan, promises: Promises
) -> tuple[str, str, Certainty] | None:
    """What to say about the instructions of a class that no promise covers, or None.

    It is unclear where nothing is known to lead to any of them: they may be data, if they are few;
    and unproven where they are of a library that may or may not ask for the CPU.
    """
    covers = [entry for entry in promises.for_file(name) if kind in entry.classes]
    count, guessed, asked, first = 0, 0, 0, None
    symbols: dict[str, None] = {}
    for found in result.hits(classes.BITS[kind]):
        hits = found.where(_promised(result, found, covers) < 0) if covers else found
        if not len(hits):
            continue
        first = first or hits[0]
        count += len(hits)
        choices = result.choices.asked(hits.addresses)
        asked += int(np.count_nonzero(choices))
        guessed += int(np.count_nonzero(hits.guessed & ~choices))
        functions, places = np.unique(result.names.functions(hits), return_index=True)
        for function in functions[np.argsort(places)].tolist():
            symbols[result.names.name(function)] = None
    symbols.pop("", None)
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
    where = f"{first.addr:#x}" + (f" ({_short(symbol)})" if symbol else "")
    certainty: Certainty = "certain"
    if asked + guessed == count:
        doubtful: Certainty = "unproven" if asked else "unclear"
        certainty = "likely" if guessed >= _MANY else doubtful
    return text, where, certainty


def _promised(result: Scan, hits: Hits, covers: Sequence[Dispatched]) -> npt.NDArray[np.int64]:
    """For each instruction, which of the promises covers its function first; -1 for none."""
    functions, places = np.unique(result.names.functions(hits), return_inverse=True)
    which = [
        next((n for n, entry in enumerate(covers) if entry.covers_symbol(symbol)), -1)
        for symbol in map(result.names.name, functions.tolist())
    ]
    return np.array(which, np.int64)[places]


def _short(symbol: str) -> str:
    return symbol if len(symbol) <= 60 else symbol[:57] + "..."


def _check_stack(elf: Elf, name: str) -> Iterator[Finding]:
    if elf.header.kind != ET_REL and elf.exec_stack is not False:
        why = "asks for an executable stack" if elf.exec_stack else "has no PT_GNU_STACK header"
        yield finding("exec-stack", name, f"it {why}")


def _check_paths(elf: Elf, name: str, build_paths: Sequence[str], own: bool) -> Iterator[Finding]:
    """RPATHs stay within the wheel; the names of build folders are nowhere in the file.

    Of others' files only the names of sources are paths for sure, and they do no harm.
    """
    folder = PurePosixPath(name).parent
    for path in elf.search_paths:
        if not _inside(folder, path):
            # What is not found for it is a finding of its own.
            text = f"its RPATH or RUNPATH has {path!r}"
            yield finding("rpath", name, text, severity="error" if own else "note")
    rest = rb"[\w.][ -~]*" if own else rb"(?:[\w.+@-]+/)*[\w+@-]+\.(?:" + _SOURCES + rb")(?!\w)"
    for prefix in build_paths:
        # A name of its own, not the tail of a longer path or of a URL.
        pattern = re.compile(rb"(?<![\w.~/$}+-])" + re.escape(prefix.encode()) + rest)
        match = next(filter(None, (pattern.match(elf.data, at) for at in elf.find(prefix))), None)
        if match:
            text = f"it holds the path {match[0][:120].decode('ascii', 'replace')!r}"
            where = f"offset {match.start():#x}"
            severity: Severity = "error" if own else "note"
            yield finding("build-path", name, text, where=where, severity=severity)


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
