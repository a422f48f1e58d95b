"""Small files, written whole or not at all."""

from __future__ import annotations

import hashlib
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


_CHUNK = 1 << 20  # bytes


def file_sha256(path: Path | bytes) -> str:
    """The sha256 of a file's bytes, in hexadecimal.

    Raises:
        OSError: it cannot be read.
    """
    digest = hashlib.sha256()
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123 (bytes paths)
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
