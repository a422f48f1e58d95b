"""The step that makes a wheel of a tree: packed where the compressor is pinned."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from crosspi import __version__, places
from crosspi.containers.build_machine import BuildMachine, run_commands
from crosspi.containers.job import Mount
from crosspi.containers.rooms import ROOM
from crosspi.data.recipe import Recipe
from crosspi.data.targets import Cell
from crosspi.digests import digest
from crosspi.trees import check_members, check_tree
from crosspi.wheels import dist_info, write_tags
from crosspi.work.plan import Step, Workspace

#: Where the packing container sees what it packs.
_PACKED = "/pack"


def wheel_step(
    recipe: Recipe, cell: Cell, built: Step, machine: BuildMachine, number: int = 0
) -> Step:
    """The step that makes a wheel of what `built` left: `tree/` and `licenses/`.

    Args:
        recipe, cell: of what, for what.
        built: made the tree.
        machine: where it is packed: the compressor of that image, and no other, makes its bytes.
        number: the wheel's build number, where other bytes have the name without one (PEP 427).
    """
    data = recipe.data

    def act(work: Workspace) -> None:
        tree = work.out.parent / "tree"
        result = work.results[built.name]
        check_tree(result, left_by=f"the build of {recipe.name}")
        shutil.copytree(result / "tree", tree, symlinks=True)
        info = dist_info(recipe, tree)
        if (result / "licenses").is_dir():
            licences = info / "licenses"
            shutil.copytree(result / "licenses", licences, symlinks=True, dirs_exist_ok=True)
        check_members(tree, left_by=f"the build of {recipe.name}")
        name = write_tags(info, cell, number)
        run_commands(
            machine,
            work,
            commands=[{"pack": _PACKED, "info": info.name, "to": f"{places.OUT}/{name}"}],
            mounts=[Mount(tree, _PACKED)],
            environment={},
        )
        path = work.out / name
        work.notes["file"] = path.name
        work.notes["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
        work.notes["size"] = path.stat().st_size

    described = {
        **data.wheel.model_dump(),
        "metadata": [data.name, data.version, data.summary, data.licence, data.homepage],
        "requires": data.requires.run,
        "pythons": data.pythons,
        **({"build number": number} if number else {}),
    }
    inputs = {
        "recipe's metadata": digest(described),
        "tags": cell.wheel_tag,
        ROOM: machine.room({}, Path(__file__)),
        # It is in WHEEL.
        "crosspi": __version__,
    }
    subject = f"{recipe.label}-{cell.identifier}" + (f"-{number}" if number else "")
    return Step("wheel", subject, inputs, (machine.image.step, built), act)
