"""`.ARM.attributes`: what a file says about the code in it.

Format and values: "Addenda to, and Errata in, the ABI for the Arm Architecture" (ADDENDA32),
section "Build attributes". Only the file-wide attributes of the public `aeabi` vendor matter.
"""

from __future__ import annotations

from dataclasses import dataclass

from crosspi.audit.elf.file import Elf
from crosspi.audit.elf.format import SHT_ATTRIBUTES, BrokenElf

CPU_NAME, CPU_ARCH, ARM_ISA, THUMB_ISA, FP_ARCH, SIMD_ARCH = 5, 6, 8, 9, 10, 12
VFP_ARGS, COMPATIBILITY, DIV_USE = 28, 32, 44

ARCH_NAMES = {
    0: "pre-v4",
    1: "v4",
    2: "v4T",
    3: "v5T",
    4: "v5TE",
    5: "v5TEJ",
    6: "v6",
    7: "v6KZ",
    8: "v6T2",
    9: "v6K",
    10: "v7",
    11: "v6-M",
    12: "v6S-M",
    13: "v7E-M",
    14: "v8-A",
    15: "v8-R",
    16: "v8-M.base",
    17: "v8-M.main",
    21: "v8.1-M.main",
    22: "v9-A",
}
FP_NAMES = {
    0: "none",
    1: "VFPv1",
    2: "VFPv2",
    3: "VFPv3",
    4: "VFPv3-D16",
    5: "VFPv4",
    6: "VFPv4-D16",
    7: "FP-v8",
    8: "FP-v8-D16",
}
SIMD_NAMES = {0: "none", 1: "NEONv1", 2: "NEONv2", 3: "NEON-v8", 4: "NEON-v8.1"}


@dataclass(frozen=True, slots=True)
class Attributes:
    """The file-wide build attributes; a tag that is absent has the value 0 (ADDENDA32)."""

    numbers: dict[int, int]
    texts: dict[int, str]

    def __getitem__(self, tag: int) -> int:
        return self.numbers.get(tag, 0)

    @property
    def arch(self) -> int:
        return self[CPU_ARCH]

    @property
    def fp(self) -> int:
        return self[FP_ARCH]

    @property
    def simd(self) -> int:
        return self[SIMD_ARCH]

    @property
    def thumb2(self) -> bool:
        """Thumb-2 is declared: 2 says so, 3 leaves it to the architecture (v6T2, v7 and later)."""
        use = self[THUMB_ISA]
        return use == 2 or (use == 3 and (self.arch == 8 or self.arch >= 10))

    def describe(self) -> tuple[str, str, str]:
        """Architecture, floating point and SIMD in words."""
        return (
            ARCH_NAMES.get(self.arch, f"arch {self.arch}"),
            FP_NAMES.get(self.fp, f"FP {self.fp}"),
            SIMD_NAMES.get(self.simd, f"SIMD {self.simd}"),
        )


def read_attributes(elf: Elf) -> Attributes | None:
    """The attributes of a file, or None where it has none."""
    section = elf.find_section(SHT_ATTRIBUTES)
    if section is None or not section.size:
        return None
    return parse_attributes(elf.section_bytes(section))


def parse_attributes(data: bytes) -> Attributes | None:
    """The `aeabi` file attributes of a `.ARM.attributes` section."""
    if data[:1] != b"A":
        raise BrokenElf("the build attributes are not in format version A")
    numbers: dict[int, int] = {}
    texts: dict[int, str] = {}
    seen = False
    for vendor, body in _subsections(data, 1, len(data), named=True):
        if vendor != "aeabi":
            continue
        for tag, block in _subsections(body, 0, len(body), named=False):
            if tag == "\1":
                seen = True
                _read_file_scope(block, numbers, texts)
    return Attributes(numbers, texts) if seen else None


def _subsections(data: bytes, start: int, end: int, *, named: bool) -> list[tuple[str, bytes]]:
    found = []
    while start < end:
        if named:
            length = int.from_bytes(data[start : start + 4], "little")
            nul = data.find(b"\0", start + 4, start + length)
            label, body = data[start + 4 : nul].decode("latin-1"), nul + 1
            smallest = 5
        else:
            label = chr(data[start])
            length = int.from_bytes(data[start + 1 : start + 5], "little")
            nul, body, smallest = 0, start + 5, 5
        if length < smallest or start + length > end or nul < 0:
            raise BrokenElf("a block of the build attributes is longer than the section")
        found.append((label, data[body : start + length]))
        start += length
    return found


def _read_file_scope(data: bytes, numbers: dict[int, int], texts: dict[int, str]) -> None:
    at = 0
    while at < len(data):
        tag, at = _uleb(data, at)
        is_text = tag in (4, 5) or (tag > 32 and tag % 2 == 1)
        if tag == COMPATIBILITY:
            _, at = _uleb(data, at)
            is_text = True
        if is_text:
            end = data.find(b"\0", at)
            if end < 0:
                raise BrokenElf("a text in the build attributes has no end")
            texts[tag], at = data[at:end].decode("latin-1"), end + 1
        else:
            numbers[tag], at = _uleb(data, at)


def _uleb(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(data) and shift < 64:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at += 1
        if not byte & 0x80:
            return value, at
        shift += 7
    raise BrokenElf("a number in the build attributes has no end")
