"""Which members of an archive become part of a tree: strip, subdir, include and exclude.

Globs are anchored at the top of the tree and look at whole paths: `*` and `?` stay within one
folder, `**` spans any number of folders, `[ab]` and `[!ab]` are classes, and `dir/**` is
everything below a folder.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass, field
from typing import Literal

Strip = Literal["auto", 0, 1]


@dataclass(frozen=True)
class Selection:
    """The options that turn an archive into a tree.

    Attributes:
        strip: how many leading folders to drop; `auto` drops the single top folder when all
            members share it.
        subdir: the folder, after stripping, whose content is the tree; empty for all.
        include: globs of what to keep; empty for everything.
        exclude: globs of what to leave out, applied after `include`.
    """

    strip: Strip = "auto"
    subdir: str = ""
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()


def glob_fault(pattern: str) -> str:
    """What is wrong with a glob, or the empty string."""
    parts = pattern.split("/")
    if not pattern or "" in parts:
        return "must not be empty, start or end with '/', or hold '//' (a folder is 'dir/**')"
    if ".." in parts or "." in parts:
        return "must not hold '.' or '..'"
    if any("**" in part and part != "**" for part in parts):
        return "'**' must stand alone between slashes"
    try:
        glob_regex(pattern)
    except re.error as error:
        return f"is not a glob: {error}"
    return ""


@functools.cache
def glob_regex(pattern: str) -> re.Pattern[str]:
    """The regular expression of a glob; raises `re.error` for a broken class."""
    parts = pattern.split("/")
    out = ""
    for number, part in enumerate(parts):
        last = number == len(parts) - 1
        if part == "**":
            out += ".+" if last else "(?:[^/]+/)*"
        else:
            out += _segment(part) + ("" if last else "/")
    return re.compile(out, re.DOTALL)


def _segment(part: str) -> str:
    out, at = "", 0
    while at < len(part):
        char = part[at]
        at += 1
        if char == "*":
            out += "[^/]*"
        elif char == "?":
            out += "[^/]"
        elif char == "[" and (end := part.find("]", at + 1)) > 0:
            body = part[at:end].replace("\\", "\\\\").replace("[", "\\[")
            out += "(?!/)[" + ("^" + body[1:] if body.startswith("!") else body) + "]"
            at = end + 1
        else:
            out += re.escape(char)
    return out


@dataclass
class Chooser:
    """Maps the path of a member (already stripped) to its path in the tree, or to None.

    Remembers which include globs matched, so that a misspelt one does not go unnoticed.
    """

    selection: Selection
    unmatched: set[str] = field(init=False)

    def __post_init__(self) -> None:
        self.unmatched = set(self.selection.include)
        subdir = self.selection.subdir.strip("/")
        self._prefix = subdir + "/" if subdir else ""
        self._include = [(glob, glob_regex(glob)) for glob in self.selection.include]
        self._exclude = [glob_regex(glob) for glob in self.selection.exclude]

    def choose(self, path: str) -> str | None:
        """The place of a member in the tree, or None where it is not selected."""
        if not path.startswith(self._prefix):
            return None
        path = path[len(self._prefix) :]
        if not path:
            return None
        if self._include:
            hits = [glob for glob, regex in self._include if regex.fullmatch(path)]
            if not hits:
                return None
            self.unmatched.difference_update(hits)
        if any(regex.fullmatch(path) for regex in self._exclude):
            return None
        return path
