"""Wheels that lie about themselves, and files that are none."""

from __future__ import annotations

import base64
import hashlib
import stat
import tempfile
import warnings
import zipfile
from collections.abc import Iterator
from mmap import mmap
from pathlib import Path
from typing import NoReturn

import pytest
from arm_files import METADATA, MODULE, V6, Source, Toolbox, make_wheel

from crosspi.audit import audit_wheel, wheelfile
from crosspi.audit.wheelfile import open_wheel
from crosspi.errors import NotAWheelError

NAME = "demo-1.0-cp311-cp311-linux_armv6l.whl"


def codes(path: Path) -> list[str]:
    return [item.code for item in audit_wheel(path, V6).errors]


def messages(path: Path) -> str:
    return "\n".join(item.message for item in audit_wheel(path, V6).errors)


# no wheel at all


@pytest.mark.parametrize(
    ("data", "words"),
    [(b"", "empty"), (b"hello, I am no zip", "no zip"), (b"PK\x03\x04" + b"\0" * 40, "no zip")],
)
def test_not_a_wheel(tmp_path: Path, data: bytes, words: str) -> None:
    path = tmp_path / NAME
    path.write_bytes(data)
    with pytest.raises(NotAWheelError, match=words):
        open_wheel(path)


def test_absent(tmp_path: Path) -> None:
    with pytest.raises(NotAWheelError, match="No such file"):
        open_wheel(tmp_path / NAME)


def test_folder(tmp_path: Path) -> None:
    (tmp_path / NAME).mkdir()
    with pytest.raises(NotAWheelError):
        open_wheel(tmp_path / NAME)


def test_name_is_no_wheels(arm: Toolbox, tmp_path: Path) -> None:
    path = make_wheel(tmp_path, {MODULE: arm.shared()})
    with pytest.raises(NotAWheelError, match="its name"):
        open_wheel(path.rename(tmp_path / "demo.zip"))


def test_every_truncation(arm: Toolbox, tmp_path: Path) -> None:
    whole = make_wheel(tmp_path, {MODULE: arm.shared()}).read_bytes()
    path = tmp_path / NAME
    for size in range(1, len(whole), max(len(whole) // 40, 1)):
        path.write_bytes(whole[:size])
        with pytest.raises(NotAWheelError):
            audit_wheel(path, V6)


@pytest.fixture(params=[wheelfile.IN_MEMORY, 0], ids=["in memory", "in a file"])
def spooled(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wheelfile, "IN_MEMORY", request.param)


@pytest.mark.usefixtures("spooled")
def test_damaged_member(arm: Toolbox, tmp_path: Path) -> None:
    path = make_wheel(tmp_path, {MODULE: arm.shared()})
    data = bytearray(path.read_bytes())
    data[60:90] = b"\xff" * 30
    path.write_bytes(data)
    with pytest.raises(NotAWheelError):
        audit_wheel(path, V6)


def test_zip_without_dist_info(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / NAME, "w") as archive:
        archive.writestr("readme.txt", "x")
    with pytest.raises(NotAWheelError, match=r"no \.dist-info"):
        open_wheel(tmp_path / NAME)


# hostile


def hostile(tmp_path: Path, member: str | zipfile.ZipInfo, data: bytes = b"x") -> Path:
    path = make_wheel(tmp_path, {})
    with warnings.catch_warnings(), zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        warnings.simplefilter("ignore")
        archive.writestr(member, data)
    return path


@pytest.mark.parametrize("name", ["../evil", "a/../../evil", "/etc/evil", "a\\..\\evil", "C:evil"])
def test_escape(tmp_path: Path, name: str) -> None:
    with pytest.raises(NotAWheelError, match="outside"):
        open_wheel(hostile(tmp_path, name))


def test_symlink(tmp_path: Path) -> None:
    member = zipfile.ZipInfo("link")
    member.external_attr = (stat.S_IFLNK | 0o777) << 16
    with pytest.raises(NotAWheelError, match="link"):
        open_wheel(hostile(tmp_path, member, b"/etc/passwd"))


def test_member_twice(tmp_path: Path) -> None:
    with pytest.raises(NotAWheelError, match="twice"):
        open_wheel(hostile(tmp_path, "demo-1.0.dist-info/METADATA"))


def test_bomb(tmp_path: Path) -> None:
    with pytest.raises(NotAWheelError, match="bomb"):
        open_wheel(hostile(tmp_path, "bomb", bytes(20 << 20)))


def test_encrypted(tmp_path: Path) -> None:
    path = hostile(tmp_path, "secret")
    data = bytearray(path.read_bytes())
    at = data.rfind(b"PK\x01\x02")
    data[at + 8] |= 1
    path.write_bytes(data)
    with pytest.raises(NotAWheelError, match="encrypted"):
        open_wheel(path)


# names and tags


def test_good_wheel(arm: Toolbox, tmp_path: Path) -> None:
    assert codes(make_wheel(tmp_path, {MODULE: arm.shared()})) == []


def test_renamed_to_another_platform(arm: Toolbox, tmp_path: Path) -> None:
    path = make_wheel(tmp_path, {MODULE: arm.shared()}, wheel_tag="cp311-cp311-linux_armv7l")
    assert codes(path) == ["tag-mismatch"]


def test_compressed_tags_are_expanded(arm: Toolbox, tmp_path: Path) -> None:
    tag = "cp311-cp311-linux_armv6l.manylinux_2_28_armv6l"
    assert codes(make_wheel(tmp_path, {MODULE: arm.shared()}, tag=tag)) == []


def test_another_version(arm: Toolbox, tmp_path: Path) -> None:
    path = make_wheel(tmp_path, {MODULE: arm.shared()}, name="demo-2.0")
    assert set(codes(path)) == {"name-mismatch"}


# RECORD


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("", "not in RECORD"),
        (f"{MODULE},,", "no hash"),
        (f"{MODULE},md5=abc,1", "no hash of SHA-2"),
        (f"{MODULE},sha256=abc,1", "1 bytes"),
    ],
)
def test_record_row(arm: Toolbox, tmp_path: Path, row: str, words: str) -> None:
    path = make_wheel(tmp_path, {MODULE: arm.shared()}, record={MODULE: row})
    assert codes(path) == ["record-mismatch"]
    assert words in messages(path)


@pytest.mark.usefixtures("spooled")
@pytest.mark.parametrize("kind", ["sha256", "sha512"])
@pytest.mark.parametrize("change", [b"", b" "])
def test_record_hash(arm: Toolbox, tmp_path: Path, kind: str, change: bytes) -> None:
    """Of what was looked at, and hashed by that, as of the rest."""
    data = arm.shared()
    digest = base64.urlsafe_b64encode(hashlib.new(kind, data + change).digest()).decode()
    row = f"{MODULE},{kind}={digest.rstrip('=')},{len(data)}"
    path = make_wheel(tmp_path, {MODULE: data}, record={MODULE: row})
    assert codes(path) == (["record-mismatch"] if change else [])


def test_what_is_looked_at_is_unpacked_once(
    arm: Toolbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wheelfile, "IN_MEMORY", 0)
    unpacked: list[str] = []
    blocks = wheelfile.Wheel.blocks

    def noted(wheel: wheelfile.Wheel, member: zipfile.ZipInfo) -> Iterator[bytes]:
        unpacked.append(member.filename)
        return blocks(wheel, member)

    monkeypatch.setattr(wheelfile.Wheel, "blocks", noted)
    path = make_wheel(tmp_path, {MODULE: arm.shared()})
    assert codes(path) == []
    assert unpacked.count(MODULE) == 1
    wheel = open_wheel(path)
    with wheel.archive as archive:
        content = wheel.content(archive.getinfo(MODULE))
    assert isinstance(content, mmap)
    assert content[:] == arm.shared()


def test_a_full_disk_is_not_the_wheels_fault(
    arm: Toolbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full() -> NoReturn:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(wheelfile, "IN_MEMORY", 0)
    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    with pytest.raises(OSError, match="No space left"):
        audit_wheel(make_wheel(tmp_path, {MODULE: arm.shared()}), V6)


def test_record_lists_what_is_not_there(arm: Toolbox, tmp_path: Path) -> None:
    path = make_wheel(tmp_path, {MODULE: arm.shared()}, record={"gone": "gone,sha256=x,1"})
    assert codes(path) == ["record-mismatch"]


# METADATA


@pytest.mark.parametrize(
    "row",
    [
        "Requires-Dist: x @ file:///tmp/x\n",
        "Requires-Python: new\n",
    ],
)
def test_unreadable_metadata(arm: Toolbox, tmp_path: Path, row: str) -> None:
    metadata = row + METADATA.replace("Requires-Python: >=3.9\n", "")
    path = make_wheel(tmp_path, {MODULE: arm.shared()}, metadata=metadata)
    assert codes(path) == ["metadata-invalid"]


def test_requires_a_later_micro_version(arm: Toolbox, tmp_path: Path) -> None:
    metadata = METADATA.replace(">=3.9", ">=3.11.4, <3.12")
    assert codes(make_wheel(tmp_path, {MODULE: arm.shared()}, metadata=metadata)) == []


# extension suffixes


@pytest.mark.parametrize(
    ("file", "tag", "expected"),
    [
        ("m.so", "cp311-cp311-linux_armv6l", []),
        ("m.abi3.so", "cp39-abi3-linux_armv6l", []),
        ("m.cpython-37m-arm-linux-gnueabihf.so", "cp37-cp37m-linux_armv6l", ["python-requires"]),
        ("m.cpython-312-arm-linux-gnueabihf.so", "cp311-cp311-linux_armv6l", ["soabi-suffix"]),
        ("m.cpython-313-arm-linux-gnueabihf.so", "cp313-cp313t-linux_armv6l", ["soabi-suffix"]),
        ("m.cpython-313t-arm-linux-gnueabihf.so", "cp313-cp313t-linux_armv6l", []),
    ],
)
def test_suffix(arm: Toolbox, tmp_path: Path, file: str, tag: str, expected: list[str]) -> None:
    assert codes(make_wheel(tmp_path, {file: arm.shared()}, tag=tag)) == expected


def test_python_2_module_under_a_python_3_name(arm: Toolbox, tmp_path: Path) -> None:
    module = arm.shared(Source(exports=("initm",)))
    assert codes(make_wheel(tmp_path, {"m.so": module})) == ["soabi-suffix"]
    metadata = METADATA.replace(">=3.9", ">=2.7")
    old = make_wheel(tmp_path, {"m.so": module}, tag="cp27-cp27mu-linux_armv6l", metadata=metadata)
    assert codes(old) == []


def test_a_list_of_files_is_no_gigabyte(
    arm: Toolbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would be in the memory as a whole."""
    path = make_wheel(tmp_path, {MODULE: arm.shared(), "big.py": b"x" * 5000})
    monkeypatch.setattr(wheelfile, "MAX_READ", 1000)
    with pytest.raises(NotAWheelError, match="read as a whole"):
        audit_wheel(path, V6)
    monkeypatch.setattr(wheelfile, "IN_MEMORY", 0)
    assert codes(path) == []
