"""Code that chooses its own CPU: known pieces of run-time libraries, by what they consist of.

A C library, an unwinder or a language's run-time system may hold instructions that only newer CPUs
have, and use them only there. Each piece is known by the sequence of its instructions together
with its neighbour for older CPUs, never by a single instruction or by a name: the same barrier
alone, compiled for ARMv7, is a fault.

Sources: musl `src/thread/arm/atomics.s` and `__set_thread_area.c` (asks AT_HWCAP); LLVM libunwind
`UnwindRegistersSave.S`, `UnwindRegistersRestore.S` and GCC `libgcc/config/arm/libunwind.S` (called
for frames whose unwind tables name those registers, EHABI32 §10.3); OpenSSL's and BoringSSL's
assembly `armv4cpuid.pl`, `aesv8-armx.pl`, `ghashv8-armx.pl`, `sha1-armv4-large.pl`,
`sha256-armv4.pl`, and `armcap.c`, `aes_platform.h` (`OPENSSL_armcap_P`, by HWCAP2 or by trying with
a handler of SIGILL); Go
`runtime/internal/atomic` and `runtime/vlop_arm.s` (ask `runtime.goarm` and HWCAP),
`debug/buildinfo` for what it was built for.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from functools import cached_property

import numpy as np
import numpy.typing as npt

from crosspi.audit.code.classes import CRYPTO
from crosspi.audit.code.found import Hit, Hits
from crosspi.audit.code.kinds import Bools
from crosspi.audit.elf.file import Elf
from crosspi.audit.elf.format import ET_REL
from crosspi.audit.spool import give_back

Places = npt.NDArray[np.int64]
DMB, SAVE_D16, LOAD_D16 = 0xF57FF05B, 0xECC00B20, 0xECD00B20


def _words(*words: int) -> bytes:
    return re.escape(struct.pack(f"<{len(words)}I", *words))


_EXCLUSIVE = (0xE1920F9F, 0xE0530000, 0x01820F91, 0x03300001, 0x0AFFFFFA)
_ARM_11_BARRIER, _COPY, _BX_LR = 0xEE070FBA, 0xE1A03000, 0xE12FFF1E
_RETURN = b"(?:\x1e\xff\x2f\xe1|\x0e\xf0\xa0\xe1)"
_LOW_BANK, _HIGH_BANK = b"[\x20\x21]\x0b[\x80\x90]\xec", b"\x20\x0b[\xc0\xd0]\xec"

_MUSL = "musl asks the kernel for the CPU (AT_HWCAP) before it uses this barrier"
_UNWINDER = "the unwinder only touches d16-d31 for functions that use them"
_OPENSSL = (
    "OpenSSL asks the kernel for the CPU, or tries (OPENSSL_armcap), before it uses cryptography "
    "of ARMv8, however it is built"
)
_GO = "Go's run-time system asks for the CPU (runtime.goarm) before it uses this"

# The bytes of each piece, with the part that only newer CPUs run as its group.
_BARRIERS = (
    re.compile(_words(_ARM_11_BARRIER, _BX_LR) + b"(" + _words(DMB) + b")" + _RETURN),
    re.compile(
        _words(_COPY, _ARM_11_BARRIER, *_EXCLUSIVE, _ARM_11_BARRIER, _BX_LR, _COPY)
        + b"("
        + _words(DMB, *_EXCLUSIVE, DMB)
        + b")"
        + _RETURN
    ),
)
_BANKS = (
    re.compile(_LOW_BANK + _RETURN + b"(" + _HIGH_BANK + _RETURN + b"(?:" + _HIGH_BANK + b")?)"),
)
_PIECES = {DMB: (_BARRIERS, _MUSL), SAVE_D16: (_BANKS, _UNWINDER), LOAD_D16: (_BANKS, _UNWINDER)}
_AROUND = 80  # bytes, more than the longest piece

_GO_ARM = re.compile(rb"build\tGOARM=([5-7])")
#: What Tag_CPU_arch would say (v5TE, v6, v7) of a program that Go built without it.
GOARM_TAGS = {5: 4, 6: 6, 7: 10}
_GO_CHOOSES = ((0xFFFFFFF0, 0xF57FF050), (0x0FF0F0F0, 0x0730F010))  # dmb, udiv


def goarm(elf: Elf) -> int | None:
    """What a Go program says that it was built for: 5, 6 or 7; None for other files."""
    if not any(section.name == ".go.buildinfo" for section in elf.sections):
        return None
    found = _GO_ARM.search(elf.data)
    return int(found[1]) if found else None


# The names in that assembly, which stand between its functions; and the functions that try.
_ASSEMBLY = re.compile(rb" for (?:ARMv[48]|NEON)[/\w]{0,12}, CRYPTOGAMS by <")
_NEAR = 8192  # bytes, more than the longest of its parts
_TRIES = (0xF3B00300, 0xF2000C40, 0xF3000C40, 0xF2A00E00)  # aese, sha1c, sha256h, vmull.p64
_IN_THUMB = (0xFFB0, 0x0300, 0x4770, 0xEF00, 0x0C40, 0x4770)
_IN_THUMB_2 = (0xFF00, 0x0C40, 0x4770, 0xEFA0, 0x0E00, 0x4770)
_TRYING = re.compile(
    b"".join(_words(word) + _RETURN for word in _TRIES)
    + b"|"
    + re.escape(struct.pack("<12H", *_IN_THUMB, *_IN_THUMB_2))
)
_TRYING_SIZE = 32
# What only OpenSSL's own question reads, and what those that come from it call themselves.
_VARIABLE = re.compile(rb"(?<![\w.])OPENSSL_armcap\0")
_RELATIVES = "(compatible; "
_PURPOSES = (b"AES", b"GHASH", b"SHA1 block transform", b"SHA256 block transform")


def _kinds(code: memoryview) -> Iterator[bytes]:
    """What the pieces of such assembly in some code are for, of those that use cryptography."""
    for match in _ASSEMBLY.finditer(code):
        before = bytes(code[max(match.start() - 24, 0) : match.start()])
        if b"ARMv8" in match[0]:
            yield from (kind for kind in _PURPOSES if before.endswith(kind))


class Choices:
    """Where a file chooses its CPU by itself."""

    def __init__(self, elf: Elf) -> None:
        self._elf = elf
        self._go = (goarm(elf) or 7) < 7

    @cached_property
    def _assembly(self) -> Places:
        return self._places(_ASSEMBLY)

    @cached_property
    def _trying(self) -> Places:
        return self._places(_TRYING)

    def _places(self, pattern: re.Pattern[bytes]) -> Places:
        found = [c.addr + m.start() for c in self._elf.code for m in pattern.finditer(c.data)]
        give_back(self._elf.data)
        return np.array(found, np.int64)

    def asked(self, addresses: Places) -> Bools:
        """Which instructions are of a library's assembly that asks for the CPU, if it is built to.

        One that is built for CPUs that have them does not ask, and consists of the same: so this
        is no reason to believe that they only run where they can.
        """
        found = np.zeros(len(addresses), bool)
        if self._elf.header.kind == ET_REL:
            return found
        for places, before, behind in (
            (self._assembly, _NEAR, _NEAR),
            (self._trying, 0, _TRYING_SIZE - 1),
        ):
            at = np.searchsorted(places, addresses - behind)
            found |= np.append(places, np.iinfo(np.int64).max)[at] <= addresses + before
        return found

    @cached_property
    def openssl(self) -> bool:
        """Whether the only such library in the file is OpenSSL, which has no way of not asking.

        Those that come from it may be told at compile time what the CPU has. Two libraries have
        assembly for one purpose.
        """
        if not len(self._assembly) or any(True for _ in self._elf.find(_RELATIVES)):
            return False
        kinds = [kind for code in self._elf.code for kind in _kinds(code.data)]
        places = self._elf.find("OPENSSL_armcap")
        asks = any(_VARIABLE.match(self._elf.data, at) for at in places)
        return asks and len(set(kinds)) == len(kinds)

    def candidates(self, hits: Hits) -> list[int]:
        """Which of some instructions there may be a reason for."""
        pieces = np.isin(hits.words, list(_PIECES))
        if self._go:
            for mask, value in _GO_CHOOSES:
                pieces |= hits.words & np.uint32(mask) == value
        pieces &= ~hits.thumb
        crypto = hits.classes & CRYPTO != 0
        if crypto.any() and self.openssl:
            pieces |= crypto & self.asked(hits.addresses)
        return np.flatnonzero(pieces).tolist()

    def reason(self, hit: Hit) -> str:
        """Why an instruction only runs where the CPU has it, or '' where nothing is known.

        No compiler makes cryptography of C by itself: what of it stands in OpenSSL's assembly is
        OpenSSL's. Of NEON nobody knows that.
        """
        if self._elf.header.kind == ET_REL:
            return ""
        if hit.classes & CRYPTO:
            asked = self.asked(np.array([hit.addr]))[0] and self.openssl
            return _OPENSSL if asked else ""
        if hit.thumb:
            return ""
        addr = hit.addr
        word = self._elf.word(addr)
        if word is None:
            return ""
        pieces, why = _PIECES.get(word, ((), ""))
        if pieces:
            code = next((c for c in self._elf.code if c.addr <= addr < c.end), None)
            here = addr - code.addr if code else 0
            first = max(here - _AROUND, 0)
            window = bytes(code.data[first : here + _AROUND]) if code else b""
            for piece in pieces:
                for match in piece.finditer(window):
                    if match.start(1) <= here - first < match.end(1) and not (here - first) & 3:
                        return why
        if self._go and any(word & mask == value for mask, value in _GO_CHOOSES):
            return _GO
        return ""
