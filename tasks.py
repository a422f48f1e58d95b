"""The Invoke tasks: arguments and help. The work is in crosspi/."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec

from invoke import Context, task

SELECTION = {
    "target": "board or architecture; repeats, and takes commas",
    "python": "Python version like 3.11; repeats, and takes commas",
    "recipe": "package to build; repeats, and takes commas; default: the default set",
}
JOBS = {"jobs": "compiles, or smoke tests, at once; default: the number of cores"}
RUNNING = {
    "offline": "open no network connection",
    "verbose": "show every log line",
    "json": "print the result as JSON, alone, on standard output",
}
LISTS = ["target", "python", "recipe"]
BUILDING = {
    **JOBS,
    **RUNNING,
    "keep-going": "after a failure go on with what does not need it",
    "force": "run every step again",
    "smoke": "level of the smoke test: default or full",
}


@task(
    iterable=LISTS,
    help={**SELECTION, **BUILDING},
)
def build(
    _context: Context,
    target: Sequence[str] | None = None,
    python: Sequence[str] | None = None,
    recipe: Sequence[str] | None = None,
    jobs: str = "",
    offline: bool = False,
    keep_going: bool = False,
    force: bool = False,
    verbose: bool = False,
    json: bool = False,
    smoke: str = "default",
) -> None:
    """Build, audit, smoke-test and publish wheels: invoke build --target pi3 --python 3.11"""
    from crosspi.cli import commands
    from crosspi.cli.options import Options

    commands.build(Options(
        target or (), python or (), recipe or (),
        jobs=jobs, offline=offline, keep_going=keep_going, force=force, verbose=verbose,
        json=json, level=smoke,
    ))  # fmt: skip


@task(
    iterable=LISTS,
    help={
        "target": "board or architecture; repeats, and takes commas; default: all",
        "python": "Python version; repeats, and takes commas; default: all",
        "recipe": SELECTION["recipe"],
        **BUILDING,
        "keep-going": BUILDING["keep-going"] + "; the default",
        "junit": "also write the result as JUnit's XML to this file",
        "dry-run": "build nothing: show what many machines would do, each with its command",
    },
)
def matrix(
    _context: Context,
    target: Sequence[str] | None = None,
    python: Sequence[str] | None = None,
    recipe: Sequence[str] | None = None,
    jobs: str = "",
    offline: bool = False,
    keep_going: bool = True,
    force: bool = False,
    verbose: bool = False,
    json: bool = False,
    smoke: str = "default",
    junit: str = "",
    dry_run: bool = False,
) -> None:
    """Build for all boards and all Pythons, and show what became of it: invoke matrix"""
    from crosspi.cli import commands
    from crosspi.cli.options import Options

    options = Options(
        target or (), python or (), recipe or (),
        jobs=jobs, offline=offline, keep_going=keep_going, force=force, verbose=verbose,
        json=json, level=smoke,
    )  # fmt: skip
    if dry_run:
        commands.farm(options)
    else:
        commands.matrix(options, junit=junit)


@task(
    iterable=["source"],
    help={
        "source": "folder that another machine's builds published into; repeats",
        "to": "folder of the index; default: CROSSPI_DIST, or dist/",
        "json": RUNNING["json"],
    },
)
def publish(
    _context: Context, source: Sequence[str] | None = None, to: str = "", json: bool = False
) -> None:
    """Take what other machines built into one index: invoke publish --source /srv/pi3"""
    from crosspi.cli import publishing

    publishing.publish(source or (), to, json=json)


@task(
    help={
        "index": "a folder that was published into, or a site's address; default: dist/",
        "json": RUNNING["json"],
    },
)
def verify(_context: Context, index: str = "", json: bool = False) -> None:
    """Check every file and page of a published index: invoke verify --index /srv/index"""
    from crosspi.cli import publishing

    publishing.verify(index, json=json)


@task(
    positional=["file"],
    help={"file": "a published wheel, or NAME==VERSION", "why": "the reason, which pip shows"},
)
def yank(_context: Context, file: str, why: str = "") -> None:
    """Let pip take a wheel only for those who pinned it: invoke yank numpy==2.4.6 --why "…" """
    from crosspi.cli import publishing

    publishing.yank(file, why)


@task(positional=["file"], help={"file": "a published wheel, or NAME==VERSION"})
def unyank(_context: Context, file: str) -> None:
    """Take back that a wheel is yanked: invoke unyank numpy==2.4.6"""
    from crosspi.cli import publishing

    publishing.unyank(file)


@task(
    positional=["wheel"],
    help={
        "wheel": "any wheel file",
        "target": "the board it is held to; default: the one its name says",
        "run": "try its programs and modules on the emulated board too",
        "json": RUNNING["json"],
    },
)
def audit(
    _context: Context, wheel: str, target: str = "", run: bool = False, json: bool = False
) -> None:
    """Check a wheel's machine code against a board: invoke audit any.whl --target pi3"""
    from crosspi.cli import commands

    commands.audit(wheel, target, json=json, run=run)


@task(iterable=LISTS, help={**SELECTION, **RUNNING, "level": "default or full"})
def smoke(
    _context: Context,
    target: Sequence[str] | None = None,
    python: Sequence[str] | None = None,
    recipe: Sequence[str] | None = None,
    level: str = "default",
    offline: bool = False,
    verbose: bool = False,
    json: bool = False,
) -> None:
    """Run the smoke tests again: invoke smoke --target pi3 --python 3.11 --recipe numpy"""
    from crosspi.cli import commands
    from crosspi.cli.options import Options

    commands.smoke(Options(
        target or (), python or (), recipe or (),
        level=level, offline=offline, verbose=verbose, json=json,
    ))  # fmt: skip


@task(
    iterable=[*LISTS, "model", "against", "shape"],
    help={
        **SELECTION,
        "recipe": "a version of tflite-runtime, like tflite-runtime==2.14.1; repeats",
        "model": "a .tflite file; repeats; default: six small ones of our own",
        "against": "another wheel beside ours, a file or NAME==VERSION; repeats",
        "shape": "of an input that has none of its own: INPUT=1,224,224,3; repeats",
        "numpy": "the wheel of a numpy that all of them use; default: ours",
        "out": "the folder for the chart; default: dist/bench",
        **RUNNING,
    },
)
def bench(
    _context: Context,
    target: Sequence[str] | None = None,
    python: Sequence[str] | None = None,
    recipe: Sequence[str] | None = None,
    model: Sequence[str] | None = None,
    against: Sequence[str] | None = None,
    shape: Sequence[str] | None = None,
    numpy: str = "",
    out: str = "",
    offline: bool = False,
    verbose: bool = False,
    json: bool = False,
) -> None:
    """Count instructions per inference: invoke bench --target pi3 --python 3.11"""
    from crosspi.cli.bench import Wanted
    from crosspi.cli.bench import bench as measure
    from crosspi.cli.options import Options

    options = Options(
        target or (), python or (), recipe or (), offline=offline, verbose=verbose, json=json
    )
    measure(options, Wanted(model or (), against or (), shape or (), numpy=numpy, out=out))


@task(
    iterable=["recipe"],
    help={
        "recipe": "recipe or part; repeats, and takes commas; default: the default set",
        "offline": RUNNING["offline"],
    },
)
def fetch(_context: Context, recipe: Sequence[str] | None = None, offline: bool = False) -> None:
    """Fetch and verify sources, or tell the hash of unpinned ones: invoke fetch --recipe numpy"""
    from crosspi.cli import commands

    commands.fetch(recipe or (), offline=offline)


@task(
    iterable=["recipe", "version"],
    optional=["tools"],
    help={
        "recipe": "write the pins of this recipe",
        "version": "of this version; default: of all that are pinned",
        "tools": "renew the locks of build tools: of this name, or of all",
    },
)
def track(
    _context: Context,
    recipe: Sequence[str] | None = None,
    version: Sequence[str] | None = None,
    tools: str | bool = "",
) -> None:
    """Write pins and locks from what the origins have: invoke track --recipe numpy"""
    from crosspi.cli import tracking

    if tools:
        tracking.track_tools([] if tools is True else [str(tools)])
    if recipe or not tools:
        tracking.track_recipes(recipe or (), version or ())


@task(
    name="new-recipe",
    positional=["name"],
    help={"name": "the package, as the index knows it", "version": "default: the newest"},
)
def new_recipe(_context: Context, name: str, version: str = "") -> None:
    """Write a recipe from a package's source distribution: invoke new-recipe msgpack"""
    from crosspi.cli import recipes

    recipes.new_recipe(name, version)


@task(name="list", help={"json": RUNNING["json"]})
def list_(_context: Context, json: bool = False) -> None:
    """Show targets, Pythons, recipes, and the wheels that are built: invoke list"""
    from crosspi.cli import commands

    commands.list_everything(json=json)


@task(iterable=LISTS, help={**SELECTION, "force": "as for build", "json": RUNNING["json"]})
def plan(
    _context: Context,
    target: Sequence[str] | None = None,
    python: Sequence[str] | None = None,
    recipe: Sequence[str] | None = None,
    force: bool = False,
    json: bool = False,
) -> None:
    """Show what a build would run, and why: invoke plan --target pi3 --python 3.11"""
    from crosspi.cli import commands
    from crosspi.cli.options import Options

    commands.plan(Options(target or (), python or (), recipe or (), force=force, json=json))


@task(
    help={
        "target": "board or architecture",
        "python": "for which Python; matters where a recipe differs",
        "recipe": "whose sources are there",
    }
)
def shell(_context: Context, target: str = "", python: str = "", recipe: str = "") -> None:
    """Open a shell in a build container: invoke shell --target pi3 --recipe numpy"""
    from crosspi.cli import commands

    commands.shell(target, python, recipe)


@task(help={"json": RUNNING["json"]})
def doctor(_context: Context, json: bool = False) -> None:
    """Check each prerequisite, its state and its remedy: invoke doctor"""
    from crosspi.cli import commands

    commands.doctor(json=json)


@task(
    help={
        "all": "sources, ccache and images too",
        "yes": "do it; without this it only says what would go",
    }
)
def clean(_context: Context, all: bool = False, yes: bool = False) -> None:
    """Remove what can be made again: invoke clean --yes"""
    from crosspi.cli import commands

    commands.clean(everything=all, yes=yes)


@task
def lint(context: Context) -> None:
    """Check style and types: invoke lint"""
    _developers_packages()
    python = sys.executable
    context.run(f"{python} -m ruff format --check .")
    context.run(f"{python} -m ruff check .")
    context.run(f"{python} -m mypy")


@task(
    pre=[lint],
    help={
        "e2e": "only the end-to-end tests",
        "unit": "only the fast ones",
        "bare": "only those on bare machines, of all systems; as root",
    },
)
def test(context: Context, e2e: bool = False, unit: bool = False, bare: bool = False) -> None:
    """Check style and types, then run the tests: invoke test"""
    _developers_packages()
    pytest = f"{sys.executable} -m pytest -m"
    others = "not e2e" if unit else "e2e and not bare" if e2e else "not bare"
    if not bare:
        context.run(f"{pytest} '{others}'", pty=sys.stdout.isatty())
    if not unit:
        chosen = "bare" if bare else "bare and not nightly"
        context.run(f"{_as_root()}{pytest} '{chosen}'", pty=sys.stdout.isatty())


def _developers_packages() -> None:
    from crosspi.errors import HostError

    missing = [name for name in ("mypy", "pytest", "ruff") if find_spec(name) is None]
    if missing:
        raise HostError(
            f"this environment has no {', '.join(missing)}",
            where=sys.prefix,
            why="builds do not need them",
            fix="run it once by ./inv: it installs requirements-dev.lock",
        )


def _as_root() -> str:
    """What a command begins with that needs root, where sudo asks no questions; else ""."""
    sudo = shutil.which("sudo")
    if os.geteuid() == 0 or not sudo:
        return ""  # the tests say what they lack
    if subprocess.run([sudo, "-n", "true"], capture_output=True).returncode:
        return ""
    kept = "--preserve-env=CI,CROSSPI_SOURCES"
    return f"sudo -n -H {kept} env PYTHONDONTWRITEBYTECODE=1 PYTEST_ADDOPTS='-p no:cacheprovider' "
