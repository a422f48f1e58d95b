"""Container images: the base ones, the build machine, the boards' own Pythons."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from crosspi.bootstrap import bootstrap, scratch_folder
from crosspi.document import Document, Model
from crosspi.engine import Engine
from crosspi.errors import EngineError
from crosspi.plan import Step, Workspace, digest_files
from crosspi.sources.cache import SourceCache
from crosspi.sources.spec import Source

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


def image_step(
    name: str,
    folder: Path,
    engine: Callable[[], Engine],
    *,
    suite: str,
    architecture: str,
    arguments: Mapping[str, str],
    wheels: Mapping[str, Source],
    sources: SourceCache,
) -> Image:
    """The step that builds an image from a folder of `dockerfiles/`.

    Args:
        name: the image's name and the step's subject.
        folder: where its Dockerfile is.
        engine: gives the engine, when it is needed.
        suite, architecture: of the Debian base.
        arguments: further ARGs.
        wheels: sources that are put into its folder `wheels/`.
        sources: where they come from.
    """
    platform, architecture_name = PLATFORMS[architecture]
    inputs = {
        "dockerfile": digest_files(folder),
        "base": f"{suite}-{architecture}",
        **{f"argument {key}": value for key, value in arguments.items()},
        **{f"wheel {key}": str(source.file) for key, source in wheels.items()},
    }

    def act(work: Workspace) -> None:
        files = {}
        for wheel, source in wheels.items():
            path = sources.fetch(wheel, source)
            files[f"wheels/{path.name}"] = path
        base = base_image(engine(), suite, architecture, log=work.log, line=work.line)
        engine().build_image(
            tag,
            folder,
            arguments={"BASE": base, **arguments},
            files=files,
            platform=platform,
            log=work.log,
            line=work.line,
        )
        require_architecture(engine(), tag, architecture_name)

    def present() -> bool:
        return engine().image_architecture(tag) == architecture_name

    step = Step(IMAGE, name, inputs, (), act, present)
    tag = image_tag(step)
    return Image(step=step, tag=tag)


def tools_image(folder: Path, engine: Callable[[], Engine], sources: SourceCache) -> Image:
    """The image of a build machine: host tools only, described by its `image.yaml`."""
    data = image_data(folder)
    return image_step(
        folder.name,
        folder,
        engine,
        suite=data.suite,
        architecture=data.architecture,
        arguments={},
        wheels=data.wheels,
        sources=sources,
    )
