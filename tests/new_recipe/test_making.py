"""`new-recipe` from the words to a folder that loads; every refusal; nothing half-written."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from crosspi.data.recipe import TOOL_SETS, Recipes
from crosspi.data.tool_sets import SUFFIX
from crosspi.errors import SourceError, UsageError
from crosspi.new_recipe import making
from crosspi.new_recipe.making import new_recipe
from crosspi.sources.cache import SourceCache
from crosspi.sources.projects import Project, ProjectFile
from crosspi.sources.pypi import PipConfig

PKG_INFO = "Name: Fast.Thing\nVersion: 1.2\nSummary: Things\nLicense: MIT\n"
GOOD = {
    "PKG-INFO": PKG_INFO,
    "pyproject.toml": '[build-system]\nrequires = ["setuptools", "Cython"]\n'
    'build-backend = "setuptools.build_meta"\n',
    "fast_thing/__init__.py": "",
    "fast_thing/_speed.pyx": "",
}


def lock(*packages: str) -> str:
    text = 'lock-version = "1.0"\ncreated-by = "test"\n'
    for package in packages:
        wheel = f'path = "{package}-3.1-py3-none-any.whl", hashes = {{ sha256 = "{"1" * 64}" }}'
        text += f'[[packages]]\nname = "{package}"\nversion = "3.1"\nwheels = [{{ {wheel} }}]\n'
    return text


class Place:
    """A folder of recipes, and an index of one package."""

    def __init__(self, root: Path) -> None:
        self.recipes = root / "recipes"
        (self.recipes / TOOL_SETS).mkdir(parents=True)
        for name, packages in {
            "setuptools": ("setuptools", "build"),
            "cython": ("cython",),
        }.items():
            (self.recipes / TOOL_SETS / f"{name}{SUFFIX}").write_text(lock(*packages))
        self.files = root / "files"
        self.files.mkdir()
        config = PipConfig((), find_links=(str(self.files),))
        self.cache = SourceCache(root / "cache", pip=lambda: config)
        self.listed = ["fast_thing-1.2.tar.gz", "fast_thing-1.2-cp311-cp311-linux_armv7l.whl"]
        self.sdist(GOOD)

    def sdist(self, files: dict[str, str]) -> None:
        with tarfile.open(self.files / "fast_thing-1.2.tar.gz", "w:gz") as archive:
            for name, text in files.items():
                info = tarfile.TarInfo(f"fast_thing-1.2/{name}")
                info.size = len(text)
                archive.addfile(info, io.BytesIO(text.encode()))

    def make(self, monkeypatch: pytest.MonkeyPatch, version: str = "") -> Recipes:
        found = [ProjectFile.parse(name, ">=3.9", yanked=False) for name in self.listed]
        project = Project("fast-thing", [file for file in found if file])
        monkeypatch.setattr(self.cache, "project", lambda _name: project)
        new_recipe(self.recipes, "Fast_Thing", version, cache=self.cache, known=())
        return Recipes.load(self.recipes)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_a_recipe_is_written_that_loads(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = place.make(monkeypatch).by_name["fast-thing"].recipes[0]
    assert (recipe.label, recipe.data.pythons) == ("fast-thing-1.2", ">=3.9")
    assert recipe.data.build.tools == ("setuptools", "build", "cython")  # type: ignore[union-attr]
    written = (recipe.folder / "recipe.yaml").read_text()
    assert len(written.splitlines()) <= 15
    assert "sha256" not in written
    smoke = (recipe.folder / "smoke.py").read_text()
    assert "'fast_thing._speed'" in smoke
    compile(smoke, "smoke.py", "exec")


def test_the_smoke_test_says_what_does_not_load(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Run here: the extension is not there."""
    place.make(monkeypatch)
    monkeypatch.syspath_prepend(place.files)
    (place.files / "fast_thing").mkdir()
    (place.files / "fast_thing" / "__init__.py").write_text("")
    names: dict[str, object] = {}
    exec((place.recipes / "fast-thing" / "smoke.py").read_text(), names)

    class Case:
        def step(self, what: str) -> None: ...
        def note(self, key: str, value: object) -> None: ...
        def check(self, good: bool, text: str) -> None:
            assert good, text

    with pytest.raises(AssertionError, match=r"fast_thing\._speed: No module named"):
        names["test_everything_loads"](Case())  # type: ignore[operator]
    with pytest.raises(AssertionError, match="no extension among"):
        names["test_it_is_machine_code"](Case())  # type: ignore[operator]


PYPROJECT = GOOD["pyproject.toml"]


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"PKG-INFO": PKG_INFO.replace("License: MIT\n", "")}, "its metadata name no licence"),
        ({"fast_thing/_speed.pyx": None, "src/lib.rs": ""}, "it needs Rust"),
        ({"pyproject.toml": PYPROJECT.replace("Cython", "setuptools-rust")}, "it needs Rust"),
        (
            {"src/a.f90": "", "meson.build": "project('x', 'c', 'fortran')"},
            "it needs Fortran",
        ),
        ({"src/a.f90": "", "setup.py": "Extension('x', ['src/a.f90'])"}, "it needs Fortran"),
        ({"fast_thing/_speed.pyx": None}, "no sources in C, C++ or Cython"),
        ({"PKG-INFO": PKG_INFO + "Requires-Dist: other>2\n"}, "on the board it needs other>2"),
        (
            {"pyproject.toml": PYPROJECT.replace("setuptools.build_meta", "flit_core.buildapi")},
            "no builder for its build backend flit_core.buildapi",
        ),
        (
            {"pyproject.toml": PYPROJECT.replace("Cython", "cppy>=1")},
            "its build asks for cppy>=1, which no tool set has: add one",
        ),
    ],
)
def test_what_cannot_be_built_is_refused(
    place: Place, monkeypatch: pytest.MonkeyPatch, files: dict[str, str | None], said: str
) -> None:
    place.sdist({n: t for n, t in {**GOOD, **files}.items() if t is not None})
    with pytest.raises(UsageError) as caught:
        place.make(monkeypatch)
    assert said in caught.value.why
    assert [p.name for p in place.recipes.iterdir()] == [TOOL_SETS]


FORTRAN = {"src/a.f": "", "CMakeLists.txt": "project(x LANGUAGES C Fortran)"}


def test_fortran_that_nobody_compiles_is_not_asked_for(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Eigen's, which many bring along whole."""
    place.sdist(
        {
            **GOOD,
            "third/eigen/lapack/dlarf.f": "",
            "third/eigen/CMakeLists.txt": FORTRAN["CMakeLists.txt"],
        }
    )
    place.make(monkeypatch)
    assert (place.recipes / "fast-thing" / "recipe.yaml").is_file()


def test_all_reasons_come_at_once(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.sdist({**GOOD, "PKG-INFO": PKG_INFO + "Requires-Dist: a\n", **FORTRAN})
    with pytest.raises(UsageError) as caught:
        place.make(monkeypatch)
    assert len(caught.value.why.splitlines()) == 2


def test_another_version_of_a_tool_is_noted(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.sdist({**GOOD, "pyproject.toml": PYPROJECT.replace("Cython", "Cython<3")})
    place.make(monkeypatch)
    text = (place.recipes / "fast-thing" / "recipe.yaml").read_text()
    assert "# its build asks for Cython<3; the tool set cython has 3.1" in text


@pytest.mark.parametrize(
    ("listed", "error", "said"),
    [
        (
            ["fast_thing-1.2.tar.gz", "fast_thing-1.2-py3-none-any.whl"],
            UsageError,
            "is pure Python",
        ),
        (["fast_thing-1.2-cp311-cp311-linux_armv7l.whl"], SourceError, "no source distribution"),
        (["fast_thing-2.0.tar.gz"], SourceError, "the index has no fast-thing 1.2"),
    ],
)
def test_what_the_index_has_not(
    place: Place,
    monkeypatch: pytest.MonkeyPatch,
    listed: list[str],
    error: type[Exception],
    said: str,
) -> None:
    place.listed = listed
    with pytest.raises(error, match=said):
        place.make(monkeypatch, "1.2")


def test_a_pure_wheel_beside_others_is_no_reason(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """simplejson has both: slow everywhere, and fast where somebody compiled it."""
    place.listed.append("fast_thing-1.2-py3-none-any.whl")
    assert "fast-thing" in place.make(monkeypatch).by_name


def test_a_recipe_that_is_there_stays(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.make(monkeypatch)
    with pytest.raises(UsageError, match="there is a recipe fast-thing already"):
        place.make(monkeypatch)


def test_a_failure_leaves_nothing(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise SourceError("the network went away")

    monkeypatch.setattr(making, "track", fail)
    with pytest.raises(SourceError):
        place.make(monkeypatch)
    assert [p.name for p in place.recipes.iterdir()] == [TOOL_SETS]
