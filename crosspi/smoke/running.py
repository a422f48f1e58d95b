"""Runs smoke tests on the emulated board, and says honestly how they ended."""

from __future__ import annotations

import hashlib
import json
import shutil
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from crosspi.engine import Engine, Job, Mount, give_to_container_user
from crosspi.errors import CrosspiError, EmulatorError, HostError, SmokeError
from crosspi.images import Image
from crosspi.index import write_index
from crosspi.plan import Step, Workspace, digest, digest_files
from crosspi.recipe import Recipe
from crosspi.sources.cache import SourceCache
from crosspi.store import Cost
from crosspi.targets import Cell
from crosspi.wheel import wheel_in

_HERE = Path(__file__).parent
#: What qemu itself prints when it, and not the program in it, failed.
EMULATOR_FAULTS = ("QEMU internal SIG", "qemu: fatal", "qemu: unhandled CPU exception", "tcg/")
GUEST_SIGNAL = "qemu: uncaught target signal"


def smoke_step(
    recipe: Recipe,
    cell: Cell,
    *,
    image: Image,
    wheels: Sequence[Step],
    audits: Sequence[Step],
    engine: Callable[[], Engine],
    sources: SourceCache,
    level: str = "default",
) -> Step:
    """The step that installs and tests a wheel on the emulated board.

    Args:
        recipe: whose wheel and test.
        cell: on which Python and architecture.
        image: the board's Python.
        wheels: the wheel steps that pip may install from, the recipe's own first.
        audits: their audits: what failed one is not run.
        engine, sources: where it runs, where its data comes from.
        level: `default`, or `full` for the slow tests too.
    """

    def act(work: Workspace) -> None:
        paths = [wheel_in(work.results[wheel.name]) for wheel in wheels]
        staged = work.out.parent / "staged"
        staged.mkdir()
        for path in paths:
            shutil.copy2(path, staged)
        write_index(staged, [staged / path.name for path in paths])
        give_to_container_user(work.out)
        data = {
            name: sources.fetch(name, recipe.data.sources[name], base=recipe.folder) / folder
            for name, folder in recipe.data.smoke.seen(level).items()
        }
        job = board_job(
            recipe.folder,
            cell,
            image.tag,
            data,
            work.out,
            level=level,
            install=Install(staged, f"{recipe.name}=={recipe.data.version}"),
        )
        minutes = recipe.data.smoke.minutes(level)
        results = run_on_board(job, cell, engine(), work, minutes=minutes)
        results["wheel"] = paths[0].name
        results["sha256"] = hashlib.sha256(paths[0].read_bytes()).hexdigest()
        record(results, recipe.name, cell, work)
        work.notes["sha256"] = results["sha256"]

    inputs = {
        **test_inputs(recipe.folder, cell),
        "level": level,
        "data": digest(
            {
                name: (recipe.data.sources[name].digest, folder)
                for name, folder in recipe.data.smoke.seen(level).items()
            }
        ),
    }
    needs = (image.step, *wheels, *audits)
    return Step("smoke", wheels[0].subject, inputs, needs, act)


def test_inputs(folder: Path, cell: Cell) -> dict[str, str]:
    """What a smoke step's key knows of the tests in a folder, and of the board."""
    script = [folder / "smoke.py"]
    if (folder / "smoke").is_dir():
        script.append(folder / "smoke")
    return {
        "smoke test": digest_files(*script),
        "harness": digest_files(_HERE),
        "board": digest_files(cell.toolchain.cpuinfo) + cell.toolchain.data.emulator.cpu,
    }


@dataclass(frozen=True)
class Install:
    """What pip installs on the board first: from which staged index, and what."""

    staged: Path
    requirement: str


def board_job(
    folder: Path,
    cell: Cell,
    image: str,
    data: Mapping[str, Path],
    out: Path,
    *,
    level: str,
    install: Install | None = None,
) -> Job:
    """The container that plays the board.

    Args:
        folder: where smoke.py is.
        cell: the Python and the architecture.
        image: the tag of the board's image.
        data: the folders that the test sees, by name.
        out: what it writes to.
        level: of the tests.
        install: nothing where the board itself is tested.
    """
    return Job(
        image=image,
        argv=[
            "/opt/crosspi/python/python",
            "/crosspi/board.py",
            "file:///index/simple",
            install.requirement if install else "",
            "/crosspi/harness.py",
            "/recipe/smoke.py",
            *(part for name in data for part in ("--data", f"{name}=/data/{name}")),
            *("--out", "/out/results.json", "--level", level),
        ],
        mounts=[
            *([Mount(install.staged, "/index")] if install else []),
            Mount(_HERE, "/crosspi"),
            Mount(folder, "/recipe"),
            Mount(cell.toolchain.cpuinfo, "/proc/cpuinfo"),
            Mount(out, "/out", writable=True),
            *(Mount(path, f"/data/{name}") for name, path in data.items()),
        ],
        environment={
            # Never qemu's default CPU: that one runs everything.
            "QEMU_CPU": cell.toolchain.data.emulator.cpu,
            "LC_ALL": "C.UTF-8",
        },
        workdir="/tmp",
    )


def run_on_board(
    job: Job, cell: Cell, engine: Engine, work: Workspace, *, minutes: int, about: str = "the wheel"
) -> dict[str, Any]:
    """Run a smoke test; see `judge` for what comes of it.

    Raises:
        SmokeError: it did not end within these minutes, beside those of `judge`.
    """
    printed: list[str] = []

    def line(text: str) -> None:
        printed.append(text)
        work.line(text)

    try:
        code = engine.run(job, log=work.log, line=line, timeout=60 * minutes)
    except TimeoutError as error:
        raise SmokeError(
            f"the smoke test did not end within {minutes} minutes",
            where=f"{cell.identifier}, in the test {_current_test(work.out)}",
            why="\n".join(printed[-12:]),
            fix=f"the whole log is in {work.log}; if the test is only slow, raise "
            "smoke.timeout_minutes in its YAML file",
        ) from error
    return judge(work.out, code, printed, cell, log=work.log, about=about)


def record(results: dict[str, Any], name: str, cell: Cell, work: Workspace) -> None:
    """Keep the results of a run: as they are, as JUnit's XML, and as the step's notes and cost."""
    results["emulated_cpu"] = cell.toolchain.data.emulator.cpu
    (work.out / "results.json").write_text(
        json.dumps(results, indent=1, sort_keys=True) + "\n", encoding="utf-8"
    )
    (work.out / "junit.xml").write_bytes(junit(name, cell.identifier, results))
    work.notes.update(
        counts=results["counts"],
        facts={t["name"]: t["notes"] for t in results["tests"] if t.get("notes")},
    )
    # Beside its own time, a test may note that of the processes that it started.
    used = [t.get("cpu_seconds") for t in results["tests"]]
    used += [t.get("notes", {}).get("cpu_seconds") for t in results["tests"]]
    work.cost = Cost(cpu=sum(float(seconds or 0) for seconds in used))


def judge(
    out: Path,
    code: int,
    printed: Sequence[str],
    cell: Cell,
    *,
    log: Path,
    about: str = "the wheel",
) -> dict[str, Any]:
    """What a smoke run's files and output say.

    Args:
        out: the folder it wrote to.
        code: the container's exit code.
        printed: the lines it printed.
        cell: what it should have run on.
        log: the whole log, for messages.
        about: what is tested, for messages.

    Returns:
        The results, if all tests passed on the right board.

    Raises:
        HostError: programs of the board cannot run here at all.
        EmulatorError: qemu failed: nothing is said about what is tested.
        SmokeError: pip could not install, a test failed, or a signal ended it.
    """
    text = "\n".join(printed[-200:])
    tail = "\n".join(printed[-12:])
    where = f"{cell.identifier}, whole log: {log}"
    if "exec format error" in text.lower():
        raise HostError(
            "this machine does not run the board's programs",
            where=where,
            why="binfmt has no registration for 32-bit ARM (with the flag F)",
            fix="`./inv` registers it; `./inv doctor` says what is missing",
        )
    if any(fault in text for fault in EMULATOR_FAULTS):
        raise EmulatorError(
            f"qemu crashed during the smoke test: nothing is proven about {about}",
            where=where,
            why=tail,
            fix="run it again; if it stays, try another qemu (`./inv doctor` names those tried)",
        )
    exits = _read(out / "exit.json")
    if exits is None:
        raise EmulatorError(
            f"the emulated board stopped before its test ended (exit code {code})",
            where=where,
            why=tail or "it printed nothing",
            fix="see the log; run it again",
        )
    if exits["install"] != 0:
        raise SmokeError(
            "pip on the emulated board could not install the wheel",
            where=where,
            why=tail,
            fix="the wheel's tags or requirements do not fit this Python: compare `invoke audit`",
        )
    if exits["harness"] < 0:
        raise _killed(-exits["harness"], text, _current_test(out), where, tail, about)
    results = _read(out / "results.json")
    if results is None:
        raise SmokeError(
            "the smoke test wrote no results", where=where, why=tail, fix="see the log"
        )
    machine = cell.toolchain.data.machine
    ran_on = results["board"]["machine"]
    if ran_on != machine:
        raise EmulatorError(
            f"the test ran on {ran_on}, not on {machine}",
            where=where,
            why="QEMU_CPU did not reach the emulator, so any instruction would have run",
            fix="see `./inv doctor`; an engine in a virtual machine needs qemu inside it",
        )
    bad = [test for test in results["tests"] if test["outcome"] in ("failed", "error")]
    if bad or exits["harness"] != 0:
        raise SmokeError(
            f"{len(bad)} of {len(results['tests'])} smoke tests failed",
            where=where,
            why="\n".join(f"{test['name']}: {test.get('message', '')}" for test in bad[:10])
            or tail,
            fix=f"{about} goes no further; the tracebacks are in the log",
        )
    return results


def _killed(number: int, text: str, test: str, where: str, tail: str, about: str) -> CrosspiError:
    try:
        name = signal.Signals(number).name
    except ValueError:
        name = f"signal {number}"
    if GUEST_SIGNAL not in text:
        return EmulatorError(
            f"qemu ended with {name} in the test {test}: nothing is proven about {about}",
            where=where,
            why="qemu did not say that the program in it caused the signal\n" + tail,
            fix="run it again; if it stays, try another qemu (`./inv doctor` names those tried)",
        )
    meaning = {
        "SIGILL": f"{about} holds an instruction that this board's processor does not have",
        "SIGBUS": f"{about} reads memory at an address that this board does not allow",
    }.get(name, f"the code in {about} crashed")
    return SmokeError(
        f"{name} on the emulated board in the test {test}",
        where=where,
        why=f"{meaning}\n{tail}",
        fix="`invoke audit` names the function that holds foreign instructions",
    )


def _current_test(out: Path) -> str:
    """The test that was running when the process died, from the progress file."""
    current = "(before the first one)"
    try:
        lines = (out / "results.jsonl").read_text(encoding="utf-8").splitlines()
    except OSError:
        return current
    for line in lines:
        try:
            event = json.loads(line)
        except ValueError:
            continue
        current = str(event.get("name", current))
    return current


def _read(path: Path) -> dict[str, Any] | None:
    try:
        data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return data


def junit(recipe: str, identifier: str, results: Mapping[str, Any]) -> bytes:
    """JUnit's XML of the results, for Jenkins."""
    tests = results["tests"]
    suite = ElementTree.Element(
        "testsuite",
        name=f"smoke {recipe} {identifier}",
        tests=str(len(tests)),
        failures=str(sum(test["outcome"] == "failed" for test in tests)),
        errors=str(sum(test["outcome"] == "error" for test in tests)),
    )
    for test in tests:
        case = ElementTree.SubElement(
            suite,
            "testcase",
            classname=f"{recipe}.{identifier}",
            name=test["name"],
            time=str(test.get("seconds", 0)),
        )
        if test["outcome"] == "skipped":
            ElementTree.SubElement(case, "skipped", message=str(test.get("message", "")))
        elif test["outcome"] != "passed":
            tag = "failure" if test["outcome"] == "failed" else "error"
            fault = ElementTree.SubElement(case, tag, message=str(test.get("message", "")))
            fault.text = str(test.get("traceback", ""))
    text: bytes = ElementTree.tostring(suite, encoding="utf-8", xml_declaration=True)
    return text
