"""The steps that run in build containers: making a toolchain, compiling, building wheels' trees."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType

from crosspi import builders
from crosspi.builders import BuildContext, Command, cmake, pep517
from crosspi.engine import Engine, Job, Mount, give_to_container_user
from crosspi.errors import BuildError, disk_full, tells_disk_full
from crosspi.images import Image
from crosspi.plan import Step, Workspace, digest, digest_files
from crosspi.recipe import Recipe
from crosspi.sources.cache import SourceCache
from crosspi.store import Cost
from crosspi.targets import Cell, Toolchain

BUILDERS: Mapping[str, ModuleType] = {"cmake": cmake, "pep517": pep517}
#: Lines of a failed step's log that are shown with its error.
TAIL = 15
#: In a build container, beside the folders that `builders` names.
_CACHES = "/cache"
_BEFORE = "/before"
_STEP = "/step"
#: On disk: zig keeps gigabytes there while it compiles, which would not fit into memory.
_SCRATCH = "/scratch"


@dataclass(frozen=True)
class BuildMachine:
    """What all steps in build containers share.

    Attributes:
        engine: gives the engine, when it is needed.
        image: the toolchain image.
        sources: where sources come from.
        caches: folder for ccache's and zig's caches.
        jobs: how many compiles run at once.
    """

    engine: Callable[[], Engine]
    image: Image
    sources: SourceCache
    caches: Path
    jobs: int


def toolchain_script(toolchain: Toolchain) -> str:
    """The shell data that the compiler wrapper reads: toolchains/*.yaml for bash."""
    compiler = toolchain.data.compiler
    # Absolute paths of the build must not end up in __FILE__ strings.
    prefixes = [f"-ffile-prefix-map={path}=" for path in builders.BUILD_PATHS]
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
        _run(
            machine,
            work,
            toolchain=data,
            commands=[{"argv": ["make-toolchain", builders.OUT], "cwd": "/tmp"}],
            mounts=[],
        )

    return Step("toolchain", toolchain.name, {"data": digest(script)}, (machine.image.step,), act)


def compile_step(
    recipe: Recipe,
    toolchain_made: Step,
    toolchain: Toolchain,
    machine: BuildMachine,
    sources: Sequence[Step],
) -> Step | None:
    """The step that compiles what does not see Python, once a toolchain; None if there is none.

    Its result is the whole work folder: `build_step` goes on in a copy of it.
    """
    builder = BUILDERS[recipe.data.build.system]
    context = BuildContext(recipe=recipe, toolchain=toolchain, jobs=machine.jobs)
    commands: list[Command] = builder.compile_commands(recipe.data.build, context)
    if not commands:
        return None

    def act(work: Workspace) -> None:
        _run(
            machine,
            work,
            toolchain=work.results[toolchain_made.name],
            commands=commands,
            mounts=[*_source_mounts(recipe, machine), Mount(recipe.folder, builders.RECIPE)],
            work_is_result=True,
        )

    # How many run at once changes no result: a key knows no number of jobs.
    described = builder.compile_commands(recipe.data.build, replace(context, jobs=None))
    inputs = {
        "recipe": digest(described),
        "files of the recipe": _recipe_files(recipe),
    }
    needs = (machine.image.step, toolchain_made, *sources)
    return Step("compile", f"{recipe.name}-{toolchain.name}", inputs, needs, act)


def build_step(
    recipe: Recipe,
    cell: Cell,
    machine: BuildMachine,
    *,
    toolchain_made: Step,
    python_made: Step,
    compiled: Step | None,
    wheels: Mapping[str, Step],
    sources: Sequence[Step],
) -> Step:
    """The step that makes the tree of a wheel for one Python.

    Args:
        recipe: what is built.
        cell: for which Python and architecture.
        machine: where.
        toolchain_made, python_made, compiled: earlier steps.
        wheels: the wheel steps of the recipes that it needs for building, by name.
        sources: the steps of its sources.
    """
    builder = BUILDERS[recipe.data.build.system]

    def commands(python: Mapping[str, str], jobs: int | None) -> list[Command]:
        context = BuildContext(
            recipe=recipe,
            toolchain=cell.toolchain,
            jobs=jobs,
            cell=cell,
            python=python,
        )
        result: list[Command] = builder.python_commands(recipe.data.build, context)
        return result

    def act(work: Workspace) -> None:
        python = work.results[python_made.name]
        values = json.loads((python / "python.json").read_text(encoding="utf-8"))
        mounts = [
            *_source_mounts(recipe, machine),
            Mount(recipe.folder, builders.RECIPE),
            Mount(python, builders.PYTHON),
        ]
        first: list[Command] = []
        if compiled is not None:
            mounts.append(Mount(work.results[compiled.name], _BEFORE))
            # Times are kept, so that what is compiled counts as up to date.
            first.append({"argv": ["cp", "-a", f"{_BEFORE}/.", builders.WORK]})
        for name, wheel in wheels.items():
            mounts.append(Mount(work.results[wheel.name], f"/wheels/{name}"))
            first.append({"unpack": f"/wheels/{name}/*.whl", "to": f"{builders.NEEDS}/{name}"})
        _run(
            machine,
            work,
            toolchain=work.results[toolchain_made.name],
            commands=[*first, *commands(values, machine.jobs)],
            mounts=mounts,
            tmpfs=(builders.NEEDS,),
        )

    # The key is known before the interpreter is: its values stand in by their names. And how
    # many jobs run at once changes no result.
    names = ("version", "tag", "ext_suffix", "include")
    symbolic = commands({name: f"<python {name}>" for name in names}, None)
    inputs = {
        "recipe": digest(symbolic),
        "files of the recipe": _recipe_files(recipe),
    }
    needs = [machine.image.step, toolchain_made, python_made, *wheels.values(), *sources]
    if compiled is not None:
        needs.append(compiled)
    subject = f"{recipe.name}-{cell.identifier}"
    return Step("build", subject, inputs, tuple(needs), act)


def shell_job(recipe: Recipe, toolchain_folder: Path, machine: BuildMachine, work: Path) -> Job:
    """A job for an interactive look into a build container."""
    return _job(
        machine,
        ["bash"],
        toolchain=toolchain_folder,
        mounts=[
            *_source_mounts(recipe, machine),
            Mount(recipe.folder, builders.RECIPE),
            Mount(work, builders.WORK, writable=True),
        ],
        tmpfs=("/tmp", builders.OUT, _SCRATCH),
    )


def _recipe_files(recipe: Recipe) -> str:
    """What the build can read of the recipe's folder: all but its data and its smoke test."""
    paths = [p for p in sorted(recipe.folder.iterdir()) if not p.name.startswith("smoke")]
    return digest_files(*(p for p in paths if p.name != "recipe.yaml"))


def _source_mounts(recipe: Recipe, machine: BuildMachine) -> list[Mount]:
    mounts = []
    for name, source in recipe.data.sources.items():
        path = machine.sources.fetch(name, source, base=recipe.folder)
        folder = path if path.is_dir() else path.parent
        mounts.append(Mount(folder, f"{builders.SOURCES}/{name}"))
    return mounts


def _job(
    machine: BuildMachine,
    argv: Sequence[str],
    *,
    toolchain: Path,
    mounts: Sequence[Mount],
    tmpfs: Sequence[str],
) -> Job:
    caches = {"ccache": machine.caches / "ccache", "zig": machine.caches / "zig"}
    for folder in caches.values():
        if not folder.is_dir():
            folder.mkdir(parents=True)
            give_to_container_user(folder)
    return Job(
        image=machine.image.tag,
        argv=argv,
        mounts=[
            Mount(toolchain, builders.TOOLCHAIN),
            *(Mount(path, f"{_CACHES}/{name}", writable=True) for name, path in caches.items()),
            *mounts,
        ],
        environment={
            "CROSSPI_TOOLCHAIN": builders.TOOLCHAIN,
            "CROSSPI_DROPPED_FLAGS": "/tmp/dropped-flags",
            "ZIG_GLOBAL_CACHE_DIR": f"{_CACHES}/zig",
            "ZIG_LOCAL_CACHE_DIR": f"{_SCRATCH}/zig",
            "CCACHE_DIR": f"{_CACHES}/ccache",
            "CCACHE_COMPILERTYPE": "clang",
            # zig is known by its version: the wrapper's flags are on the command line.
            "CCACHE_COMPILERCHECK": "zig version",
            "CCACHE_STATSLOG": "/tmp/ccache-stats",
            "CCACHE_UMASK": "002",
            "SOURCE_DATE_EPOCH": "315532800",
            "LC_ALL": "C.UTF-8",
        },
        tmpfs=tmpfs,
        workdir=builders.WORK,
    )


def _run(
    machine: BuildMachine,
    work: Workspace,
    *,
    toolchain: Path,
    commands: Sequence[Command],
    mounts: Sequence[Mount],
    tmpfs: Sequence[str] = (),
    work_is_result: bool = False,
) -> None:
    """Run commands in a build container.

    Raises:
        BuildError: one failed; has the log's last lines and its path.
    """
    other = work.out.parent / "work"
    step = work.out.parent / "step"
    scratch = work.out.parent / "scratch"
    for folder in (other, step, scratch, work.out):
        folder.mkdir(exist_ok=True)
        give_to_container_user(folder)
    usage = f"{_STEP}/usage.json"
    (step / "commands.json").write_text(
        json.dumps({"commands": list(commands), "environment": {}, "usage": usage}),
        encoding="utf-8",
    )
    working, result = (work.out, other) if work_is_result else (other, work.out)
    job = _job(
        machine,
        ["run-commands", f"{_STEP}/commands.json"],
        toolchain=toolchain,
        mounts=[
            Mount(working, builders.WORK, writable=True),
            Mount(result, builders.OUT, writable=True),
            Mount(step, _STEP, writable=True),
            Mount(scratch, _SCRATCH, writable=True),
            *mounts,
        ],
        tmpfs=("/tmp", *tmpfs),
    )
    tail: list[str] = []

    def line(text: str) -> None:
        tail.append(text)
        del tail[:-TAIL]
        work.line(text)

    code = machine.engine().run(job, log=work.log, line=line)
    if code and tells_disk_full("\n".join(tail)):
        raise disk_full("running a command in the build container", where=str(work.out.parent))
    if code:
        raise BuildError(
            f"a command in the build container failed (exit code {code})",
            where=f"the whole log: {work.log}",
            why="its last lines:\n" + "\n".join(tail),
            fix="`invoke shell` opens a shell in the same container",
        )
    used = json.loads((step / "usage.json").read_text(encoding="utf-8"))
    work.cost = Cost(
        cpu=used["cpu"], ccache_hits=used["ccache_hits"], ccache_misses=used["ccache_misses"]
    )
    dropped = used.get("dropped_flags", {})
    if dropped:
        work.notes["dropped flags"] = dropped
        work.line(
            "flags changed by the wrapper: " + ", ".join(f"{n}× {f}" for f, n in dropped.items())
        )
