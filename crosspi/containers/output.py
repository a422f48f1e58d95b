"""What a container prints, as it comes: into a log, and line by line to whoever shows it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from docker.models.containers import Container

Line = Callable[[str], None]


def follow(container: Container, log: Path, line: Line) -> None:
    """Copy a running container's output to the log, and line by line to the caller."""
    rest = b""
    with log.open("ab") as out:
        for chunk in container.logs(stream=True, follow=True):
            out.write(chunk)
            out.flush()
            *lines, rest = (rest + chunk).split(b"\n")
            for part in lines:
                _shown(part, line)
    _shown(rest, line)


def _shown(part: bytes, line: Line) -> None:
    text = part.decode("utf-8", "replace").rstrip("\r")
    if text.strip():
        line(text)
