# ruff: noqa
"""Smoke tests: operators and versions of them that TensorFlow Lite has had since 2.14.

Each is a model of one operator, of the version that is named; what it must answer is computed here, by
numpy. Valid Python 2.7 and 3.4 to 3.15.
"""

from __future__ import division, print_function

import numpy as np

from comparing import NEWER
from tests_of_perception import answers, image
from writer import Net, Vector, text

#: By operator: the highest version that 2.14.1 knows, and 2.21 (tensorflow/lite/core/kernels/register.cc
#: of both). Each is covered by the test below that has its name, or by a model of models_2026.
GREW = {
    "CAST": (5, 8),
    "CONCATENATION": (4, 5),
    "CONV_2D": (7, 8),
    "DEQUANTIZE": (5, 8),
    "DILATE": (0, 1),
    "DYNAMIC_UPDATE_SLICE": (1, 5),
    "EMBEDDING_LOOKUP": (3, 5),
    "EQUAL": (4, 5),
    "FULLY_CONNECTED": (10, 14),
    "GATHER": (6, 7),
    "GATHER_ND": (4, 5),
    "LOG": (1, 2),
    "NOT_EQUAL": (3, 4),
    "PAD": (4, 5),
    "PADV2": (4, 5),
    "QUANTIZE": (3, 6),
    "REDUCE_WINDOW": (0, 1),
    "RSQRT": (2, 3),
    "SLICE": (6, 7),
    "SQRT": (1, 2),
    "STABLEHLO_ADD": (0, 1),
    "STABLEHLO_AND": (0, 1),
    "STABLEHLO_CASE": (0, 1),
    "STABLEHLO_COMPOSITE": (0, 1),
    "STABLEHLO_GATHER": (0, 1),
    "STABLEHLO_MAXIMUM": (0, 1),
    "STABLEHLO_MINIMUM": (0, 1),
    "STABLEHLO_MULTIPLY": (0, 1),
    "STABLEHLO_PAD": (0, 1),
    "STABLEHLO_REDUCE_WINDOW": (0, 1),
    "STABLEHLO_RNG_BIT_GENERATOR": (0, 1),
    "STABLEHLO_SCATTER": (0, 1),
    "STABLEHLO_SHIFT_LEFT": (0, 1),
    "TRANSPOSE": (6, 7),
    "TRANSPOSE_CONV": (4, 5),
    "UNPACK": (4, 5),
}
#: What of these nothing covers, and why.
NOT_COVERED = {
    "REDUCE_WINDOW": "the schema calls it deprecated, and no converter writes it",
    "STABLEHLO_RNG_BIT_GENERATOR": "its numbers are a generator's: nothing independent has them",
}
INT16 = ([2.0**-12], [0], 0)


def only_newer(case):
    if not NEWER:
        case.skip("since 2.21")


def longs(values):
    return "ref", Vector("q", values)


class One(object):
    """A model of one operator: its tensors, and what goes into its inputs."""

    def __init__(self):
        self.net, self.inputs, self.given = Net(), [], []

    def input(self, data, kind, quantization=None):
        """A tensor that is given when the model runs."""
        self.inputs.append(self.net.tensor(data.shape, kind, quantization=quantization))
        self.given.append(data)
        return self.inputs[-1]

    def constant(self, data, kind, quantization=None):
        data = np.asarray(data)
        return self.net.tensor(data.shape, kind, data, quantization)

    def output(self, shape, kind, quantization=None):
        return self.net.tensor(shape, kind, quantization=quantization)

    def answers(self, outputs, others=()):
        content = self.net.model(self.inputs, outputs, others)
        return answers(content, self.given)


# ---- Kinds of numbers that came later ------------------------------------------------------------

INTS = np.array([[-8, 7, 0], [3, -1, 5]])


def test_cast(case):
    """CAST 8: numbers of four bits to floats."""
    only_newer(case)
    one = One()
    y = one.output((2, 3), "f4")
    one.net.operator(53, 8, [one.constant(INTS, "int4")], y, 37, {0: ("b", 17), 1: ("b", 0)})
    case.equal(one.answers([y])[0].tolist(), INTS.astype("f4").tolist(), "answer")


def test_concatenation(case):
    """CONCATENATION 5: float16."""
    only_newer(case)
    one, x = One(), image((2, 3)).astype("f2")
    a, b, y = one.input(x, "f2"), one.input(-x, "f2"), one.output((2, 6), "f2")
    one.net.operator(2, 5, [a, b], y, 10, {0: ("i", 1)})
    case.equal(one.answers([y])[0].tolist(), np.concatenate([x, -x], 1).tolist(), "answer")


def test_dequantize(case):
    """DEQUANTIZE 8: four numbers in a byte."""
    only_newer(case)
    one, x = One(), np.array([[-2, -1, 0, 1, 1, -2]])
    y = one.output((1, 6), "f4")
    one.net.operator(6, 8, [one.constant(x, "int2", ([0.25], [0], 0))], y)
    case.equal(one.answers([y])[0].tolist(), (0.25 * x).tolist(), "answer")


def test_quantize(case):
    """QUANTIZE 6: floats to four bits, and back."""
    only_newer(case)
    one, x = One(), np.array([[-0.8, 0.7, 0.04, 0.31]], "f4")
    small, y = one.output((1, 4), "int4", ([0.1], [0], 0)), one.output((1, 4), "f4")
    one.net.operator(114, 6, [one.input(x, "f4")], small, 67)
    one.net.operator(6, 8, [small], y)
    case.close(one.answers([y])[0], np.array([[-0.8, 0.7, 0, 0.3]], "f4"), atol=1e-6, rtol=0)


def _comparison(name, code, version, options, function):
    def test(case):
        only_newer(case)
        one, x, z = One(), np.array([[1, -300, 5]], "i2"), np.array([[1, 300, 5]], "i2")
        y = one.output((1, 3), "b1")
        given = [one.input(x, "i2", INT16), one.input(z, "i2", INT16)]
        one.net.operator(code, version, given, y, options)
        case.equal(one.answers([y])[0].tolist(), function(x, z).tolist(), "answer")

    test.__doc__ = "%s %d: int16." % (name, version)
    return test


test_equal = _comparison("EQUAL", 71, 5, 53, np.equal)
test_not_equal = _comparison("NOT_EQUAL", 72, 4, 54, np.not_equal)


def test_gather(case):
    """GATHER 7: float16."""
    only_newer(case)
    one, x = One(), image((4, 2)).astype("f2")
    places, y = one.constant(np.array([2, 0]), "i4"), one.output((2, 2), "f2")
    one.net.operator(36, 7, [one.input(x, "f2"), places], y, 23, {0: ("i", 0)})
    case.equal(one.answers([y])[0].tolist(), x[[2, 0]].tolist(), "answer")


def test_gather_nd(case):
    """GATHER_ND 5: truth values."""
    only_newer(case)
    one, x = One(), image((3, 2)) > 0
    places, y = one.constant(np.array([[2, 1], [0, 0]]), "i4"), one.output((2,), "b1")
    one.net.operator(107, 5, [one.input(x, "b1"), places], y, 83)
    case.equal(one.answers([y])[0].tolist(), [x[2, 1], x[0, 0]], "answer")


def _of_int16(name, code, version, function):
    def test(case):
        only_newer(case)
        one, x = One(), np.array([[1000, 4096, 9000, 32767]], "i2")
        y = one.output((1, 4), "i2", INT16)
        one.net.operator(code, version, [one.input(x, "i2", INT16)], y)
        wanted = np.round(function(x * 2.0**-12) * 2**12)
        case.close(
            one.answers([y])[0].astype("f4"), wanted.astype("f4"), atol=6, rtol=0
        )  # by tables

    test.__doc__ = "%s %d: int16." % (name, version)
    return test


test_log = _of_int16("LOG", 73, 2, np.log)
test_sqrt = _of_int16("SQRT", 75, 2, np.sqrt)
test_rsqrt = _of_int16("RSQRT", 76, 3, lambda x: 1 / np.sqrt(x))


def test_padv2(case):
    """PADV2 5: truth values."""
    only_newer(case)
    one, x = One(), image((2, 2)) > 0
    around, by = (
        one.constant(np.array([[1, 0], [0, 2]]), "i4"),
        one.constant(np.array([True]), "b1"),
    )
    y = one.output((3, 4), "b1")
    one.net.operator(60, 5, [one.input(x, "b1"), around, by], y, 43)
    wanted = np.pad(x, [(1, 0), (0, 2)], mode="constant", constant_values=True)
    case.equal(one.answers([y])[0].tolist(), wanted.tolist(), "answer")


def test_slice(case):
    """SLICE 7: float16."""
    only_newer(case)
    one, x = One(), image((3, 4)).astype("f2")
    begin, size = one.constant(np.array([1, 0]), "i4"), one.constant(np.array([2, 3]), "i4")
    y = one.output((2, 3), "f2")
    one.net.operator(65, 7, [one.input(x, "f2"), begin, size], y, 48)
    case.equal(one.answers([y])[0].tolist(), x[1:, :3].tolist(), "answer")


def test_transpose(case):
    """TRANSPOSE 7: float16."""
    only_newer(case)
    one, x = One(), image((3, 4)).astype("f2")
    order, y = one.constant(np.array([1, 0]), "i4"), one.output((4, 3), "f2")
    one.net.operator(39, 7, [one.input(x, "f2"), order], y, 26)
    case.equal(one.answers([y])[0].tolist(), x.T.tolist(), "answer")


def test_unpack(case):
    """UNPACK 5: float16."""
    only_newer(case)
    one, x = One(), image((2, 3)).astype("f2")
    outputs = [one.output((3,), "f2"), one.output((3,), "f2")]
    one.net.operator(88, 5, [one.input(x, "f2")], outputs, 64, {0: ("i", 2), 1: ("i", 0)})
    case.equal([found.tolist() for found in one.answers(outputs)], x.tolist(), "answers")


def test_dynamic_update_slice(case):
    """DYNAMIC_UPDATE_SLICE 5: int16, and places of 64 bits."""
    only_newer(case)
    one, x, z = One(), np.arange(12, dtype="i2").reshape(3, 4), np.full((2, 2), -7, "i2")
    start, y = one.input(np.array([1, 2], "i8"), "i8"), one.output((3, 4), "i2")
    given = [one.input(x, "i2"), one.input(z, "i2"), start]
    one.net.operator(151, 5, given, y, 117)
    wanted = x.copy()
    wanted[1:, 2:] = -7
    case.equal(one.answers([y])[0].tolist(), wanted.tolist(), "answer")


def _int16_layer(one, shape, count):
    """An input of int16, its numbers; weights of int8, theirs; the scales of both."""
    x = np.round(image(shape) * 8000).astype("i2")
    w = np.round(50 * np.cos(np.arange(count))).astype("i1")
    return x, w, ([2.0**-13], [0], 0), ([2.0**-6], [0], 0)


def test_conv_2d(case):
    """CONV_2D 8: int16, with a bias of 32 bits."""
    only_newer(case)
    one = One()
    x, w, of_x, of_w = _int16_layer(one, (1, 3, 3, 2), 8)
    w = w.reshape(4, 1, 1, 2)
    bias = one.constant(np.array([100, 0, -100, 5]), "i4", ([2.0**-19], [0], 0))
    weights, y = one.constant(w, "i1", of_w), one.output((1, 3, 3, 4), "i2", INT16)
    options = {0: ("b", 1), 1: ("i", 1), 2: ("i", 1), 4: ("i", 1), 5: ("i", 1), 6: ("b", 2)}
    one.net.operator(3, 8, [one.input(x, "i2", of_x), weights, bias], y, 1, options)
    summed = x.reshape(9, 2).astype("f8").dot(w.reshape(4, 2).T) + [100, 0, -100, 5]
    wanted = (summed * 2.0**-19 * 2**12).reshape(1, 3, 3, 4)
    case.close(one.answers([y])[0].astype("f8"), wanted, atol=1, rtol=0)


def test_transpose_conv(case):
    """TRANSPOSE_CONV 5: int16, with a bias of 32 bits."""
    only_newer(case)
    one = One()
    x, w, of_x, of_w = _int16_layer(one, (1, 3, 3, 2), 8)
    w = w.reshape(4, 1, 1, 2)
    shape = one.constant(np.array([1, 3, 3, 4]), "i4")
    bias = one.constant(np.array([100, 0, -100, 5]), "i4", ([2.0**-19], [0], 0))
    weights, y = one.constant(w, "i1", of_w), one.output((1, 3, 3, 4), "i2", INT16)
    options = {0: ("b", 1), 1: ("i", 1), 2: ("i", 1), 4: ("b", 2)}
    one.net.operator(67, 5, [shape, weights, one.input(x, "i2", of_x), bias], y, 49, options)
    summed = x.reshape(9, 2).astype("f8").dot(w.reshape(4, 2).T) + [100, 0, -100, 5]
    wanted = (summed * 2.0**-19 * 2**12).reshape(1, 3, 3, 4)
    case.close(one.answers([y])[0].astype("f8"), wanted, atol=1, rtol=0)


def test_fully_connected(case):
    """FULLY_CONNECTED 14: weights of two bits."""
    only_newer(case)
    one, x = One(), image((3, 8))
    w = np.arange(32).reshape(4, 8) % 4 - 2
    weights = one.constant(w, "int2", ([0.5, 1, 2, 0.25], [0, 0, 0, 0], 0))
    y = one.output((3, 4), "f4")
    one.net.operator(9, 14, [one.input(x, "f4"), weights, -1], y, 8, {})
    wanted = x.dot((w * np.array([[0.5], [1], [2], [0.25]])).T)
    # The input is quantized on the way, to eight bits.
    case.close(one.answers([y])[0], wanted.astype("f4"), atol=0.02 * np.abs(wanted).max(), rtol=0)


def test_embedding_lookup(case):
    """EMBEDDING_LOOKUP 5: weights of two bits, each row with its scale."""
    only_newer(case)
    one, w = One(), np.array([[-2, -1, 0, 1], [1, 1, -2, 0], [0, -1, -1, -2]])
    weights = one.constant(w, "int2", ([0.5, 1, 2], [0, 0, 0], 0))
    y = one.output((2, 4), "f4")
    one.net.operator(7, 5, [one.input(np.array([2, 0], "i4"), "i4"), weights], y)
    case.equal(
        one.answers([y])[0].tolist(), [(2.0 * w[2]).tolist(), (0.5 * w[0]).tolist()], "answer"
    )


# ---- StableHLO -----------------------------------------------------------------------------------


def _of_two(name, code, function, kind="i4"):
    def test(case):
        only_newer(case)
        one = One()
        x, z = np.array([[5, -3, 12]], kind), np.array([[2, 7, 3]], kind)
        y = one.output((1, 3), kind)
        one.net.operator(code, 1, [one.input(x, kind), one.input(z, kind)], y)
        case.equal(one.answers([y])[0].tolist(), function(x, z).tolist(), "answer")

    test.__doc__ = "%s." % name
    return test


test_stablehlo_add = _of_two("STABLEHLO_ADD", 163, np.add)
test_stablehlo_multiply = _of_two("STABLEHLO_MULTIPLY", 165, np.multiply, "f4")
test_stablehlo_maximum = _of_two("STABLEHLO_MAXIMUM", 166, np.maximum)
test_stablehlo_minimum = _of_two("STABLEHLO_MINIMUM", 181, np.minimum, "f4")
test_stablehlo_and = _of_two("STABLEHLO_AND", 176, np.bitwise_and)
test_stablehlo_shift_left = _of_two("STABLEHLO_SHIFT_LEFT", 207, np.left_shift)


def test_stablehlo_pad(case):
    """STABLEHLO_PAD: around, and between."""
    only_newer(case)
    one, x = One(), image((2, 2))
    by, y = one.constant(np.array(9.0), "f4"), one.output((4, 4), "f4")
    options = {0: longs([1, 0]), 1: longs([0, 1]), 2: longs([1, 1])}
    one.net.operator(195, 1, [one.input(x, "f4"), by], y, 10, options, second=True)
    wanted = np.full((4, 4), 9, "f4")
    wanted[1::2, :3:2] = x
    case.equal(one.answers([y])[0].tolist(), wanted.tolist(), "answer")


def test_stablehlo_gather(case):
    """STABLEHLO_GATHER: rows."""
    only_newer(case)
    one, x = One(), image((4, 3))
    places, y = one.input(np.array([[3], [1]], "i4"), "i4"), one.output((2, 3), "f4")
    options = {0: longs([1]), 1: longs([0]), 2: longs([0]), 3: ("q", 1), 4: longs([1, 3])}
    one.net.operator(201, 1, [one.input(x, "f4"), places], y, 16, options, second=True)
    case.equal(one.answers([y])[0].tolist(), x[[3, 1]].tolist(), "answer")


def _body(net, code):
    """A subgraph of one operator of two numbers."""
    inner = Net(of=net)
    a, b, c = [inner.tensor((), "f4") for _ in range(3)]
    inner.operator(code, 1, [a, b], c)
    return inner.graph([a, b], [c], "body")


def test_stablehlo_scatter(case):
    """STABLEHLO_SCATTER: rows are added to others, one of them twice."""
    only_newer(case)
    one, x, more = One(), image((4, 3)), image((3, 3)) + 1
    given = [one.input(x, "f4"), one.input(np.array([[1], [3], [1]], "i4"), "i4")]
    given.append(one.input(more, "f4"))
    y = one.output((4, 3), "f4")
    options = {1: longs([1]), 2: longs([0]), 3: longs([0]), 4: ("q", 1), 6: ("i", 1)}
    one.net.operator(190, 1, given, y, 7, options, second=True)
    wanted = x.copy()
    for row, place in enumerate([1, 3, 1]):
        wanted[place] += more[row]
    found = one.answers([y], [_body(one.net, 163)])[0]
    case.close(found, wanted, atol=1e-6, rtol=0)


def test_stablehlo_reduce_window(case):
    """STABLEHLO_REDUCE_WINDOW: the largest of windows that overlap."""
    only_newer(case)
    one, x = One(), image((4, 5))
    start, y = one.constant(np.array(-100.0), "f4"), one.output((3, 2), "f4")
    options = {0: longs([2, 3]), 1: longs([1, 2]), 2: longs([1, 1]), 3: longs([1, 1])}
    options.update({4: longs([0, 0, 0, 0]), 5: ("i", 1)})
    one.net.operator(198, 1, [one.input(x, "f4"), start], y, 13, options, second=True)
    wanted = [[x[i : i + 2, j : j + 3].max() for j in (0, 2)] for i in range(3)]
    found = one.answers([y], [_body(one.net, 166)])[0]
    case.equal(found.tolist(), np.array(wanted, "f4").tolist(), "answer")


def test_stablehlo_composite(case):
    """STABLEHLO_COMPOSITE: its subgraph is run."""
    only_newer(case)
    one, x = One(), np.array([3.0], "f4").reshape(())
    y = one.output((), "f4")
    # Its attributes: an empty mapping (flexbuffers).
    nothing = "ref", Vector("B", bytearray(b"\x00\x00\x01\x00\x00\x24\x01"))
    options = {0: text("odml.made_up"), 1: ("i", 1), 2: nothing, 4: ("i", 1)}
    one.net.operator(206, 1, [one.input(x, "f4"), one.input(x, "f4")], y, 21, options, second=True)
    found = one.answers([y], [_body(one.net, 165)])[0]
    case.equal(found.tolist(), 9.0, "answer")


def test_stablehlo_case(case):
    """STABLEHLO_CASE: the subgraph that a number names, and the last where there is none."""
    only_newer(case)
    for number, wanted in ((0, 7.0), (1, 12.0), (5, 12.0)):
        one = One()
        index = one.input(np.array(number, "i4"), "i4")
        a, b = [one.input(np.array(value, "f4"), "f4") for value in (3, 4)]
        y = one.output((), "f4")
        options = {0: ("ref", Vector("i", [1, 2]))}
        one.net.operator(209, 1, [index, a, b], y, 23, options, second=True)
        bodies = [_body(one.net, code) for code in (163, 165)]
        case.equal(one.answers([y], bodies)[0].tolist(), wanted, "of case %d" % number)


def test_dilate(case):
    """DILATE: numbers drawn apart."""
    only_newer(case)
    one, x = One(), image((2, 3))
    apart, by = one.constant(np.array([2, 3]), "i4"), one.constant(np.array(-1.0), "f4")
    y = one.output((3, 7), "f4")
    one.net.operator(203, 1, [one.input(x, "f4"), apart, by], y, 18, {}, second=True)
    wanted = np.full((3, 7), -1, "f4")
    wanted[::2, ::3] = x
    case.equal(one.answers([y])[0].tolist(), wanted.tolist(), "answer")


def test_every_new_version_is_covered(case):
    """There is a test for each operator that grew, or a reason why not."""
    names = set(name[5:].upper() for name in globals() if name.startswith("test_"))
    models = set(["PAD"])  # models_2026/pad_bool.tflite
    left = set(GREW) - names - models
    case.equal(sorted(left), sorted(NOT_COVERED), "operators that nothing covers")
