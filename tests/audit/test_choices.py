"""Code that chooses its own CPU is told from the same instructions elsewhere."""

from __future__ import annotations

import numpy as np
import pytest
from arm_files import RETURN, Source, Toolbox, words

from crosspi.audit.code import classes
from crosspi.audit.code.choices import Choices
from crosspi.audit.code.scan import Scan, scan
from crosspi.audit.elf.attributes import read_attributes
from crosspi.audit.elf.file import Elf

DMB = 0xF57FF05B
OLD_BARRIER = "  mcr p15, 0, r0, c7, c10, 5\n"
EXCLUSIVE = (
    "1: ldrex r0, [r2]\n  subs r0, r3, r0\n  strexeq r0, r1, [r2]\n  teqeq r0, #1\n  beq 1b\n"
)
MUSL = (
    f"{OLD_BARRIER}{RETURN}{words(DMB)}{RETURN}"
    f"  mov r3, r0\n{OLD_BARRIER}{EXCLUSIVE}{OLD_BARRIER}{RETURN}"
    f"  mov r3, r0\n{words(DMB)}{EXCLUSIVE}{words(DMB)}{RETURN}"
)
LLVM_SAVE = words(0xEC800B20) + RETURN + words(0xEC800B21) + RETURN + words(0xECC00B20) + RETURN
GCC_BOTH = words(0xEC900B20) + RETURN + words(0xEC800B20) + RETURN
GCC_BOTH += words(0xECD00B20) + RETURN + words(0xECC00B20) + RETURN


def scanned(arm: Toolbox, body: str, **more: str) -> Scan:
    elf = Elf(arm.shared(Source(body, **more)))
    return scan(elf, read_attributes(elf))


@pytest.mark.parametrize(
    ("body", "number"),
    [(MUSL, 3), (LLVM_SAVE, 1), (GCC_BOTH, 2)],
    ids=["musl", "llvm", "gcc"],
)
def test_pieces_of_libraries_that_choose(arm: Toolbox, body: str, number: int) -> None:
    found = scanned(arm, body)
    assert list(found.hits(classes.V7 | classes.D32)) == []
    ((reason, times),) = found.chosen(classes.V7 | classes.D32).items()
    assert (times, bool(reason)) == (number, True)


@pytest.mark.parametrize(
    "body",
    [
        f"{words(DMB)}{RETURN}",
        f"{RETURN}{words(DMB)}{RETURN}",
        f"{OLD_BARRIER}{words(DMB)}{RETURN}",
        f"{OLD_BARRIER}{RETURN}  mov r0, #0\n{words(DMB)}{RETURN}",
        f"  mov r3, r0\n{words(DMB)}{EXCLUSIVE}{words(DMB)}{RETURN}",
        f"{words(0xECC00B20)}{RETURN}",
        f"{words(0xEC800B20)}{words(0xECC00B20)}{RETURN}",
        f"{words(0xEC800B20)}{RETURN}{words(0xECC00B20)}  mov r0, #0\n{RETURN}{words(DMB)}",
    ],
)
def test_the_same_instructions_elsewhere(arm: Toolbox, body: str) -> None:
    """`dmb; bx lr` alone is `__sync_synchronize` of a library that was compiled for ARMv7."""
    assert list(scanned(arm, body).hits(classes.V7 | classes.D32)) != []


UDIV, MOVW = 0xE730F211, 0xE3010234


@pytest.mark.parametrize(("goarm", "left"), [("6", 1), ("5,softfloat", 1), ("7", 3), ("8", 3)])
def test_go_chooses_barriers_and_division(arm: Toolbox, goarm: str, left: int) -> None:
    info = f'.section .go.buildinfo, "a"\n.ascii "build\\tGOARM={goarm}\\n"\n'
    found = scanned(arm, words(DMB, UDIV, MOVW) + RETURN, extra=info)
    assert sum(map(len, found.hits(classes.V7 | classes.DIV))) == left


def test_what_is_no_go_program_does_not_become_one_by_a_text(arm: Toolbox) -> None:
    text = '.section .rodata\n.ascii "build\\tGOARM=6\\n"\n'
    found = scanned(arm, words(DMB) + RETURN, extra=text)
    assert sum(map(len, found.hits(classes.V7))) == 1


AESE, SHA1C, SHA256H, PMULL = 0xF3B00300, 0xF2000C40, 0xF3000C40, 0xF2A00E00
NAME = '.ascii "AES for ARMv8, CRYPTOGAMS by <appro@openssl.org>"\n.balign 4\n'
TRIES = "".join(words(word) + RETURN for word in (AESE, SHA1C, SHA256H, PMULL))
THUMB_TRIES = (
    ".short 0xffb0, 0x300, 0x4770, 0xef00, 0xc40, 0x4770\n"
    ".short 0xff00, 0xc40, 0x4770, 0xefa0, 0xe00, 0x4770\n"
)


def asked(arm: Toolbox, body: str) -> list[bool]:
    found = scanned(arm, body, arch="armv7-a", fpu="neon")
    return [
        bool(told)
        for hits in found.unconfirmed(classes.BITS["crypto"])
        for told in found.choices.asked(hits.addresses)
    ]


@pytest.mark.parametrize(
    "body",
    [f"{words(AESE)}{RETURN}{NAME}", f"b 1f\n{NAME}1: {words(AESE)}{RETURN}", TRIES],
    ids=["before its name", "behind its name", "tries"],
)
def test_cryptography_of_openssl(arm: Toolbox, body: str) -> None:
    found = asked(arm, body)
    assert found and all(found)


def test_openssl_tries_in_thumb_state_too(arm: Toolbox) -> None:
    source = Source(THUMB_TRIES, arch="armv7-a", fpu="neon", state="thumb")
    elf = Elf(arm.shared(source))
    choices, start = Choices(elf), elf.code[0].addr
    assert choices.asked(np.array([start, start + 32])).tolist() == [True, False]


@pytest.mark.parametrize(
    "body",
    [
        f"{words(AESE)}{RETURN}",
        f"{words(AESE)}{RETURN}{words(SHA1C)}{RETURN}",
        f"{words(AESE)}{RETURN}" + ".space 9000\n" + NAME,
        f"{words(AESE)}{RETURN}" + NAME.replace("CRYPTOGAMS", "somebody"),
        f"{words(AESE)}{RETURN}.section .rodata\n{NAME}",
    ],
    ids=["alone", "two tries", "far from its name", "another name", "name in the data"],
)
def test_cryptography_of_others(arm: Toolbox, body: str) -> None:
    found = asked(arm, body)
    assert found and not any(found)


VARIABLE = '.section .rodata\n.byte 0\n.asciz "OPENSSL_armcap"\n'
OPENSSL_AES = f"{words(AESE)}{RETURN}{NAME}"


def crypto(arm: Toolbox, body: str, extra: str = VARIABLE) -> tuple[int, dict[str, int]]:
    """How many instructions are left, and how many are excused why."""
    elf = Elf(arm.shared(Source(body, arch="armv7-a", fpu="neon", extra=extra)))
    found = scan(elf, read_attributes(elf))
    wanted = classes.BITS["crypto"]
    return sum(map(len, found.hits(wanted))), found.chosen(wanted)


def test_openssl_itself_always_asks(arm: Toolbox) -> None:
    left, ((why, number),) = crypto(arm, OPENSSL_AES)[0], crypto(arm, OPENSSL_AES)[1].items()
    assert (left, number) == (0, 1)
    assert "OPENSSL_armcap" in why


def test_openssl_asks_in_thumb_state_too(arm: Toolbox) -> None:
    source = Source(
        f"  .short 0xffb0, 0x300\n  bx lr\n{NAME}", "armv7-a", "neon", "thumb", extra=VARIABLE
    )
    elf = Elf(arm.shared(source))
    assert list(scan(elf, read_attributes(elf)).hits(classes.BITS["crypto"])) == []


@pytest.mark.parametrize(
    ("body", "extra"),
    [
        (OPENSSL_AES, ""),
        (OPENSSL_AES, VARIABLE.replace("OPENSSL", "GFp_OPENSSL")),
        (OPENSSL_AES, VARIABLE.replace("armcap", "armcap_P")),
        (OPENSSL_AES, VARIABLE + '.asciz "OpenSSL 1.1.1 (compatible; BoringSSL)"\n'),
        (OPENSSL_AES + NAME, VARIABLE),
        (f"{words(AESE)}{RETURN}.space 9000\n{NAME}", VARIABLE),
        (f"{words(AESE)}{RETURN}", VARIABLE),
    ],
    ids=["no variable", "another's", "a longer name", "BoringSSL", "two", "far away", "no name"],
)
def test_what_may_not_be_openssls_is_not_excused(arm: Toolbox, body: str, extra: str) -> None:
    assert crypto(arm, body, extra) == (1, {})


def test_neon_beside_openssl_is_not_excused(arm: Toolbox) -> None:
    """A compiler may have made it."""
    found = scanned(arm, f"{words(0xF2220844)}{RETURN}{NAME}", extra=VARIABLE)
    assert sum(map(len, found.hits(classes.NEON))) == 1
