"""The steps that audit: a built wheel, and a part's root. The audit itself is `crosspi.audit`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from crosspi.audit.findings import Report
from crosspi.audit.law import Law, Promises
from crosspi.data.part import ROOT, Part
from crosspi.data.recipe import Recipe
from crosspi.data.targets import Cell, Slot, Toolchain
from crosspi.digests import digest, digest_files
from crosspi.errors import AuditError
from crosspi.files import file_sha256
from crosspi.places import BUILD_PATHS
from crosspi.prefixes import archive_in
from crosspi.sources.unpack import unpack
from crosspi.steps.audit_tools import AUDIT, code, memory, tools
from crosspi.wheels import promises_of, wheel_in
from crosspi.work.plan import Step, Workspace

REPORT = "audit.json"


def _judged(
    report: Report, name: str, owner: str, work: Workspace, *, empty: AuditError | None = None
) -> None:
    """Keep a report, as JSON and in the log.

    Args:
        report: what was found.
        name: in what.
        owner: whose law that was held to.
        work: where it is kept.
        empty: what it means that there was nothing to audit.

    Raises:
        AuditError: it breaks that law, or is empty.
    """
    (work.out / REPORT).write_text(report.to_json(), encoding="utf-8")
    work.log.write_text(report.to_text(), encoding="utf-8")
    work.notes.update(files=len(report.files), errors=len(report.errors))
    if empty and not report.files:
        raise empty
    if not report.ok:
        raise AuditError(
            f"{name} breaks the law of {owner}",
            where=f"the whole report: {work.log}",
            why="\n".join(f"{f.file}: {f.code}: {f.message}" for f in report.errors[:20]),
            fix="the findings in the report name the way out, each its own",
        )
    work.line(f"{name}: nothing found")


def _inputs(law: Law, promises: Promises | None = None) -> dict[str, str]:
    """What goes into the key of every audit, beside what is audited."""
    return {
        "law": digest(law.model_dump()),
        **({"promises": digest(promises.model_dump())} if promises else {}),
        "code": code(),
        "tools": tools(),
        "build paths": digest(BUILD_PATHS),
    }


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
        _judged(report, path.name, cell.identifier, work)

    return Step("audit", wheel.subject, _inputs(law, promises), (wheel,), act)


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
        empty = AuditError(
            f"{name} holds no machine code",
            where=str(recipe.folder / "recipe.yaml"),
            fix="see the log of its build: it may have been installed elsewhere",
        )
        _judged(report, name, slot.identifier, work, empty=empty)

    return Step("audit", product.subject, _inputs(law, promises), (product,), act)


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
        empty = AuditError(
            f"the part {part.name} holds no ELF file: nothing was audited",
            where=str(part.folder / part.data.script),
            fix="see the part's log: its script may have installed elsewhere",
        )
        _judged(report, f"the part {part.name}", toolchain.name, work, empty=empty)

    # Of the code only the audit's own: a root takes minutes, and of this module it uses little.
    inputs = {**_inputs(law), "held to": part.data.audit, "code": digest_files(AUDIT)}
    return Step("audit", f"{part.name}-{toolchain.name}", inputs, (built,), act)
