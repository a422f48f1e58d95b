"""pip on the emulated boards: from one index, each board takes its own wheel and no other."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

import pytest
from making import tiny_wheel

from crosspi.console import Console
from crosspi.containers.job import Job, Mount
from crosspi.containers.users import give_to_container_user
from crosspi.data.targets import Cell
from crosspi.graph import Graph
from crosspi.index.pages import write_index
from crosspi.paths import Paths
from crosspi.project import Project
from crosspi.work.execution import execute

pytestmark = pytest.mark.e2e

CHECKOUT = Path(__file__).resolve().parents[2]
#: By toolchain: what the board calls itself.
MACHINES = {"armv6": "armv6l", "armv7": "armv7l"}
OTHER = {"armv6": "armv7", "armv7": "armv6"}

#: Runs on the board: has pip install, and says which wheel it took.
SCRIPT = dedent("""
    import json, platform, site, subprocess, sys
    from importlib.metadata import distributions

    install = [sys.executable, "-m", "pip", "install", "--user", "--no-cache-dir"]
    code = subprocess.call([*install, "--index-url", "file:///index/simple", "tiny"])
    wheels = [d.read_text("WHEEL") for d in distributions(path=[site.getusersitepackages()])]
    lines = [line for wheel in wheels for line in wheel.splitlines()]
    tags = [line[5:] for line in lines if line.startswith("Tag: ")]
    with open("/out/result.json", "w") as out:
        json.dump({"code": code, "tags": tags, "machine": platform.machine()}, out)
    """)


@dataclass(frozen=True)
class Installed:
    """How pip ended on a board, what it said, and the tags of what it installed."""

    code: int
    tags: Sequence[str]
    machine: str
    text: str


Install = Callable[[str, Path], Installed]


def tag(toolchain: str) -> str:
    return f"cp311-cp311-linux_{MACHINES[toolchain]}"


def index_of(folder: Path, *toolchains: str) -> Path:
    """An index that has the package `tiny` for some architectures."""
    write_index(folder, [tiny_wheel(folder, tag=tag(toolchain)) for toolchain in toolchains])
    return folder


@pytest.fixture(scope="module")
def project() -> Project:
    return Project(Paths.from_environment(CHECKOUT), Console())


@pytest.fixture
def install(project: Project, tmp_path: Path) -> Install:
    """Has pip install `tiny` from an index, on the emulated board of a toolchain."""

    def run(toolchain: str, index: Path) -> Installed:
        cell = Cell(project.targets.toolchains[toolchain], project.targets.pythons["3.11"])
        image = Graph(project).system(cell).image
        for outcome in execute([image.step], project.store, project.console, project.paths.logs):
            assert outcome.error is None, outcome.error
        out = tmp_path / "out"
        out.mkdir()
        give_to_container_user(out)
        job = Job(
            image=image.tag,
            argv=["/opt/crosspi/python/python", "-c", SCRIPT],
            mounts=[Mount(index, "/index"), Mount(out, "/out", writable=True)],
            environment={
                "QEMU_CPU": cell.toolchain.oldest.cpu,
                "PYTHONUSERBASE": "/tmp/user",
                "PIP_BREAK_SYSTEM_PACKAGES": "1",
                "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            },
            workdir="/tmp",
        )
        lines: list[str] = []
        code = project.engine().run(job, log=tmp_path / "pip.log", line=lines.append, timeout=300)
        text = "\n".join(lines)
        assert code == 0, text
        return Installed(**json.loads((out / "result.json").read_text()), text=text)

    return run


@pytest.mark.parametrize("toolchain", MACHINES)
def test_of_two_wheels_a_board_takes_its_own(
    install: Install, tmp_path: Path, toolchain: str
) -> None:
    found = install(toolchain, index_of(tmp_path / "index", *MACHINES))
    assert found.machine == MACHINES[toolchain]
    assert found.code == 0, found.text
    assert found.tags == [tag(toolchain)]


@pytest.mark.parametrize("toolchain", MACHINES)
def test_a_board_refuses_the_others_wheel(install: Install, tmp_path: Path, toolchain: str) -> None:
    found = install(toolchain, index_of(tmp_path / "index", OTHER[toolchain]))
    assert found.machine == MACHINES[toolchain]
    assert found.code == 1, found.text
    assert "No matching distribution found for tiny" in found.text
    assert found.tags == []
