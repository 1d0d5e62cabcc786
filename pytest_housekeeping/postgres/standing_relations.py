"""The relations of a database at one moment, by OID, and what a batch has done to their data.

A table is written anew where it gets another file, and emptied by TRUNCATE the same way, without
being read: https://www.postgresql.org/docs/16/storage-file-layout.html
OIDs and attribute numbers tell what names cannot: a column that was dropped and made again has the
same name, and no value of before.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from pytest_housekeeping.postgres.batch_facts import (
    DROPPED,
    EMPTIED,
    Destroyed,
    IndexBuild,
    Renamed,
)
from pytest_housekeeping.postgres.connection import Connection
from pytest_housekeeping.sql.identifiers import quoted

_WITH_FILES = ("r", "m")
_KINDS = {"r": "table", "p": "table", "m": "materialized view"}
_RELATIONS = r"""
SELECT c.oid::int8, pg_catalog.format('%%I.%%I', n.nspname, c.relname), c.relkind::text,
    c.relfilenode::int8, c.reltablespace::int8, coalesce(i.indrelid, h.inhparent, 0)::int8,
    CASE WHEN c.relkind IN ('r', 'p', 'm') THEN
        (SELECT pg_catalog.json_object_agg(a.attnum, a.attname) FROM pg_catalog.pg_attribute AS a
         WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) END
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_index AS i ON i.indexrelid = c.oid
LEFT JOIN pg_catalog.pg_inherits AS h
    ON h.inhrelid = c.oid AND c.relispartition AND c.relkind <> 'i'
WHERE c.relkind IN ('r', 'p', 'm', 'i') AND c.relpersistence <> 't'
AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND n.nspname <> %s
ORDER BY 1
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """A relation: its kind by pg_class's letter, where it lies, and its columns by number.

    ``belongs_to`` is the table of an index, and of a partition the table that it is a part of.
    """

    name: str
    kind: str
    file: int
    tablespace: int
    belongs_to: int
    columns: Mapping[int, str] = field(default_factory=dict)


Relations = Mapping[int, Standing]


def read_standing(connection: Connection, *, but: str) -> Relations:
    """The tables, materialized views and indexes that stand, but for those in one schema."""
    return {
        oid: Standing(
            name=name,
            kind=kind,
            file=file,
            tablespace=tablespace,
            belongs_to=belongs_to,
            columns={int(number): quoted(column) for number, column in (columns or {}).items()},
        )
        for oid, name, kind, file, tablespace, belongs_to, columns in connection.execute(
            _RELATIONS, (but,)
        ).fetchall()
    }


def emptied(
    before: Relations,
    after: Relations,
    reads: Mapping[str, int],
    *,
    named: Collection[str],
    unclear: Collection[str],
) -> tuple[str, ...]:
    """The tables that lie in another file and were not read on the way there: TRUNCATE.

    ``reads`` is how often each was read. Its indexes are built anew, which reads it once for each;
    where its rows are kept it is read once more. Those that are ``named`` by a TRUNCATE were
    emptied, however often they were read, and of the ``unclear`` no others. Where a table goes to
    another tablespace, its file is copied as it is.
    """
    indexes = Counter(each.belongs_to for each in before.values() if each.kind == "i")
    return tuple(
        sorted(
            was.name
            for oid, was in _written_anew(before, after)
            if was.kind == "r"
            and was.tablespace == after[oid].tablespace
            and (
                was.name in named
                or (was.name not in unclear and reads.get(was.name, 0) <= indexes[oid])
            )
        )
    )


def rewritten(before: Relations, after: Relations, empty: Collection[str]) -> tuple[str, ...]:
    """The relations whose rows were all written to another file."""
    names = {was.name for _, was in _written_anew(before, after)}
    return tuple(sorted(names - set(empty)))


def built_indexes(
    before: Relations, after: Relations, empty: Collection[str]
) -> tuple[IndexBuild, ...]:
    """The indexes that were built from rows: of tables that stood before and were not emptied.

    One whose column got a type of the same form keeps its file under another OID.
    """
    files = {was.file for was in before.values()}
    names = {was.name for was in before.values() if was.kind == "i"}
    found = (
        IndexBuild(index=now.name, table=before[now.belongs_to].name, rebuilt=now.name in names)
        for now in after.values()
        if now.kind == "i" and now.file not in files and now.belongs_to in before
    )
    return tuple(
        sorted((e for e in found if e.table not in empty), key=lambda e: (e.table, e.index))
    )


def destroyed(before: Relations, after: Relations, empty: Collection[str]) -> tuple[Destroyed, ...]:
    """The data that are gone: of a table with its partitions, and of a column that a table shares
    with them, only the table's own is told."""
    found = [*_dropped(before, after)]
    found += [Destroyed(kind="table", object=name, how=EMPTIED, relation=name) for name in empty]
    return tuple(sorted(found, key=lambda each: (each.relation, each.object)))


def renamed(before: Relations, after: Relations) -> tuple[Renamed, ...]:
    """The tables and columns that are called otherwise. Of a column that a table shares with its
    partitions, only the table's own is told."""
    found = []
    for oid, was in before.items():
        now = after.get(oid)
        if was.kind not in _KINDS or now is None:
            continue
        if was.name != now.name:
            found.append(Renamed(kind="table", before=was.name, after=now.name))
        if was.belongs_to in before:
            continue
        for number, column in was.columns.items():
            other = now.columns.get(number, column)
            if other != column:
                names = (f"{was.name}.{column}", f"{now.name}.{other}")
                found.append(Renamed(kind="column", before=names[0], after=names[1]))
    return tuple(sorted(found, key=lambda each: (each.before, each.after)))


def _dropped(before: Relations, after: Relations) -> Iterator[Destroyed]:
    for oid, was in before.items():
        if was.kind not in _KINDS:
            continue
        whole = before.get(was.belongs_to)
        now = after.get(oid)
        if now is None:
            if whole is None or was.belongs_to in after:
                kind = _KINDS[was.kind]
                yield Destroyed(kind=kind, object=was.name, how=DROPPED, relation=was.name)
            continue
        gone = was.columns.keys() - now.columns.keys()
        shared = _lost_columns(whole, after.get(was.belongs_to)) if whole else set()
        for number in sorted(gone):
            column = was.columns[number]
            if column not in shared:
                name = f"{was.name}.{column}"
                yield Destroyed(kind="column", object=name, how=DROPPED, relation=was.name)


def _lost_columns(was: Standing, now: Standing | None) -> set[str]:
    gone = was.columns.keys() - (now.columns.keys() if now else set())
    return {was.columns[number] for number in gone}


def _written_anew(before: Relations, after: Relations) -> Iterator[tuple[int, Standing]]:
    for oid, was in before.items():
        now = after.get(oid)
        if was.kind in _WITH_FILES and now is not None and now.file != was.file:
            yield oid, was
