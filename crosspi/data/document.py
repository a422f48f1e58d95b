"""Reads the project's YAML files into models, and reports every fault with its file and line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from crosspi.errors import DataError, did_you_mean

Location = tuple[str | int, ...]
#: The branches of a union of plain values, as pydantic calls them, and its names of the types.
_SCALARS = {"str": "string", "int": "int", "bool": "bool", "float": "float"}
ModelT = TypeVar("ModelT", bound="Model")
#: libyaml's parser where PyYAML was built with it: a tenth of the time, the same nodes and marks.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Model(BaseModel):
    """The base of what is read from YAML or kept as JSON: immutable, and no unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


@dataclass(frozen=True)
class Fault:
    """One thing wrong in a file.

    Attributes:
        location: the path of the value inside the document.
        message: what is wrong and what to do.
    """

    location: Location
    message: str


@dataclass(frozen=True)
class Document:
    """A YAML file: its plain data, and the line of every value in it."""

    path: Path
    data: Any
    lines: dict[Location, int]

    @classmethod
    def read(cls, path: Path) -> Document:
        """Read a file.

        Raises:
            DataError: there is no such file, or it is not YAML.
        """
        try:
            text = path.read_text(encoding="utf-8")
        except OSError as error:
            raise DataError(
                f"cannot read {path.name}", where=str(path), why=error.strerror or str(error)
            ) from error
        except UnicodeDecodeError as error:
            raise DataError(
                f"{path.name} is not UTF-8 text", where=str(path), why=str(error)
            ) from error
        node, data = None, None
        try:
            loader = _LOADER(text)
            try:
                node = loader.get_single_node()
                _refuse_doubles(node)
                data = loader.construct_document(node) if node is not None else None
            finally:
                loader.dispose()
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark
            line = mark.line + 1 if mark else 1
            raise DataError(
                f"{path.name} is not valid YAML",
                where=f"{path}:{line}",
                why=error.problem or str(error),
                fix="correct the line; values with ': ' or a leading '{' or '*' need quotes",
            ) from error
        except (yaml.YAMLError, ValueError) as error:
            raise DataError(
                f"{path.name} is not valid YAML", where=str(path), why=str(error)
            ) from error
        lines: dict[Location, int] = {}
        if node is not None:
            _index_lines(node, (), lines)
        return cls(path=path, data=data, lines=lines)

    def line(self, location: Location) -> int:
        """The line of a value, or of the nearest thing around it that is in the file."""
        for length in range(len(location), -1, -1):
            if location[:length] in self.lines:
                return self.lines[location[:length]]
        return 1

    def model(
        self,
        model: type[ModelT],
        *,
        where: Location = (),
        context: Mapping[str, bool] | None = None,
    ) -> ModelT:
        """Validate the data, or the part of it at `where`, as a model.

        Args:
            model: what it should be.
            where: the place of the part.
            context: passed to the model's validators.

        Raises:
            DataError: lists every fault of the file.
        """
        data = self.data
        for part in where:
            data = data[part]
        try:
            return model.model_validate(data, context=context)
        except ValidationError as error:
            faults = [
                Fault(where + _plain(item["loc"], data), _message(item, model))
                for item in error.errors()
            ]
            raise self.error(faults) from error

    def error(self, faults: Sequence[Fault]) -> DataError:
        """One error that lists all faults, in the order of their lines."""
        listed = sorted({(self.line(f.location), _path(f.location), f.message) for f in faults})
        count = "1 fault" if len(listed) == 1 else f"{len(listed)} faults"
        return DataError(
            f"{count} in {self.path.name}",
            where="\n".join(
                f"{self.path}:{line}: {place + ': ' if place else ''}{message}"
                for line, place, message in listed
            ),
            fix="see the README's table of fields, or open the file in an editor that reads "
            "its JSON Schema",
        )


def _refuse_doubles(top: yaml.Node | None) -> None:
    """A key given twice is an error; YAML's constructors would let the last one win in silence.

    Raises:
        yaml.MarkedYAMLError: there is one, anywhere.
    """
    todo, seen = [top], set()
    while todo:
        node = todo.pop()
        if not isinstance(node, yaml.CollectionNode) or id(node) in seen:
            continue
        seen.add(id(node))  # an alias is the node that it names
        names: set[str] = set()
        for item in node.value:
            if not isinstance(node, yaml.MappingNode):
                todo.append(item)
                continue
            key, value = item
            name = str(key.value)
            if name in names and name != "<<":
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key '{name}' stands twice", key.start_mark
                )
            names.add(name)
            todo += [key, value]


def _index_lines(node: yaml.Node, location: Location, lines: dict[Location, int]) -> None:
    lines.setdefault(location, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            inner = (*location, str(key.value))
            lines[inner] = key.start_mark.line + 1
            _index_lines(value, inner, lines)
    elif isinstance(node, yaml.SequenceNode):
        for position, value in enumerate(node.value):
            _index_lines(value, (*location, position), lines)


def _plain(location: Sequence[str | int], data: Any) -> Location:
    """A pydantic location without the names of union branches that it puts between the data's."""
    plain: list[str | int] = []
    for position, part in enumerate(location):
        inside = _inside(data, part)
        if inside is None and (position < len(location) - 1 or _branch(part)):
            continue
        plain.append(part)
        data = inside[0] if inside else None
    return tuple(plain)


def _inside(data: Any, part: str | int) -> tuple[Any] | None:
    """The value at a key or position, or None where there is none."""
    if isinstance(data, dict) and part in data:
        return (data[part],)
    if isinstance(data, list) and isinstance(part, int) and part < len(data):
        return (data[part],)
    return None


def _branch(part: str | int) -> bool:
    """Whether a part of a pydantic location names a branch of a union and not a field."""
    if not isinstance(part, str):
        return False
    return part in _SCALARS or part[:1].isupper() or part[:1] == "<" or "[" in part


def _path(location: Location) -> str:
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _message(item: Any, model: type[BaseModel]) -> str:
    kind, name = item["type"], str(item["loc"][-1]) if item["loc"] else ""
    if kind == "missing":
        return "this field is required"
    if kind == "extra_forbidden":
        return f"no such field; {did_you_mean(name, _fields(model, item['loc'][:-1]))}"
    message = str(item["msg"]).removeprefix("Value error, ")
    if name in _SCALARS and kind == f"{_SCALARS[name]}_type":
        message = "must be text, a number, or true or false"
    elif kind == "string_type" and isinstance(item.get("input"), (int, float, date)):
        message = "must be text: put it in quotes"
    shown = repr(item.get("input"))
    if len(shown) <= 60 and "value_error" not in kind:
        message += f" (it is {shown})"
    return message


def _fields(model: type[BaseModel], location: Sequence[str | int]) -> list[str]:
    """The field names that are allowed at a location of a model, as far as can be told."""
    models = [model]
    for part in location:
        fields = [f for m in models for n, f in m.model_fields.items() if part in (n, f.alias)]
        if fields:
            models = [inner for f in fields for inner in _models(f.annotation)]
        else:  # a position, a key of a mapping, or the branch of a union
            models = [m for m in models if _is_branch(part, m)] or models
    return sorted({f.alias or n for m in models for n, f in m.model_fields.items()})


def _models(annotation: Any) -> list[type[BaseModel]]:
    """The models inside an annotation: of a union, a list, a mapping."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for inner in getattr(annotation, "__args__", ()) for model in _models(inner)]


def _is_branch(part: str | int, model: type[BaseModel]) -> bool:
    """Whether a union's branch of this name is the model: `<url>`, or a value of its tag."""
    if str(part).strip("<>") in model.model_fields:
        return True
    tags = (getattr(field.annotation, "__args__", ()) for field in model.model_fields.values())
    return any(part in values for values in tags)
