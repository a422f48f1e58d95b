"""Boards, toolchains and Pythons, and the words of a request."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from making import PYTHONS, TOOLCHAIN, write_toolchains

from crosspi.data.targets import (
    ANY_CPU,
    BuiltPython,
    Cell,
    PackagedPython,
    Slot,
    Targets,
    split_words,
)
from crosspi.errors import DataError, UsageError
from crosspi.smoke.judging import told_cpu_part

PROJECT = Path(__file__).parents[2]


@pytest.fixture
def targets(tmp_path: Path) -> Targets:
    return Targets.load(write_toolchains(tmp_path))


@pytest.mark.parametrize("word", ["toy1", "toy2", "toy"])
def test_a_board_or_the_architecture_names_the_toolchain(targets: Targets, word: str) -> None:
    assert targets.toolchain(word).name == "toy"


@pytest.mark.parametrize(("word", "near"), [("toi1", "toy1"), ("toy-1", "toy1")])
def test_a_misspelt_target_gets_a_suggestion(targets: Targets, word: str, near: str) -> None:
    with pytest.raises(UsageError, match="there is no target") as caught:
        targets.toolchain(word)
    assert caught.value.exit_code == 2
    assert "did you mean" in caught.value.fix
    assert near in caught.value.fix


def test_a_target_that_resembles_none_gets_the_list(targets: Targets) -> None:
    with pytest.raises(UsageError) as caught:
        targets.toolchain("zzz")
    assert "known: toy, toy1, toy2" in caught.value.fix


@pytest.mark.parametrize("word", ["pi5", "arm64", "ARM64", "Pi5"])
def test_boards_of_others_are_explained(targets: Targets, word: str) -> None:
    with pytest.raises(UsageError, match="not a target of crosspi") as caught:
        targets.toolchain(word)
    assert caught.value.why == "take another"


@pytest.mark.parametrize("text", ["", "pi5: no\n", "- {names: [pi5]}\n", "- pi5\n"])
def test_boards_of_others_are_told_with_what_serves_them(tmp_path: Path, text: str) -> None:
    folder = write_toolchains(tmp_path)
    (folder / "others.yaml").write_text(text)
    with pytest.raises(DataError, match=r"others\.yaml"):
        Targets.load(folder)


@pytest.mark.parametrize(
    "word",
    ["3.11", "cp311", "python3.11", "py311", "cpython3.11", "cpython-3.11", " CP311 ", "311"],
)
def test_a_python_has_many_names(targets: Targets, word: str) -> None:
    assert targets.python(word).version == "3.11"


@pytest.mark.parametrize(
    ("word", "fix"),
    [
        ("3", "name the minor version too; known: 3.11, 3.9"),
        ("3.11.2", "name the minor version only: --python 3.11"),
        ("3.1", "known: 3.11, 3.9; a new one is an entry of pythons.yaml"),
        ("3.11t", "with the GIL: --python 3.11"),
        ("pypy", "crosspi builds for CPython; known: 3.11, 3.9"),
        ("pypy3.9", "crosspi builds for CPython"),
        ("cp315", "known: 3.11, 3.9"),
        ("", "known: "),
        ("eleven", "known: "),
    ],
)
def test_an_unknown_python_is_explained(targets: Targets, word: str, fix: str) -> None:
    with pytest.raises(UsageError, match="there is no Python") as caught:
        targets.python(word)
    assert fix in caught.value.fix
    assert caught.value.where == "--python"


def test_a_cell_has_an_identifier_and_a_wheel_tag(targets: Targets) -> None:
    cell = Cell(targets.toolchain("toy1"), targets.python("3.11"))
    assert cell.identifier == "cp311-toy"
    assert cell.wheel_tag == "cp311-cp311-linux_toyl"
    assert isinstance(cell.image, PackagedPython)
    assert cell.image.suite == "bookworm"


def test_an_interpreter_is_of_packages_or_of_a_part(tmp_path: Path) -> None:
    text = PYTHONS.replace(
        "{image: toy-python, suite: bullseye, architecture: armhf}",
        "{part: system, platform: linux/arm/v6}",
    )
    loaded = Targets.load(write_toolchains(tmp_path, pythons=text))
    toy = loaded.toolchain("toy")
    assert Cell(toy, loaded.python("3.11")).image == PackagedPython(
        image="toy-python", suite="bookworm", architecture="armhf"
    )
    assert Cell(toy, loaded.python("3.9")).image == BuiltPython(
        part="system", platform="linux/arm/v6"
    )


@pytest.mark.parametrize("platform", ["linux/arm", "linux/arm/v6", "linux/amd64"])
def test_a_platform_is_docker_s(tmp_path: Path, platform: str) -> None:
    assert of_part(tmp_path, platform) == BuiltPython(part="system", platform=platform)


@pytest.mark.parametrize(
    "platform", ["arm", "linux", "linux/", "linux/arm/", "linux/arm/v6/x", "Linux/arm", "a linux/b"]
)
def test_a_platform_without_an_architecture(tmp_path: Path, platform: str) -> None:
    with pytest.raises(DataError) as caught:
        of_part(tmp_path, platform)
    assert "pythons.yaml:6: 3.11.targets.toy" in caught.value.where
    assert "platform: String should match pattern" in caught.value.where


def of_part(folder: Path, platform: str) -> object:
    """What Python 3.11 is, as a part's root with a platform."""
    text = PYTHONS.replace(
        "{image: toy-python, suite: bookworm, architecture: armhf}",
        f"{{part: system, platform: {platform}}}",
    )
    loaded = Targets.load(write_toolchains(folder, pythons=text))
    return Cell(loaded.toolchain("toy"), loaded.python("3.11")).image


def test_a_python_that_an_architecture_does_not_have(tmp_path: Path) -> None:
    folder = write_toolchains(tmp_path)
    other = TOOLCHAIN.replace("toy1", "fun1").replace("toy2", "fun2")
    (folder / "fun.yaml").write_text(other)
    targets = Targets.load(folder)
    assert Cell(targets.toolchain("toy"), targets.python("3.11")).image is not None
    assert Cell(targets.toolchain("fun"), targets.python("3.11")).image is None


def test_a_cells_law_has_the_c_library_of_its_pythons_system(tmp_path: Path) -> None:
    targets = Targets.load(write_toolchains(tmp_path))
    toolchain = targets.toolchain("toy")
    laws = [Cell(toolchain, targets.python(version)).law for version in ("3.9", "3.11")]
    assert [law.glibc for law in laws] == ["2.31", "2.36"]
    assert laws[0].model_copy(update={"glibc": "2.28"}) == toolchain.data.audit


@pytest.mark.parametrize(
    ("tags", "glibc"), [({"cp311"}, "2.36"), ({"cp311", "cp39"}, "2.31"), ({"py3", "cp27"}, "2.28")]
)
def test_the_law_of_a_foreign_wheel(targets: Targets, tags: set[str], glibc: str) -> None:
    assert targets.law(targets.toolchain("toy"), tags).glibc == glibc


def test_code_for_a_newer_c_library_than_a_python_may_have(tmp_path: Path) -> None:
    text = PYTHONS.replace('glibc: "2.31"', 'glibc: "2.9"')
    with pytest.raises(DataError) as caught:
        Targets.load(write_toolchains(tmp_path, pythons=text))
    assert "pythons.yaml:10: 3.9.glibc: toy compiles for 2.28 already" in caught.value.where


def test_words_repeat_and_take_commas() -> None:
    assert split_words(["a,b", " c ", "a", ",,"], "--target") == ["a", "b", "c"]
    assert split_words([], "--target") == []


@pytest.mark.parametrize("value", ["", ",", " , "])
def test_an_option_that_names_nothing_is_an_error(value: str) -> None:
    with pytest.raises(UsageError, match="--python names nothing"):
        split_words([value], "--python")


def test_all_faults_of_a_toolchain_are_told(tmp_path: Path) -> None:
    text = TOOLCHAIN.replace('glibc: "2.28"\n  cpu', "glibc: 2.28\n  cpu").replace(
        "uname: toyl", "unam: toyl"
    )
    with pytest.raises(DataError) as caught:
        Targets.load(write_toolchains(tmp_path, toolchain=text))
    where = caught.value.where
    assert "toy.yaml:7: compiler.glibc: must be text: put it in quotes" in where
    assert "unam: no such field; did you mean uname?" in where
    assert "uname: this field is required" in where


def test_a_glibc_floor_is_two_numbers(tmp_path: Path) -> None:
    text = TOOLCHAIN.replace('glibc: "2.28"\n  cpu', 'glibc: "two"\n  cpu')
    with pytest.raises(DataError) as caught:
        Targets.load(write_toolchains(tmp_path, toolchain=text))
    assert "must be two numbers with a dot" in caught.value.where


def test_a_cpuinfo_that_is_not_there(tmp_path: Path) -> None:
    text = TOOLCHAIN.replace("cpuinfo.txt", "absent.txt")
    with pytest.raises(DataError) as caught:
        Targets.load(write_toolchains(tmp_path, toolchain=text))
    assert "emulated[0].cpuinfo: there is no such file" in caught.value.where


SECOND = ", {name: toy2, plays: Toy 2, cpu: max, cpuinfo: cpuinfo.txt, note: no such CPU}]\n"


def emulating(old: str = "", new: str = "") -> str:
    """A toolchain of two emulated boards, with a change."""
    text = TOOLCHAIN.replace("cpuinfo: cpuinfo.txt}]\n", "cpuinfo: cpuinfo.txt}" + SECOND)
    assert SECOND in text and old in text
    return text.replace(old, new)


def test_a_toolchain_has_several_emulated_boards(tmp_path: Path) -> None:
    folder = write_toolchains(tmp_path, toolchain=emulating())
    toolchain = Targets.load(folder).toolchains["toy"]
    assert [board.name for board in toolchain.data.emulated] == ["toy1", "toy2"]
    assert toolchain.oldest.name == "toy1"


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("name: toy2", "name: toy1", "emulated[1].name: there are two emulated boards 'toy1'"),
        ("cpu: toy-emulated", "cpu: max", "emulated[0].cpu: 'max' runs everything"),
        (", note: no such CPU", "", "emulated[1].note: say why the CPU is 'max'"),
        ("plays: Toy 2", "plays: Toy 2, cpus: 2", "emulated[1].cpus: no such field"),
        ("plays: Toy 2", "plays: Toy 2, midr: '0x41'", "emulated[1].midr: "),
    ],
)
def test_an_emulated_board_says_what_it_is(tmp_path: Path, old: str, new: str, fault: str) -> None:
    with pytest.raises(DataError) as caught:
        Targets.load(write_toolchains(tmp_path, toolchain=emulating(old, new)))
    assert fault in caught.value.where


def test_a_board_identifies_itself_as_what_its_cpuinfo_says() -> None:
    """qemu 10 makes up a /proc/cpuinfo of the identification: found on Debian 13, on a Pi 3."""
    for toolchain in Targets.load(PROJECT / "toolchains").toolchains.values():
        for board in toolchain.data.emulated:
            if board.cpu in ANY_CPU:
                text = toolchain.cpuinfo(board).read_text(encoding="utf-8")
                told = dict(re.findall(r"^CPU (\w+)\s*: (\S+)$", text, re.MULTILINE))
                fields = (
                    int(told["implementer"], 0) << 24
                    | int(told["variant"], 0) << 20
                    | 0xF << 16  # "see the other registers", as of every processor from ARMv7 on
                    | int(told["part"], 0) << 4
                    | int(told["revision"], 0)
                )
                assert board.midr == f"{fields:#x}", board.name
                assert board.qemu_cpu == f"max,midr={board.midr}"
            else:
                assert board.qemu_cpu == board.cpu


def test_a_board_belongs_to_one_toolchain(tmp_path: Path) -> None:
    folder = write_toolchains(tmp_path)
    (folder / "fun.yaml").write_text(TOOLCHAIN)
    with pytest.raises(DataError, match="'toy1' belongs to two toolchains"):
        Targets.load(folder)


def test_an_empty_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no toolchain"):
        Targets.load(tmp_path)


def test_a_python_version_needs_quotes(tmp_path: Path) -> None:
    text = PYTHONS.replace('"3.9"', "3.9")
    with pytest.raises(DataError) as caught:
        Targets.load(write_toolchains(tmp_path, pythons=text))
    assert "pythons.yaml:7: 3.9: must be text: put it in quotes" in caught.value.where


def test_a_python_for_an_unknown_toolchain(tmp_path: Path) -> None:
    text = PYTHONS.replace("    toy:", "    tox:", 1)
    with pytest.raises(DataError) as caught:
        Targets.load(write_toolchains(tmp_path, pythons=text))
    assert "pythons.yaml:6: 3.11.targets.tox: " in caught.value.where
    assert "did you mean toy?" in caught.value.where


@pytest.mark.parametrize("text", ["", "- 3.11\n"])
def test_pythons_must_be_a_mapping(tmp_path: Path, text: str) -> None:
    with pytest.raises(DataError, match=r"pythons\.yaml"):
        Targets.load(write_toolchains(tmp_path, pythons=text))


def test_the_projects_own_data_loads() -> None:
    targets = Targets.load(PROJECT / "toolchains")
    assert targets.toolchain("pi3") is targets.toolchain("pi2")
    assert {"pi4", "pi5", "arm64"} <= targets.others.keys()
    served = ("--target pi3", "manylinux")
    assert all(any(word in use for word in served) for use in targets.others.values())
    for toolchain in targets.toolchains.values():
        data = toolchain.data
        assert data.audit.platform == data.platform
        assert data.emulated[0].cpu not in ANY_CPU
        for board in data.emulated:
            assert told_cpu_part(toolchain.cpuinfo(board)), board.name
            assert bool(board.note) == (board.cpu in ANY_CPU), board.name
    names = [b.name for t in targets.toolchains.values() for b in t.data.emulated]
    assert names == ["pi-zero", "pi2", "pi3", "pi4"]


def test_the_system_of_what_has_no_python(tmp_path: Path) -> None:
    targets = Targets.load(write_toolchains(tmp_path))
    toolchain = targets.toolchain("toy")
    assert targets.system(toolchain).identifier == "cp311-toy"
    named = Targets.load(write_toolchains(tmp_path, toolchain=TOOLCHAIN + 'system: "3.9"\n'))
    assert named.system(named.toolchain("toy")).identifier == "cp39-toy"
    with pytest.raises(DataError, match="the system of toy is that of a Python that is not known"):
        Targets.load(write_toolchains(tmp_path, toolchain=TOOLCHAIN + 'system: "3.8"\n'))


def test_a_slot_is_an_architecture_and_a_cell_a_python_on_it(tmp_path: Path) -> None:
    toolchain = Targets.load(write_toolchains(tmp_path)).toolchain("toy")
    slot = Slot(toolchain)
    assert slot.identifier == "toy"
    assert slot.law == toolchain.data.audit
