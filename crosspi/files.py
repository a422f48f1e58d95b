"""Small files, written whole or not at all."""

from __future__ import annotations

import uuid
from pathlib import Path


def write_text(file: Path, text: str) -> None:
    """Write a small file by way of a temporary one beside it and a rename.

    The temporary name is nobody else's: two containers may have processes of one number.
    """
    temporary = file.with_name(f".{file.name}.{uuid.uuid4().hex}")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(file)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
