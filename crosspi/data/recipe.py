"""Recipes: what a package is and how it is built, as data (`recipes/NAME/recipe.yaml`).

A folder is a `Package`. What it says for one Python is a `Recipe`: where Pythons differ, a file has
`variants` (see `variants`), each with the `pythons` that it serves. A version that is built quite
otherwise has a file of its own, whole: `recipe-VERSION.yaml`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from crosspi.data.document import Document, Fault, Location
from crosspi.data.pins import Pins
from crosspi.data.products import compiled_once, product_faults, python_alone
from crosspi.data.recipe_data import (
    CMakeBuild,
    Pep517Build,
    Product,
    RecipeData,
    SetuptoolsBuild,
)
from crosspi.data.relations import check_relations
from crosspi.data.source import ALLOW_UNPINNED, Source
from crosspi.data.tool_sets import ToolSets
from crosspi.data.variants import FIELD, documents
from crosspi.errors import DataError, UsageError, did_you_mean

_PLACEHOLDER = re.compile(r"\{([a-z_]+)(?::([^{}]+))?\}")
#: Placeholders without an argument, and what those with one take it from.
PLAIN_PLACEHOLDERS = frozenset(
    {"recipe", "build", "version", "jobs", "tree", "zig", "cross_file", "prefix", "compiled"}
)
#: The folder of `recipes/` with the locks of build tools.
TOOL_SETS = "tools"
PYTHON_VALUES = frozenset({"include", "ext_suffix", "version", "tag"})


@dataclass(frozen=True)
class Recipe:
    """How a package is built for some Pythons, and the folder that says so."""

    folder: Path
    data: RecipeData

    @property
    def name(self) -> str:
        return self.data.name

    @property
    def label(self) -> str:
        """Name and version: what steps and results are called by."""
        return f"{self.data.name}-{self.data.version}"

    @property
    def smoke_script(self) -> Path:
        return self.folder / "smoke.py"

    @property
    def needs(self) -> list[str]:
        """The names of what its build sees as wheels and of what pip installs with it."""
        requires = self.data.requires
        run = [canonicalize_name(Requirement(text).name) for text in requires.run]
        return list(dict.fromkeys([*requires.build, *run]))

    @property
    def interpreter(self) -> str:
        """The part whose Python runs the build; empty where the build machine's does."""
        build = self.data.build
        return build.python if isinstance(build, SetuptoolsBuild) else ""

    @property
    def as_built(self) -> Recipe:
        """The recipe as its build sees it: without what is there for tests alone."""
        return self._without([*self.data.smoke.full_data, *self._programs_alone])

    @property
    def with_programs(self) -> Recipe:
        """The recipe as the build of the smoke test's programs sees it."""
        return self._without([*self.data.smoke.full_data, *python_alone(self.data)])

    @property
    def _programs_alone(self) -> tuple[str, ...]:
        programs = self.data.smoke.programs
        return programs.sources if programs else ()

    @property
    def compiled_once(self) -> Recipe:
        """The recipe as the compile step sees it: without what only the Python part may use."""
        return self.as_built._without(python_alone(self.data))

    def _without(self, names: Collection[str]) -> Recipe:
        kept = {n: s for n, s in self.data.sources.items() if n not in names}
        patches = {n: p for n, p in self.data.patches.items() if n in kept}
        return replace(
            self, data=self.data.model_copy(update={"sources": kept, "patches": patches})
        )

    def supports(self, python_version: str) -> bool:
        """Whether the recipe serves a Python, by its data."""
        return _contains(self.data.pythons, python_version)


@dataclass(frozen=True)
class Package:
    """A package: its recipes, of which that of the newest version for a Python builds for it."""

    folder: Path
    recipes: tuple[Recipe, ...]

    @property
    def data(self) -> RecipeData:
        """What all of its recipes share: name, what it makes, whether it is in the default set."""
        return self.recipes[0].data

    @property
    def name(self) -> str:
        return self.data.name

    @property
    def needs(self) -> list[str]:
        """The names of the packages whose wheels any of its recipes needs."""
        return list(dict.fromkeys(need for recipe in self.recipes for need in recipe.needs))

    @property
    def libraries(self) -> list[str]:
        """The names of the libraries that any of its recipes is linked with."""
        found = (name for r in self.recipes for name in r.data.requires.libraries)
        return list(dict.fromkeys(found))

    @property
    def makes(self) -> tuple[Product, ...]:
        """The kinds of its products."""
        return self.data.makes

    @property
    def general(self) -> Recipe:
        """The recipe of what has no Python: of the newest version, the file without a variant."""
        return self.of(self.versions[0]).recipes[-1]

    @property
    def versions(self) -> list[str]:
        """The versions that there are recipes for, the newest first."""
        found = dict.fromkeys(recipe.data.version for recipe in self.recipes)
        return sorted(found, key=Version, reverse=True)

    def of(self, version: str) -> Package:
        """The package as if it had this version alone."""
        same = (r for r in self.recipes if Version(r.data.version) == Version(version))
        return replace(self, recipes=tuple(same))

    def within(self, specifier: SpecifierSet) -> Package:
        """The package as if it had only the versions of a range."""
        allowed = (r for r in self.recipes if specifier.contains(r.data.version, prereleases=True))
        return replace(self, recipes=tuple(allowed))

    @property
    def sources(self) -> dict[str, Source]:
        """The sources of all its recipes; where a name means several, a number follows it."""
        sources: dict[str, Source] = {}
        for recipe in self.recipes:
            for name, source in recipe.data.sources.items():
                if source not in sources.values():
                    same = sum(known.split(" ")[0] == name for known in sources)
                    sources[f"{name} {same + 1}" if same else name] = source
        return sources

    def recipe(self, python_version: str) -> Recipe | None:
        """The recipe of the newest version that serves a Python; None where there is none."""
        serving = [r for r in self.recipes if r.supports(python_version)]
        if not serving or "wheel" not in self.makes:
            return None
        return max(serving, key=lambda recipe: Version(recipe.data.version))

    def refusal(self, python_version: str) -> str:
        """Why no recipe serves a Python."""
        if "wheel" not in self.makes:
            return f"it makes no wheel, only: {', '.join(self.makes)}"
        for recipe in self.recipes:
            for specifier, reason in recipe.data.unsupported.items():
                if _contains(specifier, python_version):
                    return reason
        return "it supports " + " and ".join(r.data.pythons for r in self.recipes)

    @classmethod
    def load(
        cls, folder: Path, *, unpinned: bool = False, tools: ToolSets | None = None
    ) -> Package:
        """Read `folder/recipe.yaml`, and the versions that have a file of their own.

        Args:
            folder: the package's folder.
            tools: the tool sets; those beside the folder, if none are given.
            unpinned: let sources pass that have no hash yet, to fetch them.

        Raises:
            DataError: with all of a file's faults.
        """
        tools = tools or ToolSets(folder.parent / TOOL_SETS)
        recipes: list[Recipe] = []
        places: dict[str, Path] = {}
        variants = [
            document
            for path in recipe_files(folder)
            for _, document in documents(Document.read(path), last="pythons")
        ]
        for document in Pins.read(folder).laid_under(variants):
            written = document.model(RecipeData, context=ALLOW_UNPINNED if unpinned else None)
            if not written.build.source:
                build = written.build.model_copy(update={"source": written.name})
                written = written.model_copy(update={"build": build})
            data = tools.applied(written)
            recipe = Recipe(folder=folder, data=data)
            faults = [Fault(*found) for found in tools.unknown(written)] + list(_faults(recipe))
            faults += _apart(data, document.path, recipes[0].data if recipes else data)
            if (place := places.setdefault(data.version, document.path)) != document.path:
                faults.append(Fault(("version",), f"{data.version} is in {place.name} too"))
            if faults:
                raise document.error(faults)
            recipes.append(recipe)
        return cls(folder=folder, recipes=tuple(recipes))


def recipe_files(folder: Path) -> list[Path]:
    """The files of a package: that of most versions first, then those of one version each."""
    return [folder / "recipe.yaml", *sorted(folder.glob("recipe-*.yaml"))]


def _apart(data: RecipeData, path: Path, first: RecipeData) -> Iterator[Fault]:
    """Where a recipe is not the package that the others are, or its file has another's name."""
    if data.makes != first.makes:
        yield Fault(("makes",), "all versions and variants of a package make the same")
    if data.default != first.default:
        yield Fault(("default",), f"say the same in {path.name} and in recipe.yaml")
    version = path.stem.removeprefix("recipe").removeprefix("-")
    if version and version != data.version:
        yield Fault(("version",), f"the file is of version {version}, by its name {path.name}")


def _contains(specifier: str, python_version: str) -> bool:
    # Of a minor version, its last patch release is meant.
    return SpecifierSet(specifier).contains(python_version + ".99")


@dataclass(frozen=True)
class Recipes:
    """All packages, by name."""

    by_name: Mapping[str, Package]

    @classmethod
    def load(cls, folder: Path, *, unpinned: bool = False) -> Recipes:
        """Read all of `recipes/`.

        Args:
            folder: where they are.
            unpinned: see `Package.load`.

        Raises:
            DataError: with the faults of every wrong file.
        """
        packages, errors = {}, []
        tools = ToolSets(folder / TOOL_SETS)
        for path in sorted(folder.glob("*/recipe.yaml")):
            try:
                package = Package.load(path.parent, unpinned=unpinned, tools=tools)
            except DataError as error:
                errors.append(error)
                continue
            packages[package.name] = package
        if len(errors) == 1:
            raise errors[0]
        if errors:
            raise DataError(
                f"{len(errors)} recipes are wrong",
                where="\n".join(error.where for error in errors),
                fix=errors[0].fix,
            )
        check_relations(packages)
        return cls(by_name=packages)

    def __iter__(self) -> Iterator[Package]:
        return iter(self.by_name.values())

    def select(self, words: list[str]) -> list[Package]:
        """The packages of these names (`NAME`, `NAME==VERSION`), or the default set if none.

        Raises:
            UsageError: a name or version is unknown; suggests near ones.
        """
        if not words:
            return [package for package in self if package.data.default]
        return [self._one(word) for word in words]

    def meant(self, requirement: Requirement) -> Package:
        """The package of a requirement, with the versions that it allows; it must have a recipe."""
        package = self.by_name[canonicalize_name(requirement.name)]
        return package.within(requirement.specifier)

    def seen_by(self, recipe: Recipe, name: str) -> Package:
        """A package whose wheel a recipe's build sees: of the versions that it may run with."""
        package = self.by_name[name]
        for requirement in map(Requirement, recipe.data.requires.run):
            if canonicalize_name(requirement.name) == name:
                package = package.within(requirement.specifier)
        return package

    def _one(self, word: str) -> Package:
        """The package of a word: `NAME`, or `NAME==VERSION` for one of its versions.

        Raises:
            UsageError: see `select`.
        """
        name, equals, version = word.partition("==")
        package = self.by_name.get(canonicalize_name(name.strip()))
        if package is None:
            raise UsageError(
                f"there is no recipe '{name.strip()}'",
                where="--recipe",
                fix=f"{did_you_mean(name, self.by_name)} (`invoke list` shows all)",
            )
        if not equals:
            return package
        try:
            chosen = package.of(version.strip())
        except InvalidVersion as error:
            raise UsageError(
                f"'{version.strip()}' is not a version (PEP 440)",
                where=f"--recipe {word}",
                fix=f"there are {', '.join(package.versions)}",
            ) from error
        if not chosen.recipes:
            raise UsageError(
                f"there is no recipe for {package.name} {version.strip()}",
                where=f"--recipe {word}",
                fix=f"there are {', '.join(package.versions)}; `invoke track --recipe "
                f"{package.name} --version {version.strip()}` pins another",
            )
        return chosen


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
    described = RecipeData.model_json_schema(by_alias=True)
    variant = {"type": "object", "properties": described["properties"]}
    described["properties"] = {
        **described["properties"],
        FIELD: {
            "type": "array",
            "items": variant,
            "description": "each laid over the rest of the file, for the Pythons that it names",
        },
    }
    # What is missing may stand in every variant.
    del described["required"]
    return json.dumps(described, indent=1) + "\n"


def _faults(recipe: Recipe) -> Iterator[Fault]:
    """What the fields' types cannot say: names that must exist, placeholders, files."""
    data = recipe.data
    if data.name != recipe.folder.name:
        yield Fault(("name",), f"the folder is called '{recipe.folder.name}': use one name")
    if "wheel" in data.makes and not recipe.smoke_script.is_file():
        yield Fault(("name",), "there is no smoke.py beside recipe.yaml: write one")
    named: list[tuple[Location, str]] = [(("build", "source"), data.build.source)]
    if isinstance(data.build, CMakeBuild):
        named += [(("build", "writable", i), n) for i, n in enumerate(data.build.writable)]
        alone = python_alone(data)
        named += [(("build", "python", "sources", i), n) for i, n in enumerate(alone)]
    if isinstance(data.build, Pep517Build | SetuptoolsBuild):
        tools = [(("build", "tools", i), n) for i, n in enumerate(data.build.tools)]
        named += [(place, n) for place, n in tools if n in data.sources]
    named += [(("patches", n), n) for n in data.patches]
    programs = data.smoke.programs
    if programs is not None:
        place = ("smoke", "programs")
        named += [((*place, "sources", i), n) for i, n in enumerate(programs.sources)]
        if not (recipe.folder / programs.folder / "CMakeLists.txt").is_file():
            yield Fault((*place, "folder"), f"there is no CMake project '{programs.folder}' here")
        if not programs.built("full"):
            yield Fault(place, "give the CMake targets to build: 'build', 'full_build' or both")
        if not programs.folder.startswith("smoke"):
            yield Fault(
                (*place, "folder"), "must begin with 'smoke': a wheel's build sees the rest"
            )
        if not (isinstance(data.build, CMakeBuild) and data.build.compile):
            yield Fault(place, "only a CMake build that compiles once (build.compile) has programs")
        for name in sorted(set(programs.sources) & set(data.patches)):
            yield Fault(("patches", name), "smoke.programs sees this source as it came")
    for_tests = [(("smoke", "data", n), n) for n in data.smoke.data]
    for_tests += [(("smoke", "full_data", n), n) for n in data.smoke.full_data]
    for location, name in [*named, *for_tests]:
        if name not in data.sources:
            yield Fault(location, f"no source '{name}'; {did_you_mean(name, data.sources)}")
    for location, name in named:
        if name in data.smoke.full_data:
            yield Fault(location, f"'{name}' is in smoke.full_data: no build sees it")
    for product, files in (("wheel", data.wheel.files), ("prefix", data.prefix.files)):
        for position, entry in enumerate(files):
            if (entry.source is None) == (entry.text is None):
                yield Fault((product, "files", position), "give exactly one of 'from' and 'text'")
    for source, patches in data.patches.items():
        for position, file in enumerate(patches):
            if not (recipe.folder / file).is_file():
                yield Fault(("patches", source, position), f"there is no file '{file}' here")
    yield from product_faults(data, recipe.folder)
    once = "wheel" not in data.makes or compiled_once(data)
    for location, text in _texts(data.model_dump(by_alias=True), ()):
        for match in _PLACEHOLDER.finditer(text):
            fault = _placeholder_fault(match, data)
            if fault:
                yield Fault(location, fault)
            elif location[:2] != ("smoke", "programs") and match[2] in recipe._programs_alone:
                yield Fault(location, f"{match[0]}: only smoke.programs sees it")
            elif _after_compiling(location, data) and match[0] == "{build}":
                yield Fault(location, "{build}: what was kept of it is at {compiled}")
            elif once and _sees_no_python(location) and _is_of_python(match, data):
                yield Fault(
                    location,
                    f"{match[0]}: what is compiled once for all Pythons sees none; "
                    "put it under build.python.options",
                )


def _sees_no_python(location: Location) -> bool:
    """Whether a value goes into what is made once for all Pythons, or without any."""
    if location[:2] == ("smoke", "programs") or location[0] == "prefix":
        return True
    return location[0] == "build" and location[1] in ("options", "flags", "targets", "prefix")


def _after_compiling(location: Location, data: RecipeData) -> bool:
    """Whether a value goes into a step that has no build folder of the compile step any more."""
    of_products = location[:2] == ("smoke", "programs") or location[0] == "prefix"
    return compiled_once(data) and of_products


def _is_of_python(match: re.Match[str], data: RecipeData) -> bool:
    """Whether a placeholder's value depends on Python."""
    if match[1] == "need":
        return match[2] in data.requires.build
    return match[1] == "python" or (match[1] == "source" and match[2] in python_alone(data))


def _placeholder_fault(match: re.Match[str], data: RecipeData) -> str:
    name, argument = match[1], match[2]
    if argument is None:
        known = PLAIN_PLACEHOLDERS
        if name == "compiled" and not compiled_once(data):
            return "{compiled}: nothing is compiled once (build.compile)"
        return "" if name in known else f"no placeholder {match[0]}; {did_you_mean(name, known)}"
    arguments: dict[str, frozenset[str]] = {
        "source": frozenset(data.sources),
        "need": frozenset((*data.requires.build, *data.requires.libraries)),
        "python": PYTHON_VALUES,
    }
    if name not in arguments:
        return f"no placeholder {match[0]}; {did_you_mean(name, arguments)}"
    if name == "source" and argument in data.smoke.full_data:
        return f"{match[0]}: it is in smoke.full_data: no build sees it"
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
