"""The instruction classes that the audit counts, and which declarations grant them.

An instruction belongs to a set of classes, kept as bits. The classes are what boards differ in:
an ARM1176 (ARMv6K, VFPv2) has `vfp` and `thumb` and none of the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # what reads files takes a moment to import; the law wants names alone
    from crosspi.audit.elf.attributes import Attributes

NAMES = (
    "vfp",
    "thumb",
    "thumb2",
    "v7",
    "div",
    "neon",
    "vfp3",
    "vfp4",
    "fp16",
    "d32",
    "v8",
    "crypto",
    "fp16arith",
    "dotprod",
)
BITS = {name: 1 << number for number, name in enumerate(NAMES)}
(VFP, THUMB, THUMB2, V7, DIV, NEON, VFP3, VFP4, FP16, D32, V8, CRYPTO, FP16ARITH, DOTPROD) = (
    BITS[name] for name in NAMES
)
ALL = (1 << len(NAMES)) - 1

WORDS = {
    "vfp": "VFPv2 floating point",
    "thumb": "16-bit Thumb",
    "thumb2": "Thumb-2",
    "v7": "ARMv7 (or v6T2)",
    "div": "integer division",
    "neon": "NEON",
    "vfp3": "VFPv3",
    "vfp4": "VFPv4 fused multiply-add",
    "fp16": "half-precision conversion",
    "d32": "registers d16-d31",
    "v8": "ARMv8",
    "crypto": "ARMv8 cryptography",
    "fp16arith": "ARMv8.2 half-precision",
    "dotprod": "ARMv8.2 dot product",
}


def mask(names: Iterable[str]) -> int:
    """The bits of some class names."""
    value = 0
    for name in names:
        value |= BITS[name]
    return value


def names_of(bits: int) -> Iterator[str]:
    """The class names of some bits."""
    return (name for name in NAMES if bits & BITS[name])


def granted(attributes: Attributes) -> int:
    """The classes that a file's build attributes admit to (ADDENDA32, "Build attributes").

    Division is granted by v7 as a whole: `Tag_DIV_use` 0 allows it where the CPU has it.
    """
    arch, fp, simd = attributes.arch, attributes.fp, attributes.simd
    v8 = arch >= 14 and arch not in (16, 17, 21)
    rules = {
        "vfp": fp >= 1 or simd >= 1,
        "thumb": attributes[9] >= 1,
        "thumb2": attributes.thumb2,
        "v7": arch == 8 or arch >= 10,
        "div": arch >= 10,
        "neon": simd >= 1,
        "vfp3": fp >= 3 or simd >= 1,
        "vfp4": fp >= 5 or simd >= 2,
        "fp16": fp >= 5 or simd >= 2 or attributes[36] >= 1,
        "d32": fp in (1, 3, 5, 7) or simd >= 1,
        "v8": v8 or fp >= 7 or simd >= 3,
        "crypto": v8 or simd >= 3,
        "fp16arith": v8,
        "dotprod": v8,
    }
    return mask(name for name, ok in rules.items() if ok)
