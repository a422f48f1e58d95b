"""The smoke steps: what the emulated board is given, what is kept of its results."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from making import (
    CMAKE,
    FakeEngine,
    FakeSources,
    host_path,
    load_recipe,
    make_cell,
    make_step,
    tiny_wheel,
    workspace,
)

from crosspi.containers.engine import Line
from crosspi.containers.images import Image
from crosspi.containers.job import Job
from crosspi.data.recipe import Recipe
from crosspi.data.targets import Cell
from crosspi.errors import SmokeError
from crosspi.steps.smoke import smoke_step
from crosspi.work.plan import Step, Workspace

GOOD: dict[str, Any] = {
    "outcome": "passed",
    "board": {"machine": "toyl"},
    "counts": {"passed": 1},
    "tests": [{"name": "adds", "outcome": "passed", "seconds": 0.5, "cpu_seconds": 0.25}],
}


def leave(out: Path) -> None:
    """What a good run on the board leaves behind."""
    (out / "exit.json").write_text(json.dumps({"install": 0, "harness": 0}))
    (out / "results.json").write_text(json.dumps(GOOD))


def make(
    root: Path, recipe: Recipe, cell: Cell, engine: FakeEngine | None = None, level: str = "default"
) -> Step:
    return smoke_step(
        recipe,
        cell,
        cell.toolchain.oldest,
        image=Image(make_step("image", "board"), "board:1"),
        wheels=[make_step("wheel", "pack-cp311-toy"), make_step("wheel", "other-cp311-toy")],
        proofs=[make_step("audit", "pack-cp311-toy")],
        engine=engine or FakeEngine(),
        sources=FakeSources.at(root / "sources"),
        level=level,
    )


def run(
    root: Path, recipe: Recipe, cell: Cell, on_run: Callable[[Job, Line], int]
) -> tuple[Workspace, FakeEngine]:
    engine = FakeEngine(on_run)
    results = {}
    for name in ("pack", "other"):
        folder = root / "wheels" / name
        tiny_wheel(folder, name)
        results[f"wheel:{name}-cp311-toy"] = folder
    work = workspace(root / "run", results)
    make(root, recipe, cell, engine).action(work)
    return work, engine


def passes(job: Job, line: Line) -> int:
    line("fine")
    leave(host_path(job, "/out"))
    return 0


def test_the_results_are_about_exactly_this_file(
    tmp_path: Path, recipe: Recipe, cell: Cell
) -> None:
    work, _ = run(tmp_path, recipe, cell, passes)
    results = json.loads((work.out / "results.json").read_text())
    wheel = tmp_path / "wheels" / "pack" / "pack-1.0-py3-none-any.whl"
    assert results["wheel"] == wheel.name
    assert results["sha256"] == hashlib.sha256(wheel.read_bytes()).hexdigest()
    assert results["emulated"] == {
        "name": "toy1", "plays": "Toy 1", "cpu": "toy-emulated", "midr": "", "note": "",
    }  # fmt: skip
    assert results["outcome"] == "passed"
    assert (work.out / "junit.xml").is_file()
    assert work.notes["counts"] == {"passed": 1}
    assert work.cost.cpu == 0.25


def test_pip_installs_from_a_staged_index_of_its_own(
    tmp_path: Path, recipe: Recipe, cell: Cell
) -> None:
    _, engine = run(tmp_path, recipe, cell, passes)
    (job,) = engine.jobs
    staged = host_path(job, "/index")
    assert sorted(p.name for p in (staged / "simple").glob("*/")) == ["other", "pack"]
    assert "file:///index/simple" in job.argv
    assert "pack==1.0" in job.argv


def test_the_board_is_pinned_and_sees_a_boards_cpuinfo(
    tmp_path: Path, recipe: Recipe, cell: Cell
) -> None:
    _, engine = run(tmp_path, recipe, cell, passes)
    (job,) = engine.jobs
    assert job.environment["QEMU_CPU"] == "toy-emulated"
    assert host_path(job, "/proc/cpuinfo").read_text() == "Hardware: toy\n"
    assert [m.target for m in job.mounts if m.writable] == ["/out"]


def test_the_recipes_time_limit_holds(tmp_path: Path, cell: Cell) -> None:
    recipe = load_recipe(tmp_path / "recipes", CMAKE + "smoke: {timeout_minutes: 7}\n")

    def hangs(job: Job, line: Line) -> int:
        line("the last word")
        progress = '{"event": "start", "name": "endless"}\n'
        (host_path(job, "/out") / "results.jsonl").write_text(progress)
        raise TimeoutError

    with pytest.raises(SmokeError, match="did not end within 7 minutes") as caught:
        run(tmp_path, recipe, cell, hangs)
    assert "endless" in caught.value.where
    assert "the last word" in caught.value.why


def test_the_engine_is_told_the_limit(tmp_path: Path, recipe: Recipe, cell: Cell) -> None:
    _, engine = run(tmp_path, recipe, cell, passes)
    assert engine.timeouts == [15 * 60]


def test_smoke_data_is_mounted(tmp_path: Path, cell: Cell) -> None:
    recipe = load_recipe(tmp_path / "recipes", CMAKE + "smoke: {data: {main: models}}\n")
    _, engine = run(tmp_path, recipe, cell, passes)
    (job,) = engine.jobs
    assert host_path(job, "/data/main").name == "models"
    assert list(job.argv)[job.argv.index("--data") + 1] == "main=/data/main"


def test_a_step_is_of_one_board_and_its_key_knows_it(tmp_path: Path) -> None:
    before = make(tmp_path, load_recipe(tmp_path / "recipes"), make_cell(tmp_path))
    assert before.name == "smoke:pack-cp311-toy-toy1"
    cell = make_cell(tmp_path)
    cell.toolchain.cpuinfo(cell.toolchain.oldest).write_text("another")
    assert make(tmp_path, load_recipe(tmp_path / "recipes"), cell).key != before.key


def smoke_key(root: Path, text: str = CMAKE, level: str = "default") -> str:
    return make(root, load_recipe(root / "recipes", text), make_cell(root), level=level).key


def test_the_key_knows_the_test_its_data_and_its_level(tmp_path: Path) -> None:
    before = smoke_key(tmp_path)
    assert smoke_key(tmp_path) == before
    assert smoke_key(tmp_path, level="full") != before
    assert smoke_key(tmp_path, CMAKE + "smoke: {data: {main: models}}\n") != before
    folder = tmp_path / "recipes" / "pack"
    (folder / "smoke").mkdir()
    (folder / "smoke" / "expected.json").write_text("1")
    with_data = smoke_key(tmp_path)
    assert with_data != before
    (folder / "smoke" / "expected.json").write_text("2")
    assert smoke_key(tmp_path) != with_data


def test_the_key_knows_nothing_else_of_the_recipe(tmp_path: Path) -> None:
    before = smoke_key(tmp_path)
    (tmp_path / "recipes" / "pack" / "helper.cmake").write_text("x")
    assert smoke_key(tmp_path, CMAKE.replace("summary: a", "summary: one")) == before
