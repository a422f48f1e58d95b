"""What instructions a file holds: the scan that confirms, or refutes, its build attributes.

Where the file keeps its mapping symbols they say what is code (`mapped`); in other files, and where
they call most of it data, `flow` follows the execution. Capstone has the last word on each
instruction that would be a finding, and prints it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import capstone
import numpy as np

from crosspi.audit.code import classes
from crosspi.audit.code.choices import Choices
from crosspi.audit.code.flow import Tracer
from crosspi.audit.code.mapped import SymbolMap, mark_mapped
from crosspi.audit.code.spaces import ARM, DATA, STATE, THUMB, UNKNOWN, Found, Space
from crosspi.audit.elf.attributes import THUMB_ISA, Attributes
from crosspi.audit.elf.file import Elf
from crosspi.audit.elf.format import ET_REL, STT_FUNC, STT_GNU_IFUNC, Symbol

MAPPED, FOLLOWED = "mapping symbols", "control flow"
_CONFIRMED = 64


@dataclass(frozen=True, slots=True)
class Hit:
    """One instruction of a class of interest.

    Attributes:
        addr: where it is loaded.
        classes: the bits of its classes.
        thumb: whether it is in Thumb state.
        section: the number of its section, in a relocatable file; else 0.
        guessed: nothing is known to lead there, it only looks like code.
    """

    addr: int
    classes: int
    thumb: bool
    section: int
    guessed: bool = False


@dataclass(slots=True)
class Scan:
    """The instructions of one file."""

    names: Names
    choices: Choices
    method: str = MAPPED
    instructions: int = 0
    code_bytes: int = 0
    seen_bytes: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    found: list[Found] = field(default_factory=list)

    @property
    def coverage(self) -> float:
        """The share of the executable bytes that was told to be either code or data."""
        return self.seen_bytes / self.code_bytes if self.code_bytes else 1.0

    def hits(self, wanted: int) -> Iterator[Hit]:
        """Every instruction of the wanted classes that is not chosen at run time (`choices`).

        Where code was found by following the execution, the first ones must be instructions for
        capstone too: `a32` is lenient about encodings that are reserved.
        """
        doubtful = _CONFIRMED if self.method == FOLLOWED else 0
        confirmed = False
        for hit in self.unconfirmed(wanted):
            if self.choices.reason(hit.addr, thumb=hit.thumb):
                continue
            if doubtful:
                doubtful -= 1
                if not self.names.disassemble(hit):
                    continue
                confirmed = True
            elif self.method == FOLLOWED and not confirmed:
                return
            yield hit

    def chosen(self, wanted: int) -> dict[str, int]:
        """Why instructions of the wanted classes only run where they can, and how many they are."""
        reasons = (self.choices.reason(h.addr, thumb=h.thumb) for h in self.unconfirmed(wanted))
        return dict(Counter(reason for reason in reasons if reason))

    def unconfirmed(self, wanted: int) -> Iterator[Hit]:
        """Every instruction that the tables say is of the wanted classes."""
        for found in self.found:
            section = self.names.section(found.code.section)
            for addr, bits, thumb, guessed in found.hits(wanted):
                yield Hit(addr, bits, thumb, section, guessed)


def scan(elf: Elf, attributes: Attributes | None) -> Scan:
    """Every instruction of a file, by class."""
    result = Scan(Names(elf), Choices(elf))
    symbols = SymbolMap(elf)
    spaces, unmapped = [], []
    for code in elf.code:
        space = Space(code)
        spaces.append(space)
        result.code_bytes += len(code.data)
        marks = symbols.marks_of(space)
        if marks:
            mark_mapped(space, marks, symbols.entries_of(space))
        # Symbols that call nearly nothing code are not believed.
        if not marks or 2 * space.count(DATA) > len(space.marks):
            unmapped.append(space)
    if unmapped and elf.header.kind != ET_REL:
        result.method = FOLLOWED
        # One that declares no Thumb, or an unknown Thumb, is told by its code.
        thumb = attributes is None or attributes[THUMB_ISA] != 0
        _follow(elf, unmapped, thumb)
    sets: dict[int, int] = {}
    for space in spaces:
        found = Found(space)
        result.found.append(found)
        result.instructions += found.instructions
        result.seen_bytes += found.seen_bytes
        for bits, number in found.counts().items():
            sets[bits] = sets.get(bits, 0) + number
    result.counts = _by_name(sets)
    return result


def _follow(elf: Elf, spaces: list[Space], thumb: bool) -> None:
    """Follows the execution through ranges; what their mapping symbols call code stays code."""
    said = [
        # Mostly there are no such symbols, and then no need for a copy.
        b"" if space.marks.count(UNKNOWN) == len(space.marks) else bytes(space.marks)
        for space in spaces
    ]
    for space in spaces:
        space.marks[:] = bytes(len(space.marks))
    Tracer(elf, spaces, thumb=thumb).run()
    for space, marked in zip(spaces, said, strict=True):
        before = np.frombuffer(marked, np.uint8)
        code = (before & STATE == ARM) | (before & STATE == THUMB)
        if code.any():
            marks = np.frombuffer(space.marks, np.uint8)
            space.marks[:] = np.where(code, before, marks).tobytes()


def _by_name(sets: dict[int, int]) -> dict[str, int]:
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

    def section(self, number: int) -> int:
        """What tells two places of one address apart: the section, in a relocatable file."""
        return number if self._elf.header.kind == ET_REL else 0

    def symbol(self, hit: Hit) -> str:
        """The name of the function around an instruction, or ''."""
        addr, section = hit.addr, hit.section
        if self._functions is None:
            self._functions = sorted(
                (self.section(symbol.section), symbol.value & ~1, symbol.size, symbol.name)
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
            (
                c
                for c in self._elf.code
                if self.section(c.section) == hit.section and c.addr <= hit.addr < c.end
            ),
            None,
        )
        if code is None:
            return ""
        if hit.thumb not in self._engines:
            mode = capstone.CS_MODE_THUMB if hit.thumb else capstone.CS_MODE_ARM
            self._engines[hit.thumb] = capstone.Cs(capstone.CS_ARCH_ARM, mode | capstone.CS_MODE_V8)
        raw = bytes(code.data[hit.addr - code.addr : hit.addr - code.addr + 4])
        for _, _, mnemonic, operands in self._engines[hit.thumb].disasm_lite(raw, hit.addr, 1):
            return f"{mnemonic} {operands}".strip()
        return ""
