"""The step that audits a built wheel. The audit itself is the package `audit`."""

from __future__ import annotations

import ast
import sys
from functools import cache
from importlib.metadata import packages_distributions, version
from pathlib import Path

from crosspi.builders import BUILD_PATHS
from crosspi.errors import AuditError
from crosspi.plan import Step, Workspace, digest, digest_files
from crosspi.recipe import Recipe
from crosspi.targets import Cell
from crosspi.wheel import promises_of, wheel_in

REPORT = "audit.json"
_AUDIT = Path(__file__).parent / "audit"


def tools() -> str:
    """The versions of the libraries that an audit's verdict rests on: all that its code imports."""
    return ", ".join(f"{name} {version(name)}" for name in distributions())


@cache
def distributions() -> list[str]:
    """Whose those libraries are: what is imported as yaml is PyYAML's."""
    owners = packages_distributions()
    return sorted({owner for module in libraries() for owner in owners.get(module, [module])})


@cache
def libraries() -> list[str]:
    """What the audit's modules import that is neither Python's own nor crosspi's."""
    found: set[str] = set()
    for path in _AUDIT.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found.update(alias.name.split(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                found.add(node.module.split(".")[0])
    return sorted(found - sys.stdlib_module_names - {__package__})


def audit_step(recipe: Recipe, cell: Cell, wheel: Step) -> Step:
    """The step that holds a wheel to its target's law and to what its recipe promises."""
    law = cell.law
    promises = promises_of(recipe, cell)

    def act(work: Workspace) -> None:
        from crosspi.audit import audit_wheel

        path = wheel_in(work.results[wheel.name])
        report = audit_wheel(path, law, promises, build_paths=BUILD_PATHS, own=True)
        (work.out / REPORT).write_text(report.to_json(), encoding="utf-8")
        work.log.write_text(report.to_text(), encoding="utf-8")
        if not report.ok:
            raise AuditError(
                f"{path.name} breaks the law of {cell.identifier}",
                where=f"the whole report: {work.log}",
                why=report.to_text(),
                fix="the findings name the way out, each its own",
            )
        work.line(f"{path.name}: nothing found")

    inputs = {
        "law": digest(law.model_dump()),
        "promises": digest(promises.model_dump()),
        "code": digest_files(_AUDIT, Path(__file__)),
        "tools": tools(),
        "build paths": digest(BUILD_PATHS),
    }
    return Step("audit", wheel.subject, inputs, (wheel,), act)
