"""The audit: proof that a wheel's machine code can run on the boards it is named for.

Its tables of instructions take a moment to build, and most commands only need the law: what is
named here is imported when it is first used (PEP 562).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crosspi.audit.elf.rules import COMMON_BUILD_PATHS, audit_elf
    from crosspi.audit.findings import CATALOGUE, FileFacts, Finding, Report, Verdict
    from crosspi.audit.law import Dispatched, Law, Promises
    from crosspi.audit.verdict import audit_tree, audit_wheel

__all__ = [
    "CATALOGUE",
    "COMMON_BUILD_PATHS",
    "Dispatched",
    "FileFacts",
    "Finding",
    "Law",
    "Promises",
    "Report",
    "Verdict",
    "audit_elf",
    "audit_tree",
    "audit_wheel",
]
_MODULES = ("verdict", "elf.rules", "findings", "law")


def __getattr__(name: str) -> Any:
    if name in __all__:
        for module in map(import_module, (f"{__name__}.{part}" for part in reversed(_MODULES))):
            if name in vars(module):
                return vars(module)[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
