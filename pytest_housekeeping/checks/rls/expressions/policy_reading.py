"""What policies look at, as facts: comparisons with the context, columns that belong together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

# Schema and name.
Relation: TypeAlias = tuple[str, str]
Column: TypeAlias = tuple[Relation, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class ContextComparison:
    """A policy compares a column with ``expression``, which names no column and is computed at run
    time, as ``current_setting(...)`` is.

    Where it compares no more than a part of it, or what it makes of it, ``atom`` is that whole
    condition, with the column as the only one.
    """

    schema: str
    table: str
    column: str
    expression: str
    atom: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class ContextConstant:
    """A policy compares such an expression with a text that it holds itself: a role, say.
    ``anything``: it asks only that there be one, such as the value."""

    expression: str
    value: str
    anything: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class ColumnConstant:
    """A policy asks for a row in which a column has this value; of its own table, or another."""

    schema: str
    table: str
    column: str
    value: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ColumnLink:
    """A policy compares two columns: rows that belong together have the same value in both."""

    one: Column
    other: Column


@dataclass(frozen=True, kw_only=True, slots=True)
class PolicyReading:
    """What a table's policies look at: comparisons with the context and with other columns, every
    column of the table itself, and the other ``relations`` that they read, also in the bodies of
    functions, with the columns that they look at there (``looked_into``); ``unread`` are
    expressions that could not be parsed."""

    comparisons: tuple[ContextComparison, ...] = ()
    columns: tuple[str, ...] = ()
    links: tuple[ColumnLink, ...] = ()
    constants: tuple[ContextConstant, ...] = ()
    column_constants: tuple[ColumnConstant, ...] = ()
    relations: tuple[Relation, ...] = ()
    looked_into: tuple[Column, ...] = ()
    unread: tuple[str, ...] = ()
