# ruff: noqa
"""Hundreds of models of one operator each: the shapes that kernels get wrong, and seeded others.

A case is a name, like `conv-int8-1x5x1x40-k5x1-o32-s1x1-d1x1-valid-none`: the name says it all, its
numbers come from its own name, and so it can be made again alone:

    python comparing.py NAME...       runs these cases where tflite_runtime is installed
    python comparing.py conv full     or all of an operator, at a level

Valid Python 2.7 and 3.4 to 3.15. How much two kernels may differ is said at `Built`.
"""

from __future__ import division, print_function

import zlib

import numpy as np
from cases import ACTIVATIONS, PLAIN, WEIGHTED, specs
from writer import Net

UNIT = 2.0**-24  # rounding of one float32 operation, relative


class Built(object):
    """A model, its inputs, and the largest difference that its kernels may have.

    Integers: 1, since one kernel multiplies by a float where another one shifts a fixed-point
    product (maxima are equal). float32: sums of n products, taken in any order, fused or not, differ
    by at most n roundings of the sum of their magnitudes; eight such roundings are allowed, which is
    less wherever it matters, and far above what is seen (see the table in the results).
    """

    def __init__(self, content, inputs, allowed):
        self.content, self.inputs, self.allowed = content, inputs, allowed


# ---- Numbers -------------------------------------------------------------------------------------

#: (numpy's type, lowest, highest, zero point of the input, of the output) of a kind
QUANTIZED = {
    "int8": ("i1", -128, 127, 3, -5),
    "int8-tensor": ("i1", -128, 127, 3, -5),
    "uint8": ("u1", 0, 255, 125, 130),
}
INPUT_SCALE = 0.05


class Making(object):
    """A net under construction, of one kind, with random numbers of its own."""

    def __init__(self, spec):
        self.spec, self.net = spec, Net()
        self.random = np.random.RandomState(zlib.crc32(spec.name.encode("ascii")) & 0xFFFFFFFF)
        self.quantized = QUANTIZED.get(spec.kind)
        self.inputs, self.values = [], []

    def integers(self, low, high, shape):
        """From low to high; of 32 bits, so that they are the same on every machine."""
        return self.random.randint(low, high + 1, shape, dtype="i4")

    def input(self, shape, scale=INPUT_SCALE, spread=2.0):
        """An input tensor with values in it."""
        if self.quantized:
            dtype, low, high, zero, _ = self.quantized
            tensor = self.net.tensor(shape, dtype, None, ([scale], [zero], 0))
            value = self.integers(low, high, shape).astype(dtype)
        else:
            tensor = self.net.tensor(shape, "f4")
            value = self.random.uniform(-spread, spread, shape).astype("f4")
        self.inputs.append(tensor)
        self.values.append(value)
        return tensor

    def output(self, shape, scale, zero=None):
        if not self.quantized:
            return self.net.tensor(shape, "f4")
        dtype, _, _, _, usual = self.quantized
        return self.net.tensor(shape, dtype, None, ([scale], [usual if zero is None else zero], 0))

    def parameters(self, shape, channels, dimension):
        """Weights and bias, as tensors; and the mean scale of the weights (1 where float)."""
        if not self.quantized:
            weights = self.random.uniform(-1, 1, shape).astype("f4")
            bias = self.random.uniform(-1, 1, channels).astype("f4")
            if self.spec.kind == "float16":
                half = self.net.tensor(shape, "f2", weights)
                tensor = self.net.tensor(shape, "f4")
                self.net.operator(6, 2, [half], tensor, 38, {})
            else:
                tensor = self.net.tensor(shape, "f4", weights)
            return tensor, self.net.tensor([channels], "f4", bias), 1.0
        dtype, low, high = self.quantized[:3]
        count = channels if self.spec.kind == "int8" else 1
        scales = np.float32(self.random.uniform(0.004, 0.01, count)).tolist()
        zero = 121 if self.spec.kind == "uint8" else 0
        weights = self.integers(max(low, -127), high, shape)
        tensor = self.net.tensor(
            shape, dtype, weights, (scales, [zero] * count, dimension if count > 1 else 0)
        )
        bias = self.integers(-2000, 2000, channels)
        quantization = ([INPUT_SCALE * scale for scale in scales], [0] * count, 0)
        return tensor, self.net.tensor([channels], "i4", bias, quantization), float(np.mean(scales))

    def sums(self, taps, weight_scale):
        """(scale of an output of sums of so many products, what may differ between kernels)."""
        if self.quantized:  # three standard deviations of uniform numbers fill the range
            return INPUT_SCALE * weight_scale * 73.5 * 73.5 * 3 / 127 * max(taps, 1) ** 0.5, 1
        return 1.0, 8 * UNIT * (2.0 * taps + 1)

    def built(self, output, allowed):
        return Built(self.net.model(self.inputs, [output]), self.values, allowed)


# ---- Operators -----------------------------------------------------------------------------------


def reach(size, kernel, stride, dilation, padding):
    """The output's size along one dimension."""
    if padding == "same":
        return -(-size // stride)
    return max((size - (kernel - 1) * dilation - 1) // stride + 1, 0)


def window(spec):
    """(batch, height, width) of the output of a window that moves over an image."""
    sizes = [
        reach(*one, padding=spec.padding)
        for one in zip(spec.shape[1:3], spec.kernel, spec.stride, spec.dilation)
    ]
    return [spec.shape[0]] + sizes


def window_options(spec, activation):
    """The fields that conv, depthwise and pooling begin with: padding, stride_w, stride_h."""
    options = {
        0: ("b", 0 if spec.padding == "same" else 1),
        1: ("i", spec.stride[1]),
        2: ("i", spec.stride[0]),
    }
    options[activation] = ("b", ACTIVATIONS[spec.act])
    return options


def conv(spec):
    making = Making(spec)
    channels, (height, width) = spec.shape[3], spec.kernel
    x = making.input(spec.shape)
    weights, bias, scale = making.parameters((spec.out, height, width, channels), spec.out, 0)
    scale, allowed = making.sums(height * width * channels, scale)
    y = making.output(window(spec) + [spec.out], scale)
    options = window_options(spec, 3)
    options.update({4: ("i", spec.dilation[1]), 5: ("i", spec.dilation[0])})
    making.net.operator(3, 3 if making.quantized else 1, [x, weights, bias], y, 1, options)
    return making.built(y, allowed)


def depthwise(spec):
    making = Making(spec)
    (height, width), multiplier = spec.kernel, spec.more["m"]
    channels = spec.shape[3] * multiplier
    x = making.input(spec.shape)
    weights, bias, scale = making.parameters((1, height, width, channels), channels, 3)
    scale, allowed = making.sums(height * width, scale)
    y = making.output(window(spec) + [channels], scale)
    options = window_options(spec, 4)
    options.update({3: ("i", multiplier), 5: ("i", spec.dilation[1]), 6: ("i", spec.dilation[0])})
    making.net.operator(4, 3 if making.quantized else 2, [x, weights, bias], y, 2, options)
    return making.built(y, allowed)


def transposed(spec):
    making = Making(spec)
    batch, rows, columns, channels = spec.shape
    sizes = [
        size * stride if spec.padding == "same" else (size - 1) * stride + kernel
        for size, stride, kernel in zip((rows, columns), spec.stride, spec.kernel)
    ]
    shape = [batch] + sizes + [spec.out]
    x = making.input(spec.shape)
    wanted = making.net.tensor([4], "i4", np.array(shape))
    weights, bias, scale = making.parameters((spec.out,) + spec.kernel + (channels,), spec.out, 0)
    taps = channels * -(-spec.kernel[0] // spec.stride[0]) * -(-spec.kernel[1] // spec.stride[1])
    scale, allowed = making.sums(taps, scale)
    y = making.output(shape, scale)
    options = {
        0: ("b", 0 if spec.padding == "same" else 1),
        1: ("i", spec.stride[1]),
        2: ("i", spec.stride[0]),
    }
    making.net.operator(67, 3, [wanted, weights, x, bias], y, 49, options)
    return making.built(y, allowed)


def connected(spec):
    making = Making(spec)
    x = making.input(spec.shape)
    weights, bias, scale = making.parameters((spec.out, spec.shape[-1]), spec.out, 0)
    scale, allowed = making.sums(spec.shape[-1], scale)
    y = making.output([spec.shape[0], spec.out], scale)
    options = {0: ("b", ACTIVATIONS[spec.act])}
    making.net.operator(9, 4 if making.quantized else 1, [x, weights, bias], y, 8, options)
    return making.built(y, allowed)


def pooled(spec):
    making = Making(spec)
    x = making.input(spec.shape)
    zero = making.quantized[3] if making.quantized else None
    y = making.output(window(spec) + [spec.shape[3]], INPUT_SCALE, zero)
    options = window_options(spec, 5)
    options.update({3: ("i", spec.kernel[1]), 4: ("i", spec.kernel[0])})
    most = spec.operator == "maxpool"
    making.net.operator(17 if most else 1, 2 if making.quantized else 1, [x], y, 5, options)
    exact = 0 if most else 1 if making.quantized else 8 * UNIT * 2
    return making.built(y, exact)


def mean(spec):
    making = Making(spec)
    x = making.input(spec.shape)
    axes = making.net.tensor([2], "i4", np.array([1, 2]))
    zero = making.quantized[3] if making.quantized else None
    y = making.output([spec.shape[0], 1, 1, spec.shape[3]], INPUT_SCALE, zero)
    making.net.operator(40, 2 if making.quantized else 1, [x, axes], y, 27, {0: ("b", 1)})
    return making.built(y, 1 if making.quantized else 8 * UNIT * 2)


#: Operator and number of its options.
BINARY = {"add": (0, 11), "sub": (41, 28), "mul": (18, 21)}


def binary(spec):
    making = Making(spec)
    code, options = BINARY[spec.operator]
    first = making.input(spec.shape)
    second = making.input(spec.more["with"], scale=0.03)
    shape = np.broadcast(np.empty(spec.shape), np.empty(spec.more["with"])).shape
    y = making.output(shape, 0.08)
    version = 2 if making.quantized else 1
    making.net.operator(
        code, version, [first, second], y, options, {0: ("b", ACTIVATIONS[spec.act])}
    )
    return making.built(y, 1 if making.quantized else 4 * UNIT * 4)


#: Operator, number of its options, their fields, scale and zero point (int8) of the output.
UNARY = {
    "logistic": (14, 0, None, 1 / 256, -128),
    "tanh": (28, 0, None, 1 / 128, 0),
    "hardswish": (117, 91, {}, 0.05, -5),
    "leakyrelu": (98, 75, {0: ("f", 0.2)}, 0.05, -5),
    "softmax": (25, 9, {0: ("f", 1.0)}, 1 / 256, -128),
}


def unary(spec):
    making = Making(spec)
    code, options_type, options, scale, zero = UNARY[spec.operator]
    x = making.input(spec.shape, spread=8.0)
    y = making.output(spec.shape, scale, zero + 128 if spec.kind == "uint8" else zero)
    version = 2 if making.quantized and spec.operator != "hardswish" else 1
    making.net.operator(code, version, [x], y, options_type, options)
    # Approximations: XNNPACK's tanh is off by 2e-7 on ARM, the built-in kernels' one by 8e-6.
    return making.built(y, 1 if making.quantized else 256 * UNIT)


#: What makes a model of an operator, and its kinds.
OPERATORS = {
    "conv": (conv, WEIGHTED),
    "depthwise": (depthwise, WEIGHTED),
    "transposed": (transposed, WEIGHTED),
    "connected": (connected, WEIGHTED),
    "maxpool": (pooled, PLAIN),
    "averagepool": (pooled, PLAIN),
    "mean": (mean, PLAIN),
}
OPERATORS.update((name, (binary, PLAIN)) for name in BINARY)
OPERATORS.update((name, (unary, PLAIN)) for name in UNARY)


def cases(operator, level="default"):
    """[(kind, name, spec)] of an operator, each name once."""
    found, seen = [], set()
    for kind in OPERATORS[operator][1]:
        for spec in specs(operator, kind, level):
            if spec.name not in seen:
                seen.add(spec.name)
                found.append(spec)
    return found


def build(spec):
    return OPERATORS[spec.operator][0](spec)
