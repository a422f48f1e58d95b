"""Container images: the base ones, the build machine, the boards' own Pythons."""

from __future__ import annotations

import tarfile
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from crosspi.containers.bootstrap import bootstrap, scratch_folder
from crosspi.containers.engine import Engine
from crosspi.data.document import Document, Model
from crosspi.data.source import Source
from crosspi.errors import EngineError
from crosspi.sources.writer import TIME
from crosspi.work.plan import Step

#: Debian's names of architectures: the engine's platform, and what it calls an image of it.
PLATFORMS: Mapping[str, tuple[str, str]] = {
    "amd64": ("linux/amd64", "amd64"),
    "arm64": ("linux/arm64", "arm64"),
    "armhf": ("linux/arm/v7", "arm"),
}

#: The kind of the steps that make images.
IMAGE = "image"


class ImageData(Model):
    """`image.yaml` of a folder of `dockerfiles/`: its base, and the wheels that go into it."""

    suite: str
    architecture: str
    wheels: dict[str, Source] = {}


def image_data(folder: Path) -> ImageData:
    """What the `image.yaml` of a folder of `dockerfiles/` says."""
    return Document.read(folder / "image.yaml").model(ImageData)


@dataclass(frozen=True)
class Image:
    """An image step and the tag that its result has.

    Attributes:
        step: makes it.
        tag: its name.
        content: what is in it that no data pins (see `contents`).
        emulator: what runs its programs, with its version, where this processor does not.
    """

    step: Step
    tag: str
    content: str = ""
    emulator: str = ""


def image_tag(step: Step) -> str:
    """What the image of an image step is called: by what goes in."""
    return f"crosspi/{step.subject}:{step.key[:16]}"


def base_image(
    engine: Engine, suite: str, architecture: str, *, log: Path, line: Callable[[str], None]
) -> str:
    """The tag of a plain Debian image, pulled where a registry answers, else bootstrapped.

    Raises:
        HostError: no registry answers and mmdebstrap is not installed.
        BuildError: mmdebstrap failed.
    """
    platform, name = PLATFORMS[architecture]
    tag = f"crosspi/base:{suite}-{architecture}"
    if engine.image_architecture(tag) == name:
        return tag
    line(f"base image: pulling debian:{suite}-slim for {architecture}")
    refusal = engine.pull("debian", f"{suite}-slim", platform=platform, into=tag)
    if not refusal and engine.image_architecture(tag) == name:
        return tag
    refusal = refusal or "what came is of another architecture"
    line(f"base image: bootstrapping {suite} for {architecture}, it could not be pulled: {refusal}")
    _bootstrap(engine, suite, architecture, tag, log=log, line=line, refusal=refusal)
    require_architecture(engine, tag, name)
    return tag


def require_architecture(engine: Engine, tag: str, name: str) -> None:
    """That what was just made under a tag is of an architecture, as the engine calls it.

    Raises:
        EngineError: it is not.
    """
    if engine.image_architecture(tag) != name:
        raise EngineError(
            f"the image {tag} is not of the architecture {name}",
            why="the engine's storage keeps another image under this tag",
            fix=f"remove it (`docker rmi {tag}`) and run the same command again",
        )


def _bootstrap(
    engine: Engine,
    suite: str,
    architecture: str,
    tag: str,
    *,
    log: Path,
    line: Callable[[str], None],
    refusal: str,
) -> None:
    with tempfile.TemporaryDirectory(prefix="crosspi-root-", dir=scratch_folder()) as folder:
        Path(folder).chmod(0o755)  # mmdebstrap works as other users, unless it is root
        archive = Path(folder) / "root.tar"
        bootstrap(
            suite,
            architecture,
            archive,
            log=log,
            line=line,
            missing=f", or load an image called {tag} into the engine yourself",
            refusal=refusal,
        )
        engine.import_root(archive, tag, platform=PLATFORMS[architecture][0])


def image_repositories(engine: Engine, image: str) -> list[str]:
    """The repository addresses of an image's apt configuration."""
    command = ["apt-get", "indextargets", "--no-release-info", "--format", "$(REPO_URI)"]
    text = engine.read_output(image, command)
    return list(dict.fromkeys(uri.rstrip("/") for uri in text.split()))


def pack_root(root: Path, archive: Path) -> None:
    """Pack a root file system for an image: all root's, and the same bytes for the same tree."""

    def normal(info: tarfile.TarInfo) -> tarfile.TarInfo:
        info.uid = info.gid = 0
        info.uname = info.gname = ""
        info.mtime = TIME
        return info

    with tarfile.open(archive, "w", format=tarfile.GNU_FORMAT) as packed:
        packed.add(root, ".", filter=normal)  # its names sorted; links as links
