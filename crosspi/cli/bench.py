"""The task `bench`: instructions per inference, of our wheel and of others beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from packaging.utils import parse_wheel_filename

from crosspi.bench.chart import chart, millions
from crosspi.bench.contenders import Contender, found, unpacked
from crosspi.bench.counting import counter_for
from crosspi.bench.measuring import Row, measure
from crosspi.bench.models import Suite, models, shapes, suite
from crosspi.cli.options import Options
from crosspi.cli.session import session
from crosspi.data.targets import Cell, EmulatedBoard, Toolchain, split_words
from crosspi.errors import BenchError, CrosspiError, UsageError
from crosspi.files import file_sha256, write_text
from crosspi.graph import Graph
from crosspi.project import Project, Request
from crosspi.run import fulfilled
from crosspi.wheels import wheel_in
from crosspi.work.plan import Step


@dataclass(frozen=True)
class Wanted:
    """What else a command line says.

    Attributes:
        models: files; empty: those of `benchmarks/`.
        against: other wheels: files, or NAME==VERSION.
        shapes: of inputs that have none of their own.
        numpy: the wheel that all of them compute with; empty: ours.
        out: the folder for the chart; empty: `bench` in the folder of results.
    """

    models: Sequence[str] = ()
    against: Sequence[str] = ()
    shapes: Sequence[str] = ()
    numpy: str = ""
    out: str = ""


def bench(options: Options, wanted: Wanted) -> None:
    """Measure, show and draw; what could not be measured is told at the end."""
    with (
        session(
            verbose=options.verbose, json=options.json, offline=options.offline, works=True
        ) as project,
        TemporaryDirectory(prefix="crosspi-bench-") as scratch,
    ):
        Path(scratch).chmod(0o755)  # the board's user reads what is unpacked there
        measured = suite(project.paths.benchmarks)
        cell, board = _where(project, options, measured)
        chosen = models(project.paths.benchmarks, wanted.models)
        asked = shapes(wanted.shapes, chosen)
        theirs = [found(word, cell, project.sources) for word in wanted.against]
        against = [unpacked(path, cell, Path(scratch)) for path in theirs]
        ours, numpy = _ours(project, options, cell, measured, Path(scratch))
        if wanted.numpy:
            numpy = unpacked(Path(wanted.numpy), cell, Path(scratch, "given"))
        counter = counter_for(project, cell, board)
        rows: list[Row] = []
        errors: list[CrosspiError] = []
        for wheel in (*against, *ours):
            for model in chosen:
                with project.console.step(f"{wheel.name}: {model.stem}") as shown:
                    try:
                        rows.append(measure(counter, wheel, model, numpy=numpy, shapes=asked))
                        shown.state("counted")
                    except BenchError as error:
                        errors.append(error)
                        shown.state("refused")
        title = f"Instructions per inference on {board.plays}, Python {cell.python.version}"
        if rows:
            _show(project, rows, title)
            folder = Path(wanted.out) if wanted.out else project.paths.dist / "bench"
            folder.mkdir(parents=True, exist_ok=True)
            file = folder / f"{cell.identifier}-{board.name}.svg"
            write_text(file, chart(rows, title))
            project.console.line(f"chart: {file}")
        if options.json:
            project.console.result(as_json(rows, cell, board, numpy))
        for other in errors[1:]:
            project.console.error(other)
        if errors:
            raise errors[0]


def _where(project: Project, options: Options, measured: Suite) -> tuple[Cell, EmulatedBoard]:
    """The one board and the one Python of a command line. Raises UsageError."""
    request = project.request(options.target, options.python, [measured.recipe])
    cells = [cell for _, cell in request.wanted if isinstance(cell, Cell)]
    if len(cells) != 1 or len(options.target) != 1:
        raise UsageError(
            "one board and one Python at a time",
            where="--target, --python",
            fix="for example: invoke bench --target pi3 --python 3.11",
        )
    return cells[0], board_of(cells[0].toolchain, options.target[0])


def board_of(toolchain: Toolchain, word: str) -> EmulatedBoard:
    """The emulated board of a name, else the oldest of its architecture."""
    named = [board for board in toolchain.data.emulated if board.name == word]
    return named[0] if named else toolchain.oldest


def _ours(
    project: Project, options: Options, cell: Cell, measured: Suite, into: Path
) -> tuple[list[Contender], Contender]:
    """Our own wheels, of each version that is asked for, and numpy: from the store, or built."""
    words = split_words(options.recipe, "--recipe") or [measured.recipe]
    numpys: list[Contender] = []
    made: list[Contender] = []
    for word in words:
        request = project.request(options.target, options.python, [word])
        for wheel in _wheels(project, request, measured):
            name, version, *_ = parse_wheel_filename(wheel.name)
            if name == measured.recipe:
                made.append(unpacked(wheel, cell, into / "ours", name=f"ours {version}"))
            elif not numpys:
                numpys.append(unpacked(wheel, cell, into / "ours"))
    if not made or not numpys:
        raise UsageError(
            f"only versions of {measured.recipe} are measured",
            where="--recipe " + ",".join(words),
            fix=f"for example: --recipe {measured.recipe}",
        )
    return made, numpys[0]


def _wheels(project: Project, request: Request, measured: Suite) -> Iterator[Path]:
    """The wheels of a request, made where they are not in the store."""

    def goals() -> list[Step]:
        return [
            steps.product
            for steps in Graph(project).products(request)
            if steps.kind == "wheel"
            and steps.recipe.name in (measured.recipe, measured.computes_with)
        ]

    for outcome in fulfilled(project, goals):
        if outcome.step.kind == "wheel" and outcome.entry is not None:
            yield wheel_in(outcome.entry.out)


def _show(project: Project, rows: Sequence[Row], title: str) -> None:
    first = {row.model.stem: row.one for row in reversed(rows)}
    project.console.table(
        f"{title}; millions, one thread",
        ("model", "wheel", "load", "first", "one", "of the first"),
        [
            (
                row.model.stem,
                row.wheel.name,
                millions(row.load),
                millions(row.first),
                millions(row.one),
                f"{100 * row.one / max(1, first[row.model.stem]):.0f} %",
            )
            for row in sorted(rows, key=lambda row: row.model.stem)
        ],
    )


def as_json(
    rows: Sequence[Row], cell: Cell, board: EmulatedBoard, numpy: Contender
) -> dict[str, object]:
    """What was measured, as data: files by their hashes."""
    return {
        "board": board.name,
        "cpu": board.qemu_cpu,
        "cell": cell.identifier,
        "computes_with": {"file": numpy.file, "sha256": numpy.sha256},
        "counts": [
            {
                "wheel": row.wheel.file,
                "sha256": row.wheel.sha256,
                "model": row.model.name,
                "model_sha256": file_sha256(row.model),
                "start": row.start,
                "load": row.load,
                "first": row.first,
                "one": row.one,
            }
            for row in rows
        ],
    }
