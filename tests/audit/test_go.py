"""Go's programs: no build attributes, no word about floats, and code that asks for the CPU."""

from __future__ import annotations

import pytest
from arm_files import RETURN, V6, V7, Source, Toolbox, patch, without_section, words

from crosspi.audit import Law, audit_elf
from crosspi.audit.elf.format import SHT_ATTRIBUTES
from crosspi.audit.findings import FileFacts

NAME = "demo.data/scripts/demo"
DMB, UDIV, MOVW = 0xF57FF05B, 0xE730F211, 0xE3010234
EABI5, FLAGS = 0x05000000, 36
#: As Go's linker leaves it: static, and in a fixed place.
STATIC: tuple[str, ...] = ()
STATIC_PIE = ("-pie", "--no-dynamic-linker")
DYNAMIC = ("-pie", "--dynamic-linker=/lib/ld-linux-armhf.so.3")


def go(arm: Toolbox, goarm: str, body: str, link: tuple[str, ...] = STATIC) -> bytes:
    info = f'.section .go.buildinfo,"a"\n.ascii "go1.27\\nbuild\\tGOARM={goarm}\\n"\n'
    source = Source(body + RETURN, arch="armv7-a", exports=("_start",), extra=info if goarm else "")
    data = without_section(arm.program(source, *link), SHT_ATTRIBUTES)
    return patch(data, FLAGS, "I", EABI5)


def audited(data: bytes, law: Law = V6, *, own: bool = False) -> tuple[FileFacts, dict[str, str]]:
    facts, found = audit_elf(data, NAME, law, own=own)
    return facts, {item.code: item.severity for item in found}


@pytest.mark.parametrize("link", [STATIC, STATIC_PIE], ids=["fixed", "pie"])
@pytest.mark.parametrize("goarm", ["5", "6", "6,hardfloat"])
def test_a_static_program_for_armv6_runs(arm: Toolbox, goarm: str, link: tuple[str, ...]) -> None:
    facts, found = audited(go(arm, goarm, words(DMB, UDIV), link))
    assert found == {"attr-missing": "note"}
    assert facts.arch == "none declared"
    ((why, what),) = facts.dispatched.items()
    assert "runtime.goarm" in why
    assert what == "v7 1, div 1"


def test_what_it_does_not_ask_for_is_told(arm: Toolbox) -> None:
    """cgo: the C code of a Go program was compiled for ARMv7."""
    _, found = audited(go(arm, "6", words(DMB, MOVW)))
    assert found == {"attr-missing": "note", "isa-v7": "error"}


def test_goarm_7_is_armv7(arm: Toolbox) -> None:
    data = go(arm, "7", words(DMB, UDIV))
    assert audited(data)[1] == {
        "attr-missing": "note",
        "attr-arch": "error",
        "isa-v7": "error",
        "isa-div": "error",
    }
    assert audited(data, V7)[1] == {"attr-missing": "note"}


def test_goarm_7_without_anything_of_armv7_is_noted(arm: Toolbox) -> None:
    assert audited(go(arm, "7", ""))[1] == {"attr-missing": "note", "attr-arch": "note"}


def test_a_program_that_does_not_say_what_it_is_built_for(arm: Toolbox) -> None:
    _, found = audited(go(arm, "", words(DMB)))
    assert found == {"attr-missing": "note", "isa-v7": "error"}


def test_a_program_with_a_loader_passes_floats_to_others(arm: Toolbox) -> None:
    _, found = audited(go(arm, "6", words(DMB), DYNAMIC))
    assert found == {"attr-missing": "error", "float-abi": "error"}


def test_ours_say_what_they_are(arm: Toolbox) -> None:
    assert audited(go(arm, "6", ""), own=True)[1] == {"attr-missing": "error"}
