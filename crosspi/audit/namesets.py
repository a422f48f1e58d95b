"""Many names of which nobody asks but whether one is among them.

A library may export a million names of hundred letters. What is kept of each is a hash of 64 bits:
that another name has the same is as likely as a broken memory.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from hashlib import blake2b

import numpy as np
import numpy.typing as npt

_BYTES = 8


class NameSet:
    """A set of names, sorted by their hashes."""

    def __init__(self, hashes: npt.NDArray[np.uint64]) -> None:
        self._hashes = hashes

    @classmethod
    def of(cls, names: Iterable[str]) -> NameSet:
        return cls(np.unique(np.fromiter(map(_hash, names), np.uint64)))

    def __contains__(self, name: object) -> bool:
        if not isinstance(name, str):
            return False
        wanted = np.uint64(_hash(name))
        at = int(np.searchsorted(self._hashes, wanted))
        return at < len(self._hashes) and bool(self._hashes[at] == wanted)

    def __len__(self) -> int:
        return len(self._hashes)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, NameSet) and np.array_equal(self._hashes, other._hashes)

    def __hash__(self) -> int:
        return hash(self._hashes.tobytes())

    def to_text(self) -> str:
        """The set as ASCII, for `from_text`."""
        return base64.b64encode(self._hashes.astype("<u8").tobytes()).decode()

    @classmethod
    def from_text(cls, text: str) -> NameSet:
        """Raises ValueError where the text is not of a set."""
        data = base64.b64decode(text, validate=True)
        if len(data) % _BYTES:
            raise ValueError("a set of names is cut off")
        return cls(np.frombuffer(data, "<u8").astype(np.uint64))


def _hash(name: str) -> int:
    return int.from_bytes(blake2b(name.encode("utf-8", "replace"), digest_size=_BYTES).digest())
