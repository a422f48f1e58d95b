"""What a `recipe.yaml` may say: its fields and their types. What is more than types: `recipe`."""

from __future__ import annotations

from typing import Annotated, Literal

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version
from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from crosspi.audit.law import Promises
from crosspi.data.document import Model
from crosspi.data.source import Glob, InsidePath, PlainName, Source


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


VersionText = Annotated[str, AfterValidator(_version)]
Specifier = Annotated[str, AfterValidator(_specifier)]
RequirementText = Annotated[str, AfterValidator(_requirement)]
Scalar = str | bool | int


def _one_or_more(value: object) -> object:
    return (value,) if isinstance(value, str) else value


#: Names, of which one may stand alone.
Names = Annotated[
    tuple[str, ...],
    BeforeValidator(_one_or_more),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]


class CMakeOptions(Model):
    """What a CMake build is told; those of a target are added to the general ones."""

    options: dict[str, Scalar] = {}
    flags: tuple[str, ...] = ()


class CMakePython(Model):
    """The part of a CMake build that sees Python.

    `project` is the folder of a CMake project of its own, which links what was compiled once, or
    stands in for the source's where that cannot be cross-compiled; without it, it is the source's.
    `sources` names those that it alone sees: another
    Python may have another version of them, and what is compiled once does not depend on them.
    """

    project: str = ""
    sources: tuple[str, ...] = ()
    options: dict[str, Scalar] = {}
    build: tuple[str, ...] = Field(min_length=1)


class CMakePrefix(Model):
    """The part of a CMake build that makes a library or archive of what was compiled once.

    `project` is the folder of a CMake project of its own, which links what was kept; what its
    `cmake --install` leaves is the product.
    """

    project: str = Field(min_length=1)
    options: dict[str, Scalar] = {}


class CMakeBuild(Model):
    """CMake with Ninja. `compile` names CMake targets that are built once for all Pythons.

    Of these builds `keep` says what later steps need, in globs below the build folder: archives,
    headers, generated files. They lie at `{compiled}` then, and all else is gone.
    A library or archive is what `cmake --install` leaves: of the project under `prefix`, where
    something is compiled once, else of the source's.
    """

    system: Literal["cmake"]
    source: str = Field(default="", description="the recipe's own name where it is left out")
    folder: InsidePath = "."
    writable: tuple[str, ...] = ()
    options: dict[str, Scalar] = {}
    flags: tuple[str, ...] = ()
    compile: tuple[str, ...] = ()
    keep: tuple[Glob, ...] = ()
    python: CMakePython | None = None
    prefix: CMakePrefix | None = None
    targets: dict[str, CMakeOptions] = {}


class SharedLibrary(Model):
    """A library that all modules of a wheel share, made of its static archives: it is in C.

    `archives` are its names, as `-l` has them. `to` is the folder of the wheel where the modules
    that use it lie: they look for it beside themselves.
    """

    archives: Names
    to: InsidePath


class Pep517Options(Model):
    """What a PEP 517 build is told; those of a target are added to the general ones."""

    settings: dict[str, tuple[Scalar, ...]] = {}
    environment: dict[str, str] = {}


class Pep517Build(Model):
    """A build backend of PEP 517: meson-python or setuptools.

    `tools` names tool sets (`recipes/tools/`), or sources that are wheels: they are installed for
    the build. `meson` is written into the
    cross file's sections. `pythonpath` are folders that the Python of the build finds modules in
    before the tools': what stands in for a package that is there for the board alone.
    `shared` are libraries (`requires.libraries`) of which the wheel has one copy for all modules.
    """

    system: Literal["pep517"]
    source: str = Field(default="", description="the recipe's own name where it is left out")
    tools: Names = ()
    settings: dict[str, tuple[Scalar, ...]] = {}
    environment: dict[str, str] = {}
    meson: dict[str, dict[str, Scalar | tuple[str, ...]]] = {}
    pythonpath: Names = ()
    shared: dict[str, SharedLibrary] = {}
    targets: dict[str, Pep517Options] = {}


class SetuptoolsOptions(Model):
    """What `setup.py` is told; those of a target are added to the general ones."""

    flags: tuple[str, ...] = ()
    environment: dict[str, str] = {}


class SetuptoolsBuild(Model):
    """`setup.py` of setuptools or distutils, from the time before PEP 517.

    `python` names the part with the Python that runs it, on the build machine; without it, the
    machine's own does. `tools` names tool sets, or sources that are wheels: they are put on its
    path. `arguments` are
    those of the command `build`.
    """

    system: Literal["setuptools"]
    source: str = Field(default="", description="the recipe's own name where it is left out")
    python: str = ""
    tools: Names = ()
    arguments: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    environment: dict[str, str] = {}
    targets: dict[str, SetuptoolsOptions] = {}


def _for_make(value: Scalar) -> Scalar:
    if isinstance(value, str) and set(value) & set("$\n"):
        raise ValueError("make reads $ as its own, and a line ends a value: give plain text")
    return value


VariableName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
MakeValue = Annotated[Scalar, AfterValidator(_for_make)]
MakeTarget = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.][A-Za-z0-9_./-]*$")]
ConfigureArgument = Annotated[str, Field(pattern=r"^--[a-z]")]


class MakeOptions(Model):
    """What make is told; those of a target are added to the general ones."""

    variables: dict[VariableName, MakeValue] = {}


class MakeBuild(Model):
    """Plain make, for libraries and archives.

    `variables` stand on its command line, where they win over the makefile's own. `build` and
    `install` name make's targets; without `build` the makefile's first one is made.
    """

    system: Literal["make"]
    source: str = Field(default="", description="the recipe's own name where it is left out")
    folder: InsidePath = "."
    variables: dict[VariableName, MakeValue] = {}
    build: tuple[MakeTarget, ...] = ()
    install: tuple[MakeTarget, ...] = Field(default=("install",), min_length=1)
    targets: dict[str, MakeOptions] = {}


class AutotoolsOptions(Model):
    """What configure is told; those of a target are added to the general ones."""

    arguments: tuple[ConfigureArgument, ...] = ()
    variables: dict[VariableName, str] = {}


class AutotoolsBuild(Model):
    """configure, make and make install, for libraries and archives.

    `variables` are configure's, like `ac_cv_func_malloc_0_nonnull: "yes"`.
    """

    system: Literal["autotools"]
    source: str = Field(default="", description="the recipe's own name where it is left out")
    arguments: tuple[ConfigureArgument, ...] = ()
    variables: dict[VariableName, str] = {}
    targets: dict[str, AutotoolsOptions] = {}


Build = Annotated[
    CMakeBuild | Pep517Build | SetuptoolsBuild | MakeBuild | AutotoolsBuild,
    Field(discriminator="system"),
]
#: What a recipe can make.
Product = Literal["wheel", "library", "archive"]


def _some(value: tuple[Product, ...]) -> tuple[Product, ...]:
    if not value:
        raise ValueError("name at least one: wheel, library, archive")
    return value


Products = Annotated[tuple[Product, ...], AfterValidator(_some)]


class AddedFile(Model):
    """A file or folder that goes into a product: a copy, or a short text."""

    to: InsidePath
    source: str | None = Field(default=None, alias="from")
    text: str | None = None


class Licence(Model):
    """The licence of something that ends up in a product."""

    of: PlainName
    source: str = Field(alias="from")


class Wheel(Model):
    """What the wheel holds. With PEP 517 the backend says; here stands only what is added.

    Where a recipe makes a library or archive too, its licences are the wheel's as well: the same
    things are linked into both.
    """

    files: tuple[AddedFile, ...] = ()
    licences: tuple[Licence, ...] = ()
    classifiers: tuple[str, ...] = ()
    exclude: tuple[Glob, ...] = ()


class Prefix(Model):
    """What a library or archive holds, beside what the build installs, and what of that is left."""

    files: tuple[AddedFile, ...] = ()
    licences: tuple[Licence, ...] = ()
    exclude: tuple[Glob, ...] = ()


class Requires(Model):
    """What it needs: recipes whose wheels the build sees, and what pip installs along.

    The libraries that it is linked with lie in the build's container at `/need/NAME`.
    """

    build: tuple[str, ...] = ()
    libraries: tuple[str, ...] = ()
    run: tuple[RequirementText, ...] = ()


class SmokePrograms(Model):
    """Programs that test what was compiled once, on every board: a CMake project.

    It lies in `folder` of the recipe. Of its targets, `build` is what is built and run at every
    level, `full_build` what the level full adds. `sources` names those that no other build sees.
    Each program is a test, unless the folder has a smoke.py, which finds them in the data folder
    `programs`.
    """

    folder: InsidePath
    sources: tuple[str, ...] = ()
    options: dict[str, Scalar] = {}
    build: Names = ()
    full_build: Names = ()

    def built(self, level: str) -> tuple[str, ...]:
        """The targets of a level."""
        return (*self.build, *self.full_build) if level == "full" else self.build


class Smoke(Model):
    """How the smoke test runs: the sources that it sees (name → folder inside), its limits.

    What is `full_` is for the level full alone, and no build sees it. The unpacked wheels of the
    tool sets of `full_tools` are found by `case.tools()`.
    """

    data: dict[str, InsidePath] = {}
    full_data: dict[str, InsidePath] = {}
    full_tools: Names = ()
    programs: SmokePrograms | None = None
    timeout_minutes: int = Field(default=15, ge=1, le=240)
    full_timeout_minutes: int = Field(default=120, ge=1, le=1440)

    def seen(self, level: str) -> dict[str, str]:
        """The sources that the test sees at a level."""
        return {**self.data, **self.full_data} if level == "full" else self.data

    def minutes(self, level: str) -> int:
        """The limit of a level."""
        return self.full_timeout_minutes if level == "full" else self.timeout_minutes


class RecipeData(Model):
    """A recipe.yaml."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$")]
    version: VersionText
    summary: str
    licence: str
    homepage: str
    default: bool = False
    makes: Products = ("wheel",)
    pythons: Specifier = Field(default="", description="required where a wheel is made")
    unsupported: dict[Specifier, str] = {}
    sources: dict[PlainName, Source] = Field(
        min_length=1, description="laid over what pins.yaml has for the version"
    )
    patches: dict[str, tuple[InsidePath, ...]] = {}
    build: Build
    wheel: Wheel = Wheel()
    prefix: Prefix = Prefix()
    requires: Requires = Requires()
    promises: dict[str, Promises] = {}
    smoke: Smoke = Smoke()
