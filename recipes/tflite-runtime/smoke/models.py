# ruff: noqa
"""The models of tflite-runtime's smoke test: inputs, and what must come out of them.

Shared by `smoke.py` (on the board), `record.py` and `make_models.py` (on a workstation), so that
all see the same numbers. Inputs are closed-form integer patterns: no random stream is involved.
Valid Python 2.7 and 3.4 to 3.15.

Where an expectation comes from is said by the `source` of each model:

- closed form: arithmetic that is written out here (3x, a - b, ...);
- own numpy: the operator re-implemented here in double precision from its definition.

The output of the official x86-64 wheel for the same inputs is kept in expected.json by record.py:
each model is compared with both.
"""

import os

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))


def pattern(shape, step, modulus, scale=1.0, dtype="f4"):
    """((i * step) mod modulus - modulus // 2) * scale for i = 0, 1, ..."""
    count = int(np.prod(shape))
    values = [(i * step) % modulus - modulus // 2 for i in range(count)]
    return (np.array(values, "f8") * scale).astype(dtype).reshape(shape)


def images(step, dtype="f4", modulus=101, scale=0.125):
    return pattern((1, 8, 8, 3), step, modulus, scale, dtype)


# ---- Operators by their definition ---------------------------------------------------------------


def padded(x, size, stride):
    """An HWC image with zeros around it as padding SAME wants them; and the output's height."""
    height = x.shape[0]
    out = -(-height // stride)
    total = max((out - 1) * stride + size - height, 0)
    before = total // 2
    return np.pad(x, ((before, total - before), (before, total - before), (0, 0)), "constant"), out


def conv2d(x, weights, stride):
    """Square image HWC, weights OHWI, padding SAME."""
    size = weights.shape[1]
    image, out = padded(x, size, stride)
    result = np.zeros((out, out, weights.shape[0]))
    for dy in range(size):
        for dx in range(size):
            window = image[
                dy : dy + stride * (out - 1) + 1 : stride, dx : dx + stride * (out - 1) + 1 : stride
            ]
            result += np.dot(window, weights[:, dy, dx, :].T)
    return result


def depthwise(x, weights, stride):
    """Square image HWC, weights 1HWC, padding SAME, multiplier 1."""
    size = weights.shape[1]
    image, out = padded(x, size, stride)
    result = np.zeros((out, out, weights.shape[3]))
    for dy in range(size):
        for dx in range(size):
            result += (
                weights[0, dy, dx]
                * image[
                    dy : dy + stride * (out - 1) + 1 : stride,
                    dx : dx + stride * (out - 1) + 1 : stride,
                ]
            )
    return result


def softmax(x):
    e = np.exp(x - x.max())
    return e / e.sum()


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def layer_norm(x, weights, bias):
    return (x - x.mean()) / np.sqrt(x.var() + 1e-8) * weights + bias


class Lstm(object):
    """The layer-normalised LSTM with projection of TensorFlow's lstm.bin and its siblings.

    All its gates have the same weights, so that there is one matrix W (for input, recurrence and
    projection) and one vector b (for each bias and each normalisation).
    """

    W = np.array(
        [[0.36855682730674744, 0.3001047968864441], [-0.1259930431842804, 0.5892156958580017]]
    )
    b = np.array([0.36855682730674744, 0.3001047968864441])

    def __init__(self):
        self.cell = np.zeros(2)
        self.out = np.zeros(2)

    def step(self, x):
        gate = layer_norm(np.dot(self.W, x) + np.dot(self.W, self.out), self.b, self.b)
        self.cell = np.clip(sigmoid(gate) * self.cell + sigmoid(gate) * np.tanh(gate), -10, 10)
        hidden = sigmoid(gate) * np.tanh(self.cell)
        self.out = np.dot(self.W, hidden) + self.b
        return self.out


def lstm(xs):
    cell = Lstm()
    for row in xs[0].reshape(-1, 2).astype("f8"):
        out = cell.step(row)
    return [out.reshape(1, 2)]


def lstm_sequence(xs):
    cell = Lstm()
    return [np.array([[cell.step(row) for row in xs[0][0].astype("f8")]])]


# ---- The three small convolutional nets that make_models.py writes -------------------------------

SIZE, CHANNELS, FILTERS, CLASSES = 8, 4, 8, 5


class FloatNet(object):
    """CONV_2D + RELU6, DEPTHWISE_CONV_2D + RELU, AVERAGE_POOL_2D, FULLY_CONNECTED, SOFTMAX."""

    w1 = pattern((FILTERS, 3, 3, CHANNELS), 37, 127, 1.0 / 128)
    b1 = pattern((FILTERS,), 5, 11, 0.25)
    w2 = pattern((1, 3, 3, FILTERS), 53, 101, 1.0 / 64)
    b2 = pattern((FILTERS,), 7, 13, 0.125)
    w3 = pattern((CLASSES, FILTERS), 29, 61, 1.0 / 16)
    b3 = pattern((CLASSES,), 3, 7, 0.25)

    @classmethod
    def layers(cls, x):
        first = np.clip(conv2d(x[0].astype("f8"), cls.w1.astype("f8"), 1) + cls.b1, 0, 6)
        second = np.maximum(depthwise(first, cls.w2.astype("f8"), 2) + cls.b2, 0)
        pooled = second.mean((0, 1))
        logits = np.dot(cls.w3.astype("f8"), pooled) + cls.b3
        return [
            first[None],
            second[None],
            pooled[None, None, None],
            logits[None],
            softmax(logits)[None],
        ]


class QuantNet(object):
    """CONV_2D + RELU, DEPTHWISE_CONV_2D, FULLY_CONNECTED; quantized. See Int8Net and Uint8Net."""

    dtype = None
    lowest, highest = 0, 0
    weight_zero = 0  # zero point of the weights
    x = c1 = c2 = y = (0.0, 0)  # scale and zero point of the input and of each layer's output
    s1 = s2 = s3 = ()  # scales of the weights, one or one a channel
    w1 = w2 = w3 = b1 = b2 = b3 = None

    @classmethod
    def requantize(cls, real, scale_zero, least=None):
        scale, zero = scale_zero
        values = np.rint(real / scale) + zero
        return np.clip(values, cls.lowest if least is None else least, cls.highest)

    @classmethod
    def layers(cls, x):
        def centred(weights):
            return weights.astype("f8") - cls.weight_zero

        (sx, zx), (sc, zc), (sd, zd) = cls.x, cls.c1, cls.c2
        s1, s2, s3 = np.array(cls.s1), np.array(cls.s2), np.array(cls.s3)
        real = (conv2d(x[0].astype("f8") - zx, centred(cls.w1), 1) + cls.b1) * (sx * s1)
        first = cls.requantize(real, cls.c1, least=zc)  # RELU
        real = (depthwise(first - zc, centred(cls.w2), 2) + cls.b2) * (sc * s2)
        second = cls.requantize(real, cls.c2)
        real = (np.dot(centred(cls.w3), (second - zd).ravel()) + cls.b3) * (sd * s3)
        return [first[None], second[None], cls.requantize(real, cls.y)[None]]


class Int8Net(QuantNet):
    """Per-channel weights, as today's converter writes them."""

    dtype = "i1"
    lowest, highest = -128, 127
    x, c1, c2, y = (0.05, -3), (0.1, -100), (0.15, 4), (0.5, 1)
    s1 = [0.004 + 0.0005 * i for i in range(FILTERS)]
    s2 = [0.006 + 0.0004 * i for i in range(FILTERS)]
    s3 = [0.01]
    w1 = pattern((FILTERS, 3, 3, CHANNELS), 37, 255, dtype="i1")
    b1 = pattern((FILTERS,), 1237, 8001, dtype="i4")
    w2 = pattern((1, 3, 3, FILTERS), 53, 255, dtype="i1")
    b2 = pattern((FILTERS,), 211, 1001, dtype="i4")
    w3 = pattern((CLASSES, 4 * 4 * FILTERS), 29, 255, dtype="i1")
    b3 = pattern((CLASSES,), 317, 2001, dtype="i4")


class Uint8Net(QuantNet):
    """One scale and zero point a tensor, as the converter of TensorFlow 1 wrote them."""

    dtype = "u1"
    lowest, highest = 0, 255
    weight_zero = 120
    x, c1, c2, y = (0.05, 125), (0.06, 10), (0.12, 130), (0.5, 128)
    s1, s2, s3 = [0.006], [0.008], [0.01]
    w1 = pattern((FILTERS, 3, 3, CHANNELS), 41, 255, dtype="i2") + 127
    b1 = pattern((FILTERS,), 1237, 8001, dtype="i4")
    w2 = pattern((1, 3, 3, FILTERS), 59, 255, dtype="i2") + 127
    b2 = pattern((FILTERS,), 211, 1001, dtype="i4")
    w3 = pattern((CLASSES, 4 * 4 * FILTERS), 31, 255, dtype="i2") + 127
    b3 = pattern((CLASSES,), 317, 2001, dtype="i4")


# ---- The table of models -------------------------------------------------------------------------


class Model(object):
    """One model: its file, its inputs in the order of get_input_details, its expected outputs."""

    def __init__(
        self, name, filename, inputs, expect, source, atol=0.0, rtol=0.0, own=False, outputs=None
    ):
        self.name = name
        self.filename = filename
        self.inputs = inputs  # () -> [array]
        self.expect = expect  # ([array]) -> [array]
        self.source = source
        self.atol = atol
        self.rtol = rtol
        self.own = own  # lies beside this file, not in TensorFlow's testdata
        self.outputs = outputs  # how many of its outputs are read; None: all

    def path(self, testdata):
        return os.path.join(HERE if self.own else testdata, self.filename)


def saturated(low, high):
    return lambda xs: [np.clip(xs[0].astype("i4") * 3, low, high)]


def box_sum(xs):
    ones = np.ones((16, 3, 3, 3))
    return [np.maximum(conv2d(xs[0][0].astype("f8"), ones, 1), 0)[None]]


def net_input(dtype, step=7, modulus=97, scale=1.0, offset=0):
    shape = (1, SIZE, SIZE, CHANNELS)
    return [(pattern(shape, step, modulus, scale, "f8") + offset).astype(dtype)]


ALL = [
    Model(
        "add", "add.bin", lambda: [images(7)], lambda xs: [3 * xs[0]], "closed form: 3x", rtol=1e-6
    ),
    Model(
        "multi_add",
        "multi_add.bin",
        lambda: [images(step) for step in (3, 5, 7, 11)],
        lambda xs: [xs[0] + xs[1] + xs[2], xs[1] + xs[2] + xs[3]],
        "closed form: a + b + c and b + c + d",
        rtol=1e-6,
    ),
    Model(
        "add_uint8",
        "add_quantized.bin",
        lambda: [(images(7, "i4", 101, 1) + 50).astype("u1")],
        saturated(0, 255),
        "closed form: 3x, saturated, by equal scales",
        atol=1,
    ),
    Model(
        "add_int8",
        "add_quantized_int8.bin",
        lambda: [images(7, "i1", 101, 1)],
        saturated(-128, 127),
        "closed form: 3x, saturated, by equal scales",
        atol=1,
    ),
    Model(
        "sub",
        "sub.bin",
        lambda: [pattern((1, 3), 5, 11, 0.5), pattern((1, 3), 3, 7, 0.25)],
        lambda xs: [xs[0] - xs[1]],
        "closed form: a - b",
        rtol=1e-6,
    ),
    Model(
        "float16_weights",
        "test_model_redux_precision.bin",
        lambda: [pattern((1, 5, 5, 3), 7, 23, 0.125)],
        box_sum,
        "closed form: RELU of sums of 3x3x3 neighbours (its float16 weights are all 1)",
        atol=1e-5,
    ),
    Model(
        "lstm",
        "lstm.bin",
        lambda: [np.array([[0.75, -0.5]], "f4")],
        lstm,
        "own numpy: layer-norm LSTM with projection",
        atol=1e-5,
    ),
    Model(
        "custom_lstm",
        "custom_lstm.bin",
        lambda: [np.array([[-1.25, 2.0]], "f4")],
        lstm,
        "own numpy: layer-norm LSTM with projection",
        atol=1e-5,
    ),
    Model(
        "sequence_lstm",
        "unidirectional_sequence_lstm.bin",
        lambda: [np.array([[[0.75, -0.5], [1.5, 0.25]]], "f4")],
        lstm_sequence,
        "own numpy: layer-norm LSTM with projection, two steps",
        atol=1e-5,
    ),
    Model(
        "variable",
        "call_once_mul.bin",
        lambda: [np.array(3.25, "f4")],
        lambda xs: [2 * xs[0]],
        "closed form: 2x (the variable is set to 2 by CALL_ONCE)",
    ),
    Model(
        "while",
        "multi_subgraphs_while.bin",
        lambda: [np.array(1.375, "f4")],
        lambda xs: [4 * xs[0], np.array(2, "i4")],
        "closed form: doubled twice, two rounds",
    ),
    Model(
        "nested_while",
        "nested_while.bin",
        lambda: [np.array(1.0, "f4")],
        lambda xs: [np.array(2.0, "f4")],
        "closed form: doubled as long as x = x * x",
    ),
    Model(
        "while_string",
        "while_op_with_forwarding_input.bin",
        lambda: [np.array([7], "i4"), np.array([b"forwarded"])],
        lambda xs: [np.array(7, "i4"), np.array(8, "i4")],
        "closed form: counts to 7 (its third output, a string that passes through the loop, "
        'cannot be read in Python: "Invalid tensor size", in the official wheel as well)',
        outputs=2,
    ),
    Model(
        "string",
        "string_input_model.bin",
        lambda: [np.array([[b"one", b"", b"three \xc3\xa9 three"]])],
        lambda xs: [xs[0]],
        "closed form: identity",
    ),
    Model(
        "scalar_reshape",
        "zero_size_constant.bin",
        lambda: [np.array([42], "i4")],
        lambda xs: [np.array(42, "i4")],
        "closed form: identity",
    ),
    Model(
        "empty_tensor",
        "test_min_runtime.bin",
        lambda: [np.zeros(0, "f4"), np.array([1.5], "f4")],
        lambda xs: [np.zeros(0, "f4")],
        "closed form: nothing plus something is nothing",
    ),
    Model(
        "multi_signatures",
        "multi_signatures.bin",
        lambda: [np.array([5.5], "f4")],
        lambda xs: [xs[0] + 2],
        "closed form: x + 2 (the first subgraph)",
    ),
    Model(
        "convnet_float",
        "convnet_float.tflite",
        lambda: net_input("f4", scale=1.0 / 64),
        lambda xs: FloatNet.layers(xs[0])[-1:],
        "own numpy: convolutions in double precision",
        atol=1e-5,
        own=True,
    ),
    Model(
        "convnet_int8",
        "convnet_int8.tflite",
        lambda: net_input("i1", modulus=201),
        lambda xs: Int8Net.layers(xs[0])[-1:],
        "own numpy: quantized convolutions in doubles",
        atol=1,
        own=True,
    ),
    Model(
        "convnet_uint8",
        "convnet_uint8.tflite",
        lambda: net_input("u1", modulus=201, offset=120),
        lambda xs: Uint8Net.layers(xs[0])[-1:],
        "own numpy: quantized convolutions in doubles",
        atol=1,
        own=True,
    ),
]

BY_NAME = dict((model.name, model) for model in ALL)


def run(interpreter, inputs, outputs=None):
    """Sets the inputs, invokes, and returns the outputs; all in the order of the details."""
    for detail, value in zip(interpreter.get_input_details(), inputs):
        interpreter.set_tensor(detail["index"], value)
    interpreter.invoke()
    details = interpreter.get_output_details()[:outputs]
    return [interpreter.get_tensor(detail["index"]) for detail in details]
