"""The function in which an instruction lies, and the instruction as text."""

from __future__ import annotations

from functools import cached_property

import capstone
import numpy as np
import numpy.typing as npt

from crosspi.audit.code.found import Hit, Hits
from crosspi.audit.elf.file import Elf
from crosspi.audit.elf.format import ET_REL
from crosspi.audit.elf.symbols import SymbolTable

Places = npt.NDArray[np.int64]
_NAMES = 16  # of one function that are looked at: a hostile file has a million


class Names:
    """Functions by address, and capstone."""

    def __init__(self, elf: Elf) -> None:
        self._elf = elf
        self._engines: dict[bool, capstone.Cs] = {}

    def section(self, number: int) -> int:
        """What tells two places of one address apart: the section, in a relocatable file."""
        return number if self._elf.header.kind == ET_REL else 0

    @cached_property
    def _table(self) -> SymbolTable:
        return self._elf.symbols if len(self._elf.symbols) else self._elf.dynamic_symbols

    @cached_property
    def _functions(self) -> tuple[Places, Places, Places]:
        """Where each begins (below its section's number) and ends, and its number in the table."""
        numbers = np.flatnonzero(self._table.functions)
        starts = (self._table.values[numbers] & ~np.uint32(1)).astype(np.int64)
        if self._elf.header.kind == ET_REL:
            starts += self._table.sections[numbers].astype(np.int64) << 32
        sizes = self._table.sizes[numbers].astype(np.int64)
        ends = np.where(sizes == 0, (starts >> 32) + 1 << 32, starts + sizes)
        order = np.lexsort((sizes, starts))
        return starts[order], ends[order], numbers[order]

    def functions(self, hits: Hits) -> Places:
        """The number of the function around each of some instructions, or -1."""
        starts, ends, _ = self._functions
        places = hits.addresses + (hits.section << 32)
        found = np.searchsorted(starts, places, side="right") - 1
        return np.where((found >= 0) & (places < np.append(ends, 0)[found]), found, -1)

    def name(self, function: int) -> str:
        """What a function is called; '' for none. Of a few names the last of the alphabet."""
        if function < 0:
            return ""
        starts, ends, numbers = self._functions
        first = function
        while first and function - first < _NAMES:
            if (starts[first - 1], ends[first - 1]) != (starts[first], ends[first]):
                break
            first -= 1
        return max(self._table.name(int(n)) for n in numbers[first : function + 1])

    def symbol(self, hit: Hit) -> str:
        """The name of the function around an instruction, or ''."""
        return self.name(int(self.functions(Hits.of(hit))[0]))

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
