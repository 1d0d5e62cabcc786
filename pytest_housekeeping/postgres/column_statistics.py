"""Which columns have planner statistics, as far as the server tells a role, and which lost them.

``pg_stats`` shows a role the columns that it may read, and nothing of a table whose row-level
security binds it: https://www.postgresql.org/docs/16/view-pg-stats.html. An owner is bound where it
is forced. Of what is not shown, each column counts as lost whose row in ``pg_attribute`` was
written since: to change a column's type, even to the type that it has, writes it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import psycopg

from pytest_housekeeping.postgres.connection import Connection
from pytest_housekeeping.sql.identifiers import quoted

_RELATIONS = r"""
SELECT c.oid::int8, n.nspname::text, c.relname::text, c.relnatts,
    pg_catalog.has_table_privilege(c.oid, 'SELECT')
    AND NOT (c.relrowsecurity AND pg_catalog.row_security_active(c.oid))
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'm', 'f')
AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
AND n.nspname NOT LIKE 'pg\_temp\_%'
"""
# Not joined with the query above: the planner expects few rows of it, and would go through them
# again and again.
_SHOWN = """
SELECT schemaname::text, tablename::text, pg_catalog.array_agg(DISTINCT attname::text)
FROM pg_catalog.pg_stats WHERE {} GROUP BY schemaname, tablename
"""
_OF_EACH = _SHOWN.format("true")
_OF_SOME = _SHOWN.format("schemaname = ANY(%s) AND tablename = ANY(%s)")
# The first of the columns of each relation that were written since a horizon.
_WRITTEN = """
SELECT attrelid::int8, pg_catalog.min(attnum) FROM pg_catalog.pg_attribute
WHERE attnum > 0 AND NOT attisdropped
AND pg_catalog.age(xmin) <= pg_catalog.age(%s::int8::text::xid) GROUP BY attrelid
"""
# What ANALYZE fills besides columns: expressions of indexes, and statistics objects.
_FURTHER = """
SELECT indexrelid::int8, indrelid::int8 FROM pg_catalog.pg_index WHERE indexprs IS NOT NULL
UNION ALL SELECT oid::int8, stxrelid::int8 FROM pg_catalog.pg_statistic_ext
"""
_HORIZON = "SELECT pg_catalog.pg_snapshot_xmin(pg_catalog.pg_current_snapshot())::xid::text::int8"
# The columns of some relations, and of others those that were written since the horizon. A frozen
# row is older than any.
_COLUMNS = """
SELECT attrelid::int8, attnum, attname::text, written
FROM pg_catalog.pg_attribute
CROSS JOIN LATERAL (SELECT pg_catalog.age(xmin)
    <= pg_catalog.age(%(horizon)s::int8::text::xid) AS written) AS w
WHERE (attrelid = ANY(%(all)s::int8[]) OR (attrelid = ANY(%(written)s::int8[]) AND written))
AND attnum > 0 AND NOT attisdropped
ORDER BY attrelid, attnum
"""
# The partitioned tables above each of some relations: ANALYZE of those goes down to it.
_ABOVE = """
SELECT r.oid::int8, a.relid::oid::int8
FROM pg_catalog.unnest(%s::int8[]) AS r (oid)
CROSS JOIN LATERAL pg_catalog.pg_partition_ancestors(r.oid::oid::regclass) AS a (relid)
WHERE a.relid::oid::int8 <> r.oid
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Relation:
    """A relation and its columns with statistics; ``told``: whether the role is shown those.

    ``attributes`` counts the columns that it ever had.
    """

    name: tuple[str, str]
    attributes: int
    told: bool
    columns: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class StatisticsSeen:
    """What one role was shown at one moment. ``further`` has the relation of each index with an
    expression and of each statistics object; ``horizon`` is older than whatever is written later.
    """

    relations: Mapping[int, Relation]
    further: Mapping[int, int]
    horizon: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Lost:
    """A relation to be analyzed: some of its columns, or with none named all of it."""

    schema: str
    table: str
    columns: tuple[str, ...] = ()


def read_statistics(
    connection: Connection,
    since: StatisticsSeen | None = None,
    *,
    among: Collection[str] | None = None,
) -> StatisticsSeen:
    """What the role is shown now. Reads no rows, and locks nothing but catalogs. Where relations
    are named, ``among`` which the next batch alters some, others count as not shown.

    Where it was read before, ``since`` then only of relations with an altered column, and of those
    that took the place of another one: no statement that defines throws away others.
    """
    horizon = connection.execute(_HORIZON).fetchone()
    relations = connection.execute(_RELATIONS).fetchall()
    known = dict[int, frozenset[str]]()
    asked = {(s, t) for _, s, t, *_ in relations if among is None or quoted(s, t) in among}
    if since is None and among is None:
        rows = connection.execute(_OF_EACH).fetchall()
    elif since is None:
        rows = _shown(connection, asked)
    else:
        altered = _altered(
            connection, since, {oid: (schema, t) for oid, schema, t, *_ in relations}
        )
        known = {oid: since.relations[oid].columns for oid in since.relations.keys() - altered}
        rows = _shown(connection, altered.values())
    shown = {(schema, table): frozenset(names) for schema, table, names in rows}
    return StatisticsSeen(
        relations={
            oid: Relation(
                name=(schema, table),
                attributes=attributes,
                told=told and (schema, table) in asked,
                columns=known[oid] if oid in known else shown.get((schema, table), frozenset()),
            )
            for oid, schema, table, attributes, told in relations
        },
        further=dict(connection.execute(_FURTHER).fetchall()),
        horizon=horizon[0] if horizon else 0,
    )


def _shown(connection: Connection, names: Iterable[tuple[str, str]]) -> list[tuple[Any, ...]]:
    parts = [[*each] for each in zip(*names, strict=True)]
    return connection.execute(_OF_SOME, parts).fetchall() if parts else []


def _altered(
    connection: Connection, since: StatisticsSeen, names: Mapping[int, tuple[str, str]]
) -> dict[int, tuple[str, str]]:
    """The relations that may have lost statistics since then, of those with these names."""
    before, known = since.relations, {each.name for each in since.relations.values()}
    written: dict[int, int] = dict(connection.execute(_WRITTEN, (since.horizon,)).fetchall())
    return {
        oid: name
        for oid, name in names.items()
        if (written.get(oid, _NONE) <= before[oid].attributes if oid in before else name in known)
    }


# Above any number of a column.
_NONE = 32767


def lost_since(
    connection: Connection, before: StatisticsSeen, now: StatisticsSeen
) -> tuple[Lost, ...]:
    """What has lost its statistics since ``before``, or has none where an expression needs some.

    Each relation once, and none whose partitioned table is there with the same columns: ANALYZE
    goes down from there.
    """
    further = {now.further[each] for each in now.further.keys() - before.further.keys()}
    whole = {oid for oid in further if oid in before.relations}
    columns = dict.fromkeys(whole, ()) | _columns_lost(connection, before, now)
    # Of a relation that took the place of another one, nothing was ever analyzed.
    whole |= columns.keys() - before.relations.keys()
    above = connection.execute(_ABOVE, (list(columns),)).fetchall()
    reached = {
        oid
        for oid, parent in above
        if parent in columns
        and (parent in whole or (oid not in whole and {*columns[oid]} <= {*columns[parent]}))
    }
    lost = [
        Lost(
            schema=now.relations[oid].name[0],
            table=now.relations[oid].name[1],
            columns=() if oid in whole else names,
        )
        for oid, names in columns.items()
        if oid not in reached
    ]
    return tuple(sorted(lost, key=lambda each: (each.schema, each.table)))


def _columns_lost(
    connection: Connection, before: StatisticsSeen, now: StatisticsSeen
) -> dict[int, tuple[str, ...]]:
    """The names of the columns that lost their statistics, by relation."""
    named = {each.name: each for each in before.relations.values()}
    pairs = {
        oid: (earlier, relation)
        for oid, relation in now.relations.items()
        if (earlier := before.relations.get(oid) or named.get(relation.name)) is not None
    }
    hidden = {oid for oid, pair in pairs.items() if not all(each.told for each in pair)}
    fewer = {
        oid for oid, (earlier, relation) in pairs.items() if earlier.columns - relation.columns
    }
    rows = connection.execute(
        _COLUMNS,
        {"horizon": before.horizon, "all": list(fewer - hidden), "written": list(hidden)},
    ).fetchall()
    left: dict[int, set[str]] = {}
    for oid, _, name, _ in rows:
        left.setdefault(oid, set()).add(name)
    lost: dict[int, tuple[str, ...]] = {}
    for oid, number, name, written in rows:
        earlier, relation = pairs[oid]
        # A column of a table that took the place of another one is none of the other's.
        altered = written and (number <= earlier.attributes or oid not in before.relations)
        renamed = bool(earlier.columns - left[oid])
        gone = altered if oid in hidden else name in earlier.columns or (altered and renamed)
        if gone and name not in relation.columns:
            lost[oid] = (*lost.get(oid, ()), name)
    return lost


def refresh(connection: Connection, lost: Lost, limits: str) -> str:
    """ANALYZE what has lost its statistics, in a transaction of its own with these ``limits``.

    Returns what kept it from being done, "" for nothing: an error, or PostgreSQL's warning that it
    skips what the role may not analyze.
    """
    said: list[str] = []

    def note(notice: psycopg.errors.Diagnostic) -> None:
        if notice.severity_nonlocalized == "WARNING":
            said.append(notice.message_primary or "")

    connection.add_notice_handler(note)
    try:
        connection.execute(f"BEGIN; {limits}; {analyze_statement(lost)}; COMMIT".encode())
    except psycopg.Error as error:
        said.append(error.diag.message_primary or str(error).strip())
        if not connection.closed:
            connection.execute("ROLLBACK")
    finally:
        connection.remove_notice_handler(note)
    return "; ".join(said)


def analyze_statement(lost: Lost) -> str:
    """``ANALYZE shop.room (name, price)``, as one would type it.

    With columns named, the expressions of indexes are left out:
    https://www.postgresql.org/docs/16/sql-analyze.html
    """
    columns = f" ({', '.join(map(quoted, lost.columns))})" if lost.columns else ""
    return f"ANALYZE {quoted(lost.schema, lost.table)}{columns}"
