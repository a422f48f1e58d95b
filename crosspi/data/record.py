"""The JSON files that are kept of what was made: models with a schema, and what is read of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from crosspi.data.document import Model, ModelT
from crosspi.errors import StoreError

#: How many faults of one file a message names.
_NAMED = 5


def schema_of(model: type[Model]) -> str:
    """The JSON Schema of a model, as it is kept in `docs/`."""
    return json.dumps(model.model_json_schema(by_alias=True), indent=1) + "\n"


def validated(model: type[ModelT], plain: Any) -> ModelT:
    """What stands in a JSON document.

    Raises:
        ValueError: it is not of that model; its text names the fields that are wrong.
    """
    try:
        return model.model_validate(plain)
    except ValidationError as error:
        wrong = error.errors()[:_NAMED]
        raise ValueError(
            "; ".join(f"{'.'.join(map(str, e['loc'])) or 'it'}: {e['msg']}" for e in wrong)
        ) from error


def read_record(path: Path, model: type[ModelT], *, about: str, fix: str) -> ModelT:
    """A file that was kept.

    Args:
        path: where it lies.
        model: what it should be.
        about: what it is, for the message.
        fix: what to do where it cannot be read.

    Raises:
        StoreError: it cannot be read, or is not of that model.
    """
    try:
        return validated(model, json.loads(path.read_bytes()))
    except (OSError, ValueError, RecursionError) as error:
        raise StoreError(
            f"{about} cannot be read", where=str(path), why=str(error), fix=fix
        ) from error
