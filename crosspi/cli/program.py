"""Invoke, with this project's name and errors."""

from __future__ import annotations

import os
import re
import sys

from invoke.exceptions import ParseError
from invoke.program import Program

from crosspi.errors import UsageError, did_you_mean

#: As a shell tells the death by SIGPIPE. The signal itself stays ignored: an engine that goes away
#: would send it too.
CLOSED_PIPE = 141


def nobody_reads() -> int:
    """Standard output was closed, as `head` does: nothing more is said there. The exit code."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return CLOSED_PIPE


class CrosspiProgram(Program):
    """Invoke's command line; a word that it does not know is a usage error (exit code 2)."""

    def run(self, argv: list[str] | None = None, exit: bool = True) -> None:
        """Run the command line (`sys.argv` by default)."""
        ended: str | int | None = 0
        try:
            try:
                super().run(argv, exit=exit)
            except SystemExit as error:
                ended = error.code
            # Here, and not when Python ends: what is wrong then has an exit code of its own.
            sys.stdout.flush()
        except BrokenPipeError:
            closed = nobody_reads()
            ended = ended or closed
        if ended:
            sys.exit(ended)

    def parse_tasks(self) -> None:
        try:
            super().parse_tasks()
        except ParseError as error:
            raise SystemExit(self._explain(error)) from error

    def _explain(self, error: ParseError) -> int:
        match = re.search(r"No idea what '(.+?)' is", str(error))
        if match is None:
            problem = UsageError(str(error), fix="`./inv --help TASK` shows a task's options")
        elif match[1].startswith("-") and error.context is not None:
            task = error.context.name
            flags = [flag for flag in error.context.flags if flag.startswith("--")]
            problem = UsageError(
                f"the task {task} has no option '{match[1]}'",
                fix=f"{did_you_mean(match[1], flags)} (`./inv --help {task}` shows all)",
            )
        else:
            tasks = list(self.collection.task_names)
            problem = UsageError(
                f"there is no task '{match[1]}'",
                fix=f"{did_you_mean(match[1], tasks)} (`./inv --list` shows all)",
            )
        sys.stderr.write(f"{problem}\n")
        return problem.exit_code
