"""A publisher that is killed at random moments leaves an index that readers find whole.

CROSSPI_KILLS says how often; a night's run takes hundreds.
"""

from __future__ import annotations

import hashlib
import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import unquote

from making import a_manifest, tiny_wheel

from crosspi.files import write_text
from crosspi.index.manifest import manifest_of
from crosspi.index.publishing import write_pages
from crosspi.index.verifying import verify

KILLS = int(os.environ.get("CROSSPI_KILLS") or 10)
WHEELS = 12
#: Says when it begins, so that no kill meets Python's own start.
SCRIPT = """
import sys
from pathlib import Path
from crosspi.index.gathering import gather
print("begins", flush=True)
gather(Path(sys.argv[1]), [Path(sys.argv[2])])
"""
LINK = re.compile(r'<a href="\.\./\.\./([^"#]+)#sha256=([0-9a-f]{64})"')


def machine(folder: Path, version: str) -> Path:
    """A folder that a machine published many wheels into."""
    for number in range(WHEELS):
        wheel = tiny_wheel(folder, f"pack{number % 8}", f"{version}.{number}")
        write_text(manifest_of(wheel), a_manifest(wheel).to_json())
    write_pages(folder)
    return folder


def torn(index: Path) -> list[str]:
    """The links of an index that lead to no file, or to one that is not what the page says."""
    return [
        f"{page.parent.name}: {name}"
        for page in index.glob("simple/*/index.html")
        for name, sha256 in LINK.findall(page.read_text(encoding="utf-8"))
        if not (index / unquote(name)).is_file()
        or hashlib.sha256((index / unquote(name)).read_bytes()).hexdigest() != sha256
    ]


def test_no_kill_tears_it(tmp_path: Path) -> None:
    seed = int(os.environ.get("CROSSPI_SEED") or time.time())
    moments = random.Random(seed)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    sources, index, killed = [], tmp_path / "index", 0
    for kill in range(KILLS):
        # Each time there is something to publish that was not there yet.
        sources.append(machine(tmp_path / f"machine{kill}", str(kill)))
        command = [sys.executable, "-c", SCRIPT, str(index), str(sources[-1])]
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as publisher:
            assert publisher.stdout and publisher.stdout.readline() == b"begins\n"
            time.sleep(moments.uniform(0, 0.06))
            publisher.send_signal(signal.SIGKILL)
            ended = publisher.wait()
        killed += ended == -signal.SIGKILL
        assert torn(index) == [], f"seed {seed}, kill {kill}"
    print(f"{killed} of {KILLS} were killed at work")
    assert killed, "every run ended before it was killed"
    for source in sources:
        subprocess.run(
            [sys.executable, "-c", SCRIPT, str(index), str(source)], env=environment, check=True
        )
    assert verify(index).faults == [], f"seed {seed}"
    assert verify(index).files == len(sources) * WHEELS
    assert not list(index.glob(".*.part"))
