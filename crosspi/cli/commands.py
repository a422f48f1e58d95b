"""What the tasks do, one function a task."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from crosspi import caches
from crosspi import junit as xml
from crosspi.boards import law_of, promises_for, toolchains_of
from crosspi.cli.options import Options
from crosspi.cli.session import session
from crosspi.console import size
from crosspi.containers.contents import Remembered
from crosspi.data.part import load_parts
from crosspi.data.recipe import Recipes
from crosspi.data.source import Source
from crosspi.data.targets import split_words
from crosspi.errors import AuditError, CrosspiError, NotAWheelError, UsageError
from crosspi.files import file_sha256, write_text
from crosspi.graph import Graph, ProductSteps
from crosspi.index.numbers import is_archive
from crosspi.index.publishing import listing
from crosspi.project import Project, Request
from crosspi.reports import build as report
from crosspi.reports.answers import (
    ListAnswer,
    PlanAnswer,
    PlannedStep,
    SmokeAnswer,
)
from crosspi.reports.proven import last_proven, proven_on, proven_text
from crosspi.run import build as build_wheels
from crosspi.run import carried_out, withdraw_unproven
from crosspi.smoke.results import read_results
from crosspi.work.plan import Step, pending


@contextmanager
def _working(options: Options) -> Iterator[Project]:
    """A session that reads and writes the caches, as its options say. Raises what they do."""
    with session(
        verbose=options.verbose, json=options.json, offline=options.offline, works=True
    ) as project:
        options.check()
        project.jobs = options.jobs_or(project.jobs)
        yield project


def build(options: Options) -> None:
    """Build, audit, smoke-test and publish."""
    with _working(options) as project:
        request = project.request(options.target, options.python, options.recipe)
        result = build_wheels(
            project,
            request,
            force=options.force,
            keep_going=options.keep_going,
            level=options.level,
        )
        if options.json:
            project.console.result(report.answer(result).plain())
        report.show(project.console, result, project.paths.dist)
        _raise_all(project, result.errors)


def _of_matrix(project: Project, options: Options) -> Request:
    """All boards × all Pythons × the default recipes, or what of them is selected."""
    request = project.request(
        options.target or list(project.targets.toolchains),
        options.python or list(project.targets.pythons),
        options.recipe,
    )
    if all(project.refusal(package, cell) for package, cell in request.wanted):
        project.check(request)
        raise UsageError("no recipe is selected", fix="name some with --recipe")
    return request


def farm(options: Options) -> None:
    """What a matrix would do, as branches for many machines."""
    from crosspi.reports import farm as farms

    with session(json=options.json) as project:
        project.only_looks = True
        plan = farms.planned(project, _of_matrix(project, options))
        if options.json:
            project.console.result(plan.plain())
        else:
            farms.show(project.console, plan)


def matrix(options: Options, *, junit: str) -> None:
    """Build all boards × all Pythons × the default recipes, or what of them is selected."""
    from crosspi.reports import matrix as matrices

    with _working(options) as project:
        if junit and not Path(junit).absolute().parent.is_dir():
            raise UsageError(
                f"there is no folder for '{junit}'", where="--junit", fix="make the folder first"
            )
        request = _of_matrix(project, options)
        result = matrices.run(
            project,
            request,
            force=options.force,
            keep_going=options.keep_going,
            level=options.level,
        )
        if junit:
            write_text(Path(junit), xml.junit("matrix", matrices.cases(result)).decode())
        if options.json:
            project.console.result(matrices.answer(result).plain())
        matrices.show(project.console, result)
        _raise_all(project, result.errors)


def smoke(options: Options) -> None:
    """Run only smoke tests again, and what they need."""
    with _working(options) as project:
        request = project.request(options.target, options.python, options.recipe)
        chosen: dict[str, ProductSteps] = {}

        def goals() -> list[Step]:
            wheels = Graph(project, level=options.level).products(request)
            asked = [w for w in wheels if w.recipe.name in request.packages]
            chosen.update((step.name, w) for w in asked for step in w.smokes)
            steps = [step for w in asked for step in w.smokes]
            for step in steps:
                found = project.store.find(step.kind, step.subject, step.key)
                if found is not None:
                    project.store.discard(found)
            return steps

        outcomes = carried_out(project, goals)
        rows = []
        kept = []
        for outcome in outcomes:
            if outcome.entry is None or outcome.step.name not in chosen:
                continue
            results = read_results(outcome.entry.out / "results.json")
            kept.append(results)
            rows += [
                (outcome.step.subject, test.name, test.outcome, f"{test.seconds:.2f} s")
                for test in results.tests
            ]
        if options.json:
            project.console.result(SmokeAnswer(results=kept).plain())
        project.console.table("smoke tests", ("on", "test", "outcome", "time"), rows)
        for outcome in outcomes:
            if outcome.error is not None:
                if outcome.step.name in chosen:
                    withdraw_unproven(project, chosen[outcome.step.name], outcome.error)
                raise outcome.error


def audit(wheel: str, target: str, *, json: bool, run: bool = False) -> None:
    """Audit any wheel; with `run`, try its programs and modules on the emulated boards too."""
    from crosspi.audit import Verdict, audit_wheel
    from crosspi.audit.trials import decide
    from crosspi.steps.audit_tools import memory
    from crosspi.trial import try_wheel

    with session(json=json) as project:
        path = Path(wheel)
        if not path.is_file():
            raise NotAWheelError(
                "there is no such file", where=wheel, fix="name the path of a .whl file"
            )
        toolchains = (
            (project.targets.toolchain(target),) if target else toolchains_of(path, project.targets)
        )
        promises = promises_for(path, project.paths.dist)
        own = promises is not None
        reports = []
        known = memory(project.paths.audits)
        for toolchain in toolchains:
            law = law_of(path, toolchain, project.targets)
            judged = audit_wheel(path, law, promises, own=own, memory=known)
            if run:
                judged = decide(judged, try_wheel(project, path, toolchain))
            reports.append(judged)
        found = Verdict(tuple(reports))
        sys.stdout.write((found.to_json() if json else found.to_text()) + "\n")
        if not found.ok:
            broken = [judged.law for judged in found.reports if judged.verdict == "refused"]
            unsure = [judged.law for judged in found.reports if not judged.ok]
            raise AuditError(
                f"{path.name} breaks the law of {' and of '.join(broken)}"
                if broken
                else f"nobody can tell from {path.name} alone whether it keeps the law of "
                + " and of ".join(unsure),
                where=wheel,
                fix="each finding above names its way out",
            )


def fetch(recipe: Sequence[str], *, offline: bool) -> None:
    """Fetch and verify sources; of those without a pin, tell it."""
    with session(offline=offline, works=True) as project:
        recipes = Recipes.load(project.paths.recipes, unpinned=True)
        parts = load_parts(project.paths.systems, unpinned=True).values()
        words = split_words(recipe, "--recipe")
        chosen: list[tuple[str, Path, Mapping[str, Source]]] = [
            (part.name, part.folder, part.data.sources)
            for part in parts
            if {part.name, part.folder.name} & set(words)
        ]
        names = {part.name for part in parts} | {part.folder.name for part in parts}
        others = [word for word in words if word not in names]
        if others or not words:
            chosen += [(p.name, p.folder, p.sources) for p in recipes.select(others)]
        rows = []
        for owner, folder, sources in chosen:
            for name, source in sources.items():
                with project.console.step(f"source:{name}") as shown:
                    if not source.pinned:
                        found = project.sources.measure(name, source, base=folder)
                        shown.state("measured")
                        rows.append((owner, name, "put this into the recipe", found.pin))
                        continue
                    project.sources.fetch(name, source, base=folder)
                    if not project.sources.verify(source):
                        # It was damaged and is thrown away now.
                        project.sources.fetch(name, source, base=folder)
                    shown.state("verified")
                rows.append((owner, name, "verified", source.pin))
        project.console.table("sources", ("recipe", "source", "state", "pin"), rows)


def list_everything(*, json: bool) -> None:
    """Targets, Pythons, recipes, wheels."""
    with session(json=json) as project:
        targets, recipes = project.targets, project.recipes
        found = listing(project.paths.dist)
        states = {
            **dict.fromkeys((*found.wheels, *found.archives), ""),
            **{path: f"withdrawn: {why}" for path, why in found.withdrawn.items()},
            **{path: f"not listed: {why}" for path, why in found.strangers.items()},
        }
        built = sorted(states)
        # A page goes by the size of a file; what is called proven is exactly this file.
        proven = {p: m for p, m in found.manifests.items() if m.sha256 == file_sha256(p)}
        records = [proven[path] for path in found.wheels if path in proven]
        if json:
            answer = ListAnswer(
                targets={n: t.data.boards for n, t in targets.toolchains.items()},
                pythons={
                    version: {name: last_proven(version, name, records) for name in p.data.targets}
                    for version, p in targets.pythons.items()
                },
                recipes={
                    p.name: {r.data.pythons: r.data.version for r in p.recipes} for p in recipes
                },
                makes={p.name: p.makes for p in recipes},
                wheels=[str(path) for path in built if not is_archive(path.name)],
                archives=[str(path) for path in built if is_archive(path.name)],
            )
            project.console.result(answer.plain())
            return
        project.console.table(
            "targets",
            ("architecture", "board", "what it is", "wheel tag"),
            [
                (t.name, board, text, t.data.platform)
                for t in targets.toolchains.values()
                for board, text in t.data.boards.items()
            ],
        )
        project.console.table(
            "Pythons, and when which packages were last proven",
            ("version", "tag", "released with", *targets.toolchains),
            [
                (
                    version,
                    p.data.tag,
                    p.data.released_with,
                    *(
                        proven_text(last_proven(version, name, records))
                        if name in p.data.targets
                        else "not known"
                        for name in targets.toolchains
                    ),
                )
                for version, p in targets.pythons.items()
            ],
        )
        project.console.table(
            "recipes",
            ("name", "version", "makes", "Pythons", "default", "what it is"),
            [
                (
                    package.name,
                    recipe.data.version,
                    ", ".join(package.makes),
                    recipe.data.pythons,
                    "yes" if package.data.default else "",
                    package.data.summary,
                )
                for package in recipes
                for recipe in package.recipes
            ],
        )
        project.console.table(
            "wheels and archives",
            ("file", "size", "state", "proven on"),
            [
                (
                    p.name,
                    size(p.stat().st_size),
                    states[p],
                    ", ".join(proven_on(proven[p])) if p in proven else "",
                )
                for p in built
            ],
        )


def plan(options: Options) -> None:
    """What would run, and why."""
    with session(json=options.json) as project:
        project.only_looks = True
        request = project.request(options.target, options.python, options.recipe)
        wheels = Graph(project).products(request)
        goals = [step for w in wheels for step in w.goals]
        steps = pending(goals, project.store, force=options.force)
        if options.json:
            planned = [
                PlannedStep(step=s.step.name, key=s.step.key, reason=s.reason) for s in steps
            ]
            project.console.result(PlanAnswer(steps=planned).plain())
        elif steps:
            project.console.table(
                "what would run",
                ("step", "key", "why"),
                [(s.step.name, s.step.key[:16], s.reason) for s in steps],
            )
        else:
            project.console.line("nothing would run: everything is in the store")
        if isinstance(project.engine(), Remembered):
            project.console.line("no engine answers: images that were here last count as here")


def shell(target: str, python: str, recipe: str) -> None:
    """A shell in a build container."""
    from crosspi.steps.compiling import shell_job

    with session(works=True) as project:
        if not target:
            raise UsageError("for which board?", where="--target", fix="for example --target pi3")
        toolchain = project.targets.toolchain(target)
        package = project.recipes.select([recipe] if recipe else [])[0]
        version = project.targets.python(python).version if python else ""
        if "wheel" not in package.makes:
            version = ""  # no Python makes a difference
        chosen = package.recipe(version) if version else package.general
        if chosen is None:
            raise UsageError(
                f"{package.name} cannot be built for Python {version}",
                where="--python",
                why=package.refusal(version),
                fix="name another Python, or none",
            )

        def goals() -> list[Step]:
            graph = Graph(project)
            return [graph.toolchain(toolchain), *graph.source_steps(chosen)]

        for outcome in carried_out(project, goals):
            if outcome.error is not None:
                raise outcome.error
        step = goals()[0]
        entry = project.store.find(step.kind, step.subject, step.key)
        assert entry is not None
        with tempfile.TemporaryDirectory(prefix="crosspi-shell-") as work:
            Path(work).chmod(0o777)
            job = shell_job(chosen, entry.out, project.machine(), Path(work))
            project.console.close()
            sys.exit(project.engine().shell(job))


def doctor(*, json: bool) -> None:
    """Each prerequisite."""
    from crosspi.cli import doctor as checking
    from crosspi.errors import HostError

    with session(json=json) as project:
        boards = [b for t in project.targets.toolchains.values() for b in t.data.emulated]
        found = checking.checks(
            cpus=list(dict.fromkeys(board.cpu for board in boards)),
            cache=project.paths.cache,
            lock=project.paths.project / "requirements.lock",
        )
        if json:
            project.console.result(checking.answer(found).plain())
        else:
            checking.render(found, project.console)
        if not checking.healthy(found):
            raise HostError(
                "this machine is not ready",
                fix="`./inv` installs and starts what is missing; the table names each remedy",
            )


def clean(*, everything: bool, yes: bool) -> None:
    """Remove caches and results."""
    with session() as project:
        folders = [project.paths.store, project.paths.audits, project.paths.logs]
        if everything:
            folders += [project.paths.cache / n for n in ("sources", "ccache", "zig")]
        folders = [folder for folder in folders if folder.exists()]
        rows = [(str(f), size(_bytes(f))) for f in folders]
        images = project.engine().images() if everything else []
        rows += [(f"image {tag}", size(count)) for tag, count in images]
        project.console.table("can be made again", ("what", "size"), rows)
        if not yes:
            project.console.line("nothing was removed: say --yes (wheels in dist/ always stay)")
            return
        if foreign := [str(folder) for folder in folders if not caches.is_ours(folder)]:
            raise UsageError(
                "nothing was removed: some folders do not carry crosspi's mark",
                where="\n".join(foreign),
                why=f"crosspi puts a file {caches.TAG} into what it makes; these were there before "
                "it, or an older crosspi made them",
                fix="look into them; what may go, remove yourself: rm -r " + " ".join(foreign),
            )
        with caches.alone(project.paths.cache):
            for folder in folders:
                caches.remove(folder)
            for tag, _ in images:
                project.engine().remove_image(tag)


def _bytes(folder: Path) -> int:
    return sum(p.lstat().st_size for p in folder.rglob("*") if not p.is_dir())


def _raise_all(project: Project, errors: Sequence[CrosspiError]) -> None:
    """Show all errors but the first, which decides the exit code and is raised."""
    for error in errors[1:]:
        project.console.error(error)
    if errors:
        raise errors[0]
