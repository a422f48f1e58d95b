"""What trials on the emulated board say about a report."""

from __future__ import annotations

import json

import pytest

from crosspi.audit.findings import FileFacts, Finding, Report, finding
from crosspi.audit.trials import Trial, decide

FILE = "demo-1.0.data/scripts/demo"
UNCLEAR = finding("isa-v7", FILE, "3 instructions", certainty="unclear")
LIKELY = finding("isa-v7", FILE, "550 instructions", certainty="likely")
CERTAIN = finding("isa-v7", FILE, "3 instructions")


def trial(code: int | None, how: str = "--version", file: str = FILE, text: str = "") -> Trial:
    return Trial(file, how, code, text, "arm1176")


def report(*found: Finding) -> Report:
    facts = FileFacts(FILE, 10, "ARM", method="control flow", coverage=0.99)
    return Report("demo.whl", "armv6", "00", (facts,), found)


@pytest.mark.parametrize(
    ("found", "ran", "verdict"),
    [
        (UNCLEAR, [trial(0)], "proven"),
        (UNCLEAR, [trial(2)], "proven"),  # a program that does not know --version ran
        (UNCLEAR, [], "undecided"),
        (LIKELY, [], "undecided"),
        (LIKELY, [trial(0)], "undecided"),
        (LIKELY, [trial(-4)], "refused"),
        (UNCLEAR, [trial(None)], "undecided"),
        (UNCLEAR, [trial(-11)], "undecided"),
        (UNCLEAR, [trial(127)], "undecided"),
        (UNCLEAR, [trial(1, "import")], "undecided"),
        (UNCLEAR, [trial(0, file="other")], "undecided"),
        (UNCLEAR, [trial(-4)], "refused"),
        (CERTAIN, [trial(0)], "refused"),
        (None, [trial(-4)], "refused"),
        (None, [trial(132)], "refused"),
        (None, [trial(1, "import")], "proven"),
    ],
)
def test_what_is_unclear_is_decided_by_running_it(
    found: Finding | None, ran: list[Trial], verdict: str
) -> None:
    assert decide(report(*([found] if found else [])), ran).verdict == verdict


def test_what_died_of_an_illegal_instruction_is_an_error_of_its_own() -> None:
    (error,) = decide(report(), [trial(-4)]).errors
    assert (error.code, error.file) == ("trapped", FILE)
    assert error.message == "--version on arm1176: died of an illegal instruction"


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (trial(0, "import"), "import on arm1176: ran"),
        (trial(None), "--version on arm1176: did not end"),
        (
            trial(1, "import", text="Trace\nNo module\n"),
            "import on arm1176: ended with 1: No module",
        ),
        (trial(-11), "--version on arm1176: ended with -11: no word"),
    ],
)
def test_the_report_says_what_was_tried(one: Trial, words: str) -> None:
    told = decide(report(), [one])
    assert f"{FILE}: {words}\n" in told.to_text()
    assert "1 ELF file tried on the emulated board" in told.evidence
    assert json.loads(told.to_json())["files"][0]["trials"] == [words]
