"""JUnit's XML: what Jenkins counts, and what it shows."""

from __future__ import annotations

from xml.etree import ElementTree

from crosspi.junit import Case, junit


def test_each_state_is_counted_and_told() -> None:
    cases = [
        Case("a.b", "good", 1.5),
        Case("a.b", "bad", 0, "failure", 'is <no> & "good"', "line 1\nline 2"),
        Case("a.b", "broken", 0, "error", "no words"),
        Case("a.b", "left", 0, "skipped", "ä reason"),
    ]
    suite = ElementTree.fromstring(junit("all", cases))
    assert suite.attrib == {
        "name": "all",
        "tests": "4",
        "failures": "1",
        "errors": "1",
        "skipped": "1",
    }
    assert [(c.get("classname"), c.get("name"), c.get("time")) for c in suite] == [
        ("a.b", "good", "1.5"),
        ("a.b", "bad", "0"),
        ("a.b", "broken", "0"),
        ("a.b", "left", "0"),
    ]
    assert [[(s.tag, s.get("message"), s.text) for s in case] for case in suite] == [
        [],
        [("failure", 'is <no> & "good"', "line 1\nline 2")],
        [("error", "no words", None)],
        [("skipped", "ä reason", None)],
    ]


def test_no_result_is_a_suite_of_none() -> None:
    assert ElementTree.fromstring(junit("none", [])).get("tests") == "0"
