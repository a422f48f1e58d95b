# ruff: noqa
"""Smoke tests: signatures, resizing, threads, state.

Valid Python 2.7 and 3.4 to 3.15.
"""

from __future__ import division, print_function

import threading

import numpy as np
from tflite_runtime.interpreter import Interpreter

import models
from checking import compare, model_path, opened


def test_signatures(case):
    """get_signature_list and get_signature_runner, with names, resizing and their errors."""
    add = Interpreter(model_path(case, "add"))
    case.equal(add.get_signature_list(), {"serving_default": {"inputs": ["a"], "outputs": ["x"]}})
    x = models.images(7)
    case.close(add.get_signature_runner()(a=x)["x"], 3 * x, rtol=1e-6, what="add")
    case.raises(ValueError, add.get_signature_runner, "no such", match="Invalid signature_key")
    runner = add.get_signature_runner("serving_default")
    case.raises(ValueError, runner, b=x, match="Invalid Input name")
    case.raises(ValueError, runner, match="Invalid number of inputs")
    both = Interpreter(model_path(case, "multi_signatures"))
    case.equal(sorted(both.get_signature_list()), ["add", "sub"], "signatures")
    case.raises(ValueError, both.get_signature_runner, match="signature_key is None")
    for length in (1, 5, 2):
        y = models.pattern((length,), 3, 7, 0.5)
        case.close(both.get_signature_runner("add")(x=y)["output_0"], y + 2, what="add %d" % length)
        case.close(both.get_signature_runner("sub")(x=y)["output_0"], y - 3, what="sub %d" % length)
    multi = Interpreter(model_path(case, "multi_add")).get_signature_runner()
    a, b, c, d = models.BY_NAME["multi_add"].inputs()
    got = multi(d=d, c=c, b=b, a=a)
    case.close(got["x"], a + b + c, rtol=1e-6, what="x by name")
    case.close(got["y"], b + c + d, rtol=1e-6, what="y by name")
    details = multi.get_input_details()
    case.equal(sorted(details), ["a", "b", "c", "d"], "inputs of the runner")
    case.equal(details["a"]["shape"].tolist(), [1, 8, 8, 3], "shape of a")
    loop = Interpreter(model_path(case, "while")).get_signature_runner()
    got = loop(inp=np.array(0.5, "f4"))
    case.equal(sorted(float(value) for value in got.values()), [2.0, 2.0], "while by signature")


def test_details(case):
    """Names, types, shapes and quantization of tensors, per channel too."""
    add = opened(case, "add_uint8")
    detail = add.get_input_details()[0]
    case.equal((detail["name"], detail["dtype"] is np.uint8), ("input", True), "input")
    case.close(detail["quantization"][0], 0.003922, rtol=1e-6, what="scale")
    net = opened(case, "convnet_int8")
    by_name = dict((item["name"], item) for item in net.get_tensor_details())
    weights = by_name["w2"]["quantization_parameters"]
    case.close(weights["scales"], [np.float32(scale) for scale in models.Int8Net.s2], what="scales")
    case.equal(weights["quantized_dimension"], 3, "dimension")
    case.equal(weights["zero_points"].tolist(), [0] * models.FILTERS, "zero points")
    case.equal(net.get_output_details()[0]["quantization"], (0.5, 1), "output")
    signature = Interpreter(model_path(case, "sub")).get_input_details()[0]["shape_signature"]
    case.equal(signature.tolist(), [-1, 3], "unknown dimension")


def test_resize(case):
    """resize_tensor_input to other batches and back; strict resizing refuses."""
    interpreter = opened(case, "add")
    index = interpreter.get_input_details()[0]["index"]
    for shape in ((2, 8, 8, 3), (3, 2, 5, 1), (1, 8, 8, 3)):
        interpreter.resize_tensor_input(index, shape)
        case.raises(RuntimeError, interpreter.invoke, match="not ready")
        interpreter.allocate_tensors()
        x = models.pattern(shape, 7, 31, 0.5)
        case.close(models.run(interpreter, [x])[0], 3 * x, what="resized to %s" % (shape,))
    case.raises(
        (ValueError, RuntimeError),
        interpreter.resize_tensor_input,
        index,
        [1, 4, 8, 3],
        strict=True,
        match="Resiz",
    )
    sub = Interpreter(model_path(case, "sub"))
    first, second = [detail["index"] for detail in sub.get_input_details()]
    for index in (first, second):
        sub.resize_tensor_input(index, [4, 3], strict=True)
    sub.allocate_tensors()
    a, b = models.pattern((4, 3), 5, 11), models.pattern((4, 3), 3, 7)
    case.close(models.run(sub, [a, b])[0], a - b, what="unknown dimension of 4")
    net = opened(case, "convnet_float")
    x = models.BY_NAME["convnet_float"].inputs()[0]
    alone = models.run(net, [x])[0]
    net.resize_tensor_input(net.get_input_details()[0]["index"], (3,) + x.shape[1:])
    net.allocate_tensors()
    batch = models.run(net, [np.concatenate([x, x * 0.5, x])])[0]
    case.close(batch[0], alone[0], rtol=1e-5, what="first of a batch of three")
    case.close(batch[2], alone[0], rtol=1e-5, what="last of a batch of three")
    half = models.FloatNet.layers(x * 0.5)[-1]
    case.close(batch[1:2], half, atol=1e-5, what="second of a batch of three")


def test_threads(case):
    """One, two and four threads give the same numbers."""
    for name in ("convnet_float", "convnet_int8", "convnet_uint8", "multi_add", "sequence_lstm"):
        model = models.BY_NAME[name]
        inputs = model.inputs()
        single = models.run(opened(case, name, num_threads=1), inputs)
        compare(case, model, single, model.expect(inputs), "computed value, one thread")
        for threads in (2, 4):
            interpreter = opened(case, name, num_threads=threads)
            for repetition in range(3):
                got = models.run(interpreter, inputs)
                if name == "sequence_lstm" and repetition:
                    continue  # it has a memory
                for a, b in zip(got, single):
                    case.close(
                        a.astype("f8"),
                        b.astype("f8"),
                        rtol=1e-6,
                        atol=1e-7,
                        what="%s with %d threads" % (name, threads),
                    )
    case.raises(
        ValueError,
        Interpreter,
        model_path(case, "add"),
        num_threads=0,
        match="num_threads should >= 1",
    )
    case.raises(
        ValueError,
        Interpreter,
        model_path(case, "add"),
        num_threads="2",
        match="type of num_threads should be int",
    )


def test_interpreters_in_parallel(case):
    """Three interpreters in three Python threads at once: invoke lets go of the GIL."""
    wrong = []
    model = models.BY_NAME["convnet_float"]
    path = model_path(case, "convnet_float")

    def work(which):
        try:
            interpreter = Interpreter(path, num_threads=1 + which % 2)
            interpreter.allocate_tensors()
            x = model.inputs()[0] * (1 + which)
            want = models.FloatNet.layers(x)[-1]
            for _ in range(10):
                error = np.abs(models.run(interpreter, [x])[0] - want).max()
                if not error < 1e-5:
                    wrong.append("thread %d: error %r" % (which, error))
        except BaseException as error:
            wrong.append("thread %d: %r" % (which, error))

    threads = [threading.Thread(target=work, args=(which,)) for which in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
        case.check(not thread.is_alive(), "a thread did not end in 120 s")
    case.equal(wrong, [], "threads")


def test_state_of_lstm(case):
    """An LSTM remembers from call to call; reset_all_variables makes it forget."""
    interpreter = opened(case, "lstm")
    cell = models.Lstm()
    rows = [[0.75, -0.5], [1.5, 0.25], [-1.0, 3.0]]
    for row in rows:
        got = models.run(interpreter, [np.array([row], "f4")])[0]
        case.close(got, cell.step(np.array(row)).reshape(1, 2), atol=1e-5, what="step %s" % row)
    interpreter.reset_all_variables()
    got = models.run(interpreter, [np.array([rows[0]], "f4")])[0]
    case.close(got, models.Lstm().step(np.array(rows[0])).reshape(1, 2), atol=1e-5, what="reset")
