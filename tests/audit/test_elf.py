"""Reading ELF tables, with pyelftools as the second opinion."""

from __future__ import annotations

import io
import struct

import pytest
from arm_files import RETURN, Source, Toolbox
from elftools.elf.elffile import ELFFile

from crosspi.audit.elf.file import Elf
from crosspi.audit.elf.format import BrokenElf, read_header


@pytest.fixture(scope="module")
def linked(arm: Toolbox) -> bytes:
    library = arm.library("libc.so.6", "GLIBC_2.4", "puts")
    source = Source("  b puts\n", links=(library,), soname="libdemo.so")
    return arm.shared(source, "--rpath=$ORIGIN/lib:/opt")


def test_header(linked: bytes) -> None:
    header = read_header(linked)
    assert (header.bits, header.little, header.machine_name, header.eabi) == (32, True, "ARM", 5)


def test_dynamic_section(linked: bytes) -> None:
    elf = Elf(linked)
    assert elf.needed == ("libc.so.6",)
    assert elf.soname == "libdemo.so"
    assert elf.search_paths == ("$ORIGIN/lib", "/opt")
    assert elf.exec_stack is False


def test_versions(linked: bytes) -> None:
    (need,) = Elf(linked).version_needs
    assert (need.library, need.version) == ("libc.so.6", "GLIBC_2.4")


def test_symbols(linked: bytes) -> None:
    elf = Elf(linked)
    found = {(r.name, r.version, r.defined) for r in elf.references()}
    assert {("PyInit_m", "", True), ("puts", "GLIBC_2.4", False)} <= found


def test_as_pyelftools_reads_it(linked: bytes) -> None:
    other = ELFFile(io.BytesIO(linked))
    elf = Elf(linked)
    assert [s.name for s in elf.sections] == [s.name for s in other.iter_sections()]
    theirs = [(s.name, s["st_value"]) for s in other.get_section_by_name(".symtab").iter_symbols()]
    assert [(s.name, s.value) for s in elf.symbols] == theirs


def test_relocated_functions(arm: Toolbox) -> None:
    pointer = ".data\n.align 2\n.word PyInit_m\n"
    elf = Elf(arm.shared(Source(RETURN, extra=pointer)))
    assert elf.relocations.kinds.tolist() in ([2], [23])


def test_packed_relocations(arm: Toolbox) -> None:
    pointer = ".data\n.align 2\n.word hidden\n.text\n.type hidden,%function\nhidden: bx lr\n"
    plain = Elf(arm.shared(Source(RETURN, extra=pointer)))
    packed = Elf(arm.shared(Source(RETURN, extra=pointer), "--pack-dyn-relocs=relr"))
    assert len(plain.relocations.kinds) == len(packed.relocations.kinds) == 1


def test_every_truncation_is_told(linked: bytes) -> None:
    for size in range(4, len(linked), 7):
        try:
            elf = Elf(linked[:size])
            _ = (elf.sections, elf.segments, elf.needed, elf.version_needs, elf.symbols, elf.code)
        except BrokenElf:
            continue


def test_damage_never_runs_away(linked: bytes) -> None:
    for at in range(4, 0x200):
        damaged = linked[:at] + b"\xff\xff\xff\xff" + linked[at + 4 :]
        try:
            elf = Elf(damaged)
            _ = (elf.sections, elf.needed, elf.version_needs, elf.dynamic_symbols, elf.relocations)
            _ = (elf.code, elf.exidx_functions, elf.start_functions, elf.symbols)
        except BrokenElf:
            continue


def test_more_code_than_bytes(arm: Toolbox) -> None:
    """Sections that lie over each other: each would be looked at by itself."""
    data = bytearray(arm.shared(Source(RETURN * 400)))
    start, size, count = (*struct.unpack_from("<I", data, 32), *struct.unpack_from("<HH", data, 46))
    for number in range(1, count):
        at = start + number * size
        struct.pack_into("<2I", data, at + 4, 1, 6)
        struct.pack_into("<2I", data, at + 16, 0, len(data))
    with pytest.raises(BrokenElf, match="more bytes of code"):
        _ = Elf(bytes(data)).code
