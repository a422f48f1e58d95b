"""JUnit's XML of a list of results, as Jenkins and GitLab read it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from xml.etree import ElementTree


@dataclass(frozen=True)
class Case:
    """One result.

    Attributes:
        group: what it belongs to (`classname`), dots between its parts.
        name: what was tested, or made.
        seconds: how long it took.
        state: how it ended; None if well.
        message: why it ended so, in a line.
        text: more about that, such as a traceback.
    """

    group: str
    name: str
    seconds: object
    state: Literal["failure", "error", "skipped"] | None = None
    message: str = ""
    text: str = ""


def junit(name: str, cases: Sequence[Case]) -> bytes:
    """The XML of a suite and its cases, in UTF-8."""
    states = [case.state for case in cases]
    suite = ElementTree.Element(
        "testsuite",
        name=name,
        tests=str(len(cases)),
        failures=str(states.count("failure")),
        errors=str(states.count("error")),
        skipped=str(states.count("skipped")),
    )
    for case in cases:
        element = ElementTree.SubElement(
            suite, "testcase", classname=case.group, name=case.name, time=str(case.seconds)
        )
        if case.state:
            state = ElementTree.SubElement(element, case.state, message=case.message)
            state.text = case.text or None
    text: bytes = ElementTree.tostring(suite, encoding="utf-8", xml_declaration=True)
    return text + b"\n"
