"""Tables, columns, constraints and types of a database by OID, at one moment."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from psycopg import sql

from pytest_housekeeping.sql.identifiers import quoted

_WORD = re.compile(r"\w+")


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """A column. ``type_text`` is its type with what limits it; ``missing`` what the rows have that
    stood before the column was added, None where nothing is kept for them; ``generated`` is the
    expression that it is made by; ``virtual`` where that is not stored."""

    number: int
    name: str
    type: int
    typmod: int
    type_text: str
    not_null: bool
    identity: bool
    missing: str | None
    generated: str | None
    virtual: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Relation:
    """A table or a materialized view. ``file`` is another one when its rows were written anew;
    ``bound`` is what a ``partition`` takes, with the bounds of all above it; "" for one that takes
    everything."""

    oid: int
    schema: str
    name: str
    kind: str
    file: int
    partition: bool
    bound: str
    parents: tuple[int, ...]
    primary_key: tuple[int, ...]
    columns: Mapping[int, Column]

    @property
    def has_rows(self) -> bool:
        """A partitioned table has none of its own."""
        return self.kind != "p"

    @property
    def identifier(self) -> sql.Identifier:
        return sql.Identifier(self.schema, self.name)

    def __str__(self) -> str:
        return quoted(self.schema, self.name)


@dataclass(frozen=True, kw_only=True, slots=True)
class Constraint:
    """A constraint of a table, or of a domain (``relation`` is 0 then). ``holds`` where it was
    proved of all rows; ``acts`` where it changes rows with those that it refers to."""

    oid: int
    name: str
    kind: str
    relation: int
    domain: int
    holds: bool
    columns: tuple[int, ...]
    referenced: int
    referenced_columns: tuple[int, ...]
    full: bool
    acts: bool
    index: int
    parent: int
    period: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Index:
    """An index; ``computes`` where it has expressions or a predicate."""

    oid: int
    relation: int
    name: str
    unique: bool
    valid: bool
    computes: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Type:
    """A type. ``name`` is without what limits a value; of a domain what it is made of, by OID;
    ``element`` is that of an array."""

    oid: int
    name: str
    kind: str
    category: str
    base: int
    typmod: int
    not_null: bool
    element: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Function:
    """A function of the database's own; ``words`` are those that stand in its body."""

    name: str
    language: str
    source: str

    @property
    def words(self) -> frozenset[str]:
        return frozenset(_WORD.findall(self.source.lower()))


@dataclass(frozen=True, kw_only=True, slots=True)
class View:
    """A view, and the relations that it reads, by OID."""

    oid: int
    schema: str
    name: str
    reads: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class RowCatalog:
    """All of it at one moment. ``identities`` tells, by catalog and OID, what a function, type,
    operator or collation of the database's own is by now; ``triggers`` which functions those of a
    table call."""

    relations: Mapping[int, Relation]
    constraints: Mapping[int, Constraint]
    indexes: Mapping[int, Index]
    types: Mapping[int, Type]
    identities: Mapping[tuple[str, int], str] = field(repr=False)
    functions: Mapping[int, Function] = field(repr=False)
    triggers: Mapping[int, tuple[int, ...]]
    views: Mapping[int, View]
    sequences: frozenset[int]

    def read_by(self, view: View) -> Iterator[int]:
        """The tables that a view reads, through others too."""
        for oid in view.reads:
            below = self.views.get(oid)
            yield from self.read_by(below) if below is not None else (oid,)

    def base_of(self, type_: int) -> tuple[int, int]:
        """What a type is made of in the end, and what limits its values there."""
        typmod = -1
        while (found := self.types.get(type_)) is not None and found.kind == "d":
            type_, typmod = found.base, found.typmod if typmod < 0 else typmod
        return type_, typmod

    def domains_of(self, type_: int) -> Iterator[int]:
        """The domains that a value of this type passes through."""
        while (found := self.types.get(type_)) is not None and found.kind == "d":
            yield type_
            type_ = found.base
