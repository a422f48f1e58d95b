"""What the user sees: live lines on a terminal, plain lines elsewhere, errors and tables.

On a terminal the running steps are a small live region: spinner, name, elapsed time, last log
line; a finished step moves above it as one line. In a log file or CI every change of state is
one line, and a long step says every minute that it lives. Nothing else in the project prints.
"""

from __future__ import annotations

import atexit
import json as json_module
import os
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any, TextIO

import rich.box
from rich.console import Console as RichConsole
from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from crosspi.errors import CrosspiError, Interrupted

HEARTBEAT_SECONDS = 60.0
PROGRESS_SECONDS = 10.0
LOG_WIDTH = 160  # of a log line quoted in a plain heartbeat
PLAIN_WIDTH = 500  # tables in log files are not folded

_ESCAPES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor movements
    r"|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?"  # OSC, DCS: titles, links
    r"|\x1b[ -/]*[0-~]?"
)
_NUMBER = re.compile(r"-?|[\d.,:]+( ?(%|s|ms|[kMG]i?B|B|min|h))?")


def clean(text: str) -> str:
    """One printable line: no escape sequences, no control or direction characters."""
    text = _ESCAPES.sub("", text).rstrip("\r\n")
    text = text.rpartition("\r")[2]  # what a program's own progress line shows last
    return "".join(c if c.isprintable() else " " if c.isspace() else "" for c in text)


def duration(seconds: float) -> str:
    """`4.2 s`, `2:05`, `1:02:03`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def size(count: float) -> str:
    """`812 B`, `1.8 MB`: powers of ten, as package indexes count."""
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"


class StepLine:
    """A running step: give it its log lines, and at the end its state (`built`, …)."""

    def __init__(self, console: Console, name: str, started: float) -> None:
        self._console = console
        self.name = clean(name)
        self.started = started
        self.outcome = "done"
        self.last = ""
        self.told = started  # when a plain line about it was last printed

    def log(self, line: str) -> None:
        """The last line of the step's log; with `verbose` every line is shown."""
        line = clean(line)
        if not line.strip():
            return
        self.last = line
        if self._console.verbose:
            self._console.line(f"{self.name} | {line}")

    def state(self, text: str) -> None:
        """How it ended: `built`, `from the store`; `done` if nothing is said."""
        self.outcome = clean(text)


class _Progress:
    """Bytes that come in: a download, an unpacking."""

    def __init__(self, now: float) -> None:
        self.thread = threading.get_ident()
        self.started = self.told = now
        self.done = 0
        self.total: int | None = None

    def text(self) -> str:
        if not self.total:
            return size(self.done)
        return f"{size(self.done)} of {size(self.total)}, {100 * self.done // self.total} %"


class Console:
    """The one place that prints.

    Args:
        terminal: live lines or plain ones; found out from the stream if not given.
        stream: where to; standard output, or standard error when that is kept for JSON.
        verbose: show every log line of every step.
        json: standard output carries nothing but what `result` writes.
        clock: seconds that only grow (tests give their own).
        heartbeat: seconds between the plain signs of life of a long step.
    """

    def __init__(
        self,
        *,
        terminal: bool | None = None,
        stream: TextIO | None = None,
        verbose: bool = False,
        json: bool = False,
        clock: Callable[[], float] = time.monotonic,
        heartbeat: float = HEARTBEAT_SECONDS,
    ) -> None:
        self.verbose = verbose
        self.json = json
        self._stream = stream or (sys.stderr if json else sys.stdout)
        self._errors = stream or sys.stderr
        self._clock = clock
        self._heartbeat = heartbeat
        self._begun = clock()
        if terminal is None:
            terminal = self._stream.isatty() and os.environ.get("TERM", "") not in ("", "dumb")
        self.terminal = terminal
        self._rich = self._rich_console(self._stream)
        encoding = (getattr(self._stream, "encoding", None) or "utf-8").lower()
        self._unicode = encoding.replace("-", "") == "utf8"
        # The lists are replaced, never changed: the live thread reads them without a lock, since
        # rich calls it under a lock of its own.
        self._running: tuple[StepLine, ...] = ()
        self._progress: dict[str, _Progress] = {}
        self._lock = threading.RLock()
        self._live: Live | None = None
        self._stop_beats: threading.Event | None = None

    # --- what callers say ---------------------------------------------------------------------

    @contextmanager
    def step(self, name: str) -> Iterator[StepLine]:
        """A step from start to end; an exception marks it failed and goes on up."""
        line = StepLine(self, name, self._clock())
        with self._lock:
            self._running = (*self._running, line)
            self._wake()
        if not self.terminal:
            self._plain(f"{line.name}: started")
        mark = "ok"
        try:
            yield line
        except (KeyboardInterrupt, Interrupted):
            mark, line.outcome = "failed", "interrupted"
            raise
        except BaseException:
            mark, line.outcome = "failed", "failed"
            raise
        finally:
            with self._lock:
                self._running = tuple(other for other in self._running if other is not line)
                mine = threading.get_ident()
                self._progress = {k: p for k, p in self._progress.items() if p.thread != mine}
            self._finished(line, mark)
            self._sleep_if_idle()

    def line(self, text: str) -> None:
        """A plain message; several lines stay several. In a log file it has the time of a step."""
        for part in text.splitlines() or [""]:
            if self.terminal:
                self._print(Text(clean(part)))
            elif self._running:
                self._plain(clean(part))
            else:
                self._write(f"{clean(part)}\n")

    def error(self, error: CrosspiError) -> None:
        """What happened, where, why, and what to do; on standard error."""
        head, *rest = (clean(part) for part in str(error).splitlines())
        text = Text("\n".join([head, *rest]))
        text.stylize("bold red", 0, len(error.title) + 1)
        if self._errors is self._stream:
            self._print(text)
        else:
            self._rich_console(self._errors).print(text, soft_wrap=True)

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """A table; columns of numbers are set to the right."""
        box = rich.box.SIMPLE_HEAD if self._unicode else rich.box.ASCII2
        table = Table(title=clean(title) or None, box=box, title_justify="left", pad_edge=False)
        cells = [[clean(str(cell)) for cell in row] for row in rows]
        for number, column in enumerate(columns):
            right = bool(cells) and all(_NUMBER.fullmatch(row[number]) for row in cells)
            table.add_column(clean(column), justify="right" if right else "left", overflow="fold")
        for row in cells:
            table.add_row(*(Text(cell) for cell in row))
        if self.terminal:
            self._print(table)
            return
        with self._rich.capture() as captured:
            self._rich.print(table)
        self._write("".join(f"{part.rstrip()}\n" for part in captured.get().splitlines()))

    def progress(self, label: str, done_bytes: int, total_bytes: int | None) -> None:
        """How far a transfer is. It ends when `done_bytes` is `total_bytes`, or with its step."""
        label, now = clean(label), self._clock()
        ended = done_bytes == total_bytes
        with self._lock:
            known = self._progress.get(label) or _Progress(now)
            known.done, known.total = done_bytes, total_bytes
            if ended:
                self._progress = {k: p for k, p in self._progress.items() if k != label}
            elif label not in self._progress:
                self._progress = {**self._progress, label: known}
                self._wake()
        if not self.terminal:
            if now - known.told >= PROGRESS_SECONDS:
                known.told = now
                self._plain(f"{label}: {known.text()}")
        elif ended:
            self._sleep_if_idle()

    def result(self, data: object) -> None:
        """The JSON a `--json` run writes, alone, to standard output."""
        json_module.dump(data, sys.stdout, indent=2, sort_keys=True, default=str)
        sys.stdout.write("\n")
        sys.stdout.flush()

    def close(self) -> None:
        """Leave the terminal as it was: no live region, cursor shown. May be called twice."""
        with self._lock:
            beats, self._stop_beats = self._stop_beats, None
            if beats:
                beats.set()
            live, self._live = self._live, None
            if live:
                live.stop()
                atexit.unregister(self.close)

    def __enter__(self) -> Console:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # --- a terminal ---------------------------------------------------------------------------

    def _rich_console(self, stream: TextIO) -> RichConsole:
        options: dict[str, Any] = {} if self.terminal else {"width": PLAIN_WIDTH, "no_color": True}
        return RichConsole(
            file=stream,
            force_terminal=self.terminal,
            color_system="auto" if self.terminal else None,
            highlight=False,
            markup=False,
            emoji=False,
            **options,
        )

    def _wake(self) -> None:
        """Something runs: show it (with the lock held)."""
        if not self.terminal:
            if self._stop_beats is None:
                self._stop_beats = threading.Event()
                threading.Thread(
                    target=self._beats, args=(self._stop_beats,), name="heartbeat", daemon=True
                ).start()
        elif self._live is None:
            self._live = Live(
                console=self._rich,
                get_renderable=self._region,
                refresh_per_second=8,
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            atexit.register(self.close)
            self._live.start()

    def _sleep_if_idle(self) -> None:
        with self._lock:
            if not self._running and not self._progress:
                self.close()

    def _region(self) -> Group:
        """The live lines, each cut to the width the terminal has now."""
        now = self._clock()
        frames = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏" if self._unicode else "|/-\\"
        spinner = frames[int(now * 8) % len(frames)]
        lines = []
        for step in self._running:
            lines.append(
                Text.assemble(
                    (f"{spinner} ", "cyan"),
                    (step.name, "bold"),
                    (f"  {duration(now - step.started)}", "cyan"),
                    (f"  {step.last}", "dim"),
                )
            )
        for label, progress in self._progress.items():
            lines.append(Text.assemble("  ", label, (f"  {progress.text()}", "cyan")))
        for line in lines:
            line.no_wrap = True
            line.truncate(max(self._rich.width - 1, 10), overflow="ellipsis")
        return Group(*lines)

    def _finished(self, line: StepLine, mark: str) -> None:
        took = duration(self._clock() - line.started)
        if not self.terminal:
            self._plain(f"{line.name}: {line.outcome} ({took})")
            return
        good = mark == "ok"
        signs = ("✓", "✗") if self._unicode else ("ok", "FAILED")
        style = "green" if good else "red"
        self._print(
            Text.assemble(
                (f"{signs[0] if good else signs[1]} ", style),
                f"{line.name:<40}  ",
                (f"{line.outcome:<14}  ", style if not good else "dim"),
                (took, "cyan"),
            )
        )

    def _print(self, what: Text | Table) -> None:
        soft = isinstance(what, Text)
        self._rich.print(what, soft_wrap=soft)

    # --- a log file ---------------------------------------------------------------------------

    def _plain(self, text: str) -> None:
        minutes, seconds = divmod(int(self._clock() - self._begun), 60)
        self._write(f"[{minutes:3}:{seconds:02}] {text}\n")

    def _write(self, text: str) -> None:
        encoding = getattr(self._stream, "encoding", None) or "utf-8"
        with self._lock:
            self._stream.write(text.encode(encoding, "replace").decode(encoding))
            self._stream.flush()

    def _beats(self, stop: threading.Event) -> None:
        while not stop.wait(min(self._heartbeat, 1.0)):
            try:
                self._beat()
            except (OSError, ValueError):  # the stream is gone: the next step will say so
                return

    def _beat(self) -> None:
        """A sign of life of each step that has been quiet for long."""
        now = self._clock()
        for step in self._running:
            if now - step.told >= self._heartbeat:
                step.told = now
                tail = f": {step.last[:LOG_WIDTH]}" if step.last else ""
                self._plain(f"{step.name}: running for {duration(now - step.started)}{tail}")
