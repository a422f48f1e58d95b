"""Runs the steps behind a request, and publishes each wheel and archive as soon as it is proven."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path

from crosspi.containers.images import IMAGE, image_tag
from crosspi.errors import AuditError, CrosspiError, Interrupted, SmokeError, StoreError
from crosspi.files import file_sha256
from crosspi.graph import Graph, ProductSteps
from crosspi.index.manifest import manifest
from crosspi.index.publishing import build_number, is_published, publish, withdraw
from crosspi.project import Project, Request
from crosspi.smoke.results import read_results
from crosspi.steps.audit import REPORT
from crosspi.steps.audit_report import read_report
from crosspi.steps.audit_tools import tools
from crosspi.work.execution import execute, explained
from crosspi.work.plan import Outcome, Step, closure, first_to_make
from crosspi.work.store import Entry, Store


@dataclass(frozen=True)
class Result:
    """What a build came to: its products are published, except libraries."""

    outcomes: Sequence[Outcome]
    published: Sequence[Path]
    errors: Sequence[CrosspiError]
    products: Sequence[ProductSteps] = ()


def build(
    project: Project,
    request: Request,
    *,
    force: bool = False,
    keep_going: bool = False,
    level: str = "default",
) -> Result:
    """Build, prove and publish the products of a request; each as soon as it is proven.

    Errors of steps are in the result, after everything that could be done was done.

    Raises:
        UsageError: something of it cannot be built, by the data.
    """
    first = made_first(
        project,
        lambda: _goals(Graph(project, level=level).products(request)),
        keep_going=keep_going,
    )
    graph = Graph(project, level=level)
    products = graph.products(request)
    published_by = {s.name: steps for steps in products if steps.published for s in steps.smokes}
    proofs = {step.name: steps for steps in products for step in steps.goals[1:]}
    by_name: dict[str, Outcome] = {}
    published, errors = [], []

    def run(goals: Sequence[Step], known: Sequence[Outcome] = ()) -> Generator[Outcome]:
        others = execute(
            goals,
            project.store,
            project.console,
            project.paths.logs,
            force=force,
            keep_going=keep_going,
            jobs=project.jobs,
            known=known,
        )
        # Whatever ends this ends what still runs, and at once.
        with closing(others):
            for outcome in chain(known, others):
                by_name[outcome.step.name] = outcome
                if outcome.error is not None:
                    errors.append(outcome.error)
                    if outcome.step.name in proofs:
                        withdraw_unproven(project, proofs[outcome.step.name], outcome.error)
                yield outcome

    def published_if_proven(outcome: Outcome) -> None:
        steps = published_by.get(outcome.step.name)
        done = [by_name.get(step.name) for step in steps.goals] if steps else []
        if steps is None or any(goal is None or goal.entry is None for goal in done):
            return
        try:
            steps, packed = _with_number(project, graph, steps)
            if steps.product.name not in by_name:  # it has a number, and wants proofs of its own
                proofs.update((step.name, steps) for step in steps.goals[1:])
                list(run(steps.goals))
            if all(by_name[step.name].entry is not None for step in steps.goals):
                with ExitStack() as held:
                    entries = [_held(step, project.store, held) for step in steps.goals]
                    published.append(_publish(project, steps, packed, *entries))
        except Interrupted:
            raise
        except Exception as error:
            name = f"publish-{steps.product.subject}"
            errors.append(explained(name, error, project.paths.logs / f"{name}.log"))

    with closing(run(_goals(products), first)) as outcomes:
        for outcome in outcomes:
            published_if_proven(outcome)
    return Result(list(by_name.values()), published, errors, products)


def made_first(
    project: Project, goals: Callable[[], Sequence[Step]], *, keep_going: bool = False
) -> list[Outcome]:
    """Fetch the sources and make the images that goals want: keys know what is in an image.

    Args:
        project: where.
        goals: gives them, in a graph of its own. After this a new graph has other keys.
        keep_going: after a failure go on.
    """
    return list(
        execute(
            first_to_make(goals(), project.store),
            project.store,
            project.console,
            project.paths.logs,
            keep_going=keep_going,
            jobs=project.jobs,
        )
    )


def carried_out(project: Project, goals: Callable[[], Sequence[Step]]) -> list[Outcome]:
    """What became of goals and of what they need; the first failure ends it.

    Args:
        project: where.
        goals: gives them, each time in a new graph.
    """
    first = made_first(project, goals)
    others = execute(
        goals(),
        project.store,
        project.console,
        project.paths.logs,
        jobs=project.jobs,
        known=first,
    )
    return [*first, *others]


def fulfilled(project: Project, goals: Callable[[], Sequence[Step]]) -> list[Outcome]:
    """The same where all of it must succeed. Raises the first error of a step."""
    outcomes = carried_out(project, goals)
    for outcome in outcomes:
        if outcome.error is not None:
            raise outcome.error
    return outcomes


def _goals(products: Sequence[ProductSteps]) -> list[Step]:
    return [step for steps in products for step in steps.goals]


def _with_number(project: Project, graph: Graph, steps: ProductSteps) -> tuple[ProductSteps, Path]:
    """The steps of a product under the name that it has or gets in the index.

    Returns:
        The steps, and the file as it was packed without a number.
    """
    entry = project.store.find(steps.product.kind, steps.product.subject, steps.product.key)
    assert entry is not None, "it was just made"
    packed = steps.file(entry)
    number = build_number(project.paths.dist, packed)
    return (graph.numbered(steps, number) if number else steps), packed


def withdraw_unproven(project: Project, steps: ProductSteps, error: CrosspiError) -> None:
    """Take a published product off the index where its audit or smoke test now fails; say so.

    That the emulator or this machine failed says nothing about it.
    """
    if not steps.published:
        return
    entry = project.store.find(steps.product.kind, steps.product.subject, steps.product.key)
    if entry is None or not isinstance(error, AuditError | SmokeError):
        return
    gone = withdraw(project.paths.dist, steps.file(entry), error.what)
    if gone is not None:
        project.console.line(f"withdrawn from the index: {gone.name}: {error.what}")


def _held(step: Step, store: Store, held: ExitStack) -> Entry:
    """A step's result, which nobody takes away while it is published."""
    entry = held.enter_context(store.reading(step.kind, step.subject, step.key))
    if entry is None:
        raise StoreError(
            f"the stored result of {step.name} went away before it was published",
            why="another program removed it meanwhile",
            fix="run the same command again: it is made anew",
        )
    return entry


def _publish(
    project: Project,
    steps: ProductSteps,
    packed: Path,
    made: Entry,
    audited: Entry,
    *tested: Entry,
) -> Path:
    """Put a product into the index, if it is not there with this very proof; where it lies then."""
    dist = project.paths.dist
    file = steps.file(made)
    proof = {step.name: step.key for step in steps.goals}
    if is_published(dist, file, proof):
        return dist / file.name
    audit = read_report(audited.out / REPORT).plain()
    smokes = {
        board.name: read_results(entry.out / "results.json").plain()
        for board, entry in zip(steps.cell.toolchain.data.emulated, tested, strict=True)
    }
    about = {**_costs(steps, project.store), "audit": audit, "smoke": smokes}
    proven = max(entry.created for entry in tested)
    text = manifest(
        steps.recipe,
        steps.cell,
        file,
        file_sha256(packed),
        proof,
        proven,
        about,
        _made_with(project, steps),
    )
    return publish(dist, file, text, audit, smokes)


def _made_with(project: Project, steps: ProductSteps) -> dict[str, object]:
    """What no data pins and keys know: images with their packages, the emulator, the audit's tools.

    An image that was never seen here, because all that was made in it came with the store, is not
    named.
    """
    images: dict[str, object] = {}
    for step in closure(steps.goals):
        record = project.contents.record(image_tag(step)) if step.kind == IMAGE else {}
        if record:
            images[step.subject] = {name: record[name] for name in ("id", "digest", "packages")}
    return {"images": images, "emulator": project.emulator, "audit": tools()}


def _costs(steps: ProductSteps, store: Store) -> dict[str, Mapping[str, object]]:
    """What the steps behind a product cost, as far as the store still knows."""
    costs: dict[str, Mapping[str, object]] = {}
    for step in closure(steps.smokes):
        entry = store.find(step.kind, step.subject, step.key) if step.present is None else None
        if entry is not None:
            costs[f"step {step.name}"] = {"key": step.key, **asdict(entry.cost), **entry.notes}
    return costs
