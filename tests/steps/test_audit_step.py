"""The audit's step. (`test_auditing.py` is the name of the audit's own tests, in `audit/`.)"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from making import (
    CMAKE,
    TOOLCHAIN,
    load_recipe,
    make_cell,
    make_step,
    tiny_wheel,
    workspace,
    write_toolchains,
)
from projects import good

from crosspi.audit import Report
from crosspi.data.recipe import Recipe
from crosspi.data.targets import Cell, Targets
from crosspi.errors import AuditError
from crosspi.steps.audit import REPORT, audit_step
from crosspi.work.plan import Workspace


def run(root: Path, recipe: Recipe, cell: Cell, wheel: Path) -> Workspace:
    made = make_step("wheel", "pack-cp311-toy")
    work = workspace(root / "run", {made.name: wheel.parent})
    audit_step(recipe, cell, made).action(work)
    return work


def test_a_good_wheel_gets_a_report_about_itself(
    tmp_path: Path, recipe: Recipe, cell: Cell
) -> None:
    work = run(tmp_path, recipe, cell, tiny_wheel(tmp_path / "wheel"))
    report = json.loads((work.out / REPORT).read_text())
    assert report["ok"] is True
    assert len(report["sha256"]) == 64
    assert "tiny-1.0" in work.log.read_text()


def test_a_bad_wheel_is_an_error_with_the_findings(
    tmp_path: Path, recipe: Recipe, cell: Cell
) -> None:
    wheel = tiny_wheel(tmp_path / "wheel", tag="cp311-cp311-linux_toyl")
    with pytest.raises(AuditError, match="breaks the law of cp311-toy") as caught:
        run(tmp_path, recipe, cell, wheel)
    assert "platform-without-elf" in caught.value.why
    assert "platform-without-elf" in (tmp_path / "run" / "log").read_text()
    assert not (tmp_path / "run" / "draft" / "out" / REPORT).is_dir()


def key(root: Path, text: str = CMAKE, toolchain: str = TOOLCHAIN) -> str:
    make_cell(root)
    targets = Targets.load(write_toolchains(root / "toolchains", toolchain=toolchain))
    cell = Cell(targets.toolchain("toy"), targets.python("3.11"))
    return audit_step(load_recipe(root / "recipes", text), cell, make_step("wheel")).key


def test_the_key_knows_the_law_and_the_promises(tmp_path: Path) -> None:
    before = key(tmp_path)
    assert key(tmp_path, toolchain=TOOLCHAIN.replace("[10]", "[9, 10]")) != before
    assert key(tmp_path, CMAKE + "promises: {toy: {neon: true}}\n") != before
    assert key(tmp_path, CMAKE + "promises: {fun: {neon: true}}\n") == before
    assert key(tmp_path, toolchain=TOOLCHAIN.replace("toy-emulated", "other")) == before


@pytest.mark.parametrize("forced", [False, True])
def test_a_forced_step_recalls_nothing(
    tmp_path: Path, recipe: Recipe, cell: Cell, monkeypatch: pytest.MonkeyPatch, forced: bool
) -> None:
    """Neither from what other wheels' audits remember."""
    given: list[Any] = []

    def audit(path: Path, *_: Any, memory: Any, **__: Any) -> Report:
        given.append(memory)
        return good(path)

    monkeypatch.setattr("crosspi.audit.verdict.audit_wheel", audit)
    made = make_step("wheel", "pack-cp311-toy")
    wheel = tiny_wheel(tmp_path / "wheel")
    work = replace(workspace(tmp_path / "run", {made.name: wheel.parent}), forced=forced)
    audit_step(recipe, cell, made, tmp_path / "audits").action(work)
    (memory,) = given
    assert (memory.folder, memory.fresh) == (tmp_path / "audits", forced)
