"""The board's program, with a runtime that pretends: what it marks, and what it refuses."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from crosspi import guests

GUEST = Path(guests.__file__).parent / "benchmark.py"

RUNTIME = """
    class Interpreter:
        def __init__(self, model, num_threads):
            assert num_threads == 1
            self.shape = SHAPE
        def get_input_details(self):
            return [{{"name": "in:0", "index": 0, "dtype": DTYPE, "shape": self.shape,
                      "shape_signature": SHAPE}}]
        def resize_tensor_input(self, index, shape):
            self.shape = shape
        def allocate_tensors(self):
            {allocate}
        def set_tensor(self, index, value):
            assert list(value.shape) == list(self.shape)
            print("filled with", value.dtype)
        def invoke(self):
            print("invoked")
    SHAPE, DTYPE = {shape}, {dtype}
    """
# A numpy that has just what is needed, so that this needs none.
NUMPY = """
    int8 = "int8"
    class dtype:
        def __init__(self, name):
            self.name = getattr(name, "__name__", name)
            self.kind = {"float32": "f", "int8": "i", "int32": "i", "bool": "b"}.get(self.name, "O")
            self.itemsize = {"int8": 1}.get(self.name, 4)
        def __eq__(self, other):
            return self.name == other
    """
RANDOM = """
    class Array:
        def __init__(self, shape):
            self.shape, self.dtype = shape, "nothing"
        def astype(self, kind):
            self.dtype = kind.name
            return self
    class RandomState:
        def __init__(self, seed): pass
        def uniform(self, low, high, shape): return Array(shape)
        def randint(self, low, high, shape): return Array(shape)
    """


def run(
    folder: Path,
    *words: str,
    shape: str = "[1, 4]",
    dtype: str = "'float32'",
    allocate: str = "pass",
    runtime: str = RUNTIME,
) -> tuple[int, str]:
    """The program's exit code and what it printed; each mark is a line of its own."""
    modules = {
        "tflite_runtime/__init__.py": "",
        "tflite_runtime/interpreter.py": dedent(runtime).format(
            shape=shape, dtype=dtype, allocate=allocate
        ),
        "numpy/__init__.py": dedent(NUMPY),
        "numpy/random.py": dedent(RANDOM),
        "sitecustomize.py": "import os\nos.getpgid = lambda n: print('mark', n - 0x43500000)\n",
    }
    for name, text in modules.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    done = subprocess.run(
        [sys.executable, str(GUEST), "model.tflite", "2", *words],
        env={"PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stdout + done.stderr


def test_the_marks_stand_between_the_parts(tmp_path: Path) -> None:
    code, said = run(tmp_path)
    assert code == 0, said
    marks = ["mark 0", "mark 1", "filled with float32", "mark 100", "mark 101", "mark 2"]
    assert said.splitlines() == [*marks, "invoked", "mark 3", "invoked", "mark 4"]


@pytest.mark.parametrize("dtype", ["int8", "int32", "bool"])
def test_inputs_are_of_the_models_kind(tmp_path: Path, dtype: str) -> None:
    assert f"filled with {dtype}" in run(tmp_path, dtype=f"'{dtype}'")[1]


def test_a_shape_that_is_asked_for(tmp_path: Path) -> None:
    code, said = run(tmp_path, "in:0=1,7", shape="[1, -1]")
    assert code == 0, said


def refused(code: int, said: str) -> str:
    assert code == 4, said
    return said.splitlines()[-1]


def test_a_shape_that_is_missing(tmp_path: Path) -> None:
    said = refused(*run(tmp_path, shape="[1, -1]"))
    assert said == "refused: the input 'in:0' has no fixed shape"


def test_a_shape_of_no_input(tmp_path: Path) -> None:
    said = refused(*run(tmp_path, "other=1,7"))
    assert said == "refused: it has no input 'other'; its inputs: in:0"


def test_strings(tmp_path: Path) -> None:
    said = refused(*run(tmp_path, dtype="'object'"))
    assert "is of object: no input can be made up" in said


def test_what_the_runtime_refuses_is_one_line(tmp_path: Path) -> None:
    fault = "raise RuntimeError('unresolved\\n  custom op: Mine')"
    assert refused(*run(tmp_path, allocate=fault)) == "refused: unresolved custom op: Mine"


def test_a_module_of_another_numpy_says_so_by_its_cause(tmp_path: Path) -> None:
    fault = "raise SystemError('set') from ImportError('multiarray failed')"
    assert refused(*run(tmp_path, allocate=fault)) == "refused: multiarray failed"


def test_a_runtime_that_cannot_be_imported(tmp_path: Path) -> None:
    said = refused(*run(tmp_path, runtime="raise ImportError('no libatomic')"))
    assert said == "refused: tflite_runtime cannot be imported: no libatomic"
