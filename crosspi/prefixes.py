"""Makes a prefix of what a build installed: only what is wanted, and wherever it is unpacked.

A library is built for `/need/NAME`, where other builds see it. In pkg-config's files that becomes a
path from the file itself, as CMake's package files have it already; so the same tree serves as an
archive, in any folder. What still names a folder of the build is an error.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from crosspi.data.recipe import Recipe
from crosspi.data.targets import Slot
from crosspi.errors import BuildError
from crosspi.places import BUILD_PATHS, NEEDS

#: libtool's files name the folders of the build, and static linking with pkg-config needs none.
_NEVER = ("**/*.la",)
_PC_PREFIX = re.compile(r"^prefix\s*=.*$", re.MULTILINE)
#: As many files are told.
_SHOWN = 10


def finish_prefix(tree: Path, recipe: Recipe) -> None:
    """Leave out what the recipe excludes, and make the rest movable.

    Args:
        tree: what was installed; its container has ended, and it was checked (see `trees`).
        recipe: whose it is.

    Raises:
        BuildError: nothing is left, or a text in it names a folder of the build.
    """
    for pattern in (*recipe.data.prefix.exclude, *_NEVER):
        for path in list(tree.glob(pattern)):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:  # gone already where the folder around it matched as well
                path.unlink(missing_ok=True)
    for folder in sorted(tree.rglob("*"), reverse=True):  # what is inside comes first
        if folder.is_dir() and not folder.is_symlink() and not any(folder.iterdir()):
            folder.rmdir()
    files = sorted(_files(tree))
    if not files:
        raise BuildError(
            f"the build of {recipe.name} installed nothing",
            where=str(recipe.folder / "recipe.yaml"),
            fix="say what it holds under `prefix.files`, or let the build install it",
        )
    for path in files:
        if path.suffix == ".pc":
            text = path.read_text(encoding="utf-8")
            path.write_text(movable(text, recipe.name, path.relative_to(tree)), encoding="utf-8")
    left = [path for path in files if _is_text(path) and _names_build(path)]
    if left:
        raise BuildError(
            f"files that the build of {recipe.name} installed name its folders",
            where="\n".join(path.relative_to(tree).as_posix() for path in left[:_SHOWN]),
            why="they would mean nothing where the files are unpacked",
            fix="leave them out by `prefix.exclude`, or patch what writes them",
        )


def movable(text: str, name: str, place: Path) -> str:
    """A file of pkg-config whose prefix is a path from itself.

    Args:
        text: the file's.
        name: the library's: it was built for `/need/NAME`.
        place: where it lies in the prefix.
    """
    up = "/".join(".." for _ in place.parent.parts)
    text = _PC_PREFIX.sub("", text, count=1).lstrip("\n")
    return f"prefix=${{pcfiledir}}/{up}\n" + text.replace(f"{NEEDS}/{name}", "${prefix}")


def _files(tree: Path) -> Iterator[Path]:
    return (path for path in tree.rglob("*") if path.is_file() and not path.is_symlink())


def _is_text(path: Path) -> bool:
    with path.open("rb") as stream:
        return b"\0" not in stream.read(8192)


def _names_build(path: Path) -> bool:
    data = path.read_bytes()
    return any(re.search(rb"(?<![\w.-])" + re.escape(p.encode()), data) for p in BUILD_PATHS)


def archive_name(recipe: Recipe, slot: Slot, number: int = 0) -> str:
    """The name of an archive without its ending: NAME-VERSION-PLATFORM, as wheels spell these.

    Args:
        recipe, slot: of what, for what.
        number: its build number; 0 where it has none.
    """
    name = recipe.name.replace("-", "_")
    parts = (name, recipe.data.version, *([str(number)] if number else []))
    return "-".join((*parts, slot.toolchain.data.platform))


def archive_in(folder: Path) -> Path:
    """The one archive of an archive step's result."""
    (path,) = folder.glob("*.tar.gz")
    return path
