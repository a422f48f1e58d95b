"""What is in an image: asked of the engine, remembered by its id, and in the keys."""

from __future__ import annotations

from pathlib import Path

import pytest
from making import DPKG, FakeEngine

from crosspi.containers.contents import NOT_MADE, Contents, Remembered, installed
from crosspi.containers.engine import Engine
from crosspi.errors import EngineError

TAG = "crosspi/toy:1"


class Counting(FakeEngine):
    """Counts how often an image is looked into, and makes it anew on demand."""

    looked = 0
    made = 1

    def image_id(self, tag: str) -> str | None:
        return f"{self.made}" if tag in self.images else None

    def read_file(self, image: str, path: str) -> bytes | None:
        self.looked += 1
        return super().read_file(image, path)


@pytest.fixture
def engine() -> Counting:
    return Counting(images={TAG: "arm"})


def no_engine() -> Engine:
    raise EngineError("no Docker engine answers")


def test_the_installed_packages_are_read_and_others_are_not() -> None:
    assert installed(DPKG) == ["gcc 12.2.0-14 amd64", "zlib1g 1:1.2.13 amd64"]
    assert installed("") == []


def test_an_image_is_looked_into_once(tmp_path: Path, engine: Counting) -> None:
    one = Contents(engine, tmp_path).of(TAG)
    assert Contents(engine, tmp_path).of(TAG) == one
    assert engine.looked == 1


def test_the_same_packages_are_the_same_content(tmp_path: Path, engine: Counting) -> None:
    """An image that was made again a minute later has another id, and nothing else."""
    contents = Contents(engine, tmp_path)
    before = contents.of(TAG)
    engine.made += 1
    assert contents.of(TAG) == before
    assert engine.looked == 2


def test_another_version_of_a_package_is_another_content(tmp_path: Path, engine: Counting) -> None:
    contents = Contents(engine, tmp_path)
    before = contents.of(TAG)
    engine.made += 1
    engine.packages = DPKG.replace("12.2.0-14", "12.2.0-14+deb12u1")
    assert contents.of(TAG) != before


def test_an_image_that_is_gone_is_what_it_was_last(tmp_path: Path, engine: Counting) -> None:
    contents = Contents(engine, tmp_path)
    assert contents.of("crosspi/other:1") == NOT_MADE
    before = contents.of(TAG)
    engine.images.clear()
    assert contents.of(TAG) == before


def test_without_an_engine_images_are_what_they_were_last(tmp_path: Path, engine: Counting) -> None:
    before = Contents(engine, tmp_path).of(TAG)
    contents = Contents(no_engine, tmp_path)
    assert contents.of(TAG) == before
    assert contents.of("crosspi/other:1") == NOT_MADE
    remembered = Remembered(contents)
    assert remembered.image_architecture(TAG) == "arm"
    assert remembered.image_architecture("crosspi/other:1") is None


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "null"])
def test_a_broken_record_is_made_again(tmp_path: Path, engine: Counting, text: str) -> None:
    contents = Contents(engine, tmp_path)
    before = contents.of(TAG)
    (file,) = tmp_path.iterdir()
    file.write_text(text)
    assert contents.of(TAG) == before
