"""The room that a step is done in: what its key must know beside the data that it is given.

One input for every step that runs in a container: what is in the image, with which environment,
and the code that makes the container and what runs in it. A step's own data is not repeated here,
nor are the places on this machine that are mounted: what they hold is in other inputs.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from crosspi.containers import job
from crosspi.containers.images import Image
from crosspi.digests import digest, digest_files

ROOM = "room"
#: Variables that change no result: how many compiles run at once.
WITHOUT_EFFECT = frozenset({"JOBS"})
_DIGITS = 16


def room(image: Image, environment: Mapping[str, str], *code: Path) -> str:
    """A room, in words that a plan can compare: `image …, environment …, code …`.

    Args:
        image: where it is, with what is in it.
        environment: what a container is given beside the image's own.
        code: modules that say what a container sees and runs.
    """
    counted = {k: v for k, v in environment.items() if k not in WITHOUT_EFFECT}
    digests = {
        "image": image.content if len(image.content) < _DIGITS else image.content[:_DIGITS],
        "environment": digest(counted)[:_DIGITS],
        "code": digest_files(Path(job.__file__), *code)[:_DIGITS],
    }
    return ", ".join(f"{name} {value}" for name, value in digests.items())
