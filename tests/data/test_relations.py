"""What recipes are to each other: names, needs of the right kind, no circle."""

from __future__ import annotations

from pathlib import Path

import pytest
from making import ARCHIVE, LIBRARY, PEP517, write_recipe

from crosspi.data.recipe import Recipes
from crosspi.errors import DataError


def load(root: Path, *texts: str) -> Recipes:
    for text in texts:
        write_recipe(root / text.split("name: ", 1)[1].split("\n", 1)[0], text)
    return Recipes.load(root)


def refused(root: Path, *texts: str) -> DataError:
    with pytest.raises(DataError) as caught:
        load(root, *texts)
    assert caught.value.exit_code == 3
    return caught.value


def test_a_recipe_may_be_linked_with_a_library(tmp_path: Path) -> None:
    recipes = load(tmp_path, LIBRARY, ARCHIVE)
    assert recipes.by_name["arc"].libraries == ["lib"]
    assert recipes.by_name["arc"].needs == []


def test_two_recipes_of_one_name_are_refused(tmp_path: Path) -> None:
    error = refused(
        tmp_path,
        LIBRARY.replace("name: lib", "name: l-b"),
        LIBRARY.replace("name: lib", "name: l--b"),
    )
    assert error.what == "two recipes make the same name: l--b and l-b"
    assert error.where.count("recipe.yaml") == 2


@pytest.mark.parametrize(
    ("texts", "said", "fix"),
    [
        ((ARCHIVE,), "needs the library 'lib', which has no recipe", "lib: no recipe makes one"),
        (
            (ARCHIVE.replace("libraries: [lib]", "libraries: [libb]").replace("{need:lib}", "x"),
             LIBRARY),
            "needs the library 'libb', which has no recipe",
            "libb: did you mean lib?",
        ),
        (
            (ARCHIVE.replace("name: arc", "name: lib"),
             LIBRARY.replace("name: lib", "name: zlib").replace("prefix:",
                "requires: {libraries: [lib]}\nprefix:")),
            "the recipe zlib needs the library 'lib', which is no library",
            "lib: did you mean",
        ),
        (
            (PEP517 + "requires: {build: [lib]}\n", LIBRARY),
            "needs the wheel of 'lib', which makes only library",
            "lib: name it under requires.libraries",
        ),
        (
            (PEP517 + "requires: {run: [lib]}\n", LIBRARY),
            "needs the wheel of 'lib', which makes only library",
            "lib: name it under requires.libraries",
        ),
    ],
)  # fmt: skip
def test_a_need_of_the_wrong_kind(
    tmp_path: Path, texts: tuple[str, ...], said: str, fix: str
) -> None:
    error = refused(tmp_path, *texts)
    assert said in error.what
    assert fix in (error.fix or "")


def test_a_circle_through_libraries(tmp_path: Path) -> None:
    other = LIBRARY.replace("name: lib", "name: bil")
    texts = [
        text.replace("prefix:", f"requires: {{libraries: [{need}]}}\nprefix:")
        for text, need in ((LIBRARY, "bil"), (other, "lib"))
    ]
    error = refused(tmp_path, *texts)
    assert error.what == "recipes need each other in a circle: bil → lib → bil"
