"""What an audit's verdict rests on: its code, and the libraries that read machine code for it."""

from __future__ import annotations

from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import crosspi.audit
from crosspi.digests import digest, digest_files

if TYPE_CHECKING:
    from crosspi.audit.memory import Memory

#: Whose the libraries are that the audit's modules import: said, since to find it out takes longer
#: than a build with nothing to do. `tests/steps/test_audit_tools.py` holds it against the imports.
LIBRARIES = "PyYAML, capstone, numpy, packaging, pydantic"
AUDIT = Path(crosspi.audit.__file__).parent


@cache
def tools() -> str:
    """The versions of those libraries."""
    return ", ".join(f"{name} {version(name)}" for name in LIBRARIES.split(", "))


def code() -> str:
    """The digest of the audit's code, and of the steps that call it."""
    return digest_files(AUDIT, Path(__file__).with_name("audit.py"))


def memory(folder: Path, *, fresh: bool = False) -> Memory:
    """What the audit, as it is now, found in single files.

    Args:
        folder: where that is kept.
        fresh: only remember: what was found before does not count.
    """
    from crosspi.audit.memory import Memory

    return Memory(folder, digest({"code": code(), "tools": tools()}), fresh=fresh)
