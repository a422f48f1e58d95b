"""The step that packs a prefix as an archive for C users: the same bytes every time."""

from __future__ import annotations

import hashlib
from pathlib import Path

from crosspi import guests, places
from crosspi.containers.build_machine import BuildMachine, run_commands
from crosspi.containers.job import Mount
from crosspi.containers.rooms import ROOM
from crosspi.data.recipe import Recipe
from crosspi.data.targets import Slot
from crosspi.prefixes import archive_name
from crosspi.trees import check_tree
from crosspi.work.plan import Step, Workspace

_GUEST = Path(guests.__file__).parent / "pack_archive.py"
_INSIDE = f"/crosspi/{_GUEST.name}"
#: Where the packing container sees what it packs.
_PACKED = "/pack"


def archive_step(
    recipe: Recipe, slot: Slot, built: Step, machine: BuildMachine, number: int = 0
) -> Step:
    """The step that makes an archive of what `built` left: `tree/` and `licenses/`.

    Args:
        recipe, slot: of what, for what.
        built: made the prefix.
        machine: where it is packed: the compressor of that image, and no other, makes its bytes.
        number: the archive's build number, where other bytes have the name without one.
    """
    top = archive_name(recipe, slot)
    name = archive_name(recipe, slot, number) + ".tar.gz"

    def act(work: Workspace) -> None:
        check_tree(work.results[built.name], left_by=f"the build of {recipe.name}")
        tree, licences = f"{_PACKED}/tree", f"{_PACKED}/licenses"
        run_commands(
            machine,
            work,
            commands=[{"argv": ["python3", _INSIDE, tree, licences, top, f"{places.OUT}/{name}"]}],
            mounts=[Mount(work.results[built.name], _PACKED), Mount(_GUEST, _INSIDE)],
            environment={},
        )
        path = work.out / name
        work.notes["file"] = path.name
        work.notes["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
        work.notes["size"] = path.stat().st_size

    inputs = {"name": f"{top}, {name}", ROOM: machine.room({}, Path(__file__), _GUEST)}
    subject = f"{recipe.label}-{slot.identifier}" + (f"-{number}" if number else "")
    return Step("archive", subject, inputs, (machine.image.step, built), act)
