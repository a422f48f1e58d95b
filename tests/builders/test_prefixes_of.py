"""What builders do for libraries and archives: cmake, make, autotools."""

from __future__ import annotations

from pathlib import Path

import pytest
from making import ARCHIVE, CMAKE, LIBRARY, context, load_recipe

from crosspi.builders import autotools, cmake, make, pep517
from crosspi.builders.libraries import library_environment
from crosspi.containers.job import Command
from crosspi.data.recipe_data import AutotoolsBuild, CMakeBuild, MakeBuild, Pep517Build
from crosspi.data.targets import Cell
from crosspi.errors import DataError

VALUES = {"include": "/python/include", "ext_suffix": ".so"}
CONFIGURED = ARCHIVE.replace("system: make", "system: autotools").replace(
    'variables: {LIB: "{need:lib}/lib", CC: cross-cc, FAST: true}',
    'arguments: [--disable-shared, "--with-lib={need:lib}"]\n  variables: {ac_cv_x: "yes; rm"}',
)


def argvs(commands: list[Command]) -> list[list[str]]:
    return [command["argv"] for command in commands if "argv" in command]


def test_a_cmake_library_is_built_whole_and_installed(tmp_path: Path, cell: Cell) -> None:
    recipe = load_recipe(tmp_path, LIBRARY)
    build = recipe.data.build
    assert isinstance(build, CMakeBuild)
    commands = cmake.prefix_commands(build, context(recipe, cell))
    configure, ninja, install = argvs(commands)
    assert "-DCMAKE_INSTALL_PREFIX=/need/lib" in configure
    assert "-DCMAKE_POSITION_INDEPENDENT_CODE=ON" in configure
    assert "-DSHARED=OFF" in configure
    assert ninja == ["ninja", "-C", "/work/build", "-j4"]
    assert install == ["cmake", "--install", "/work/build"]
    assert {"copy": "/work/installed/need/lib", "to": "/out/tree"} in commands
    assert {"copy": "/src/lib/LICENSE", "to": "/out/licenses/lib/"} in commands
    assert commands[-1] == {"strip": "/out/tree"}


def test_of_what_pythons_share_only_files_are_taken(tmp_path: Path, cell: Cell) -> None:
    text = LIBRARY.replace("{SHARED: false}", "{SHARED: false}, compile: [x], keep: ['*.a']")
    text += '  files: [{from: "{compiled}/libengine.a", to: lib/}]\n'
    recipe = load_recipe(tmp_path, text)
    build = recipe.data.build
    assert isinstance(build, CMakeBuild)
    commands = cmake.prefix_commands(build, context(recipe, cell))
    assert argvs(commands) == []
    assert {"copy": "/work/compiled/libengine.a", "to": "/out/tree/lib/"} in commands


def test_a_project_of_its_own_links_what_pythons_share(tmp_path: Path, cell: Cell) -> None:
    own = "prefix: {project: '{recipe}/c', options: {SHARED: true, ENGINE: '{compiled}'}}"
    text = LIBRARY.replace("{SHARED: false}", f"{{SHARED: false}}, compile: [x], keep: [a], {own}")
    recipe = load_recipe(tmp_path, text)
    build = recipe.data.build
    assert isinstance(build, CMakeBuild)
    commands = cmake.prefix_commands(build, context(recipe, cell, compiled=True))
    configure, ninja, install = argvs(commands)
    assert configure[configure.index("-S") + 1] == "/recipe/c"
    assert "-DSHARED=ON" in configure
    assert "-DENGINE=/work/compiled" in configure
    assert ninja == ["ninja", "-C", "/work/build", "-j4"]
    assert install == ["cmake", "--install", "/work/build"]
    assert {"copy": "/work/installed/need/lib", "to": "/out/tree"} in commands


@pytest.mark.parametrize(("option", "patched"), [("{source:lib}/x", True), ("x", False)])
def test_it_has_the_patched_sources_that_it_names_and_no_others(
    tmp_path: Path, cell: Cell, option: str, patched: bool
) -> None:
    own = f"prefix: {{project: '{{recipe}}/c', options: {{X: '{option}'}}}}"
    text = LIBRARY.replace("{SHARED: false}", f"{{}}, compile: [x], keep: [a], {own}")
    (tmp_path / "lib" / "patches").mkdir(parents=True)
    (tmp_path / "lib" / "patches" / "a.patch").touch()
    recipe = load_recipe(tmp_path, text + "patches: {lib: [patches/a.patch]}\n")
    build = recipe.data.build
    assert isinstance(build, CMakeBuild)
    commands = argvs(cmake.prefix_commands(build, context(recipe, cell, compiled=True)))
    assert any(argv[0] == "patch" for argv in commands) is patched


def test_a_wheel_has_the_licences_of_what_it_shares_with_an_archive(
    tmp_path: Path, cell: Cell
) -> None:
    text = CMAKE.replace("pythons:", "makes: [wheel, archive]\npythons:")
    text += "prefix: {licences: [{of: shared, from: '{source:main}/COPYING'}]}\n"
    recipe = load_recipe(tmp_path, text)
    build = recipe.data.build
    assert isinstance(build, CMakeBuild)
    told = context(recipe, cell, cell=cell, python=VALUES, compiled=True)
    copies = [c["to"] for c in cmake.python_commands(build, told) if "copy" in c]
    assert {"/out/licenses/shared/", "/out/licenses/main/"} <= set(copies)


def test_make_gets_its_variables_as_arguments(tmp_path: Path, cell: Cell) -> None:
    recipe = load_recipe(tmp_path, ARCHIVE)
    build = recipe.data.build
    assert isinstance(build, MakeBuild)
    assert make.compile_commands(build, context(recipe, cell)) == []
    commands = make.prefix_commands(build, context(recipe, cell, libraries=("lib",)))
    variables = ["LIB=/need/lib/lib", "CC=cross-cc", "FAST=1", "KERNELS=TOY"]
    folder = ["make", "-C", "/work/src/arc/."]
    assert argvs(commands)[-2:] == [
        [*folder, "-j4", *variables],
        [*folder, *variables, "DESTDIR=/work/installed", "install"],
    ]
    assert {"copy": "/work/installed/need/arc", "to": "/out/tree"} in commands
    # What is linked into it has its licence too.
    assert {"copy": "/need/.licences/lib", "to": "/out/licenses"} in commands
    assert {"text": "v3.0", "to": "/out/tree/share/VERSION"} in commands


def test_configure_knows_the_cross_compiler(tmp_path: Path, cell: Cell) -> None:
    recipe = load_recipe(tmp_path, CONFIGURED.replace("{variables: {KERNELS", "{variables: {K"))
    build = recipe.data.build
    assert isinstance(build, AutotoolsBuild)
    assert autotools.compile_commands(build, context(recipe, cell)) == []
    commands = autotools.prefix_commands(build, context(recipe, cell))
    configure, made, installed = argvs(commands)[-3:]
    assert configure[:3] == ["/work/src/arc/configure", "--host=arm-toy", "--prefix=/need/arc"]
    assert "--with-lib=/need/lib" in configure
    assert "CC=cross-cc" in configure
    # One argument, whatever a shell would make of it.
    assert "ac_cv_x=yes; rm" in configure
    assert made == ["make", "-C", "/work/build", "-j4"]
    assert installed[-2:] == ["install", "DESTDIR=/work/installed"]


@pytest.mark.parametrize(
    ("text", "old", "new", "said"),
    [
        (ARCHIVE, "FAST: true", "'-f x': true", "String should match"),
        (ARCHIVE, "FAST: true", "FAST: $(shell id)", "make reads $ as its own"),
        (ARCHIVE, "source: arc\n", "source: arc\n  build: [-f/x]\n", "String should match"),
        (CONFIGURED, "--disable-shared", "x=y", "String should match"),
    ],
)
def test_what_would_be_an_option_or_a_shells_is_refused(
    tmp_path: Path, text: str, old: str, new: str, said: str
) -> None:
    assert old in text
    with pytest.raises(DataError) as caught:
        load_recipe(tmp_path, text.replace(old, new))
    assert said in caught.value.where


def test_ordinary_builds_find_libraries_by_variables() -> None:
    assert library_environment([]) == {}
    found = library_environment(["a", "b"])
    assert found["CMAKE_PREFIX_PATH"] == "/need/a:/need/b"
    assert found["PKG_CONFIG_LIBDIR"].split(":")[:2] == [
        "/need/a/lib/pkgconfig",
        "/need/a/share/pkgconfig",
    ]
    assert found["CPPFLAGS"] == "-I/need/a/include -I/need/b/include"
    assert found["LDFLAGS"] == "-L/need/a/lib -L/need/b/lib"


def test_mesons_cross_file_names_libraries(tmp_path: Path, cell: Cell) -> None:
    from making import PEP517

    recipe = load_recipe(tmp_path, PEP517)
    build = recipe.data.build
    assert isinstance(build, Pep517Build)

    def cross_file(**values: object) -> str:
        python = {"version": "3.11", "include": "/python/include"}
        commands = pep517.python_commands(
            build, context(recipe, cell, cell=cell, python=python, **values)
        )
        (text,) = [str(c["text"]) for c in commands if c.get("to") == "/work/cross.ini"]
        return text

    assert "pkg_config_libdir = '/work/pkgconfig'\n" in cross_file()
    text = cross_file(libraries=("lib",))
    assert "'/need/lib/lib/pkgconfig', '/need/lib/share/pkgconfig'" in text
    assert "cmake_prefix_path = ['/need/lib']" in text
