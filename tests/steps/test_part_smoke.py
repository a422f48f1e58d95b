"""The smoke test of a part: what its container sees, and what becomes of its results."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from making import (
    ZEROS,
    FakeEngine,
    FakeSources,
    host_path,
    make_cell,
    make_step,
    workspace,
)

from crosspi.containers.engine import Line
from crosspi.containers.images import Image
from crosspi.containers.job import Job
from crosspi.data.part import Part, load_parts
from crosspi.data.targets import Cell
from crosspi.errors import DataError, EmulatorError, SmokeError
from crosspi.steps.part_smoke import part_smoke_step
from crosspi.work.plan import Step, Workspace

PART = f"""\
name: toys
version: "1"
summary: a made-up system
licence: MIT
homepage: https://example.org
image: tools
sources:
  python:
    tree: {ZEROS}
    origins: [{{local: python}}]
smoke: {{data: {{python: Lib}}, timeout_minutes: 9}}
"""
RESULTS: dict[str, Any] = {
    "outcome": "passed",
    "board": {"machine": "toyl"},
    "counts": {"passed": 2},
    "tests": [
        {"name": "adds", "outcome": "passed", "seconds": 0.5, "cpu_seconds": 0.25},
        {"name": "runs", "outcome": "passed", "seconds": 9, "notes": {"cpu_seconds": 8, "run": 40}},
    ],
}


def load_part(root: Path, text: str = PART) -> Part:
    folder = root / "recipes" / "toys"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "part.yaml").write_text(text)
    (folder / "build.sh").write_text("")
    (folder / "smoke.py").write_text("# tests\n")
    return load_parts(folder.parent)["toys"]


LIBC = make_step("part", "libc")


def make(
    root: Path,
    part: Part,
    cell: Cell,
    engine: FakeEngine | None = None,
    folder: str = "tests",
    level: str = "default",
) -> Step:
    return part_smoke_step(
        part,
        cell,
        image=Image(make_step("image", "board"), "board:1"),
        engine=engine or FakeEngine(),
        sources=FakeSources.at(root / "sources"),
        folders={folder: LIBC},
        audits=[make_step("audit", "toys-toy")],
        level=level,
    )


def run(
    root: Path, cell: Cell, on_run: Callable[[Job, Line], int], text: str = PART
) -> tuple[Workspace, FakeEngine]:
    part = load_part(root, text)
    (root / "sources" / part.data.sources["python"].digest / "Lib").mkdir(parents=True)
    (root / "libc" / "tests").mkdir(parents=True)
    engine = FakeEngine(on_run)
    work = workspace(root / "run", {"part:libc": root / "libc"})
    make(root, part, cell, engine).action(work)
    return work, engine


def leaves(harness: int = 0, **changes: Any) -> Callable[[Job, Line], int]:
    def on_run(job: Job, line: Line) -> int:
        line("fine")
        out = host_path(job, "/out")
        (out / "exit.json").write_text(json.dumps({"install": 0, "harness": harness}))
        (out / "results.json").write_text(json.dumps({**RESULTS, **changes}))
        return 0

    return on_run


def test_the_board_itself_is_tested_so_nothing_is_installed(tmp_path: Path, cell: Cell) -> None:
    _, engine = run(tmp_path, cell, leaves())
    (job,) = engine.jobs
    assert job.image == "board:1"
    assert list(job.argv)[3] == ""
    assert "/index" not in [mount.target for mount in job.mounts]
    assert host_path(job, "/recipe").name == "toys"
    assert job.environment["QEMU_CPU"] == "toy-emulated"
    assert [m.target for m in job.mounts if m.writable] == ["/out"]
    assert engine.timeouts == [9 * 60]


def test_sources_and_folders_of_other_parts_are_its_data(tmp_path: Path, cell: Cell) -> None:
    _, engine = run(tmp_path, cell, leaves())
    (job,) = engine.jobs
    assert host_path(job, "/data/python").name == "Lib"
    assert host_path(job, "/data/tests") == tmp_path / "libc" / "tests"
    given = [word for word in job.argv if "=/data/" in word]
    assert given == ["python=/data/python", "tests=/data/tests"]


def test_results_costs_and_facts_are_kept(tmp_path: Path, cell: Cell) -> None:
    work, _ = run(tmp_path, cell, leaves())
    results = json.loads((work.out / "results.json").read_text())
    assert results["emulated"]["cpu"] == "toy-emulated"
    assert 'name="smoke toys cp311-toy toy1"' in (work.out / "junit.xml").read_text()
    assert work.notes["counts"] == {"passed": 2}
    assert work.notes["facts"] == {"runs": {"cpu_seconds": 8, "run": 40}}
    assert work.cost.cpu == 8.25


def test_a_failed_test_names_the_part(tmp_path: Path, cell: Cell) -> None:
    bad = [*RESULTS["tests"], {"name": "tst-mutex1", "outcome": "failed", "message": "1 is not 0"}]
    with pytest.raises(SmokeError) as caught:
        run(tmp_path, cell, leaves(1, tests=bad))
    error = caught.value
    assert error.what == "1 of 3 smoke tests failed"
    assert error.why == "tst-mutex1: 1 is not 0"
    assert error.fix.startswith("the part toys goes no further")


def test_a_crash_of_qemu_proves_nothing_about_the_part(tmp_path: Path, cell: Cell) -> None:
    def crashes(_: Job, line: Line) -> int:
        line("qemu: fatal: Lockup")
        return 1

    with pytest.raises(EmulatorError, match="nothing is proven about the part toys"):
        run(tmp_path, cell, crashes)


def test_the_limit_of_its_yaml_holds(tmp_path: Path, cell: Cell) -> None:
    def hangs(_: Job, line: Line) -> int:
        line("the last word")
        raise TimeoutError

    with pytest.raises(SmokeError, match="did not end within 9 minutes"):
        run(tmp_path, cell, hangs)


def test_missing_data_is_an_error(tmp_path: Path, cell: Cell) -> None:
    with pytest.raises(SmokeError, match="no data folder 'python'") as caught:
        run(tmp_path, cell, leaves(), PART.replace("python: Lib}", "python: Bib}"))
    assert caught.value.where.endswith("Bib")


def test_two_data_folders_of_one_name(tmp_path: Path, cell: Cell) -> None:
    with pytest.raises(DataError, match="two data folders of one name: python"):
        make(tmp_path, load_part(tmp_path), cell, folder="python")


def key(root: Path, text: str = PART, **options: Any) -> str:
    return make(root, load_part(root, text), make_cell(root), **options).key


def test_the_key_knows_the_test_its_data_and_the_other_parts(tmp_path: Path) -> None:
    before = key(tmp_path)
    assert key(tmp_path) == before
    assert key(tmp_path, level="full") != before
    assert key(tmp_path, folder="other") != before
    assert key(tmp_path, PART.replace("{python: Lib}", "{python: Doc}")) != before
    assert key(tmp_path, PART.replace(ZEROS, ZEROS.replace("0", "1"))) != before
    part = load_part(tmp_path)
    (part.folder / "smoke").mkdir()
    (part.folder / "smoke" / "helper.py").write_text("")
    assert make(tmp_path, part, make_cell(tmp_path)).key != before


def test_the_key_knows_nothing_else_of_the_part(tmp_path: Path) -> None:
    before = key(tmp_path)
    assert key(tmp_path, PART.replace("a made-up", "an invented")) == before


def test_the_step_waits_for_what_it_needs(tmp_path: Path, cell: Cell) -> None:
    step = make(tmp_path, load_part(tmp_path), cell)
    assert step.name == "smoke:toys-cp311-toy-toy1"
    assert [need.name for need in step.needs] == ["image:board", "part:libc", "audit:toys-toy"]


def test_board_runs_the_harness_without_pip(tmp_path: Path) -> None:
    """board.py as it is, with an empty requirement."""
    board = Path(__file__).parents[2] / "crosspi" / "guests" / "board.py"
    text = board.read_text().replace("/out/exit.json", str(tmp_path / "exit.json"))
    (tmp_path / "board.py").write_text(text)
    (tmp_path / "harness.py").write_text("raise SystemExit(3)\n")
    argv = [sys.executable, "board.py", "file:///index", "", "harness.py"]
    subprocess.run(argv, cwd=tmp_path, check=True)
    exits = json.loads((tmp_path / "exit.json").read_text())
    assert exits == {"install": 0, "harness": 3}


def test_what_is_compiled_of_glibcs_tests_is_what_is_run() -> None:
    systems = Path(__file__).parents[2] / "systems"
    compiled: dict[str, set[str]] = {}
    for line in (systems / "armv6-libc" / "tests.txt").read_text().splitlines():
        folder, *names = line.split()
        if folder != "#":
            compiled.setdefault(folder, set()).update(names)
    tree = ast.parse((systems / "armv6-userland" / "smoke.py").read_text())
    (table,) = [
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "LIBC_TESTS"
    ]
    run = {f: {f"tst-{n}" for n in text.split()} for f, text in ast.literal_eval(table).items()}
    assert run == compiled
    assert all(len(names) >= 12 for names in run.values())
