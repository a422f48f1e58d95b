"""An end that is asked for from outside: steps that run in threads cannot be interrupted."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from crosspi.errors import Interrupted


class Cancel:
    """Asked for once, by whoever ends a run; what waits for something is woken by it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._wakers: list[Callable[[], None]] = []
        self._asked = False

    def set(self) -> None:
        """Ask for the end: calls what was registered."""
        with self._lock:
            self._asked = True
            wakers = list(self._wakers)
        for wake in wakers:
            wake()

    def check(self) -> None:
        """Go on only if nobody asked.

        Raises:
            Interrupted: somebody did.
        """
        if self._asked:
            raise Interrupted("stopped", fix="run the same command again: it goes on")

    @contextmanager
    def waking(self, wake: Callable[[], None]) -> Iterator[None]:
        """While something is waited for: how to end that.

        Args:
            wake: called from another thread, or at once where the end was asked for before.

        Raises:
            Interrupted: at the end of it, if it was ended so.
        """
        with self._lock:
            self._wakers.append(wake)
            asked = self._asked
        try:
            if asked:
                wake()
            yield
        finally:
            with self._lock:
                self._wakers.remove(wake)
        self.check()
