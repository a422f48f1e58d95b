"""Reading an ELF file from bytes: the parts that decide whether a board can load it.

Every table is read by `struct` with its bounds checked, since a wheel may come from anyone: a
file that is cut off or lies about itself raises `BrokenElf` and never runs away. Sources: the
System V gABI (headers, dynamic section), "ELF for the Arm Architecture" (AAELF32: mapping symbols,
`.ARM.exidx`) and the LSB (symbol versions). The records and numbers are in `elfformat`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from functools import cached_property
from itertools import repeat
from mmap import mmap

import numpy as np
import numpy.typing as npt

from crosspi.audit.elf.format import (
    DF_1_PIE,
    DT_FINI,
    DT_FINI_ARRAY,
    DT_FINI_ARRAYSZ,
    DT_FLAGS_1,
    DT_HASH,
    DT_INIT,
    DT_INIT_ARRAY,
    DT_INIT_ARRAYSZ,
    DT_JMPREL,
    DT_NEEDED,
    DT_PLTRELSZ,
    DT_PREINIT_ARRAY,
    DT_PREINIT_ARRAYSZ,
    DT_REL,
    DT_RELR,
    DT_RELRSZ,
    DT_RELSZ,
    DT_RPATH,
    DT_RUNPATH,
    DT_SONAME,
    DT_STRSZ,
    DT_STRTAB,
    DT_SYMTAB,
    DT_VERDEF,
    DT_VERDEFNUM,
    DT_VERNEED,
    DT_VERNEEDNUM,
    DT_VERSYM,
    ET_EXEC,
    ET_REL,
    MAX_VERSIONS,
    PT_DYNAMIC,
    PT_EXIDX,
    PT_GNU_STACK,
    PT_INTERP,
    PT_LOAD,
    R_RELATIVE,
    SHF_EXEC,
    SHT_NOBITS,
    SHT_SYMTAB,
    STB_WEAK,
    BrokenElf,
    CodeRange,
    Reference,
    Relocations,
    Section,
    Segment,
    VersionNeed,
    bounded,
    read_header,
    read_relr,
)
from crosspi.audit.elf.symbols import SymbolTable, string_at
from crosspi.audit.spool import chunks, giving_back

_STRIDE = 16 << 20


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

    def find(self, text: str) -> Iterator[int]:
        """Where a text is in the file."""
        wanted, size = text.encode(), len(self.data)
        for part in giving_back(chunks(size, _STRIDE), self.data, after=1):
            at, stop = part.start, min(part.stop + len(wanted) - 1, size)
            while (at := self.data.find(wanted, at, stop)) >= 0:
                yield at
                at += 1

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
        place = rows[names][4:6] if names < count else (0, 0)
        table = self.view_at(*place)
        return tuple(
            Section(string_at(table, row[0]), row[1], row[2], row[3], row[4], row[5], row[6])
            for row in rows
        )

    def section_bytes(self, section: Section) -> bytes:
        return bytes(self.section_view(section))

    def section_view(self, section: Section) -> memoryview:
        """What is in a section, without a copy of it."""
        size = 0 if section.type == SHT_NOBITS else section.size
        return self.view_at(section.offset if size else 0, size)

    def find_section(self, kind: int) -> Section | None:
        return next((section for section in self.sections if section.type == kind), None)

    def load(self, addr: int, size: int) -> bytes:
        """Bytes by the address at which they are loaded."""
        return bytes(self.view(addr, size))

    def view(self, addr: int, size: int) -> memoryview:
        """The same without a copy."""
        for segment in self.segments:
            if segment.type == PT_LOAD and segment.addr <= addr < segment.addr + segment.size:
                if addr + size > segment.addr + segment.size:
                    break
                return self.view_at(segment.offset + addr - segment.addr, size)
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
    def _dynstr(self) -> memoryview:
        addr, size = self.dyn(DT_STRTAB), self.dyn(DT_STRSZ)
        return self.view(addr, size) if addr is not None and size else memoryview(b"")

    def _dyn_strings(self, tag: int) -> tuple[str, ...]:
        return tuple(string_at(self._dynstr, value) for key, value in self.dynamic if key == tag)

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
                return string_at(self.view_at(segment.offset, segment.size), 0)
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
            library, entry = string_at(self._dynstr, file), addr + aux
            for _ in range(number):
                _hash, _flags, other, name, step = struct.unpack("<IHHII", self.load(entry, 16))
                need = VersionNeed(library, string_at(self._dynstr, name))
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
        for _ in range(bounded(count or 0) if addr is not None else 0):
            assert addr is not None
            _version, flags, number, _count, _hash, aux, following = struct.unpack(
                "<HHHHIII", self.load(addr, 20)
            )
            if not flags & 1:
                name = struct.unpack("<I", self.load(addr + aux, 4))[0]
                found[number & 0x7FFF] = string_at(self._dynstr, name)
            if not following:
                break
            addr += following
        return found

    def references(self) -> Iterator[Reference]:
        """The dynamic symbols with their versions, but those that only the file itself sees."""
        symbols, table = self.dynamic_symbols, self.dyn(DT_VERSYM)
        names = self._own_versions | {number: need.version for number, need in self._version_needs}
        numbers: Iterable[int] = repeat(1, len(symbols))
        if table is not None:
            told = np.frombuffer(self.view(table, 2 * len(symbols)), "<u2")
            numbers = told.astype(np.uint16).data
        for symbol, number in zip(symbols, numbers, strict=True):
            if symbol.name and symbol.bind:
                version = names.get(number & 0x7FFF, "")
                weak = symbol.bind == STB_WEAK
                yield Reference(symbol.name, version, symbol.defined, weak)

    @cached_property
    def dynamic_symbols(self) -> SymbolTable:
        addr = self.dyn(DT_SYMTAB)
        if addr is None:
            return SymbolTable(memoryview(b""), memoryview(b""))
        table = self.view(addr, 16 * self._dynsym_count(addr))
        return SymbolTable(table, self._dynstr)

    def _dynsym_count(self, addr: int) -> int:
        for section in self.sections:
            if section.addr == addr and section.type == 11:
                return bounded(section.size // 16)
        table = self.dyn(DT_HASH)
        if table is not None:
            return bounded(struct.unpack("<II", self.load(table, 8))[1])
        strings = self.dyn(DT_STRTAB)
        return bounded((strings - addr) // 16) if strings is not None and strings > addr else 0

    @cached_property
    def symbols(self) -> SymbolTable:
        """`.symtab`, which a stripped file does not have."""
        section = self.find_section(SHT_SYMTAB)
        if section is None or section.link >= len(self.sections):
            return SymbolTable(memoryview(b""), memoryview(b""))
        bounded(section.size // 16)
        return SymbolTable(
            self.section_view(section), self.section_view(self.sections[section.link])
        )

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
        if sum(len(r.data) for r in ranges) > len(self.data):
            raise BrokenElf("it has more bytes of code than bytes")
        return tuple(sorted(ranges, key=lambda r: (r.addr, r.section)))

    @cached_property
    def relocations(self) -> Relocations:
        """The dynamic relocations, RELR unpacked."""
        tables = [np.zeros((0, 2), np.uint32)]
        for start, size in ((DT_REL, DT_RELSZ), (DT_JMPREL, DT_PLTRELSZ)):
            addr, length = self.dyn(start), self.dyn(size)
            if addr is not None and length:
                data = self.load(addr, length // 8 * 8)
                tables.append(np.frombuffer(data, "<u4").reshape(-1, 2))
        addr, length = self.dyn(DT_RELR), self.dyn(DT_RELRSZ)
        if addr is not None and length:
            packed = self.load(addr, bounded(length // 4 * 31) // 31 * 4)
            relative = read_relr(packed)
            tables.append(np.stack([relative, np.full_like(relative, R_RELATIVE)], axis=1))
        table = np.concatenate(tables)
        kinds = (table[:, 1] & 0xFF).astype(np.uint32)
        return Relocations(table[:, 0], kinds, (table[:, 1] >> 8).astype(np.uint32))

    @property
    def exidx_functions(self) -> npt.NDArray[np.uint32]:
        """Function starts named by the unwind index (EHABI §5: prel31, without the Thumb bit)."""
        table = next((s for s in self.segments if s.type == PT_EXIDX), None)
        if table is None:
            return np.zeros(0, np.uint32)
        rows = np.frombuffer(self.view_at(table.offset, table.size // 8 * 8), "<u4")[::2]
        offsets = (rows & 0x7FFFFFFF).astype(np.int64)
        offsets -= (offsets & 0x40000000) << 1
        found = table.addr + 8 * np.arange(len(rows)) + offsets
        return (found & 0xFFFFFFFF).astype(np.uint32)

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
