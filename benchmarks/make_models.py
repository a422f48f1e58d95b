"""Writes six small models beside itself, of the kinds that people run on these boards.

    python make_models.py       (needs tensorflow 2.21)

What they answer is of no interest, only how many instructions it takes: the weights are seeded
noise. Every op is of a version that TensorFlow Lite 2.14 reads, so that each runtime runs the same
file.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import numpy as np
import tensorflow as tf

OUT = Path(__file__).parent
IMAGE = (1, 48, 48, 3)


def weights(*shape: int) -> tf.Tensor:
    """Weights that are no pattern, the same each time, and keep what goes through them small."""
    random = np.random.default_rng(sum(shape))
    size = (2 / max(1, np.prod(shape[:-1]))) ** 0.5
    return tf.constant((size * random.standard_normal(shape)).astype("f4"))


def conv(image: tf.Tensor, out: int, size: int, stride: int = 1) -> tf.Tensor:
    """A convolution with a bias and ReLU6."""
    filters = weights(size, size, image.shape[-1], out)
    made = tf.nn.conv2d(image, filters, stride, "SAME") + weights(out)
    return tf.nn.relu6(made)


def separable(image: tf.Tensor, out: int, stride: int = 1) -> tf.Tensor:
    """MobileNet's block: a filter a channel, then one point."""
    filters = weights(3, 3, image.shape[-1], 1)
    each = tf.nn.depthwise_conv2d(image, filters, [1, stride, stride, 1], "SAME")
    return conv(tf.nn.relu6(each), out, 1)


def convnet(image: tf.Tensor) -> tf.Tensor:
    made = conv(conv(conv(image, 16, 3, 2), 24, 3), 32, 3, 2)
    return tf.nn.softmax(tf.reduce_mean(conv(made, 10, 1), [1, 2]))


def depthwise(image: tf.Tensor) -> tf.Tensor:
    made = separable(separable(separable(conv(image, 16, 3, 2), 32), 48, 2), 64)
    return tf.nn.softmax(tf.reduce_mean(conv(made, 10, 1), [1, 2]))


def connected(values: tf.Tensor) -> tf.Tensor:
    made = tf.nn.relu(values @ weights(128, 96) + weights(96))
    return tf.nn.softmax(tf.nn.relu(made @ weights(96, 64) + weights(64)) @ weights(64, 10))


def transformer(words: tf.Tensor) -> tf.Tensor:
    """Attention with four heads, then two layers; each added to what goes in and normalised."""
    _, length, width = words.shape
    heads = 4

    def split(values: tf.Tensor) -> tf.Tensor:
        parts = tf.reshape(values, (1, length, heads, width // heads))
        return tf.transpose(parts, (0, 2, 1, 3))

    def normal(values: tf.Tensor) -> tf.Tensor:
        mean = tf.reduce_mean(values, -1, keepdims=True)
        square = tf.reduce_mean(tf.math.squared_difference(values, mean), -1, keepdims=True)
        return (values - mean) * tf.math.rsqrt(square + 1e-5)

    flat = tf.reshape(words, (length, width))
    query, key, value = (split(flat @ weights(width, width)) for _ in range(3))
    scores = tf.nn.softmax(tf.matmul(query, key, transpose_b=True) / (width // heads) ** 0.5)
    seen = tf.reshape(tf.transpose(tf.matmul(scores, value), (0, 2, 1, 3)), (length, width))
    flat = normal(flat + seen @ weights(width, width))
    inner = tf.nn.relu(flat @ weights(width, 2 * width) + weights(2 * width))
    return normal(flat + inner @ weights(2 * width, width))


def converter(function: Callable[[tf.Tensor], tf.Tensor], *shape: int) -> Any:
    module = tf.Module()
    spec = tf.TensorSpec(shape, tf.float32)
    module.serve = tf.function(function, input_signature=[spec])
    concrete = module.serve.get_concrete_function()
    return tf.lite.TFLiteConverter.from_concrete_functions([concrete], module)


def pictures() -> Iterator[list[np.ndarray[Any, Any]]]:
    """What the quantizer looks at."""
    random = np.random.default_rng(1)
    for _ in range(8):
        yield [random.uniform(-1, 1, IMAGE).astype("f4")]


def int8() -> bytes:
    made = converter(convnet, *IMAGE)
    made.optimizations = [tf.lite.Optimize.DEFAULT]
    made.representative_dataset = pictures
    made.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    made.inference_input_type = made.inference_output_type = tf.int8
    return bytes(made.convert())


def lstm() -> bytes:
    """Keras's layer, which the converter makes one op of."""
    tf.keras.utils.set_random_seed(1)
    model = tf.keras.Sequential(
        [
            tf.keras.Input((20, 24), batch_size=1),
            tf.keras.layers.LSTM(32),
            tf.keras.layers.Dense(4, activation="softmax"),
        ]
    )
    return bytes(tf.lite.TFLiteConverter.from_keras_model(model).convert())


def main() -> None:
    for name, model in {
        "convnet": converter(convnet, *IMAGE).convert(),
        "convnet_int8": int8(),
        "depthwise": converter(depthwise, *IMAGE).convert(),
        "connected": converter(connected, 1, 128).convert(),
        "lstm": lstm(),
        "transformer": converter(transformer, 1, 16, 32).convert(),
    }.items():
        (OUT / f"{name}.tflite").write_bytes(model)
        print(f"{name:14} {len(model)} bytes")


if __name__ == "__main__":
    main()
