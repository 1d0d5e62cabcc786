"""A question to production's rows: how many there are, how many are in the way, and which."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from psycopg import sql

SHOWN = 3
"""So many rows are named, by their primary key."""

NULL = sql.SQL("IS NOT DISTINCT FROM NULL")
"""Whether a value is NULL itself, and not a row of NULLs.

https://www.postgresql.org/docs/16/functions-comparison.html
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """The rows of a table as production has them, with the columns and names of after the batch.

    ``rows`` stands behind FROM. Columns of it are ``place``, where a row lies, ``keys``, its
    primary key, and ``originals``, by number what a column held before it was converted. ``table``
    is production's own name.
    """

    table: sql.Identifier
    rows: sql.Composed
    place: sql.Identifier
    keys: tuple[sql.Identifier, ...]
    originals: Mapping[int, sql.Identifier] = field(default_factory=dict)

    def key(self) -> sql.Composable:
        """The primary key of a row as one text; NULL where the table has none."""
        if not self.keys:
            return sql.SQL("NULL::text")
        parts = sql.SQL(", ").join(sql.SQL("{}::text").format(each) for each in self.keys)
        return sql.SQL("pg_catalog.concat_ws(', ', {})").format(parts)


@dataclass(frozen=True, kw_only=True, slots=True)
class Forms:
    """One question in SQL. ``counted`` counts the rows in the way, ``shown`` tells the keys of some
    of them; ``evaluated`` is what is computed of one row, so that the rows can be
    found at which that ends in an error."""

    counted: sql.Composed
    shown: sql.Composed
    evaluated: sql.Composable


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """``object`` is what rows may refuse, ``demand`` in words what is wrong with one, ``table``
    whose rows are asked. What is ``lossy`` only is refused by nobody, and loses something; what
    ``converts`` asks whether a value has one of the new type. What is ``indexed`` is computed where
    an index is built."""

    object: str
    demand: str
    table: str
    source: Source
    forms: Forms
    lossy: bool = False
    converts: bool = False
    indexed: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Unasked:
    """What rows may refuse, and why production cannot be asked."""

    object: str
    why: str


def which_violate(source: Source, violates: sql.Composable) -> Forms:
    """The rows of which an expression is true."""
    return _forms(source, sql.SQL("{} WHERE {}").format(source.rows, violates), violates)


def which_repeat(source: Source, keys: Sequence[sql.Composable], among: sql.Composable) -> Forms:
    """The rows that have the same in ``keys`` as another one of them, ``among`` those of which
    that is true."""
    every = sql.SQL(", ").join(keys)
    columns = sql.SQL(", ").join((source.place, *source.keys))
    repeated = sql.SQL(
        "(SELECT {}, pg_catalog.count(*) OVER (PARTITION BY {}) AS hk_count FROM {} WHERE {})"
        " AS hk_repeated WHERE hk_count > 1"
    ).format(columns, every, source.rows, among)
    counted = sql.SQL(
        "SELECT coalesce(pg_catalog.sum(hk_count), 0)"
        " FROM (SELECT pg_catalog.count(*) AS hk_count FROM {} WHERE {} GROUP BY {}"
        " HAVING pg_catalog.count(*) > 1) AS hk_repeated"
    ).format(source.rows, among, every)
    row = sql.SQL("ROW({}, {})").format(among, every)
    return replace(_forms(source, repeated, row), counted=counted)


def which_collide(source: Source, alike: sql.Composable, among: sql.Composable) -> Forms:
    """The rows that are ``alike`` another one; that compares columns of hk_one and hk_other."""
    part = sql.SQL("(SELECT * FROM {} WHERE {}) AS {}")
    one, other = (part.format(source.rows, among, sql.SQL(n)) for n in ("hk_one", "hk_other"))
    colliding = sql.SQL(
        "{} WHERE EXISTS (SELECT FROM {} WHERE hk_one.{} <> hk_other.{} AND {})"
    ).format(one, other, source.place, source.place, alike)
    return _forms(source, colliding, among)


def which_compute(source: Source, computed: sql.Composable) -> Forms:
    """An expression of each row: none is in the way, unless it ends in an error there."""
    counted = sql.SQL("SELECT 0 * pg_catalog.count({}) FROM {}").format(computed, source.rows)
    forms = _forms(source, sql.SQL("{} WHERE false").format(source.rows), computed)
    return replace(forms, counted=counted)


def all_rows(source: Source) -> sql.Composed:
    """How many rows the table has."""
    return sql.SQL("SELECT pg_catalog.count(*) FROM ONLY {}").format(source.table)


def each_row(source: Source, evaluated: sql.Composable) -> sql.Composed:
    """What is computed of the one row that lies at $1."""
    return sql.SQL("SELECT {} FROM {} WHERE {} = $1").format(evaluated, source.rows, source.place)


def _forms(source: Source, found: sql.Composable, evaluated: sql.Composable) -> Forms:
    counted = sql.SQL("SELECT pg_catalog.count(*) FROM {}").format(found)
    shown = sql.SQL("SELECT {} FROM {} ORDER BY {} LIMIT {}").format(
        source.key(), found, source.place, sql.Literal(SHOWN)
    )
    return Forms(counted=counted, shown=shown, evaluated=evaluated)
