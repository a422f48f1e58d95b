"""The smoke test of a part: of the board's own system, before any wheel is tested on it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from crosspi.containers.engine import Engine
from crosspi.containers.images import Image
from crosspi.containers.users import give_to_container_user
from crosspi.data.part import Part
from crosspi.data.recipe_data import Smoke
from crosspi.data.targets import Cell
from crosspi.digests import digest
from crosspi.errors import DataError, SmokeError
from crosspi.smoke.job import board_job, record, run_on_board
from crosspi.sources.cache import SourceCache
from crosspi.steps.smoke import test_inputs
from crosspi.work.plan import Step, Workspace


def part_smoke_step(
    part: Part,
    cell: Cell,
    *,
    image: Image,
    engine: Callable[[], Engine],
    sources: SourceCache,
    folders: Mapping[str, Step] | None = None,
    audits: Sequence[Step] = (),
    level: str = "default",
) -> Step:
    """The step that runs a part's smoke.py on its own root. Nothing is installed before.

    On the oldest board alone: a system chooses no code at run time, and its tests are long.

    Args:
        part: whose root and test.
        cell: its Python and architecture.
        image: of its root.
        engine, sources: where it runs, where its data comes from.
        folders: what the test sees of other parts: a folder of a step's result, by its name.
        audits: what must have passed before.
        level: `default`, or `full` for the slow tests too.
    """
    smoke = part.data.smoke or Smoke()
    board = cell.toolchain.oldest
    folders = folders or {}
    seen = {name: (part.data.sources[name], inside) for name, inside in smoke.seen(level).items()}
    if both := sorted(seen.keys() & folders.keys()):
        raise DataError(
            f"the smoke test of {part.name} has two data folders of one name: {', '.join(both)}",
            where=str(part.folder / "part.yaml"),
            fix="call the source otherwise, in `sources` and in `smoke.data`",
        )

    def act(work: Workspace) -> None:
        give_to_container_user(work.out)
        data = {
            name: sources.fetch(name, source, base=part.folder) / inside
            for name, (source, inside) in seen.items()
        }
        data.update({name: work.results[step.name] / name for name, step in folders.items()})
        for name, folder in data.items():
            if folder.is_symlink() or not folder.is_dir():
                raise SmokeError(
                    f"there is no data folder '{name}' for the smoke test of {part.name}",
                    where=str(folder),
                    fix="see the script of the part that should leave it, or `smoke.data`",
                )
        job = board_job(part.folder, cell, board, image.tag, data, work.out, level=level)
        results = run_on_board(
            job,
            cell,
            board,
            engine(),
            work,
            minutes=smoke.minutes(level),
            about=f"the part {part.name}",
        )
        record(results, part.name, cell, board, work)

    inputs = {
        **test_inputs(part.folder, cell, board, image),
        "level": level,
        "data": digest({name: (source.digest, inside) for name, (source, inside) in seen.items()}),
        "folders": digest({name: step.name for name, step in folders.items()}),
    }
    needs = (image.step, *dict.fromkeys(folders.values()), *audits)
    return Step("smoke", f"{part.name}-{cell.identifier}-{board.name}", inputs, needs, act)
