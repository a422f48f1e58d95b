# ruff: noqa
"""What the smoke tests share: interpreters of the models, and comparing with what is known.

Valid Python 2.7 and 3.4 to 3.15.
"""

from __future__ import division, print_function

import hashlib
import io
import json
import os
import time

import numpy as np
from tflite_runtime.interpreter import Interpreter, OpResolverType

import models

WITHOUT_DELEGATES = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES

with io.open(os.path.join(models.HERE, "expected.json"), encoding="utf-8") as _stream:
    EXPECTED = json.load(_stream)


def testdata(case):
    below = case.data("tensorflow", "tensorflow", "lite", "testdata")
    return below if os.path.isdir(below) else case.data("tensorflow")


def model_path(case, name):
    return models.BY_NAME[name].path(testdata(case))


def opened(case, name, **options):
    """An interpreter of one of the models, allocated."""
    interpreter = Interpreter(model_path(case, name), **options)
    interpreter.allocate_tensors()
    return interpreter


def names_of_ops(interpreter):
    return [op["op_name"] for op in interpreter._get_ops_details()]


def compare(case, model, outputs, wanted, which):
    """Outputs against wanted values, by the tolerance of the model; returns the largest error."""
    case.equal(len(outputs), len(wanted), "number of outputs")
    worst = 0.0
    for place, (output, want) in enumerate(zip(outputs, wanted)):
        what = "%s, output %d against the %s" % (model.name, place, which)
        if output.dtype.kind in "SO":
            case.equal(output, want, what)
        else:
            worst = max(
                worst,
                case.close(
                    output.astype("f8"),
                    np.array(want, "f8"),
                    rtol=model.rtol,
                    atol=model.atol,
                    what=what,
                ),
            )
    return worst


def check_model(case, name):
    """Runs one model; compares with its closed form or numpy, and with the recording."""
    model = models.BY_NAME[name]
    entry = EXPECTED["models"][name]
    path = model.path(testdata(case))
    with open(path, "rb") as stream:
        case.equal(
            hashlib.sha256(stream.read()).hexdigest(),
            entry["sha256"],
            "sha256 of %s (record.py makes new expectations)" % model.filename,
        )
    interpreter = opened(case, name)
    inputs = model.inputs()
    start = time.time()
    outputs = models.run(interpreter, inputs, model.outputs)
    case.note("invoke_ms", round((time.time() - start) * 1000, 2))
    case.note("source", entry["source"])
    case.note("delegate_nodes", names_of_ops(interpreter).count("DELEGATE"))
    case.note(
        "error_computed", compare(case, model, outputs, model.expect(inputs), "computed value")
    )
    recorded = []
    for output, value in zip(outputs, entry["outputs"]):
        if value["dtype"] == "string":
            recorded.append(
                np.array([item.encode("utf-8") for item in value["values"]], object).reshape(
                    value["shape"]
                )
            )
        else:
            case.equal(output.dtype.name, value["dtype"], "type of the output")
            recorded.append(np.array(value["values"], value["dtype"]).reshape(value["shape"]))
    near = max(model.atol, 1e-6)  # closed forms in float32 may be exact where kernels round
    case.note(
        "error_recorded",
        max(
            case.close(
                output.astype("f8"),
                want.astype("f8"),
                rtol=1e-5,
                atol=near,
                what="%s against the official wheel" % name,
            )
            if want.dtype != object
            else case.equal(output, want, name) or 0.0
            for output, want in zip(outputs, recorded)
        ),
    )
