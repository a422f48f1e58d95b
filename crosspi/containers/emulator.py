"""What runs 32-bit ARM programs on this machine, and how to ask it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from crosspi.containers import host

#: Of the package arch-test: the program by which it finds out, on Debian 12 and on 13.
ARM_PROGRAMS = (Path("/usr/lib/arch-test/armhf"), Path("/usr/libexec/arch-test/armhf"))


def run_qemu(program: str, *arguments: str) -> str:
    """What qemu prints (its exit code says nothing for `-cpu help`)."""
    return subprocess.run(
        [program, *arguments], capture_output=True, text=True, timeout=20, check=False
    ).stdout


def run_kernels_qemu(program: str, *arguments: str) -> str:
    """What the emulator that the kernel starts for an ARM program prints.

    It may lie where nobody sees it: with flag F the kernel holds it open, and it came from a
    container, perhaps. linux-user/main.c of qemu reads its options from the environment too.
    """
    options = {"--version": {"QEMU_VERSION": "1"}, "-cpu help": {"QEMU_CPU": "help"}}
    environment = {**os.environ, **options[" ".join(arguments)]}
    return subprocess.run(
        [program], env=environment, capture_output=True, text=True, timeout=20, check=False
    ).stdout


def find_qemu(
    entry: host.BinfmtEntry | None, arm_programs: Sequence[Path] = ARM_PROGRAMS
) -> tuple[str | None, Callable[..., str]]:
    """The very emulator that the kernel starts, and how to ask it; else one in PATH."""
    if entry and Path(entry.interpreter).exists():
        return os.path.realpath(entry.interpreter), run_qemu
    for program in arm_programs if entry else ():
        if program.exists():
            return str(program), run_kernels_qemu
    return shutil.which("qemu-arm-static"), run_qemu


def emulator_version() -> str:
    """The emulator of the boards' programs, as it names itself; else why there is none."""
    program, ask = find_qemu(host.arm_binfmt())
    if program is None:
        return "no qemu on this machine"
    try:
        return ask(program, "--version").partition("\n")[0].strip() or "nameless"
    except (OSError, subprocess.SubprocessError) as error:
        return f"{program}: {error}"
