"""Images: pulled, else bootstrapped; their tags are the hashes of what goes in."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any, cast

import pytest
from making import ZEROS, FakeEngine, FakeSources, make_step, quiet, workspace

from crosspi.containers.engine import Engine
from crosspi.containers.images import Image, base_image, image_repositories
from crosspi.data.part import ROOT
from crosspi.data.source import Source
from crosspi.errors import DataError, EngineError, HostError
from crosspi.steps.image import image_step, root_image, tools_image
from crosspi.work.execution import execute
from crosspi.work.plan import Outcome, State, Workspace, pending
from crosspi.work.store import Store


class Registry:
    """Stands in for the engine: notes what is pulled, imported and built."""

    def __init__(self, *, pulls: bool = False, architecture: str = "arm") -> None:
        self.pulls = pulls
        self.architecture = architecture
        self.tags: dict[str, str] = {}
        self.built: list[dict[str, Any]] = []
        self.pulled: list[str] = []
        self.output = ""

    def image_architecture(self, tag: str) -> str | None:
        return self.tags.get(tag)

    def pull(self, name: str, tag: str, *, platform: str, into: str) -> str:
        self.pulled.append(f"{name}:{tag} {platform}")
        if self.pulls:
            self.tags[into] = self.architecture
        return "" if self.pulls else "toomanyrequests"

    def tag(self, image: str, tag: str) -> None:
        self.tags[tag] = self.tags[image]

    def import_root(self, archive: Path, tag: str, *, platform: str) -> None:
        assert archive.read_text() == "root"
        assert platform == "linux/arm/v7"
        self.tags[tag] = self.architecture

    def build_image(self, tag: str, context: Path, **options: Any) -> None:
        self.built.append({"tag": tag, "context": context, **options})
        self.tags[tag] = self.architecture

    def read_output(self, image: str, argv: list[str]) -> str:
        assert argv[0] == "apt-get"
        return self.output + f"# {image}"

    def __call__(self) -> Engine:
        return cast(Engine, self)


def base(engine: Registry, log: Path, said: list[str] | None = None) -> str:
    line = [].append if said is None else said.append
    return base_image(engine(), "bookworm", "armhf", log=log / "log", line=line)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH of our own."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}")
    return folder


def program(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def test_a_base_image_that_is_there_is_taken(tmp_path: Path) -> None:
    engine = Registry()
    engine.tags["crosspi/base:bookworm-armhf"] = "arm"
    assert base(engine, tmp_path) == "crosspi/base:bookworm-armhf"
    assert engine.pulled == []


def test_a_base_image_is_pulled_where_a_registry_answers(tmp_path: Path) -> None:
    engine = Registry(pulls=True)
    assert base(engine, tmp_path) == "crosspi/base:bookworm-armhf"
    assert engine.pulled == ["debian:bookworm-slim linux/arm/v7"]


def test_else_it_is_bootstrapped(tmp_path: Path, programs: Path) -> None:
    program(programs, "mmdebstrap", 'echo "I: $@"; printf root > "$4"')
    engine = Registry()
    said: list[str] = []
    base(engine, tmp_path, said)
    assert engine.tags == {"crosspi/base:bookworm-armhf": "arm"}
    assert "could not be pulled: toomanyrequests" in said[1]
    assert "--architectures=armhf bookworm" in (tmp_path / "log").read_text()


@pytest.mark.usefixtures("programs")
def test_without_mmdebstrap_the_message_says_so(tmp_path: Path) -> None:
    with pytest.raises(HostError, match="mmdebstrap is not installed") as caught:
        base(Registry(), tmp_path)
    assert caught.value.exit_code == 7
    assert "toomanyrequests" in caught.value.why


def test_an_image_of_another_architecture_is_not_taken(tmp_path: Path, programs: Path) -> None:
    program(programs, "mmdebstrap", 'printf root > "$4"')
    engine = Registry(pulls=True, architecture="amd64")
    with pytest.raises(EngineError, match="not of the architecture arm"):
        base(engine, tmp_path)


def test_repositories_are_those_of_apts_configuration(tmp_path: Path) -> None:
    del tmp_path
    engine = Registry()
    engine.output = "http://a/debian/\nhttp://a/debian/\nhttp://b/security\n"
    found = image_repositories(engine(), "i")
    assert found[:2] == ["http://a/debian", "http://b/security"]


WHEEL = Source.model_validate({"file": ZEROS, "origins": [{"local": "tool.whl"}]})


def make(root: Path, engine: Registry | None = None, **changes: Any) -> Image:
    folder = root / "image"
    folder.mkdir(exist_ok=True)
    if not (folder / "Dockerfile").exists():
        (folder / "Dockerfile").write_text("FROM base\n")
    options: dict[str, Any] = {
        "suite": "bookworm",
        "architecture": "armhf",
        "arguments": {"A": "1"},
        "wheels": {"tool": WHEEL},
        "sources": FakeSources.at(root / "sources"),
        **changes,
    }
    return image_step("toy", folder, engine or Registry(), **options)


def test_a_tag_is_the_hash_of_what_goes_in(tmp_path: Path) -> None:
    seen = [make(tmp_path).tag]
    assert make(tmp_path).tag == seen[0]
    other = WHEEL.model_copy(update={"file": "sha256:" + 64 * "1"})
    seen.append(make(tmp_path, suite="trixie").tag)
    seen.append(make(tmp_path, architecture="amd64").tag)
    seen.append(make(tmp_path, arguments={"A": "2"}).tag)
    seen.append(make(tmp_path, wheels={"tool": other}).tag)
    (tmp_path / "image" / "Dockerfile").write_text("FROM base\nRUN x\n")
    seen.append(make(tmp_path).tag)
    assert len(set(seen)) == 6
    assert all(tag.startswith("crosspi/toy:") for tag in seen)


def test_an_image_is_present_only_with_its_architecture(tmp_path: Path) -> None:
    engine = Registry()
    made = make(tmp_path, engine)
    assert made.step.present is not None
    assert not made.step.present()
    engine.tags[made.tag] = "amd64"
    assert not made.step.present()
    engine.tags[made.tag] = "arm"
    assert made.step.present()


def run(root: Path, image: Image) -> Outcome:
    """Have an image's step run as a build would."""
    (outcome,) = execute([image.step], Store(root / "store"), quiet(), root / "logs")
    return outcome


def test_an_image_of_another_architecture_under_the_tag_is_built_again(tmp_path: Path) -> None:
    engine = Registry(pulls=True)
    made = make(tmp_path, engine)
    engine.tags[made.tag] = "amd64"
    assert run(tmp_path, made).state is State.BUILT
    assert [built["tag"] for built in engine.built] == [made.tag]
    assert engine.tags[made.tag] == "arm"
    assert pending([made.step], Store(tmp_path / "store")) == []


def test_a_root_of_another_architecture_under_the_tag_is_imported_again(tmp_path: Path) -> None:
    store, engine = Store(tmp_path / "store"), FakeEngine()

    def part(work: Workspace) -> None:
        (work.out / ROOT).mkdir()

    built = make_step("part", "system", action=part)
    made = root_image("toy", built, engine, platform="linux/arm/v6")
    engine.images[made.tag] = "amd64"
    outcomes = execute([made.step], store, quiet(), tmp_path / "logs")
    assert [outcome.state for outcome in outcomes] == [State.BUILT, State.BUILT]
    assert engine.images == {made.tag: "arm"}
    assert pending([made.step], store) == []


def test_a_base_that_stays_of_another_architecture_stops_the_build(
    tmp_path: Path, programs: Path
) -> None:
    program(programs, "mmdebstrap", 'printf root > "$4"')
    engine = Registry(pulls=True, architecture="amd64")
    base_tag = "crosspi/base:bookworm-armhf"
    engine.tags[base_tag] = "amd64"
    made = make(tmp_path, engine)
    outcome = run(tmp_path, made)
    assert outcome.state is State.FAILED
    assert isinstance(outcome.error, EngineError)
    assert outcome.error.what == f"the image {base_tag} is not of the architecture arm"
    assert "another image under this tag" in outcome.error.why
    assert f"docker rmi {base_tag}" in outcome.error.fix
    assert engine.built == []


def test_an_image_that_is_built_for_another_architecture_stops_the_build(tmp_path: Path) -> None:
    """Engines that ignore the platform, e.g. Docker's old builder without emulation."""
    engine = Registry(architecture="amd64")
    engine.tags["crosspi/base:bookworm-armhf"] = "arm"
    made = make(tmp_path, engine)
    outcome = run(tmp_path, made)
    assert outcome.state is State.FAILED
    assert isinstance(outcome.error, EngineError)
    assert outcome.error.what == f"the image {made.tag} is not of the architecture arm"
    assert f"docker rmi {made.tag}" in outcome.error.fix


def test_a_root_that_is_imported_for_another_architecture_stops_the_build(tmp_path: Path) -> None:
    class Ignorant(FakeEngine):
        def import_root(self, layer: Path, tag: str, *, platform: str) -> None:
            del layer, platform
            self.images[tag] = "amd64"

    def part(work: Workspace) -> None:
        (work.out / ROOT).mkdir()

    built = make_step("part", "system", action=part)
    made = root_image("toy", built, Ignorant(), platform="linux/arm/v6")
    *_, outcome = execute([made.step], Store(tmp_path / "store"), quiet(), tmp_path / "logs")
    assert isinstance(outcome.error, EngineError)
    assert outcome.error.what == f"the image {made.tag} is not of the architecture arm"


def test_an_image_is_built_on_its_base_with_its_wheels(tmp_path: Path) -> None:
    engine = Registry(pulls=True)
    made = make(tmp_path, engine)
    made.step.action(workspace(tmp_path / "run"))
    (built,) = engine.built
    assert built["tag"] == made.tag
    assert built["arguments"] == {"BASE": "crosspi/base:bookworm-armhf", "A": "1"}
    assert built["platform"] == "linux/arm/v7"
    assert [name.split("/")[0] for name in built["files"]] == ["wheels"]


def test_an_image_yaml_with_faults_is_told(tmp_path: Path) -> None:
    (tmp_path / "image.yaml").write_text("suit: x\n")
    with pytest.raises(DataError, match="3 faults") as caught:
        tools_image(tmp_path, Registry(), FakeSources.at(tmp_path))
    assert "image.yaml:1: suit: no such field; did you mean suite?" in caught.value.where
