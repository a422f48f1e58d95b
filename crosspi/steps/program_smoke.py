"""The step that runs test programs on an emulated board: what has no Python is tested by them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from crosspi import guests
from crosspi.containers.engine import Engine
from crosspi.containers.images import Image
from crosspi.containers.rooms import ROOM, room
from crosspi.containers.users import give_to_container_user
from crosspi.data.recipe import Recipe
from crosspi.data.targets import EmulatedBoard, Slot
from crosspi.digests import digest, digest_files
from crosspi.files import file_sha256
from crosspi.prefixes import archive_in
from crosspi.smoke.job import GUESTS, board_job, record, run_on_board
from crosspi.sources.cache import SourceCache
from crosspi.steps.smoke import board_inputs
from crosspi.work.plan import Step, Workspace

_SCRIPT = Path(guests.__file__).parent / "programs.py"
#: What messages call a product that is nobody's file.
_COMPILED = "what is in it"


def program_smoke_step(
    recipe: Recipe,
    folder: str,
    slot: Slot,
    board: EmulatedBoard,
    *,
    image: Image,
    product: Step,
    linked: Step,
    proofs: tuple[Step, ...],
    engine: Callable[[], Engine],
    sources: SourceCache,
    level: str = "default",
) -> Step:
    """The step that runs programs which are linked with a product, or with what was compiled.

    Args:
        recipe, slot: whose, for what.
        folder: where the programs come from; each is a test, unless there is a smoke.py.
        board: one of the architecture's emulated boards.
        image: its system.
        product: what is tested.
        linked: made the programs.
        proofs: what must have passed before: of the product, and of the board's system.
        engine, sources: where it runs, where its data comes from.
        level: of the tests.
    """
    seen = recipe.data.smoke.seen(level)
    own = recipe.folder / folder / "smoke.py"
    script = own if own.is_file() else _SCRIPT
    about = {"archive": "the archive", "prefix": "the library"}.get(product.kind, _COMPILED)

    def act(work: Workspace) -> None:
        give_to_container_user(work.out)
        data = {
            name: sources.fetch(name, recipe.data.sources[name], base=recipe.folder) / folder
            for name, folder in seen.items()
        }
        data["programs"] = work.results[linked.name]
        job = board_job(
            recipe.folder,
            slot,
            board,
            image.tag,
            data,
            work.out,
            level=level,
            script=script,
        )
        results = run_on_board(
            job,
            slot,
            board,
            engine(),
            work,
            minutes=recipe.data.smoke.minutes(level),
            about=about,
        )
        archive = product.kind == "archive"
        sha256 = file_sha256(archive_in(work.results[product.name])) if archive else ""
        record(results, recipe.name, slot, board, work, sha256=sha256)

    inputs = {
        "harness": digest_files(*GUESTS, script),
        ROOM: room(image, {}),
        **board_inputs(slot, board, image),
        # A program runs in the recipe's folder, and may read what lies beside it.
        "smoke test": digest_files(recipe.folder / folder),
        "level": level,
        "data": digest({n: (recipe.data.sources[n].digest, folder) for n, folder in seen.items()}),
    }
    needs = (image.step, linked, product, *proofs)
    # What is compiled for wheels and for an archive is tested by itself, and so is the archive.
    subject = product.subject if about != _COMPILED else f"{product.subject}-compiled"
    return Step("smoke", f"{subject}-{board.name}", inputs, needs, act)
