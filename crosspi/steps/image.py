"""The steps that make images: of a Dockerfile, of a build machine, of a part's root."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from crosspi.containers.engine import Engine
from crosspi.containers.images import (
    IMAGE,
    PLATFORMS,
    Image,
    base_image,
    image_data,
    image_tag,
    pack_root,
    require_architecture,
)
from crosspi.data.part import ROOT
from crosspi.data.source import Source
from crosspi.digests import digest_files
from crosspi.sources.cache import SourceCache
from crosspi.work.plan import Step, Workspace


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


def root_image(
    name: str,
    built: Step,
    engine: Callable[[], Engine],
    *,
    platform: str,
) -> Image:
    """The step that makes an image of a part's root."""
    architecture = platform.split("/")[1]

    def act(work: Workspace) -> None:
        archive = work.out / "root.tar"
        pack_root(work.results[built.name] / ROOT, archive)
        engine().import_root(archive, tag, platform=platform)
        require_architecture(engine(), tag, architecture)

    def present() -> bool:
        return engine().image_architecture(tag) == architecture

    step = Step(IMAGE, name, {"platform": platform}, (built,), act, present)
    tag = image_tag(step)
    return Image(step=step, tag=tag)
