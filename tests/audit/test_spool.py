"""Bytes in files without a name: they stay what they are when their memory is given back."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import pytest
from arm_files import RETURN, Source, Toolbox

from crosspi.audit import spool

CHECKOUT = Path(__file__).parents[2]
MEGABYTES = 64
#: The audit itself, and then the peak of the memory that it took, in MB.
AUDITED = """
import resource, sys
from mmap import ACCESS_READ, mmap
from pathlib import Path
from crosspi.audit import audit_elf
from crosspi.data.targets import Targets

law = Targets.load(Path("toolchains")).toolchain("armv7").data.audit
with open(sys.argv[1], "rb") as file:
    data = mmap(file.fileno(), 0, access=ACCESS_READ)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
facts, findings = audit_elf(data, "big.so", law)
assert facts.instructions > 16_000_000, facts
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10)
"""


@pytest.fixture(params=[spool.IN_MEMORY, 1], ids=["in memory", "in a file"])
def spooled(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "IN_MEMORY", request.param)


@pytest.mark.usefixtures("spooled")
@pytest.mark.parametrize("size", [0, 1, 5000])
def test_what_is_written_is_there_when_the_memory_is_given_back(size: int) -> None:
    room = spool.room(size)
    assert not any(room[:])
    room[:size] = b"x" * size
    for part in spool.giving_back(spool.chunks(size, 1000), room, after=1):
        assert room[part] == b"x" * (part.stop - part.start)
    spool.give_back(room, memoryview(room)[1:], b"no map")
    assert room[:size] == b"x" * size


def test_blocks_are_kept_in_their_order() -> None:
    kept = spool.keep([b"one", b"", b"two"])
    spool.give_back(kept)
    assert kept[:] == b"onetwo"


@pytest.mark.usefixtures("spooled")
def test_a_part_by_itself() -> None:
    assert spool.copied(memoryview(b"01234")[1:3])[:] == b"12"


def test_the_hash_of_what_is_mapped(tmp_path: Path) -> None:
    data = b"some" * (3 << 20)
    (tmp_path / "file").write_bytes(data)
    mapped = spool.mapped(tmp_path / "file")
    assert spool.sha256_of(mapped) == spool.sha256_of(data) == hashlib.sha256(data).hexdigest()


def test_a_full_disk_is_told_before_anything_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: int) -> NoReturn:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OSError, match="No space left"):
        spool.room(spool.IN_MEMORY + 1)


def test_memory_does_not_grow_with_the_file(arm: Toolbox, tmp_path: Path) -> None:
    body = f"  .fill {MEGABYTES << 18}, 4, 0xe1a00000\n{RETURN}"
    big = tmp_path / "big.so"
    big.write_bytes(arm.shared(Source(body), strip=True))
    ran = subprocess.run(
        [sys.executable, "-c", AUDITED, str(big)],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert int(ran.stdout) < MEGABYTES, "MB"
