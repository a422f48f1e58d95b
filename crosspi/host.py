"""What this machine offers: an engine's socket, an emulator the kernel starts for ARM programs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

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


def engine_addresses(environ: Mapping[str, str] = os.environ) -> list[str]:
    """Where an engine may listen, best first: the same places as `inv` looks at.

    DOCKER_HOST alone where it is set; else the sockets of Docker and podman that exist.
    """
    if host := environ.get("DOCKER_HOST"):
        return [host]
    mine = Path(environ.get("XDG_RUNTIME_DIR") or "/nonexistent")
    sockets = [
        Path("/var/run/docker.sock"),
        mine / "docker.sock",
        mine / "podman" / "podman.sock",
        Path("/run/podman/podman.sock"),
    ]
    return [f"unix://{path}" for path in sockets if _exists(path)]


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except PermissionError:  # a folder of root's
        return False
