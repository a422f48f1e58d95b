"""Writes models_2026/: models as today's converters make them, and what they must answer.

    python make_models_2026.py       (needs tensorflow 2.21, ai-edge-quantizer and ai-edge-litert)

The models are converted by TensorFlow itself and quantized by Google's own quantizer, on x86-64;
what they answer there, by ai-edge-litert's reference kernels, is recorded beside them. The inputs
are a closed form (`tests_of_2026.pattern`), so that only answers are kept.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import ai_edge_litert
import numpy as np
import tensorflow as tf
from ai_edge_litert import interpreter as litert
from ai_edge_litert import schema_py_generated as schema
from ai_edge_quantizer import quantizer, recipe
from tensorflow.compiler.tf2xla.python import xla

# The tests ask for the board's package: here its place is taken by the one that it stands in for.
sys.modules["tflite_runtime"] = stand_in = types.ModuleType("tflite_runtime")
stand_in.__version__ = "2.21"
sys.modules["tflite_runtime.interpreter"] = litert

OUT = Path(__file__).parent / "models_2026"
OUT.mkdir(exist_ok=True)
if not (OUT / "expected.json").exists():  # the tests read it when they are loaded
    (OUT / "expected.json").write_text('{"models": {}}')
tests = importlib.import_module("tests_of_2026")

NAMES = {v: k for k, v in vars(schema.BuiltinOperator).items() if isinstance(v, int)}


def weights(*shape: int) -> tf.Tensor:
    """Weights that are no pattern, the same each time."""
    random = np.random.default_rng(sum(shape))
    return tf.constant(0.3 * random.standard_normal(shape).astype("f4"))


def floats(*shape: int) -> tf.TensorSpec:
    return tf.TensorSpec(shape, tf.float32)


def converted(function: Callable[..., Any], *specs: tf.TensorSpec, **settings: Any) -> bytes:
    """A function as TensorFlow's converter writes it."""
    module = tf.Module()
    module.serve = tf.function(function, input_signature=specs)
    concrete = module.serve.get_concrete_function()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], module)
    for name, value in settings.items():
        setattr(converter, name, value)
    return bytes(converter.convert())


def quantized(model: bytes, how: Any) -> bytes:
    """A float model as Google's quantizer writes it; calibrated on the tests' own inputs."""
    made = quantizer.Quantizer(bytearray(model), how)
    result = None
    if made.need_calibration:
        interpreter = litert.Interpreter(model_content=model)
        (signature,) = interpreter.get_signature_list()
        runner = interpreter.get_signature_runner(signature)
        inputs = {
            name: tests.pattern(detail["shape"], detail["dtype"], 0)
            for name, detail in runner.get_input_details().items()
        }
        result = made.calibrate({signature: [inputs]})
    return bytes(made.quantize(result).quantized_model)


def dense(x: tf.Tensor) -> tf.Tensor:
    hidden = tf.nn.relu(tf.matmul(x, weights(64, 32)) + weights(32))
    return tf.nn.softmax(tf.matmul(hidden, weights(32, 10)))


def convolutions(x: tf.Tensor) -> tf.Tensor:
    y = tf.nn.relu(tf.nn.conv2d(x, weights(3, 3, 8, 16), 1, "SAME") + weights(16))
    y = tf.nn.depthwise_conv2d(y, weights(3, 3, 16, 1), [1, 1, 1, 1], "SAME")
    y = tf.nn.conv2d_transpose(y, weights(3, 3, 8, 16), (1, 12, 12, 8), 2, "SAME")
    return tf.matmul(tf.reduce_mean(y, [1, 2]), weights(8, 5))


def embedding(indices: tf.Tensor) -> tf.Tensor:
    return tf.gather(weights(40, 32), indices)


def attention(x: tf.Tensor) -> tf.Tensor:
    """A transformer's block: one head, GELU."""
    query, key, value = (tf.matmul(x, weights(16, 16) * sign) for sign in (1.0, -0.5, 0.7))
    seen = tf.matmul(tf.nn.softmax(tf.matmul(query, key, transpose_b=True) / 4.0), value)
    y = x + seen
    y = y * tf.math.rsqrt(tf.reduce_mean(y * y, -1, keepdims=True) + 1e-6)
    return y + tf.matmul(tf.nn.gelu(tf.matmul(y, weights(16, 32))), weights(32, 16))


def lstm() -> bytes:
    layers = tf.keras.layers
    tf.keras.utils.set_random_seed(1)
    model = tf.keras.Sequential(
        [layers.Input((5, 3), batch_size=1), layers.LSTM(4), layers.Dense(2)]
    )
    return bytes(tf.lite.TFLiteConverter.from_keras_model(model).convert())


class Signatures(tf.Module):
    """Two functions that share a weight."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = tf.Variable(weights(4, 4))

    @tf.function(input_signature=[floats(2, 4)])
    def encode(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"code": tf.matmul(x, self.weight)}

    @tf.function(input_signature=[floats(2, 4)])
    def decode(self, code: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"x": tf.matmul(code, self.weight, transpose_b=True)}


def signatures() -> bytes:
    module = Signatures()
    functions = [
        module.encode.get_concrete_function(),
        module.decode.get_concrete_function(),
    ]
    converter = tf.lite.TFLiteConverter.from_concrete_functions(functions, module)
    return bytes(converter.convert())


def models() -> dict[str, bytes]:
    """All of them, by name."""
    small = [tf.lite.Optimize.DEFAULT]
    plain = converted(dense, floats(1, 64))
    images = converted(convolutions, floats(1, 6, 6, 8))
    words = converted(embedding, tf.TensorSpec((5,), tf.int32))
    block = converted(attention, floats(1, 8, 16))
    return {
        "dense_dynamic_range": converted(dense, floats(1, 64), optimizations=small),
        "dense_int4": quantized(plain, recipe.dynamic_wi4_afp32()),
        "dense_int2": quantized(plain, recipe.dynamic_wi2c_afp32()),
        "dense_int8_blocks": quantized(plain, recipe.dynamic_wi8b32_afp32()),
        "dense_int16": quantized(plain, recipe.static_wi8_ai16()),
        "dense_weight_only_int4": quantized(plain, recipe.weight_only_wi4_afp32()),
        "convolutions_dynamic_range": quantized(images, recipe.dynamic_wi8_afp32()),
        "convolutions_int16": quantized(images, recipe.static_wi8_ai16()),
        "convolutions_int8": quantized(images, recipe.static_wi8_ai8()),
        "embedding_int8": quantized(words, recipe.dynamic_wi8_afp32()),
        "embedding_int4": quantized(words, recipe.dynamic_wi4_afp32()),
        "attention": block,
        "attention_int8": quantized(block, recipe.static_wi8_ai8()),
        "attention_int16": quantized(block, recipe.static_wi8_ai16()),
        "pad_bool": converted(
            lambda x: tf.pad(x, [[0, 0], [1, 2], [0, 1]]), tf.TensorSpec((2, 3, 4), tf.bool)
        ),
        "dynamic_update_slice": converted(
            lambda x, update: xla.dynamic_update_slice(x, update, tf.constant([1, 2])),
            floats(4, 6),
            floats(2, 3),
        ),
        "strings": converted(lambda s: tf.gather(s, [2, 0]), tf.TensorSpec((3,), tf.string)),
        "lstm": lstm(),
        "signatures": signatures(),
    }


def operators(model: bytes) -> list[str]:
    """The operators of a model with their versions."""
    codes = schema.ModelT.InitFromPackedBuf(model).operatorCodes
    return sorted(
        f"{NAMES[max(c.builtinCode, c.deprecatedBuiltinCode)]} {c.version}" for c in codes
    )


def main() -> None:
    expected: dict[str, Any] = {}
    for name, model in models().items():
        (OUT / f"{name}.tflite").write_bytes(model)
        answers = tests.answers(OUT / f"{name}.tflite", reference=True)
        expected[name] = {"operators": operators(model), "answers": answers}
        print(f"{name:30} {len(model):7}  {', '.join(expected[name]['operators'])}")
    recorded = f"tensorflow {tf.__version__}, ai-edge-litert {ai_edge_litert.__version__}"
    text = json.dumps({"recorded_with": recorded, "models": expected}, indent=1, sort_keys=True)
    (OUT / "expected.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
