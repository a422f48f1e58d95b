"""What an ELF file consists of: the numbers, the records, and how its smallest parts are read.

Sources: the System V gABI (headers, symbols, RELR), "ELF for the Arm Architecture" (AAELF32: header
flags, relocations).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from mmap import mmap
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

MAGIC = b"\x7fELF"
EM_ARM = 40
ET_REL, ET_EXEC, ET_DYN = 1, 2, 3
EF_ABI_SOFT, EF_ABI_HARD = 0x200, 0x400
PT_LOAD, PT_DYNAMIC, PT_INTERP, PT_GNU_STACK, PT_EXIDX = 1, 2, 3, 0x6474E551, 0x70000001
SHT_SYMTAB, SHT_NOBITS, SHT_EXIDX, SHT_ATTRIBUTES = 2, 8, 0x70000001, 0x70000003
SHF_EXEC = 4
STT_NOTYPE, STT_FUNC, STT_GNU_IFUNC = 0, 2, 10
R_ABS32, R_JUMP_SLOT, R_RELATIVE = 2, 22, 23

DT_NEEDED, DT_PLTRELSZ, DT_PLTGOT, DT_HASH, DT_STRTAB, DT_SYMTAB = 1, 2, 3, 4, 5, 6
DT_STRSZ, DT_INIT, DT_FINI, DT_SONAME, DT_RPATH = 10, 12, 13, 14, 15
DT_REL, DT_RELSZ, DT_JMPREL, DT_INIT_ARRAY, DT_FINI_ARRAY = 17, 18, 23, 25, 26
DT_INIT_ARRAYSZ, DT_FINI_ARRAYSZ, DT_RUNPATH = 27, 28, 29
DT_PREINIT_ARRAY, DT_PREINIT_ARRAYSZ, DT_RELRSZ, DT_RELR = 32, 33, 35, 36
DT_VERSYM, DT_VERDEF, DT_VERDEFNUM = 0x6FFFFFF0, 0x6FFFFFFC, 0x6FFFFFFD
DT_VERNEED, DT_VERNEEDNUM = 0x6FFFFFFE, 0x6FFFFFFF
DT_FLAGS_1, DF_1_PIE, STB_WEAK = 0x6FFFFFFB, 0x08000000, 2

MAX_ENTRIES, MAX_VERSIONS = 4_000_000, 20_000
MACHINES = {
    2: "SPARC",
    3: "x86 (32-bit)",
    8: "MIPS",
    20: "PowerPC",
    21: "PowerPC 64",
    22: "S/390",
    EM_ARM: "ARM",
    62: "x86-64",
    183: "AArch64",
    243: "RISC-V",
    258: "LoongArch",
}


class BrokenElf(ValueError):
    """The file says it is ELF, but its tables cannot be read."""


@dataclass(frozen=True, slots=True)
class Header:
    """What the first bytes say, for any machine."""

    bits: int
    little: bool
    kind: int
    machine: int
    flags: int
    entry: int

    @property
    def machine_name(self) -> str:
        return MACHINES.get(self.machine, f"machine {self.machine}")

    @property
    def eabi(self) -> int:
        """The EABI version, 5 for everything since 2006 (AAELF32 §5.2)."""
        return self.flags >> 24

    @property
    def is_arm32(self) -> bool:
        return self.bits == 32 and self.little and self.machine == EM_ARM


@dataclass(frozen=True, slots=True)
class Section:
    name: str
    type: int
    flags: int
    addr: int
    offset: int
    size: int
    link: int


@dataclass(frozen=True, slots=True)
class Segment:
    type: int
    flags: int
    offset: int
    addr: int
    size: int


@dataclass(frozen=True, slots=True)
class VersionNeed:
    """One symbol version that the file wants from a library, e.g. GLIBC_2.28 of libc.so.6."""

    library: str
    version: str


class Relocations(NamedTuple):
    """What the loader changes: where, in which way, and after which symbol."""

    addresses: npt.NDArray[np.uint32]
    kinds: npt.NDArray[np.uint32]
    symbols: npt.NDArray[np.uint32]


@dataclass(frozen=True, slots=True)
class Reference:
    """A dynamic symbol as the loader sees it; the version is '' where it has none."""

    name: str
    version: str
    defined: bool
    weak: bool


@dataclass(frozen=True, slots=True)
class CodeRange:
    """A stretch of executable bytes and where it is loaded."""

    name: str
    addr: int
    data: memoryview
    section: int

    @property
    def end(self) -> int:
        return self.addr + len(self.data)


def is_elf(data: bytes | memoryview | mmap) -> bool:
    return data[:4] == MAGIC


def read_header(data: bytes | mmap) -> Header:
    """The header of an ELF file of any class, byte order and machine."""
    if len(data) < 20 or not is_elf(data):
        raise BrokenElf("the file ends inside its ELF header")
    if data[4] not in (1, 2) or data[5] not in (1, 2):
        raise BrokenElf("its ELF class or byte order is neither of the two that exist")
    bits, little = 32 * data[4], data[5] == 1
    layout = ("<" if little else ">") + ("HHIIIII" if bits == 32 else "HHIQQQI")
    if len(data) < 16 + struct.calcsize(layout):
        raise BrokenElf("the file ends inside its ELF header")
    kind, machine, _version, entry, _phoff, _shoff, flags = struct.unpack_from(layout, data, 16)
    return Header(bits, little, kind, machine, flags, entry)


def bounded(count: int) -> int:
    if count > MAX_ENTRIES:
        raise BrokenElf(f"a table of {count} entries")
    return count


def read_relr(table: bytes) -> npt.NDArray[np.uint32]:
    """Addresses of a packed table of relative relocations (gABI, SHT_RELR).

    An even entry is an address; an odd one says, bit by bit, which of the 31 words that follow
    what was said before are addresses too.
    """
    entries = np.frombuffer(table, "<u4")
    places, even = np.arange(len(entries)), entries & 1 == 0
    last = np.maximum.accumulate(np.where(even, places, -1))
    behind = np.where(last < 0, 0, entries[last].astype(np.int64) + 4)
    first = behind + 124 * (places - last - 1)
    bits = entries[:, None] >> np.arange(1, 32, dtype=np.uint32) & 1 != 0
    bits[even] = False
    told = first[:, None] + 4 * np.arange(31)
    found = np.concatenate([entries[even], (told[bits] & 0xFFFFFFFF).astype(np.uint32)])
    return np.sort(found)
