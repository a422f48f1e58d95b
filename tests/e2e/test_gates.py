"""Every gate between code and the published index, with a small package that should not pass."""

from __future__ import annotations

import signal
import subprocess
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import docker
import pytest
from proxy import Proxy
from workshop import BUILD, CHECKOUT, CODE, SMOKE, Run, Workshop

from crosspi.console import Console
from crosspi.containers.engine import LABEL, Engine
from crosspi.containers.host import engine_addresses
from crosspi.containers.images import base_image
from crosspi.containers.owners import Owner
from crosspi.paths import Paths
from crosspi.project import Project
from crosspi.steps.image import image_step
from crosspi.work.execution import execute
from crosspi.work.plan import State, pending

pytestmark = pytest.mark.e2e


def with_instruction(word: str) -> str:
    """core.c with one instruction in it: as a number, so that no compiler flag is needed."""
    return CODE["core.c"].replace(
        "return value / 2;",
        f'__asm__ volatile (".inst {word}" : : : "d0", "d1"); return value / 2;',
    )


#: An instruction that a board's processor does not have, and the class that the law forbids.
FOREIGN = {
    "pi-zero": ("0xf2200840", "neon"),  # vadd.i32 q0, q0, q0
    "pi3": ("0xfeb80a40", "v8"),  # vrinta.f32 s0, s0
}


def wheels(dist: Path) -> list[str]:
    return sorted(path.name for path in dist.glob("*.whl"))


def test_a_good_package_is_published_and_then_idle(
    workshop: Workshop, build: Callable[..., Run]
) -> None:
    workshop.hello()
    first = build("--json")
    assert first.code == 0, first.err
    assert wheels(workshop.dist) == ["hello-1.0-cp311-cp311-linux_armv7l.whl"]
    assert "hello-1.0" in (workshop.dist / "simple" / "hello" / "index.html").read_text()
    second = build("--json")
    assert {step["state"] for step in second.data["steps"]} == {"from the store"}


def test_what_no_longer_builds_is_not_taken_from_the_store(
    workshop: Workshop, build: Callable[..., Run]
) -> None:
    """The code that runs containers is in the keys: a warm store hides nothing of it."""
    workshop.hello()
    assert build().code == 0
    machine = workshop.folder / "crosspi" / "containers" / "build_machine.py"
    machine.write_text(
        machine.read_text() + "\n\ndef run_commands(*_: object, **__: object) -> None:\n"
        '    raise RuntimeError("broken")\n'
    )
    run = build()
    assert run.code == 15
    assert "RuntimeError: broken" in run.err


def test_a_changed_smoke_test_runs_only_the_smoke_step(workshop: Workshop) -> None:
    workshop.hello()
    assert workshop.invoke(*BUILD).code == 0
    workshop.hello(smoke=SMOKE + "\n# changed\n")
    planned = workshop.invoke("plan", *BUILD[1:], "--json").data["steps"]
    assert [(step["step"], step["reason"]) for step in planned] == [
        (f"smoke:hello-1.0-cp311-armv7-{board}", "changed: smoke test")
        for board in ("pi2", "pi3", "pi4")
    ]


def test_a_compile_error_shows_the_last_lines_and_the_log(
    workshop: Workshop, build: Callable[..., Run]
) -> None:
    workshop.hello(replace={"core.c": "float half(float value) { return valeu / 2; }\n"})
    run = build()
    assert run.code == 8
    assert "valeu" in run.err
    log = next(word for word in run.err.split() if word.endswith(".log"))
    assert "valeu" in Path(log).read_text()
    assert wheels(workshop.dist) == []
    assert "Traceback" not in run.err


@pytest.mark.parametrize("board", FOREIGN)
def test_foreign_instructions_are_caught_by_the_audit(workshop: Workshop, board: str) -> None:
    word, kind = FOREIGN[board]
    workshop.hello(replace={"core.c": with_instruction(word)})
    run = workshop.invoke("build", "--target", board, "--python", "3.11")
    assert run.code == 9, run.err
    assert f"isa-{kind}" in run.err
    assert wheels(workshop.dist) == []


@pytest.mark.parametrize("board", FOREIGN)
def test_foreign_instructions_trap_under_the_pinned_cpu(workshop: Workshop, board: str) -> None:
    """Past the audit, which here is made blind: the emulated board must stop it by itself."""
    word, kind = FOREIGN[board]
    workshop.hello(replace={"core.c": with_instruction(word)})
    for law in (workshop.folder / "toolchains").glob("armv*.yaml"):
        text = law.read_text()
        law.write_text(text.replace(f" {kind},", "").replace(f"[{kind}, ", "["))
    run = workshop.invoke("build", "--target", board, "--python", "3.11")
    assert run.code == 10, run.err
    assert "SIGILL" in run.err
    assert "test_half" in run.err
    assert wheels(workshop.dist) == []


def test_a_wrong_answer_is_not_published(workshop: Workshop, build: Callable[..., Run]) -> None:
    workshop.hello(replace={"core.c": CODE["core.c"].replace("/ 2", "/ 3")})
    run = build()
    assert run.code == 10
    assert "test_half" in run.err
    assert wheels(workshop.dist) == []


def test_c_code_that_hangs_is_told_as_that(workshop: Workshop, build: Callable[..., Run]) -> None:
    """It holds Python's lock, so that nothing of Python's can end it."""
    endless = 'float half(float value) { for (;;) __asm__ volatile (""); return value; }\n'
    workshop.hello(smoke=SMOKE + "\n    test_half.seconds = 5\n", replace={"core.c": endless})
    run = build()
    assert run.code == 10
    assert "the test test_half hung: it did not end within its 5 seconds" in run.err
    assert "/recipe/smoke.py" in run.err and "in test_half" in run.err
    assert wheels(workshop.dist) == []


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_leaves_no_container_and_no_result(
    workshop: Workshop, number: signal.Signals, code: int
) -> None:
    workshop.hello(smoke=slow())
    process = workshop.start(*BUILD)
    owner = wait_for_smoke(process)
    process.send_signal(number)
    _, error = process.communicate(timeout=60)
    assert process.returncode == code, error
    assert "Traceback" not in error
    assert not containers(owner)
    assert wheels(workshop.dist) == []


def test_an_engine_that_dies_is_reported_and_cleaned_up_after(
    workshop: Workshop, tmp_path: Path
) -> None:
    workshop.hello(smoke=slow())
    proxy = Proxy(tmp_path / "engine.sock", engine_addresses()[0].removeprefix("unix://"))
    process = workshop.start(*BUILD, DOCKER_HOST=f"unix://{tmp_path / 'engine.sock'}")
    owner = wait_for_smoke(process)
    proxy.cut()
    _, error = process.communicate(timeout=60)
    assert process.returncode == 6, error
    assert "the Docker engine failed" in error and "Traceback" not in error
    assert smoking(owner)
    assert Engine.connect().remove_stale() >= 1
    assert not containers(owner)
    assert wheels(workshop.dist) == []


def test_no_engine(workshop: Workshop, build: Callable[..., Run]) -> None:
    workshop.hello(smoke=SMOKE + "\n# never run\n")
    run = build(DOCKER_HOST="unix:///nonexistent/docker.sock")
    assert run.code == 6
    assert "no Docker engine answers" in run.err
    assert "Traceback" not in run.err


def test_an_image_of_another_architecture_under_the_tag_is_built_again(tmp_path: Path) -> None:
    """As an engine leaves it that took the host's image for the board's."""
    project = Project(Paths(CHECKOUT, tmp_path, tmp_path / "dist"), Console())
    engine, name = project.engine(), f"e2e-{uuid.uuid4().hex[:12]}"
    folder = tmp_path / "image"
    folder.mkdir()
    (folder / "Dockerfile").write_text(f"ARG BASE\nFROM $BASE\nLABEL test={name}\n")
    image = image_step(
        name,
        folder,
        project.engine,
        suite="bookworm",
        architecture="armhf",
        arguments={},
        wheels={},
        sources=project.sources,
    )
    host = base_image(engine, "bookworm", "amd64", log=tmp_path / "log", line=lambda _: None)
    engine.tag(host, image.tag)
    try:
        assert engine.image_architecture(image.tag) == "amd64"
        (outcome,) = execute([image.step], project.store, project.console, project.paths.logs)
        assert outcome.error is None, outcome.error
        assert outcome.state is State.BUILT
        assert engine.image_architecture(image.tag) == "arm"
        assert pending([image.step], project.store) == []
    finally:
        engine.remove_image(image.tag)


def slow() -> str:
    """A smoke test that takes long, and that no run before has in the store."""
    return SMOKE + f"\n    import time\n    time.sleep(120)  # {uuid.uuid4()}\n"


def wait_for_smoke(process: subprocess.Popen[str]) -> Owner:
    """Wait until a build's smoke test runs; who the build is."""
    owner = Owner.of(process.pid)
    deadline = time.monotonic() + 600
    while not smoking(owner):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.2)
    return owner


def containers(owner: Owner) -> list[str]:
    """The commands of the containers that a crosspi process has."""
    client = docker.DockerClient(base_url=engine_addresses()[0])
    found = client.containers.list(
        all=True, filters={"label": f"{LABEL}={owner}"}, ignore_removed=True
    )
    return [" ".join(container.attrs["Config"]["Cmd"]) for container in found]


def smoking(owner: Owner) -> bool:
    return any("board.py" in command for command in containers(owner))
