"""What recipes are to each other: what they need is there and of the right kind, and no circle."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from packaging.utils import canonicalize_name

from crosspi.errors import DataError, did_you_mean


class Related(Protocol):
    """What of a package its relations are about."""

    @property
    def name(self) -> str: ...
    @property
    def folder(self) -> Path: ...
    @property
    def makes(self) -> Sequence[str]: ...
    @property
    def needs(self) -> Sequence[str]: ...
    @property
    def libraries(self) -> Sequence[str]: ...


def check_relations(packages: Mapping[str, Related]) -> None:
    """That each package has a name of its own, and what it needs is there and needs it not.

    Raises:
        DataError: with all faults of the first kind that there is.
    """
    _check_names(packages)
    _check_needs(packages)
    _check_cycles(packages)


def _check_names(packages: Mapping[str, Related]) -> None:
    """pip, and the files' names, know no difference between `a-b` and `a--b`."""
    owners: dict[str, Related] = {}
    for package in packages.values():
        other = owners.setdefault(canonicalize_name(package.name), package)
        if other is not package:
            raise DataError(
                f"two recipes make the same name: {other.name} and {package.name}",
                where=f"{_file(other)}\n{_file(package)}",
                why=f"for pip both are '{canonicalize_name(package.name)}'",
                fix="call one of them otherwise, and its folder with it",
            )


def _check_needs(packages: Mapping[str, Related]) -> None:
    """What a recipe needs has a recipe: for building, and on the board, where pip has no other."""
    faults = [fault for package in packages.values() for fault in _need_faults(package, packages)]
    if faults:
        wheels = any("library" not in what for _, what, _ in faults)
        raise DataError(
            "; ".join(what for _, what, _ in faults),
            where="\n".join(sorted({_file(package) for package, _, _ in faults})),
            why="builds, and pip on the emulated board, have the wheels of recipes and no others"
            if wheels
            else "",
            fix="; ".join(fix for _, _, fix in faults),
        )


def _need_faults(
    package: Related, packages: Mapping[str, Related]
) -> Iterator[tuple[Related, str, str]]:
    """Each as the package, what is wrong, and the way out."""
    me = f"the recipe {package.name} needs"
    for name in package.needs:
        if name not in packages:
            fix = f"{name}: {did_you_mean(name, packages)}"
            yield package, f"{me} '{name}', which has no recipe", fix
        elif "wheel" not in packages[name].makes:
            kinds = " and ".join(packages[name].makes)
            fix = f"{name}: name it under requires.libraries"
            yield package, f"{me} the wheel of '{name}', which makes only {kinds}", fix
    libraries = [name for name, other in packages.items() if "library" in other.makes]
    for name in package.libraries:
        if name not in libraries:
            known = did_you_mean(name, libraries) if libraries else "no recipe makes one"
            missing = "which is no library" if name in packages else "which has no recipe"
            yield package, f"{me} the library '{name}', {missing}", f"{name}: {known}"


def _check_cycles(packages: Mapping[str, Related]) -> None:
    """No recipe may need itself: for building, linking or running, however far around."""
    checked: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        if name in path:
            raise DataError(
                "recipes need each other in a circle: " + " → ".join((*path, name)),
                where=_file(packages[name]),
                fix="take one of them out of `requires`",
            )
        if name in checked:
            return
        for need in (*packages[name].needs, *packages[name].libraries):
            visit(need, (*path, name))
        checked.add(name)

    for name in packages:
        visit(name, ())


def _file(package: Related) -> str:
    return str(package.folder / "recipe.yaml")
