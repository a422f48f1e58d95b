"""Reading an ELF file from bytes: the parts that decide whether a board can load it.

Every table is read by `struct` with its bounds checked, since a wheel may come from anyone: a
file that is cut off or lies about itself raises `BrokenElf` and never runs away. Sources: the
System V gABI (headers, dynamic section), "ELF for the Arm Architecture" (AAELF32: header flags,
mapping symbols, `.ARM.exidx`) and the LSB (symbol versions).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
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


class Symbol(NamedTuple):
    name: str
    value: int
    size: int
    type: int
    bind: int
    section: int

    @property
    def defined(self) -> bool:
        return self.section != 0


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


def is_elf(data: bytes | mmap) -> bool:
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


class Elf:
    """A 32-bit little-endian ELF file; its tables are read when they are first asked for."""

    def __init__(self, data: bytes | mmap) -> None:
        self.data = data
        self._view = memoryview(data)
        self.header = read_header(data)
        if self.header.bits != 32 or not self.header.little:
            raise BrokenElf("not a 32-bit little-endian file")

    def bytes_at(self, offset: int, size: int) -> bytes:
        return bytes(self.view_at(offset, size))

    def view_at(self, offset: int, size: int) -> memoryview:
        """A part of the file, without a copy of it."""
        if offset < 0 or size < 0 or offset + size > len(self.data):
            raise BrokenElf(f"a table of {size} bytes at {offset:#x} lies outside the file")
        return self._view[offset : offset + size]

    @cached_property
    def segments(self) -> tuple[Segment, ...]:
        phoff = struct.unpack("<I", self.bytes_at(28, 4))[0]
        size, count = struct.unpack("<HH", self.bytes_at(42, 4))
        if not count:
            return ()
        if size < 32:
            raise BrokenElf(f"program headers of {size} bytes")
        found = []
        for number in range(count):
            kind, offset, addr, _, filesz, _, flags, _ = struct.unpack(
                "<8I", self.bytes_at(phoff + number * size, 32)
            )
            if kind == PT_LOAD:
                self.view_at(offset, filesz)
            found.append(Segment(kind, flags, offset, addr, filesz))
        return tuple(found)

    @cached_property
    def sections(self) -> tuple[Section, ...]:
        """The section headers; a fully stripped file has none."""
        shoff = struct.unpack("<I", self.bytes_at(32, 4))[0]
        size, count, names = struct.unpack("<HHH", self.bytes_at(46, 6))
        if not shoff or not count:
            return ()
        if size < 40:
            raise BrokenElf(f"section headers of {size} bytes")
        rows = [
            struct.unpack("<10I", self.bytes_at(shoff + number * size, 40))
            for number in range(count)
        ]
        table = self.bytes_at(rows[names][4], rows[names][5]) if names < count else b""
        return tuple(
            Section(_string(table, row[0]), row[1], row[2], row[3], row[4], row[5], row[6])
            for row in rows
        )

    def section_bytes(self, section: Section) -> bytes:
        return b"" if section.type == SHT_NOBITS else self.bytes_at(section.offset, section.size)

    def find_section(self, kind: int) -> Section | None:
        return next((section for section in self.sections if section.type == kind), None)

    def load(self, addr: int, size: int) -> bytes:
        """Bytes by the address at which they are loaded."""
        for segment in self.segments:
            if segment.type == PT_LOAD and segment.addr <= addr < segment.addr + segment.size:
                if addr + size > segment.addr + segment.size:
                    break
                return self.bytes_at(segment.offset + addr - segment.addr, size)
        raise BrokenElf(f"address {addr:#x} (+{size}) is in no segment of the file")

    def word(self, addr: int) -> int | None:
        """The 32-bit word loaded at an address, or None where the file has nothing there."""
        for start, end, shift in self._loaded:
            if start <= addr < end:
                return int.from_bytes(self.data[addr + shift : addr + shift + 4], "little")
        return None

    def words(self, addresses: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
        """The words loaded at those of the addresses where the file has something."""
        found = []
        for start, end, shift in self._loaded:
            mine = addresses[(addresses >= start) & (addresses < end)].astype(np.int64) + shift
            there = np.frombuffer(self._view, np.uint8)
            found.append(sum(there[mine + n].astype(np.uint32) << 8 * n for n in range(4)))
        return np.concatenate([np.zeros(0, np.uint32), *found])

    @cached_property
    def _loaded(self) -> tuple[tuple[int, int, int], ...]:
        """Of each loaded segment, where words may begin, and from address to offset."""
        return tuple(
            (segment.addr, segment.addr + segment.size - 3, segment.offset - segment.addr)
            for segment in self.segments
            if segment.type == PT_LOAD
        )

    @cached_property
    def dynamic(self) -> tuple[tuple[int, int], ...]:
        """(tag, value) of the dynamic section, which is what the loader reads."""
        for segment in self.segments:
            if segment.type == PT_DYNAMIC:
                table = self.bytes_at(segment.offset, segment.size // 8 * 8)
                rows = []
                for tag, value in struct.iter_unpack("<II", table):
                    if tag == 0:
                        break
                    rows.append((tag, value))
                return tuple(rows)
        return ()

    def dyn(self, tag: int) -> int | None:
        return next((value for key, value in self.dynamic if key == tag), None)

    @cached_property
    def _dynstr(self) -> bytes:
        addr, size = self.dyn(DT_STRTAB), self.dyn(DT_STRSZ)
        return self.load(addr, size) if addr is not None and size else b""

    def _dyn_strings(self, tag: int) -> tuple[str, ...]:
        return tuple(_string(self._dynstr, value) for key, value in self.dynamic if key == tag)

    @property
    def needed(self) -> tuple[str, ...]:
        return self._dyn_strings(DT_NEEDED)

    @property
    def soname(self) -> str:
        return next(iter(self._dyn_strings(DT_SONAME)), "")

    @property
    def rpath(self) -> tuple[str, ...]:
        return _folders(self._dyn_strings(DT_RPATH))

    @property
    def runpath(self) -> tuple[str, ...]:
        return _folders(self._dyn_strings(DT_RUNPATH))

    @property
    def search_paths(self) -> tuple[str, ...]:
        """The folders of RPATH and RUNPATH."""
        return self.rpath + self.runpath

    @property
    def static(self) -> bool:
        """A program that no loader touches: it passes nothing to anybody else's library."""
        if self.header.kind == ET_REL or self.interpreter or self.needed:
            return False
        return self.header.kind == ET_EXEC or bool((self.dyn(DT_FLAGS_1) or 0) & DF_1_PIE)

    @property
    def interpreter(self) -> str:
        for segment in self.segments:
            if segment.type == PT_INTERP:
                return _string(self.bytes_at(segment.offset, segment.size), 0)
        return ""

    @property
    def exec_stack(self) -> bool | None:
        """True or False as PT_GNU_STACK says; None where it is missing (then Linux says yes)."""
        for segment in self.segments:
            if segment.type == PT_GNU_STACK:
                return bool(segment.flags & 1)
        return None

    @cached_property
    def version_needs(self) -> tuple[VersionNeed, ...]:
        return tuple(need for _, need in self._version_needs)

    @cached_property
    def _version_needs(self) -> tuple[tuple[int, VersionNeed], ...]:
        """The needs by the number that symbols name them by."""
        addr, count = self.dyn(DT_VERNEED), self.dyn(DT_VERNEEDNUM)
        if addr is None or not count:
            return ()
        found = []
        for _ in range(count):
            _version, number, file, aux, following = struct.unpack("<HHIII", self.load(addr, 16))
            library, entry = _string(self._dynstr, file), addr + aux
            for _ in range(number):
                _hash, _flags, other, name, step = struct.unpack("<IHHII", self.load(entry, 16))
                need = VersionNeed(library, _string(self._dynstr, name))
                found.append((other & 0x7FFF, need))
                if not step:
                    break
                if len(found) > MAX_VERSIONS:
                    raise BrokenElf("it needs too many symbol versions to be true")
                entry += step
            if not following:
                break
            addr += following
        return tuple(found)

    @cached_property
    def _own_versions(self) -> dict[int, str]:
        """The versions that the file defines, by number (DT_VERDEF; the first is its name)."""
        addr, count = self.dyn(DT_VERDEF), self.dyn(DT_VERDEFNUM)
        found: dict[int, str] = {}
        for _ in range(_bounded(count or 0) if addr is not None else 0):
            assert addr is not None
            _version, flags, number, _count, _hash, aux, following = struct.unpack(
                "<HHHHIII", self.load(addr, 20)
            )
            if not flags & 1:
                name = struct.unpack("<I", self.load(addr + aux, 4))[0]
                found[number & 0x7FFF] = _string(self._dynstr, name)
            if not following:
                break
            addr += following
        return found

    @cached_property
    def references(self) -> tuple[Reference, ...]:
        """The dynamic symbols with their versions."""
        symbols, table = self.dynamic_symbols, self.dyn(DT_VERSYM)
        names = self._own_versions | {number: need.version for number, need in self._version_needs}
        numbers: tuple[int, ...] = (1,) * len(symbols)
        if table is not None:
            numbers = struct.unpack(f"<{len(symbols)}H", self.load(table, 2 * len(symbols)))
        return tuple(
            Reference(s.name, names.get(n & 0x7FFF, ""), s.defined, s.bind == STB_WEAK)
            for s, n in zip(symbols, numbers, strict=True)
            if s.name and s.bind
        )

    @cached_property
    def dynamic_symbols(self) -> tuple[Symbol, ...]:
        addr = self.dyn(DT_SYMTAB)
        if addr is None:
            return ()
        return tuple(_symbols(self.load(addr, 16 * self._dynsym_count(addr)), self._dynstr))

    def _dynsym_count(self, addr: int) -> int:
        for section in self.sections:
            if section.addr == addr and section.type == 11:
                return _bounded(section.size // 16)
        table = self.dyn(DT_HASH)
        if table is not None:
            return _bounded(struct.unpack("<II", self.load(table, 8))[1])
        strings = self.dyn(DT_STRTAB)
        return _bounded((strings - addr) // 16) if strings is not None and strings > addr else 0

    @cached_property
    def symbols(self) -> tuple[Symbol, ...]:
        """`.symtab`, which a stripped file does not have."""
        section = self.find_section(SHT_SYMTAB)
        if section is None or section.link >= len(self.sections):
            return ()
        _bounded(section.size // 16)
        names = self.section_bytes(self.sections[section.link])
        return tuple(_symbols(self.section_bytes(section), names))

    @property
    def exported(self) -> tuple[str, ...]:
        return tuple(symbol.name for symbol in self.dynamic_symbols if symbol.defined)

    @property
    def undefined(self) -> tuple[str, ...]:
        return tuple(s.name for s in self.dynamic_symbols if not s.defined and s.name)

    @cached_property
    def code(self) -> tuple[CodeRange, ...]:
        """What can be executed: by section where there are headers, else by segment."""
        ranges = [
            CodeRange(
                section.name, section.addr, self.view_at(section.offset, section.size), number
            )
            for number, section in enumerate(self.sections)
            if section.flags & SHF_EXEC and section.size and section.type != SHT_NOBITS
        ]
        if not ranges:
            ranges = [
                CodeRange("", seg.addr, self.view_at(seg.offset, seg.size), -1)
                for seg in self.segments
                if seg.type == PT_LOAD and seg.flags & 1 and seg.size
            ]
        return tuple(sorted(ranges, key=lambda r: (r.addr, r.section)))

    @cached_property
    def relocations(self) -> Relocations:
        """The dynamic relocations, RELR unpacked."""
        tables = [np.zeros((0, 2), np.uint32)]
        for start, size in ((DT_REL, DT_RELSZ), (DT_JMPREL, DT_PLTRELSZ)):
            addr, length = self.dyn(start), self.dyn(size)
            if addr is not None and length:
                table = self.load(addr, length // 8 * 8)
                tables.append(np.frombuffer(table, "<u4").reshape(-1, 2))
        addr, length = self.dyn(DT_RELR), self.dyn(DT_RELRSZ)
        if addr is not None and length:
            packed = self.load(addr, _bounded(length // 4 * 31) // 31 * 4)
            relative = np.array([(at & 0xFFFFFFFF, R_RELATIVE) for at in _relr(packed)], np.uint32)
            tables.append(relative.reshape(-1, 2))
        rows = np.concatenate(tables)
        kinds = (rows[:, 1] & 0xFF).astype(np.uint32)
        return Relocations(rows[:, 0], kinds, (rows[:, 1] >> 8).astype(np.uint32))

    @cached_property
    def exidx_functions(self) -> tuple[int, ...]:
        """Function starts named by the unwind index (EHABI §5: prel31, without the Thumb bit)."""
        table = next((s for s in self.segments if s.type == PT_EXIDX), None)
        if table is None:
            return ()
        found = []
        rows = self.bytes_at(table.offset, table.size // 8 * 8)
        for number, (first, _) in enumerate(struct.iter_unpack("<II", rows)):
            offset = first & 0x7FFFFFFF
            offset -= (offset & 0x40000000) << 1
            found.append((table.addr + 8 * number + offset) & 0xFFFFFFFF)
        return tuple(found)

    @cached_property
    def start_functions(self) -> tuple[int, ...]:
        """What the loader calls by itself: entry, init, fini and their arrays."""
        found = [self.header.entry, self.dyn(DT_INIT) or 0, self.dyn(DT_FINI) or 0]
        for start, size in (
            (DT_INIT_ARRAY, DT_INIT_ARRAYSZ),
            (DT_FINI_ARRAY, DT_FINI_ARRAYSZ),
            (DT_PREINIT_ARRAY, DT_PREINIT_ARRAYSZ),
        ):
            addr, length = self.dyn(start), self.dyn(size)
            if addr is not None and length:
                table = self.load(addr, length // 4 * 4)
                found += [value for (value,) in struct.iter_unpack("<I", table)]
        return tuple(value for value in found if value not in (0, 0xFFFFFFFF))


def _folders(rows: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(path for row in rows for path in row.split(":"))


def _string(table: bytes, start: int) -> str:
    end = table.find(b"\0", start)
    if start >= len(table) or end < 0:
        return ""
    return table[start:end].decode("utf-8", "replace")


def _bounded(count: int) -> int:
    if count > MAX_ENTRIES:
        raise BrokenElf(f"a table of {count} entries")
    return count


def _symbols(table: bytes, names: bytes) -> Iterator[Symbol]:
    for name, value, size, info, _other, section in struct.iter_unpack(
        "<IIIBBH", table[: len(table) // 16 * 16]
    ):
        yield Symbol(_string(names, name), value, size, info & 15, info >> 4, section)


def _relr(table: bytes) -> Iterator[int]:
    """Addresses of a packed table of relative relocations (gABI, SHT_RELR)."""
    at = 0
    for (entry,) in struct.iter_unpack("<I", table):
        if not entry & 1:
            yield entry
            at = entry + 4
            continue
        for bit in range(31):
            if entry >> (bit + 1) & 1:
                yield at + 4 * bit
        at += 31 * 4
