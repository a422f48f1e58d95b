"""The compiler wrapper, as build systems call it, inside the build machine's image."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from crosspi.audit.elf.format import EF_ABI_HARD, read_header
from crosspi.console import Console
from crosspi.containers.job import Job, Mount
from crosspi.containers.users import give_to_container_user
from crosspi.graph import Graph
from crosspi.paths import Paths
from crosspi.project import Project
from crosspi.steps.toolchain import toolchain_script
from crosspi.work.execution import execute

pytestmark = pytest.mark.e2e

CHECKOUT = Path(__file__).resolve().parents[2]
Shell = Callable[[str], tuple[int, str]]


@pytest.fixture
def work(tmp_path: Path) -> Path:
    give_to_container_user(tmp_path)
    return tmp_path


@pytest.fixture
def shell(work: Path) -> Shell:
    """Runs a script with the toolchain in place."""
    project = Project(Paths.from_environment(CHECKOUT), Console())
    toolchain = project.targets.toolchains["armv7"]
    step = Graph(project).toolchain(toolchain)
    for outcome in execute([step], project.store, project.console, work.parent):
        assert outcome.error is None, outcome.error
    entry = project.store.find(step.kind, step.subject, step.key)
    assert entry is not None
    assert (entry.out / "toolchain.sh").read_text() == toolchain_script(toolchain)
    lines: list[str] = []

    def run(script: str) -> tuple[int, str]:
        lines.clear()
        job = Job(
            image=project.machine().image.tag,
            argv=["bash", "-c", script],
            mounts=[Mount(entry.out, "/toolchain"), Mount(work, "/work", writable=True)],
            environment={
                "CROSSPI_TOOLCHAIN": "/toolchain",
                "CROSSPI_DROPPED_FLAGS": "/work/dropped",
                "ZIG_GLOBAL_CACHE_DIR": "/tmp/zig",
                "ZIG_LOCAL_CACHE_DIR": "/tmp/zig",
                "CCACHE_DIR": "/tmp/ccache",
            },
            workdir="/work",
        )
        code = project.engine().run(job, log=work.parent / "shell.log", line=lines.append)
        return code, "\n".join(lines)

    return run


def test_cmake_autotools_and_setuptools_ways_of_calling(work: Path, shell: Shell) -> None:
    """Configure-time probes, one-step links, compile then link, macros from stdin."""
    (work / "main.c").write_text('#include <stdio.h>\nint main(void) { puts("x"); return 0; }\n')
    code, text = shell(
        "set -e; cross-cc --version; cross-cc -v main.c -o conftest;"
        "cross-cc -c main.c -o main.o; cross-cc main.o -o program -lm;"
        "cross-cc -shared -fPIC -O2 -march=armv7-a -mfpu=neon -mfloat-abi=hard main.c -o m.so;"
        "cross-ar rcs lib.a main.o; cross-ranlib lib.a;"
        "printf '' | cross-cc -E -dM - | grep -c __ARM_ARCH"
    )
    assert code == 0, text
    for name in ("conftest", "program", "m.so"):
        header = read_header((work / name).read_bytes())
        assert header.flags & EF_ABI_HARD


def test_changed_flags_are_reported(work: Path, shell: Shell) -> None:
    (work / "a.c").write_text("int a;\n")
    code, text = shell("cross-cc -mfloat-abi=hard -march=armv7-a -mfpu=neon -c a.c")
    assert code == 0, text
    dropped = (work / "dropped").read_text().splitlines()
    assert "dropped -mfloat-abi=hard" in dropped
    assert "-march=armv7-a -mfpu=neon became -mcpu=cortex_a7" in dropped


def test_a_processor_that_the_toolchain_does_not_know_is_refused(work: Path, shell: Shell) -> None:
    (work / "a.c").write_text("int a;\n")
    code, text = shell("cross-cc -march=armv9-a -c a.c")
    assert code == 1
    assert "-march=armv9-a" in text and "toolchains/" in text


def test_no_debug_information_is_made(work: Path, shell: Shell) -> None:
    """zig makes it unless told: a fifth of the time to compile numpy, and stripped at the end."""
    (work / "d.c").write_text("int d(int x) { return x + 1; }\n")
    code, text = shell("cross-cc -O2 -c d.c && arm-linux-gnueabihf-readelf --wide --sections d.o")
    assert code == 0, text
    assert ".text" in text and ".debug" not in text


def test_memory_and_mathematics_come_from_glibc(work: Path, shell: Shell) -> None:
    """zig's own are slower, or wrong for subnormals: see bin/make-toolchain."""
    (work / "m.c").write_text(
        "#include <math.h>\n#include <string.h>\n"
        "double f(double x, long long n, void *a, void *b)"
        "{ memcpy(a, b, (int)n); return log(x) + (double)(n / (int)x); }\n"
    )
    code, text = shell(
        "cross-cc -O2 -shared -fPIC m.c -o m.so -lm && arm-linux-gnueabihf-nm -D m.so"
    )
    assert code == 0, text
    assert " U memcpy@GLIBC_2.4" in text and " U log@GLIBC" in text


def test_a_container_has_no_network_no_root_and_no_capabilities(shell: Shell) -> None:
    code, text = shell("id -u; cat /proc/self/status | grep CapEff; ls /sys/class/net")
    assert code == 0
    uid, capabilities, *interfaces = text.splitlines()
    assert int(uid) != 0
    assert int(capabilities.split()[1], 16) == 0
    assert interfaces == ["lo"]
