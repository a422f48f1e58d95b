"""What runs in a container: a job, and how it is shut in. No engine is needed to say so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from docker.types import Mount as DockerMount

from crosspi.containers.users import container_user

#: What `guests/run_commands.py` does, in a build container; it says what there is.
Command = dict[str, Any]


@dataclass(frozen=True)
class Mount:
    """A folder or file of the host that a job sees."""

    source: Path
    target: str
    writable: bool = False


@dataclass(frozen=True)
class Job:
    """One command in one container.

    Attributes:
        image: tag of the image.
        argv: the command; no shell is involved.
        mounts: what of the host it sees, and where.
        environment: variables beside the image's own.
        tmpfs: folders that live in memory, writable.
        workdir: where the command starts.
    """

    image: str
    argv: Sequence[str]
    mounts: Sequence[Mount] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    tmpfs: Sequence[str] = ("/tmp",)
    workdir: str = "/"


def creation(job: Job, sources: Sequence[Path]) -> dict[str, Any]:
    """How the engine is to make a job's container: what the job says, and the walls around it.

    Args:
        job: what is to run.
        sources: what is mounted, in the order of its mounts: they, or copies of them.
    """
    user, group = container_user()
    return {
        "mounts": [
            DockerMount(m.target, str(source), type="bind", read_only=not m.writable)
            for m, source in zip(job.mounts, sources, strict=True)
        ],
        "environment": {"HOME": "/tmp", **job.environment},
        "tmpfs": dict.fromkeys(job.tmpfs, "exec,mode=1777"),
        "working_dir": job.workdir,
        "user": f"{user}:{group}",
        "network_mode": "none",
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges"],
        "init": True,
    }
