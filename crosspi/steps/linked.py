"""The step that links a recipe's test programs with its library or archive, as others would."""

from __future__ import annotations

from pathlib import Path

from crosspi import guests, places
from crosspi.builders.cmake import project_commands
from crosspi.builders.context import BuildContext
from crosspi.builders.libraries import library_environment
from crosspi.containers.build_machine import BuildMachine, run_commands
from crosspi.containers.job import Command, Mount
from crosspi.containers.rooms import ROOM
from crosspi.data.recipe import Recipe
from crosspi.data.targets import Slot
from crosspi.digests import digest, digest_files
from crosspi.errors import BuildError
from crosspi.prefixes import archive_in
from crosspi.steps.libraries import Libraries
from crosspi.steps.toolchain import TOOLCHAIN_ENVIRONMENT
from crosspi.work.plan import Step, Workspace

_GUEST = Path(guests.__file__).parent / "link_programs.py"
_INSIDE = f"/crosspi/{_GUEST.name}"
_ARCHIVE = "/archive"


def linked_step(
    recipe: Recipe,
    slot: Slot,
    product: Step,
    machine: BuildMachine,
    *,
    toolchain_made: Step,
    libraries: Libraries,
) -> Step:
    """The step that links test programs with a product alone: no source of it is there.

    Args:
        recipe, slot: whose product and programs, for what.
        product: the archive, which is unpacked, or the library.
        machine: where.
        toolchain_made: with what.
        libraries: what the product needs to be linked.
    """
    prefix = f"{places.NEEDS}/{recipe.name}"
    programs = f"{places.RECIPE}/smoke"
    archive = product.kind == "archive"
    names = (recipe.name, *libraries.names)
    environment = {**TOOLCHAIN_ENVIRONMENT, **library_environment(names)}

    def commands(jobs: int | None) -> list[Command]:
        if (recipe.folder / "smoke" / "CMakeLists.txt").is_file():
            context = BuildContext(recipe, slot.toolchain, jobs, libraries=names)
            return [*project_commands(context, programs), {"strip": places.OUT}]
        argv = ["python3", _INSIDE, programs, prefix, places.OUT]
        return [{"argv": argv}, {"strip": places.OUT}]

    def act(work: Workspace) -> None:
        result = work.results[product.name]
        mounts = [
            Mount(work.results[toolchain_made.name], places.TOOLCHAIN),
            Mount(recipe.folder, places.RECIPE),
            Mount(_GUEST, _INSIDE),
            *libraries.mounts(work.results),
        ]
        first: list[Command] = []
        if archive:
            mounts.append(Mount(result, _ARCHIVE))
            file = f"{_ARCHIVE}/{archive_in(result).name}"
            unpack = ["tar", "--extract", f"--file={file}", f"--directory={prefix}"]
            first.append({"argv": ["mkdir", "-p", prefix]})
            first.append({"argv": [*unpack, "--strip-components=1"]})
        else:
            mounts.append(Mount(result / "tree", prefix))
        run_commands(
            machine,
            work,
            commands=[*first, *commands(machine.jobs)],
            environment=environment,
            mounts=mounts,
            tmpfs=(places.NEEDS,) if archive else (),
        )
        if not any(path.is_file() for path in work.out.iterdir()):
            raise BuildError(
                f"no program tests {recipe.name}",
                where=str(recipe.folder / "smoke"),
                fix="write a C file there, or let its CMakeLists.txt make programs",
            )

    inputs = {
        "programs": digest_files(recipe.folder / "smoke"),
        "commands": digest(commands(None)),
        ROOM: machine.room(environment, Path(__file__), _GUEST),
    }
    needs = (machine.image.step, toolchain_made, product, *libraries.steps)
    return Step("linked", product.subject, inputs, needs, act)
