"""What a database must hold: ``checks/objects.toml`` as frozen facts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Any

from pytest_housekeeping.declarations.toml import Problems, expect_keys, read_toml
from pytest_housekeeping.sql.identifiers import (
    FUNCTION,
    PART,
    quoted,
    spelt,
    split_name,
    stored_name,
)

_DOTTED = {parts: re.compile(rf"{PART}(?:\.{PART}){{{parts - 1}}}") for parts in (1, 2, 3)}


class ObjectKind(StrEnum):
    """What can be declared. The value is how it is called in a message."""

    SCHEMA = "schema"
    ROLE = "role"
    TABLE = "table"
    VIEW = "view"
    FUNCTION = "function"
    INDEX = "index"
    TRIGGER = "trigger"
    NOT_VALID = "constraint not yet valid"


@dataclass(frozen=True, kw_only=True, slots=True)
class DeclaredObject:
    """One object that must exist. ``name`` is a part of its step's id, so it does not depend on
    what is a key word in which version; ``sql`` is the name to put into a statement.

    ``columns``: of a table, every column with its type as it was declared.
    """

    kind: ObjectKind
    name: str
    columns: tuple[tuple[str, str], ...] = ()

    @property
    def sql(self) -> str:
        function = FUNCTION.fullmatch(self.name)
        return quoted(*split_name(self.name)) + (f"({function[2]})" if function else "")

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Objects:
    """All declarations, in the order: schemas, roles, tables, views, functions, the rest."""

    declared: tuple[DeclaredObject, ...] = ()

    def of_kind(self, kind: ObjectKind) -> tuple[DeclaredObject, ...]:
        return tuple(declared for declared in self.declared if declared.kind is kind)

    @property
    def schemas(self) -> tuple[str, ...]:
        """The schemas that the declarations speak of, declared or as part of a name."""
        named = {d.name for d in self.of_kind(ObjectKind.SCHEMA)}
        qualified = (d for d in self.declared if d.kind not in (ObjectKind.SCHEMA, ObjectKind.ROLE))
        return tuple(sorted(named | {split_name(d.name)[0] for d in qualified}))


_LISTS = {
    "schemas": (ObjectKind.SCHEMA, 1, "venture"),
    "roles": (ObjectKind.ROLE, 1, "venture_app"),
    "views": (ObjectKind.VIEW, 2, "venture.open_orders"),
    "functions": (ObjectKind.FUNCTION, 2, "venture.order_total(bigint)"),
    "indexes": (ObjectKind.INDEX, 2, "venture.orders_customer_idx"),
    "triggers": (ObjectKind.TRIGGER, 3, "venture.orders.orders_touch"),
    "not_valid": (ObjectKind.NOT_VALID, 3, "venture.orders.orders_total_check"),
}
_KEYS = ("schemas", "roles", "tables", "views", "functions", "indexes", "triggers", "not_valid")


def parse(text: str, *, path: str) -> Objects:
    """The declarations of one file. Raises one MisuseError that tells all that is wrong with it."""
    problems = Problems(path)
    table = read_toml(text, problems)
    expect_keys(table, dict.fromkeys(_KEYS, False), "the file", problems)
    declared: dict[tuple[ObjectKind, str], DeclaredObject] = {}
    for key in _KEYS:
        for item in _of_key(key, table.get(key), problems):
            if (item.kind, item.name) in declared:
                problems.add(f"{key} declares {item.name} twice")
            declared[item.kind, item.name] = item
    if not any(table.get(key) for key in _KEYS):
        problems.add("it declares nothing")
    problems.raise_any(why="what must exist is checked against it; what is misread is not checked")
    return Objects(declared=tuple(declared.values()))


def _of_key(key: str, value: Any, problems: Problems) -> Iterator[DeclaredObject]:
    if value is None:
        return
    if key == "tables":
        yield from _tables(value, problems)
        return
    kind, parts, example = _LISTS[key]
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        problems.add(f"{key}: a list of names was expected, such as [{example!r}]")
        return
    spell = _function if kind is ObjectKind.FUNCTION else partial(_dotted, parts=parts)
    for name in value:
        stored = spell(name)
        if stored is None:
            problems.add(f"{key}: {name!r} is no name of this kind, write it like {example!r}")
        else:
            yield DeclaredObject(kind=kind, name=stored)


def _tables(value: Any, problems: Problems) -> Iterator[DeclaredObject]:
    if not isinstance(value, dict):
        problems.add('tables: a table was expected: "venture.orders" = { id = "bigint" }')
        return
    for name, columns in value.items():
        stored = _dotted(name, parts=2)
        if stored is None:
            problems.add(
                f'tables: {name!r} is no name of a table, write it in quotes: "venture.orders"'
            )
            continue
        if not isinstance(columns, dict) or not columns:
            problems.add(f"tables: {name}: every column with its type was expected")
            continue
        wrong = [c for c, t in columns.items() if not isinstance(t, str) or not t.strip()]
        for column in wrong:
            problems.add(f"tables: {name}: the type of {column!r} is no text")
        if not wrong:
            stored_columns = [(_column(c), t.strip()) for c, t in columns.items()]
            names = [column for column, _ in stored_columns]
            twice = sorted({column for column in names if names.count(column) > 1})
            for column in twice:
                problems.add(f"tables: {name}: column {column} is declared twice")
            yield DeclaredObject(kind=ObjectKind.TABLE, name=stored, columns=tuple(stored_columns))


def _dotted(name: str, *, parts: int) -> str | None:
    if not _DOTTED[parts].fullmatch(name.strip()):
        return None
    return spelt(*split_name(name.strip()))


def _function(name: str) -> str | None:
    found = FUNCTION.fullmatch(name.strip())
    if found is None:
        return None
    arguments = ",".join(part.strip() for part in _split_arguments(found[2]))
    return spelt(*split_name(name.strip())) + f"({arguments})"


def _split_arguments(text: str) -> list[str]:
    """At commas outside brackets and quotes: ``numeric(12,2), text`` holds two types."""
    parts, depth, quoted = [""], 0, False
    for character in text:
        quoted ^= character == '"'
        depth += 0 if quoted else (character == "(") - (character == ")")
        if character == "," and not depth and not quoted:
            parts.append("")
        else:
            parts[-1] += character
    return parts


def _column(name: str) -> str:
    """A key of TOML is the column's name as stored, or an identifier in SQL's own quotes."""
    return stored_name(name) if name.startswith('"') else name
