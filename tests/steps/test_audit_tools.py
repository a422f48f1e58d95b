"""What an audit's verdict rests on."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions

import pytest

from crosspi.steps import audit_tools
from crosspi.steps.audit_tools import AUDIT, LIBRARIES, tools


def imports(text: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.split(".")[0]


def test_the_libraries_are_those_that_the_audit_imports() -> None:
    modules = {m for path in AUDIT.rglob("*.py") for m in imports(path.read_text("utf-8"))}
    owners = packages_distributions()
    foreign = modules - sys.stdlib_module_names - {"crosspi"}
    found = {owner for module in foreign for owner in owners[module]}
    assert ", ".join(sorted(found)) == LIBRARIES


def test_their_versions_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_tools, "version", lambda _name: "1")
    assert "capstone 1" in tools.__wrapped__().split(", ")
