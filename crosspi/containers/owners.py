"""Who made a container: a process, told from every other one of any machine and container."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")


@dataclass(frozen=True)
class Owner:
    """A process.

    Attributes:
        boot: the running kernel.
        namespace: in which its number is what it is: containers of one kernel count for themselves.
        pid: its number there.
        started: when, in the kernel's ticks: numbers are used again.
    """

    boot: str
    namespace: str
    pid: int
    started: str

    @classmethod
    def of(cls, pid: int, proc: Path = PROC) -> Owner:
        """A process of this namespace; one that is gone started never."""
        return cls(
            boot=_read(proc / "sys/kernel/random/boot_id"),
            namespace=_namespace(proc / "self/ns/pid"),
            pid=pid,
            started=_started(proc / str(pid) / "stat"),
        )

    @classmethod
    def parse(cls, label: str) -> Owner | None:
        """What `str()` of an owner says; None where it is something else."""
        words = label.split("/")
        if len(words) != 4 or not words[2].isdigit():
            return None
        return cls(words[0], words[1], int(words[2]), words[3])

    def __str__(self) -> str:
        return f"{self.boot}/{self.namespace}/{self.pid}/{self.started}"

    def is_gone(self, proc: Path = PROC) -> bool | None:
        """Whether the process has ended; None where it cannot be seen from here."""
        now = Owner.of(self.pid, proc)
        if not (now.boot and now.namespace):
            return None
        if (now.boot, now.namespace) != (self.boot, self.namespace):
            return None
        return now.started != self.started


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _namespace(path: Path) -> str:
    try:
        return str(path.readlink()).removeprefix("pid:[").rstrip("]")
    except OSError:
        return ""


def _started(path: Path) -> str:
    # The second field, the program's name in brackets, may hold anything; this is the 22nd.
    fields = _read(path).rpartition(")")[2].split()
    return fields[19] if len(fields) > 19 else "-"
