"""The audit: proof that a wheel's machine code can run on the boards it is named for."""

from crosspi.audit.auditing import audit_tree, audit_wheel
from crosspi.audit.elfaudit import BUILD_PATHS, audit_elf
from crosspi.audit.findings import CATALOGUE, FileFacts, Finding, Report
from crosspi.audit.law import Dispatched, Law, Promises

__all__ = [
    "BUILD_PATHS",
    "CATALOGUE",
    "Dispatched",
    "FileFacts",
    "Finding",
    "Law",
    "Promises",
    "Report",
    "audit_elf",
    "audit_tree",
    "audit_wheel",
]
