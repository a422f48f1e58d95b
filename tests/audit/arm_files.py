"""Tiny ARM files and wheels for the tests, made with zig's assembler and linker."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import struct
import subprocess
import sys
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from crosspi.audit import Law
from crosspi.audit.elf.file import Elf
from crosspi.audit.elf.format import SHT_SYMTAB

QEMU = shutil.which("qemu-arm-static") or shutil.which("qemu-arm")
# In CI qemu is there: without it these tests fail.
USES_QEMU = QEMU is not None or bool(os.environ.get("CI"))
needs_qemu = pytest.mark.skipif(not USES_QEMU, reason="qemu-user is not installed")

NEEDED = (
    "libc.so.6",
    "libm.so.6",
    "libdl.so.2",
    "libpthread.so.0",
    "librt.so.1",
    "ld-linux-armhf.so.3",
)
V6 = Law(
    name="v6",
    arch_tags=(6, 7, 9),
    fp_arch=(0, 1, 2),
    simd=(0,),
    thumb2=False,
    instructions=(
        "v7",
        "thumb2",
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
    ),
    glibc="2.28",
    needed=NEEDED,
    platform="linux_armv6l",
)
V7 = Law(
    name="v7",
    arch_tags=tuple(range(11)),
    fp_arch=tuple(range(7)),
    simd=(0, 1, 2),
    thumb2=True,
    instructions=("v8", "fp16arith", "dotprod"),
    noted=("crypto",),
    glibc="2.28",
    needed=NEEDED,
    platform="linux_armv7l",
    accepts=("manylinux*_armv7l",),
)

# What an ARM1176 does not have: (instruction words, class that the audit must name).
FOREIGN: dict[str, tuple[str, str]] = {
    "movw": (".inst 0xe3010234", "v7"),
    "movt": (".inst 0xe3410234", "v7"),
    "dmb": (".inst 0xf57ff05b", "v7"),
    "dsb": (".inst 0xf57ff04f", "v7"),
    "isb": (".inst 0xf57ff06f", "v7"),
    "ubfx": (".inst 0xe7e30251", "v7"),
    "sbfx": (".inst 0xe7a30251", "v7"),
    "bfi": (".inst 0xe7c50111", "v7"),
    "bfc": (".inst 0xe7c5011f", "v7"),
    "mls": (".inst 0xe0603291", "v7"),
    "rbit": (".inst 0xe6ff0f31", "v7"),
    "ldrht": (".inst 0xe0f100b2", "v7"),
    "pldw": (".inst 0xf590f000", "v7"),
    "sdiv": (".inst 0xe710f211", "div"),
    "udiv": (".inst 0xe730f211", "div"),
    "vadd.i32 q0, q1, q2": (".inst 0xf2220844", "neon"),
    "vld1.8 {d0}, [r0]": (".inst 0xf420070f", "neon"),
    "vdup.32 q0, r0": (".inst 0xeea00b90", "neon"),
    "vmov.u8 r0, d0[1]": (".inst 0xeed00b30", "neon"),
    "vmov.f32 s0, #1.0": (".inst 0xeeb70a00", "vfp3"),
    "vmov.f64 d0, #1.0": (".inst 0xeeb70b00", "vfp3"),
    "vcvt.f32.s32 s0, s0, #1": (".inst 0xeeba0acf", "vfp3"),
    "vfma.f32 s0, s1, s2": (".inst 0xeea00a81", "vfp4"),
    "vfnms.f64 d0, d1, d2": (".inst 0xee910b02", "vfp4"),
    "vcvtb.f32.f16 s0, s1": (".inst 0xeeb20a60", "fp16"),
    "vadd.f64 d16, d17, d18": (".inst 0xee710ba2", "d32"),
    "vldr d16, [r0]": (".inst 0xedd00b00", "d32"),
    "vpush {d8-d23}": (".inst 0xed2d8b20", "d32"),
    "vmov d16, r0, r1": (".inst 0xec410b30", "d32"),
    "lda r0, [r1]": (".inst 0xe1910c9f", "v8"),
    "crc32b r0, r1, r2": (".inst 0xe1010042", "v8"),
    "vselge.f32 s0, s1, s2": (".inst 0xfe200a81", "v8"),
    "vmaxnm.f64 d0, d1, d2": (".inst 0xfe810b02", "v8"),
    "vrinta.f32 s0, s1": (".inst 0xfeb80a60", "v8"),
    "aese.8 q0, q1": (".inst 0xf3b00302", "crypto"),
    "vadd.f16 s0, s1, s2": (".inst 0xee300981", "fp16arith"),
    "vsdot.s8 q0, q1, q2": (".inst 0xfc220d44", "dotprod"),
}

# What an ARM1176 does have, and what a careless audit would take for ARMv7.
HONEST = (
    "ldrexd r0, r1, [r2]",
    "strexd r0, r2, r3, [r1]",
    "ldrexb r0, [r1]",
    "clrex",
    "mcr p15, 0, r0, c7, c10, 5",
    "nop",
    "yield",
    "wfe",
    "uxtb r0, r1",
    "sxtah r0, r1, r2",
    "rev r0, r1",
    "revsh r0, r1",
    "ssat r0, #8, r1",
    "usat16 r0, #8, r1",
    "smlald r0, r1, r2, r3",
    "smmulr r0, r1, r2",
    "umaal r0, r1, r2, r3",
    "uadd8 r0, r1, r2",
    "sel r0, r1, r2",
    "qadd r0, r1, r2",
    "smlabb r0, r1, r2, r3",
    "ldrd r0, r1, [r2]",
    "clz r0, r1",
    "pld [r0]",
    "setend le",
    "swi #0",
    "vmov d0, r0, r1",
    "vmov s0, s1, r0, r1",
    "vmov s0, r0",
    "vmov r0, s31",
    "vmov.32 d15[1], r0",
    "vldmia r0!, {d0-d15}",
    "vpush {s16-s31}",
    "vldr d15, [r0, #8]",
    "vstr s31, [r0]",
    "vmla.f64 d13, d14, d15",
    "vdiv.f32 s29, s30, s31",
    "vsqrt.f64 d15, d14",
    "vabs.f32 s31, s30",
    "vneg.f64 d15, d14",
    "vcmp.f64 d15, #0",
    "vcmpe.f32 s31, s30",
    "vcvt.f64.f32 d15, s31",
    "vcvt.f32.f64 s31, d15",
    "vcvt.s32.f64 s31, d15",
    "vcvtr.u32.f32 s31, s30",
    "vcvt.f64.u32 d15, s31",
    "vmrs APSR_nzcv, fpscr",
    "vmsr fpscr, r0",
    "vnmul.f64 d15, d14, d13",
)

RETURN = "  bx lr\n"
# The end of a program that lived; what r0 and r1 pointed to meanwhile.
EXIT = "  mov r0, #0\n  mov r7, #1\n  swi #0\n"
SPACE = ".data\n.align 6\n9: .space 4096\n"

# Tag_CPU_arch and Tag_THUMB_ISA_use, said outright: zig's -mcpu would win over .arch.
ARCH = {"armv6k": (9, 1), "armv6kz": (7, 1), "armv6t2": (8, 2), "armv7-a": (10, 2)}


@dataclass(frozen=True)
class Source:
    """An assembler file and how to link it."""

    body: str = RETURN
    arch: str = "armv6k"
    fpu: str = "vfpv2"
    state: str = "arm"
    extra: str = ""
    hard: bool = True
    exports: tuple[str, ...] = ("PyInit_m",)
    versions: str = ""
    soname: str = ""
    links: tuple[str, ...] = field(default=())

    def text(self) -> str:
        lines = [
            ".syntax unified",
            f".arch {self.arch}",
            f".fpu {self.fpu}",
            f".eabi_attribute 6, {ARCH[self.arch][0]}",
            f".eabi_attribute 9, {ARCH[self.arch][1]}",
            f".eabi_attribute 28, {1 if self.hard else 0}",
            '.section .note.GNU-stack,"",%progbits',
            ".text",
            f".{self.state}",
        ]
        for name in self.exports:
            lines += [f".globl {name}", f".type {name}, %function"]
            lines += [".thumb_func"] if self.state == "thumb" else []
            lines += [f"{name}:"]
        return "\n".join(lines) + "\n" + self.body + "\n" + self.extra + "\n"


class Toolbox:
    """Assembles and links; each distinct file once a session."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._number = 0
        self._cache: dict[object, bytes] = {}

    def run(self, *arguments: str) -> None:
        command = [sys.executable, "-m", "ziglang", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    def file(self, suffix: str) -> Path:
        self._number += 1
        return self._folder / f"{self._number}{suffix}"

    def object(self, text: str, target: str = "arm-linux-gnueabihf") -> Path:
        source, built = self.file(".s"), self.file(".o")
        source.write_text(text)
        cpu = ["-mcpu=arm1176jzf_s"] if target.startswith("arm-") else []
        self.run("cc", "-c", "-g0", "-target", target, *cpu, str(source), "-o", str(built))
        return built

    def shared(self, source: Source = Source(), *link: str, strip: bool = False) -> bytes:
        """A shared object."""
        key = (source, link, strip)
        if key not in self._cache:
            built = self.file(".so")
            arguments = ["-shared", "--hash-style=both", "--no-undefined-version", *link]
            if strip:
                arguments.append("--strip-all")
            if source.versions:
                script = self.file(".map")
                script.write_text(source.versions)
                arguments.append(f"--version-script={script}")
            if source.soname:
                arguments.append(f"--soname={source.soname}")
            for library in source.links:
                arguments.append(library)
            self.run("ld.lld", *arguments, str(self.object(source.text())), "-o", str(built))
            self._cache[key] = built.read_bytes()
        return self._cache[key]

    def compiled(self, text: str, cpu: str) -> bytes:
        """A shared object of C code that needs no library."""
        source, built = self.file(".c"), self.file(".so")
        source.write_text(text)
        target = ["-target", "arm-linux-gnueabihf.2.28", f"-mcpu={cpu}"]
        # Without what zig's own run-time code says of the folder in which it was compiled first.
        options = ["-shared", "-fPIC", "-O2", "-nostdlib", "-g0", "-Wl,--strip-debug"]
        self.run("cc", *options, *target, str(source), "-o", str(built))
        return built.read_bytes()

    def program(self, source: Source, *link: str) -> bytes:
        """A program that needs no loader, unless it is linked for one."""
        built = self.file(".exe")
        self.run("ld.lld", *link, str(self.object(source.text())), "-o", str(built))
        return built.read_bytes()

    def ending(self, body: str, cpu: str, extra: str = "") -> int:
        """How a program ends on an emulated CPU; r0 and r1 point to memory when it starts."""
        assert QEMU is not None
        text = f"  ldr r1, =9f\n  mov r0, r1\n{body}\n{EXIT}  .ltorg\n"
        source = Source(text, extra=extra + SPACE, exports=("_start",))
        program = self.file(".exe")
        self.run("ld.lld", str(self.object(source.text())), "-o", str(program))
        command = [QEMU, "-cpu", cpu, str(program)]
        done = subprocess.run(command, capture_output=True, check=False, cwd=self._folder)
        return done.returncode

    def ending_of_function(self, module: bytes, name: str, cpu: str) -> int:
        """How a program ends that holds a shared object as it is, and calls a function of it."""
        elf = Elf(module)
        entry = next(item.value for item in elf.dynamic_symbols if item.name == name)
        (section,) = (s for s in elf.sections if s.flags & 4 and 0 <= entry - s.addr < s.size)
        place = self.file(".bin")
        place.write_bytes(module)
        call = f"  ldr r4, =8f + {entry - section.addr + section.offset:#x}\n  blx r4"
        # Aligned as the loader would do it, so that constants lie where the code looks for them.
        return self.ending(call, cpu, f'.balign 4096\n8: .incbin "{place}"\n')

    def library(self, soname: str, version: str, symbol: str) -> str:
        """A library to link against, which has one symbol of one version; its path."""
        folder = self._folder / f"{soname}-{version}"
        folder.mkdir(exist_ok=True)
        path = folder / soname
        source = Source(
            exports=(symbol,),
            versions=f"{version} {{ global: {symbol}; local: *; }};",
            soname=soname,
        )
        path.write_bytes(self.shared(source))
        return str(path)

    def foreign(self, target: str) -> bytes:
        """A shared object for another machine."""
        if target not in self._cache:
            built = self.file(".so")
            text = ".text\n.globl f\nf:\n  nop\n"
            self.run("ld.lld", "-shared", str(self.object(text, target)), "-o", str(built))
            self._cache[target] = built.read_bytes()
        return self._cache[target]


def words(*values: int) -> str:
    """Instructions by number."""
    return "".join(f"  .inst {value:#x}\n" for value in values)


def patch(data: bytes, offset: int, layout: str, *values: int) -> bytes:
    """The bytes with some numbers overwritten."""
    changed = bytearray(data)
    struct.pack_into("<" + layout, changed, offset, *values)
    return bytes(changed)


def without_section(data: bytes, kind: int) -> bytes:
    """The file with its sections of a type made unknown."""
    start, size, count = (
        struct.unpack_from("<I", data, 32)[0],
        *struct.unpack_from("<HH", data, 46),
    )
    for number in range(count):
        at = start + number * size + 4
        if struct.unpack_from("<I", data, at)[0] == kind:
            data = patch(data, at, "I", 1)
    return data


def swap_sections(data: bytes, one: str, other: str) -> bytes:
    """The file with two section headers in each other's place, as tools that move sections do."""
    start, size = struct.unpack_from("<I", data, 32)[0], struct.unpack_from("<H", data, 46)[0]
    names = [section.name for section in Elf(data).sections]
    at, to = (start + names.index(name) * size for name in (one, other))
    changed = bytearray(data)
    changed[at : at + size], changed[to : to + size] = data[to : to + size], data[at : at + size]
    return bytes(changed)


def renamed_symbols(data: bytes, old: str, new: str) -> bytes:
    """The file whose symbols of a name that begins like that begin otherwise."""
    elf = Elf(data)
    table = next(section for section in elf.sections if section.type == SHT_SYMTAB)
    strings = elf.sections[table.link]
    text = elf.section_bytes(strings).replace(f"\0{old}".encode(), f"\0{new}".encode())
    return data[: strings.offset] + text + data[strings.offset + strings.size :]


def change_stack(data: bytes, kind: int, flags: int) -> bytes:
    """The file with another PT_GNU_STACK header."""
    start, size, count = (
        struct.unpack_from("<I", data, 28)[0],
        *struct.unpack_from("<HH", data, 42),
    )
    for number in range(count):
        at = start + number * size
        if struct.unpack_from("<I", data, at)[0] == 0x6474E551:
            data = patch(patch(data, at, "I", kind), at + 24, "I", flags)
    return data


MODULE = "m.cpython-311-arm-linux-gnueabihf.so"
METADATA = "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\nRequires-Python: >=3.9\n"


def make_wheel(
    folder: Path,
    files: dict[str, bytes],
    *,
    tag: str = "cp311-cp311-linux_armv6l",
    wheel_tag: str | None = None,
    metadata: str = METADATA,
    record: dict[str, str] | None = None,
    name: str = "demo-1.0",
) -> Path:
    """A wheel whose RECORD is right, except for the rows given ('' leaves one out)."""
    info = "demo-1.0.dist-info"
    rows = [wheel_tag] if wheel_tag is not None else expand(tag)
    lines = ["Wheel-Version: 1.0", "Root-Is-Purelib: false", *(f"Tag: {row}" for row in rows)]
    files = {
        **files,
        f"{info}/METADATA": metadata.encode(),
        f"{info}/WHEEL": ("\n".join(lines) + "\n").encode(),
    }
    table = {file: f"{file},{digest(data)},{len(data)}" for file, data in files.items()}
    table |= record or {}
    text = "\n".join(row for row in table.values() if row) + f"\n{info}/RECORD,,\n"
    path = folder / f"{name}-{tag}.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file, data in {**files, f"{info}/RECORD": text.encode()}.items():
            archive.writestr(file, data)
    return path


def expand(tag: str) -> list[str]:
    """The tags that a compressed tag stands for."""
    pythons, abis, platforms = (part.split(".") for part in tag.split("-"))
    return [f"{p}-{a}-{q}" for p in pythons for a in abis for q in platforms]


def digest(data: bytes) -> str:
    """A hash as RECORD writes it."""
    value = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    return f"sha256={value}"
