"""The task `track`: pins and locks, written from what the origins have."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, partial

from crosspi.cli.session import session
from crosspi.data.recipe import TOOL_SETS
from crosspi.data.targets import split_words
from crosspi.data.tool_sets import ToolSets
from crosspi.errors import UsageError, did_you_mean
from crosspi.track import pins
from crosspi.track import tools as locks


def track_recipes(recipe: Sequence[str], versions: Sequence[str]) -> None:
    """Write the pins of recipes: of one version, or of all that are pinned."""
    with session(works=True) as project:
        words = split_words(recipe, "--recipe")
        wanted = split_words(versions, "--version")
        if not words or (wanted and len(words) > 1):
            raise UsageError(
                "of which recipe?" if not words else "a version is of one recipe",
                where="--recipe",
                fix="for example: invoke track --recipe numpy --version 2.4.6",
            )
        rows = []
        for name in words:
            folder = project.paths.recipes / name
            if not (folder / "recipe.yaml").is_file():
                raise UsageError(
                    f"there is no recipe '{name}'",
                    where="--recipe",
                    fix=did_you_mean(name, pins.folders(project.paths.recipes)),
                )
            with project.console.step(f"pins:{name}") as shown:
                index = cache(partial(project.sources.project, name))
                found = pins.track(folder, wanted, project.sources, index=index)
                changed = any(tracked.before != tracked.pin for tracked in found)
                shown.state("changed" if changed else "as before")
            rows += [
                (t.source, t.version, "as before" if t.before == t.pin else "changed", t.pin)
                for t in found
            ]
        project.console.table("pins", ("source", "version", "state", "pin"), rows)


def track_tools(tools: Sequence[str]) -> None:
    """Renew the locks of build tools."""
    with session(works=True) as project:
        folder = project.paths.recipes / TOOL_SETS
        wanted = locks.read_wanted(folder)
        rows = []
        for name in locks.choose(wanted, split_words(tools, "--tools")):
            with project.console.step(f"tools:{name}") as shown:
                changed = locks.renew(folder, name, wanted[name], project.sources)
                shown.state("changed" if changed else "as before")
            found = ToolSets(folder).get(name)
            rows.append((name, "changed" if changed else "as before", ", ".join(found.files)))
        project.console.table("locks of build tools", ("tool set", "state", "packages"), rows)
