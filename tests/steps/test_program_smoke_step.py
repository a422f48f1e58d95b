"""The steps that run test programs on a board: which tests these are, and of what the key knows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from making import (
    PROGRAMS,
    FakeEngine,
    FakeSources,
    host_path,
    load_recipe,
    make_step,
    workspace,
    write_programs,
)

from crosspi.containers.engine import Line
from crosspi.containers.images import Image
from crosspi.containers.job import Job
from crosspi.data.targets import Cell, Slot
from crosspi.errors import SmokeError
from crosspi.steps.program_smoke import program_smoke_step
from crosspi.work.plan import Step


def make(root: Path, cell: Cell, engine: FakeEngine | None = None) -> Step:
    write_programs(root / "recipes")
    return program_smoke_step(
        load_recipe(root / "recipes", PROGRAMS),
        "smoke-programs",
        Slot(cell.toolchain),
        cell.toolchain.oldest,
        image=Image(make_step("image", "board"), "board:1"),
        product=make_step("compile", "pack-toy"),
        linked=make_step("programs", "pack-toy"),
        proofs=(),
        engine=engine or FakeEngine(),
        sources=FakeSources.at(root / "sources"),
    )


def own_tests(root: Path, text: str = "# tests\n") -> None:
    folder = root / "recipes" / "pack" / "smoke-programs"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "smoke.py").write_text(text)


def run(root: Path, cell: Cell, outcome: str = "passed") -> Job:
    def play(job: Job, _: Line) -> int:
        out, failed = host_path(job, "/out"), outcome != "passed"
        (out / "exit.json").write_text(json.dumps({"install": 0, "harness": int(failed)}))
        test = {"name": "adds", "outcome": outcome, "seconds": 1, "message": "5 is not 4"}
        results = {"outcome": outcome, "board": {"machine": "toyl"}, "counts": {outcome: 1}}
        (out / "results.json").write_text(json.dumps({**results, "tests": [test]}))
        return int(failed)

    engine = FakeEngine(play)
    work = workspace(root / "run", {"programs:pack-toy": root, "compile:pack-toy": root})
    make(root, cell, engine).action(work)
    return engine.jobs[0]


def test_each_program_is_a_test(tmp_path: Path, cell: Cell) -> None:
    job = run(tmp_path, cell)
    assert "/crosspi/programs.py" in job.argv
    assert host_path(job, "/data/programs") == tmp_path
    assert "/index" not in {mount.target for mount in job.mounts}


def test_the_folders_own_tests_find_the_programs(tmp_path: Path, cell: Cell) -> None:
    own_tests(tmp_path)
    job = run(tmp_path, cell)
    assert "/crosspi/smoke.py" in job.argv
    own = tmp_path / "recipes" / "pack" / "smoke-programs" / "smoke.py"
    assert host_path(job, "/crosspi/smoke.py") == own
    assert host_path(job, "/data/programs") == tmp_path


def test_a_program_that_fails_fails_the_step(tmp_path: Path, cell: Cell) -> None:
    with pytest.raises(SmokeError) as caught:
        run(tmp_path, cell, outcome="failed")
    assert "what is in it" in str(caught.value)
    assert "5 is not 4" in str(caught.value.why)


def test_the_key_knows_the_folders_tests(tmp_path: Path, cell: Cell) -> None:
    keys = [make(tmp_path, cell).key]
    for text in ("# tests\n", "# more tests\n"):
        own_tests(tmp_path, text)
        keys.append(make(tmp_path, cell).key)
    assert len(set(keys)) == 3
