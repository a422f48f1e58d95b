"""The smoke test's verdict: what the emulator, pip and the tests did, told apart."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from crosspi.data.record import validated
from crosspi.data.targets import Cell
from crosspi.errors import CrosspiError, EmulatorError, HostError, SmokeError
from crosspi.junit import junit
from crosspi.smoke.judging import Run, cases, current_test, told_cpu_part
from crosspi.smoke.judging import judge as judge_run
from crosspi.smoke.results import Results

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


def judge(out: Path, cell: Cell, *printed: str, code: int = 0) -> Results:
    board = cell.toolchain.oldest
    return judge_run(Run(out, code, printed, cell, board, log=Path("/the/log")))


def fault(out: Path, cell: Cell, *printed: str, code: int = 0) -> CrosspiError:
    with pytest.raises(CrosspiError) as caught:
        judge(out, cell, *printed, code=code)
    error = caught.value
    assert "/the/log" in error.where
    assert "cp311-toy on toy1" in error.where
    assert error.fix
    return error


def test_passed(out: Path, cell: Cell) -> None:
    leave(out, results=GOOD)
    assert judge(out, cell, "fine") == validated(Results, GOOD)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"tests": [{"name": "a"}]}, "tests.0.outcome"),
        ({"tests": [{"name": "a", "outcome": "fine"}]}, "tests.0.outcome"),
        ({"board": {}}, "board.machine"),
        ({"counts": {"passed": "many"}}, "counts.passed"),
        ({"more": 1}, "more"),
    ],
)
def test_results_that_are_none_are_told(
    out: Path, cell: Cell, changes: dict[str, Any], field: str
) -> None:
    """What comes from the board is not trusted to be what the harness writes."""
    leave(out, results={**GOOD, **changes})
    error = fault(out, cell)
    assert isinstance(error, SmokeError)
    assert error.what == "what the smoke test wrote is no results"
    assert field in error.why


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


@pytest.mark.parametrize(
    "line",
    [
        "exec format error is what the test wants to see",
        "qemu: fatal: Lockup",
        "qemu: uncaught target signal 4 (Illegal instruction) - core dumped",
        "ERROR:../tcg/tcg.c:4275:tcg_reg_alloc_mov: assertion failed",
    ],
)
def test_what_a_passing_test_prints_decides_nothing(out: Path, cell: Cell, line: str) -> None:
    leave(out, results=GOOD)
    assert judge(out, cell, line, "fine") == validated(Results, GOOD)


@pytest.mark.parametrize("line", ["see libs/tcg/x", "the words qemu: fatal", "exec format error"])
def test_what_a_test_says_of_qemu_is_not_qemus_word(out: Path, cell: Cell, line: str) -> None:
    leave(out, harness=-4)
    error = fault(out, cell, line, "qemu: uncaught target signal 4 (Illegal instruction) - core")
    assert isinstance(error, SmokeError)


def test_a_childs_signal_is_not_that_of_the_harness(out: Path, cell: Cell) -> None:
    leave(out, harness=-11)
    error = fault(out, cell, "qemu: uncaught target signal 4 (Illegal instruction) - core dumped")
    assert isinstance(error, EmulatorError)


def test_a_run_that_skipped_everything_failed_no_test(out: Path, cell: Cell) -> None:
    tests = [{"name": "slow", "outcome": "skipped", "message": "slow"}]
    results = {**GOOD, "outcome": "failed", "message": "every test was skipped", "tests": tests}
    leave(out, harness=1, results=results)
    error = fault(out, cell)
    assert isinstance(error, SmokeError)
    assert (error.what, error.why) == (
        "the smoke test proved nothing", "every test was skipped",
    )  # fmt: skip


HANGING = [
    "harness.py: over its limit",
    "Current thread 0x40001000 (most recent call first):",
    '  File "/lib/interpreter.py", line 7 in allocate_tensors',
    '  File "/recipe/smoke.py", line 12 in test_b',
    "qemu: uncaught target signal 14 (Alarm clock) - core dumped",
]


def test_a_test_that_hangs_is_told_as_a_hang(out: Path, cell: Cell) -> None:
    progress = [
        {"event": "start", "name": "test_a", "limit": 300},
        {"event": "end", "name": "test_a"},
        {"event": "start", "name": "test_b", "limit": 60},
    ]
    leave(out, harness=-14, progress="\n".join(map(json.dumps, progress)))
    error = fault(out, cell, *(f"line {n}" for n in range(30)), *HANGING)
    assert isinstance(error, SmokeError)
    assert error.what == "the test test_b hung: it did not end within its 60 seconds"
    assert error.why.splitlines() == HANGING[1:]


def test_a_hang_without_a_stack_shows_the_last_lines(out: Path, cell: Cell) -> None:
    leave(out, harness=-14)
    error = fault(out, cell, "it said this")
    assert error.what == "the test (before the first one) hung: it did not end within its ? seconds"
    assert error.why == "it said this"


def test_the_board_saw_its_own_processor(out: Path, cell: Cell) -> None:
    cpuinfo = cell.toolchain.cpuinfo(cell.toolchain.oldest)
    cpuinfo.write_text("CPU implementer\t: 0x41\nCPU part\t: 0xd03\n")
    assert told_cpu_part(cpuinfo) == "0xd03"
    right = {**GOOD, "board": {"machine": "toyl", "cpuinfo": {"CPU part": "0xd03"}}}
    leave(out, results=right)
    assert judge(out, cell) == validated(Results, right)
    for facts in ({"CPU part": "0xc07"}, {}):
        leave(out, results={**GOOD, "board": {"machine": "toyl", "cpuinfo": facts}})
        error = fault(out, cell)
        assert isinstance(error, EmulatorError)
        assert "not 0xd03 of the toy1" in error.what


def test_the_current_test_is_the_last_that_started_at_its_last_step(out: Path) -> None:
    assert current_test(out)[0] == "(before the first one)"
    events: list[dict[str, object]] = [
        {"event": "start", "name": "test_a", "limit": 9},
        {"event": "step", "what": "conv-int8"},
        {"event": "step", "what": "conv-uint8"},
    ]
    leave(out, progress="\n".join(map(json.dumps, events)))
    assert current_test(out) == ("test_a (conv-uint8)", 9)
    events += [{"event": "end", "name": "test_a"}, {"event": "start", "name": "test_b"}]
    leave(out, progress="\n".join(map(json.dumps, events)))
    assert current_test(out) == ("test_b", "?")


def test_junit_tells_each_outcome(cell: Cell) -> None:
    tests = [
        {"name": "a", "outcome": "passed", "seconds": 0.5},
        {"name": "b", "outcome": "failed", "message": "m", "traceback": "line <1>"},
        {"name": "c", "outcome": "error", "message": "e"},
        {"name": "d", "outcome": "skipped", "message": "slow"},
    ]
    results = validated(Results, {**GOOD, "tests": tests})
    suite = ElementTree.fromstring(junit(*cases("pack", cell, cell.toolchain.oldest, results)))
    assert suite.attrib == {
        "name": "smoke pack cp311-toy toy1",
        "tests": "4",
        "failures": "1",
        "errors": "1",
        "skipped": "1",
    }
    assert [[child.tag for child in case] for case in suite] == [
        [], ["failure"], ["error"], ["skipped"],
    ]  # fmt: skip
    assert suite[0].attrib == {"classname": "pack.cp311-toy.toy1", "name": "a", "time": "0.5"}
    assert suite[1][0].text == "line <1>"
    assert suite[3][0].get("message") == "slow"
