from __future__ import annotations

import pytest

from crosspi.data.globs import Chooser, Selection, glob_fault, glob_regex


@pytest.mark.parametrize(
    ("pattern", "path", "fits"),
    [
        ("a.c", "a.c", True),
        ("a.c", "d/a.c", False),
        ("*.c", "a.c", True),
        ("*.c", "d/a.c", False),
        ("**/*.c", "a.c", True),
        ("**/*.c", "d/e/a.c", True),
        ("d/**", "d/e/a.c", True),
        ("d/**", "d", False),
        ("d/**", "dd/a", False),
        ("d/**/a.c", "d/a.c", True),
        ("d/**/a.c", "d/x/y/a.c", True),
        ("a?c", "a/c", False),
        ("a[bx]c", "abc", True),
        ("a[!b]c", "abc", False),
        ("a[!b]c", "a/c", False),
        ("a+b.c", "a+b.c", True),
        ("a[b", "a[b", True),
    ],
)
def test_glob(pattern: str, path: str, fits: bool) -> None:
    assert (glob_regex(pattern).fullmatch(path) is not None) is fits


@pytest.mark.parametrize("pattern", ["", "/a", "a/", "a//b", "../a", "./a", "a**", "a[z-a]"])
def test_faulty_glob(pattern: str) -> None:
    assert glob_fault(pattern)


def test_chooser_takes_subdir_then_include_then_exclude() -> None:
    chooser = Chooser(Selection(subdir="s", include=("a/**", "x"), exclude=("a/no*",)))
    assert chooser.choose("s/a/b") == "a/b"
    assert chooser.choose("s/a/not") is None
    assert chooser.choose("a/b") is None
    assert chooser.choose("s") is None
    assert chooser.unmatched == {"x"}
