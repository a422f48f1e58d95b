"""The step that makes a toolchain: what the compiler wrapper reads, and its run-time archive."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path

from crosspi import places
from crosspi.containers.build_machine import (
    BuildMachine,
    run_commands,
)
from crosspi.containers.job import Mount
from crosspi.containers.rooms import ROOM
from crosspi.data.targets import Toolchain
from crosspi.digests import digest
from crosspi.work.plan import Step, Workspace

TOOLCHAIN_ENVIRONMENT: Mapping[str, str] = {
    "CROSSPI_TOOLCHAIN": places.TOOLCHAIN,
    "CCACHE_COMPILERTYPE": "clang",
    # zig is known by its version: the wrapper's flags are on the command line.
    "CCACHE_COMPILERCHECK": "zig version",
}
#: ccache believes the compiler about what was included, and does not preprocess as well: 12 to 28 %
#: of the CPU time. Only in compile steps: numpy compiles its LAPACK twice, under two names, and
#: preprocessed they are one.
COMPILE_ENVIRONMENT: Mapping[str, str] = {**TOOLCHAIN_ENVIRONMENT, "CCACHE_DEPEND": "1"}


def toolchain_script(toolchain: Toolchain) -> str:
    """The shell data that the compiler wrapper reads: toolchains/*.yaml for bash."""
    compiler = toolchain.data.compiler
    # Absolute paths of the build must not end up in __FILE__ strings.
    prefixes = [f"-ffile-prefix-map={path}=" for path in places.BUILD_PATHS]
    arrays = {
        "CFLAGS": [*compiler.flags, *prefixes],
        "LINK_FLAGS": list(compiler.link_flags),
        "DROP": list(compiler.drop),
        "MARCH": [f"{key}={cpu}" for key, cpu in compiler.march],
    }
    lines = [
        f"TARGET={shlex.quote(f'{compiler.target}.{compiler.glibc}')}",
        f"CPU={shlex.quote(compiler.cpu)}",
        f"CLANG_CPU={shlex.quote(compiler.clang_cpu)}",
    ]
    lines += [f"{name}=({shlex.join(values)})" for name, values in arrays.items()]
    return "\n".join(lines) + "\n"


def toolchain_step(toolchain: Toolchain, machine: BuildMachine) -> Step:
    """The step that makes what a target's toolchain needs beside data: its run-time archive."""
    script = toolchain_script(toolchain)

    def act(work: Workspace) -> None:
        data = work.out.parent / "data"
        data.mkdir()
        (data / "toolchain.sh").write_text(script, encoding="utf-8")
        run_commands(
            machine,
            work,
            commands=[{"argv": ["make-toolchain", places.OUT], "cwd": "/tmp"}],
            mounts=[Mount(data, places.TOOLCHAIN)],
            environment=TOOLCHAIN_ENVIRONMENT,
        )

    inputs = {
        "data": digest(script),
        ROOM: machine.room(TOOLCHAIN_ENVIRONMENT, Path(__file__)),
    }
    return Step("toolchain", toolchain.name, inputs, (machine.image.step,), act)
