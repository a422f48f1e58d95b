"""The step that fetches a source into the cache."""

from __future__ import annotations

from pathlib import Path

from crosspi.data.source import Source
from crosspi.sources.cache import SourceCache
from crosspi.work.plan import SOURCE, Step, Workspace


def source_step(name: str, source: Source, cache: SourceCache, base: Path) -> Step:
    """The step that fetches a source into the cache."""

    def act(work: Workspace) -> None:
        del work
        cache.fetch(name, source, base=base)

    def present() -> bool:
        return cache.path(source).exists()

    # A source is known by what it is: recipes may call it as they like.
    subject = f"{source.origins[0].filename}-{source.digest[:8]}"
    return Step(SOURCE, subject, {"pin": source.digest}, (), act, present)
