"""A smoke test as a job on an emulated board, and what it leaves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from crosspi import guests
from crosspi.containers.engine import Engine
from crosspi.containers.job import Job, Mount
from crosspi.data.targets import EmulatedBoard, Slot
from crosspi.errors import SmokeError
from crosspi.junit import junit
from crosspi.smoke.judging import Run, cases, current_test, judge
from crosspi.smoke.results import Results
from crosspi.trees import check_tree
from crosspi.work.plan import Workspace
from crosspi.work.store import Cost

#: The programs that run on the board: what stages the wheel and what runs the tests.
GUESTS = tuple(Path(guests.__file__).parent / name for name in ("board.py", "harness.py"))


@dataclass(frozen=True)
class Install:
    """What pip installs on the board first: from which staged index, and what."""

    staged: Path
    requirement: str


def board_job(
    folder: Path,
    cell: Slot,
    board: EmulatedBoard,
    image: str,
    data: Mapping[str, Path],
    out: Path,
    *,
    level: str,
    install: Install | None = None,
    script: Path | None = None,
) -> Job:
    """The container that plays the board.

    Args:
        folder: where smoke.py is.
        cell, board: the Python, the architecture, and which of its boards.
        image: the tag of the board's image.
        data: the folders that the test sees, by name.
        out: what it writes to.
        level: of the tests.
        install: nothing where the board itself, or what has no Python, is tested.
        script: the tests; without it the folder's own smoke.py.
    """
    return Job(
        image=image,
        argv=[
            "/opt/crosspi/python/python",
            "/crosspi/board.py",
            "file:///index/simple",
            install.requirement if install else "",
            "/crosspi/harness.py",
            f"/crosspi/{script.name}" if script else "/recipe/smoke.py",
            *(part for name in data for part in ("--data", f"{name}=/data/{name}")),
            *("--out", "/out/results.json", "--level", level),
        ],
        mounts=[
            *([Mount(install.staged, "/index")] if install else []),
            *(Mount(guest, f"/crosspi/{guest.name}") for guest in GUESTS),
            *([Mount(script, f"/crosspi/{script.name}")] if script else []),
            Mount(folder, "/recipe"),
            Mount(cell.toolchain.cpuinfo(board), "/proc/cpuinfo"),
            Mount(out, "/out", writable=True),
            *(Mount(path, f"/data/{name}") for name, path in data.items()),
        ],
        environment={
            # Never qemu's default CPU: that one runs everything.
            "QEMU_CPU": board.qemu_cpu,
            "LC_ALL": "C.UTF-8",
        },
        workdir="/tmp",
    )


def run_on_board(
    job: Job,
    cell: Slot,
    board: EmulatedBoard,
    engine: Engine,
    work: Workspace,
    *,
    minutes: int,
    about: str = "the wheel",
) -> Results:
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
        code = engine.run(job, log=work.log, line=line, timeout=60 * minutes, cancel=work.cancel)
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
    results: Results,
    name: str,
    cell: Slot,
    board: EmulatedBoard,
    work: Workspace,
    *,
    wheel: str = "",
    sha256: str = "",
) -> None:
    """Keep the results of a run: as they are, as JUnit's XML, and as the step's notes and cost.

    Args:
        results: of the run.
        name, cell, board: of what, for what, on what.
        work: where they are kept.
        wheel, sha256: the file that they are about, where it is one.
    """
    emulated = board.model_dump(exclude={"cpuinfo"})
    about = {"emulated": emulated, "wheel": wheel, "sha256": sha256}
    results = results.model_copy(update=about)
    (work.out / "results.json").write_text(results.to_json(), encoding="utf-8")
    (work.out / "junit.xml").write_bytes(junit(*cases(name, cell, board, results)))
    work.notes.update(
        emulated=emulated,
        counts=results.counts,
        facts={test.name: test.notes for test in results.tests if test.notes},
        **({"sha256": sha256} if sha256 else {}),
    )
    work.cost = Cost(cpu=sum(test.used for test in results.tests))
