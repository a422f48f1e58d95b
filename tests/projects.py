"""A whole made-up project: an engine that pretends, an audit that finds nothing."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from pathlib import Path
from typing import Any

from making import (
    CMAKE,
    PEP517,
    PYTHONS,
    ZEROS,
    FakeEngine,
    FakeSources,
    finish,
    host_path,
    pack,
    quiet,
    write_recipe,
    write_toolchains,
)

from crosspi.audit.findings import Report
from crosspi.containers.engine import Line
from crosspi.containers.job import Job
from crosspi.paths import Paths
from crosspi.project import Project, Request

BASE = "{sysroot: base}"
SYSTEM = '{SYSTEM: "\\x7fELF"}'
PACK = CMAKE.replace("requires:\n", "requires:\n  build: [other]\n")


class Board(FakeEngine):
    """Pretends that every image is there, and that every command in it succeeds."""

    def __init__(self) -> None:
        super().__init__(
            self.work,
            copied={
                "include/python3.11/Python.h": "",
                "include/python3.9/Python.h": "",
                "sysconfigdata.py": 'build_time_vars = {"VERSION": "3.11", "EXT_SUFFIX": ".so"}',
                "pip-version": "23",
            },
        )
        self.fails = ""

    def image_architecture(self, tag: str) -> str | None:
        return "arm" if "python" in tag else "amd64"

    def work(self, job: Job, line: Line) -> int:
        targets = {m.target for m in job.mounts}
        if targets & {"/index", "/data/programs"}:
            return self.smoke(job)
        commands = (host_path(job, "/step") / "commands.json").read_text()
        if self.fails and self.fails in commands:
            line("error: it broke")
            return 1
        out = host_path(job, "/out")
        if "/python" in targets:
            (out / "tree").mkdir()
            (out / "tree" / "made.txt").write_text("x")
        if any(f'"copy": "/work/{made}/' in commands for made in ("installed", "compiled")):
            (out / "tree" / "lib").mkdir(parents=True)
            (out / "tree" / "lib" / "lib.a").write_bytes(b"\x7fELF of a library")
            (out / "licenses").mkdir()
        if "pack_archive.py" in commands:
            name = re.findall(r"/out/([^\"]+)", commands)[0]
            (out / name).write_bytes(b"packed: " + name.encode())
        if "link_programs.py" in commands:
            (out / "use").write_bytes(b"a program")
        pack(job)
        finish(job)
        return 0

    def smoke(self, job: Job) -> int:
        out = host_path(job, "/out")
        (out / "exit.json").write_text('{"install": 0, "harness": 0}')
        results = {
            "outcome": "passed",
            "board": {"machine": "toyl"},
            "counts": {"passed": 1},
            "tests": [{"name": "t", "outcome": "passed", "seconds": 0}],
        }
        (out / "results.json").write_text(json.dumps(results))
        return 0


def good(path: Path, *_: Any, **__: Any) -> Report:
    """An audit that finds nothing."""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return Report(path.name, "toy", digest, (), ())


class Bare(Board):
    """Has no image but those of tools, until one is made."""

    def image_architecture(self, tag: str) -> str | None:
        return self.images.get(tag) if "python" in tag else "amd64"

    def work(self, job: Job, line: Line) -> int:
        if job.environment.get("SYSTEM"):
            root = host_path(job, "/out") / "root" / "bin"
            root.mkdir(parents=True)
            (root / "python3").write_bytes(job.environment["SYSTEM"].encode("latin1"))
        return super().work(job, line)


def make_checkout(root: Path) -> Path:
    """Toolchains, two recipes of which `pack` needs `other`, and folders of images."""
    write_toolchains(root / "toolchains")
    write_recipe(root / "recipes" / "pack", PACK)
    write_recipe(root / "recipes" / "other", PEP517)
    for name in ("toolchain", "toy-python"):
        (root / "dockerfiles" / name).mkdir(parents=True)
        (root / "dockerfiles" / name / "Dockerfile").write_text("FROM x\n")
    image = root / "dockerfiles" / "toolchain" / "image.yaml"
    image.write_text("suite: bookworm\narchitecture: amd64\n")
    return root


def with_parts(checkout: Path) -> Path:
    """A checkout whose Python 3.11 is a part's root."""
    pythons = PYTHONS.replace(
        "{image: toy-python, suite: bookworm, architecture: armhf}",
        "{part: system, platform: linux/arm/v6}",
    )
    write_toolchains(checkout / "toolchains", pythons=pythons)
    tools = checkout / "dockerfiles" / "tools"
    shutil.copytree(checkout / "dockerfiles" / "toolchain", tools)
    (tools / "Dockerfile").write_text("FROM y\n")
    for name, needs, environment in (("base", "{}", "{}"), ("system", BASE, SYSTEM)):
        folder = checkout / "systems" / name
        folder.mkdir(parents=True)
        (folder / "build.sh").write_text("make\n")
        (folder / "part.yaml").write_text(
            f'name: {name}\nversion: "1"\nsummary: s\nlicence: MIT\nhomepage: h\nimage: tools\n'
            f"needs: {needs}\nenvironment: {environment}\n"
            f"sources: {{code: {{tree: {ZEROS}, origins: [{{local: code}}]}}}}\n"
        )
    return checkout


def project_at(checkout: Path, board: FakeEngine | None = None) -> Project:
    root = checkout.parent
    paths = Paths(project=checkout, cache=root / "cache", dist=root / "dist")
    project = Project(paths, quiet(), jobs=2)
    vars(project)["_engine"] = board or Board()
    vars(project)["emulator"] = "qemu-arm version 0"
    vars(project)["sources"] = FakeSources.at(root / "sources")
    return project


def ask(project: Project, *recipes: str, pythons: str = "3.11") -> Request:
    return project.request(["toy1"], [pythons], recipes)
