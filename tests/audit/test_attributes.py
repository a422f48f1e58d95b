"""Build attributes."""

from __future__ import annotations

import pytest
from arm_files import Source, Toolbox, without_section

from crosspi.audit.elf.attributes import parse_attributes, read_attributes
from crosspi.audit.elf.file import Elf
from crosspi.audit.elf.format import SHT_ATTRIBUTES, BrokenElf


def test_architecture_and_floating_point(arm: Toolbox) -> None:
    found = read_attributes(Elf(arm.shared()))
    assert found is not None
    assert found.describe() == ("v6K", "VFPv2", "none")
    assert not found.thumb2


def test_v7_with_neon(arm: Toolbox) -> None:
    found = read_attributes(Elf(arm.shared(Source(arch="armv7-a", fpu="neon-vfpv4"))))
    assert found is not None
    assert found.describe() == ("v7", "VFPv4", "NEONv2")


def test_absent(arm: Toolbox) -> None:
    assert read_attributes(Elf(without_section(arm.shared(), SHT_ATTRIBUTES))) is None


def test_other_vendors_are_skipped() -> None:
    body = b"\x0a\0\0\0gnu\0\0\0"
    assert parse_attributes(b"A" + body) is None


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"B",
        b"A\0\0\0\0",
        b"A\x05\0\0\0",
        b"A\xff\0\0\0aeabi\0",
        b"A\x10\0\0\0aeabi\0\1\xff\0\0\0",
    ],
)
def test_hostile(data: bytes) -> None:
    with pytest.raises(BrokenElf):
        parse_attributes(data)
