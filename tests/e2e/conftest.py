"""Real builds with Docker and qemu, of small packages, in copies of this checkout."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from workshop import BUILD, CHECKOUT, Run, Workshop

from crosspi.caches import make_cache
from crosspi.containers.owners import Owner
from crosspi.paths import Paths


@pytest.fixture(scope="session", autouse=True)
def _engine() -> None:
    """Without an engine these tests fail in CI; elsewhere they are skipped."""
    from crosspi.containers.engine import Engine
    from crosspi.errors import EngineError

    try:
        Engine.connect()
    except EngineError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"no engine: {error}")


@pytest.fixture(scope="session", autouse=True)
def _own_store() -> Iterator[None]:
    """A store of these tests' own: what was made before must not hide what fails now.

    The user's are the sources, which are hashed whenever they are read; the compilers' caches,
    which know each byte that goes in; and the results of the parts, of which some take an hour:
    their keys know the code and the room that made them, and no test here is about how one is made.
    """
    users = Paths.from_environment(CHECKOUT).cache
    users.mkdir(parents=True, exist_ok=True)
    for left in users.glob("e2e-*/owner"):
        owner = Owner.parse(left.read_text())
        if owner is not None and owner.is_gone():
            shutil.rmtree(left.parent)
    with TemporaryDirectory(prefix="e2e-", dir=users) as folder, pytest.MonkeyPatch.context() as to:
        # With the locks under which the parts are made.
        for name in ("sources", "ccache", "zig", "store/part", "store/locks"):
            make_cache(users / name.split("/")[0])
            (users / name).mkdir(parents=True, exist_ok=True)
            link = Path(folder) / name
            link.parent.mkdir(exist_ok=True)
            link.symlink_to(users / name)
        (Path(folder) / "owner").write_text(str(Owner.of(os.getpid())))
        to.setenv("CROSSPI_CACHE", folder)
        yield


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
