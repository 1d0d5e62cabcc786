"""Schemas of one shape in one database: one for each tenant, which an application makes itself."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256

from pytest_housekeeping.snapshot.compare.renamed_objects import with_names
from pytest_housekeeping.snapshot.fingerprint import SchemaObject

_SCHEMA = "schema "
# PostgreSQL has no text with a NUL: the mark is in none.
_MARK = "\0"


def alike_schemas(like: str, entries: Mapping[str, SchemaObject]) -> frozenset[str]:
    """The schemas, ``schema acme``, that hold just what the schema called ``like`` holds, with the
    same owners and grants; without that one itself. A name stands for a whole identifier."""
    held: dict[str, list[SchemaObject]] = {}
    for entry in entries.values():
        root = _root(entry, entries)
        if root.name.startswith(_SCHEMA):
            held.setdefault(root.name, []).append(entry)
    model = held.pop(f"{_SCHEMA}{like}", [])
    same = [name for name, each in held.items() if len(each) == len(model)]
    shape = _shape(f"{_SCHEMA}{like}", model)
    return frozenset(name for name in same if _shape(name, held[name]) == shape)


def _root(entry: SchemaObject, entries: Mapping[str, SchemaObject]) -> SchemaObject:
    """What it belongs to in the end."""
    for _ in range(len(entries)):
        above = entries.get(entry.parent)
        if above is None:
            break
        entry = above
    return entry


def _shape(schema: str, held: list[SchemaObject]) -> str:
    names = {schema.removeprefix(_SCHEMA): _MARK}
    marked = (with_names(each, names) for each in held)
    found = sorted((each.name, each.parent, each.text) for each in marked)
    return sha256(repr(found).encode()).hexdigest()
