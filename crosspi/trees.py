"""What a container left: looked through before the host reads it, so that nothing leads outside.

The commands of a build are other people's code. A link to a file of the host that they leave in
their output would be followed by whoever reads it on the host, as the user who runs crosspi: that
file would end up in a wheel, or be written over. So the output of every container passes here
once it has ended and nobody can change it any more.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

from crosspi.errors import BuildError
from crosspi.sources.treehash import walk

#: As many faults are told.
_SHOWN = 10
#: Links followed for one; the kernel stops at as many (path_resolution(7)).
_HOPS = 40


def check_tree(tree: Path, *, left_by: str, roots: Collection[str] = ()) -> None:
    """That a tree holds nothing but files, folders, and links that stay inside it.

    Args:
        tree: a folder that a container wrote, whose container has ended.
        left_by: what ran there, for messages.
        roots: its folders that are root file systems of their own: an absolute link in one means
            that root. No reader on the host may follow a link in there.

    Raises:
        BuildError: names what else it holds.
    """
    faults = sorted(_faults(tree, roots))
    if not faults:
        return
    more = f"\nand {len(faults) - _SHOWN} more" if len(faults) > _SHOWN else ""
    raise BuildError(
        f"{left_by} left what may not leave its container",
        where=str(tree),
        why="\n".join(f"{name}: {fault}" for name, fault in faults[:_SHOWN]) + more,
        fix="nothing of it was read; find what makes it in the recipe's or part's sources, and let "
        "the recipe or script remove it",
    )


def check_members(tree: Path, *, left_by: str) -> None:
    """That a tree can be packed as files: `check_tree`, and every link leads to a file.

    Raises:
        BuildError: names what else it holds.
    """
    check_tree(tree, left_by=left_by)
    lost = [
        f"{os.fsdecode(name)}: a link to {'a folder' if Path(path).is_dir() else 'nothing'}"
        for name, path in ((name, os.fsdecode(entry.path)) for name, entry in walk(tree))
        if not Path(path).is_file()
    ]
    if lost:
        raise BuildError(
            f"{left_by} left links that a wheel cannot hold",
            where=str(tree),
            why="\n".join(sorted(lost)[:_SHOWN]),
            fix="let the recipe copy what they mean, or leave them out by `wheel.exclude`",
        )


def _faults(tree: Path, roots: Collection[str]) -> Iterator[tuple[str, str]]:
    if tree.is_symlink() or not tree.is_dir():
        yield ".", "it is no folder"
        return
    for raw, entry in walk(tree):
        name = os.fsdecode(raw)
        top = name.split("/")[0]
        root = top if top in roots and "/" in name else ""
        if entry.is_symlink():
            target = os.readlink(os.fsdecode(entry.path))  # noqa: PTH115 (text, not a path)
            if not _stays(tree, name, root):
                yield name, f"a link to {target}, which is outside"
        elif not entry.is_file(follow_symlinks=False):
            yield name, f"a {_kind(entry.stat(follow_symlinks=False).st_mode)}"
        elif entry.stat(follow_symlinks=False).st_mode & (stat.S_ISUID | stat.S_ISGID):
            yield name, "it is setuid or setgid"


def _kind(mode: int) -> str:
    kinds: list[tuple[Callable[[int], bool], str]] = [
        (stat.S_ISFIFO, "named pipe"),
        (stat.S_ISSOCK, "socket"),
        (stat.S_ISCHR, "device"),
        (stat.S_ISBLK, "device"),
    ]
    return next((name for test, name in kinds if test(mode)), "thing of an unknown kind")


def _stays(tree: Path, name: str, root: str) -> bool:
    """Whether a link stays in the tree at every hop, with `root` for what absolute links mean."""
    todo, at, hops = name.split("/")[::-1], "", 0
    while todo:
        part = todo.pop()
        if part in ("", "."):
            continue
        if part == "..":
            if not at:
                return False
            at = at.rpartition("/")[0]
            continue
        at = f"{at}/{part}" if at else part
        try:
            target = os.readlink(tree / at)  # noqa: PTH115 (text, not a path)
        except OSError:  # no link, or nothing: then what follows counts as written
            continue
        hops += 1
        if hops > _HOPS or (target.startswith("/") and not root):
            return False
        at = root if target.startswith("/") else at.rpartition("/")[0]
        todo += target.split("/")[::-1]
    return True
