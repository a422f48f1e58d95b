"""What a smoke run left behind, and what that says: the wheel's fault, the emulator's or ours."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from crosspi.data.record import validated
from crosspi.data.targets import EmulatedBoard, Slot
from crosspi.errors import CrosspiError, EmulatorError, HostError, SmokeError
from crosspi.junit import Case
from crosspi.smoke.results import BoardFacts, Results

#: The start of what qemu itself prints when it, and not the program in it, failed.
EMULATOR_FAULT = re.compile(
    r"QEMU internal SIG|qemu: fatal|qemu: unhandled CPU exception|(ERROR:|\S+: )?\S*tcg/\S+\.c:\d+"
)
GUEST_SIGNAL = "qemu: uncaught target signal"
#: The first line of a stack that Python's faulthandler prints, of the thread that got the signal.
STACK = re.compile(r"Current thread 0x\w+ .*\(most recent call first\)")
#: By which the harness ends a test that is over its limit.
HUNG = signal.SIGALRM
#: How many of the last lines a message shows, and how many are searched for qemu's own words.
TAIL, SEARCHED = 12, 200


@dataclass(frozen=True)
class Run:
    """A smoke run that ended.

    Attributes:
        out: the folder it wrote to.
        code: the container's exit code.
        printed: the lines it printed.
        cell, board: what it should have run on.
        log: the whole log, for messages.
        about: what is tested, for messages.
    """

    out: Path
    code: int
    printed: Sequence[str]
    cell: Slot
    board: EmulatedBoard
    log: Path
    about: str = "the wheel"

    @property
    def where(self) -> str:
        """For messages."""
        return f"{self.cell.identifier} on {self.board.name}, whole log: {self.log}"

    @property
    def tail(self) -> str:
        """The last lines."""
        return "\n".join(self.printed[-TAIL:])

    @property
    def stack(self) -> str:
        """The last stack that Python printed of its running thread; else the last lines."""
        for place in reversed(range(len(self.printed))):
            if STACK.match(self.printed[place]):
                return "\n".join(self.printed[place : place + TAIL])
        return self.tail

    def emulator_faults(self) -> list[str]:
        """What looks like qemu's own last words."""
        return [line for line in self.printed[-SEARCHED:] if EMULATOR_FAULT.match(line)]


def judge(run: Run) -> Results:
    """What a smoke run's files and output say.

    What a test prints decides nothing: words of qemu count where a process died, and only there.

    Returns:
        The results, if all tests passed on the right board.

    Raises:
        HostError: programs of the board cannot run here at all.
        EmulatorError: qemu failed: nothing is said about what is tested.
        SmokeError: pip could not install, a test failed or hung, or a signal ended it.
    """
    exits = _read(run.out / "exit.json")
    if exits is None:
        raise _never_ended(run)
    if exits["install"] != 0:
        if run.emulator_faults():
            raise _emulator_crashed(run)
        raise SmokeError(
            "pip on the emulated board could not install the wheel",
            where=run.where,
            why=run.tail,
            fix="the wheel's tags or requirements do not fit this Python: compare `invoke audit`",
        )
    if exits["harness"] < 0:
        raise _killed(-exits["harness"], run)
    written = _read(run.out / "results.json")
    if written is None:
        raise SmokeError(
            "the smoke test wrote no results", where=run.where, why=run.tail, fix="see the log"
        )
    try:
        results = validated(Results, written)
    except ValueError as error:
        raise SmokeError(
            "what the smoke test wrote is no results",
            where=run.where,
            why=str(error),
            fix="notes of tests are plain values: see the log, and the recipe's smoke.py",
        ) from error
    _check_board(results.board, run)
    if results.bad:
        why = "\n".join(f"{test.name}: {test.message}" for test in results.bad[:10])
        what = f"{len(results.bad)} of {len(results.tests)} smoke tests failed"
    elif exits["harness"] != 0:
        what = "the smoke test proved nothing"
        why = results.message or run.tail
    else:
        return results
    raise SmokeError(
        what,
        where=run.where,
        why=why,
        fix=f"{run.about} goes no further; the whole story is in the log",
    )


def told_cpu_part(path: Path) -> str:
    """What a /proc/cpuinfo says of the processor's model; empty where it says nothing."""
    found = re.search(r"^CPU part\s*:\s*(\S+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    return found[1] if found else ""


def _check_board(facts: BoardFacts, run: Run) -> None:
    machine = run.cell.toolchain.data.uname
    if facts.machine != machine:
        raise EmulatorError(
            f"the test ran on {facts.machine}, not on {machine}",
            where=run.where,
            why="QEMU_CPU did not reach the emulator, so any instruction would have run",
            fix="see `./inv doctor`; an engine in a virtual machine needs qemu inside it",
        )
    part = told_cpu_part(run.cell.toolchain.cpuinfo(run.board))
    seen = facts.cpuinfo.get("CPU part", "")
    if part and seen != part:
        raise EmulatorError(
            f"the test saw the processor {seen or '(none)'}, not {part} of the {run.board.name}",
            where=run.where,
            why=f"{run.board.cpuinfo} did not reach the board as its /proc/cpuinfo: a wheel that "
            "chooses code by it chose another board's",
            fix="see `./inv doctor`; perhaps this qemu makes up a /proc/cpuinfo of its own",
        )


def _never_ended(run: Run) -> CrosspiError:
    """The container is gone, and did not say how pip and the tests ended."""
    if any("exec format error" in line.lower() for line in run.printed[-SEARCHED:]):
        return HostError(
            "this machine does not run the board's programs",
            where=run.where,
            why="binfmt has no registration for 32-bit ARM (with the flag F)",
            fix="`./inv` registers it; `./inv doctor` says what is missing",
        )
    if run.emulator_faults():
        return _emulator_crashed(run)
    return EmulatorError(
        f"the emulated board stopped before its test ended (exit code {run.code})",
        where=run.where,
        why=run.tail or "it printed nothing",
        fix="see the log; run it again",
    )


def _emulator_crashed(run: Run) -> CrosspiError:
    return EmulatorError(
        f"qemu crashed during the smoke test: nothing is proven about {run.about}",
        where=run.where,
        why="\n".join((*run.emulator_faults()[-1:], run.tail)),
        fix="run it again; if it stays, try another qemu (`./inv doctor` names those tried)",
    )


def _killed(number: int, run: Run) -> CrosspiError:
    """A signal ended the harness: which one, and in which test."""
    test, limit = current_test(run.out)
    if number == HUNG:
        return SmokeError(
            f"the test {test} hung: it did not end within its {limit} seconds",
            where=run.where,
            why=run.stack,
            fix="if it is only slow, give it more: `test_x.seconds = 600` in smoke.py",
        )
    try:
        name = signal.Signals(number).name
    except ValueError:
        name = f"signal {number}"
    if run.emulator_faults():
        return _emulator_crashed(run)
    if f"{GUEST_SIGNAL} {number} " not in "\n".join(run.printed[-SEARCHED:]):
        return EmulatorError(
            f"qemu ended with {name} in the test {test}: nothing is proven about {run.about}",
            where=run.where,
            why="qemu did not say that the program in it caused the signal\n" + run.tail,
            fix="run it again; if it stays, try another qemu (`./inv doctor` names those tried)",
        )
    meaning = {
        "SIGILL": f"{run.about} holds an instruction that this board's processor does not have",
        "SIGBUS": f"{run.about} reads memory at an address that this board does not allow",
    }.get(name, f"the code in {run.about} crashed")
    return SmokeError(
        f"{name} on the emulated board in the test {test}",
        where=run.where,
        why=f"{meaning}\n{run.stack}",
        fix="`invoke audit` names the function that holds foreign instructions",
    )


def current_test(out: Path) -> tuple[str, object]:
    """The test that was running when the process died, and its limit, from the progress file."""
    name = "(before the first one)"
    current: tuple[str, object] = (name, "?")
    try:
        lines = (out / "results.jsonl").read_text(encoding="utf-8").splitlines()
    except OSError:
        return current
    for line in lines:
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if event.get("event") == "start":
            name = str(event.get("name"))
            current = (name, event.get("limit", "?"))
        elif event.get("event") == "step":
            current = (f"{name} ({event.get('what')})", current[1])
    return current


def _read(path: Path) -> dict[str, Any] | None:
    try:
        data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return data


def cases(name: str, cell: Slot, board: EmulatedBoard, results: Results) -> tuple[str, list[Case]]:
    """The results for JUnit: the suite's name, and a case for each test."""
    states: dict[str, Literal["failure", "skipped"] | None]
    states = {"passed": None, "skipped": "skipped", "failed": "failure"}
    return f"smoke {name} {cell.identifier} {board.name}", [
        Case(
            group=f"{name}.{cell.identifier}.{board.name}",
            name=test.name,
            seconds=test.seconds,
            state=states.get(test.outcome, "error"),
            message=test.message,
            text="" if test.outcome == "skipped" else test.traceback,
        )
        for test in results.tests
    ]
