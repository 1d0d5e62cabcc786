"""A document that has every field of a JSON Schema, none with its default, and every value of each
list of values that stands in an array."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Schema = Mapping[str, Any]


def filled(schema: Schema, definitions: Schema, turn: int = 0) -> Any:
    """A value that the schema allows; ``turn`` chooses among those that it lists."""
    if "$ref" in schema:
        return filled(definitions[schema["$ref"].rpartition("/")[2]], definitions, turn)
    if "allOf" in schema:
        return filled(schema["allOf"][0], definitions, turn)
    if "anyOf" in schema:
        known = [each for each in schema["anyOf"] if each.get("type") != "null"]
        return filled(known[0], definitions, turn)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        # The last ones first: a default is mostly the first, or the empty text at the end.
        values = [each for each in schema["enum"] if each not in ("", schema.get("default"))]
        return values[turn % len(values)]
    return _PLAIN[schema["type"]](schema, definitions, turn)


def _object(schema: Schema, definitions: Schema, turn: int) -> Any:
    fields = schema.get("properties", {})
    return {name: filled(each, definitions, turn) for name, each in fields.items()}


def _array(schema: Schema, definitions: Schema, _: int) -> Any:
    items = schema["items"]
    count = max(1, _choices(items, definitions))
    return [filled(items, definitions, turn) for turn in range(count)]


def _choices(schema: Schema, definitions: Schema) -> int:
    """How many values the longest list of them has, directly in an item."""
    if "$ref" in schema:
        return _choices(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    found = [len(schema.get("enum", ()))]
    for each in schema.get("properties", {}).values():
        place = definitions.get(str(each.get("$ref", "")).rpartition("/")[2], each)
        found.append(len(place.get("enum", ())))
    return max(found)


def _text(schema: Schema, _: Schema, __: int) -> Any:
    return "2027-01-02T03:04:05Z" if schema.get("format") == "date-time" else "x"


def _boolean(schema: Schema, _: Schema, __: int) -> Any:
    return not schema.get("default", False)


_PLAIN = {
    "object": _object,
    "array": _array,
    "string": _text,
    "boolean": _boolean,
    "integer": lambda *_: 3,
    "number": lambda *_: 0.5,
}
