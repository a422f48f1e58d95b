"""Tiny archives for tests, honest and hostile."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

TIME = 1_500_000_000


def member(name: str, kind: bytes = tarfile.REGTYPE, **attributes: object) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type = kind
    info.mtime = TIME
    for key, value in attributes.items():
        setattr(info, key, value)
    return info


def tar(
    path: Path, members: list[tuple[tarfile.TarInfo, bytes]] | dict[str, bytes], mode: str = "w:gz"
) -> Path:
    if isinstance(members, dict):
        members = [(member(name), data) for name, data in members.items()]
    with tarfile.open(path, mode) as out:  # type: ignore[call-overload]
        for info, data in members:
            if info.isreg():
                info.size = len(data)
            out.addfile(info, io.BytesIO(data))
    return path


def zipped(path: Path, members: dict[str, bytes] | list[tuple[zipfile.ZipInfo, bytes]]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for name, data in members.items() if isinstance(members, dict) else members:
            out.writestr(name, data)
    return path
