"""The step that installs and tests a wheel on an emulated board."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from crosspi.containers.engine import Engine
from crosspi.containers.images import Image
from crosspi.containers.rooms import ROOM, room
from crosspi.containers.users import give_to_container_user
from crosspi.data.recipe import Recipe
from crosspi.data.targets import Cell, EmulatedBoard, Slot
from crosspi.digests import digest, digest_files
from crosspi.files import file_sha256
from crosspi.index.pages import write_index
from crosspi.smoke.job import GUESTS, Install, board_job, record, run_on_board
from crosspi.sources.cache import SourceCache
from crosspi.wheels import wheel_in
from crosspi.work.plan import Step, Workspace


def smoke_step(
    recipe: Recipe,
    cell: Cell,
    board: EmulatedBoard,
    *,
    image: Image,
    wheels: Sequence[Step],
    proofs: Sequence[Step],
    engine: Callable[[], Engine],
    sources: SourceCache,
    level: str = "default",
) -> Step:
    """The step that installs and tests a wheel on an emulated board.

    Args:
        recipe: whose wheel and test.
        cell: on which Python and architecture.
        board: one of the architecture's emulated boards.
        image: the board's Python.
        wheels: the wheel steps that pip may install from, the recipe's own first.
        proofs: what must have passed before: their audits, tests of what was compiled.
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
            board,
            image.tag,
            data,
            work.out,
            level=level,
            install=Install(staged, f"{recipe.name}=={recipe.data.version}"),
        )
        minutes = recipe.data.smoke.minutes(level)
        results = run_on_board(job, cell, board, engine(), work, minutes=minutes)
        tested = {"wheel": paths[0].name, "sha256": file_sha256(paths[0])}
        record(results, recipe.name, cell, board, work, **tested)

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
    needs = (image.step, *wheels, *proofs)
    return Step("smoke", f"{wheels[0].subject}-{board.name}", inputs, needs, act)


def test_inputs(folder: Path, cell: Cell, board: EmulatedBoard, image: Image) -> dict[str, str]:
    """What a smoke step's key knows of the tests in a folder, and of the board."""
    script = [folder / "smoke.py"]
    if (folder / "smoke").is_dir():
        script.append(folder / "smoke")
    return {
        "smoke test": digest_files(*script),
        "harness": digest_files(*GUESTS),
        ROOM: room(image, {}),  # the environment is in the code here, and in the board
        **board_inputs(cell, board, image),
    }


def board_inputs(slot: Slot, board: EmulatedBoard, image: Image) -> dict[str, str]:
    """What a smoke step's key knows of the board that is played, and of what plays it."""
    return {
        "emulator": image.emulator,
        "board": digest_files(slot.toolchain.cpuinfo(board)) + digest(board.model_dump()),
    }
