"""A library that all modules of a wheel share, carried in the wheel.

Ordinarily each module is linked with its own copy of what it uses. Where a library has a state that
modules hand to one another, as HDF5 has, there must be one: it is made of the static archives
before the modules are, lies beside them, and is found from there (`$ORIGIN`, see ld.so(8)).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from crosspi import guests
from crosspi.containers.job import Command
from crosspi.data.recipe_data import SharedLibrary
from crosspi.places import NEEDS, TREE, WORK

_GUEST = Path(guests.__file__).parent / "share.py"
#: Where a container has it. It is written there, so that it is known to the keys of these builds
#: and of no others.
_PROGRAM = f"{WORK}/{_GUEST.name}"
#: Where modules are linked with them: `-lNAME` finds the shared one before the archive.
SHARED = f"{WORK}/shared"


def file_name(library: str, wheel: str) -> str:
    """The name of a wheel's own copy of a library: no other wheel's has it."""
    return f"lib{library}-{wheel}.so"


def link_commands(shared: Mapping[str, SharedLibrary], wheel: str) -> list[Command]:
    """Link them, before the modules are.

    Args:
        shared: by the library's name.
        wheel: the recipe's name.
    """
    if not shared:
        return []
    return [
        {"text": _GUEST.read_text(encoding="utf-8"), "to": _PROGRAM},
        *(
            {
                "argv": [
                    *("python3", _PROGRAM, NEEDS, library, file_name(library, wheel), SHARED),
                    *data.archives,
                ]
            }
            for library, data in shared.items()
        ),
    ]


def carry_commands(shared: Mapping[str, SharedLibrary], wheel: str) -> list[Command]:
    """Put them into the wheel's tree, beside the modules."""
    files = {file_name(library, wheel): data.to for library, data in shared.items()}
    return [{"copy": f"{SHARED}/{file}", "to": f"{TREE}/{to}/{file}"} for file, to in files.items()]


def link_flags(shared: Collection[str]) -> str:
    """What the linker of modules is told; nothing where none is shared."""
    return f" -L{SHARED} -Wl,-rpath,$ORIGIN" if shared else ""
