"""What was found in a file is found once, and never where anything differs."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest
from arm_files import MODULE, RETURN, V6, V7, Source, Toolbox, make_wheel
from test_archives import archive

from crosspi.audit import Law, Promises, audit_tree, audit_wheel
from crosspi.audit.code import scan as scan_module
from crosspi.audit.findings import Report
from crosspi.audit.memory import Memory
from crosspi.caches import is_ours
from crosspi.steps import audit_tools as step

CODE, OTHER = "c0de" * 16, "07e4" * 16
PROMISES = Promises.model_validate({"dispatched": [{"why": "asked", "classes": ["v8"]}]})
FOREIGN = Source(f"  .inst 0xe3010234\n{RETURN}")
Reads = Callable[[], int]


def wheel_in(folder: Path, files: dict[str, bytes], **words: Any) -> Path:
    folder.mkdir()
    return make_wheel(folder, files, **words)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Reads:
    """How many files' instructions were read so far."""
    count = 0
    scan = scan_module.scan

    def counting(*arguments: object) -> object:
        nonlocal count
        count += 1
        return scan(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr("crosspi.audit.elf.rules.scan", counting)
    return lambda: count


@pytest.fixture
def wheel(arm: Toolbox, tmp_path: Path) -> Path:
    """A wheel with a fault and a library of its own that a module needs."""
    data = arm.shared(FOREIGN)
    return wheel_in(tmp_path / "wheels", {MODULE: data, "demo/libown.so.1": arm.shared()})


def audited(
    wheel: Path, memory: Memory | None, law: Law = V6, *, own: bool = False
) -> tuple[str, Report]:
    report = audit_wheel(wheel, law, own=own, memory=memory)
    return report.to_json(), report


def test_the_second_audit_reads_no_instruction(wheel: Path, tmp_path: Path, reads: Reads) -> None:
    folder = tmp_path / "audits"
    first, report = audited(wheel, Memory(folder, CODE))
    assert "isa-v7" in {item.code for item in report.errors}
    assert reads() == 2
    second, again = audited(wheel, Memory(folder, CODE))
    assert reads() == 2
    assert second == first == audited(wheel, None)[0]
    assert again == report
    assert is_ours(folder)


def test_a_file_of_another_wheel_is_the_same_file(
    arm: Toolbox, tmp_path: Path, reads: Reads
) -> None:
    memory = Memory(tmp_path / "audits", CODE)
    for tag in ("cp311-cp311-linux_armv6l", "cp313-cp313-linux_armv6l"):
        files = {"demo/libcore.so": arm.shared()}
        audit_wheel(wheel_in(tmp_path / tag, files, tag=tag), V6, memory=memory)
    assert reads() == 1


@pytest.mark.parametrize(
    "change",
    [
        lambda wheel, folder: audit_wheel(wheel, V7, memory=Memory(folder, CODE)),
        lambda wheel, folder: audit_wheel(wheel, V6, memory=Memory(folder, OTHER)),
        lambda wheel, folder: audit_wheel(wheel, V6, PROMISES, memory=Memory(folder, CODE)),
        lambda wheel, folder: audit_wheel(wheel, V6, None, ["/x/"], memory=Memory(folder, CODE)),
        lambda wheel, folder: audit_wheel(wheel, V6, own=True, memory=Memory(folder, CODE)),
        lambda wheel, folder: audit_wheel(wheel, V6, memory=Memory(folder, CODE, fresh=True)),
        lambda wheel, _: audit_wheel(wheel, V6),
    ],
    ids=["law", "code or tools", "promises", "paths", "ours", "forced", "without"],
)
def test_anything_else_is_read_anew(
    wheel: Path, tmp_path: Path, reads: Reads, change: Callable[[Path, Path], Report]
) -> None:
    folder = tmp_path / "audits"
    audited(wheel, Memory(folder, CODE))
    before = reads()
    change(wheel, folder)
    assert reads() == before + 2


def test_other_bytes_and_other_names_are_other_files(
    arm: Toolbox, tmp_path: Path, reads: Reads
) -> None:
    memory = Memory(tmp_path / "audits", CODE)
    for number, files in enumerate(
        [
            {MODULE: arm.shared()},
            {MODULE: arm.shared(Source(RETURN * 2))},
            {"demo/deeper/m.so": arm.shared()},
        ]
    ):
        audit_wheel(wheel_in(tmp_path / str(number), files), V6, memory=memory)
    assert reads() == 3


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[:0],
        lambda text: text[:-20],
        lambda text: text.replace("ARM", "arm"),
        lambda text: "no checksum\n" + text.partition("\n")[2],
        lambda text: text + "\udcff",
    ],
    ids=["empty", "cut off", "changed", "no checksum", "no text"],
)
def test_a_damaged_entry_is_made_again(
    wheel: Path, tmp_path: Path, reads: Reads, damage: Callable[[str], str]
) -> None:
    folder = tmp_path / "audits"
    first, _ = audited(wheel, Memory(folder, CODE))
    entries = [path for path in folder.rglob("*") if path.is_file() and path.parent != folder]
    assert len(entries) == 2
    for path in entries:
        path.write_text(damage(path.read_text()), errors="surrogateescape")
    assert audited(wheel, Memory(folder, CODE))[0] == first
    assert reads() == 4
    assert audited(wheel, Memory(folder, CODE))[0] == first
    assert reads() == 4


def test_an_entry_under_anothers_key_is_none(wheel: Path, tmp_path: Path, reads: Reads) -> None:
    folder = tmp_path / "audits"
    first, _ = audited(wheel, Memory(folder, CODE))
    one, two = (path for path in folder.rglob("*") if path.is_file() and path.parent != folder)
    one.write_bytes(two.read_bytes())
    assert audited(wheel, Memory(folder, CODE))[0] == first
    assert reads() == 3


def test_an_archive_is_remembered_as_a_whole(arm: Toolbox, tmp_path: Path, reads: Reads) -> None:
    (tmp_path / "tree").mkdir()
    library = archive(arm, ("one.o", FOREIGN), ("two.o", FOREIGN))
    (tmp_path / "tree" / "libm.a").write_bytes(library)
    memory = Memory(tmp_path / "audits", CODE)
    reports = [
        audit_tree(tmp_path / "tree", V6, archives=True, memory=memory).to_json() for _ in range(2)
    ]
    assert reports[0] == reports[1]
    assert reads() == 2


def test_a_wheels_own_checks_are_not_remembered(arm: Toolbox, tmp_path: Path) -> None:
    memory = Memory(tmp_path / "audits", CODE)
    assert audit_wheel(wheel_in(tmp_path / "1", {MODULE: arm.shared()}), V6, memory=memory).ok
    torn = wheel_in(tmp_path / "2", {MODULE: arm.shared()}, record={MODULE: f"{MODULE},,"})
    assert [item.code for item in audit_wheel(torn, V6, memory=memory).errors] == [
        "record-mismatch"
    ]


def test_where_nothing_can_be_written_nothing_is_remembered(
    wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reads: Reads
) -> None:
    def full(*_: object) -> NoReturn:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("crosspi.audit.memory.write_text", full)
    for count in (2, 4):
        assert not audit_wheel(wheel, V6, memory=Memory(tmp_path / "audits", CODE)).ok
        assert reads() == count


def test_what_old_code_found_goes_after_a_month(wheel: Path, tmp_path: Path) -> None:
    folder = tmp_path / "audits"
    for code, days in (("a" * 64, 40), ("b" * 64, 20), (CODE, 0)):
        audited(wheel, Memory(folder, code))
        then = time.time() - days * 24 * 3600
        os.utime(folder / code[:16], (then, then))
    assert {path.name for path in folder.iterdir() if path.is_dir()} == {"b" * 16, CODE[:16]}


def test_the_code_that_is_asked_for_is_the_audits(
    arm: Toolbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reads: Reads
) -> None:
    """Both what the step's key knows: its code, and its tools' versions."""

    wheel = wheel_in(tmp_path / "wheels", {MODULE: arm.shared()})

    def reads_now() -> int:
        before = reads()
        audited(wheel, step.memory(tmp_path / "audits"))
        return reads() - before

    assert [reads_now(), reads_now()] == [1, 0]
    monkeypatch.setattr(step, "tools", lambda: "capstone 99")
    assert [reads_now(), reads_now()] == [1, 0]
    monkeypatch.setattr(step, "code", lambda: "other")
    assert [reads_now(), reads_now()] == [1, 0]
