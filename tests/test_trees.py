"""What a container left: nothing of the host comes in by it, and nothing of the host is changed."""

from __future__ import annotations

import json
import os
import re
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from making import CMAKE, host_path, load_recipe, machine, make_step, workspace
from projects import Board, ask, good, make_checkout, project_at

from crosspi.containers.engine import Line
from crosspi.containers.job import Job
from crosspi.data.targets import Cell
from crosspi.errors import BuildError
from crosspi.run import build
from crosspi.steps.wheel import wheel_step
from crosspi.trees import check_members, check_tree


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A tree with honest links, beside a secret."""
    (tmp_path / "secret").write_text("secret")
    tree = tmp_path / "tree"
    (tree / "d" / "e").mkdir(parents=True)
    (tree / "d" / "f").write_text("f")
    (tree / "d" / "f").chmod(0o755)
    (tree / "l1").symlink_to("d/e/../f")
    (tree / "d" / "e" / "l2").symlink_to("../../l1")
    (tree / "folder").symlink_to("d")
    (tree / "dangling").symlink_to("d/none/x")
    return tree


def test_files_folders_and_links_inside_are_left_alone(tree: Path) -> None:
    check_tree(tree, left_by="it")


LINKS = {
    "absolute": "/etc/passwd",
    "the file beside it": "../secret",
    "by way of folders": "d/e/../../../secret",
    "up and in again": "../tree/d/f",
    "by way of a link": "folder/../../secret",
    "absolute into the tree": "{tree}/d/f",
    "through what is not there": "none/../../secret",
    "in a circle": "bad",
}


@pytest.mark.parametrize("kind", LINKS)
def test_a_link_that_leads_outside_is_refused(tree: Path, kind: str) -> None:
    (tree / "bad").symlink_to(LINKS[kind].format(tree=tree))
    with pytest.raises(BuildError, match="the build left what may not leave") as caught:
        check_tree(tree, left_by="the build")
    assert caught.value.where == str(tree)
    assert re.match("bad: a link to .*, which is outside$", caught.value.why)
    assert "secret" not in caught.value.what


def test_links_that_lead_outside_only_together_are_refused(tree: Path) -> None:
    (tree / "d" / "here").symlink_to("..")
    (tree / "bad").symlink_to("d/here/../secret")
    with pytest.raises(BuildError) as caught:
        check_tree(tree, left_by="it")
    assert caught.value.why.startswith("bad: ")


def pipe(path: Path) -> None:
    os.mkfifo(path)


def listening(path: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)  # the name of a socket must be short
    try:
        socket.socket(socket.AF_UNIX).bind(path.name)
    finally:
        os.chdir(here)


def setuid(path: Path) -> None:
    path.write_text("x")
    path.chmod(0o4755)


def setgid(path: Path) -> None:
    path.write_text("x")
    path.chmod(0o2755)


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (pipe, "bad: a named pipe"),
        (listening, "bad: a socket"),
        (setuid, "bad: it is setuid or setgid"),
        (setgid, "bad: it is setuid or setgid"),
    ],
)
def test_other_things_than_files_are_refused(
    tree: Path, make: Callable[[Path], None], why: str
) -> None:
    make(tree / "bad")
    with pytest.raises(BuildError) as caught:
        check_tree(tree, left_by="it")
    assert caught.value.why == why


def test_all_faults_are_told_up_to_ten(tree: Path) -> None:
    for number in range(12):
        (tree / f"bad-{number:02}").symlink_to("/")
    with pytest.raises(BuildError) as caught:
        check_tree(tree, left_by="it")
    lines = caught.value.why.splitlines()
    assert lines[0] == "bad-00: a link to /, which is outside"
    assert len(lines) == 11
    assert lines[-1] == "and 2 more"


@pytest.mark.parametrize("target", ["/", "d"])
def test_a_tree_that_is_a_link_itself_is_refused(tree: Path, target: str) -> None:
    (tree / "link").symlink_to(target)
    with pytest.raises(BuildError, match="may not leave"):
        check_tree(tree / "link", left_by="it")


def test_in_a_root_file_system_absolute_links_mean_that_root(tmp_path: Path) -> None:
    (tmp_path / "root" / "bin").mkdir(parents=True)
    (tmp_path / "root" / "bin" / "sh").symlink_to("/bin/busybox")
    (tmp_path / "root" / "etc").symlink_to("/usr/etc")
    (tmp_path / "beside").symlink_to("root/bin")
    check_tree(tmp_path, left_by="it", roots=["root"])
    (tmp_path / "a").symlink_to("root/bin/sh")  # who follows it follows one that means the root
    (tmp_path / "root" / "up").symlink_to("/../../secret")
    (tmp_path / "other").symlink_to("/bin/busybox")
    with pytest.raises(BuildError) as caught:
        check_tree(tmp_path, left_by="it", roots=["root"])
    assert [line.split(":")[0] for line in caught.value.why.splitlines()] == [
        "a",
        "other",
        "root/up",
    ]


def test_a_root_that_is_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "root").symlink_to("/")
    with pytest.raises(BuildError) as caught:
        check_tree(tmp_path, left_by="it", roots=["root"])
    assert caught.value.why == "root: a link to /, which is outside"


def test_links_that_a_wheel_would_lose_are_told(tree: Path) -> None:
    with pytest.raises(BuildError, match="links that a wheel cannot hold") as caught:
        check_members(tree, left_by="it")
    assert caught.value.why == "dangling: a link to nothing\nfolder: a link to a folder"
    (tree / "dangling").unlink()
    (tree / "folder").unlink()
    check_members(tree, left_by="it")


# --- the whole way, with an engine that pretends --------------------------------------------


class Hostile(Board):
    """A board on which the commands of a build leave something beside what they should."""

    def __init__(self, at: str, target: Path, *, test: bool = False) -> None:
        super().__init__()
        self.at, self.target, self.test = at, target, test

    def leave(self, job: Job) -> None:
        path = host_path(job, "/out") / self.at
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.symlink_to(self.target)

    def work(self, job: Job, line: Line) -> int:
        code = super().work(job, line)
        if not self.test and "/python" in {m.target for m in job.mounts}:
            self.leave(job)
        return code

    def smoke(self, job: Job) -> int:
        code = super().smoke(job)
        if self.test:
            self.leave(job)
        return code


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "home" / "id_rsa"
    path.parent.mkdir()
    path.write_text(json.dumps({"install": 0, "harness": 0, "secret": "key"}))
    return path


@pytest.fixture(autouse=True)
def audits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crosspi.audit.audit_wheel", good)


@pytest.mark.parametrize("at", ["tree/x", "tree/pack/__init__.py", "licenses", "licenses/x/y", "z"])
def test_no_byte_of_the_host_gets_into_a_wheel(tmp_path: Path, secret: Path, at: str) -> None:
    target = secret.parent if at == "licenses" else secret
    project = project_at(make_checkout(tmp_path / "checkout"), Hostile(at, target))
    result = build(project, ask(project, "other"))
    (error,) = result.errors
    assert isinstance(error, BuildError)
    assert error.what == "the build container left what may not leave its container"
    assert error.why == f"{at}: a link to {target}, which is outside"
    assert result.published == []
    for path in [*(tmp_path / "cache").rglob("*"), *(tmp_path / "dist").rglob("*")]:
        assert path.is_symlink() or not path.is_file() or b"secret" not in path.read_bytes()


@pytest.mark.parametrize("at", ["results.json", "junit.xml", "exit.json", "results.jsonl"])
def test_what_a_smoke_test_left_changes_nothing_on_the_host(
    tmp_path: Path, secret: Path, at: str
) -> None:
    before = secret.read_text()
    project = project_at(make_checkout(tmp_path / "checkout"), Hostile(at, secret, test=True))
    result = build(project, ask(project, "other"))
    assert secret.read_text() == before
    (error,) = result.errors
    assert error.what == "the smoke test left what may not leave its container"
    assert error.why == f"{at}: a link to {secret}, which is outside"


def test_a_stored_tree_is_looked_through_again(tmp_path: Path, secret: Path, cell: Cell) -> None:
    """The store may hold what an older crosspi let in."""
    before = make_step("build", "pack-cp311-toy")
    result = tmp_path / "built"
    (result / "tree").mkdir(parents=True)
    (result / "tree" / "x").symlink_to(secret)
    step = wheel_step(load_recipe(tmp_path / "recipes", CMAKE), cell, before, machine(tmp_path))
    with pytest.raises(BuildError, match="may not leave"):
        step.action(workspace(tmp_path / "run", {before.name: result}))
