"""Runs the programs and modules of a wheel on the emulated boards of an architecture."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from packaging.tags import Tag
from packaging.utils import parse_wheel_filename

from crosspi import guests
from crosspi.audit.elf.format import is_elf
from crosspi.audit.loading import linkage
from crosspi.audit.trials import Trial
from crosspi.audit.wheelfile import open_wheel
from crosspi.containers.job import Job, Mount
from crosspi.containers.users import give_to_container_user
from crosspi.data.targets import Cell, PackagedPython, Python, Toolchain
from crosspi.errors import EmulatorError, UsageError
from crosspi.graph import Graph
from crosspi.project import Project
from crosspi.work.execution import execute
from crosspi.work.plan import pending

_GUEST = Path(guests.__file__).parent / "trial.py"
_MINUTES = 60


def try_wheel(project: Project, wheel: Path, toolchain: Toolchain) -> tuple[Trial, ...]:
    """What became of a wheel's files on the oldest emulated board of an architecture.

    What runs there runs on the others; on a newer one nothing would trap. The board's system is
    made first, where it is not in the store yet.

    Raises:
        UsageError: the wheel is for no Python that there is a board for.
        EmulatorError: the container ended without an answer.
    """
    graph = Graph(project)
    cell = _cell(project, graph, wheel, toolchain)
    image = graph.system(cell).image
    for outcome in execute((image.step,), project.store, project.console, project.paths.logs):
        if outcome.error is not None:
            raise outcome.error
    return tuple(_on_board(project, wheel, toolchain, image.tag))


def _jobs(wheel: Path) -> Iterator[str]:
    """What to run, and how, as the guest takes it."""
    opened = open_wheel(wheel)
    with opened.archive:
        for member in opened.members:
            if member.is_dir() or not is_elf(opened.head(member)):
                continue
            link = linkage(opened.content(member), member.filename)
            if link is not None and (link.program or link.static):
                yield f"{member.filename}=--version"
            elif link is not None and link.module and ".data/" not in member.filename:
                yield f"{member.filename}=import"


def _on_board(project: Project, wheel: Path, toolchain: Toolchain, image: str) -> Iterator[Trial]:
    board = toolchain.oldest
    with tempfile.TemporaryDirectory(prefix="crosspi-trial-") as scratch:
        out = Path(scratch, "out")
        out.mkdir()
        give_to_container_user(out)
        seen = Path(scratch, wheel.name)
        shutil.copyfile(wheel, seen)
        seen.chmod(0o644)
        log = project.paths.logs / f"trial-{wheel.name}-{board.name}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        job = Job(
            image=image,
            argv=[
                "/opt/crosspi/python/python",
                "/crosspi/trial.py",
                f"/wheel/{wheel.name}",
                "/out/trials.json",
                *_jobs(wheel),
            ],
            mounts=[
                Mount(seen, f"/wheel/{wheel.name}"),
                Mount(_GUEST, "/crosspi/trial.py"),
                Mount(toolchain.cpuinfo(board), "/proc/cpuinfo"),
                Mount(out, "/out", writable=True),
            ],
            # Never qemu's default CPU: that one runs everything.
            environment={"QEMU_CPU": board.qemu_cpu, "LC_ALL": "C.UTF-8"},
            workdir="/tmp",
        )
        found = out / "trials.json"
        try:
            code: int | None = project.engine().run(
                job, log=log, line=lambda _: None, timeout=60 * _MINUTES
            )
        except TimeoutError:
            code = None
        if code != 0 or not found.is_file() or found.is_symlink():
            raise EmulatorError(
                f"the trial of {wheel.name} on {board.name} "
                + ("did not end" if code is None else f"ended with {code}"),
                where=str(log),
                fix="its log says why",
            )
        for row in json.loads(found.read_text(encoding="utf-8")):
            yield Trial(str(row["file"]), str(row["how"]), row["code"], str(row["text"]), board.cpu)


def _cell(project: Project, graph: Graph, wheel: Path, toolchain: Toolchain) -> Cell:
    """A Python that the wheel is for: one whose board is there, else one that is soon made."""
    tags = parse_wheel_filename(wheel.name)[3]
    cells = [
        Cell(toolchain, python)
        for python in project.targets.pythons.values()
        if toolchain.name in python.data.targets and fits(python, tags)
    ]
    if not cells:
        raise UsageError(
            f"{wheel.name} is for no Python that there is a board for",
            where="--run",
            why="it is for " + ", ".join(sorted({tag.interpreter for tag in tags})),
            fix="leave --run out, or take the wheel of another Python (`invoke list`)",
        )

    def cost(cell: Cell) -> tuple[bool, bool]:
        there = not pending((graph.system(cell).image.step,), project.store)
        return not there, not isinstance(cell.image, PackagedPython)

    return min(cells, key=cost)


def fits(python: Python, tags: frozenset[Tag]) -> bool:
    """Whether a Python's pip takes a wheel, as far as the Python goes (PEP 425)."""
    major, minor = map(int, python.version.split("."))
    for tag in tags:
        kind, digits = tag.interpreter[:2], tag.interpreter[2:]
        if kind not in ("cp", "py") or not digits.startswith(str(major)):
            continue
        wanted = int(digits[1:] or 0)
        if wanted == minor or (wanted < minor and (kind == "py" or tag.abi == "abi3")):
            return True
    return False
