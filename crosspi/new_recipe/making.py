"""Makes the folder of a new recipe, whole or not at all."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Collection
from pathlib import Path

from packaging.utils import canonicalize_name

from crosspi.data.recipe import TOOL_SETS, Package
from crosspi.data.source import UNPINNED, PypiOrigin, Source
from crosspi.data.tool_sets import ToolSets
from crosspi.errors import UsageError
from crosspi.new_recipe.deciding import Decision, decide, refuse_pure
from crosspi.new_recipe.sdist import Sdist
from crosspi.new_recipe.writing import recipe_text, smoke_text
from crosspi.sources.cache import SourceCache
from crosspi.sources.projects import Project
from crosspi.track.pins import track


def new_recipe(
    recipes: Path, name: str, version: str, *, cache: SourceCache, known: Collection[str]
) -> tuple[Package, Decision]:
    """Write a recipe that loads: `recipes/NAME/` with recipe.yaml, pins.yaml and smoke.py.

    Args:
        recipes: the folder of recipes.
        name: as the index knows the package.
        version: which; empty for the newest.
        cache: fetches the source distribution.
        known: the names of the recipes that there are.

    Raises:
        UsageError: there is one already, or the package cannot be built here.
        SourceError: the index has no such package or version, or no source distribution of it.
    """
    name = canonicalize_name(name)
    folder = recipes / name
    if folder.exists():
        raise UsageError(
            f"there is a recipe {name} already",
            where=str(folder),
            fix=f"`invoke track --recipe {name} --version VERSION` pins another version of it",
        )
    project = cache.project(name)
    version = version or project.newest
    refuse_pure(project, version)
    sdist = _unpacked(project, version, cache)
    decision = decide(name, sdist, ToolSets(recipes / TOOL_SETS), known)
    # Beside the others, where its tool sets are found; under a name that is nobody's recipe.
    with tempfile.TemporaryDirectory(prefix=".new-", dir=recipes) as drafts:
        draft = Path(drafts) / name
        draft.mkdir()
        (draft / "recipe.yaml").write_text(recipe_text(name, sdist, decision), encoding="utf-8")
        (draft / "smoke.py").write_text(smoke_text(name, sdist), encoding="utf-8")
        track(draft, [version], cache, index=lambda: project)
        package = Package.load(draft, tools=ToolSets(recipes / TOOL_SETS))
        shutil.move(draft, folder)
    return package, decision


def _unpacked(project: Project, version: str, cache: SourceCache) -> Sdist:
    """The source distribution of a version, unpacked in the cache."""
    origin = PypiOrigin(pypi=project.name, version=version, file=project.sdist(version))
    source = Source.model_construct(tree=UNPINNED, origins=(origin,))
    return Sdist(cache.fetch_unpinned(project.name, source))
