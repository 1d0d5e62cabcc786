"""Tables that are alike in all that isolation looks at: what the policies of the first one have
refused is shown of the others.

A policy is told the row, the role and the session, and nothing of the table (see ``alike_pairs``).
So of empty tables with the same columns, keys, constraints, defaults, rights and policies
PostgreSQL refuses on each what it refuses on the first, for the same rows. What may be told more,
or gets its rows otherwise, is tried by itself: a table with rows, with a trigger, rule, partition
or heir; one whose policies name it or the place of a row, or read a table; one that a policy of
another reads; and one where a foreign key decides what stands in a column that policies look at.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace

from psycopg import sql

from pytest_housekeeping.checks.rls.expressions.called import Functions, reads_tables
from pytest_housekeeping.checks.rls.expressions.names import may_name
from pytest_housekeeping.checks.rls.expressions.policies import read_policies
from pytest_housekeeping.checks.rls.expressions.readable import (
    UnreadableExpression,
    parse_expression,
)
from pytest_housekeeping.checks.rls.ground import ProofGround
from pytest_housekeeping.checks.rls.pages import tables_without_pages
from pytest_housekeeping.checks.rls.proofs.alike_pairs import SYSTEM_COLUMNS
from pytest_housekeeping.checks.rls.tables import ProtectedTable
from pytest_housekeeping.checks.rules.scope import run_readonly
from pytest_housekeeping.postgres.connection import Connection

_DEMANDS = """
SELECT coalesce(pg_catalog.jsonb_agg(pg_catalog.jsonb_build_array(
    (
        SELECT pg_catalog.jsonb_agg(
            pg_catalog.pg_get_constraintdef(k.oid) ORDER BY k.conname COLLATE "C"
        )
        FROM pg_catalog.pg_constraint AS k WHERE k.conrelid = c.oid AND k.contype IN ('c', 'x')
    ),
    (
        SELECT pg_catalog.jsonb_agg(
            pg_catalog.pg_get_expr(d.adbin, d.adrelid) ORDER BY d.adnum
        )
        FROM pg_catalog.pg_attrdef AS d WHERE d.adrelid = c.oid
    ),
    (
        SELECT pg_catalog.jsonb_agg(a.attname ORDER BY a.attname)
        FROM pg_catalog.pg_attribute AS a
        WHERE a.attrelid = c.oid AND a.attnum IN (
            SELECT pg_catalog.unnest(k.conkey) FROM pg_catalog.pg_constraint AS k
            WHERE k.conrelid = c.oid AND k.contype = 'f'
        )
    ),
    c.oid IN (SELECT k.confrelid FROM pg_catalog.pg_constraint AS k WHERE k.contype = 'f')
) ORDER BY w.place), '[]')
FROM ROWS FROM (
    pg_catalog.unnest({schemas}::text[]), pg_catalog.unnest({names}::text[])
) WITH ORDINALITY AS w (schema, name, place)
INNER JOIN pg_catalog.pg_namespace AS n ON w.schema = n.nspname
INNER JOIN pg_catalog.pg_class AS c ON n.oid = c.relnamespace AND w.name = c.relname
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class AlikeTables:
    """The tables of which another one can show all that isolation asks, each with that other; and
    those of them that no other table refers to."""

    firsts: Mapping[ProtectedTable, ProtectedTable]
    apart: frozenset[ProtectedTable]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Demands:
    """The constraints and defaults of a table as PostgreSQL prints them, the columns of its foreign
    keys, and whether any refers to it."""

    checks: tuple[str, ...]
    defaults: tuple[str, ...]
    referring: frozenset[str]
    referred: bool


def find_alike(ground: ProofGround, tables: Sequence[ProtectedTable]) -> AlikeTables:
    """Those among the tables."""
    if len(tables) < 2:
        return AlikeTables(firsts={}, apart=frozenset())
    readings = {table: read_policies(table, ground.functions) for table in ground.known}
    read = {relation for reading in readings.values() for relation in reading.relations}
    candidates = tables_without_pages(ground.connection) - read
    looks_further = _Looks(ground.functions)
    groups: dict[Hashable, list[ProtectedTable]] = {}
    for table in tables:
        if (table.schema, table.name) in candidates and not looks_further.of(table):
            groups.setdefault(_form(table), []).append(table)
    several = {form: group for form, group in groups.items() if len(group) > 1}
    demands = _read_demands(
        ground.connection, [table for group in several.values() for table in group]
    )
    alike: dict[ProtectedTable, ProtectedTable] = {}
    for group in several.values():
        firsts: dict[Hashable, ProtectedTable] = {}
        for table in group:
            named, asked = frozenset(readings[table].columns), demands[table]
            referring = asked.referring & named
            # What carries the identity is written as it is, whatever refers to it.
            if referring <= {each.column for each in readings[table].comparisons}:
                form = replace(asked, referring=referring, referred=False)
                first = firsts.setdefault(form, table)
                if first is not table:
                    alike[table] = first
    apart = frozenset(table for table in alike if not demands[table].referred)
    return AlikeTables(firsts=alike, apart=apart)


@dataclass(slots=True)
class _Looks:
    """Remembers of each expression whether it reads tables, or may."""

    functions: Functions
    reads: dict[str, bool] = field(default_factory=dict)

    def of(self, table: ProtectedTable) -> bool:
        """Whether anything but the row and the session may have a part in what happens to it."""
        texts = [each for each in (*table.expressions, table.public) if each]
        by_itself = table.plain and table.owned and table.row_security and texts
        return (
            not by_itself
            or any(may_name(text, name) for text in texts for name in (table.name, *SYSTEM_COLUMNS))
            or any(self._reads_tables(text) for text in texts)
        )

    def _reads_tables(self, text: str) -> bool:
        if text not in self.reads:
            try:
                tree = parse_expression(text)
                self.reads[text] = reads_tables(tree, self.functions)
            except UnreadableExpression:
                self.reads[text] = True
        return self.reads[text]


def _form(table: ProtectedTable) -> Hashable:
    """All that is known of a table but what it and its policies are called."""
    policies = tuple(replace(each, name="", object="") for each in table.policies)
    unnamed = replace(
        table, name="", object="", no_force="it is" if table.no_force else "", policies=policies
    )
    # Not the table itself: it would be found by its name.
    return tuple(getattr(unnamed, each.name) for each in fields(unnamed))


def _read_demands(
    connection: Connection, tables: Sequence[ProtectedTable]
) -> Mapping[ProtectedTable, _Demands]:
    query = sql.SQL(_DEMANDS).format(
        schemas=sql.Literal([table.schema for table in tables]),
        names=sql.Literal([table.name for table in tables]),
    )
    (found,) = run_readonly(connection, query.as_bytes(connection)) if tables else ((),)
    return {
        table: _Demands(
            checks=tuple(checks or ()),
            defaults=tuple(defaults or ()),
            referring=frozenset(referring or ()),
            referred=referred,
        )
        for table, (checks, defaults, referring, referred) in zip(tables, found, strict=True)
    }
