"""The shape of tables as one needs it to make a row: types, constraints, keys, parents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import sql

from pytest_housekeeping.checks.rls.rows.shape_query import SHAPES
from pytest_housekeeping.checks.rules.scope import run_readonly
from pytest_housekeeping.postgres.connection import Connection


@dataclass(frozen=True, kw_only=True, slots=True)
class Field:
    """A column. ``base`` is its type below any domain, ``checks`` are those of its domains."""

    name: str
    quoted: str
    type: str
    base: str
    plain: str
    kind: str
    category: str
    element: str
    labels: tuple[str, ...]
    arity: int
    checks: tuple[str, ...]
    required: bool
    default: str
    identity: str
    generated: bool
    typmod: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Reference:
    """A foreign key: columns of the table, and those that they name in another."""

    columns: tuple[str, ...]
    parent: str
    named: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Shape:
    """One table: what a row of it must be like to be taken in."""

    schema: str
    name: str
    object: str
    bare: str
    forced: bool
    fields: tuple[Field, ...]
    checks: tuple[str, ...]
    keys: tuple[tuple[str, ...], ...]
    references: tuple[Reference, ...]
    outward: tuple[str, ...]
    partitioned: bool

    def field(self, name: str) -> Field | None:
        return next((each for each in self.fields if each.name == name), None)


def read_shapes(connection: Connection, tables: Sequence[tuple[str, str]]) -> Mapping[str, Shape]:
    """The tables and everything that their rows must refer to, by name as one types it."""
    row = run_readonly(
        connection,
        sql.SQL(SHAPES)
        .format(
            schemas=sql.Literal([schema for schema, _ in tables]),
            names=sql.Literal([name for _, name in tables]),
        )
        .as_bytes(connection),
    )
    return {item["object"]: _shape(item) for item in row[0]}


def _shape(item: Mapping[str, Any]) -> Shape:
    bounds = [text for text in item["bounds"] if text]
    return Shape(
        schema=item["schema"],
        name=item["name"],
        object=item["object"],
        bare=item["bare"],
        forced=item["forced"],
        fields=tuple(
            Field(
                **{
                    **field,
                    "labels": tuple(field["labels"]),
                    "checks": tuple(field["checks"]),
                }
            )
            for field in item["fields"]
        ),
        checks=(
            *item["checks"],
            *([" OR ".join(f"({text})" for text in bounds)] if bounds else []),
        ),
        keys=tuple(tuple(key) for key in item["keys"]),
        references=tuple(
            Reference(
                columns=tuple(each["columns"]),
                parent=each["parent"],
                named=tuple(each["named"]),
            )
            for each in item["references"]
        ),
        outward=tuple(item["outward"]),
        partitioned=item["partitioned"],
    )
