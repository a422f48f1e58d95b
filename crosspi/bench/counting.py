"""Counts the instructions of a program on an emulated board, exactly, by a plugin of qemu's."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from crosspi.containers.job import Job, Mount
from crosspi.containers.users import give_to_container_user
from crosspi.data.targets import Cell, EmulatedBoard
from crosspi.errors import EmulatorError
from crosspi.graph import Graph
from crosspi.project import Project
from crosspi.run import fulfilled
from crosspi.work.plan import Step

#: The part with the emulator that counts.
PART = "counter"
#: Where the board sees it.
_FOLDER = "/counter"
_MINUTES = 30


class ProgramError(EmulatorError):
    """A program that was to be counted failed or did not end.

    Attributes:
        code: its exit code; None where it did not end.
        said: its last lines.
    """

    def __init__(self, name: str, code: int | None, said: Sequence[str], log: Path) -> None:
        super().__init__(
            f"{name} "
            + (f"ended with {code}" if code is not None else f"ran over {_MINUTES} minutes")
            + ": nothing was counted",
            where=str(log),
            why="\n".join(said),
            fix="the program must end by itself, with 0",
        )
        self.code = code
        self.said = said


@dataclass(frozen=True)
class Counts:
    """What was counted of a program.

    Attributes:
        total: from its loader's first instruction to its end.
        marks: up to each mark that it made, in their order: the mark's number, the count.
    """

    total: int
    marks: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class Counter:
    """An emulated board on which instructions are counted; `counter_for` makes it.

    Attributes:
        project: its engine, its logs.
        cell, board: which system and processor.
        image: the tag of the board's image.
        folder: the emulator that counts.
    """

    project: Project
    cell: Cell
    board: EmulatedBoard
    image: str
    folder: Path

    def count(
        self,
        argv: Sequence[str],
        *,
        name: str,
        mounts: Mapping[Path, str] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Counts:
        """How many instructions a program executes, in all and up to each of its marks.

        The same program with the same input gives the same number: what differs from run to run
        (addresses, the order of sets, random numbers of qemu's) is fixed. Python must read its
        environment for that (no -I, no -E). On a Pi Zero, Python's start still differs by some 500
        of 26 million. Only the first process counts, and it must have one thread.

        Args:
            argv: the program, by its path on the board, and its arguments.
            name: what is counted, for the log and for messages.
            mounts: what else the board sees, read-only: file or folder → its place there.
            environment: variables beside the board's.

        Raises:
            ProgramError: the program failed or did not end.
            EmulatorError: the emulator did not count.
        """
        with tempfile.TemporaryDirectory(prefix="crosspi-count-") as scratch:
            out = Path(scratch, "out")
            out.mkdir()
            give_to_container_user(out)
            log = self.project.paths.logs / f"count-{_plain(name)}-{self.board.name}.log"
            log.parent.mkdir(parents=True, exist_ok=True)
            said: list[str] = []
            job = self._job(argv, mounts or {}, environment or {}, out)
            try:
                code: int | None = self.project.engine().run(
                    job, log=log, line=said.append, timeout=60 * _MINUTES
                )
            except TimeoutError:
                code = None
            if code != 0:
                raise ProgramError(f"{name} on {self.board.name}", code, said[-12:], log)
            return _read(out / "count", log)

    def _job(
        self,
        argv: Sequence[str],
        mounts: Mapping[Path, str],
        environment: Mapping[str, str],
        out: Path,
    ) -> Job:
        return Job(
            image=self.image,
            argv=[
                # Of the build machine's kind, with a loader of its own: nothing of the board's
                # system is used, and the engine runs it without binfmt.
                f"{_FOLDER}/loader",
                *("--library-path", f"{_FOLDER}/lib", f"{_FOLDER}/qemu-arm"),
                *("-seed", "1"),  # AT_RANDOM: keys of hashes, stack protectors
                *("-plugin", f"{_FOLDER}/counter.so,out=/out/count"),
                *argv,
            ],
            mounts=[
                Mount(self.folder, _FOLDER),
                Mount(self.cell.toolchain.cpuinfo(self.board), "/proc/cpuinfo"),
                Mount(out, "/out", writable=True),
                *(Mount(path, place) for path, place in mounts.items()),
            ],
            environment={
                # Never qemu's default CPU: that one runs everything.
                "QEMU_CPU": self.board.qemu_cpu,
                "LC_ALL": "C.UTF-8",
                "PYTHONHASHSEED": "0",
                "PYTHONDONTWRITEBYTECODE": "1",
                "HOSTNAME": "board",  # else the container's number
                **environment,
            },
            # The same in every run: a folder's time is divided by a loop where there is no `udiv`.
            workdir=_FOLDER,
        )


def counter_for(project: Project, cell: Cell, board: EmulatedBoard) -> Counter:
    """An emulated board that counts; its system and the emulator are made where they are missing.

    Raises:
        DataError: the project has no part that counts.
        BuildError: the emulator takes no plugins, beside what the steps raise.
    """
    system = project.part(PART)

    def goals() -> tuple[Step, Step]:
        graph = Graph(project)
        return graph.system(cell).image.step, graph.part(system)

    folders = {}
    for outcome in fulfilled(project, goals):
        if outcome.entry is not None:
            folders[outcome.step.subject] = outcome.entry.out
    image = Graph(project).system(cell).image
    return Counter(project, cell, board, image.tag, folders[system.name])


def _plain(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name)


def _read(path: Path, log: Path) -> Counts:
    """What the plugin wrote. Raises EmulatorError where it did not write to the end."""
    text = "" if path.is_symlink() or not path.is_file() else path.read_text(encoding="ascii")
    *lines, last = [line.split() for line in text.splitlines()] or [[]]
    try:
        marks = tuple((int(mark), int(count)) for mark, count in lines)
        end, total = last
        if end == "end":
            return Counts(int(total), marks)
    except ValueError:
        pass
    raise EmulatorError(
        "the emulator ended without a count",
        where=str(log),
        why="the program's first process was replaced or killed, or the plugin was not loaded",
        fix="its log says what the emulator said",
    )
