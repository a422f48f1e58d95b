"""The harness that runs on the board, run here by this Python."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

HARNESS = Path(__file__).parents[2] / "crosspi" / "guests" / "harness.py"


@dataclass(frozen=True)
class Run:
    code: int
    stdout: str
    stderr: str
    out: Path

    @property
    def results(self) -> dict[str, Any]:
        loaded: dict[str, Any] = json.loads(self.out.read_text())
        return loaded

    @property
    def events(self) -> list[dict[str, Any]]:
        lines = self.out.with_suffix(".jsonl").read_text().splitlines()
        return [json.loads(line) for line in lines]

    def test(self, name: str) -> dict[str, Any]:
        return next(test for test in self.results["tests"] if test["name"] == name)


@pytest.fixture
def harness(tmp_path: Path) -> Any:
    """Runs the harness on the text of a smoke.py."""

    def run(text: str | None, *arguments: str, out: str = "results.json") -> Run:
        smoke = tmp_path / "smoke.py"
        if text is not None:
            smoke.write_text(text, encoding="utf-8")
        path = tmp_path / out
        done = subprocess.run(
            [sys.executable, str(HARNESS), str(smoke), "--out", str(path), *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env={**os.environ, "PYTHONIOENCODING": "ascii"},
        )
        return Run(done.returncode, done.stdout, done.stderr, path)

    return run


def test_all_passed(harness: Any) -> None:
    run = harness(
        "def test_one(case):\n"
        "    '''The first.\n\n    More.'''\n"
        "    case.note('nodes', 3)\n"
        "def helper(case): raise ValueError\n"
        "def test_two(case): case.check(True, 'no')\n"
    )
    assert run.code == 0
    assert run.results["outcome"] == "passed"
    assert run.results["counts"] == {"passed": 2, "failed": 0, "error": 0, "skipped": 0}
    assert [test["name"] for test in run.results["tests"]] == ["(import)", "test_one", "test_two"]
    one = run.test("test_one")
    assert one["title"] == "The first."
    assert one["notes"] == {"nodes": 3}
    assert one["seconds"] >= 0 and one["cpu_seconds"] >= 0
    assert run.stdout.splitlines()[-1] == "passed: 2 passed, 0 failed, 0 error, 0 skipped"


def test_board_is_described(harness: Any) -> None:
    board = harness("def test_a(case): pass\n").results["board"]
    assert board["python"] == ".".join(str(part) for part in sys.version_info[:3])
    assert board["machine"] == os.uname().machine
    assert board["uname"][0] == "Linux"
    assert board["bits"] in (32, 64)


def test_order_of_definition(harness: Any) -> None:
    run = harness("".join(f"def test_{name}(case): pass\n" for name in "zebra"))
    assert [test["name"][5:] for test in run.results["tests"][1:]] == list("zebra")


def test_imported_tests_come_after_the_files_own(harness: Any, tmp_path: Path) -> None:
    (tmp_path / "smoke").mkdir()
    for name in ("tests_b", "tests_a"):
        text = f"def test_2_{name}(case): pass\ndef test_1_{name}(case): pass\n"
        (tmp_path / "smoke" / f"{name}.py").write_text(text)
    text = "\n\n\nfrom tests_b import *\nfrom tests_a import *\ndef test_own(case): pass\n"
    assert [test["name"][5:] for test in harness(text).results["tests"][1:]] == [
        *("own", "2_tests_a", "1_tests_a", "2_tests_b", "1_tests_b"),
    ]


def test_failure_and_error_do_not_stop_the_run(harness: Any) -> None:
    run = harness(
        "import sys\n"
        "def test_failed(case): case.equal([1, 2], [1, 3], 'pair')\n"
        "def test_bare(case): assert False\n"
        "def test_error(case): {}['no']\n"
        "def test_exit(case): sys.exit(0)\n"
        "def test_last(case): pass\n"
    )
    assert run.code == 1
    outcomes = {test["name"]: test["outcome"] for test in run.results["tests"]}
    assert outcomes == {
        "(import)": "passed",
        "test_failed": "failed",
        "test_bare": "failed",
        "test_error": "error",
        "test_exit": "error",
        "test_last": "passed",
    }
    assert run.test("test_failed")["message"] == "pair at element 1 of 2: 2, expected 3"
    assert "smoke.py" in run.test("test_error")["traceback"]
    assert "FAILED: 1 passed, 2 failed, 2 error, 0 skipped" in run.stdout


def test_messages_of_any_characters(harness: Any) -> None:
    run = harness("def test_a(case): raise ValueError(u'caf\\xe9\\nau lait')\n")
    assert run.code == 1
    assert run.test("test_a")["message"] == "ValueError: caf\xe9\nau lait"
    assert "caf\\xe9 | au lait" in run.stdout


def test_no_tests_is_a_failure(harness: Any) -> None:
    run = harness("x = 1\n")
    assert run.code == 1
    assert "has no tests" in run.results["message"]


def test_everything_skipped_is_a_failure(harness: Any) -> None:
    run = harness("def test_a(case): case.skip('too old')\n")
    assert run.code == 1
    assert run.test("test_a")["outcome"] == "skipped"
    assert run.test("test_a")["message"] == "too old"


@pytest.mark.parametrize("text", ["import no_such_module\n", "def test_a(case:\n", "1 / 0\n"])
def test_smoke_that_does_not_import(harness: Any, text: str) -> None:
    run = harness(text)
    assert run.code == 1
    assert run.results["outcome"] == "failed"
    assert run.test("(import)")["outcome"] == "error"
    assert run.results["counts"]["error"] == 1


LEVELS = "def test_quick(case): pass\ndef test_slow(case): pass\ntest_slow.level = 'full'\n"


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        ([], ["test_quick"]),
        (["--level", "full"], ["test_quick", "test_slow"]),
        (["--test", "test_slow"], ["test_slow"]),
    ],
)
def test_levels_and_selection(harness: Any, arguments: list[str], names: list[str]) -> None:
    run = harness(LEVELS, *arguments)
    assert run.code == 0
    assert [test["name"] for test in run.results["tests"][1:]] == names


def test_data_folders(harness: Any, tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "a.bin").write_text("x")
    text = (
        "import os\n"
        "def test_found(case): case.check(os.path.isfile(case.data('m', 'a.bin')), 'no file')\n"
        "def test_unknown(case): case.data('other')\n"
    )
    run = harness(text, "--data", f"m={tmp_path / 'models'}")
    assert run.test("test_found")["outcome"] == "passed"
    assert run.test("test_unknown")["outcome"] == "error"
    assert "(given: m)" in run.test("test_unknown")["message"]


def test_smoke_folder_is_importable_and_stays_clean(harness: Any, tmp_path: Path) -> None:
    folder = tmp_path / "smoke"
    folder.mkdir()
    (folder / "shared.py").write_text("VALUE = 7\n")
    run = harness("import shared\ndef test_a(case): case.equal(shared.VALUE, 7)\n")
    assert run.code == 0
    assert [path.name for path in folder.iterdir()] == ["shared.py"]


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGILL, signal.SIGKILL])
def test_the_test_that_killed_the_process_is_known(harness: Any, number: signal.Signals) -> None:
    run = harness(
        "import os\n"
        "def test_a(case): pass\n"
        f"def test_b(case): os.kill(os.getpid(), {int(number)})\n"
        "def test_c(case): pass\n"
    )
    assert run.code == -number
    assert not run.out.exists()
    assert [(event["event"], event.get("name")) for event in run.events[-3:]] == [
        ("start", "test_a"),
        ("end", "test_a"),
        ("start", "test_b"),
    ]
    if number is not signal.SIGKILL:
        assert "test_b" in run.stderr  # the Python stack


def test_progress_of_a_whole_run(harness: Any) -> None:
    events = harness("def test_a(case): pass\n").events
    assert [event["event"] for event in events] == [
        *("run", "start", "end", "start", "end", "start", "done"),
    ]
    assert events[-1]["exit"] == 0
    assert events[0]["board"]["machine"] == os.uname().machine


def test_results_of_an_earlier_run_do_not_survive(harness: Any) -> None:
    assert harness("def test_a(case): pass\n").code == 0
    run = harness("import os\ndef test_a(case): os._exit(3)\n")
    assert run.code == 3
    assert not run.out.exists()


@pytest.mark.parametrize(
    ("text", "arguments", "words"),
    [
        (None, [], "there is no file"),
        (LEVELS, ["--level", "half"], "invalid choice"),
        (LEVELS, ["--data", "nonsense"], "is not NAME=DIR"),
        (LEVELS, ["--data", "m=/no/such/folder"], "there is no folder /no/such/folder"),
        (LEVELS, ["--test", "test_other"], "no test named test_other"),
        ("def test_a(case): pass\ntest_a.level = 'ful'\n", [], "unknown level 'ful'"),
    ],
)
def test_misuse(harness: Any, text: str | None, arguments: list[str], words: str) -> None:
    run = harness(text, *arguments)
    assert run.code == 2
    assert words in run.stderr
    assert not run.out.exists()
    assert not run.out.with_suffix(".jsonl").exists()


@pytest.mark.parametrize("out", ["results.txt", "missing/results.json"])
def test_misuse_of_out(harness: Any, out: str) -> None:
    assert harness(LEVELS, out=out).code == 2


CHECKS = """
nan, inf = float('nan'), float('inf')

def fails(case, function, *args, **kwargs):
    try:
        function(*args, **kwargs)
    except AssertionError as error:
        return str(error)
    raise RuntimeError('it did not fail')

def test_close(case):
    case.equal(case.close([1.0, 2.0], [1.0, 2.5], atol=0.5), 0.5)
    case.close(nan, nan)
    case.close([inf, -inf], [inf, -inf])
    case.close(1 + 1e-7j, 1 + 0j)
    for bad in (nan, inf, 1.001):
        fails(case, case.close, bad, 1.0)
    fails(case, case.close, 1.0, nan, atol=inf)
    fails(case, case.close, 0.0, 1e-12)
    case.check('shape' in fails(case, case.close, [1.0], [1.0, 1.0]), 'shape')
    case.check('element 1 of 2' in fails(case, case.close, [1.0, 2.0], [1.0, 3.0]), 'place')

def test_equal(case):
    case.equal([[1, 2], [3, 4]], ((1, 2), (3, 4)))
    case.equal('text', 'text')
    case.equal(nan, nan)
    fails(case, case.equal, [1, 2], [[1, 2]])
    fails(case, case.equal, 'a', 'b')

def test_raises(case):
    error = case.raises(ValueError, int, 'x', match='invalid literal')
    case.check(isinstance(error, ValueError), 'no error')
    case.raises((TypeError, KeyError), lambda: {}[1])
    fails(case, case.raises, ValueError, int, '1')
    fails(case, case.raises, ValueError, int, 'x', match='something else')

def test_note(case):
    case.note('bytes', b'\\xff')
    case.note('nan', nan)
    case.note('tuple', (1, {2: None}))
    case.note('object', object)
"""


def test_checks_of_a_case(harness: Any) -> None:
    run = harness(CHECKS)
    assert run.code == 0, run.stdout
    notes = run.test("test_note")["notes"]
    assert notes["bytes"] == "�"
    assert notes["nan"] == "nan"
    assert notes["tuple"] == [1, {"2": None}]


def test_arrays_need_no_numpy(harness: Any) -> None:
    run = harness(
        "class Array(object):\n"
        "    def __init__(self, *values): self.values = values; self.shape = (len(values),)\n"
        "    def ravel(self): return self\n"
        "    def tolist(self): return list(self.values)\n"
        "def test_a(case): case.close(Array(1.0, 2.0), [1.0, 2.0])\n"
        "def test_b(case): case.equal(Array(1, 2), Array(1, 3))\n"
    )
    assert run.test("test_a")["outcome"] == "passed"
    assert run.test("test_b")["outcome"] == "failed"
    assert "numpy" not in HARNESS.read_text().split('"""', 2)[2]


# --- limits ---------------------------------------------------------------------------------------

HANGS = """\
import threading
lock = threading.Lock()
lock.acquire()
def test_good(case): pass
def test_hangs(case): wait()
def wait(): {how}
def test_after(case): pass
test_hangs.seconds = 1
"""
#: In Python's own code, in C code that lets other threads run, and in C code that holds the lock.
WAYS = {
    "python": "\n    while True: pass",
    "c": "lock.acquire()",
    "locked": "sum(iter(int, 1))",
}


@pytest.mark.parametrize("how", WAYS)
def test_a_test_that_hangs_ends_within_its_own_limit(harness: Any, how: str) -> None:
    run = harness(HANGS.format(how=WAYS[how]))
    assert run.code == -signal.SIGALRM
    assert [(e["name"], e["limit"]) for e in run.events if e["event"] == "start"][-1] == (
        "test_hangs",
        1,
    )
    assert not run.out.exists()
    stack = run.stderr.partition("Current thread")[2]
    assert "in wait" in stack and "in test_hangs" in stack


def test_a_limit_is_the_tests_the_files_or_the_levels(harness: Any) -> None:
    text = "def test_a(case): pass\ndef test_b(case): pass\ntest_b.seconds = 7\n"

    def limits(run: Any) -> list[int]:
        return [e["limit"] for e in run.events if e["event"] == "start"]

    assert limits(harness(text)) == [300, 300, 7, 120]
    assert limits(harness(text, "--level", "full")) == [3600, 3600, 7, 120]
    assert limits(harness("TEST_SECONDS = 9\n" + text)) == [300, 9, 7, 120]


@pytest.mark.parametrize("limit", ["-1", "0.5", "'9'", "True"])
def test_an_odd_limit_is_misuse(harness: Any, limit: str) -> None:
    run = harness(f"def test_a(case): pass\ntest_a.seconds = {limit}\n")
    assert run.code == 2
    assert "test_a has the odd limit" in run.stderr


def test_a_hang_when_python_ends_is_told_as_that(harness: Any) -> None:
    run = harness(
        "import atexit, signal\n"
        "def end():\n"
        "    signal.alarm(1)\n"
        "    while True: pass\n"
        "def test_a(case): atexit.register(end)\n"
    )
    assert run.code == -signal.SIGALRM
    assert run.results["outcome"] == "passed"
    assert [e["name"] for e in run.events if e["event"] == "start"][-1] == "(exit)"


def test_a_quick_test_is_not_ended_by_an_earlier_limit(harness: Any) -> None:
    run = harness(
        "import time\n"
        "def test_a(case): pass\n"
        "test_a.seconds = 1\n"
        "def test_b(case): time.sleep(1.5)\n"
    )
    assert run.code == 0


def test_a_test_says_its_steps(harness: Any) -> None:
    run = harness("def test_a(case):\n    case.step('one')\n    case.step(u'tw\\xf6')\n")
    assert [e["what"] for e in run.events if e["event"] == "step"] == ["one", "tw\xf6"]
