"""The smoke test's verdict: what the emulator, pip and the tests did, told apart."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

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

from crosspi.engine import Job, Line
from crosspi.errors import CrosspiError, EmulatorError, HostError, SmokeError
from crosspi.images import Image
from crosspi.plan import Step, Workspace
from crosspi.recipe import Recipe
from crosspi.smoke.running import judge as judge_run
from crosspi.smoke.running import junit, smoke_step
from crosspi.targets import Cell

GOOD: dict[str, Any] = {
    "outcome": "passed",
    "board": {"machine": "toyl"},
    "counts": {"passed": 1},
    "tests": [{"name": "adds", "outcome": "passed", "seconds": 0.5, "cpu_seconds": 0.25}],
}


@pytest.fixture
def out(tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


def leave(
    out: Path,
    *,
    install: int | None = 0,
    harness: int | None = 0,
    results: Any = None,
    progress: str = "",
) -> None:
    """What a run on the board leaves behind."""
    (out / "exit.json").write_text(json.dumps({"install": install, "harness": harness}))
    if results is not None:
        (out / "results.json").write_text(json.dumps(results))
    if progress:
        (out / "results.jsonl").write_text(progress)


def judge(out: Path, cell: Cell, *printed: str, code: int = 0) -> dict[str, Any]:
    return judge_run(out, code, printed, cell, log=Path("/the/log"))


def fault(out: Path, cell: Cell, *printed: str, code: int = 0) -> CrosspiError:
    with pytest.raises(CrosspiError) as caught:
        judge(out, cell, *printed, code=code)
    error = caught.value
    assert "/the/log" in error.where
    assert "cp311-toy" in error.where
    assert error.fix
    return error


def test_passed(out: Path, cell: Cell) -> None:
    leave(out, results=GOOD)
    assert judge(out, cell, "fine") == GOOD


@pytest.mark.parametrize("word", ["exec format error", "Exec format error"])
def test_programs_of_the_board_do_not_run_here(out: Path, cell: Cell, word: str) -> None:
    error = fault(out, cell, f"exec /opt/crosspi/python/python: {word}", code=255)
    assert isinstance(error, HostError)
    assert "binfmt" in error.why


@pytest.mark.parametrize(
    "line",
    [
        "QEMU internal SIGSEGV {code=MAPERR, addr=0x20}",
        "qemu: fatal: Lockup",
        "qemu: unhandled CPU exception 0x1 - aborting",
        "ERROR:../tcg/tcg.c:4275:tcg_reg_alloc_mov: assertion failed",
    ],
)
def test_qemu_crashed_whatever_else_is_there(out: Path, cell: Cell, line: str) -> None:
    leave(out, harness=-11, results=GOOD)
    error = fault(out, cell, "before", line, code=0)
    assert isinstance(error, EmulatorError)
    assert error.exit_code == 11
    assert "nothing is proven about the wheel" in error.what
    assert line in error.why


def test_the_board_stopped_before_its_end(out: Path, cell: Cell) -> None:
    error = fault(out, cell, code=137)
    assert isinstance(error, EmulatorError)
    assert "(exit code 137)" in error.what
    assert error.why == "it printed nothing"


def test_pip_could_not_install(out: Path, cell: Cell) -> None:
    leave(out, install=1, harness=None)
    error = fault(out, cell, "ERROR: No matching distribution found for pack==1.0")
    assert isinstance(error, SmokeError)
    assert "could not install" in error.what
    assert "No matching distribution" in error.why


def test_an_illegal_instruction_names_the_test(out: Path, cell: Cell) -> None:
    progress = '{"event": "start", "name": "one"}\n{"event": "start", "name": "two"}\n{"ev'
    leave(out, harness=-4, progress=progress)
    error = fault(out, cell, "qemu: uncaught target signal 4 (Illegal instruction) - core dumped")
    assert isinstance(error, SmokeError)
    assert error.what == "SIGILL on the emulated board in the test two"
    assert "does not have" in error.why
    assert "invoke audit" in error.fix


@pytest.mark.parametrize(
    ("number", "name", "meaning"),
    [(7, "SIGBUS", "reads memory at an address"), (11, "SIGSEGV", "the code in the wheel crashed")],
)
def test_other_signals_of_the_program(
    out: Path, cell: Cell, number: int, name: str, meaning: str
) -> None:
    leave(out, harness=-number)
    error = fault(out, cell, f"qemu: uncaught target signal {number} - core dumped")
    assert isinstance(error, SmokeError)
    assert error.what == f"{name} on the emulated board in the test (before the first one)"
    assert error.why.startswith(meaning) or meaning in error.why


def test_a_signal_without_qemus_word_is_the_emulators(out: Path, cell: Cell) -> None:
    leave(out, harness=-11)
    error = fault(out, cell, "Segmentation fault")
    assert isinstance(error, EmulatorError)
    assert "qemu ended with SIGSEGV" in error.what


def test_a_signal_without_a_name(out: Path, cell: Cell) -> None:
    leave(out, harness=-99)
    assert "signal 99" in fault(out, cell).what


@pytest.mark.parametrize("text", [None, "", "{"])
def test_no_results(out: Path, cell: Cell, text: str | None) -> None:
    leave(out)
    if text is not None:
        (out / "results.json").write_text(text)
    error = fault(out, cell)
    assert isinstance(error, SmokeError)
    assert "no results" in error.what


def test_the_wrong_machine_proves_nothing(out: Path, cell: Cell) -> None:
    leave(out, results={**GOOD, "board": {"machine": "armv8l"}})
    error = fault(out, cell)
    assert isinstance(error, EmulatorError)
    assert error.what == "the test ran on armv8l, not on toyl"
    assert "QEMU_CPU" in error.why


def test_failed_tests_are_named(out: Path, cell: Cell) -> None:
    tests = [
        GOOD["tests"][0],
        {"name": "bad", "outcome": "failed", "message": "1 is not 2"},
        {"name": "worse", "outcome": "error", "message": "ValueError"},
        {"name": "later", "outcome": "skipped", "message": "slow"},
    ]
    leave(out, harness=1, results={**GOOD, "outcome": "failed", "tests": tests})
    error = fault(out, cell)
    assert isinstance(error, SmokeError)
    assert error.what == "2 of 4 smoke tests failed"
    assert error.why == "bad: 1 is not 2\nworse: ValueError"


def test_a_harness_that_fails_without_a_failed_test(out: Path, cell: Cell) -> None:
    leave(out, harness=2, results=GOOD)
    assert isinstance(fault(out, cell, "usage: harness"), SmokeError)


def test_junit_tells_each_outcome() -> None:
    tests = [
        {"name": "a", "outcome": "passed", "seconds": 0.5},
        {"name": "b", "outcome": "failed", "message": "m", "traceback": "line <1>"},
        {"name": "c", "outcome": "error", "message": "e"},
        {"name": "d", "outcome": "skipped", "message": "slow"},
    ]
    suite = ElementTree.fromstring(junit("pack", "cp311-toy", {"tests": tests}))
    assert suite.attrib == {
        "name": "smoke pack cp311-toy",
        "tests": "4",
        "failures": "1",
        "errors": "1",
    }
    assert [[child.tag for child in case] for case in suite] == [
        [], ["failure"], ["error"], ["skipped"],
    ]  # fmt: skip
    assert suite[0].attrib == {"classname": "pack.cp311-toy", "name": "a", "time": "0.5"}
    assert suite[1][0].text == "line <1>"
    assert suite[3][0].get("message") == "slow"


# --- the step -------------------------------------------------------------------------------------


def make(
    root: Path, recipe: Recipe, cell: Cell, engine: FakeEngine | None = None, level: str = "default"
) -> Step:
    return smoke_step(
        recipe,
        cell,
        image=Image(make_step("image", "board"), "board:1"),
        wheels=[make_step("wheel", "pack-cp311-toy"), make_step("wheel", "other-cp311-toy")],
        audits=[make_step("audit", "pack-cp311-toy")],
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
    leave(host_path(job, "/out"), results=GOOD)
    return 0


def test_the_results_are_about_exactly_this_file(
    tmp_path: Path, recipe: Recipe, cell: Cell
) -> None:
    work, _ = run(tmp_path, recipe, cell, passes)
    results = json.loads((work.out / "results.json").read_text())
    wheel = tmp_path / "wheels" / "pack" / "pack-1.0-py3-none-any.whl"
    assert results["wheel"] == wheel.name
    assert results["sha256"] == hashlib.sha256(wheel.read_bytes()).hexdigest()
    assert results["emulated_cpu"] == "toy-emulated"
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
    assert sorted(p.name for p in (staged / "simple").iterdir()) == ["index.html", "other", "pack"]
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
