"""The steps that audit: a built wheel, and a part's root. The audit itself is `crosspi.audit`."""

from __future__ import annotations

import ast
import sys
from dataclasses import replace
from functools import cache
from importlib.metadata import packages_distributions, version
from pathlib import Path
from typing import TYPE_CHECKING

import crosspi.audit
from crosspi.data.part import ROOT, Part
from crosspi.data.recipe import Recipe
from crosspi.data.targets import Cell, Slot, Toolchain
from crosspi.digests import digest, digest_files
from crosspi.errors import AuditError
from crosspi.files import file_sha256
from crosspi.places import BUILD_PATHS
from crosspi.prefixes import archive_in
from crosspi.sources.unpack import unpack
from crosspi.wheels import promises_of, wheel_in
from crosspi.work.plan import Step, Workspace

if TYPE_CHECKING:
    from crosspi.audit.memory import Memory

REPORT = "audit.json"
_AUDIT = Path(crosspi.audit.__file__).parent


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
    return sorted(found - sys.stdlib_module_names - {"crosspi"})


def code() -> str:
    """The digest of the audit's code."""
    return digest_files(_AUDIT, Path(__file__))


def memory(folder: Path, *, fresh: bool = False) -> Memory:
    """What the audit, as it is now, found in single files.

    Args:
        folder: where that is kept.
        fresh: only remember: what was found before does not count.
    """
    from crosspi.audit.memory import Memory

    return Memory(folder, digest({"code": code(), "tools": tools()}), fresh=fresh)


def audit_step(recipe: Recipe, cell: Cell, wheel: Step, audits: Path | None = None) -> Step:
    """The step that holds a wheel to its target's law and to what its recipe promises.

    Args:
        recipe, cell: what was built, for what.
        wheel: the step that packed it.
        audits: where it is kept what was found in single files; None: nowhere.
    """
    law = cell.law
    promises = promises_of(recipe, cell)

    def act(work: Workspace) -> None:
        from crosspi.audit import audit_wheel

        path = wheel_in(work.results[wheel.name])
        known = memory(audits, fresh=work.forced) if audits else None
        report = audit_wheel(path, law, promises, BUILD_PATHS, own=True, memory=known)
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
        "code": code(),
        "tools": tools(),
        "build paths": digest(BUILD_PATHS),
    }
    return Step("audit", wheel.subject, inputs, (wheel,), act)


def prefix_audit_step(
    recipe: Recipe, slot: Slot, product: Step, audits: Path | None = None
) -> Step:
    """The step that holds a library or archive to its target's law: static libraries too."""
    law = slot.law
    promises = promises_of(recipe, slot)
    archive = product.kind == "archive"

    def act(work: Workspace) -> None:
        from crosspi.audit import audit_tree

        result = work.results[product.name]
        root, name, file = result / "tree", f"the library {recipe.name}", ""
        if archive:
            path = archive_in(result)
            name = path.name
            # What was proven is this file, and not the folder that it was packed of.
            root, file = work.out.parent / "unpacked", file_sha256(path)
            unpack(path, root)
        known = memory(audits, fresh=work.forced) if audits else None
        report = replace(
            audit_tree(root, law, promises, BUILD_PATHS, own=True, archives=True, memory=known),
            subject=name,
            sha256=file,
        )
        (work.out / REPORT).write_text(report.to_json(), encoding="utf-8")
        work.log.write_text(report.to_text(), encoding="utf-8")
        work.notes.update(files=len(report.files), errors=len(report.errors))
        if not report.files:
            raise AuditError(
                f"{name} holds no machine code",
                where=str(recipe.folder / "recipe.yaml"),
                fix="see the log of its build: it may have been installed elsewhere",
            )
        if not report.ok:
            raise AuditError(
                f"{name} breaks the law of {slot.identifier}",
                where=f"the whole report: {work.log}",
                why=report.to_text(),
                fix="the findings name the way out, each its own",
            )
        work.line(f"{name}: nothing found")

    inputs = {
        "law": digest(law.model_dump()),
        "promises": digest(promises.model_dump()),
        "code": code(),
        "tools": tools(),
        "build paths": digest(BUILD_PATHS),
    }
    return Step("audit", product.subject, inputs, (product,), act)


def part_audit_step(part: Part, built: Step, toolchain: Toolchain) -> Step:
    """The step that holds every ELF file of a part's root to a target's law."""
    law = toolchain.data.audit
    if part.data.glibc:
        # The floor is for wheels; what brings a C library needs that one.
        law = law.model_copy(update={"glibc": part.data.glibc})
    ours = part.data.audit == "ours"

    def act(work: Workspace) -> None:
        from crosspi.audit import audit_tree

        if not (work.results[built.name] / ROOT).is_dir():
            raise AuditError(
                f"the part {part.name} left no folder {ROOT}/ to audit",
                where=str(part.folder / part.data.script),
                fix="let its script put a root file system there",
            )
        root = work.results[built.name] / ROOT
        report = audit_tree(root, law, build_paths=BUILD_PATHS, own=ours)
        (work.out / "audit.json").write_text(report.to_json(), encoding="utf-8")
        work.log.write_text(report.to_text(), encoding="utf-8")
        work.notes.update(files=len(report.files), errors=len(report.errors))
        if not report.files:
            raise AuditError(
                f"the part {part.name} holds no ELF file: nothing was audited",
                where=str(part.folder / part.data.script),
                fix="see the part's log: its script may have installed elsewhere",
            )
        if not report.ok:
            raise AuditError(
                f"the part {part.name} breaks the law of {toolchain.name}",
                where=f"the whole report: {work.log}",
                why="\n".join(f"{f.file}: {f.code}: {f.message}" for f in report.errors[:20]),
                fix="the findings in the report name the way out, each its own",
            )

    inputs = {
        "law": digest(law.model_dump()),
        "held to": part.data.audit,
        "code": digest_files(_AUDIT),
        "tools": tools(),
        "build paths": digest(BUILD_PATHS),
    }
    return Step("audit", f"{part.name}-{toolchain.name}", inputs, (built,), act)
