"""Recipes: what a package is, as data (`recipes/NAME/recipe.yaml`)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version
from pydantic import AfterValidator, Field

from crosspi.audit.law import Promises
from crosspi.document import Document, Fault, Location, Model
from crosspi.errors import DataError, UsageError, did_you_mean
from crosspi.sources.spec import ALLOW_UNPINNED, Source

_PLACEHOLDER = re.compile(r"\{([a-z_]+)(?::([^{}]+))?\}")
#: Placeholders without an argument, and what those with one take it from.
PLAIN_PLACEHOLDERS = frozenset({"recipe", "build", "version", "jobs", "tree", "zig", "cross_file"})
PYTHON_VALUES = frozenset({"include", "ext_suffix", "version", "tag"})


def _version(value: str) -> str:
    try:
        Version(value)
    except InvalidVersion as error:
        raise ValueError(f"'{value}' is not a version (PEP 440)") from error
    return value


def _specifier(value: str) -> str:
    try:
        SpecifierSet(value)
    except InvalidSpecifier as error:
        raise ValueError(f"'{value}' is not a version range like '>=3.9,<3.12'") from error
    return value


def _requirement(value: str) -> str:
    try:
        Requirement(value)
    except InvalidRequirement as error:
        raise ValueError(f"'{value}' is not a requirement like 'numpy>=1.23'") from error
    return value


def _relative(value: str) -> str:
    if value.startswith("/") or ".." in value.split("/"):
        raise ValueError(f"'{value}' must stay inside the wheel: no leading '/', no '..'")
    return value


VersionText = Annotated[str, AfterValidator(_version)]
Specifier = Annotated[str, AfterValidator(_specifier)]
RequirementText = Annotated[str, AfterValidator(_requirement)]
RelativePath = Annotated[str, AfterValidator(_relative)]
Scalar = str | bool | int


class CMakeOptions(Model):
    """What a CMake build is told; those of a target are added to the general ones."""

    options: dict[str, Scalar] = {}
    flags: tuple[str, ...] = ()


class CMakePython(Model):
    """The part of a CMake build that sees Python: run per Python on the compiled tree."""

    options: dict[str, Scalar] = {}
    build: tuple[str, ...] = Field(min_length=1)


class CMakeBuild(Model):
    """CMake with Ninja. `compile` names CMake targets that are built once for all Pythons."""

    system: Literal["cmake"]
    source: str
    folder: RelativePath = "."
    writable: tuple[str, ...] = ()
    options: dict[str, Scalar] = {}
    flags: tuple[str, ...] = ()
    compile: tuple[str, ...] = ()
    python: CMakePython
    targets: dict[str, CMakeOptions] = {}


class Pep517Options(Model):
    """What a PEP 517 build is told; those of a target are added to the general ones."""

    settings: dict[str, tuple[Scalar, ...]] = {}
    environment: dict[str, str] = {}


class Pep517Build(Model):
    """A build backend of PEP 517: meson-python or setuptools.

    `tools` names sources that are wheels, installed for the build. `meson` is written into the
    cross file's sections.
    """

    system: Literal["pep517"]
    source: str
    tools: tuple[str, ...] = ()
    settings: dict[str, tuple[Scalar, ...]] = {}
    environment: dict[str, str] = {}
    meson: dict[str, dict[str, Scalar | tuple[str, ...]]] = {}
    targets: dict[str, Pep517Options] = {}


Build = Annotated[CMakeBuild | Pep517Build, Field(discriminator="system")]


class WheelFile(Model):
    """A file or folder that goes into the wheel: a copy, or a short text."""

    to: RelativePath
    source: str | None = Field(default=None, alias="from")
    text: str | None = None


class Licence(Model):
    """The licence of something that ends up in the wheel."""

    of: str
    source: str = Field(alias="from")


class Wheel(Model):
    """What the wheel holds. With PEP 517 the backend says; here stands only what is added."""

    files: tuple[WheelFile, ...] = ()
    licences: tuple[Licence, ...] = ()
    classifiers: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()


class Requires(Model):
    """What it needs: recipes whose wheels the build sees, and what pip installs along."""

    build: tuple[str, ...] = ()
    run: tuple[RequirementText, ...] = ()


class Smoke(Model):
    """How the smoke test runs: the sources that it sees (name → folder inside), its limit."""

    data: dict[str, str] = {}
    timeout_minutes: int = Field(default=15, ge=1, le=240)


class RecipeData(Model):
    """A recipe.yaml."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$")]
    version: VersionText
    summary: str
    licence: str
    homepage: str
    default: bool = False
    pythons: Specifier
    unsupported: str = ""
    sources: dict[str, Source] = Field(min_length=1)
    patches: dict[str, tuple[str, ...]] = {}
    build: Build
    wheel: Wheel = Wheel()
    requires: Requires = Requires()
    promises: dict[str, Promises] = {}
    smoke: Smoke = Smoke()


@dataclass(frozen=True)
class Recipe:
    """A recipe and the folder it was read from."""

    folder: Path
    data: RecipeData

    @property
    def name(self) -> str:
        return self.data.name

    @property
    def smoke_script(self) -> Path:
        return self.folder / "smoke.py"

    @property
    def needs(self) -> list[str]:
        """The names of what its build sees and of what pip installs with it."""
        requires = self.data.requires
        run = [canonicalize_name(Requirement(text).name) for text in requires.run]
        return list(dict.fromkeys([*requires.build, *run]))

    def supports(self, python_version: str) -> bool:
        """Whether the recipe serves a Python, by its data."""
        return SpecifierSet(self.data.pythons).contains(python_version + ".99")

    @classmethod
    def load(cls, folder: Path, *, unpinned: bool = False) -> Recipe:
        """Read `folder/recipe.yaml`.

        Args:
            folder: the recipe's folder.
            unpinned: let sources pass that have no hash yet, to fetch them.

        Raises:
            DataError: with all of the file's faults.
        """
        document = Document.read(folder / "recipe.yaml")
        data = document.model(RecipeData, context=ALLOW_UNPINNED if unpinned else None)
        recipe = cls(folder=folder, data=data)
        faults = list(_faults(recipe))
        if faults:
            raise document.error(faults)
        return recipe


@dataclass(frozen=True)
class Recipes:
    """All recipes, by name."""

    by_name: Mapping[str, Recipe]

    @classmethod
    def load(cls, folder: Path, *, unpinned: bool = False) -> Recipes:
        """Read all of `recipes/`.

        Args:
            folder: where they are.
            unpinned: see `Recipe.load`.

        Raises:
            DataError: with the faults of every wrong file.
        """
        recipes, errors = {}, []
        for path in sorted(folder.glob("*/recipe.yaml")):
            try:
                recipe = Recipe.load(path.parent, unpinned=unpinned)
            except DataError as error:
                errors.append(error)
                continue
            recipes[recipe.name] = recipe
        if len(errors) == 1:
            raise errors[0]
        if errors:
            raise DataError(
                f"{len(errors)} recipes are wrong",
                where="\n".join(error.where for error in errors),
                fix=errors[0].fix,
            )
        for recipe in recipes.values():
            for name in recipe.data.requires.build:
                if name not in recipes:
                    raise DataError(
                        f"the recipe {recipe.name} needs '{name}', which has no recipe",
                        where=str(recipe.folder / "recipe.yaml"),
                        fix=did_you_mean(name, recipes),
                    )
        _check_cycles(recipes)
        return cls(by_name=recipes)

    def __iter__(self) -> Iterator[Recipe]:
        return iter(self.by_name.values())

    def select(self, words: list[str]) -> list[Recipe]:
        """The recipes of these names, or the default set if there are none.

        Raises:
            UsageError: a name is unknown; suggests near ones.
        """
        if not words:
            return [recipe for recipe in self if recipe.data.default]
        for word in words:
            if canonicalize_name(word) not in self.by_name:
                raise UsageError(
                    f"there is no recipe '{word}'",
                    where="--recipe",
                    fix=f"{did_you_mean(word, self.by_name)} (`invoke list` shows all)",
                )
        return [self.by_name[canonicalize_name(word)] for word in words]


def _check_cycles(recipes: Mapping[str, Recipe]) -> None:
    """No recipe may need itself, for building or for running, however far around."""
    checked: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        if name in path:
            raise DataError(
                "recipes need each other in a circle: " + " → ".join((*path, name)),
                where=str(recipes[name].folder / "recipe.yaml"),
                fix="take one of them out of `requires`",
            )
        if name in checked:
            return
        for need in recipes[name].needs:
            if need in recipes:
                visit(need, (*path, name))
        checked.add(name)

    for name in recipes:
        visit(name, ())


def substitute(text: str, values: Mapping[str, str]) -> str:
    """Fill the `{name}` and `{name:argument}` of a recipe's text.

    Args:
        text: a value of a recipe.
        values: by whole placeholder, like `source:numpy`.
    """

    def fill(match: re.Match[str]) -> str:
        name = match[1] if match[2] is None else f"{match[1]}:{match[2]}"
        return values[name]

    return _PLACEHOLDER.sub(fill, text)


def schema() -> str:
    """The JSON Schema of a recipe, for editors (kept in `recipes/recipe.schema.json`)."""
    return json.dumps(RecipeData.model_json_schema(by_alias=True), indent=1) + "\n"


def _faults(recipe: Recipe) -> Iterator[Fault]:
    """What the fields' types cannot say: names that must exist, placeholders, files."""
    data = recipe.data
    if data.name != recipe.folder.name:
        yield Fault(("name",), f"the folder is called '{recipe.folder.name}': use one name")
    if not recipe.smoke_script.is_file():
        yield Fault(("name",), "there is no smoke.py beside recipe.yaml: write one")
    named: list[tuple[Location, str]] = [(("build", "source"), data.build.source)]
    if isinstance(data.build, CMakeBuild):
        named += [(("build", "writable", i), n) for i, n in enumerate(data.build.writable)]
    else:
        named += [(("build", "tools", i), n) for i, n in enumerate(data.build.tools)]
    named += [(("patches", n), n) for n in data.patches]
    named += [(("smoke", "data", n), n) for n in data.smoke.data]
    for location, name in named:
        if name not in data.sources:
            yield Fault(location, f"no source '{name}'; {did_you_mean(name, data.sources)}")
    for position, entry in enumerate(data.wheel.files):
        if (entry.source is None) == (entry.text is None):
            yield Fault(("wheel", "files", position), "give exactly one of 'from' and 'text'")
    for source, files in data.patches.items():
        for position, file in enumerate(files):
            if not (recipe.folder / file).is_file():
                yield Fault(("patches", source, position), f"there is no file '{file}' here")
    compiled_once = isinstance(data.build, CMakeBuild) and bool(data.build.compile)
    for location, text in _texts(data.model_dump(by_alias=True), ()):
        for match in _PLACEHOLDER.finditer(text):
            fault = _placeholder_fault(match, data)
            if fault:
                yield Fault(location, fault)
            elif match[1] in ("python", "need") and compiled_once and _sees_no_python(location):
                yield Fault(
                    location,
                    f"{match[0]}: what is compiled once for all Pythons sees none; "
                    "put it under build.python.options",
                )


def _sees_no_python(location: Location) -> bool:
    """Whether a value of a CMake recipe goes into its compile step."""
    return location[0] == "build" and location[1] in ("options", "flags", "targets")


def _placeholder_fault(match: re.Match[str], data: RecipeData) -> str:
    name, argument = match[1], match[2]
    if argument is None:
        known = PLAIN_PLACEHOLDERS
        return "" if name in known else f"no placeholder {match[0]}; {did_you_mean(name, known)}"
    arguments: dict[str, frozenset[str]] = {
        "source": frozenset(data.sources),
        "need": frozenset(data.requires.build),
        "python": PYTHON_VALUES,
    }
    if name not in arguments:
        return f"no placeholder {match[0]}; {did_you_mean(name, arguments)}"
    if argument not in arguments[name]:
        return f"{match[0]}: no {name} '{argument}'; {did_you_mean(argument, arguments[name])}"
    return ""


def _texts(value: object, location: Location) -> Iterator[tuple[Location, str]]:
    if isinstance(value, str):
        yield location, value
    elif isinstance(value, dict):
        for key, inner in value.items():
            if (*location, key) != ("sources",):
                yield from _texts(inner, (*location, key))
    elif isinstance(value, (list, tuple)):
        for position, inner in enumerate(value):
            yield from _texts(inner, (*location, position))
