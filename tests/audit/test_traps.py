"""The second witness: what the audit calls foreign, an emulated ARM1176 refuses to run."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess

import pytest
from arm_files import FOREIGN, HONEST, Source, Toolbox

QEMU = shutil.which("qemu-arm-static") or shutil.which("qemu-arm")
# In CI qemu is there: without it these tests fail.
pytestmark = pytest.mark.skipif(
    QEMU is None and not os.environ.get("CI"), reason="qemu-user is not installed"
)
# qemu runs ldrht on every CPU; the ARM1176 manual does not have it.
LENIENT = {"ldrht"}
EXIT = "  mov r0, #0\n  mov r7, #1\n  swi #0\n  .align 4\n9: .space 256\n"


def run(arm: Toolbox, line: str, cpu: str) -> int:
    """The exit code of a program that executes one instruction."""
    body = f"  adr r1, 9f\n  mov r0, r1\n  {line}\n{EXIT}"
    program = arm.file(".exe")
    source = Source(body, exports=("_start",))
    arm.run("ld.lld", str(arm.object(source.text())), "-o", str(program))
    assert QEMU is not None
    command = [QEMU, "-cpu", cpu, str(program)]
    return subprocess.run(command, capture_output=True, check=False).returncode


@pytest.mark.parametrize("name", sorted(set(FOREIGN) - LENIENT))
def test_foreign_instruction_traps(arm: Toolbox, name: str) -> None:
    assert run(arm, FOREIGN[name][0], "arm1176") == -signal.SIGILL


@pytest.mark.parametrize("name", [n for n, (_, k) in FOREIGN.items() if k in ("v8", "crypto")])
def test_v8_instruction_traps_on_a_pi_2(arm: Toolbox, name: str) -> None:
    assert run(arm, FOREIGN[name][0], "cortex-a7") == -signal.SIGILL


@pytest.mark.parametrize("line", HONEST)
def test_honest_instruction_does_not_trap(arm: Toolbox, line: str) -> None:
    assert run(arm, line, "arm1176") != -signal.SIGILL
