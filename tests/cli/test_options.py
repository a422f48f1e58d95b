"""What the tasks that build are told."""

from __future__ import annotations

import pytest

from crosspi.cli.options import Options
from crosspi.errors import UsageError


def test_the_number_of_jobs_is_the_user_s_or_that_of_the_cores() -> None:
    assert Options().jobs_or(4) == 4
    assert Options(jobs="2").jobs_or(4) == 2


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (Options(jobs="x"), "'x' is not a number of compiles"),
        (Options(jobs="0"), "give a number from 1 on"),
        (Options(jobs="-3"), "give a number from 1 on"),
        (Options(jobs="²"), "give a number from 1 on"),
        (Options(level="ful"), "known: default, full"),
    ],
)
def test_what_makes_no_sense_is_told(options: Options, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        options.check()
    assert words in str(caught.value)


@pytest.mark.parametrize("options", [Options(), Options(jobs="1", level="full")])
def test_what_makes_sense_is_taken(options: Options) -> None:
    options.check()
