"""Runs smoke tests on the emulated boards: the steps, and what becomes of their results."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crosspi.containers import Job, Mount
from crosspi.engine import Engine
from crosspi.errors import SmokeError
from crosspi.images import Image
from crosspi.index import write_index
from crosspi.plan import Step, Workspace, digest, digest_files
from crosspi.recipe import Recipe
from crosspi.rooms import ROOM, room
from crosspi.smoke.judging import Run, current_test, judge, junit
from crosspi.sources.cache import SourceCache
from crosspi.store import Cost
from crosspi.targets import Cell, EmulatedBoard
from crosspi.trees import check_tree
from crosspi.users import give_to_container_user
from crosspi.wheel import wheel_in

_HERE = Path(__file__).parent


def smoke_step(
    recipe: Recipe,
    cell: Cell,
    board: EmulatedBoard,
    *,
    image: Image,
    wheels: Sequence[Step],
    audits: Sequence[Step],
    engine: Callable[[], Engine],
    sources: SourceCache,
    folders: Mapping[str, Step],
    level: str = "default",
) -> Step:
    """The step that installs and tests a wheel on an emulated board.

    Args:
        recipe: whose wheel and test.
        cell: on which Python and architecture.
        board: one of the architecture's emulated boards.
        image: the board's Python.
        wheels: the wheel steps that pip may install from, the recipe's own first.
        audits: their audits: what failed one is not run.
        engine, sources: where it runs, where its data comes from.
        folders: steps whose results the test sees beside its data, by name.
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
        data |= {name: work.results[step.name] for name, step in folders.items()}
        job = board_job(
            recipe.folder,
            cell,
            board,
            image.tag,
            data,
            work.out,
            level=level,
            install=Install(staged, f"{recipe.name}=={recipe.data.version}"),
        )
        minutes = recipe.data.smoke.minutes(level)
        results = run_on_board(job, cell, board, engine(), work, minutes=minutes)
        results["wheel"] = paths[0].name
        results["sha256"] = hashlib.sha256(paths[0].read_bytes()).hexdigest()
        record(results, recipe.name, cell, board, work)
        work.notes["sha256"] = results["sha256"]

    inputs = {
        **test_inputs(recipe.folder, cell, board, image),
        "level": level,
        "data": digest(
            {
                name: (recipe.data.sources[name].digest, folder)
                for name, folder in recipe.data.smoke.seen(level).items()
            }
        ),
    }
    needs = (image.step, *wheels, *audits, *folders.values())
    return Step("smoke", f"{wheels[0].subject}-{board.name}", inputs, needs, act)


def test_inputs(folder: Path, cell: Cell, board: EmulatedBoard, image: Image) -> dict[str, str]:
    """What a smoke step's key knows of the tests in a folder, and of the board."""
    script = [folder / "smoke.py"]
    if (folder / "smoke").is_dir():
        script.append(folder / "smoke")
    return {
        "smoke test": digest_files(*script),
        "harness": digest_files(_HERE),
        ROOM: room(image, {}),  # the environment is in the code here, and in the board
        "emulator": image.emulator,
        "board": digest_files(cell.toolchain.cpuinfo(board)) + digest(board.model_dump()),
    }


@dataclass(frozen=True)
class Install:
    """What pip installs on the board first: from which staged index, and what."""

    staged: Path
    requirement: str


def board_job(
    folder: Path,
    cell: Cell,
    board: EmulatedBoard,
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
        cell, board: the Python, the architecture, and which of its boards.
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
            Mount(cell.toolchain.cpuinfo(board), "/proc/cpuinfo"),
            Mount(out, "/out", writable=True),
            *(Mount(path, f"/data/{name}") for name, path in data.items()),
        ],
        environment={
            # Never qemu's default CPU: that one runs everything.
            "QEMU_CPU": board.cpu,
            "LC_ALL": "C.UTF-8",
        },
        workdir="/tmp",
    )


def run_on_board(
    job: Job,
    cell: Cell,
    board: EmulatedBoard,
    engine: Engine,
    work: Workspace,
    *,
    minutes: int,
    about: str = "the wheel",
) -> dict[str, Any]:
    """Run a smoke test; see `judge` for what comes of it.

    Raises:
        SmokeError: it did not end within these minutes, beside those of `judge`.
        BuildError: what it wrote is not only files.
    """
    printed: list[str] = []

    def line(text: str) -> None:
        printed.append(text)
        work.line(text)

    try:
        code = engine.run(job, log=work.log, line=line, timeout=60 * minutes)
    except TimeoutError as error:
        check_tree(work.out, left_by="the smoke test")
        raise SmokeError(
            f"the smoke test did not end within {minutes} minutes",
            where=f"{cell.identifier} on {board.name}, in the test {current_test(work.out)[0]}",
            why="\n".join(printed[-12:]),
            fix=f"the whole log is in {work.log}; if the test is only slow, raise "
            "smoke.timeout_minutes in its YAML file",
        ) from error
    check_tree(work.out, left_by="the smoke test")
    return judge(Run(work.out, code, printed, cell, board, work.log, about))


def record(
    results: dict[str, Any], name: str, cell: Cell, board: EmulatedBoard, work: Workspace
) -> None:
    """Keep the results of a run: as they are, as JUnit's XML, and as the step's notes and cost."""
    results["emulated"] = emulated = board.model_dump(exclude={"cpuinfo"})
    (work.out / "results.json").write_text(
        json.dumps(results, indent=1, sort_keys=True) + "\n", encoding="utf-8"
    )
    (work.out / "junit.xml").write_bytes(junit(name, cell, board, results))
    work.notes.update(
        emulated=emulated,
        counts=results["counts"],
        facts={t["name"]: t["notes"] for t in results["tests"] if t.get("notes")},
    )
    # Beside its own time, a test may note that of the processes that it started.
    used = [t.get("cpu_seconds") for t in results["tests"]]
    used += [t.get("notes", {}).get("cpu_seconds") for t in results["tests"]]
    work.cost = Cost(cpu=sum(float(seconds or 0) for seconds in used))
