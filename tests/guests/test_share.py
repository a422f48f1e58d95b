"""The shared library of a wheel's modules: what the linker is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from crosspi.guests.share import main

LINKER = """#!/bin/sh
echo "$@" > "{said}"
exit {code}
"""


@pytest.fixture
def needs(tmp_path: Path) -> Path:
    """Two libraries, one of them of two archives."""
    folder = tmp_path / "need"
    for name in ("hdf/lib/libhdf.a", "hdf/lib/libhdf_hl.a", "zlib/lib/libz.a"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def linker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int = 0) -> Path:
    """A linker that writes down its arguments."""
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "cross-cc"
    program.write_text(LINKER.format(said=tmp_path / "said", code=code))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")
    return tmp_path / "said"


def test_its_archives_are_linked_whole_and_of_others_what_is_asked_for(
    tmp_path: Path, needs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = linker(tmp_path, monkeypatch)
    assert main(needs, "hdf", "libhdf-toy.so", tmp_path / "out", ["hdf", "hdf_hl"]) == 0
    text = said.read_text()
    whole = f"--whole-archive {needs}/hdf/lib/libhdf.a {needs}/hdf/lib/libhdf_hl.a"
    assert f"{whole} -Wl,--no-whole-archive {needs}/zlib/lib/libz.a " in text
    assert "-Wl,-soname,libhdf-toy.so -Wl,-z,defs" in text
    links = {path.name: path.readlink().name for path in (tmp_path / "out").iterdir()}
    assert links == {"libhdf.so": "libhdf-toy.so", "libhdf_hl.so": "libhdf-toy.so"}


def test_an_archive_that_is_not_there_is_told_with_those_that_are(
    tmp_path: Path, needs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(needs, "hdf", "libhdf-toy.so", tmp_path / "out", ["hdf", "cpp"]) == 1
    assert capsys.readouterr().out == (
        "shared: hdf has no libcpp.a; there is: libhdf.a libhdf_hl.a\n"
    )


def test_a_linker_that_fails_fails(
    tmp_path: Path, needs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    linker(tmp_path, monkeypatch, code=3)
    assert main(needs, "hdf", "libhdf-toy.so", tmp_path / "out", ["hdf"]) == 3
