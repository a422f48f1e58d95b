"""What the engine makes an image of, and what it means when it could not."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping
from pathlib import Path

from crosspi.errors import BuildError, CrosspiError, HostError, engine_full, tells_disk_full
from crosspi.said import Said


def build_context(folder: Path, files: Mapping[str, Path]) -> io.BytesIO:
    """The build context: the same bytes for the same content, so that the engine's cache works."""
    archive = io.BytesIO()

    def normal(info: tarfile.TarInfo) -> tarfile.TarInfo:
        info.uid = info.gid = info.mtime = 0
        info.uname = info.gname = ""
        info.mode = 0o755 if info.isdir() or info.mode & 0o100 else 0o644
        return info

    with tarfile.open(fileobj=archive, mode="w") as tar:
        for path in sorted(folder.rglob("*")):
            tar.add(path, str(path.relative_to(folder)), recursive=False, filter=normal)
        for name, path in sorted(files.items()):
            tar.add(path, name, recursive=False, filter=normal)
    archive.seek(0)
    return archive


def image_error(tag: str, context: Path, said: Said, log: Path) -> CrosspiError:
    """The error of an image that could not be built: in its tools' words, and whose fault it is."""
    if tells_disk_full(said.text):
        return engine_full(f"building the image {tag}")
    kind: type[CrosspiError] = BuildError
    fix = "correct the Dockerfile"
    if said.cannot_run:
        kind = HostError
        fix = "this machine does not run the image's programs: `./inv doctor` looks at binfmt"
    elif said.cannot_fetch:
        kind = HostError
        fix = (
            "see that the engine's containers reach the Debian mirror that the log names; "
            "an old list of packages is made new by the next try"
        )
    return kind(
        f"the image {tag} could not be built",
        where=str(context / "Dockerfile"),
        why=said.text,
        fix=f"{fix}; the whole log is in {log}",
    )
