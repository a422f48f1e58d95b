"""What instructions a file holds: the scan that confirms, or refutes, its build attributes.

Where the file keeps its mapping symbols ($a ARM, $t Thumb, $d data; AAELF32 §5.5.5) they say
exactly what is code. Only instructions that were written as numbers (`.word`, `.byte`) are marked
as data there: they are found where the execution runs into them. In other files `flow` follows the
execution. Capstone has the last word on each instruction that would be a finding, and prints it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field

import capstone

from crosspi.audit.attributes import THUMB_ISA, Attributes
from crosspi.audit.code import a32, classes
from crosspi.audit.code.flow import Tracer
from crosspi.audit.code.spaces import (
    ARM,
    DATA,
    THUMB,
    UNKNOWN,
    Space,
    decode_arm,
    decode_thumb,
    make_space,
)
from crosspi.audit.elf import ET_REL, STT_FUNC, STT_GNU_IFUNC, CodeRange, Elf, Symbol

MAPPED, FOLLOWED = "mapping symbols", "control flow"
_CONFIRMED = 64
_LEAVES = a32.BRANCH | a32.INDIRECT | a32.TRAP
_ARM_NOPS = (0xE320F000, 0xE1A00000)
_THUMB_NOPS = (0xBF00, 0x46C0, 0x0000, 0xF3AF)


@dataclass(frozen=True, slots=True)
class Hit:
    """One instruction of a class of interest."""

    addr: int
    classes: int
    thumb: bool
    section: int


@dataclass(slots=True)
class Scan:
    """The instructions of one file."""

    names: Names
    method: str = MAPPED
    instructions: int = 0
    code_bytes: int = 0
    seen_bytes: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    raw_hits: list[tuple[int, int, bool, int]] = field(default_factory=list)

    @property
    def coverage(self) -> float:
        """The share of the executable bytes that was told to be either code or data."""
        return self.seen_bytes / self.code_bytes if self.code_bytes else 1.0

    def hits(self, wanted: int) -> Iterator[Hit]:
        """Every instruction of the wanted classes.

        Where code was found by following the execution, the first ones must be instructions for
        capstone too: `a32` is lenient about encodings that are reserved.
        """
        doubtful = _CONFIRMED if self.method == FOLLOWED else 0
        confirmed = False
        for raw in self.raw_hits:
            if not raw[1] & wanted:
                continue
            hit = Hit(*raw)
            if doubtful:
                doubtful -= 1
                if not self.names.disassemble(hit):
                    continue
                confirmed = True
            elif self.method == FOLLOWED and not confirmed:
                return
            yield hit


def scan(elf: Elf, attributes: Attributes | None) -> Scan:
    """Every instruction of a file, by class."""
    result = Scan(Names(elf))
    mapping, entries = _mapping(elf), _entries(elf)
    unmapped: list[CodeRange] = []
    for code in elf.code:
        result.code_bytes += len(code.data)
        marks = mapping.get(code.section)
        if marks:
            _scan_mapped(code, marks, entries, result)
        else:
            unmapped.append(code)
    if unmapped and elf.header.kind != ET_REL:
        _scan_flow(elf, unmapped, attributes, result)
    result.counts = _count(result.raw_hits)
    return result


def _mapping(elf: Elf) -> dict[int, list[tuple[int, int]]]:
    """Mapping symbols by section: (address, kind), in order."""
    kinds = {"$a": ARM, "$t": THUMB, "$d": DATA}
    found: dict[int, list[tuple[int, int]]] = {}
    for symbol in elf.symbols:
        kind = kinds.get(symbol.name[:2])
        if kind is not None and (len(symbol.name) == 2 or symbol.name[2] == "."):
            found.setdefault(symbol.section, []).append((symbol.value, kind))
    for marks in found.values():
        marks.sort()
    return found


def _entries(elf: Elf) -> dict[tuple[int, int], int]:
    """The instruction set of each function, by its section and address."""
    return {
        (symbol.section, symbol.value & ~1): THUMB if symbol.value & 1 else ARM
        for symbol in elf.symbols
        if symbol.type in (STT_FUNC, STT_GNU_IFUNC) and symbol.defined
    }


def _scan_mapped(
    code: CodeRange,
    marks: list[tuple[int, int]],
    entries: dict[tuple[int, int], int],
    result: Scan,
) -> None:
    space = make_space(code)
    ends = [addr for addr, _ in marks[1:]] + [code.end]
    entered = UNKNOWN
    for (start, kind), end in zip(marks, ends, strict=True):
        start, end = max(start, code.addr), min(end, code.end)
        if kind == DATA:
            kind = entries.get((code.section, start), entered)
            _scan_numbers(space, start, end, kind, result)
            entered = UNKNOWN
        else:
            scan_code = _scan_arm if kind == ARM else _scan_thumb
            entered = kind if scan_code(space, start, end, result) else UNKNOWN
    result.seen_bytes += code.end - max(marks[0][0], code.addr)


def _scan_arm(space: Space, start: int, end: int, result: Scan) -> bool:
    """All instructions of a stretch; True if the execution runs into what follows it.

    What counts is the last one that is no padding: data is aligned behind the end of a function.
    """
    first = max((start - space.first_word + 3) >> 2, 0)
    last = min((end - space.first_word) >> 2, len(space.words))
    section, hits = space.code.section, result.raw_hits
    leaves = _LEAVES
    for at in range(first, last):
        found = decode_arm(space.words[at])
        if found > 0 and found & classes.ALL:
            hits.append((space.first_word + 4 * at, found & classes.ALL, False, section))
        if space.words[at] not in _ARM_NOPS:
            leaves = found & _LEAVES
    result.instructions += max(last - first, 0)
    return not leaves


def _scan_thumb(space: Space, start: int, end: int, result: Scan) -> bool:
    """As `_scan_arm`."""
    at = (start - space.code.addr) >> 1
    last = min((end - space.code.addr) >> 1, len(space.halves))
    section, hits = space.code.section, result.raw_hits
    leaves = _LEAVES
    while at < last:
        following = space.halves[at + 1] if at + 1 < len(space.halves) else 0
        found, size = decode_thumb(space.halves[at], following)
        if found != a32.INVALID:
            hits.append((space.code.addr + 2 * at, found & classes.ALL, True, section))
        if space.halves[at] not in _THUMB_NOPS:
            leaves = found & _LEAVES
        result.instructions += 1
        at += size
    return not leaves


def _scan_numbers(space: Space, start: int, end: int, kind: int, result: Scan) -> None:
    """Data that is executed: instructions written as numbers, up to one that leads away."""
    found: list[tuple[int, int, bool, int]] = []
    at, smallest = start, 4 if kind == ARM else 2
    while kind != UNKNOWN and at + smallest <= end:
        offset = at - space.code.addr
        if kind == ARM:
            word = int.from_bytes(space.code.data[offset : offset + 4], "little")
            what, size = decode_arm(word), 4
        else:
            half, *more = space.halves[offset >> 1 : (offset >> 1) + 2]
            what, halves = decode_thumb(half, more[0] if more else 0)
            size = 2 * halves
        if what == a32.INVALID:
            return
        if what & classes.ALL:
            found.append((at, what & classes.ALL, kind == THUMB, space.code.section))
        at += size
        if what & _LEAVES:
            break
    result.raw_hits += found
    result.instructions += len(found)


def _scan_flow(
    elf: Elf, ranges: list[CodeRange], attributes: Attributes | None, result: Scan
) -> None:
    """A stripped file. One that declares no Thumb, or an unknown Thumb, is told by its code."""
    thumb = attributes is None or attributes[THUMB_ISA] != 0
    trace = Tracer(elf, ranges, thumb=thumb).run()
    result.method = FOLLOWED
    section = {space.code.addr: space.code.section for space in trace.spaces}
    starts = sorted(section)
    for addr, found, in_thumb in trace.kept_hits():
        number = section[starts[bisect_right(starts, addr) - 1]]
        result.raw_hits.append((addr, found, in_thumb, number))
    for space in trace.spaces:
        arm, thumbs = space.marks.count(ARM), space.marks.count(THUMB)
        result.seen_bytes += 2 * (len(space.marks) - space.marks.count(UNKNOWN))
        result.instructions += arm // 2
        if thumbs:
            base = space.code.addr
            result.instructions += sum(
                1
                for addr in trace.hits
                if base <= addr < space.code.end and space.marks[(addr - base) >> 1] == THUMB
            )


def _count(hits: list[tuple[int, int, bool, int]]) -> dict[str, int]:
    sets: dict[int, int] = {}
    for _, found, _, _ in hits:
        sets[found] = sets.get(found, 0) + 1
    counts: dict[str, int] = {}
    for found, number in sets.items():
        for name in classes.names_of(found):
            counts[name] = counts.get(name, 0) + number
    return {name: counts[name] for name in classes.NAMES if name in counts}


class Names:
    """The function in which an address lies, and the instruction there as text."""

    def __init__(self, elf: Elf) -> None:
        self._elf = elf
        self._functions: list[tuple[int, int, int, str]] | None = None
        self._engines: dict[bool, capstone.Cs] = {}

    def symbol(self, hit: Hit) -> str:
        """The name of the function around an instruction, or ''."""
        addr, section = hit.addr, hit.section
        if self._functions is None:
            self._functions = sorted(
                (symbol.section, symbol.value & ~1, symbol.size, symbol.name)
                for symbol in self._all()
                if symbol.type in (STT_FUNC, STT_GNU_IFUNC) and symbol.defined
            )
        at = bisect_right(self._functions, (section, addr, 0xFFFFFFFF, "\U0010ffff")) - 1
        if at < 0 or self._functions[at][0] != section:
            return ""
        _, start, size, name = self._functions[at]
        return name if not size or addr < start + size else ""

    def _all(self) -> tuple[Symbol, ...]:
        return self._elf.symbols or self._elf.dynamic_symbols

    def disassemble(self, hit: Hit) -> str:
        """An instruction as text, or '' where capstone knows none."""
        code = next(
            (c for c in self._elf.code if c.section == hit.section and c.addr <= hit.addr < c.end),
            None,
        )
        if code is None:
            return ""
        if hit.thumb not in self._engines:
            mode = capstone.CS_MODE_THUMB if hit.thumb else capstone.CS_MODE_ARM
            self._engines[hit.thumb] = capstone.Cs(capstone.CS_ARCH_ARM, mode | capstone.CS_MODE_V8)
        raw = code.data[hit.addr - code.addr : hit.addr - code.addr + 4]
        for _, _, mnemonic, operands in self._engines[hit.thumb].disasm_lite(raw, hit.addr, 1):
            return f"{mnemonic} {operands}".strip()
        return ""
