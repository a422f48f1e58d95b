"""Writes convnet_float.tflite, convnet_int8.tflite and convnet_uint8.tflite beside itself.

    python make_models.py            (needs numpy and flatbuffers)
    python make_models.py --check    exit 1 if a file differs from what would be written

The weights are the closed-form patterns of models.py, which also holds the numpy implementation
that says what the models must answer. Numbers of tables' fields are those of TensorFlow Lite's
schema.fbs (version 3): the schema promises never to change them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import flatbuffers
import models
import numpy as np

TYPES = {"f4": 0, "i4": 2, "u1": 3, "i1": 9}
RELU, RELU6 = 1, 3
SAME, VALID = 0, 1


class ModelWriter:
    """One subgraph of operators, written back to front as flatbuffers are."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.builder = flatbuffers.Builder(4096)
        self.buffers = [self._table({})]  # the first buffer is empty by convention
        self.tensors: list[int] = []
        self.codes: list[int] = []
        self.operators: list[int] = []

    def _table(self, fields: dict[int, tuple[str, Any]]) -> int:
        """A table of {field number: (type, value)}; tables and vectors are made beforehand."""
        builder = self.builder
        builder.StartObject(max(fields, default=-1) + 1)
        for slot, (kind, value) in fields.items():
            if kind == "offset":
                builder.PrependUOffsetTRelativeSlot(slot, value, 0)
            else:
                add: Callable[[int, Any, Any], None] = getattr(builder, f"Prepend{kind}Slot")
                add(slot, value, 0)
        return int(builder.EndObject())

    def _vector(self, kind: str, values: Sequence[Any]) -> tuple[str, int]:
        size = {"Int32": 4, "Float32": 4, "Int64": 8, "UOffsetTRelative": 4}[kind]
        self.builder.StartVector(size, len(values), size)
        for value in reversed(values):
            getattr(self.builder, f"Prepend{kind}")(value)
        return "offset", self.builder.EndVector()

    def _string(self, text: str) -> tuple[str, int]:
        return "offset", self.builder.CreateString(text)

    def tensor(
        self,
        name: str,
        shape: Sequence[int],
        kind: str,
        data: np.ndarray | None = None,
        quantization: tuple[Sequence[float], Sequence[int], int] | None = None,
    ) -> int:
        """Adds a tensor; quantization is (scales, zero points, dimension). Returns its number."""
        buffer = 0
        if data is not None:
            raw = data.astype("<" + kind).tobytes()
            self.builder.StartVector(1, len(raw), 16)
            for byte in reversed(raw):
                self.builder.PrependByte(byte)
            self.buffers.append(self._table({0: ("offset", self.builder.EndVector())}))
            buffer = len(self.buffers) - 1
        fields = {
            0: self._vector("Int32", shape),
            1: ("Int8", TYPES[kind]),
            2: ("Uint32", buffer),
            3: self._string(name),
        }
        if quantization is not None:
            scales, zeros, dimension = quantization
            table = {
                2: self._vector("Float32", scales),
                3: self._vector("Int64", zeros),
                6: ("Int32", dimension),
            }
            fields[4] = ("offset", self._table(table))
        self.tensors.append(self._table(fields))
        return len(self.tensors) - 1

    def operator(
        self,
        code: int,
        version: int,
        inputs: Sequence[int],
        output: int,
        options_type: int,
        options: dict[int, tuple[str, Any]],
    ) -> None:
        fields = {
            0: ("Uint32", len(self.codes)),
            1: self._vector("Int32", inputs),
            2: self._vector("Int32", [output]),
            3: ("Uint8", options_type),
            4: ("offset", self._table(options)),
        }
        self.operators.append(self._table(fields))
        code_fields = {0: ("Int8", code), 2: ("Int32", version), 3: ("Int32", code)}
        self.codes.append(self._table(code_fields))

    def conv(self, version: int, inputs: Sequence[int], output: int, activation: int) -> None:
        one = ("Int32", 1)
        options = {0: ("Int8", SAME), 1: one, 2: one, 3: ("Int8", activation), 4: one, 5: one}
        self.operator(3, version, inputs, output, 1, options)

    def depthwise(self, version: int, inputs: Sequence[int], output: int, activation: int) -> None:
        one, two = ("Int32", 1), ("Int32", 2)
        options = {0: ("Int8", SAME), 1: two, 2: two, 3: one, 4: ("Int8", activation), 5: one}
        options[6] = one
        self.operator(4, version, inputs, output, 2, options)

    def average_pool(self, inputs: Sequence[int], output: int, size: int) -> None:
        side = ("Int32", size)
        options = {0: ("Int8", VALID), 1: side, 2: side, 3: side, 4: side}
        self.operator(1, 1, inputs, output, 5, options)

    def fully_connected(self, version: int, inputs: Sequence[int], output: int) -> None:
        self.operator(9, version, inputs, output, 8, {})

    def softmax(self, inputs: Sequence[int], output: int) -> None:
        self.operator(25, 1, inputs, output, 9, {0: ("Float32", 1.0)})

    def finish(self, inputs: Sequence[int], outputs: Sequence[int]) -> bytes:
        graph = {
            0: self._vector("UOffsetTRelative", self.tensors),
            1: self._vector("Int32", inputs),
            2: self._vector("Int32", outputs),
            3: self._vector("UOffsetTRelative", self.operators),
            4: self._string("main"),
        }
        subgraphs = self._vector("UOffsetTRelative", [self._table(graph)])
        model = {
            0: ("Uint32", 3),
            1: self._vector("UOffsetTRelative", self.codes),
            2: subgraphs,
            3: self._string(f"crosspi {self.name}"),
            4: self._vector("UOffsetTRelative", self.buffers),
        }
        self.builder.Finish(self._table(model), file_identifier=b"TFL3")
        return bytes(self.builder.Output())


def float_net() -> bytes:
    net, side, half = models.FloatNet, models.SIZE, models.SIZE // 2
    filters, classes = models.FILTERS, models.CLASSES
    writer = ModelWriter("convnet_float")

    def constant(name: str, values: np.ndarray) -> int:
        return writer.tensor(name, values.shape, "f4", values)

    x = writer.tensor("x", [1, side, side, models.CHANNELS], "f4")
    c1 = writer.tensor("c1", [1, side, side, filters], "f4")
    c2 = writer.tensor("c2", [1, half, half, filters], "f4")
    pool = writer.tensor("pool", [1, 1, 1, filters], "f4")
    logits = writer.tensor("logits", [1, classes], "f4")
    y = writer.tensor("y", [1, classes], "f4")
    writer.conv(1, [x, constant("w1", net.w1), constant("b1", net.b1)], c1, RELU6)
    writer.depthwise(1, [c1, constant("w2", net.w2), constant("b2", net.b2)], c2, RELU)
    writer.average_pool([c2], pool, half)
    writer.fully_connected(1, [pool, constant("w3", net.w3), constant("b3", net.b3)], logits)
    writer.softmax([logits], y)
    return writer.finish([x], [y])


def quantized_net(name: str, net: type[models.QuantNet]) -> bytes:
    side, half, filters = models.SIZE, models.SIZE // 2, models.FILTERS
    writer = ModelWriter(name)

    def activation(name: str, shape: list[int], scale_zero: tuple[float, int]) -> int:
        scale, zero = scale_zero
        return writer.tensor(name, shape, net.dtype, None, ([scale], [zero], 0))

    def parameters(
        layer: str,
        weights: np.ndarray,
        bias: np.ndarray,
        scales: list[float],
        source: float,
        dimension: int,
    ) -> list[int]:
        zeros = [net.weight_zero] * len(scales)
        return [
            writer.tensor(
                f"w{layer}", weights.shape, net.dtype, weights, (scales, zeros, dimension)
            ),
            writer.tensor(
                f"b{layer}",
                bias.shape,
                "i4",
                bias,
                ([source * scale for scale in scales], [0] * len(scales), 0),
            ),
        ]

    signed = net.dtype == "i1"
    x = activation("x", [1, side, side, models.CHANNELS], net.x)
    c1 = activation("c1", [1, side, side, filters], net.c1)
    c2 = activation("c2", [1, half, half, filters], net.c2)
    y = activation("y", [1, models.CLASSES], net.y)
    first = parameters("1", net.w1, net.b1, net.s1, net.x[0], 0)
    second = parameters("2", net.w2, net.b2, net.s2, net.c1[0], 3 if signed else 0)
    third = parameters("3", net.w3, net.b3, net.s3, net.c2[0], 0)
    writer.conv(3 if signed else 1, [x, *first], c1, RELU)
    writer.depthwise(3 if signed else 1, [c1, *second], c2, 0)
    writer.fully_connected(4 if signed else 1, [c2, *third], y)
    return writer.finish([x], [y])


def main(arguments: list[str]) -> int:
    files = {
        "convnet_float.tflite": float_net(),
        "convnet_int8.tflite": quantized_net("convnet_int8", models.Int8Net),
        "convnet_uint8.tflite": quantized_net("convnet_uint8", models.Uint8Net),
    }
    stale = 0
    for name, data in files.items():
        path = Path(__file__).parent / name
        if "--check" in arguments:
            same = path.is_file() and path.read_bytes() == data
            print(f"{name}: {'as written' if same else 'DIFFERS'}")
            stale += not same
        else:
            path.write_bytes(data)
            print(f"{name}: {len(data)} bytes")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
