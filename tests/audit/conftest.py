"""Fixtures of the audit's tests, and the table of the seeded faults."""

from __future__ import annotations

import pytest
from arm_files import Toolbox


@pytest.fixture(scope="session")
def arm(tmp_path_factory: pytest.TempPathFactory) -> Toolbox:
    """Makes ARM files."""
    return Toolbox(tmp_path_factory.mktemp("arm"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """With -v: the bad wheels, by what their tests recorded."""
    passed = terminalreporter.getreports("passed")
    rows = [row for report in passed if "fault" in (row := dict(report.user_properties))]
    if not rows or terminalreporter.verbosity < 1:
        return
    columns = ("fault", "law", "code", "trapped")
    table = [columns, *(tuple(str(row[column]) for column in columns) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    terminalreporter.section("seeded faults")
    for line in table:
        cells = (text.ljust(width) for text, width in zip(line, widths, strict=True))
        terminalreporter.write_line("  ".join(cells).rstrip())
