"""YAML files: every fault with its file, line and path."""

from __future__ import annotations

from pathlib import Path

import pytest

from crosspi.data.document import Document, Fault, Model
from crosspi.errors import DataError


class Inner(Model):
    number: int
    label: str = ""


class Outer(Model):
    title: str
    inner: Inner
    many: tuple[Inner, ...] = ()
    named: dict[str, Inner] = {}
    values: dict[str, str | bool | int] = {}


def write(folder: Path, text: str) -> Path:
    path = folder / "data.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def faults(folder: Path, text: str) -> list[str]:
    """What is said about a document, each line without the folder."""
    with pytest.raises(DataError) as caught:
        Document.read(write(folder, text)).model(Outer)
    assert caught.value.exit_code == 3
    return caught.value.where.replace(f"{folder}/", "").splitlines()


def test_a_good_document_becomes_a_model(tmp_path: Path) -> None:
    path = write(tmp_path, "title: t\ninner: {number: 1}\nmany: [{number: 2}]\n")
    model = Document.read(path).model(Outer)
    assert (model.title, model.inner.number, model.many[0].number) == ("t", 1, 2)


def test_all_faults_come_at_once_in_the_order_of_lines(tmp_path: Path) -> None:
    text = "titel: t\ninner:\n  number: one\n  lable: x\nmany:\n  - number: 1\n  - {}\n"
    found = faults(tmp_path, text)
    assert len(found) == 5
    assert "data.yaml:1: title: this field is required" in found
    assert "data.yaml:1: titel: no such field; did you mean title?" in found
    assert any(
        f.startswith("data.yaml:3: inner.number: Input should be a valid int") for f in found
    )
    assert "data.yaml:4: inner.lable: no such field; did you mean label?" in found
    assert "data.yaml:7: many[1].number: this field is required" in found
    lines = [int(part.split(":")[1]) for part in found]
    assert lines == sorted(lines)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("title: t\ninner: {number: 1}\nmany: [{numbr: 1, number: 1}]\n", "many[0].numbr"),
        ("title: t\ninner: {number: 1}\nnamed: {a: {numbr: 1, number: 1}}\n", "named.a.numbr"),
    ],
)
def test_fields_are_suggested_inside_lists_and_mappings(
    tmp_path: Path, text: str, place: str
) -> None:
    assert faults(tmp_path, text) == [f"data.yaml:3: {place}: no such field; did you mean number?"]


@pytest.mark.parametrize("value", ["[1]", "{a: 1}", ""])
def test_a_wrong_plain_value_is_one_fault(tmp_path: Path, value: str) -> None:
    (found,) = faults(tmp_path, f"title: t\ninner: {{number: 1}}\nvalues:\n  x: {value}\n")
    assert found.startswith(
        "data.yaml:4: values.x: must be text, a number, or true or false (it is "
    )


@pytest.mark.parametrize("value", ["1.0", "12", "true", "2024-01-01"])
def test_text_that_yaml_takes_for_something_else_needs_quotes(tmp_path: Path, value: str) -> None:
    (found,) = faults(tmp_path, f"title: {value}\ninner: {{number: 1}}\n")
    assert "title: must be text: put it in quotes" in found


@pytest.mark.parametrize("text", ["", "- a\n", "word\n"])
def test_what_is_no_mapping_is_a_fault_of_the_whole(tmp_path: Path, text: str) -> None:
    (found,) = faults(tmp_path, text)
    assert found.startswith("data.yaml:1: Input should be a valid dictionary")


def test_a_key_that_stands_twice_is_an_error(tmp_path: Path) -> None:
    path = write(tmp_path, "title: a\ninner: {number: 1}\ntitle: b\n")
    with pytest.raises(DataError, match="not valid YAML") as caught:
        Document.read(path)
    assert caught.value.where == f"{path}:3"
    assert "'title' stands twice" in caught.value.why


def test_a_key_that_stands_twice_deep_inside_is_an_error(tmp_path: Path) -> None:
    path = write(tmp_path, "title: a\ninner:\n  number: 1\n  number: 2\n")
    with pytest.raises(DataError) as caught:
        Document.read(path)
    assert caught.value.where == f"{path}:4"


@pytest.mark.parametrize(
    "text", ["- - {a: 1, a: 2}\n", "a: &i {b: 1, b: 2}\nc: *i\n", "a: &i [*i, {b: 1, b: 2}]\n"]
)
def test_a_key_that_stands_twice_is_found_anywhere(tmp_path: Path, text: str) -> None:
    with pytest.raises(DataError, match="not valid YAML") as caught:
        Document.read(write(tmp_path, text))
    assert "stands twice" in caught.value.why


def test_yaml_anchors_may_be_merged(tmp_path: Path) -> None:
    path = write(tmp_path, "title: t\ninner: &i {number: 1}\nmany:\n- <<: *i\n  label: x\n")
    assert Document.read(path).model(Outer).many == (Inner(number=1, label="x"),)


def test_broken_yaml_names_its_line(tmp_path: Path) -> None:
    path = write(tmp_path, "title: t\nother: {\n")
    with pytest.raises(DataError) as caught:
        Document.read(path)
    assert caught.value.where == f"{path}:3"
    assert caught.value.fix


def test_an_absent_file_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "absent.yaml"
    with pytest.raises(DataError, match=r"cannot read absent\.yaml") as caught:
        Document.read(path)
    assert caught.value.where == str(path)
    assert "No such file" in caught.value.why


def test_bytes_that_are_not_utf8_are_an_error(tmp_path: Path) -> None:
    path = tmp_path / "data.yaml"
    path.write_bytes(b"title: \xff\n")
    with pytest.raises(DataError, match="not UTF-8"):
        Document.read(path)


def test_control_characters_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not valid YAML"):
        Document.read(write(tmp_path, "title: a\x01b\n"))


def test_a_python_object_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not valid YAML"):
        Document.read(write(tmp_path, "title: !!python/object/apply:os.getpid []\n"))


def test_a_part_of_a_document_is_validated_with_its_own_lines(tmp_path: Path) -> None:
    document = Document.read(write(tmp_path, "first:\n  number: 1\nsecond:\n  number: x\n"))
    assert document.model(Inner, where=("first",)).number == 1
    with pytest.raises(DataError) as caught:
        document.model(Inner, where=("second",))
    assert f"{document.path}:4: second.number: " in caught.value.where


def test_a_line_is_that_of_the_nearest_thing_in_the_file(tmp_path: Path) -> None:
    document = Document.read(write(tmp_path, "a:\n  b:\n    - x\n    - y\n"))
    assert document.line(("a", "b", 1)) == 4
    assert document.line(("a", "absent", "deeper")) == 1
    assert document.line(("absent",)) == 1


def test_one_fault_is_counted_as_one(tmp_path: Path) -> None:
    document = Document.read(write(tmp_path, "a: 1\n"))
    assert "1 fault in" in document.error([Fault(("a",), "m")]).what
    assert "2 faults in" in document.error([Fault(("a",), "m"), Fault(("a",), "n")]).what


def test_models_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Inner(number=1).number = 2  # type: ignore[misc]
