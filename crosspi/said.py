"""What a failing tool said: its last lines, and those before them in which it names the fault."""

from __future__ import annotations

import re
from collections import deque

#: Lines of a failed tool's output that are shown with its error.
TAIL = 15
#: And lines before those that name a fault; where many compiles run at once, others go on after it.
_NAMED = 5
#: As apt, compilers, linkers, CMake, Ninja, make, Python and tar say it.
_FAULT = re.compile(
    r"^E: |^FAILED: |\b(fatal )?error: |^error\b|^CMake Error|^make.*: \*\*\* |^\w*Error: |^tar: "
)
#: Of a program for another processor, where the kernel does not know what to do with it.
_CANNOT_RUN = re.compile(r"exec format error", re.IGNORECASE)
_CANNOT_FETCH = re.compile(
    r"^E: (Failed to fetch|Unable to fetch|Unable to locate package|The repository )"
    r"|Temporary failure resolving|Could not resolve"
)


class Said:
    """Collects a tool's lines, and keeps what a message needs of them."""

    def __init__(self) -> None:
        self._tail: deque[str] = deque(maxlen=TAIL)
        self._faults: deque[str] = deque(maxlen=_NAMED)
        self.cannot_run = False
        self.cannot_fetch = False

    def line(self, text: str) -> None:
        """Take one line; one that only says that something lives tells nothing."""
        text = text.rstrip()
        if text.startswith("… "):
            return
        self.cannot_run = self.cannot_run or bool(_CANNOT_RUN.search(text))
        self.cannot_fetch = self.cannot_fetch or bool(_CANNOT_FETCH.search(text))
        if len(self._tail) == TAIL and _FAULT.search(self._tail[0]):
            self._faults.append(self._tail[0])
        self._tail.append(text)

    @property
    def text(self) -> str:
        """The lines for a message; `…` stands where some are left out."""
        return "\n".join([*self._faults, *(["…"] if self._faults else []), *self._tail])
