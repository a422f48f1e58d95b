"""Which models are measured, and what is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from crosspi.bench.models import models, shapes, suite
from crosspi.errors import BenchError, DataError, UsageError

OWN = Path(__file__).parents[2] / "benchmarks"
MODEL = b"\x1c\0\0\0TFL3 and more"


def write(path: Path, content: bytes = MODEL) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_the_projects_own_models_are_six_small_ones() -> None:
    found = models(OWN, [])
    assert [path.stem for path in found] == [
        *("connected", "convnet", "convnet_int8", "depthwise", "lstm", "transformer")
    ]
    assert all(path.stat().st_size < 100_000 for path in found)


def test_the_users_own_models(tmp_path: Path) -> None:
    path = write(tmp_path / "mine.tflite")
    assert models(OWN, [str(path)]) == [path]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "it is empty"),
        (b"\x1c\0\0", "TFL3"),
        (b"\x89PNG\r\n\x1a\n", "TFL3"),
        (b"version https://git-lfs", "a git-lfs pointer"),
    ],
    ids=["empty", "cut off at once", "a picture", "git-lfs"],
)
def test_what_is_no_model(tmp_path: Path, content: bytes, why: str) -> None:
    path = write(tmp_path / "x.tflite", content)
    with pytest.raises(BenchError, match="not a model of TensorFlow Lite's") as caught:
        models(OWN, [str(path)])
    assert why in caught.value.why
    assert caught.value.where == str(path)


def test_a_model_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="no such model"):
        models(OWN, [str(tmp_path / "no.tflite")])


def test_a_folder_without_models(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no models"):
        models(tmp_path, [])


def test_two_models_of_one_name(tmp_path: Path) -> None:
    words = [str(write(tmp_path / folder / "same.tflite")) for folder in ("a", "b")]
    with pytest.raises(UsageError, match="two models are called same"):
        models(OWN, words)


def test_shapes_of_one_model() -> None:
    assert shapes(["a=1,2", "b:0=3"], [Path("m")]) == ["a=1,2", "b:0=3"]


@pytest.mark.parametrize("word", ["1,2", "=1,2", "a=", "a=1,x", "a=1,,2", "a=0", "a=-1,3"])
def test_what_is_no_shape(word: str) -> None:
    with pytest.raises(UsageError, match="not the shape of an input"):
        shapes([word], [Path("m")])


def test_a_shape_of_which_model() -> None:
    with pytest.raises(UsageError, match="of which model"):
        shapes(["a=1"], [Path("m"), Path("n")])


def test_whose_wheels_are_measured(tmp_path: Path) -> None:
    assert (OWN.parent / "recipes" / suite(OWN).recipe).is_dir()
    (tmp_path / "benchmarks.yaml").write_text("recipe: x\ncomputes: y\n")
    with pytest.raises(DataError, match="computes_with"):
        suite(tmp_path)
