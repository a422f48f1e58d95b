"""Small files: the old one or the new one, whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from crosspi.files import write_text


def test_a_file_is_replaced(tmp_path: Path) -> None:
    for text in ("old", "new ä"):
        write_text(tmp_path / "f", text)
    assert (tmp_path / "f").read_text(encoding="utf-8") == "new ä"


def test_a_failure_leaves_the_old_one_and_nothing_else(tmp_path: Path) -> None:
    write_text(tmp_path / "f", "old")
    with pytest.raises(UnicodeEncodeError):
        write_text(tmp_path / "f", "\ud800")
    assert (tmp_path / "f").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["f"]


def test_two_writers_never_share_a_temporary_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Processes of one number, in two containers: the second writes while the first does."""
    used: list[str] = []
    replace = Path.replace

    def noting(self: Path, target: Path) -> Path:
        used.append(self.name)
        if len(used) == 1:
            write_text(target, "second")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", noting)
    write_text(tmp_path / "f", "first")
    assert len(set(used)) == 2
    assert (tmp_path / "f").read_text() == "first"
