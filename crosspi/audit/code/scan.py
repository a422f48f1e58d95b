"""What instructions a file holds: the scan that confirms, or refutes, its build attributes.

Where the file keeps its mapping symbols they say what is code (`mapped`); in other files, and where
they call most of it data, `flow` follows the execution. Capstone has the last word on each
instruction that would be a finding, and prints it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from mmap import mmap

import numpy as np

from crosspi.audit.code import classes
from crosspi.audit.code.choices import Choices
from crosspi.audit.code.flow import Tracer
from crosspi.audit.code.found import Found, Hits
from crosspi.audit.code.mapped import SymbolMap, mark_mapped
from crosspi.audit.code.names import Names
from crosspi.audit.code.spaces import ARM, DATA, STATE, THUMB, UNKNOWN, Space
from crosspi.audit.elf.attributes import THUMB_ISA, Attributes
from crosspi.audit.elf.file import Elf
from crosspi.audit.elf.format import ET_REL
from crosspi.audit.spool import room

MAPPED, FOLLOWED = "mapping symbols", "control flow"
_CONFIRMED = 64


@dataclass(slots=True)
class Scan:
    """The instructions of one file."""

    names: Names
    choices: Choices
    method: str = MAPPED
    instructions: int = 0
    code_bytes: int = 0
    seen_bytes: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    found: list[Found] = field(default_factory=list)

    @property
    def coverage(self) -> float:
        """The share of the executable bytes that was told to be either code or data."""
        return self.seen_bytes / self.code_bytes if self.code_bytes else 1.0

    def hits(self, wanted: int) -> Iterator[Hits]:
        """The instructions of the wanted classes that are not chosen at run time (`choices`).

        Where code was found by following the execution, the first ones must be instructions for
        capstone too: `a32` is lenient about encodings that are reserved.
        """
        doubtful = _CONFIRMED if self.method == FOLLOWED else 0
        confirmed = not doubtful
        for hits in self.unconfirmed(wanted):
            left = np.ones(len(hits), bool)
            for at in self.choices.candidates(hits):
                left[at] = not self.choices.reason(hits[at])
            places = np.flatnonzero(left)
            for at in places[:doubtful].tolist():
                left[at] = bool(self.names.disassemble(hits[at]))
                confirmed |= left[at]
            if doubtful < len(places) and not confirmed:
                left[places[doubtful:]] = False
            doubtful -= min(doubtful, len(places))
            if left.any():
                yield hits.where(left)
            if not doubtful and not confirmed:
                return

    def chosen(self, wanted: int) -> dict[str, int]:
        """Why instructions of the wanted classes only run where they can, and how many they are."""
        reasons = (
            self.choices.reason(hits[at])
            for hits in self.unconfirmed(wanted)
            for at in self.choices.candidates(hits)
        )
        return dict(Counter(reason for reason in reasons if reason))

    def unconfirmed(self, wanted: int) -> Iterator[Hits]:
        """Every instruction that the tables say is of the wanted classes."""
        for found in self.found:
            yield from found.hits(wanted)


def scan(elf: Elf, attributes: Attributes | None) -> Scan:
    """Every instruction of a file, by class."""
    result = Scan(Names(elf), Choices(elf))
    symbols = SymbolMap(elf)
    spaces, unmapped = [], []
    for code in elf.code:
        space = Space(code)
        spaces.append(space)
        result.code_bytes += len(code.data)
        marks = symbols.marks_of(space)
        if len(marks.kinds):
            mark_mapped(space, marks)
        # Symbols that call nearly nothing code are not believed.
        if not len(marks.kinds) or 2 * space.count(DATA) > space.size:
            unmapped.append(space)
    if unmapped and elf.header.kind != ET_REL:
        result.method = FOLLOWED
        # One that declares no Thumb, or an unknown Thumb, is told by its code.
        thumb = attributes is None or attributes[THUMB_ISA] != 0
        _follow(elf, unmapped, thumb)
    sets: dict[int, int] = {}
    for space in spaces:
        found = Found(space, result.names.section(space.code.section))
        result.found.append(found)
        result.instructions += found.instructions
        result.seen_bytes += found.seen_bytes
        for bits, number in found.counts.items():
            sets[bits] = sets.get(bits, 0) + number
    result.counts = _by_name(sets)
    return result


def _follow(elf: Elf, spaces: list[Space], thumb: bool) -> None:
    """Follows the execution through ranges; what their mapping symbols call code stays code."""
    said = [_taken_away(space) for space in spaces]
    Tracer(elf, spaces, thumb=thumb).run()
    for space, before in zip(spaces, said, strict=True):
        if before is None:
            continue
        marks, said_of = (np.frombuffer(r, np.uint8, space.size) for r in (space.marks, before))
        for part in space.parts():
            code = (said_of[part] & STATE == ARM) | (said_of[part] & STATE == THUMB)
            marks[part][code] = said_of[part][code]


def _taken_away(space: Space) -> mmap | None:
    """The marks of a range, which loses them; None where it has none."""
    if space.tally[UNKNOWN] == space.size:
        return None
    said, space.marks = space.marks, room(space.size)
    return said


def _by_name(sets: dict[int, int]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for found, number in sets.items():
        for name in classes.names_of(found):
            counts[name] = counts.get(name, 0) + number
    return {name: counts[name] for name in classes.NAMES if name in counts}
