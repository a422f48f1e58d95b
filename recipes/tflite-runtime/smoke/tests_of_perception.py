# ruff: noqa
"""Smoke tests: TensorFlow's operators for perception, which a model names and needs not register.

Valid Python 2.7 and 3.4 to 3.15. What they must answer is computed here, by numpy.
"""

from __future__ import division, print_function

import binascii
import struct

import numpy as np
from tflite_runtime.interpreter import Interpreter

from comparing import NEWER
from writer import Net

#: {"T": 0, "include_batch_in_index": false, "ksize": [1, 2, 2, 1], "padding": P,
#: "strides": [1, 2, 2, 1]}, as FlatBuffers' own Python package writes it (flexbuffers).
POOLING = {
    "VALID": b"5400696e636c7564655f62617463685f696e5f696e646578006b73697a65000401020201706164"
    b"64696e67000556414c494400737472696465730004010202010541402a201205010500002b1f11"
    b"04682c142c0a2401",
    "SAME": b"5400696e636c7564655f62617463685f696e5f696e646578006b73697a65000401020201706164"
    b"64696e67000453414d45007374726964657300040102020105403f291f1205010500002a1e1104"
    b"682c142c0a2401",
}


#: TfLitePoolParams: padding VALID, strides, the window, no activation, four numbers of its own.
POOL = struct.pack("<10i", 2, 2, 2, 2, 2, 0, 0, 0, 0, 0)


def answers(content, given):
    """What a model answers."""
    interpreter = Interpreter(model_content=content)
    interpreter.allocate_tensors()
    for detail, value in zip(interpreter.get_input_details(), given):
        interpreter.set_tensor(detail["index"], value)
    interpreter.invoke()
    return [interpreter.get_tensor(d["index"]) for d in interpreter.get_output_details()]


def image(shape):
    """An image in which no two neighbours are alike."""
    return np.sin(0.7 * np.arange(int(np.prod(shape))) + 0.1).astype("f4").reshape(shape)


def pooled(data, height, width):
    """The largest of each 2x2, and where in its image it was."""
    batches, rows, columns, depth = data.shape
    largest = np.zeros((batches, height, width, depth), "f4")
    places = np.zeros(largest.shape, "i4")
    for b, y, x, c in np.ndindex(*largest.shape):
        window = [
            (data[b, i, j, c], (i * columns + j) * depth + c)
            for i in range(2 * y, min(2 * y + 2, rows))
            for j in range(2 * x, min(2 * x + 2, columns))
        ]
        largest[b, y, x, c], places[b, y, x, c] = max(window)
    return largest, places


def _pooling(padding, height, width):
    def test(case):
        only_newer(case)
        shape, net = (2, 5, 4, 3), Net()
        data = net.tensor(shape, "f4")
        outputs = [net.tensor((2, height, width, 3), kind) for kind in ("f4", "i4")]
        options = binascii.unhexlify(POOLING[padding])
        net.custom("MaxPoolWithArgmax", options, [data], outputs)
        given = image(shape)
        found, wanted = answers(net.model([data], outputs), [given]), pooled(given, height, width)
        case.close(found[0], wanted[0], atol=0, rtol=0)
        case.equal(found[1].tolist(), wanted[1].tolist(), "places")

    test.__doc__ = "MaxPoolWithArgmax, padding %s." % padding
    return test


test_max_pool_with_argmax_valid = _pooling("VALID", 2, 2)
test_max_pool_with_argmax_same = _pooling("SAME", 3, 2)


def test_max_unpooling(case):
    """MaxUnpooling2D puts numbers where they were; all else is zero."""
    only_newer(case)
    net = Net()
    data, places = net.tensor((1, 2, 2, 2), "f4"), net.tensor((1, 2, 2, 2), "i4")
    output = net.tensor((1, 4, 4, 2), "f4")
    net.custom("MaxUnpooling2D", POOL, [data, places], [output])
    given = image((1, 4, 4, 2))
    largest, where = pooled(given, 2, 2)
    wanted = np.zeros(given.size, "f4")
    wanted[where.ravel()] = largest.ravel()
    (found,) = answers(net.model([data, places], [output]), [largest, where])
    case.equal(found.ravel().tolist(), wanted.tolist(), "answer")


def test_dense_image_warp(case):
    """DenseImageWarp: by whole pixels, and half way between two."""
    only_newer(case)
    net = Net()
    data, flow = net.tensor((1, 4, 5, 2), "f4"), net.tensor((1, 4, 5, 2), "f4")
    output = net.tensor((1, 4, 5, 2), "f4")
    net.custom("DenseImageWarp", b"", [data, flow], [output])
    given = image((1, 4, 5, 2))
    still = np.zeros((1, 4, 5, 2), "f4")
    content = net.model([data, flow], [output])
    case.close(answers(content, [given, still])[0], given, atol=1e-6, rtol=0)
    moved = still + np.array([-1, -0.5], "f4")
    wanted = (given[:, 1:, :-1] + given[:, 1:, 1:]) / 2
    (found,) = answers(content, [given, moved])
    case.close(found[:, :-1, :-1], wanted, atol=1e-6, rtol=0)


def test_mediapipes_pooling(case):
    """MediaPipe's MaxPoolingWithArgmax2D and MaxUnpooling2D, whose places are floats: by XNNPACK."""
    only_newer(case)
    net = Net()
    data, output = net.tensor((1, 4, 4, 2), "f4"), net.tensor((1, 4, 4, 2), "f4")
    inner = [net.tensor((1, 2, 2, 2), "f4") for _ in range(2)]
    net.custom("MaxPoolingWithArgmax2D", POOL, [data], inner)
    net.custom("MaxUnpooling2D", POOL, inner, [output])
    given = image((1, 4, 4, 2))
    largest, where = pooled(given, 2, 2)
    wanted = np.zeros(given.size, "f4")
    wanted[where.ravel()] = largest.ravel()
    (found,) = answers(net.model([data], [output]), [given])
    case.equal(found.ravel().tolist(), wanted.tolist(), "answer")


def test_mediapipes_transposed_convolution(case):
    """MediaPipe's Convolution2DTransposeBias: by XNNPACK."""
    only_newer(case)
    net = Net()
    data, output = net.tensor((1, 2, 3, 1), "f4"), net.tensor((1, 4, 6, 1), "f4")
    weights = np.array([[1, 2], [3, 4]], "f4")
    constants = [net.tensor((1, 2, 2, 1), "f4", weights), net.tensor((1,), "f4", np.array([0.5]))]
    # TfLiteTransposeConvParams: padding VALID, strides.
    net.custom(
        "Convolution2DTransposeBias", struct.pack("<3i", 2, 2, 2), [data] + constants, [output]
    )
    given = image((1, 2, 3, 1))
    (found,) = answers(net.model([data], [output]), [given])
    wanted = np.kron(given[0, :, :, 0], weights) + 0.5
    case.close(found[0, :, :, 0], wanted, atol=1e-6, rtol=0)


def test_an_unknown_operator(case):
    """What nobody has is told by its name."""
    net = Net()
    data, output = net.tensor((1, 2), "f4"), net.tensor((1, 2), "f4")
    net.custom("NobodyHasThis", b"", [data], [output])
    case.raises(
        (RuntimeError, ValueError),
        answers,
        net.model([data], [output]),
        [image((1, 2))],
        match="NobodyHasThis",
    )


def only_newer(case):
    if not NEWER:
        case.skip("since 2.21")
