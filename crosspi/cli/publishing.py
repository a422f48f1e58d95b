"""The tasks about an index that is there already."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from crosspi.cli.session import session
from crosspi.errors import StoreError, UsageError
from crosspi.index import verifying, yanking
from crosspi.index.gathering import gather
from crosspi.project import Project
from crosspi.reports.answers import PublishAnswer, VerifyAnswer


def publish(sources: Sequence[str], to: str, *, json: bool) -> None:
    """Take what other machines published into one index."""
    with session(json=json) as project:
        if not sources:
            raise UsageError(
                "what is to be published?",
                where="--source",
                fix="name the folders that builds published into; they repeat",
            )
        dist = Path(to) if to else project.paths.dist
        gathered = gather(dist, [Path(source) for source in sources])
        if json:
            answer = PublishAnswer(new=gathered.new, known=gathered.known)
            project.console.result(answer.plain())
        for name in gathered.new:
            project.console.line(f"{name}  published")
        project.console.line(
            f"{dist}: {len(gathered.new)} new, {len(gathered.known)} there already"
        )


def verify(place: str, *, json: bool) -> None:
    """Whether a published index is whole."""
    with session(json=json) as project:
        dist = Path(place) if place else project.paths.dist
        if place.startswith(("http://", "https://")):
            found = verifying.verify_site(place)
        elif dist.is_dir():
            found = verifying.verify(dist)
        else:
            raise UsageError(
                f"there is no folder '{dist}'",
                where="--index",
                fix="name a folder that was published into, or a site's address",
            )
        if json:
            project.console.result(VerifyAnswer(**asdict(found)).plain())
        for stranger in found.strangers:
            project.console.line(f"not listed: {stranger}")
        if number := len(found.faults):
            raise StoreError(
                f"the index is not whole: {number} fault{'s' if number > 1 else ''}",
                where="\n".join([place or str(dist), *found.faults]),
                why="files or pages were changed, or are cut off",
                fix="remove the files that are wrong, and publish them anew from the machine that "
                "built them",
            )
        project.console.line(f"{place or dist}: {found.files} files, all as they were proven")


def yank(file: str, why: str) -> None:
    """Say why nobody should get a published wheel any more."""
    with session() as project:
        if not why.strip():
            raise UsageError(
                "why is it yanked?", where="--why", fix="pip shows the reason: a few words"
            )
        _say(project, file, why.strip(), "yanked")


def unyank(file: str) -> None:
    """Take back that a wheel is yanked."""
    with session() as project:
        _say(project, file, "", "no longer yanked")


def _say(project: Project, file: str, why: str, said: str) -> None:
    changed = yanking.yank(project.paths.dist, file, why)
    for path in changed:
        project.console.line(f"{path.name}  {said}")
    if not changed:
        project.console.line(f"{file}: {said} already")
