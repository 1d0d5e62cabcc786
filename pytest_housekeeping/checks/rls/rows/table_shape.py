"""The shape of a table as one needs it to make a row: types, constraints, keys and parents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import sql

from pytest_housekeeping.checks.rls.rows.shape_query import SHAPES
from pytest_housekeeping.checks.rules.scope import run_readonly
from pytest_housekeeping.postgres.connection import Connection


@dataclass(frozen=True, kw_only=True, slots=True)
class ColumnShape:
    """A column; ``quoted`` is its name for SQL. ``checks`` are the constraints of its domains.

    ``base`` is its type below any domain as SQL, ``plain`` that type's name, ``kind``, ``category``
    and ``typmod`` what the catalog says; ``labels`` belong to an enum, ``element`` to a range,
    ``arity`` to a composite type. https://www.postgresql.org/docs/16/catalog-pg-type.html
    """

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
class ParentReference:
    """Columns that must have the values of columns in a row of another table: by a foreign key, or
    because a policy compares them."""

    columns: tuple[str, ...]
    parent: str
    parent_columns: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class TableShape:
    """What a row of one table must be like to be accepted.

    ``checks`` are its constraints and partition bounds, ``keys`` the columns of its unique indexes,
    ``outward_triggers`` those that would reach outside of the transaction. ``no_force`` is the
    statement after which the policies bind the migrator no longer, empty where none is needed.
    """

    schema: str
    name: str
    object: str
    no_force: str
    columns: tuple[ColumnShape, ...]
    checks: tuple[str, ...]
    keys: tuple[tuple[str, ...], ...]
    references: tuple[ParentReference, ...]
    outward_triggers: tuple[str, ...]

    def column(self, name: str) -> ColumnShape | None:
        return next((each for each in self.columns if each.name == name), None)


def read_shapes(
    connection: Connection, tables: Sequence[tuple[str, str]]
) -> Mapping[str, TableShape]:
    """The shapes of these (schema, table) and of all tables that they refer to, by name for SQL."""
    (items,) = run_readonly(
        connection,
        sql.SQL(SHAPES)
        .format(
            schemas=sql.Literal([schema for schema, _ in tables]),
            names=sql.Literal([name for _, name in tables]),
        )
        .as_bytes(connection),
    )
    return {item["object"]: _shape(item) for item in items}


def _shape(item: Mapping[str, Any]) -> TableShape:
    bounds = [text for text in item["bounds"] if text]
    return TableShape(
        schema=item["schema"],
        name=item["name"],
        object=item["object"],
        no_force=item["no_force"],
        columns=tuple(
            ColumnShape(
                **{
                    **column,
                    "labels": tuple(column["labels"]),
                    "checks": tuple(column["checks"]),
                }
            )
            for column in item["columns"]
        ),
        checks=(
            *item["checks"],
            *([" OR ".join(f"({text})" for text in bounds)] if bounds else []),
        ),
        keys=tuple(tuple(key) for key in item["keys"]),
        references=tuple(
            ParentReference(
                columns=tuple(each["columns"]),
                parent=each["parent"],
                parent_columns=tuple(each["parent_columns"]),
            )
            for each in item["references"]
        ),
        outward_triggers=tuple(item["outward_triggers"]),
    )
