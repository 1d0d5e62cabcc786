"""Names that differ from database to database of a fleet, as its list declares them.

What is compared holds a mark in the place of a database's own name, so that two schemas are alike
where nothing but these names differs. A mark stands for a whole identifier, never for a part of
one, and what another database declares stays as it is: a grant to the neighbour's role is a
difference. Of roles, which all databases of a server see, the neighbours' are told apart by what
they are and not by how they are called.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import fields, is_dataclass, replace
from typing import LiteralString, TypeVar, cast

from psycopg import sql

from pytest_housekeeping.config import Target
from pytest_housekeeping.snapshot.compare.batches import SchemaChange
from pytest_housekeeping.snapshot.compare.renamed_objects import WORD, with_names
from pytest_housekeeping.snapshot.coverage import KINDS, Around, beyond
from pytest_housekeeping.snapshot.fingerprint import Fingerprint, SchemaObject

T = TypeVar("T")
_QUOTED = re.compile(r'"((?:[^"]|"")*)"')
_AROUND = tuple(f"{kind} " for kind in beyond(Around.NOTHING))
_SERVER = tuple(f"{kind} " for kind in KINDS[Around.SERVER])
# PostgreSQL has no text with a NUL: a mark is in none.
_MARK = "\0{}\0"


def group_schema(schema: Fingerprint, database: str, target: Target) -> str:
    """The digest by which databases of one group are known: all that is read of them, where their
    own names are the same."""
    marked = with_marks(schema, target)
    name = re.compile(rf"(?<![\w.]){re.escape(database)}(?![\w.])")

    def plain(entry: SchemaObject) -> SchemaObject:
        told = database in entry.name or database in entry.text
        if not told or not f"{entry.name} ".startswith(_AROUND):
            return entry
        return replace(entry, name=name.sub("?", entry.name), text=name.sub("?", entry.text))

    return replace(marked, entries=tuple(map(plain, marked.entries))).digest


def with_marks(schema: Fingerprint, target: Target) -> Fingerprint:
    """The schema with a mark for each name that the list declares of this database."""
    if not target.names:
        return schema
    own = {name: _MARK.format(key) for key, name in target.names.items()}
    others = dict.fromkeys(target.neighbours, _MARK.format("")) | own

    def marked(entry: SchemaObject) -> SchemaObject:
        of_server = f"{entry.name} ".startswith(_SERVER)
        return with_names(entry, others if of_server else own)

    return replace(schema, entries=_sorted({marked(entry) for entry in schema.entries}))


def as_here(
    change: SchemaChange, there: Mapping[str, str], here: Mapping[str, str]
) -> SchemaChange:
    """What has changed of another database, as it would be called in this one."""
    both = exchanged(there, here)
    if not both:
        return change

    def renamed(schema: Fingerprint) -> Fingerprint:
        return replace(schema, entries=_sorted([with_names(e, both) for e in schema.entries]))

    return SchemaChange(before=renamed(change.before), after=renamed(change.after))


def exchanged(there: Mapping[str, str], here: Mapping[str, str]) -> Mapping[str, str]:
    """Each name for the other: no two objects are called alike then."""
    names = {there[key]: here[key] for key in there if there[key] != here[key]}
    return {name: other for other, name in names.items()} | names


def called(value: T, names: Mapping[str, str]) -> T:
    """The same with other names, in whatever facts and SQL is made up of."""
    return cast("T", _called(value, names))


def _called(value: object, names: Mapping[str, str]) -> object:
    if type(value) is str:
        return WORD.sub(lambda found: _word(found[0], names), value)
    if isinstance(value, sql.Identifier):
        parts = (each.replace('""', '"') for each in _QUOTED.findall(value.as_string(None)))
        return sql.Identifier(*(names.get(each, each) for each in parts))
    if isinstance(value, sql.Composed):
        return sql.Composed([_called(each, names) for each in value])
    if isinstance(value, sql.Composable):
        text = value.as_string(None)
        other = _called(text, names)
        return value if other == text else sql.SQL(cast("LiteralString", other))
    if isinstance(value, tuple):
        return tuple(_called(each, names) for each in value)
    if isinstance(value, Mapping):
        return {_called(key, names): _called(each, names) for key, each in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        own = {each.name: getattr(value, each.name) for each in fields(value) if each.init}
        other = {name: _called(each, names) for name, each in own.items()}
        return value if other == own else replace(value, **other)
    return value


def _word(word: str, names: Mapping[str, str]) -> str:
    if word.startswith('"'):
        return f'"{names.get(word[1:-1], word[1:-1])}"'
    return names.get(word, word)


def _sorted(entries: Collection[SchemaObject]) -> tuple[SchemaObject, ...]:
    return tuple(sorted(entries, key=lambda entry: (entry.name, entry.text)))
