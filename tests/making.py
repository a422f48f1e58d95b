"""Small recipes, toolchains and stand-ins for what is expensive; the unit tests share them."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from crosspi.audit.findings import FileFacts, Report
from crosspi.builders.context import BuildContext
from crosspi.cancel import Cancel
from crosspi.console import Console
from crosspi.containers.build_machine import BuildMachine
from crosspi.containers.engine import Engine, Line
from crosspi.containers.images import Image
from crosspi.containers.job import Job
from crosspi.data.recipe import Package, Recipe
from crosspi.data.targets import Cell, Targets
from crosspi.guests import run_commands
from crosspi.index.manifest import Manifest
from crosspi.sources.cache import SourceCache
from crosspi.work.plan import Step, Workspace

ZEROS = "sha256:" + 64 * "0"

TOOLCHAIN = """\
summary: a made-up architecture
boards: {toy1: Toy 1, toy2: Toy 2}
platform: linux_toyl
uname: toyl
compiler:
  target: arm-toy
  glibc: "2.28"
  cpu: toy_cpu
  clang_cpu: toy-cpu
  flags: [-fno-toys]
  drop: ["-mtune=*", "-mx=a b"]
  march: [["armv1*:*", toy_cpu]]
emulated: [{name: toy1, plays: Toy 1, cpu: toy-emulated, cpuinfo: cpuinfo.txt}]
python: {cpu_family: arm, cpu: toyv1, host: arm-toy}
audit:
  name: toy
  arch_tags: [10]
  fp_arch: [6]
  simd: [2]
  thumb2: true
  instructions: []
  glibc: "2.28"
  needed: [libc.so.6]
  platform: linux_toyl
  accepts: ["manylinux*_toyl"]
"""

PYTHONS = """\
"3.11":
  tag: cp311
  abi: cp311
  glibc: "2.36"
  targets:
    toy: {image: toy-python, suite: bookworm, architecture: armhf}
"3.9":
  tag: cp39
  abi: cp39
  glibc: "2.31"
  targets:
    toy: {image: toy-python, suite: bullseye, architecture: armhf}
"""

CMAKE = f"""\
name: pack
version: "1.0"
summary: a made-up package
licence: MIT
homepage: https://example.org
default: true
pythons: ">=3.9"
sources:
  main:
    tree: {ZEROS}
    origins: [{{local: main}}]
  extra:
    tree: sha256:{64 * "1"}
    origins: [{{local: extra}}]
build:
  system: cmake
  source: main
  folder: sub
  writable: [extra]
  flags: [-g0]
  options: {{OPTION: true, PLACE: "{{source:main}}/x", COPY: "{{source:extra}}/y"}}
  compile: [engine]
  keep: ["lib*.a"]
  python:
    project: "{{recipe}}/module"
    options: {{INCLUDES: "{{python:include}}", ENGINE: "{{compiled}}/libengine.a"}}
    build: [module]
  targets:
    toy: {{options: {{OPTION: false}}, flags: [-toy]}}
wheel:
  files:
    - {{text: "version = '{{version}}'", to: pack/__init__.py}}
    - {{from: "{{build}}/module.so", to: "pack/module{{python:ext_suffix}}"}}
  licences: [{{of: main, from: "{{source:main}}/LICENSE"}}]
requires:
  run: ["other>=1"]
"""

#: CMAKE with programs for its smoke test, and a source that these alone see.
PROGRAMS = CMAKE.replace(
    "build:\n",
    f"  tester: {{tree: sha256:{64 * '4'}, origins: [{{local: tester}}]}}\nbuild:\n",
    1,
) + (
    "smoke:\n  programs:\n    folder: smoke-programs\n    sources: [tester]\n"
    '    options: {TESTER: "{source:tester}", BUILT: "{compiled}"}\n'
    "    build: [quick]\n    full_build: [slow]\n"
)

PEP517 = f"""\
name: other
version: "2.0"
summary: another made-up package
licence: MIT
homepage: https://example.org
pythons: ">=3.9"
sources:
  other:
    tree: sha256:{64 * "2"}
    origins: [{{local: other}}]
  tool:
    file: sha256:{64 * "3"}
    origins: [{{local: tool-1-py3-none-any.whl}}]
build:
  system: pep517
  source: other
  tools: [tool]
  meson:
    properties: {{answer: 42, name: "it's", flag: true, list: [a, b]}}
  settings:
    setup-args: ["--cross-file={{cross_file}}"]
    compile-args: ["-j{{jobs}}"]
  environment: {{HERE: "{{source:other}}"}}
  targets:
    toy:
      settings: {{setup-args: [-Dtoy=1]}}
      environment: {{TOY: "1"}}
"""


#: A library, and one that is linked with it and is an archive too.
LIBRARY = f"""\
name: lib
version: "1.2"
summary: a made-up library
licence: MIT
homepage: https://example.org
makes: [library]
sources:
  lib: {{tree: sha256:{64 * "5"}, origins: [{{local: lib}}]}}
build: {{system: cmake, source: lib, options: {{SHARED: false}}}}
prefix:
  licences: [{{of: lib, from: "{{source:lib}}/LICENSE"}}]
"""
ARCHIVE = f"""\
name: arc
version: "3.0"
summary: a made-up archive
licence: MIT
homepage: https://example.org
makes: [archive]
sources:
  arc: {{tree: sha256:{64 * "6"}, origins: [{{local: arc}}]}}
build:
  system: make
  source: arc
  variables: {{LIB: "{{need:lib}}/lib", CC: cross-cc, FAST: true}}
  targets: {{toy: {{variables: {{KERNELS: TOY}}}}}}
requires: {{libraries: [lib]}}
prefix:
  files: [{{text: "v{{version}}", to: share/VERSION}}]
  licences: [{{of: arc, from: "{{source:arc}}/LICENSE"}}]
  exclude: ["share/man"]
"""


def once(text: str = CMAKE) -> str:
    """CMAKE, or what was made of it, with nothing compiled for all Pythons: all is for one."""
    text = text.replace('  compile: [engine]\n  keep: ["lib*.a"]\n', "")
    text = text.replace('    project: "{recipe}/module"\n', "")
    return text.replace(', ENGINE: "{compiled}/libengine.a"', "")


OTHERS = "- {names: [arm64, pi5], use: take another}\n"


def write_toolchains(folder: Path, *, toolchain: str = TOOLCHAIN, pythons: str = PYTHONS) -> Path:
    """A `toolchains/` with one toolchain, `toy`, and two Pythons."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "toy.yaml").write_text(toolchain)
    (folder / "cpuinfo.txt").write_text("Hardware: toy\n")
    (folder / "pythons.yaml").write_text(pythons)
    (folder / "others.yaml").write_text(OTHERS)
    return folder


def write_programs(root: Path, name: str = "pack") -> None:
    """The CMake project of PROGRAMS."""
    folder = root / name / "smoke-programs"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "CMakeLists.txt").write_text("project(programs)\n")


def write_recipe(folder: Path, text: str = CMAKE) -> Path:
    """A recipe's folder; its name must be the recipe's."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "recipe.yaml").write_text(text)
    if "makes:" not in text or "pythons:" in text:
        (folder / "smoke.py").write_text("# tests\n")
    if "makes:" in text:
        (folder / "smoke").mkdir(exist_ok=True)
        (folder / "smoke" / "use.c").write_text("int main(void) { return 0; }\n")
    return folder


def load_recipe(root: Path, text: str = CMAKE) -> Recipe:
    name = text.split("name: ", 1)[1].split("\n", 1)[0]
    return Package.load(write_recipe(root / name, text)).recipes[0]


def make_cell(root: Path, python: str = "3.11") -> Cell:
    targets = Targets.load(write_toolchains(root / "toolchains"))
    return Cell(targets.toolchain("toy"), targets.python(python))


def context(recipe: Recipe, cell: Cell, /, **values: Any) -> BuildContext:
    return BuildContext(recipe=recipe, toolchain=cell.toolchain, **{"jobs": 4, **values})


def nothing(work: Workspace) -> None:
    """An action that makes an empty result."""


def writes(text: str = "result", name: str = "file") -> Callable[[Workspace], None]:
    def act(work: Workspace) -> None:
        (work.out / name).write_text(text)

    return act


def make_step(
    kind: str = "build",
    subject: str = "x",
    *,
    inputs: Mapping[str, str] | None = None,
    needs: Sequence[Step] = (),
    action: Callable[[Workspace], None] | None = None,
    present: Callable[[], bool] | None = None,
) -> Step:
    return Step(kind, subject, inputs or {}, tuple(needs), action or writes(), present)


def quiet(stream: io.StringIO | None = None) -> Console:
    return Console(terminal=False, stream=stream or io.StringIO())


def workspace(root: Path, results: Mapping[str, Path] | None = None) -> Workspace:
    """What a step's action gets, outside any store."""
    out = root / "draft" / "out"
    out.mkdir(parents=True)
    return Workspace(out=out, log=root / "log", line=lambda _: None, results=results or {})


DPKG = """\
Package: gcc
Status: install ok installed
Architecture: amd64
Version: 12.2.0-14
Description: a compiler
 Version: no field

Package: removed
Status: deinstall ok config-files
Architecture: amd64
Version: 1

Package: zlib1g
Status: install ok installed
Architecture: amd64
Version: 1:1.2.13
"""


@dataclass
class FakeEngine:
    """Stands in for `Engine`: notes its jobs, and does what a test wants of them."""

    on_run: Callable[[Job, Line], int] = lambda _job, _line: 0
    images: dict[str, str] = field(default_factory=dict)
    jobs: list[Job] = field(default_factory=list)
    timeouts: list[float | None] = field(default_factory=list)
    copied: Mapping[str, str] = field(default_factory=dict)
    packages: str = DPKG
    imported: dict[str, tuple[bytes, str]] = field(default_factory=dict)

    def run(
        self,
        job: Job,
        *,
        log: Path,
        line: Line,
        timeout: float | None = None,
        cancel: Cancel | None = None,
    ) -> int:
        if cancel is not None:
            cancel.check()
        self.jobs.append(job)
        self.timeouts.append(timeout)
        log.touch()
        return self.on_run(job, line)

    def image_architecture(self, tag: str) -> str | None:
        return self.images.get(tag)

    def image_id(self, tag: str) -> str | None:
        return f"id of {tag}" if self.image_architecture(tag) else None

    def read_file(self, image: str, path: str) -> bytes | None:
        del image, path
        return self.packages.encode()

    def import_root(self, layer: Path, tag: str, *, platform: str) -> None:
        self.imported[tag] = (layer.read_bytes(), platform)
        self.images[tag] = platform.split("/")[1]

    def copy_out(
        self, image: str, paths: Mapping[str, str], into: Path, *, without: Sequence[str] = ()
    ) -> None:
        del image, without
        for name in paths.values():
            for inner, text in self.copied.items():
                path = into / name / inner
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)

    def __call__(self) -> Engine:
        return cast(Engine, self)


class FakeSources:
    """Stands in for `SourceCache`: every source is an empty folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, source: Any) -> Path:
        return self.root / str(source.digest)

    def fetch(self, name: str, source: Any, *, base: Path = Path()) -> Path:
        del name, base
        path = self.path(source)
        path.mkdir(parents=True, exist_ok=True)
        return path

    @classmethod
    def at(cls, root: Path) -> SourceCache:
        return cast(SourceCache, cls(root))


def machine(root: Path, engine: FakeEngine | None = None, jobs: int = 4) -> BuildMachine:
    return BuildMachine(
        engine=engine or FakeEngine(),
        image=Image(make_step("image", "machine"), "machine:1"),
        sources=FakeSources.at(root / "sources"),
        caches=root / "caches",
        jobs=jobs,
    )


def good_tree(root: Path, law: Any, *_: Any, **__: Any) -> Report:
    """Stands in for `audit_tree`: finds nothing wrong with any ELF file."""
    files = tuple(
        FileFacts(path.relative_to(root).as_posix(), path.stat().st_size, law.machine)
        for path in sorted(root.rglob("*"))
        if path.is_file() and path.read_bytes()[:4] == b"\x7fELF"
    )
    return Report(str(root), law.name, "", files, ())


def host_path(job: Job, target: str) -> Path:
    """The host's folder that a job sees at a place."""
    (path,) = [m.source for m in job.mounts if m.target == target]
    return path


def pack(job: Job) -> None:
    """Do what a job's commands say of packing, as run_commands.py does in a build container."""
    commands = json.loads((host_path(job, "/step") / "commands.json").read_text())["commands"]
    for command in commands:
        if "pack" in command:
            here = {
                "pack": str(host_path(job, command["pack"])),
                "to": str(host_path(job, "/out") / Path(command["to"]).name),
            }
            run_commands.pack({**command, **here})


def packing(job: Job, _line: Line) -> int:
    """A job of a wheel step."""
    pack(job)
    finish(job)
    return 0


def finish(
    job: Job, *, hits: int = 0, misses: int = 0, dropped: Mapping[str, int] | None = None
) -> None:
    """Leave the usage file, as run_commands.py does in a build container."""
    usage = {
        "cpu": 1.5,
        "ccache_hits": hits,
        "ccache_misses": misses,
        "dropped_flags": dropped or {},
    }
    (host_path(job, "/step") / "usage.json").write_text(json.dumps(usage))


def tiny_wheel(
    folder: Path,
    name: str = "tiny",
    version: str = "1.0",
    *,
    requires_python: str = ">=3.9",
    tag: str = "py3-none-any",
    build: int = 0,
) -> Path:
    """A pure-Python wheel that pip takes."""
    folder.mkdir(parents=True, exist_ok=True)
    stem = name.replace("-", "_")
    number = f"{build}-" if build else ""
    path = folder / f"{stem}-{version}-{number}{tag}.whl"
    info = f"{stem}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    if requires_python:
        metadata += f"Requires-Python: {requires_python}\n"
    members = {
        f"{stem}.py": f"version = {version!r}\n",
        f"{info}/METADATA": metadata,
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n"
        + (f"Build: {build}\n" if build else ""),
    }
    record = ""
    with zipfile.ZipFile(path, "w") as archive:
        for member, text in members.items():
            digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest())
            record += f"{member},sha256={digest.decode().rstrip('=')},{len(text)}\n"
            archive.writestr(member, text)
        archive.writestr(f"{info}/RECORD", record + f"{info}/RECORD,,\n")
    return path


def a_manifest(file: Path, **changes: object) -> Manifest:
    """A published file's manifest, but for the changes."""
    toolchain = {
        "name": "toy",
        "boards": ["toy1", "toy2"],
        "emulated": [{"name": "toy1", "plays": "Toy 1", "cpu": "toy-emulated"}],
        "target": "arm-toy",
        "glibc": "2.28",
        "cpu": "toy_cpu",
        "clang_cpu": "toy-cpu",
        "flags": [],
        "link_flags": [],
    }
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    plain = {
        "wheel": file.name,
        "sha256": digest,
        "size": file.stat().st_size,
        "packed": digest,
        "recipe": "pack",
        "version": "1.0",
        "licence": "MIT",
        "proof": {"wheel": "k"},
        "proven": "2026-01-02T10:00:00+00:00",
        "build_identifier": "cp311-toy",
        "promises": {},
        "python": "3.11",
        "toolchain": toolchain,
        "sources": {},
        "steps": {},
        "made_with": {"images": {}, "emulator": "qemu", "audit": "capstone 5"},
        "crosspi": "0",
    }
    return Manifest.model_validate({**plain, **changes})
