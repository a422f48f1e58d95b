"""What this machine offers: an engine's socket, an emulator the kernel starts for ARM programs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

BINFMT = Path("/proc/sys/fs/binfmt_misc")


@dataclass(frozen=True)
class BinfmtEntry:
    """One registration of the kernel's binfmt_misc."""

    enabled: bool
    interpreter: str
    flags: str

    @property
    def fixed(self) -> bool:
        """Flag F: the kernel holds the interpreter open, so that containers need not have it."""
        return "F" in self.flags


def parse_binfmt(text: str) -> BinfmtEntry:
    """The entry that a file of binfmt_misc describes."""
    first, *rest = text.splitlines() or [""]
    fields = dict(line.partition(" ")[::2] for line in rest)
    return BinfmtEntry(
        enabled=first.strip() == "enabled",
        interpreter=fields.get("interpreter", ""),
        flags=fields.get("flags:", "").strip(),
    )


def arm_binfmt(folder: Path = BINFMT) -> BinfmtEntry | None:
    """How the kernel runs 32-bit ARM programs, or None where it does not."""
    try:
        return parse_binfmt((folder / "qemu-arm").read_text())
    except FileNotFoundError:
        return None


#: Why an engine for which `maps_users` is true cannot serve, and what to do about it.
ROOTLESS = (
    "its containers' users are other users of this machine, who may not write what a build must "
    "leave here"
)
ROOTFUL = "use the Docker that root runs: unset DOCKER_HOST, and run ./inv"


def maps_users(info: Mapping[str, Any]) -> bool:
    """Whether an engine's containers see other users than this machine: rootless, or userns-remap.

    A job runs as the user who calls crosspi. There, the container's user of that number is one of
    the subordinate ids of the machine, and folders that are mounted writable cannot be written.

    Args:
        info: the engine's answer to `info`. Docker says it among the security options
            (moby, daemon/info.go), podman in a field of its own (pkg/api/handlers/types.go).
    """
    options = info.get("SecurityOptions") or ()
    names = {word for option in options for word in str(option).split(",")}
    return bool(info.get("Rootless")) or bool(names & {"name=rootless", "name=userns"})


def engine_addresses(environ: Mapping[str, str] = os.environ) -> list[str]:
    """Where an engine may listen, best first: the same places as `inv` looks at.

    DOCKER_HOST alone where it is set; else the sockets of Docker and podman that exist, of those
    that root runs (see `maps_users`).
    """
    if host := environ.get("DOCKER_HOST"):
        return [host]
    sockets = [Path("/var/run/docker.sock"), Path("/run/podman/podman.sock")]
    return [f"unix://{path}" for path in sockets if _exists(path)]


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except PermissionError:  # a folder of root's
        return False
