"""What a source distribution says of itself, read from small made-up ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from crosspi.errors import SourceError
from crosspi.new_recipe.sdist import Sdist

PKG_INFO = """\
Metadata-Version: 2.1
Name: fast-thing
Version: 1.2
Summary: Things, fast.
Project-URL: Changelog, https://example.org/changes
Project-URL: Homepage, https://example.org/
License: MIT
Classifier: License :: OSI Approved :: BSD License
Requires-Dist: other>=1
Requires-Dist: typing-extensions; python_version < "3.8"
Requires-Dist: pytest; extra == "test"
"""
SETUP = """\
from setuptools import Extension, setup
setup(ext_modules=[Extension("fast_thing._speed", ["src/speed.c"]),
                   Extension(name='fast_thing._more', sources=[])])
"""


def make(root: Path, files: dict[str, str] | None = None) -> Sdist:
    for name, text in {"PKG-INFO": PKG_INFO, **(files or {})}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return Sdist(root)


def test_its_metadata(tmp_path: Path) -> None:
    sdist = make(tmp_path)
    assert (sdist.summary, sdist.homepage, sdist.licence) == (
        "Things, fast",
        "https://example.org/",
        "MIT",
    )
    assert [str(r) for r in sdist.run_requires] == ["other>=1"]


@pytest.mark.parametrize(
    ("line", "licence"),
    [
        ("License-Expression: BSD-3-Clause", "BSD-3-Clause"),
        ("License: " + "word " * 30, "BSD License"),
        ("", "BSD License"),
    ],
)
def test_its_licence(tmp_path: Path, line: str, licence: str) -> None:
    text = PKG_INFO.replace("License: MIT\n", f"{line}\n" if line else "")
    assert make(tmp_path, {"PKG-INFO": text}).licence == licence


def test_without_metadata_it_is_none(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="has no PKG-INFO"):
        assert Sdist(tmp_path).summary


def test_a_broken_pyproject(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"pyproject\.toml is broken"):
        assert make(tmp_path, {"pyproject.toml": "["}).backend


def test_its_build_system(tmp_path: Path) -> None:
    text = (
        '[build-system]\nrequires = ["meson-python", "x; python_version < \'3\'"]\n'
        'build-backend = "mesonpy"\nbackend-path = ["."]\n'
    )
    sdist = make(tmp_path, {"pyproject.toml": text})
    assert sdist.backend == "mesonpy"
    assert sdist.own_backend
    assert [r.name for r in sdist.build_requires] == ["meson-python"]


def test_where_nothing_is_said_it_is_setuptools(tmp_path: Path) -> None:
    sdist = make(tmp_path)
    assert sdist.backend == "setuptools.build_meta:__legacy__"
    assert [r.name for r in sdist.build_requires] == ["setuptools"]
    assert not sdist.own_backend


def test_its_languages_tests_apart(tmp_path: Path) -> None:
    files = {"src/a.c": "", "src/b.pyx": "", "tests/c.f90": "", "docs/d.rs": ""}
    assert make(tmp_path, files).languages == {"c", "cython"}


def test_its_modules(tmp_path: Path) -> None:
    files = {
        "setup.py": SETUP,
        "src/fast_thing/__init__.py": "",
        "src/fast_thing/plain.py": "",
        "src/fast_thing/_cy.pyx": 'include "_part.pyx"\n',
        "src/fast_thing/_part.pyx": "",
        "src/fast_thing/tests/test_it.py": "",
        "src/fast_thing/test_more.py": "",
        "src/fast_thing.egg-info/top_level.txt": "fast_thing\n",
        "benchmarks/__init__.py": "",
    }
    assert make(tmp_path, files).modules == [
        "fast_thing",
        "fast_thing._cy",
        "fast_thing._more",
        "fast_thing._speed",
        "fast_thing.plain",
    ]


def test_a_package_that_nobody_lists_is_found(tmp_path: Path) -> None:
    assert make(tmp_path, {"thing/__init__.py": "", "tests/__init__.py": ""}).modules == ["thing"]


def test_a_module_of_one_file(tmp_path: Path) -> None:
    files = {"one.py": "", "one.egg-info/top_level.txt": "one\n"}
    assert make(tmp_path, files).modules == ["one"]


def test_its_licence_files(tmp_path: Path) -> None:
    assert make(tmp_path, {"LICENSE.txt": "", "COPYING": "", "a": ""}).licence_files == [
        "COPYING",
        "LICENSE.txt",
    ]
