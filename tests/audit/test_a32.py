"""Single ARM instructions and their classes."""

from __future__ import annotations

import struct

import capstone
import pytest
from arm_files import FOREIGN, HONEST, RETURN, Source, Toolbox

from crosspi.audit.code import a32, classes
from crosspi.audit.elf.file import Elf


def words_of(data: bytes) -> list[int]:
    text = next(code for code in Elf(data).code if code.name == ".text")
    return [word for (word,) in struct.iter_unpack("<I", text.data)]


@pytest.mark.parametrize(("name", "text", "kind"), [(n, t, k) for n, (t, k) in FOREIGN.items()])
def test_foreign_instruction_has_its_class(name: str, text: str, kind: str) -> None:
    word = int(text.split()[1], 16)
    assert a32.decode(word) & classes.BITS[kind], name


@pytest.mark.parametrize(("name", "text"), [(n, t) for n, (t, _) in FOREIGN.items()])
def test_capstone_reads_the_same_instruction(name: str, text: str) -> None:
    engine = capstone.Cs(capstone.CS_ARCH_ARM, capstone.CS_MODE_ARM | capstone.CS_MODE_V8)
    raw = int(text.split()[1], 16).to_bytes(4, "little")
    (found,) = engine.disasm_lite(raw, 0)
    assert found[2].startswith(name.split()[0].split(".")[0])


def test_arm1176_instructions_have_no_class_but_vfp(arm: Toolbox) -> None:
    body = "".join(f"  {line}\n" for line in HONEST)
    # wide enough an architecture for the assembler; the classes are what is tested
    data = arm.shared(Source(body + RETURN, arch="armv6kz", fpu="vfpv2"))
    assert len(words_of(data)) == len(HONEST) + 1
    for line, word in zip(HONEST, words_of(data), strict=False):
        found = a32.decode(word)
        assert found != a32.INVALID, line
        assert found & classes.ALL in (0, classes.VFP), line


@pytest.mark.parametrize(
    ("word", "flow"),
    [
        (0xEAFFFFFE, a32.BRANCH),
        (0xEBFFFFFE, a32.BRANCH),
        (0xE12FFF1E, a32.INDIRECT),
        (0xE8BD8000, a32.INDIRECT),
        (0xE59F0000, a32.LITERAL),
        (0xED9F0B00, a32.LITERAL),
        (0xE08F0000, a32.ADD_PC),
        (0xE7F000F0, a32.TRAP),
        (0xE1A00000, 0),
    ],
)
def test_flow(word: int, flow: int) -> None:
    assert a32.decode(word) & a32.FLOW == flow


@pytest.mark.parametrize("word", [0xE8800000, 0xFFFFFFFF, 0xEC000100, 0xE1500F5F | 0x1000])
def test_data_is_invalid(word: int) -> None:
    assert a32.decode(word) == a32.INVALID
