"""What a recipe makes: its products, what they ask of it, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from making import ARCHIVE, CMAKE, LIBRARY, PEP517, load_recipe, once, write_recipe

from crosspi.data.recipe import Package
from crosspi.errors import DataError

#: A wheel for each Python, and an archive, of one compile.
BOTH = CMAKE.replace("pythons:", "makes: [wheel, archive]\npythons:") + (
    "prefix:\n  licences: [{of: main, from: '{source:main}/LICENSE'}]\n"
)


def fault_of(root: Path, text: str) -> str:
    """What is said about a recipe that has one fault."""
    with pytest.raises(DataError) as caught:
        load_recipe(root, text)
    assert caught.value.exit_code == 3
    assert "1 fault in" in str(caught.value)
    return caught.value.where.split(": ", 1)[1]


def test_a_recipe_makes_a_wheel_unless_it_says_what(tmp_path: Path) -> None:
    assert load_recipe(tmp_path).data.makes == ("wheel",)
    for text, makes in ((LIBRARY, ("library",)), (ARCHIVE, ("archive",))):
        recipe = load_recipe(tmp_path, text)
        assert recipe.data.makes == makes
        assert not recipe.smoke_script.exists()
    assert load_recipe(tmp_path, BOTH).data.makes == ("wheel", "archive")


def test_what_makes_no_wheel_serves_no_python(tmp_path: Path) -> None:
    package = Package.load(write_recipe(tmp_path / "lib", LIBRARY))
    assert package.recipe("3.11") is None
    assert package.refusal("3.11") == "it makes no wheel, only: library"
    assert package.general.data.version == "1.2"


@pytest.mark.parametrize(
    ("text", "old", "new", "said"),
    [
        (LIBRARY, "[library]", "[libary]", "makes[0]: Input should be 'wheel', 'library' or"),
        (LIBRARY, "[library]", "[]", "makes: name at least one: wheel"),
        (LIBRARY, "[library]", "[library, library]", "makes[1]: 'library' stands twice"),
        (LIBRARY, "sources:", "pythons: '>=3.9'\nsources:", "pythons: it makes no wheel"),
        (LIBRARY, "false}}", "false}, python: {build: [x]}}", "build.python: it makes no wheel"),
        (LIBRARY, "SHARED: false", "X: '{python:tag}'", "build.options.X: {python:tag}: what is"),
        (LIBRARY, "{source:lib}/L", "{python:include}/L", "licences[0].from: {python:include}:"),
        (LIBRARY, "prefix:", "requires: {run: [other]}\nprefix:", "requires.run: wheels are for"),
        (LIBRARY, "{of: lib, from: '{source:lib}/LICENSE'}", "", "carries the licences of what"),
        (LIBRARY, "system: cmake", "system: waf", "build: Input tag 'waf' found using"),
        (ARCHIVE, "KERNELS: TOY", "KERNELS: '{biuld}'", "did you mean build?"),
        (ARCHIVE, "{need:lib}", "{need:bli}", "no need 'bli'; did you mean lib?"),
        (ARCHIVE, "to: share/VERSION", "to: ../VERSION", "prefix.files[0].to: "),
        (ARCHIVE, "to: share/V", "from: x, to: share/V", "prefix.files[0]: give exactly one of"),
        (CMAKE, '  keep: ["lib*.a"]\n', "", "build.keep: say what of build.compile later steps"),
        (CMAKE, "lib*.a", "../lib*.a", "build.keep[0]: "),
        (CMAKE, '    project: "{recipe}/module"\n', "", "build.python.project: name the folder of"),
        (LIBRARY, "SHARED: false}", "A: 1}, keep: ['*.a']", "build.keep: nothing is compiled once"),
        (LIBRARY, "SHARED: false", "A: '{compiled}'", "{compiled}: nothing is compiled once"),
        (CMAKE, "wheel:\n", "prefix: {}\nwheel:\n", "prefix: no product has it: say `makes:"),
        (LIBRARY, "false}}", "false}, prefix: {project: x}}", "build.prefix: nothing is compiled"),
        (CMAKE, "  targets:", "  prefix: {project: x}\n  targets:", "build.prefix: no product has"),
        (CMAKE, 'pythons: ">=3.9"\n', "", "pythons: this field is required where a wheel is"),
        (PEP517, "pythons:", "makes: [library, wheel]\npythons:", "'pep517' makes wheels, and no"),
    ],
)
def test_a_fault_has_its_place_and_message(
    tmp_path: Path, text: str, old: str, new: str, said: str
) -> None:
    text, old = text.replace('"{source:lib}/LICENSE"', "'{source:lib}/LICENSE'"), old
    assert text.count(old) == 1
    if "makes wheels" in said:
        text += 'prefix: {licences: [{of: other, from: "{source:other}"}]}\n'
    assert said in fault_of(tmp_path, text.replace(old, new))


def test_a_wheel_and_an_archive_share_what_is_compiled(tmp_path: Path) -> None:
    said = fault_of(tmp_path, once(BOTH))
    assert "build.compile: name what the archive and all Pythons share" in said


def test_the_project_of_an_archive_sees_no_python(tmp_path: Path) -> None:
    options = 'prefix: {project: "{recipe}/c", options: {X: "{python:include}"}}'
    text = BOTH.replace("  targets:", f"  {options}\n  targets:")
    assert "build.prefix.options.X: {python:include}: what is" in fault_of(tmp_path, text)


def test_a_wheel_needs_a_build_that_makes_one(tmp_path: Path) -> None:
    text = ARCHIVE.replace("makes: [archive]", "makes: [wheel]\npythons: '>=3'").split("prefix:")[0]
    assert "build.system: 'make' makes no wheel" in fault_of(tmp_path, text)
    python = CMAKE[CMAKE.index("  python:") : CMAKE.index("  targets:")]
    text = CMAKE.replace(python, "").replace("{python:ext_suffix}", "")
    assert "build.python: this field is required" in fault_of(tmp_path, text)


SHARED = "  shared: {lib: {archives: lib, to: other}}\n"


def test_a_library_that_modules_share_is_one_that_they_are_linked_with(tmp_path: Path) -> None:
    plain = PEP517[: PEP517.index("  meson:")]
    fault = fault_of(tmp_path, plain + SHARED)
    assert "build.shared.lib: it is not linked with 'lib': name it in requires.libr" in fault
    asked = "requires: {libraries: [lib]}\n"
    meson = "  meson: {properties: {answer: 42}}\n"
    fault = fault_of(tmp_path, plain + SHARED + meson + asked)
    assert "build.shared.lib: not with Meson, which has its own way" in fault


def test_a_library_has_a_program_that_tests_it(tmp_path: Path) -> None:
    folder = write_recipe(tmp_path / "lib", LIBRARY)
    (folder / "smoke" / "use.c").unlink()
    with pytest.raises(DataError, match="1 fault") as caught:
        Package.load(folder)
    assert "no program that tests the library: write smoke/" in caught.value.where
    (folder / "smoke" / "CMakeLists.txt").write_text("project(x)\n")
    Package.load(folder)


def test_all_variants_make_the_same(tmp_path: Path) -> None:
    text = BOTH + 'variants:\n- {pythons: "==3.9.*", makes: [wheel, library]}\n'
    assert "makes: all versions and variants of a package make the same" in fault_of(tmp_path, text)
