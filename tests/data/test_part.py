"""Parts: what a test system is made of, as data; their audit; images of their roots."""

from __future__ import annotations

import errno
import io
import json
import os
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from making import (
    TOOLCHAIN,
    ZEROS,
    FakeEngine,
    finish,
    good_tree,
    host_path,
    machine,
    make_step,
    workspace,
    write_toolchains,
)

from crosspi.audit.findings import Report
from crosspi.containers.engine import Line
from crosspi.containers.images import Image, pack_root
from crosspi.containers.job import Job
from crosspi.data.part import Part, load_parts
from crosspi.data.targets import Targets
from crosspi.errors import AuditError, BuildError, DataError, DiskFullError, from_os_error
from crosspi.places import BUILD_PATHS
from crosspi.steps.audit import part_audit_step
from crosspi.steps.image import root_image
from crosspi.steps.part import part_step
from crosspi.work.plan import Step, Workspace

PART = f"""\
name: base
version: "1"
summary: a made-up part
licence: MIT
homepage: https://example.org
image: tools
sources:
  code:
    tree: {ZEROS}
    origins: [{{local: code}}]
environment: {{FLAG: "1"}}
"""
SYSTEM = PART.replace("name: base", "name: system") + "needs: {sysroot: base}\n"
PROJECT = Path(__file__).parents[2]


def write_part(root: Path, text: str = PART) -> Path:
    folder = root / text.split("name: ", 1)[1].split("\n", 1)[0]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "part.yaml").write_text(text)
    if not (folder / "build.sh").exists():
        (folder / "build.sh").write_text("make\n")
    return folder


def load(root: Path, *texts: str) -> Mapping[str, Part]:
    for text in texts:
        write_part(root, text)
    return load_parts(root)


# --- part.yaml ------------------------------------------------------------------------------------


def test_parts_are_read(tmp_path: Path) -> None:
    found = load(tmp_path, PART, SYSTEM)
    assert list(found) == ["base", "system"]
    part = found["system"]
    assert part.name == part.data.name == "system"
    assert part.folder == tmp_path / "system"
    assert part.data.script == "build.sh"
    assert part.data.needs == {"sysroot": "base"}
    assert part.data.environment == {"FLAG": "1"}
    assert part.data.sources["code"].digest == 64 * "0"


def test_a_recipe_is_no_part(tmp_path: Path) -> None:
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "recipe.yaml").write_text("name: pack\n")
    assert load_parts(tmp_path) == {}


def test_all_faults_of_a_part_are_told(tmp_path: Path) -> None:
    text = (
        PART.replace("name: base", "name: Base_")
        .replace('version: "1"', "version: 1.0")
        .replace("licence:", "license:")
        .replace(f"tree: {ZEROS}", "tree: abc")
    )
    with pytest.raises(DataError, match=r"5 faults in part\.yaml") as caught:
        load(tmp_path, text)
    where = caught.value.where
    assert "part.yaml:1: name: " in where
    assert "part.yaml:2: version: must be text: put it in quotes" in where
    assert "part.yaml:4: license: no such field; did you mean licence" in where
    assert "licence: this field is required" in where
    assert "part.yaml:9: sources.code.tree: 'abc' must be sha256:" in where


@pytest.mark.parametrize("name", ["Base", "-base", "base-", "ba_se", "a/b", '""'])
def test_a_name_is_lower_case_words(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "any"
    folder.mkdir()
    (folder / "part.yaml").write_text(PART.replace("name: base", f"name: {name}"))
    with pytest.raises(DataError, match="1 fault"):
        load_parts(tmp_path)


def faults(root: Path, *texts: str) -> list[str]:
    """What is said about parts, each line without the folder."""
    with pytest.raises(DataError) as caught:
        load(root, *texts)
    assert caught.value.exit_code == 3
    return caught.value.where.replace(f"{root}/", "").splitlines()


def test_a_need_that_does_not_exist(tmp_path: Path) -> None:
    assert faults(tmp_path, PART, SYSTEM.replace(": base}", ": bass}")) == [
        "system/part.yaml:12: needs.sysroot: no part 'bass'; did you mean base?"
    ]


@pytest.mark.parametrize(
    "needs",
    [
        {"one": ["one"]},
        {"one": ["two"], "two": ["one"]},
        {"one": ["two"], "two": ["three"], "three": ["one"]},
        {"last": ["one"], "one": ["two"], "two": ["one"]},
    ],
)
def test_parts_cannot_need_each_other(tmp_path: Path, needs: Mapping[str, list[str]]) -> None:
    (said,) = faults(tmp_path, *needing(needs))
    where, message = said.split(": ", 1)
    one = needs["one"][0]
    assert where == "one/part.yaml:12"
    assert message == f"needs.of-{one}: '{one}' needs this part too"


def test_two_parts_may_need_the_same(tmp_path: Path) -> None:
    needs = {"top": ["left", "right"], "left": ["base"], "right": ["base"], "base": []}
    assert set(load(tmp_path, *needing(needs))) == set(needs)


def needing(needs: Mapping[str, list[str]]) -> list[str]:
    """A part.yaml for each part, with the parts that it needs."""
    return [
        PART.replace("name: base", f"name: {name}")
        + f"needs: {{{', '.join(f'of-{other}: {other}' for other in others)}}}\n"
        for name, others in needs.items()
    ]


def test_a_part_is_called_as_its_folder_and_has_its_script(tmp_path: Path) -> None:
    folder = write_part(tmp_path)
    text = PART.replace("name: base", "name: bass") + "script: absent.sh\n"
    (folder / "part.yaml").write_text(text)
    assert faults(tmp_path) == [
        "base/part.yaml:1: name: the folder is called 'base'",
        "base/part.yaml:12: script: there is no file 'absent.sh' here",
    ]


def test_a_script_that_nobody_named_is_missed_too(tmp_path: Path) -> None:
    (write_part(tmp_path) / "build.sh").unlink()
    (said,) = faults(tmp_path)
    assert said.startswith("base/part.yaml:1: ")
    assert said.endswith("script: there is no file 'build.sh' here")


@pytest.mark.parametrize(
    "folder",
    [
        *("out", "work", "src", "recipe", "need", "step", "cache", "crosspi", "tmp", "usr", "etc"),
        *("a/b", "/sysroot", "..", "Sysroot", "1st", '""'),
    ],
)
def test_a_need_is_mounted_where_nothing_else_is(tmp_path: Path, folder: str) -> None:
    (said,) = faults(tmp_path, PART, SYSTEM.replace("sysroot:", f"{folder}:"))
    assert said.startswith("system/part.yaml:12: needs")
    assert "is taken in a build container, or no plain name" in said


VARIED = (
    SYSTEM
    + """\
variants:
  "3.9": {version: "3.9.2", environment: {VERSION: "3.9"}}
  "3.11": {needs: {other: base}, smoke: null}
smoke: {folders: {tests: base}}
"""
)


def test_variants_are_parts_of_their_own(tmp_path: Path) -> None:
    folder = write_part(tmp_path, VARIED)
    (folder / "smoke.py").write_text("# tests\n")
    found = load(tmp_path, PART)
    assert set(found) == {"base", "system-3.9", "system-3.11"}
    nine, eleven = found["system-3.9"].data, found["system-3.11"].data
    assert (nine.version, eleven.version) == ("3.9.2", "1")
    assert nine.environment == {"FLAG": "1", "VERSION": "3.9"}
    assert eleven.needs == {"sysroot": "base", "other": "base"}
    assert nine.smoke is not None
    assert eleven.smoke is None


def test_a_smoke_test_needs_a_script_and_parts_that_exist(tmp_path: Path) -> None:
    assert any("smoke: there is no smoke.py" in line for line in faults(tmp_path, PART, VARIED))
    (tmp_path / "system" / "smoke.py").write_text("# tests\n")
    lost = VARIED.replace("{tests: base}", "{tests: bose}")
    (line,) = faults(tmp_path, PART, lost)
    assert "smoke.folders.tests: no part 'bose'; did you mean base?" in line


def test_a_smoke_test_sees_sources_that_exist(tmp_path: Path) -> None:
    folder = write_part(tmp_path, PART)
    (folder / "smoke.py").write_text("# tests\n")
    text = PART + "smoke: {data: {cade: Lib}}\n"
    assert any("smoke.data.cade: no source 'cade'" in line for line in faults(tmp_path, text))


def test_the_projects_own_parts_load() -> None:
    found = load_parts(PROJECT / "systems")
    for part in found.values():
        assert (part.folder / part.data.script).is_file()
        assert (PROJECT / "dockerfiles" / part.data.image / "image.yaml").is_file()
    for python in Targets.load(PROJECT / "toolchains").pythons.values():
        for image in python.data.targets.values():
            assert getattr(image, "part", None) in {None, *found}


# --- building one ---------------------------------------------------------------------------------


def step(root: Path, text: str = PART, *, engine: FakeEngine | None = None, jobs: int = 4) -> Step:
    """The step of a part; a part `base` is there for it to need."""
    found = load(root / "systems", PART, text)
    part = next(p for p in found.values() if p.name in text.split("\n", 1)[0])
    needs = {name: make_step("part", of) for name, of in part.data.needs.items()}
    sources = [
        make_step("source", f"{source.origins[0].filename}-{source.digest[:8]}")
        for source in part.data.sources.values()
    ]
    return part_step(part, machine(root, engine, jobs), needs, sources)


def test_a_part_needs_its_image_its_needs_and_its_sources(tmp_path: Path) -> None:
    made = step(tmp_path, SYSTEM)
    assert made.name == "part:system"
    assert [need.name for need in made.needs] == [
        "image:machine",
        "part:base",
        "source:code-00000000",
    ]
    assert made.present is None


def test_a_key_knows_no_number_of_jobs(tmp_path: Path) -> None:
    assert step(tmp_path, jobs=1).key == step(tmp_path, jobs=64).key


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("licence: MIT", "licence: GPL-2.0-only"),
        ("summary: a made-up", "summary: a nice"),
        ("homepage: https://example.org", "homepage: https://example.net"),
    ],
)
def test_what_no_build_sees_changes_no_key(tmp_path: Path, old: str, new: str) -> None:
    assert step(tmp_path, PART.replace(old, new)).key == step(tmp_path).key


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('FLAG: "1"', 'FLAG: "2"'),
        ('FLAG: "1"', 'LAG: "1"'),
        ("sysroot: base", "root: base"),
        ("  code:\n", "  kode:\n"),
        (ZEROS, "sha256:" + 64 * "1"),
    ],
)
def test_what_a_script_sees_changes_the_key(tmp_path: Path, old: str, new: str) -> None:
    assert step(tmp_path, SYSTEM.replace(old, new)).key != step(tmp_path, SYSTEM).key


def test_the_script_and_the_files_beside_it_change_the_key(tmp_path: Path) -> None:
    keys = [step(tmp_path).key]
    folder = tmp_path / "systems" / "base"
    (folder / "build.sh").write_text("make all\n")
    keys.append(step(tmp_path).key)
    (folder / "build.sh").chmod(0o755)
    keys.append(step(tmp_path).key)
    (folder / "fix.patch").write_text("+\n")
    keys.append(step(tmp_path).key)
    (folder / "files").mkdir()
    (folder / "files" / "passwd").write_text("root\n")
    keys.append(step(tmp_path).key)
    assert len(set(keys)) == 5
    assert step(tmp_path).key == keys[-1]


def test_the_scripts_name_changes_the_key(tmp_path: Path) -> None:
    (write_part(tmp_path / "systems") / "other.sh").write_text("make\n")
    assert step(tmp_path, PART + "script: other.sh\n").key != step(tmp_path).key


def test_sources_that_change_places_change_the_key(tmp_path: Path) -> None:
    other = f"  {{}}: {{{{tree: sha256:{64 * '1'}, origins: [{{{{local: other}}}}]}}}}\n"
    text = PART.replace("environment:", other.format("other") + "environment:")
    swapped = text.replace("  code:", "  X:").replace("  other:", "  code:")
    swapped = swapped.replace("  X:", "  other:")
    one, two = step(tmp_path, text), step(tmp_path, swapped)
    assert {need.name for need in one.needs} == {need.name for need in two.needs}
    assert one.key != two.key


def test_the_room_changes_the_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = step(tmp_path).key
    monkeypatch.setattr("crosspi.containers.build_machine.ENVIRONMENT", {"LC_ALL": "C"})
    assert step(tmp_path).key != before


def run(root: Path, text: str = PART, jobs: int = 4) -> tuple[Job, Workspace]:
    def done(job: Job, line: Line) -> int:
        del line
        (host_path(job, "/out") / "root").mkdir()
        finish(job)
        return 0

    engine = FakeEngine(done)
    made = step(root, text, engine=engine, jobs=jobs)
    work = workspace(root / "run", {"part:base": root / "results" / "base"})
    made.action(work)
    (job,) = engine.jobs
    return job, work


def test_the_script_sees_sources_recipe_and_needs_read_only(tmp_path: Path) -> None:
    job, work = run(tmp_path, SYSTEM)
    readable = {m.target: m.source for m in job.mounts if not m.writable}
    assert set(readable) == {"/crosspi/run_commands.py", "/src/code", "/recipe", "/sysroot"}
    assert readable["/src/code"] == tmp_path / "sources" / (64 * "0")
    assert readable["/recipe"] == tmp_path / "systems" / "system"
    assert readable["/sysroot"] == tmp_path / "results" / "base"
    assert host_path(job, "/out") == work.out
    assert (work.out / "root").is_dir()


def test_the_script_is_told_where_things_are(tmp_path: Path) -> None:
    job, _ = run(tmp_path, jobs=7)
    expected = {"SRC": "/src", "BUILD": "/work", "OUT": "/out", "JOBS": "7", "FLAG": "1"}
    assert expected.items() <= job.environment.items()


@pytest.mark.parametrize(
    ("name", "target", "refused"),
    [
        ("root", "/", True),
        ("tests", "/root/.ssh", True),
        ("data", "../../../secret", True),
        ("root/sh", "/bin/busybox", False),
        ("root/x", "../lib", False),
    ],
)
def test_a_link_that_a_part_leaves_means_its_own_root_or_is_refused(
    tmp_path: Path, name: str, target: str, refused: bool
) -> None:
    """Its root becomes an image, its folders are mounted: with `root -> /`, the host's."""

    def leaves(job: Job, line: Line) -> int:
        del line
        path = host_path(job, "/out") / name
        path.parent.mkdir(exist_ok=True)
        path.symlink_to(target)
        finish(job)
        return 0

    made = step(tmp_path, PART, engine=FakeEngine(leaves), jobs=1)
    work = workspace(tmp_path / "run", {"part:base": tmp_path / "results" / "base"})
    if not refused:
        made.action(work)
        return
    with pytest.raises(BuildError) as caught:
        made.action(work)
    assert caught.value.why == f"{name}: a link to {target}, which is outside"


@pytest.mark.parametrize("script", ["build.sh", "other.sh"])
def test_the_command_is_the_script(tmp_path: Path, script: str) -> None:
    (write_part(tmp_path / "systems") / script).write_text("make\n")
    job, _ = run(tmp_path, PART + f"script: {script}\n")
    data = json.loads((host_path(job, "/step") / "commands.json").read_text())
    assert data["commands"] == [{"argv": ["bash", f"/recipe/{script}"]}]


# --- the audit ------------------------------------------------------------------------------------


def audit_of(root: Path, toolchain: str = TOOLCHAIN, text: str = PART) -> Step:
    targets = Targets.load(write_toolchains(root / "toolchains", toolchain=toolchain))
    part = load(root / "systems", text)["base"]
    return part_audit_step(part, make_step("part", "base"), targets.toolchain("toy"))


def audit(root: Path, files: Mapping[str, bytes]) -> Workspace:
    for name, data in files.items():
        path = root / "made" / "root" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    work = workspace(root / "run", {"part:base": root / "made"})
    audit_of(root).action(work)
    return work


def test_a_good_root_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crosspi.audit.verdict.audit_tree", good_tree)
    work = audit(tmp_path, {"etc/passwd": b"root\n", "bin/sh": b"\x7fELF"})
    report = json.loads((work.out / "audit.json").read_text())
    assert report["ok"] is True
    assert [file["file"] for file in report["files"]] == ["bin/sh"]
    assert work.notes == {"files": 1, "errors": 0}
    assert work.log.is_file()


def test_a_root_without_machine_code_proves_nothing(tmp_path: Path) -> None:
    with pytest.raises(AuditError, match="the part base holds no ELF file") as caught:
        audit(tmp_path, {"etc/passwd": b"root\n"})
    assert caught.value.exit_code == 9
    assert "0 ELF files" in (tmp_path / "run" / "log").read_text()


@pytest.mark.parametrize("names", [(), ("rood/sh",), ("root",)])
def test_a_part_without_a_root_cannot_be_audited(tmp_path: Path, names: tuple[str, ...]) -> None:
    made = tmp_path / "made"
    made.mkdir()
    for name in names:
        (made / name).parent.mkdir(exist_ok=True)
        (made / name).write_bytes(b"\x7fELF")
    work = workspace(tmp_path / "run", {"part:base": made})
    with pytest.raises(AuditError, match="the part base left no folder root/"):
        audit_of(tmp_path).action(work)


def test_a_root_with_a_foreign_file_fails(tmp_path: Path) -> None:
    foreign = Path("/proc/self/exe").read_bytes()[:64]
    with pytest.raises(AuditError, match="the part base breaks the law of toy") as caught:
        audit(tmp_path, {"bin/broken": b"\x7fELF", "bin/foreign": foreign})
    error = caught.value
    assert error.exit_code == 9
    assert str(tmp_path / "run" / "log") in error.where
    assert {line.split(":")[0] for line in error.why.splitlines()} == {"bin/broken", "bin/foreign"}
    report = json.loads((tmp_path / "run" / "draft" / "out" / "audit.json").read_text())
    assert report["ok"] is False
    assert "bin/foreign" in (tmp_path / "run" / "log").read_text()


def test_a_message_of_many_findings_is_short(tmp_path: Path) -> None:
    with pytest.raises(AuditError) as caught:
        audit(tmp_path, {f"lib/{number}.so": b"\x7fELF" for number in range(50)})
    assert len(caught.value.why.splitlines()) == 20


def test_the_root_is_audited_for_paths_of_the_build(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[Path, str, Any]] = []

    def audit_tree(root: Path, law: Any, build_paths: Any, *, own: bool) -> Report:
        assert own
        asked.append((root, law.name, build_paths))
        return good_tree(root, law)

    monkeypatch.setattr("crosspi.audit.verdict.audit_tree", audit_tree)
    audit(tmp_path, {"file": b"\x7fELF"})
    assert asked == [(tmp_path / "made" / "root", "toy", BUILD_PATHS)]


def test_the_audits_key_knows_the_law(tmp_path: Path) -> None:
    before = audit_of(tmp_path)
    assert before.name == "audit:base-toy"
    assert [need.name for need in before.needs] == ["part:base"]
    assert audit_of(tmp_path, TOOLCHAIN.replace("[10]", "[9, 10]")).key != before.key
    assert audit_of(tmp_path, TOOLCHAIN.replace("toy-emulated", "other")).key == before.key


@pytest.mark.parametrize(("said", "own"), [("", True), ("audit: law\n", False)])
def test_the_binaries_of_others_are_held_to_the_law_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, own: bool
) -> None:
    """Found by the Python 3.10 of a .jar: of its stripped files less is reached than of ours."""
    asked: list[bool] = []

    def audit_tree(root: Path, law: Any, build_paths: Any, *, own: bool) -> Report:
        del build_paths
        asked.append(own)
        return good_tree(root, law)

    monkeypatch.setattr("crosspi.audit.verdict.audit_tree", audit_tree)
    root = tmp_path / "made" / "root"
    root.mkdir(parents=True)
    (root / "file").write_bytes(b"\x7fELF")
    step = audit_of(tmp_path, text=PART + said)
    step.action(workspace(tmp_path / "run", {"part:base": tmp_path / "made"}))
    assert asked == [own]
    assert (step.key == audit_of(tmp_path / "plain").key) == own


def test_a_root_with_its_own_c_library_may_need_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    floors: list[str] = []

    def audit_tree(root: Path, law: Any, build_paths: Any, *, own: bool) -> Report:
        del build_paths, own
        floors.append(law.glibc)
        return good_tree(root, law)

    monkeypatch.setattr("crosspi.audit.verdict.audit_tree", audit_tree)
    (tmp_path / "made" / "root").mkdir(parents=True)
    (tmp_path / "made" / "root" / "sh").write_bytes(b"\x7fELF")
    steps = [audit_of(tmp_path, text=PART + line) for line in ("", 'glibc: "2.36"\n')]
    for number, made in enumerate(steps):
        made.action(workspace(tmp_path / f"run{number}", {"part:base": tmp_path / "made"}))
    assert floors == ["2.28", "2.36"]
    assert steps[0].key != steps[1].key


# --- the image ------------------------------------------------------------------------------------


def image_of(
    engine: FakeEngine, *, platform: str = "linux/arm/v6", inputs: Mapping[str, str] | None = None
) -> Image:
    built = make_step("part", "base", inputs=inputs)
    return root_image("python-toy", built, engine, platform=platform)


def test_an_image_needs_its_part_and_knows_no_law() -> None:
    step = image_of(FakeEngine()).step
    assert step.name == "image:python-toy"
    assert [need.name for need in step.needs] == ["part:base"]


def test_a_tag_is_the_hash_of_what_goes_in() -> None:
    engine = FakeEngine()
    tags = {
        image_of(engine).tag,
        image_of(engine, platform="linux/arm/v7").tag,
        image_of(engine, inputs={"script": "2"}).tag,
    }
    assert len(tags) == 3
    assert image_of(engine).tag in tags
    assert all(tag.startswith("crosspi/python-toy:") for tag in tags)


def test_an_image_is_present_only_with_its_architecture() -> None:
    engine = FakeEngine()
    made = image_of(engine)
    assert made.step.present is not None
    assert not made.step.present()
    engine.images[made.tag] = "amd64"
    assert not made.step.present()
    engine.images[made.tag] = "arm"
    assert made.step.present()


def root_at(folder: Path, names: list[str], time: int = 0) -> Path:
    """A root whose files are made in a given order, at a given time."""
    for name in names:
        path = folder / "root" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
        path.chmod(0o755)
        os.utime(path, (time, time))
    (folder / "root" / "sh").symlink_to("bin/busybox")
    (folder / "beside").write_text("not of the root")
    return folder


def imported(root: Path, made: Path) -> tuple[bytes, str]:
    engine = FakeEngine()
    image = image_of(engine)
    image.step.action(workspace(root, {"part:base": made}))
    assert list(engine.imported) == [image.tag]
    assert image.step.present is not None
    assert image.step.present()
    return engine.imported[image.tag]


def test_an_image_is_the_root_with_its_platform(tmp_path: Path) -> None:
    data, platform = imported(
        tmp_path / "run", root_at(tmp_path / "made", ["bin/busybox", "etc/x"])
    )
    assert platform == "linux/arm/v6"
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        members = {m.name: m for m in archive}
        assert list(members) == [".", "./bin", "./bin/busybox", "./etc", "./etc/x", "./sh"]
        assert members["./sh"].linkname == "bin/busybox"
        assert members["./bin/busybox"].mode == 0o755
        assert {(m.uid, m.gid, m.uname, m.gname) for m in members.values()} == {(0, 0, "", "")}
        assert {m.mtime for m in members.values()} == {315532800}


def test_the_same_root_is_the_same_archive(tmp_path: Path) -> None:
    names = ["bin/busybox", "bin/a", "etc/x", "z"]
    one = imported(tmp_path / "run1", root_at(tmp_path / "made1", names))
    two = imported(tmp_path / "run2", root_at(tmp_path / "made2", names[::-1], 10**9))
    assert one == two


def test_a_folder_and_a_variant_do_not_make_one_part(tmp_path: Path) -> None:
    write_part(tmp_path, PART + "variants: {b: {}, c: {}}\n")
    write_part(tmp_path, PART.replace("name: base", "name: base-b"))
    with pytest.raises(DataError) as caught:
        load_parts(tmp_path)
    assert "makes a part 'base-b' already" in str(caught.value)


def test_a_part_is_not_called_like_a_recipe(tmp_path: Path) -> None:
    write_part(tmp_path)
    with pytest.raises(DataError) as caught:
        load_parts(tmp_path, taken=["base"])
    assert "there is a recipe 'base'" in str(caught.value)


def test_a_root_is_packed_as_roots_own_and_the_same_every_time(tmp_path: Path) -> None:
    packed = []
    for name, time in (("one", 1), ("two", 2_000_000_000)):
        root = tmp_path / name
        (root / "b").mkdir(parents=True)
        (root / "b" / "file").write_text("x")
        (root / "b" / "file").chmod(0o755)
        (root / "a").symlink_to("/b/file")
        (root / "c").hardlink_to(root / "b" / "file")
        os.utime(root / "b" / "file", (time, time))
        pack_root(root, tmp_path / f"{name}.tar")
        packed.append((tmp_path / f"{name}.tar").read_bytes())
    assert packed[0] == packed[1]
    with tarfile.open(tmp_path / "one.tar") as read:
        members = {member.name: member for member in read}
    assert list(members) == [".", "./a", "./b", "./b/file", "./c"]
    assert {(m.uid, m.gid, m.uname, m.gname) for m in members.values()} == {(0, 0, "", "")}
    assert members["./a"].linkname == "/b/file"
    assert members["./c"].islnk()
    assert members["./b/file"].mode == 0o755


def test_a_full_disk_while_a_root_is_packed_is_told_as_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not as a traceback of the program that packs it."""

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tarfile.TarFile, "add", full)
    with pytest.raises(OSError, match="No space") as caught:
        pack_root(tmp_path, tmp_path / "x.tar")
    assert isinstance(from_os_error(caught.value, doing="packing"), DiskFullError)
