"""Real builds with Docker and qemu, of small packages, in copies of this checkout."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from workshop import BUILD, Run, Workshop


@pytest.fixture(scope="session", autouse=True)
def _engine() -> None:
    """Without an engine these tests fail in CI; elsewhere they are skipped."""
    from crosspi.engine import Engine
    from crosspi.errors import EngineError

    try:
        Engine.connect()
    except EngineError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"no engine: {error}")


@pytest.fixture
def workshop(tmp_path: Path) -> Iterator[Workshop]:
    shop = Workshop(tmp_path / "checkout")
    yield shop
    shop.close()


@pytest.fixture
def build(workshop: Workshop) -> Callable[..., Run]:
    """Build what is in the workshop."""

    def run(*more: str, **environment: str) -> Run:
        return workshop.invoke(*BUILD, *more, **environment)

    return run
