"""The task `new-recipe`."""

from __future__ import annotations

from crosspi.cli.session import session
from crosspi.errors import UsageError
from crosspi.new_recipe.making import new_recipe as write


def new_recipe(name: str, version: str) -> None:
    """Write a recipe from what the index and the source distribution say."""
    with session(works=True) as project:
        if not name:
            raise UsageError("for which package?", fix="for example: invoke new-recipe msgpack")
        with project.console.step(f"recipe:{name}") as shown:
            package, decision = write(
                project.paths.recipes,
                name,
                version,
                cache=project.sources,
                known=project.recipes.by_name,
            )
            shown.state("written")
        recipe = package.recipes[0]
        project.console.line(
            f"recipes/{package.name}: {recipe.label}, Python {recipe.data.pythons}"
        )
        for note in decision.notes:
            project.console.line(f"note: {note}")
        project.console.line(
            f"next: ./inv build --target pi3 --python 3.11 --recipe {package.name}; then say in "
            f"recipes/{package.name}/smoke.py what its code must do"
        )
