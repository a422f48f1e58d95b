"""Findings and reports."""

from __future__ import annotations

import json

from crosspi.audit.findings import CATALOGUE, FileFacts, Report, finding


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
