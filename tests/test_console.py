"""The console: plain lines in a log, live lines on a terminal, a terminal left sane."""

from __future__ import annotations

import io
import os
import pty
import select
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from crosspi.console import Console, clean, duration, size
from crosspi.errors import BuildError, Interrupted

HIDE, SHOW = "\x1b[?25l", "\x1b[?25h"
REPO = Path(__file__).parents[1]


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def stream() -> io.StringIO:
    return io.StringIO()


def plain(stream: io.StringIO, clock: Clock, **options: bool) -> Console:
    return Console(terminal=False, stream=stream, clock=clock, heartbeat=60, **options)


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("\x1b[1;31mred\x1b[0m end\n", "red end"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]8;;http://x\x1b\\link", "link"),
        (" 10 %\r 20 %\r 99 %", " 99 %"),
        ("a\tb\x00\x07\x9b", "a b"),
        ("abc\u202egnp.exe", "abcgnp.exe"),
        ("\x1b", ""),
        ("done\r\n", "done"),
    ],
)
def test_clean_leaves_one_printable_line(raw: str, shown: str) -> None:
    assert clean(raw) == shown


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.04, "0.0 s"), (59.9, "59.9 s"), (125, "2:05"), (3723.4, "1:02:03")]
)
def test_duration(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_size() -> None:
    assert [size(n) for n in (0, 999, 1800, 1_800_000, 23 * 10**9)] == [
        "0 B",
        "999 B",
        "1.8 kB",
        "1.8 MB",
        "23.0 GB",
    ]


def test_plain_steps_are_one_line_a_change(stream: io.StringIO, clock: Clock) -> None:
    console = plain(stream, clock)
    clock.now += 723
    with console.step("compile tflite-runtime-armv7") as step:
        step.log("[1/2] CXX a.o")
        step.state("built")
        clock.now += 61
    assert stream.getvalue().splitlines() == [
        "[ 12:03] compile tflite-runtime-armv7: started",
        "[ 13:04] compile tflite-runtime-armv7: built (1:01)",
    ]


def test_verbose_shows_every_log_line(stream: io.StringIO, clock: Clock) -> None:
    with plain(stream, clock, verbose=True).step("fetch") as step:
        step.log("one\x1b[K")
        step.log("  ")
    assert "[  0:00] fetch | one\n" in stream.getvalue()
    assert len(stream.getvalue().splitlines()) == 3


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (BuildError("x"), "failed"),
        (KeyboardInterrupt(), "interrupted"),
        (Interrupted("x"), "interr"),
    ],
)
def test_a_step_that_raises_is_marked_and_goes_on_up(
    error: BaseException, state: str, stream: io.StringIO, clock: Clock
) -> None:
    with pytest.raises(type(error)), plain(stream, clock).step("audit") as step:
        step.state("built")
        raise error
    assert f"audit: {state}" in stream.getvalue()
    assert "built" not in stream.getvalue()


def test_a_long_quiet_step_says_that_it_lives(stream: io.StringIO, clock: Clock) -> None:
    console = plain(stream, clock)
    with console.step("compile") as step:
        step.log("x" * 500)
        console._beat()
        clock.now += 60
        console._beat()
        console._beat()
    beats = [line for line in stream.getvalue().splitlines() if "running" in line]
    assert beats == ["[  1:00] compile: running for 1:00: " + "x" * 160]


def test_the_heartbeat_thread_ends_with_the_last_step(stream: io.StringIO) -> None:
    console = Console(terminal=False, stream=stream, heartbeat=0.02)
    with console.step("compile"):
        time.sleep(0.2)
    assert "running for" in stream.getvalue()
    deadline = time.monotonic() + 5
    while any(t.name == "heartbeat" for t in threading.enumerate()):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_plain_progress_is_rare(stream: io.StringIO, clock: Clock) -> None:
    console = plain(stream, clock)
    for second in range(25):
        console.progress("numpy.tar.gz", second * 10**6, 25 * 10**6)
        clock.now += 1
    console.progress("numpy.tar.gz", 25 * 10**6, 25 * 10**6)
    console.progress("small.whl", 10, None)
    console.close()
    assert stream.getvalue().splitlines() == [
        "[  0:10] numpy.tar.gz: 10.0 MB of 25.0 MB, 40 %",
        "[  0:20] numpy.tar.gz: 20.0 MB of 25.0 MB, 80 %",
    ]


def test_tables_in_a_log_are_not_folded(stream: io.StringIO, clock: Clock) -> None:
    wheel = "dist/" + "w" * 120 + ".whl"
    plain(stream, clock).table(
        "wheels", ["wheel", "size"], [(wheel, "1.8 MB"), ("[b]x", "12.0 MB")]
    )
    lines = stream.getvalue().splitlines()
    assert any(wheel in line and line.endswith(" 1.8 MB") for line in lines)
    assert any("[b]x" in line and line.endswith("12.0 MB") for line in lines)


def test_an_error_shows_all_its_parts(stream: io.StringIO, clock: Clock) -> None:
    error = BuildError("gcc\x1b[2J failed", where="a.c:1", why="[bold]no[/]", fix="one\ntwo")
    plain(stream, clock).error(error)
    assert stream.getvalue().splitlines() == [
        "build failed: gcc failed",
        "  where: a.c:1",
        "  why:   [bold]no[/]",
        "  fix:   one",
        "         two",
    ]


def test_json_keeps_standard_output_clean(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console(json=True)
    with console.step("compile"):
        console.line("hello")
    console.error(BuildError("x"))
    console.result({"wheels": [Path("a.whl")]})
    out, err = capsys.readouterr()
    assert out == '{\n  "wheels": [\n    "a.whl"\n  ]\n}\n'
    assert "hello" in err and "build failed: x" in err


def test_errors_go_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    Console().error(BuildError("x"))
    assert capsys.readouterr() == ("", "build failed: x\n")


def test_a_stream_without_unicode(clock: Clock) -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    console = Console(terminal=False, stream=stream, clock=clock)
    console.line("größe ✓")
    console.table("t", ["a"], [["ü"]])
    stream.flush()
    assert b"gr??e ?" in raw.getvalue()


def test_a_terminal_shows_a_live_line_and_then_one_above(
    stream: io.StringIO, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.delenv("NO_COLOR", raising=False)
    console = Console(terminal=True, stream=stream, clock=clock)
    with console.step("compile [x]") as step:
        step.log("cc " + "y" * 200)
        clock.now += 3
        (line,) = console._region().renderables
        assert len(line.plain) <= 59  # type: ignore[union-attr]
        assert "compile [x]  3.0 s  cc yyy" in line.plain  # type: ignore[union-attr]
        step.state("from the store")
    text = stream.getvalue()
    assert text.count(HIDE) == text.count(SHOW) == 1
    assert text.rindex(HIDE) < text.rindex(SHOW)
    assert "✓" in text and "from the store" in text


def test_no_color(stream: io.StringIO, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    console = Console(terminal=True, stream=stream, clock=clock)
    with console.step("compile"):
        pass
    assert "\x1b[3" not in stream.getvalue()


def test_steps_in_many_threads(stream: io.StringIO) -> None:
    console = Console(terminal=True, stream=stream)

    def work(number: int) -> None:
        for turn in range(20):
            with console.step(f"s{number}") as step:
                step.log("line")
                console.progress(f"p{number}", turn, 20)

    threads = [threading.Thread(target=work, args=(n,), daemon=True) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert not any(thread.is_alive() for thread in threads)
    assert stream.getvalue().count("✓") == 160
    assert console._live is None and not console._progress


def test_ctrl_c_leaves_the_terminal_sane() -> None:
    program = (
        "import time\n"
        "from crosspi.console import Console\n"
        "with Console().step('compile') as step:\n"
        "    step.log('working')\n"
        "    time.sleep(30)\n"
    )
    master, slave = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "PYTHONPATH": str(REPO)}
    child = subprocess.Popen(
        [sys.executable, "-c", program], stdout=slave, stderr=subprocess.DEVNULL, env=environment
    )
    os.close(slave)
    seen = b""
    try:
        while b"working" not in seen:
            assert select.select([master], [], [], 300)[0], seen
            seen += os.read(master, 4096)
        child.send_signal(signal.SIGINT)
        while True:
            try:
                part = os.read(master, 4096)
            except OSError:
                break
            if not part:
                break
            seen += part
        child.wait(300)
    finally:
        child.kill()
        child.wait()
        os.close(master)
    text = seen.decode()
    assert text.rindex(SHOW) > text.rindex(HIDE)
    assert "interrupted" in text
