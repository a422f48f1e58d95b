"""The hash of an unpacked tree: the same for the same content, wherever it came from.

What counts is what git counts: the files (path, bytes, whether the owner may execute them) and
the symbolic links (path, target). Times, owners, other permission bits and empty folders do not.
The hash is sha256 over `crosspi tree 1`, then for each entry, sorted by the bytes of its path
relative to the top with `/` between the parts: kind (`file`, `exec` or `link`), path, and
sha256 in hexadecimal or link target; every string ends with a NUL, which none of them can hold.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from crosspi.errors import SourceError
from crosspi.files import file_sha256


def walk(root: Path) -> Iterator[tuple[bytes, os.DirEntry[bytes]]]:
    """Every entry below `root` that is not a folder, with its relative path, in no order."""
    stack = [(os.fsencode(root), b"")]
    while stack:
        folder, prefix = stack.pop()
        with os.scandir(folder) as entries:
            for entry in entries:
                path = prefix + entry.name
                if entry.is_dir(follow_symlinks=False):
                    stack.append((entry.path, path + b"/"))
                else:
                    yield path, entry


def tree_hash(root: Path) -> str:
    """`sha256:<hex>` of the tree below `root`.

    Raises:
        SourceError: it holds something that is no file, folder or symbolic link.
        OSError: something in it cannot be read.
    """
    total = hashlib.sha256(b"crosspi tree 1\0")
    for path, entry in sorted(walk(root), key=lambda item: item[0]):
        if entry.is_symlink():
            kind, value = b"link", os.readlink(entry.path)  # noqa: PTH115 (bytes)
        elif entry.is_file(follow_symlinks=False):
            executable = entry.stat(follow_symlinks=False).st_mode & stat.S_IXUSR
            kind, value = b"exec" if executable else b"file", file_sha256(entry.path).encode()
        else:
            raise SourceError(
                "a source tree holds something that is no file, folder or link",
                where=os.fsdecode(entry.path),
                fix="remove it, or leave it out by 'exclude'",
            )
        total.update(b"%s\0%s\0%s\0" % (kind, path, value))
    return "sha256:" + total.hexdigest()
