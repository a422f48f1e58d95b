"""Steps of libraries and archives: what their keys know, what containers see, how they fail."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from making import (
    ARCHIVE,
    LIBRARY,
    FakeEngine,
    finish,
    host_path,
    load_recipe,
    machine,
    make_cell,
    make_step,
    workspace,
)

from crosspi.containers.engine import Line
from crosspi.containers.job import Job
from crosspi.data.targets import Slot
from crosspi.errors import BuildError
from crosspi.steps.libraries import NO_LIBRARIES, Libraries
from crosspi.steps.linked import linked_step
from crosspi.steps.prefix import prefix_step
from crosspi.work.plan import Step

LIB = make_step("prefix", "lib-toy")


def prefix_of(root: Path, text: str, engine: FakeEngine | None = None, jobs: int = 4) -> Step:
    recipe = load_recipe(root / "recipes", text)
    libraries = Libraries({"lib": LIB}) if recipe.data.requires.libraries else NO_LIBRARIES
    return prefix_step(
        recipe,
        make_step("toolchain", "toy"),
        make_cell(root).toolchain,
        machine(root, engine, jobs),
        [],
        libraries=libraries,
    )


@pytest.mark.parametrize(
    ("old", "new", "changes"),
    [
        ("KERNELS: TOY", "KERNELS: TOYS", True),
        ("share/man", "share/info", True),
        ("to: share/VERSION", "to: share/version", True),
        ("sha256:" + 64 * "6", "sha256:" + 64 * "7", True),
        ("licence: MIT", "licence: BSD", False),
        ("requires:", "smoke: {timeout_minutes: 2}\nrequires:", False),
    ],
)
def test_a_key_knows_what_is_built(tmp_path: Path, old: str, new: str, changes: bool) -> None:
    assert old in ARCHIVE
    before = prefix_of(tmp_path, ARCHIVE).key
    assert (prefix_of(tmp_path, ARCHIVE.replace(old, new)).key != before) is changes
    assert prefix_of(tmp_path, ARCHIVE, jobs=64).key == before


def test_a_key_knows_its_libraries(tmp_path: Path) -> None:
    step = prefix_of(tmp_path, ARCHIVE)
    assert LIB in step.needs
    assert "prefix:lib-toy" in step.all_inputs


def run(root: Path, text: str, leaves: dict[str, str]) -> FakeEngine:
    """Run the step in a container that leaves files."""

    def work(job: Job, line: Line) -> int:
        del line
        for name, content in leaves.items():
            path = host_path(job, "/out") / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if content.startswith("→"):
                path.symlink_to(content[1:])
            else:
                path.write_text(content)
        finish(job)
        return 0

    engine = FakeEngine(work)
    step = prefix_of(root, text, engine)
    results = {need.name: root / "results" for need in step.needs}
    (root / "results" / "tree").mkdir(parents=True)
    step.action(workspace(root / "run", results))
    return engine


def test_a_build_sees_the_libraries_read_only(tmp_path: Path) -> None:
    leaves = {"tree/lib/a.a": "x", "tree/share/man/a.3": "x"}
    (job,) = run(tmp_path, ARCHIVE, leaves).jobs
    (mount,) = [m for m in job.mounts if m.target == "/need/lib"]
    assert (mount.source, mount.writable) == (tmp_path / "results" / "tree", False)
    assert job.environment["PKG_CONFIG_LIBDIR"].startswith("/need/lib/lib/pkgconfig:")
    # And what is excluded is gone.
    out = tmp_path / "run" / "draft" / "out" / "tree"
    assert [p.name for p in out.rglob("*") if p.is_file()] == ["a.a"]


@pytest.mark.parametrize(
    ("leaves", "said"),
    [
        ({"tree/lib/a.a": "→/root/.ssh/id_rsa"}, "may not leave"),
        ({"tree/bin/config": "/work/build/x"}, "name its folders"),
        ({"tree/share/man/a.3": "x"}, "installed nothing"),
    ],
)
def test_what_a_build_leaves_is_looked_through(
    tmp_path: Path, leaves: dict[str, str], said: str
) -> None:
    with pytest.raises(BuildError, match=said):
        run(tmp_path, ARCHIVE, leaves)


@pytest.mark.parametrize("kind", ["prefix", "archive"])
def test_programs_are_linked_with_the_product_alone(tmp_path: Path, kind: str) -> None:
    recipe = load_recipe(tmp_path / "recipes", LIBRARY)

    def work(job: Job, line: Line) -> int:
        del line
        (host_path(job, "/out") / "use").write_text("a program")
        finish(job)
        return 0

    engine = FakeEngine(work)
    product = make_step(kind, "lib-toy")
    toolchain = make_step("toolchain", "toy")
    slot = Slot(make_cell(tmp_path).toolchain)
    step = linked_step(
        recipe,
        slot,
        product,
        machine(tmp_path, engine),
        toolchain_made=toolchain,
        libraries=NO_LIBRARIES,
    )
    made = tmp_path / "made"
    (made / "tree").mkdir(parents=True)
    (made / "lib-1.2-linux_toyl.tar.gz").touch()
    step.action(workspace(tmp_path / "run", {product.name: made, toolchain.name: made}))
    (job,) = engine.jobs
    targets = {m.target: m.source for m in job.mounts}
    assert not [target for target in targets if target.startswith("/src")]
    commands = json.loads((targets["/step"] / "commands.json").read_text())["commands"]
    if kind == "archive":
        assert targets["/archive"] == made
        assert "--file=/archive/lib-1.2-linux_toyl.tar.gz" in commands[1]["argv"]
        assert "/need" in job.tmpfs
    else:
        assert targets["/need/lib"] == made / "tree"
    assert commands[-2]["argv"][1:] == [
        *("/crosspi/link_programs.py", "/recipe/smoke", "/need/lib", "/out"),
    ]


def test_a_cmake_project_of_programs_is_built(tmp_path: Path) -> None:
    recipe = load_recipe(tmp_path / "recipes", LIBRARY)
    (recipe.folder / "smoke" / "CMakeLists.txt").write_text("project(x)\n")
    engine = FakeEngine(lambda job, _line: finish(job) or 0)
    made = make_step("x")
    step = linked_step(
        recipe,
        Slot(make_cell(tmp_path).toolchain),
        made,
        machine(tmp_path, engine),
        toolchain_made=made,
        libraries=NO_LIBRARIES,
    )
    (tmp_path / "tree").mkdir()
    with pytest.raises(BuildError, match="no program tests lib"):
        step.action(workspace(tmp_path / "run", {made.name: tmp_path}))
    text = (host_path(engine.jobs[0], "/step") / "commands.json").read_text()
    argvs = [c["argv"] for c in json.loads(text)["commands"] if "argv" in c]
    assert argvs[0][:5] == ["cmake", "-G", "Ninja", "-S", "/recipe/smoke"]
    assert "-DCMAKE_RUNTIME_OUTPUT_DIRECTORY=/out" in argvs[0]
    assert argvs[1][0] == "ninja"
