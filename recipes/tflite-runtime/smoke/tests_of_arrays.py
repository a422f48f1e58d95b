# ruff: noqa
"""Smoke tests: numpy's arrays in and out, broken models, and refusals.

Valid Python 2.7 and 3.4 to 3.15.
"""

from __future__ import division, print_function

import gc
import os
import sys
import tempfile

import numpy as np
from tflite_runtime.interpreter import Interpreter

import models
from checking import compare, model_path, opened, testdata


def test_views(case):
    """tensor() gives views of the interpreter's memory, and protects them."""
    interpreter = opened(case, "add")
    into = interpreter.tensor(interpreter.get_input_details()[0]["index"])
    out = interpreter.tensor(interpreter.get_output_details()[0]["index"])
    into().fill(1.5)
    interpreter.invoke()
    case.equal(float(out().min()), 4.5, "through views")
    view = into()
    case.check(view.base is not None, "a view without an owner")
    case.raises(RuntimeError, interpreter.invoke, match="at least 1 reference")
    case.raises(RuntimeError, interpreter.allocate_tensors, match="at least 1 reference")
    del view
    interpreter.invoke()
    view = into()
    view[...] = 2.0
    before = sys.getrefcount(interpreter._interpreter)
    another = into()
    case.equal(sys.getrefcount(interpreter._interpreter), before + 1, "references")
    del another
    del interpreter, into, out
    gc.collect()
    case.equal(float(view.sum()), 2.0 * 192, "a view outlives its interpreter")
    copies = opened(case, "add")
    first = models.run(copies, [models.images(7)])[0]
    kept = first.copy()
    models.run(copies, [models.images(11)])
    case.equal(first, kept.tolist(), "get_tensor gives a copy")
    case.check(first.flags.owndata and first.flags.writeable, "a copy that is not our own")


def test_arrays_of_every_layout(case):
    """set_tensor takes strided, transposed, read-only and foreign-order arrays by their values."""
    interpreter = opened(case, "add")
    x = models.images(7)
    frozen = x.copy()
    frozen.flags.writeable = False
    wide = np.zeros((1, 8, 16, 3), "f4")
    wide[:, :, ::2] = x
    odd = np.frombuffer(b"\x55" + x.tobytes(), "u1")[1:].view("f4").reshape(x.shape)
    for label, value in (
        ("Fortran", np.asfortranarray(x)),
        ("strided", wide[:, :, ::2]),
        ("read-only", frozen),
        ("unaligned", odd),
        ("backwards", x[:, ::-1][:, ::-1]),
    ):
        case.close(models.run(interpreter, [value])[0], 3 * x, rtol=1e-6, what=label)


def test_model_from_memory(case):
    """model_content instead of a file; it may be let go of."""
    with open(model_path(case, "convnet_int8"), "rb") as stream:
        interpreter = Interpreter(model_content=stream.read())
    gc.collect()
    interpreter.allocate_tensors()
    model = models.BY_NAME["convnet_int8"]
    inputs = model.inputs()
    for _ in range(3):
        compare(
            case, model, models.run(interpreter, inputs), model.expect(inputs), "computed value"
        )
    case.raises(ValueError, Interpreter, match="must be specified")
    case.raises(ValueError, Interpreter, "a", b"b", match="both provide")


def test_many_interpreters(case):
    """Forty interpreters come and go."""
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(20):
        for name in ("convnet_float", "lstm"):
            model = models.BY_NAME[name]
            models.run(opened(case, name), model.inputs())
    gc.collect()
    case.note("growth_kb", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak)


# ---- Errors --------------------------------------------------------------------------------------


#: What 2.14 says of it, and what newer ones say.
NO_MODEL = "model identifier|not a valid Flatbuffer"


def test_broken_models(case):
    """Broken files are refused with a ValueError that says why."""
    data = testdata(case)
    case.raises(
        ValueError, Interpreter, os.path.join(data, "no such file.bin"), match="Could not open"
    )
    case.raises(
        ValueError,
        Interpreter,
        os.path.join(data, "test_model_broken.bin"),
        match=NO_MODEL,
    )
    for name in ("0_subgraphs.bin", "no_subgraphs.bin"):
        case.raises(ValueError, Interpreter, os.path.join(data, name), match="No subgraph")
    case.raises(ValueError, Interpreter, model_content=b"garbage", match=NO_MODEL)
    with open(model_path(case, "add"), "rb") as stream:
        good = stream.read()
    case.raises(
        ValueError,
        Interpreter,
        model_content=good[:4] + b"XFL3" + good[8:],
        match=NO_MODEL,
    )
    handle, path = tempfile.mkstemp(suffix=".tflite")
    os.close(handle)
    try:
        # Cut off. (The rest of a mapped page is zeros, so that what is read is defined.)
        for size in (0, 5, 40, 100, 300):
            with open(path, "wb") as stream:
                stream.write(good[:size])
            error = case.raises(ValueError, Interpreter, path)
            case.note("cut_to_%d" % size, str(error))
    finally:
        os.remove(path)


def test_models_that_cannot_run(case):
    """Models that ask for what is not there say so, and do not crash."""
    data = testdata(case)
    for name, words in (
        ("custom_sinh.bin", "unresolved custom op: Sinh"),
        ("double_flex.bin", "Select TensorFlow op"),
        ("softplus_flex.bin", "Select TensorFlow op"),
        ("add_shared_tensors.bin", "is both input 0 and output 0"),
    ):
        interpreter = Interpreter(os.path.join(data, name))
        case.raises(RuntimeError, interpreter.allocate_tensors, match=words)
    for name, words in (
        ("segment_sum_invalid_buffer.bin", "lacks data"),
        ("tensor_string_data_type.bin", ""),
    ):
        interpreter = Interpreter(os.path.join(data, name))
        interpreter.allocate_tensors()
        error = case.raises(RuntimeError, interpreter.invoke, match=words)
        case.note(name, str(error))
    case.raises(RuntimeError, Interpreter(model_path(case, "add")).invoke, match="not ready")


def test_wrong_tensors(case):
    """Wrong shapes, types and indices are refused; the interpreter stays usable."""
    interpreter = opened(case, "add")
    index = interpreter.get_input_details()[0]["index"]
    case.raises(
        ValueError,
        interpreter.set_tensor,
        index,
        np.zeros((1, 8, 8, 2), "f4"),
        match="Got 2 but expected 3 for dimension 3",
    )
    case.raises(
        ValueError,
        interpreter.set_tensor,
        index,
        np.zeros((8, 8, 3), "f4"),
        match="Got 3 but expected 4",
    )
    case.raises(
        ValueError,
        interpreter.set_tensor,
        index,
        np.zeros((1, 8, 8, 3), "f8"),
        match="Got value of type FLOAT64 but expected type FLOAT32",
    )
    case.raises(ValueError, interpreter.set_tensor, 99, np.zeros(1, "f4"), match="index 99")
    case.raises(ValueError, interpreter.get_tensor, 99, match="index 99")
    case.raises(ValueError, interpreter._get_op_details, 99, match="Invalid node index")
    x = models.images(7)
    case.close(models.run(interpreter, [x])[0], 3 * x, rtol=1e-6, what="afterwards")
