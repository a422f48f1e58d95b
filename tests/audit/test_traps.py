"""The second witness: what the audit calls foreign, an emulated ARM1176 refuses to run."""

from __future__ import annotations

import signal

import pytest
from arm_files import FOREIGN, HONEST, Toolbox, needs_qemu

pytestmark = needs_qemu
# qemu runs ldrht on every CPU; the ARM1176 manual does not have it.
LENIENT = {"ldrht"}


@pytest.mark.parametrize("name", sorted(set(FOREIGN) - LENIENT))
def test_foreign_instruction_traps(arm: Toolbox, name: str) -> None:
    assert arm.ending(FOREIGN[name][0], "arm1176") == -signal.SIGILL


@pytest.mark.parametrize("name", [n for n, (_, k) in FOREIGN.items() if k in ("v8", "crypto")])
def test_v8_instruction_traps_on_a_pi_2(arm: Toolbox, name: str) -> None:
    assert arm.ending(FOREIGN[name][0], "cortex-a7") == -signal.SIGILL


@pytest.mark.parametrize("line", HONEST)
def test_honest_instruction_does_not_trap(arm: Toolbox, line: str) -> None:
    assert arm.ending(line, "arm1176") != -signal.SIGILL
