"""The scripts of armv6-python, build-python and armv6-userland, run for every version of CPython.

They run for real; `configure`, `make` and Python are stand-ins which know what the version knows
(see `cpythons`). What these runs cannot show is the compiling itself.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from crosspi.data.part import Part, load_parts
from crosspi.data.targets import Cell, Targets
from crosspi.steps.python import check_version, read_sysconfigdata

sys.path.insert(0, str(Path(__file__).parent))
import cpythons
from cpythons import ANSWERS, STAGES, SYSTEMS

PARTS = load_parts(SYSTEMS)
VERSIONS = sorted(
    (part.variant for part in PARTS.values() if part.data.name == "armv6-python"),
    key=cpythons.number,
)
BUILD_VERSIONS = [version for version in VERSIONS if f"build-python-{version}" in PARTS]


def run(root: Path, part: Part, **environment: str) -> Path:
    """Runs a part's script on made-up sources; returns its result."""
    version = part.variant
    recipe = root / "recipe"
    shutil.copytree(part.folder, recipe)
    script = recipe / part.data.script
    text = script.read_text(encoding="utf-8")
    script.write_text(text.replace("/usr/local/lib/crosspi/stages.sh", str(STAGES)))
    for folder in ("build", "out", "libs/lib", "libs/include"):
        (root / folder).mkdir(parents=True)
    if "python" in part.data.sources:
        archive = part.data.sources["python"].file is not None
        cpythons.make_sources(root / "src" / "python", version, archive)
    if "pip" in part.data.sources:
        cpythons.make_wheel(root / "src" / "pip" / "pip-1.0-py2.py3-none-any.whl")
    pythons = part.data.name == "armv6-python"
    cpythons.make_tools(root / "sysroot" / "bin", version, pythons)
    done = subprocess.run(
        ["bash", script],
        cwd=root,
        env={
            "PATH": f"{root / 'sysroot' / 'bin'}:/usr/bin:/bin",
            "SRC": str(root / "src"),
            "BUILD": str(root / "build"),
            "OUT": str(root / "out"),
            "SYSROOT": str(root / "sysroot"),
            "LIBS": str(root / "libs"),
            "DEBIAN_PYTHON": sys.executable,
            "SOURCE_DATE_EPOCH": "315532800",
            "VERSION": version,
            **environment,
        },
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return root / "out"


def calls(root: Path, tool: str) -> list[list[str]]:
    """What the script called one of the stand-ins with."""
    lines = (root / "build" / "calls.jsonl").read_text(encoding="utf-8").splitlines()
    return [call[1:] for call in map(json.loads, lines) if call[0] == tool]


@pytest.fixture(scope="module", params=VERSIONS)
def built(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Built:
    version: str = request.param
    root = tmp_path_factory.mktemp(f"armv6-python-{version}")
    return Built(version, root, run(root, PARTS[f"armv6-python-{version}"]))


class Built:
    """A run of armv6-python for a version."""

    def __init__(self, version: str, root: Path, out: Path) -> None:
        self.version = version
        self.root = root
        self.out = out
        self.library = out / "root" / "usr" / "lib" / f"python{version}"


def test_every_script_ends_well(built: Built) -> None:
    assert (built.library / "os.py").is_file()
    (arguments,) = calls(built.root, "configure")
    assert f"--host={cpythons.T}" in arguments
    assert ("--with-build-python" in " ".join(arguments)) == (
        cpythons.number(built.version) >= (3, 11)
    )


def test_pip_is_there(built: Built) -> None:
    assert (built.library / "site-packages" / "pip" / "__main__.py").is_file()
    for name in ("pip", f"pip{built.version[0]}", f"pip{built.version}"):
        program = built.out / "root" / "usr" / "bin" / name
        assert program.read_text().startswith(f"#!/usr/bin/python{built.version}\n")
        assert os.access(program, os.X_OK)


def test_cpythons_own_tests_are_apart(built: Built) -> None:
    for name in ("test", "ctypes/test", "json/tests"):
        assert (built.out / "python" / name / "test_it.py").is_file()


def test_patches_of_this_version_and_no_other_are_applied(built: Built) -> None:
    text = (built.root / "build" / "tree" / "Python" / "pystate.c").read_text()
    fixed = "HEAD_UNLOCK" in text
    # 3.7 comes from elsewhere; from 3.10.11 and 3.12 on it is CPython's own (gh-102126).
    assert fixed == (built.version in ("2.7", "3.4", "3.5", "3.6", "3.8", "3.9", "3.11"))
    if fixed:
        clear = text.index("PyThreadState_Clear(p)")
        assert "HEAD_UNLOCK" in text[:clear], "the lock is held"


def test_setup_py_looks_at_no_folder_of_the_build_machine(built: Built) -> None:
    setup = built.root / "build" / "tree" / "setup.py"
    assert setup.is_file() == (cpythons.number(built.version) < (3, 12))
    if setup.is_file():
        text = setup.read_text().lower().replace("if (", "if ")
        assert text.strip().startswith("if not cross_compiling and os.path.normpath(sys.")


def test_nothing_tells_of_the_compiler(built: Built) -> None:
    texts = [path for path in (built.out / "root").rglob("*") if path.is_file()]
    told = [path.name for path in texts if b"armv6-gcc" in path.read_bytes()]
    assert told == []


def test_modules_are_compiled_under_the_boards_names(built: Built) -> None:
    tag = sys.implementation.cache_tag
    compiled = built.library / "json" / "__pycache__" / f"__init__.{tag}.pyc"
    assert f"/usr/lib/python{built.version}/json/__init__.py".encode() in compiled.read_bytes()
    assert compiled.read_bytes()[4] & 1, "it would be compared with its source"
    assert not list(built.library.glob("site-packages/pip/__pycache__/for_another*"))


@pytest.mark.parametrize("version", BUILD_VERSIONS)
def test_build_python(tmp_path: Path, version: str) -> None:
    out = run(tmp_path, PARTS[f"build-python-{version}"])
    assert (out / "bin" / f"python{version}").is_file()
    assert (out / "lib" / f"python{version}" / "site-packages" / "pip").is_dir()
    local = (tmp_path / "build" / "python" / "Modules" / "Setup.local").read_text()
    assert ("*disabled*" in local) == (cpythons.number(version) >= (3, 7))


def test_the_userland_describes_each_python(built: Built, tmp_path: Path) -> None:
    """What crosspi reads of it, whatever the version calls its folders."""
    part = PARTS[f"armv6-userland-{built.version}"]
    (tmp_path / "out").mkdir()
    shutil.copytree(built.out / "root", tmp_path / "copy" / "root")
    environment = {"STAGES": "describe", "OUT": str(tmp_path / "copy")}
    run(tmp_path / "run", part, **environment)
    folder = tmp_path / "copy" / "root" / "opt" / "crosspi" / "python"
    assert (folder / "pip-version").read_text() == "pip 1.0\n"
    variables = read_sysconfigdata(folder / "sysconfigdata.py")
    assert variables["SOABI"] == cpythons.soabi(built.version)
    targets = Targets.load(SYSTEMS.parent / "toolchains")
    cell = Cell(targets.toolchain("armv6"), targets.python(built.version))
    check_version(variables, folder / "include", cell)


# --- the stand-ins would notice -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("part", "old", "new", "said"),
    [
        ("build-python-3.5", "2.7 | 3.[4-6]", "2.7", "bad word *disabled*"),
        ("build-python-3.8", "3.[4-9]", "9.9", "unrecognized option of 3.8: --disable-test"),
        ("armv6-python-3.6", "3.[4-6])", "9.9)", "unrecognized option of 3.6: --with-openssl"),
        ("armv6-python-3.5", '"$DEBIAN_PYTHON" "$HERE', 'python3 "$HERE', "cannot be trusted"),
        ("armv6-python-3.4", "2.7 | 3.4", "2.7", "a module for ARMv6 was imported"),
        (
            "armv6-python-3.4",
            'cpython_place "$VERSION"',
            "cpython_place 9.9",
            "Parser/pgen is a program for ARMv6",
        ),
    ],
)
def test_a_fault_of_a_script_is_seen(
    tmp_path: Path, part: str, old: str, new: str, said: str
) -> None:
    good = PARTS[part]
    folder = tmp_path / "recipes" / good.data.name
    shutil.copytree(good.folder, folder)
    text = (folder / good.data.script).read_text(encoding="utf-8")
    assert old in text
    (folder / good.data.script).write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(AssertionError, match="failed; the end of") as caught:
        run(tmp_path / "run", Part(folder, good.data, good.variant))
    assert said in str(caught.value)


# --- bytecode.py, config.site ---------------------------------------------------------------------


def interpreters() -> Iterator[str]:
    """This Python, and older ones where this machine has some."""
    yield sys.executable
    for version in ("2.7", "3.4", "3.5", "3.6", "3.7", "3.8"):
        for folder in [*os.get_exec_path(), *Path.home().glob(f".pyenv/versions/{version}.*/bin")]:
            program = Path(folder) / f"python{version}"
            if program.is_file() and "shims" not in program.parts:
                yield str(program)
                break


@pytest.mark.parametrize("interpreter", list(interpreters()), ids=lambda path: Path(path).name)
def test_bytecode_is_made_by_any_python(tmp_path: Path, interpreter: str) -> None:
    library = tmp_path / "usr" / "lib" / "python"
    files = {"a.py": "x = 1\n", "b/c.py": "y = 2\n", "site-packages/d.py": "else\n"}
    cpythons.make_files(library, files)
    script = SYSTEMS / "armv6-python" / "bytecode.py"
    environment = {"SOURCE_DATE_EPOCH": "315532800", "PYTHONPATH": ""}
    command = [interpreter, str(script), str(tmp_path), str(library)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "d.py" in done.stdout
    made = sorted(path.name.split(".")[0] for path in library.rglob("*.pyc"))
    assert made == ["a", "c"]
    (compiled,) = [path for path in library.rglob("*.pyc") if path.name.startswith("c.")]
    assert b"/usr/lib/python/b/c.py" in compiled.read_bytes()
    cpythons.make_files(library, {"bad.py": "else\n"})
    assert subprocess.run(command, env=environment, capture_output=True).returncode == 1


def test_bytecode_of_old_pythons_has_the_images_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = SYSTEMS / "armv6-python" / "bytecode.py"
    spec = importlib.util.spec_from_file_location("bytecode", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    (tmp_path / "a.py").write_text("x = 1\n")
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "315532800")
    monkeypatch.delattr("py_compile.PycInvalidationMode")
    monkeypatch.setattr("py_compile.compile", lambda *_, **__: None)
    module.compiled(str(tmp_path / "a.py"), "/a.py")
    assert (tmp_path / "a.py").stat().st_mtime == 315532800


def test_configure_is_told_what_it_cannot_try() -> None:
    text = (SYSTEMS / "armv6-python" / "config.site").read_text(encoding="utf-8")
    answered = dict(line.split("=") for line in text.splitlines() if not line.startswith("#"))
    assert [name for name in ANSWERS if name not in answered] == []
    assert answered["ac_cv_buggy_getaddrinfo"] == "no"
