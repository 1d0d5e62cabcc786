"""How large all tables are, and in which files: what a batch has made of that."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pytest_housekeeping.postgres.clone_facts import Growth
from pytest_housekeeping.postgres.connection import Connection

# Each is locked in the weakest mode for as long as it is looked at, and no longer.
_SIZES = """
SELECT c.oid::int8, pg_catalog.format('%%I.%%I', n.nspname, c.relname),
    pg_catalog.pg_relation_filenode(c.oid)::int8, pg_catalog.pg_table_size(c.oid),
    pg_catalog.pg_indexes_size(c.oid)
FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'm') AND c.relpersistence <> 't' AND n.nspname !~ '^pg_'
AND n.nspname <> 'information_schema' AND n.nspname <> %s
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Size:
    """A table, the file of its rows, and how many bytes it and its indexes have."""

    name: str
    file: int | None
    table: int
    indexes: int


def read_sizes(connection: Connection, *, but: str) -> dict[int, Size]:
    """Of every table and materialized view, by OID, without those of the schema ``but``."""
    rows = connection.execute(_SIZES, (but,)).fetchall()
    return {
        oid: Size(name=name, file=file, table=table or 0, indexes=indexes or 0)
        for oid, name, file, table, indexes in rows
    }


def growth(before: Mapping[int, Size], after: Mapping[int, Size]) -> tuple[Growth, ...]:
    """What is of another size or in another file, by the names of before, the largest first."""
    found = sorted(_changed(before, after), key=lambda each: (-each.more, each.relation))
    return tuple(found)


def _changed(before: Mapping[int, Size], after: Mapping[int, Size]) -> Iterator[Growth]:
    nothing = Size(name="", file=None, table=0, indexes=0)
    for oid in before.keys() | after.keys():
        old, new = before.get(oid, nothing), after.get(oid, nothing)
        if (old.file, old.table, old.indexes) == (new.file, new.table, new.indexes):
            continue
        stands = oid in before and oid in after
        yield Growth(
            relation=old.name or new.name,
            table_before=old.table,
            table_after=new.table,
            indexes_before=old.indexes,
            indexes_after=new.indexes,
            rewritten=stands and old.file != new.file,
            made=oid not in before,
            dropped=oid not in after,
        )
