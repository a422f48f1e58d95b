"""The wall between a build and the host: what must get in does, and nothing gets out by a link."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest
from workshop import BUILD, CODE, Workshop

pytestmark = pytest.mark.e2e


def close(folder: Path) -> None:
    """As after `umask 077; git clone`: nobody but the owner can read anything."""
    for path in [folder, *folder.rglob("*")]:
        if not path.is_symlink():
            path.chmod(path.stat().st_mode & 0o700)


def test_a_hardened_umask_keeps_nothing_from_the_containers(workshop: Workshop) -> None:
    workshop.hello(replace={"core.c": CODE["core.c"] + "/* umask */\n"})
    close(workshop.folder)
    done = subprocess.run(
        [sys.executable, "-m", "invoke", *BUILD],
        cwd=workshop.folder,
        env=workshop.environment(),
        umask=0o077,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert [path.name for path in workshop.dist.glob("*.whl")] == [
        "hello-1.0-cp311-cp311-linux_armv7l.whl"
    ]
    assert (workshop.folder / "recipes").stat().st_mode & 0o777 == 0o700


def test_a_link_that_a_build_leaves_puts_no_file_of_the_host_into_a_wheel(
    workshop: Workshop, tmp_path: Path
) -> None:
    secret = tmp_path / "id_rsa"
    secret.write_text(f"secret {os.urandom(8).hex()}")
    link = f"file(CREATE_LINK {secret} ${{CMAKE_BINARY_DIR}}/data/x SYMBOLIC)"
    lists = (
        CODE["module/CMakeLists.txt"]
        + f"""
        file(MAKE_DIRECTORY ${{CMAKE_BINARY_DIR}}/data)
        {link}
        """
    )
    workshop.hello(replace={"module/CMakeLists.txt": lists})
    recipe = workshop.folder / "recipes" / "hello" / "recipe.yaml"
    more = '- {from: "{build}/data", to: data}\n    - {from: "{build}/_hello.so"'
    text = recipe.read_text()
    assert '- {from: "{build}/_hello.so"' in text
    recipe.write_text(text.replace('- {from: "{build}/_hello.so"', more))
    run = workshop.invoke(*BUILD)
    assert run.code == 8, run.err
    assert f"tree/data/x: a link to {secret}, which is outside" in run.err
    assert not list(workshop.dist.glob("*.whl"))


def test_nor_does_a_link_among_what_a_compile_keeps(workshop: Workshop, tmp_path: Path) -> None:
    secret = tmp_path / "id_rsa"
    secret.write_text(f"secret {os.urandom(8).hex()}")
    link = f"\nfile(CREATE_LINK {secret} ${{CMAKE_BINARY_DIR}}/kept.txt SYMBOLIC)\n"
    workshop.hello(replace={"CMakeLists.txt": dedent(CODE["CMakeLists.txt"]) + link})
    recipe = workshop.folder / "recipes" / "hello" / "recipe.yaml"
    text = recipe.read_text()
    assert "keep: [libcore.a]" in text
    recipe.write_text(text.replace("keep: [libcore.a]", "keep: [libcore.a, kept.txt]"))
    run = workshop.invoke(*BUILD)
    assert run.code == 8, run.err
    assert "kept.txt" in run.err and secret.read_text() not in run.err
    assert not list(workshop.dist.glob("*.whl"))
