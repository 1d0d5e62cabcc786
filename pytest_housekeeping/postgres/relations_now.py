"""What a relation holds now, and how often it is written to, by the catalog and the counters.

No row is read and no table is locked by it, but for the ACCESS SHARE lock under which a size is
asked for. Rows are as many as ANALYZE has estimated, or as the counters add up to.
https://www.postgresql.org/docs/16/catalog-pg-class.html
https://www.postgresql.org/docs/16/monitoring-stats.html#MONITORING-PG-STAT-ALL-TABLES-VIEW
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg

from pytest_housekeeping.postgres.connection import Connection

_WRITES = """
SELECT c.oid::int8, pg_catalog.pg_stat_get_tuples_inserted(c.oid)
    + pg_catalog.pg_stat_get_tuples_updated(c.oid) + pg_catalog.pg_stat_get_tuples_deleted(c.oid)
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'm') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
"""
# A partitioned table holds what its partitions hold.
_PARTS = """
SELECT t.name, c.oid::int8, c.reltuples::float8, pg_catalog.pg_stat_get_live_tuples(c.oid)
FROM pg_catalog.unnest(%s::text[]) AS t (name)
CROSS JOIN LATERAL (
    SELECT pg_catalog.to_regclass(t.name)::oid
    UNION SELECT relid::oid FROM pg_catalog.pg_partition_tree(pg_catalog.to_regclass(t.name))
) AS part (oid)
JOIN pg_catalog.pg_class AS c ON c.oid = part.oid AND c.relkind IN ('r', 'm')
ORDER BY 1, 2
"""
_SIZES = "SELECT oid::int8, pg_catalog.pg_total_relation_size(oid) FROM unnest(%s::oid[]) AS oid"
_PATIENCE = "2s"


@dataclass(frozen=True, kw_only=True, slots=True)
class RelationNow:
    """A relation as it is now. ``size`` is in bytes, with indexes and TOAST; what nobody knows is
    None."""

    relation: str
    rows: int | None
    size: int | None
    writes_per_s: float | None


@dataclass(frozen=True, kw_only=True)
class FirstLook:
    """How often each relation had been written to at a moment of the monotonic clock."""

    writes: Mapping[int, int]
    at: float = field(default_factory=time.monotonic)

    @property
    def age_s(self) -> float:
        return time.monotonic() - self.at


def first_look(connection: Connection) -> FirstLook:
    """The counters of all relations, for ``relations_now`` to compare with."""
    return FirstLook(writes=dict(connection.execute(_WRITES).fetchall()))


def relations_now(
    connection: Connection, names: Iterable[str], first: FirstLook
) -> tuple[RelationNow, ...]:
    """What each of these holds, and how often it was written to since the first look.

    Outside of a transaction. Of a relation that is no table, and of one that is not there, nothing
    is told; of one that somebody keeps everybody out of, not its size.
    """
    parts: dict[str, list[tuple[Any, ...]]] = {}
    for name, *part in connection.execute(_PARTS, (sorted(set(names)),)).fetchall():
        parts.setdefault(name, []).append(tuple(part))
    seconds = first.age_s
    now: dict[int, int] = dict(connection.execute(_WRITES).fetchall())
    sizes = _sizes(connection, [part[0] for each in parts.values() for part in each])
    return tuple(
        RelationNow(
            relation=name,
            rows=_rows(each, sizes),
            size=_sum(sizes.get(oid) for oid, *_ in each),
            writes_per_s=_rate([oid for oid, *_ in each], first.writes, now, seconds),
        )
        for name, each in parts.items()
    )


def _sizes(connection: Connection, oids: Sequence[int]) -> dict[int, int]:
    """By OID, as far as they are to be had without waiting for long."""
    try:
        connection.execute(f"BEGIN READ ONLY; SET LOCAL lock_timeout = '{_PATIENCE}'".encode())
        return dict(connection.execute(_SIZES, (list(oids),)).fetchall())
    except (psycopg.errors.LockNotAvailable, psycopg.errors.UndefinedTable):
        return {}
    finally:
        connection.execute("ROLLBACK")


def _rows(parts: Sequence[tuple[Any, ...]], sizes: Mapping[int, int]) -> int | None:
    """An estimate; before the first ANALYZE of a table, what its counters say, if they say it."""
    return _sum(
        int(tuples) if tuples >= 0 else live if live or not sizes.get(oid, 1) else None
        for oid, tuples, live in parts
    )


def _rate(
    oids: Sequence[int], before: Mapping[int, int], now: Mapping[int, int], seconds: float
) -> float | None:
    moved = _sum(now[oid] - before[oid] if oid in now and oid in before else None for oid in oids)
    return None if moved is None or seconds <= 0 else round(max(0, moved) / seconds, 2)


def _sum(values: Iterable[int | None]) -> int | None:
    known = list(values)
    return None if None in known else sum(each for each in known if each is not None)
