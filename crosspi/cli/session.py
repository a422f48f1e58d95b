"""What the Invoke tasks share: a console, and errors that become one message and an exit code."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType

from crosspi import caches
from crosspi.console import Console
from crosspi.errors import CrosspiError, Interrupted, from_os_error
from crosspi.paths import Paths
from crosspi.project import Project

PROJECT = Path(__file__).resolve().parents[2]


class Terminated(Interrupted):
    """SIGTERM."""

    exit_code = 143


def _terminate(_number: int, _frame: FrameType | None) -> None:
    raise Terminated("SIGTERM: stopped", fix="run the same command again: it goes on")


@contextmanager
def session(
    *, verbose: bool = False, json: bool = False, offline: bool = False, works: bool = False
) -> Iterator[Project]:
    """A project with a console; leaves the process with the right exit code on errors.

    Args:
        verbose, json: what the user sees.
        offline: open no socket.
        works: it reads and writes the caches, which stay until it ends.
    """
    signal.signal(signal.SIGTERM, _terminate)
    with ExitStack() as stack:
        # Whatever the user's own: containers are another user where crosspi is root, and they
        # must read what is made here.
        stack.callback(os.umask, os.umask(0o022))
        console = stack.enter_context(Console(verbose=verbose, json=json))
        project = Project(Paths.from_environment(PROJECT), console, offline=offline)
        try:
            if works:
                stack.enter_context(caches.in_use(project.paths.cache))
            yield project
        except CrosspiError as error:
            console.error(error)
            code = error.exit_code
        except KeyboardInterrupt:
            console.error(
                Interrupted("Ctrl-C: stopped", fix="run the same command again: it goes on")
            )
            code = Interrupted.exit_code
        except BrokenPipeError:
            # The program's own business: nobody reads, and nothing is said.
            raise
        except OSError as error:
            known = from_os_error(error, doing="running")
            if known is None:
                raise
            console.error(known)
            code = known.exit_code
        else:
            return
    sys.exit(code)
