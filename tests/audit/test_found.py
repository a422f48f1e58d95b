"""Instructions of a range, counted and listed some at a time: the same as all at once."""

from __future__ import annotations

import pytest
from arm_files import RETURN, Source, Toolbox
from test_scan import NEON, scanned

from crosspi.audit.code import classes, kinds
from crosspi.audit.code.found import Hit

ARM = f"  ldr r0, 1f\n  .inst {NEON:#x}\n  movw r0, #7\n{RETURN}1: .word {NEON:#x}\n"
WIDE = "  movw r0, #1\n  movw r1, #2\n  movs r2, #3\n  movw r3, #4\n  bx lr\n"
SOURCES = {
    "arm": Source(ARM * 9, arch="armv7-a", fpu="neon"),
    "thumb": Source(WIDE * 9, arch="armv7-a", state="thumb"),
    "both": Source(
        f"{ARM}  .thumb\n2: {WIDE}  .short 0x4770\n  .arm\n  .balign 4\n{ARM}" * 5,
        arch="armv7-a",
        fpu="neon",
    ),
}


def everything(data: bytes) -> tuple[int, float, dict[str, int], list[Hit]]:
    found = scanned(data)
    hits = [hit for hits in found.hits(classes.ALL) for hit in hits]
    return found.instructions, found.coverage, found.counts, hits


@pytest.mark.parametrize("strip", [False, True])
@pytest.mark.parametrize("name", SOURCES)
def test_parts_change_nothing(
    arm: Toolbox, monkeypatch: pytest.MonkeyPatch, name: str, strip: bool
) -> None:
    data = arm.shared(SOURCES[name], strip=strip)
    whole = everything(data)
    assert whole[3] == sorted(whole[3], key=lambda hit: hit.addr)
    for size in (1, 2, 3, 7):
        monkeypatch.setattr(kinds, "_CHUNK", size)
        assert everything(data) == whole


def test_each_hit_is_told_once(arm: Toolbox) -> None:
    instructions, _, counts, hits = everything(arm.shared(SOURCES["arm"]))
    assert counts == {"v7": 9, "neon": 9}
    assert instructions == 36
    assert len(hits) == 18
