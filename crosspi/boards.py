"""Which boards a wheel is for by its name, and what it is held to there."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from packaging.tags import Tag
from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from crosspi.audit.law import Law, Promises
from crosspi.data.targets import Targets, Toolchain
from crosspi.errors import NotAWheelError, UsageError
from crosspi.index.manifest import published_manifest


def toolchains_of(wheel: Path, targets: Targets) -> tuple[Toolchain, ...]:
    """The toolchains of all boards whose pip takes a wheel.

    Raises:
        NotAWheelError: it is not a wheel's name.
        UsageError: its platform tags are none of ours; says what serves such systems.
    """
    platforms = sorted({tag.platform for tag in _tags(wheel)})
    if "any" in platforms:
        # What is for any platform must hold no machine code, whatever the law.
        return tuple(targets.toolchains.values())[:1]
    found = tuple(
        toolchain
        for toolchain in targets.toolchains.values()
        if any(map(toolchain.data.audit.accepts_platform, platforms))
    )
    if found:
        return found
    raise UsageError(
        f"the name of {wheel.name} does not tell which board it is for",
        where=str(wheel),
        why="; ".join(
            ["its platform tag is " + " or ".join(platforms), *_words(platforms, targets)]
        ),
        fix="name the board that it is held to: --target "
        + "|".join(board for t in targets.toolchains.values() for board in t.data.boards),
    )


def _words(platforms: Iterable[str], targets: Targets) -> list[str]:
    """What `others.yaml` says of the systems that platform tags name."""
    said = [
        use
        for platform in platforms
        for name, use in targets.others.items()
        if f"_{name}_" in f"_{platform}_"
    ]
    return list(dict.fromkeys(said))


def law_of(wheel: Path, toolchain: Toolchain, targets: Targets) -> Law:
    """An architecture's law for a wheel: with the C library that its Pythons' systems have."""
    try:
        tags = _tags(wheel)
    except NotAWheelError:  # the audit says so
        return toolchain.data.audit
    return targets.law(toolchain, {tag.interpreter for tag in tags})


def promises_for(wheel: Path, dist: Path) -> Promises | None:
    """What the recipe of one of our own wheels promised; None for a wheel of somebody else.

    Only what lies in our own folder of results is ours: anybody can put a manifest beside a wheel.

    Raises:
        StoreError: the manifest is damaged.
    """
    if wheel.absolute().parent.resolve() != dist.resolve():
        return None
    manifest = published_manifest(wheel)
    return manifest.promises if manifest else None


def _tags(wheel: Path) -> frozenset[Tag]:
    try:
        return parse_wheel_filename(wheel.name)[3]
    except InvalidWheelFilename as error:
        raise NotAWheelError(
            f"{wheel.name} is not the name of a wheel",
            where=str(wheel),
            why=str(error),
            fix="a wheel's name is NAME-VERSION-PYTHON-ABI-PLATFORM.whl (PEP 427)",
        ) from error
