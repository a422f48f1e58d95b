"""Variants: one YAML file that describes several things which differ in a few values.

A variant is a mapping that is laid over the rest of its file: mappings are merged, key by key;
everything else is replaced. Where both name a build `system` and they differ, the variant's whole
mapping is taken: the options of one build system mean nothing to another.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from crosspi.data.document import Document, Fault, Location

FIELD = "variants"
_WANTED = "must be mappings, each laid over the rest of the file"


def documents(document: Document, *, last: str = "") -> Iterator[tuple[str, Document]]:
    """What a file describes, by name: its variants; itself, nameless, where it has none.

    Args:
        document: the file. Its variants are a mapping, or a list: then they have no names.
        last: a field that makes the rest of the file one more, after its variants.

    Raises:
        DataError: its `variants` are no mappings.
    """
    if not isinstance(document.data, dict) or FIELD not in document.data:
        yield "", document
        return
    found = document.data[FIELD]
    named = isinstance(found, dict)
    if not isinstance(found, (dict, list)):
        raise document.error([Fault((FIELD,), _WANTED)])
    keys = list(found) if named else list(range(len(found)))
    faults = [Fault((FIELD, key), _WANTED) for key in keys if not isinstance(found[key], dict)]
    if named:
        unquoted = [str(key) for key in keys if not isinstance(key, str)]
        faults += [Fault((FIELD, key), "must be text: put it in quotes") for key in unquoted]
    if faults:
        raise document.error(faults)
    for key in keys:
        yield str(key) if named else "", variant(document, key)
    if last in document.data:
        yield "", base(document)


def base(document: Document) -> Document:
    """What all variants of a file share: the file without them."""
    data = {k: v for k, v in document.data.items() if k != FIELD}
    lines = {place: n for place, n in document.lines.items() if place[:1] != (FIELD,)}
    return Document(path=document.path, data=data, lines=lines)


def variant(document: Document, name: str | int) -> Document:
    """One variant of a file, laid over the rest; every value keeps its line.

    Args:
        document: a file with `variants`, a mapping or a list of mappings.
        name: which of them.
    """
    common = base(document)
    lines = dict(common.lines)
    place = (FIELD, name)
    data = _merge(common.data, document.data[FIELD][name], (), place, document, lines)
    return Document(path=document.path, data=data, lines=lines)


def _merge(
    below: Any,
    above: Any,
    inside: Location,
    place: Location,
    document: Document,
    lines: dict[Location, int],
) -> Any:
    """`above`, which stands at `place` of the document, laid over `below`; corrects `lines`."""
    if not isinstance(below, dict) or not isinstance(above, dict) or _other_system(below, above):
        for location in [known for known in lines if known[: len(inside)] == inside]:
            del lines[location]
        for location, line in document.lines.items():
            if location[: len(place)] == place:
                lines[inside + location[len(place) :]] = line
        return above
    merged = dict(below)
    for key, value in above.items():
        here, there = (*inside, key), (*place, key)
        merged[key] = _merge(below.get(key), value, here, there, document, lines)
    return merged


def _other_system(below: dict[str, Any], above: dict[str, Any]) -> bool:
    systems = (below.get("system"), above.get("system"))
    return None not in systems and systems[0] != systems[1]
