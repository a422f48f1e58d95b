from __future__ import annotations

from pathlib import Path

from crosspi.files import write_text
from crosspi.sources.fingerprint import fingerprint, load, save


def test_a_mark_survives_saving(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("x")
    mark = fingerprint(tmp_path / "f")
    save(mark, tmp_path / "m.json")
    assert load(tmp_path / "m.json") == mark


def test_a_changed_file_changes_the_mark(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("x")
    before = fingerprint(tmp_path)
    (tmp_path / "f").write_text("xy")
    assert fingerprint(tmp_path) != before


def test_a_broken_mark_is_none(tmp_path: Path) -> None:
    write_text(tmp_path / "m", '{"files": 1}')
    assert load(tmp_path / "m") is None
    assert load(tmp_path / "none") is None
