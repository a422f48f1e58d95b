"""Findings and reports."""

from __future__ import annotations

import json

import pytest

from crosspi.audit.findings import (
    CATALOGUE,
    Certainty,
    FileFacts,
    Finding,
    Report,
    Verdict,
    finding,
)


def report(*codes: str) -> Report:
    found = tuple(finding(code, "m.so", "what", where="0x10") for code in codes)
    facts = FileFacts("m.so", 10, "ARM", "v6", "VFPv2", "none", "2.4", "x", 5, 1.0, {"vfp": 2})
    return Report("demo.whl", "law", "00", (facts,), found)


def test_every_code_has_words_for_the_board_and_a_way_out() -> None:
    assert all(board and fix for board, fix in CATALOGUE.values())


def test_verdict() -> None:
    assert report().ok
    assert not report("rpath").ok
    note = finding("isa-crypto", "m.so", "what", severity="note")
    assert Report("w", "", "", (), (note,)).ok


def test_json() -> None:
    data = json.loads(report("rpath").to_json())
    assert data["ok"] is False
    assert data["findings"][0]["code"] == "rpath"
    assert data["files"][0]["counts"] == {"vfp": 2}


def test_text() -> None:
    text = report("rpath").to_text()
    assert "FAILS (1 ELF file, 1 error)" in text
    assert "vfp 2" in text
    assert "m.so at 0x10" in text
    assert CATALOGUE["rpath"][1] in text


# what a verdict rests on


def judged(*found: Finding, coverage: float = 1.0, method: str = "mapping symbols") -> Report:
    facts = FileFacts("m.so", 10, "ARM", method=method, coverage=coverage)
    return Report("demo.whl", "law", "00", (facts,), found)


UNCLEAR = finding("isa-neon", "m.so", "what", certainty="unclear")
CERTAIN = finding("isa-neon", "m.so", "what")
NOTE = finding("build-path", "m.so", "what", severity="note")

UNDECIDED = "UNDECIDED, neither proven nor refused"


@pytest.mark.parametrize(
    ("found", "coverage", "verdict", "words"),
    [
        ((), 1.0, "proven", "passes (1 ELF file)"),
        ((NOTE,), 1.0, "proven", "passes (1 ELF file, 1 note)"),
        ((), 0.5, "undecided", "passes, not proven (1 ELF file)"),
        (
            (UNCLEAR,),
            1.0,
            "undecided",
            "UNDECIDED, neither proven nor refused (1 ELF file, 1 error)",
        ),
        ((UNCLEAR, CERTAIN), 1.0, "refused", "FAILS (1 ELF file, 2 errors)"),
        ((CERTAIN,), 0.5, "refused", "FAILS (1 ELF file, 1 error)"),
    ],
)
def test_a_verdict_says_what_is_proven(
    found: tuple[Finding, ...], coverage: float, verdict: str, words: str
) -> None:
    report = judged(*found, coverage=coverage)
    assert report.verdict == json.loads(report.to_json())["verdict"] == verdict
    assert f"demo.whl: {words}\n" in report.to_text()


def test_the_evidence_is_how_the_code_was_looked_at() -> None:
    files = (
        FileFacts("a.so", 1, "ARM", method="mapping symbols", coverage=1.0),
        FileFacts("b.so", 1, "ARM", method="control flow", coverage=0.97),
        FileFacts("c.so", 1, "ARM", method="control flow", coverage=0.91),
    )
    assert Report("w", "", "", files, ()).evidence == (
        "the code of 1 ELF file by mapping symbols (100% of it), "
        "the code of 2 ELF files by control flow (91% or more of it)"
    )
    assert Report("w", "", "", (), ()).evidence == "no machine code"


def test_what_is_unclear_is_said_to_be() -> None:
    assert "(unclear: nothing is known to lead there)" in judged(UNCLEAR).to_text()
    assert "unclear" not in judged(CERTAIN).to_text()


@pytest.mark.parametrize(
    ("code", "certainty", "words"),
    [
        ("attr-arch", "likely", "no more certain than what is said of its instructions"),
        ("attr-arch", "certain", ""),
        ("attr-lies", "likely", "too many to be data"),
        ("isa-neon", "unproven", "not decidable: in assembly of OpenSSL's"),
    ],
)
def test_doubts_are_told(code: str, certainty: Certainty, words: str) -> None:
    (_, line) = judged(finding(code, "a.so", "it is", certainty=certainty)).to_text().split("it is")
    told = line.splitlines()[0]
    assert words in told
    assert bool(told) == bool(words)


def test_several_laws_are_several_reports() -> None:
    good, bad = judged(), judged(CERTAIN)
    both = Verdict((good, bad))
    assert not both.ok
    data = json.loads(both.to_json())
    assert [row["ok"] for row in data["reports"]] == [True, False]
    assert both.to_text() == good.to_text() + "\n" + bad.to_text()
    assert json.loads(Verdict((good,)).to_json()) == json.loads(good.to_json())
