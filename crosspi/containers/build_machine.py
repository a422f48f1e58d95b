"""The build machine: runs commands in containers that have no network, and says what they cost."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from crosspi import guests, places
from crosspi.caches import make_cache
from crosspi.containers.engine import Engine
from crosspi.containers.images import Image
from crosspi.containers.job import Command, Job, Mount
from crosspi.containers.rooms import room
from crosspi.containers.users import give_to_container_user
from crosspi.data.source import Source
from crosspi.digests import digest_files
from crosspi.errors import BuildError, disk_full, tells_disk_full
from crosspi.said import Said
from crosspi.sources.cache import SourceCache
from crosspi.trees import check_tree
from crosspi.work.plan import Workspace
from crosspi.work.store import Cost

_DRIVER = Path(guests.__file__).parent / "run_commands.py"
#: In a build container, beside the folders that `builders` names.
_DRIVER_INSIDE = "/crosspi/run_commands.py"
_CACHES = "/cache"
_STEP = "/step"
#: Exit codes that tell more than that it failed.
_KILLED = {137: "it was killed, most likely because memory ran out (fewer --jobs need less)\n"}
#: On disk: zig keeps gigabytes there while it compiles, which would not fit into memory.
SCRATCH = "/scratch"
ENVIRONMENT: Mapping[str, str] = {
    "CCACHE_DIR": f"{_CACHES}/ccache",
    "CCACHE_STATSLOG": "/tmp/ccache-stats",
    "CCACHE_UMASK": "002",
    "CROSSPI_DROPPED_FLAGS": "/tmp/dropped-flags",
    "ZIG_GLOBAL_CACHE_DIR": f"{_CACHES}/zig",
    "ZIG_LOCAL_CACHE_DIR": f"{SCRATCH}/zig",
    "SOURCE_DATE_EPOCH": "315532800",
    "LC_ALL": "C.UTF-8",
}


@dataclass(frozen=True)
class BuildMachine:
    """What all steps in build containers share.

    Attributes:
        engine: gives the engine, when it is needed.
        image: the image with the tools.
        sources: where sources come from.
        caches: folder for ccache's and zig's caches.
        jobs: how many compiles run at once.
    """

    engine: Callable[[], Engine]
    image: Image
    sources: SourceCache
    caches: Path
    jobs: int

    def room(self, environment: Mapping[str, str], *code: Path) -> str:
        """What a step's key knows of a container here (see `rooms`).

        Args:
            environment: what the step gives it beside `ENVIRONMENT`.
            code: the step's own modules.
        """
        return room(self.image, {**ENVIRONMENT, **environment}, Path(__file__), _DRIVER, *code)


def folder_digest(folder: Path, without: Collection[Path] = ()) -> str:
    """What a build can read of a recipe's or part's folder: all but its data and smoke test.

    What the YAML files at its top say gets into keys by the values that a step uses of it.

    Args:
        folder: the recipe's or part's.
        without: files that this build does not read either.
    """
    paths = [p for p in sorted(folder.iterdir()) if not p.name.startswith("smoke")]
    return digest_files(*(p for p in paths if p.suffix != ".yaml"), without=without)


def source_mounts(
    sources: Mapping[str, Source], folder: Path, machine: BuildMachine
) -> list[Mount]:
    """The sources of a recipe in `folder`, each under its name, read-only."""
    mounts = []
    for name, source in sources.items():
        path = machine.sources.fetch(name, source, base=folder)
        tree = path if path.is_dir() else path.parent
        mounts.append(Mount(tree, f"{places.SOURCES}/{name}"))
    return mounts


def build_job(
    machine: BuildMachine,
    argv: Sequence[str],
    *,
    mounts: Sequence[Mount],
    environment: Mapping[str, str],
    tmpfs: Sequence[str],
) -> Job:
    """A job in a build container: the compiler caches are there, and nothing else of the host."""
    caches = {"ccache": machine.caches / "ccache", "zig": machine.caches / "zig"}
    for path in caches.values():
        if not path.is_dir():
            make_cache(path)
        # Also where it was there: made by somebody else, or by a run that was killed just then.
        give_to_container_user(path)
    return Job(
        image=machine.image.tag,
        argv=argv,
        mounts=[
            Mount(_DRIVER, _DRIVER_INSIDE),
            *(Mount(path, f"{_CACHES}/{name}", writable=True) for name, path in caches.items()),
            *mounts,
        ],
        environment={**ENVIRONMENT, **environment},
        tmpfs=tmpfs,
        workdir=places.WORK,
    )


def run_commands(
    machine: BuildMachine,
    work: Workspace,
    *,
    commands: Sequence[Command],
    mounts: Sequence[Mount],
    environment: Mapping[str, str],
    tmpfs: Sequence[str] = (),
    roots: Collection[str] = (),
) -> None:
    """Run a step's commands in a build container; its cost goes to the workspace.

    Args:
        machine: where.
        work: the running step's.
        commands: see `guests/run_commands.py`.
        mounts: what it sees beside its own folders.
        environment: further variables.
        tmpfs: further folders in memory.
        roots: folders of the output that are root file systems.

    Raises:
        BuildError: one failed; has the log's last lines and its path. Or the output holds what
            may not leave the container.
    """
    working = work.out.parent / "work"
    step = work.out.parent / "step"
    scratch = work.out.parent / "scratch"
    for folder in (working, step, scratch, work.out):
        folder.mkdir(exist_ok=True)
        give_to_container_user(folder)
    usage = f"{_STEP}/usage.json"
    (step / "commands.json").write_text(
        json.dumps({"commands": list(commands), "usage": usage}),
        encoding="utf-8",
    )
    job = build_job(
        machine,
        ["python3", _DRIVER_INSIDE, f"{_STEP}/commands.json"],
        mounts=[
            Mount(working, places.WORK, writable=True),
            Mount(work.out, places.OUT, writable=True),
            Mount(step, _STEP, writable=True),
            Mount(scratch, SCRATCH, writable=True),
            *mounts,
        ],
        environment=environment,
        tmpfs=("/tmp", *tmpfs),
    )
    said = Said()

    def line(text: str) -> None:
        said.line(text)
        work.line(text)

    code = machine.engine().run(job, log=work.log, line=line)
    if code and tells_disk_full(said.text):
        raise disk_full("running a command in the build container", where=str(work.out.parent))
    if code:
        raise BuildError(
            f"a command in the build container failed (exit code {code})",
            where=f"the whole log: {work.log}",
            why=_KILLED.get(code, "") + "its last lines:\n" + said.text,
            fix="`invoke shell` opens a shell in the same container",
        )
    check_tree(step, left_by="the build container")
    check_tree(work.out, left_by="the build container", roots=roots)
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
