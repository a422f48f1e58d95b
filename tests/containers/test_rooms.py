"""What keys know of the room: a change of it makes anew what was made in it, and nothing else."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

import pytest
from making import DPKG
from projects import Board, ask, project_at

import crosspi
from crosspi import digests
from crosspi.containers.rooms import ROOM
from crosspi.graph import Graph
from crosspi.project import Project
from crosspi.run import build
from crosspi.steps import audit as auditing
from crosspi.work.plan import Step, closure, pending

CODE = Path(crosspi.__file__).parent


def keys(project: Project) -> dict[str, Step]:
    return {s.name: s for s in closure(_goals(project))}


def _goals(project: Project) -> list[Step]:
    return [s for w in Graph(project).products(ask(project, "pack")) for s in w.goals]


def changed(before: Mapping[str, Step], after: Mapping[str, Step]) -> set[str]:
    """The kinds of the steps of which an input of their own differs."""
    return {step.kind for name, step in after.items() if step.inputs != before[name].inputs}


def in_place_of(monkeypatch: pytest.MonkeyPatch, module: str) -> None:
    """Have a module of crosspi's count as changed."""
    real = digests.digest_files

    def digest(*paths: Path, without: Collection[Path] = ()) -> str:
        return ("changed" if CODE / module in paths else "") + real(*paths, without=without)

    for name, user in list(sys.modules.items()):
        if name.startswith("crosspi.") and hasattr(user, "digest_files"):
            monkeypatch.setattr(user, "digest_files", digest)


IN_CONTAINERS = {"toolchain", "compile", "build", "wheel"}


@pytest.mark.parametrize(
    ("module", "kinds"),
    [
        ("containers/job.py", {*IN_CONTAINERS, "python", "smoke"}),
        ("containers/build_machine.py", IN_CONTAINERS),
        ("guests/run_commands.py", IN_CONTAINERS),
        ("steps/compiling.py", {"compile", "build"}),
        ("steps/toolchain.py", {"toolchain"}),
        ("steps/wheel.py", {"wheel"}),
        ("steps/python.py", {"python"}),
        ("steps/audit.py", {"audit"}),
        ("guests/board.py", {"smoke"}),
        ("guests/harness.py", {"smoke"}),
        ("smoke/judging.py", set()),
        ("containers/engine.py", set()),
    ],
)
def test_code_that_runs_containers_is_known(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, module: str, kinds: set[str]
) -> None:
    assert (CODE / module).is_file()
    before = keys(project_at(checkout))
    in_place_of(monkeypatch, module)
    assert changed(before, keys(project_at(checkout))) == kinds


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("containers.build_machine.ENVIRONMENT", IN_CONTAINERS),
        ("steps.toolchain.TOOLCHAIN_ENVIRONMENT", {"toolchain"}),
        ("steps.compiling.TOOLCHAIN_ENVIRONMENT", {"build"}),
        ("steps.compiling.COMPILE_ENVIRONMENT", {"compile"}),
    ],
)
def test_the_environment_is_known(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, name: str, kinds: set[str]
) -> None:
    before = keys(project_at(checkout))
    monkeypatch.setattr(f"crosspi.{name}", {"SOURCE_DATE_EPOCH": "1"})
    assert changed(before, keys(project_at(checkout))) == kinds


def test_what_apt_put_into_an_image_is_known(checkout: Path) -> None:
    """Two machines whose Debian mirrors are a week apart share no key of what is made there."""
    before = keys(project_at(checkout))
    board = Board()
    board.packages = DPKG.replace("1:1.2.13", "1:1.3")
    elsewhere = project_at(checkout, board)
    elsewhere.paths = type(elsewhere.paths)(checkout, checkout.parent / "there", checkout / "dist")
    after = keys(elsewhere)
    assert changed(before, after) == {*IN_CONTAINERS, "python", "smoke"}
    assert {s.kind for n, s in after.items() if s.key == before[n].key} == {"image", "source"}


def test_the_emulator_is_known(checkout: Path) -> None:
    before = keys(project_at(checkout))
    project = project_at(checkout)
    vars(project)["emulator"] = "qemu-arm version 99"
    assert changed(before, keys(project)) == {"smoke"}


def test_the_audits_libraries_are_known(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = keys(project_at(checkout))
    monkeypatch.setattr(auditing, "tools", lambda: "others")
    assert changed(before, keys(project_at(checkout))) == {"audit"}


def test_a_plan_says_what_of_the_room_changed(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = project_at(checkout)
    build(project, ask(project, "pack"))
    monkeypatch.setattr("crosspi.containers.build_machine.ENVIRONMENT", {"LC_ALL": "C"})
    project = project_at(checkout)
    reasons = {p.step.kind: p.reason for p in pending(_goals(project), project.store)}
    assert reasons["toolchain"] == f"changed: {ROOM} (environment)"


class LateImages(Board):
    """Has no image until it is built, as on a new machine."""

    def __init__(self) -> None:
        super().__init__()
        self.made: list[str] = []

    def image_architecture(self, tag: str) -> str | None:
        return super().image_architecture(tag) if tag in self.made else None

    def image_id(self, tag: str) -> str | None:
        return f"{tag} with {self.packages}" if tag in self.made else None


@pytest.fixture
def new_machine(monkeypatch: pytest.MonkeyPatch) -> Callable[[], LateImages]:
    def make() -> LateImages:
        board = LateImages()
        monkeypatch.setattr("crosspi.steps.image.base_image", lambda *_, **__: "base")
        monkeypatch.setattr(
            LateImages,
            "build_image",
            lambda self, tag, *_, **__: self.made.append(tag),
            raising=False,
        )
        return board

    return make


def test_images_are_made_before_keys_that_know_them(
    checkout: Path, new_machine: Callable[[], LateImages]
) -> None:
    board = new_machine()
    project = project_at(checkout, board)
    result = build(project, ask(project, "pack"))
    assert result.errors == []
    assert len(result.published) == 2
    assert {tag.split(":")[0] for tag in board.made} == {
        "crosspi/toolchain",
        "crosspi/python-cp311-toy",
    }
    # Nothing was made under a key that did not know its image.
    project = project_at(checkout, board)
    assert pending(_goals(project), project.store) == []
    for step in keys(project).values():
        assert "not made" not in step.inputs.get(ROOM, "")


def test_a_new_machine_with_a_full_store_makes_nothing(
    checkout: Path, new_machine: Callable[[], LateImages]
) -> None:
    board = new_machine()
    project = project_at(checkout, board)
    build(project, ask(project, "pack"))
    board.made.clear()
    project = project_at(checkout, board)
    result = build(project, ask(project, "pack"))
    assert result.errors == []
    assert board.made == []


def test_an_image_that_comes_out_otherwise_has_everything_made_in_it_again(
    checkout: Path, new_machine: Callable[[], LateImages]
) -> None:
    board = new_machine()
    project = project_at(checkout, board)
    build(project, ask(project, "pack"))
    board.made.clear()
    board.packages = DPKG.replace("1:1.2.13", "1:1.3")
    script = checkout / "recipes" / "pack" / "smoke.py"
    script.write_text("# new\n")  # so that the board's image is needed
    project = project_at(checkout, board)
    result = build(project, ask(project, "pack"))
    assert result.errors == []
    built = {o.step.name for o in result.outcomes if o.state == "built"}
    assert {"python:cp311-toy", "build:pack-1.0-cp311-toy", "wheel:other-2.0-cp311-toy"} <= built


def test_an_image_that_fails_blocks_what_needs_it(
    checkout: Path, new_machine: Callable[[], LateImages], monkeypatch: pytest.MonkeyPatch
) -> None:
    board = new_machine()
    tried: list[str] = []

    def fails(_self: LateImages, tag: str, *_: object, **__: object) -> None:
        tried.append(tag)
        raise KeyError

    monkeypatch.setattr(LateImages, "build_image", fails)
    project = project_at(checkout, board)
    result = build(project, ask(project, "pack"), keep_going=True)
    assert len(tried) == len(set(tried)) == len(result.errors) == 2
    assert result.published == []
    states = {o.step.name: o.state for o in result.outcomes}
    assert states["toolchain:toy"] == "blocked"
