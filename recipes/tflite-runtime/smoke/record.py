"""Records what the official wheel answers for the models of models.py: writes expected.json.

    python3.11 -m venv venv
    venv/bin/pip install tflite-runtime==2.14.0 'numpy<2'
    venv/bin/python record.py TENSORFLOW [--check]

TENSORFLOW is TensorFlow's source tree, or its tensorflow/lite/testdata. Run it on x86-64, so that
the numbers come from other machine code than the board's. `--check` writes nothing and exits 1
where the answers differ from the recorded ones.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import platform
import sys
from pathlib import Path
from typing import Any

import models
import numpy as np
import tflite_runtime
from tflite_runtime.interpreter import Interpreter

EXPECTED = Path(__file__).parent / "expected.json"


def plain(array: np.ndarray) -> dict[str, Any]:
    """An array as JSON: a float32 as the shortest decimal that gives it back."""
    if array.dtype.kind in "SO":
        values = [item.decode("utf-8") for item in array.ravel().tolist()]
        return {"dtype": "string", "shape": list(array.shape), "values": values}
    if array.dtype == np.float32:
        values = [float(str(item)) for item in array.ravel()]
    else:
        values = array.ravel().tolist()
    return {"dtype": array.dtype.name, "shape": list(array.shape), "values": values}


def record(model: models.Model, testdata: Path, wheel: str) -> dict[str, Any]:
    path = Path(model.path(str(testdata)))
    interpreter = Interpreter(str(path))
    interpreter.allocate_tensors()
    outputs = models.run(interpreter, model.inputs(), model.outputs)
    return {
        "file": model.filename,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "source": f"{model.source}; and the recorded output of {wheel}",
        "outputs": [plain(output) for output in outputs],
    }


def text_of(recorded: dict[str, Any]) -> str:
    """JSON with one line an array, so that a difference shows where it is."""
    lines = [
        "{",
        ' "recorded_with": ' + json.dumps(recorded["recorded_with"]) + ",",
        ' "models": {',
    ]
    entries = []
    for name, entry in recorded["models"].items():
        outputs = ",\n".join("    " + json.dumps(output) for output in entry["outputs"])
        head = {key: value for key, value in entry.items() if key != "outputs"}
        fields = [f"   {json.dumps(key)}: {json.dumps(value)}" for key, value in head.items()]
        fields.append(f'   "outputs": [\n{outputs}\n   ]')
        entries.append(f"  {json.dumps(name)}: {{\n" + ",\n".join(fields) + "\n  }")
    lines.append(",\n".join(entries))
    lines += [" }", "}"]
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tensorflow", type=Path)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    below = options.tensorflow / "tensorflow/lite/testdata"
    testdata = below if below.is_dir() else options.tensorflow
    wheel = f"the official wheel tflite-runtime {tflite_runtime.__version__}, {platform.machine()}"
    text = text_of(
        {
            "recorded_with": {
                "tflite_runtime": tflite_runtime.__version__,
                "git": tflite_runtime.__git_version__,
                "numpy": np.__version__,
                "python": platform.python_version(),
                "machine": platform.machine(),
            },
            "models": {model.name: record(model, testdata, wheel) for model in models.ALL},
        }
    )
    if options.check:
        same = EXPECTED.is_file() and json.loads(EXPECTED.read_text()) == json.loads(text)
        print(f"{EXPECTED.name}: {'as recorded' if same else 'DIFFERS'}")
        return 0 if same else 1
    EXPECTED.write_text(text)
    print(f"{EXPECTED.name}: {len(text)} bytes, {len(models.ALL)} models")
    return 0


if __name__ == "__main__":
    sys.exit(main())
