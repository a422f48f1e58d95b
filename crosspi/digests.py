"""Digests of data and of files, as keys know them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from pathlib import Path


def digest(value: object) -> str:
    """The sha256 of plain data, the same for equal data."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def digest_files(*paths: Path, without: Collection[Path] = ()) -> str:
    """The sha256 of files and of all files below folders: names, modes and bytes.

    Args:
        paths: files and folders.
        without: files below the folders that do not count.
    """
    files: list[tuple[str, bool, str]] = []
    for path in paths:
        inner = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
        for file in inner:
            if "__pycache__" in file.parts or file in without:
                continue
            name = str(file.relative_to(path.parent))
            data = hashlib.sha256(file.read_bytes()).hexdigest()
            files.append((name, bool(file.stat().st_mode & 0o100), data))
    return digest(files)
