"""Makes a wheel of a tree: tags from the target, RECORD, licences, and the same bytes every time.

Source: the binary distribution format, PEP 427, and core metadata, PEP 566.
"""

from __future__ import annotations

import shutil
from email.message import Message
from email.parser import Parser
from email.policy import EmailPolicy
from pathlib import Path

from packaging.utils import canonicalize_name

from crosspi import __version__
from crosspi.audit.law import Promises
from crosspi.data.recipe import Recipe
from crosspi.data.targets import Cell, Slot
from crosspi.errors import BuildError

#: METADATA is UTF-8 as it stands: nothing is encoded, folded or quoted as in mail.
METADATA_POLICY = EmailPolicy(utf8=True, mangle_from_=False, max_line_length=0)


def dist_info(recipe: Recipe, tree: Path) -> Path:
    """The `.dist-info` folder of a tree: the backend's own, or one made of the recipe.

    Raises:
        BuildError: the backend built another package or version than the recipe says.
    """
    data = recipe.data
    name = canonicalize_name(data.name).replace("-", "_")
    found = sorted(tree.glob("*.dist-info"))
    folder = tree / f"{name}-{data.version}.dist-info"
    if found and found != [folder]:
        raise BuildError(
            f"the build made {found[0].name}, the recipe says {folder.name}",
            where=str(recipe.folder / "recipe.yaml"),
            why="the source is of another version than the recipe",
            fix="correct the version, or the pin of the source",
        )
    for pattern in data.wheel.exclude:
        for path in list(tree.glob(pattern)):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:  # gone already where the folder around it matched as well
                path.unlink(missing_ok=True)
    folder.mkdir(exist_ok=True)
    for generated in ("RECORD", "WHEEL"):
        (folder / generated).unlink(missing_ok=True)
    path = folder / "METADATA"
    if path.exists():
        metadata = Parser().parsestr(path.read_text(encoding="utf-8"))
    else:
        metadata = Message()
        metadata["Metadata-Version"] = "2.1"
        metadata["Name"] = data.name
        metadata["Version"] = data.version
        metadata["Summary"] = data.summary
        metadata["Home-page"] = data.homepage
        metadata["License"] = data.licence
        for classifier in data.wheel.classifiers:
            metadata["Classifier"] = classifier
        metadata["Requires-Python"] = data.pythons
    stated = metadata.get_all("Requires-Dist") or []
    for requirement in data.requires.run:
        if requirement not in stated:
            metadata["Requires-Dist"] = requirement
    path.write_text(metadata.as_string(policy=METADATA_POLICY), encoding="utf-8")
    return folder


def write_tags(info: Path, cell: Cell, number: int = 0) -> str:
    """Write WHEEL; its tags come from the cell, never from the name of another file.

    Args:
        info: the wheel's `.dist-info` folder.
        cell: for what it is.
        number: its build number; 0 where it has none.

    Returns:
        The name of the wheel's file.
    """
    (info / "WHEEL").write_text(
        "Wheel-Version: 1.0\n"
        f"Generator: crosspi {__version__}\n"
        "Root-Is-Purelib: false\n"
        f"Tag: {cell.wheel_tag}\n" + (f"Build: {number}\n" if number else ""),
        encoding="utf-8",
    )
    name = info.name.removesuffix(".dist-info") + (f"-{number}" if number else "")
    return f"{name}-{cell.wheel_tag}.whl"


def wheel_in(folder: Path) -> Path:
    """The one wheel of a wheel step's result."""
    (path,) = folder.glob("*.whl")
    return path


def promises_of(recipe: Recipe, cell: Slot) -> Promises:
    """What a recipe says about its wheels for a cell's architecture."""
    return recipe.data.promises.get(cell.toolchain.name, Promises())
