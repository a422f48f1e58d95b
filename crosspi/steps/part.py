"""The step that builds a part of a test system, by its own script in a build container."""

from __future__ import annotations

from collections.abc import Mapping

from crosspi import places
from crosspi.containers.build_machine import (
    BuildMachine,
    folder_digest,
    run_commands,
    source_mounts,
)
from crosspi.containers.job import Mount
from crosspi.containers.rooms import ROOM
from crosspi.data.part import ROOT, Part
from crosspi.digests import digest
from crosspi.work.plan import Step, Workspace


def part_step(
    part: Part, machine: BuildMachine, needs: Mapping[str, Step], sources: list[Step]
) -> Step:
    """The step that builds a part.

    Args:
        part: what to build.
        machine: the build machine, with the part's image.
        needs: the steps of the parts that it needs, by folder in the container.
        sources: the steps of its sources.
    """
    command = {"argv": ["bash", f"{places.RECIPE}/{part.data.script}"]}
    environment = {
        "SRC": places.SOURCES,
        "BUILD": places.WORK,
        "OUT": places.OUT,
        "JOBS": str(machine.jobs),
        **part.data.environment,
    }

    def act(work: Workspace) -> None:
        run_commands(
            machine,
            work,
            commands=[command],
            mounts=[
                *source_mounts(part.data.sources, part.folder, machine),
                Mount(part.folder, places.RECIPE),
                *(Mount(work.results[step.name], f"/{name}") for name, step in needs.items()),
            ],
            environment=environment,
            roots=(ROOT,),
        )

    inputs = {
        "part": digest(
            [
                command,
                sorted(part.data.needs.items()),
                {name: source.digest for name, source in part.data.sources.items()},
            ]
        ),
        "files of the part": folder_digest(part.folder),
        # Not this module: a word in a message would compile the board's system anew.
        ROOM: machine.room(environment),
    }
    return Step("part", part.name, inputs, (machine.image.step, *needs.values(), *sources), act)
