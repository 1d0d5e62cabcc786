"""Tests of snapshot/copies/changed_part.py: it shows what a whole restore, its oracle, shows."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

import psycopg
import pytest

from pytest_housekeeping.server import Server, StagingDatabase
from pytest_housekeeping.snapshot.copies import changed_part as module
from pytest_housekeeping.snapshot.copies import lanes as restore_lanes
from pytest_housekeeping.snapshot.copies.changed_part import changed_part
from pytest_housekeeping.snapshot.copies.proof import BackupProof, prove_part_beside, prove_result
from pytest_housekeeping.snapshot.copies.restore import restored_beside
from pytest_housekeeping.snapshot.coverage import Around
from pytest_housekeeping.snapshot.dumps.dump import dump_schema, without_restriction
from pytest_housekeeping.snapshot.fingerprint import Fingerprint, read_fingerprint
from pytest_housekeeping.snapshot.problems import BackupNotProved
from support.dependent_names import SETUP, STATEMENTS

GROUND = (
    """
CREATE SCHEMA shop; SET search_path = shop;
CREATE FUNCTION fold(t text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT lower(t)';
CREATE FUNCTION norm(t text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT shop.fold(t)';
CREATE FUNCTION twice(n int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT n * 2';
CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TABLE place (id int PRIMARY KEY, title text);
CREATE TABLE item (id int PRIMARY KEY, title text, place int REFERENCES place);
CREATE INDEX item_norm ON item (norm(title));
CREATE VIEW titles AS SELECT id, title FROM place;
CREATE PUBLICATION told FOR TABLE place, item;
CREATE POLICY mine ON item USING (title IN (SELECT p.title FROM place AS p));
COMMENT ON POLICY mine ON item IS 'by its place';
CREATE VIEW longest AS SELECT max(length(title)) AS n FROM titles;
CREATE TABLE log (at timestamptz, what text) PARTITION BY RANGE (at);
CREATE TABLE log_1 PARTITION OF log FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
ALTER TABLE log ADD CONSTRAINT said CHECK (what <> '');
"""
    + "".join(f"CREATE TABLE other_{n} (id int PRIMARY KEY, v text);\n" for n in range(30))
    + "RESET search_path"
)
SOUND = (
    "ALTER TABLE shop.item ADD COLUMN note text DEFAULT 'none'",
    "CREATE TABLE shop.tag (id int PRIMARY KEY, item int REFERENCES shop.item)",
    "CREATE OR REPLACE VIEW shop.titles AS SELECT id, title, 1 AS one FROM shop.place",
    "CREATE TRIGGER stamped BEFORE UPDATE ON shop.place EXECUTE FUNCTION shop.stamp()",
    "CREATE TABLE shop.log_2 PARTITION OF shop.log FOR VALUES FROM ('2025-01-01') TO (MAXVALUE)",
    "COMMENT ON COLUMN shop.place.title IS 'what it is called'; DROP TABLE shop.other_1",
    (
        "CREATE OR REPLACE FUNCTION shop.fold(t text) RETURNS text LANGUAGE sql IMMUTABLE AS"
        " 'SELECT upper(t)'; GRANT SELECT ON shop.longest TO PUBLIC"
    ),
)
# The next backup would not restore: what fails is an entry that is as it was.
BROKEN = (
    "ALTER FUNCTION shop.fold(text) RENAME TO folded",
    "DROP FUNCTION shop.fold(text)",
    "ALTER SCHEMA shop RENAME TO store",
    (
        "DROP FUNCTION shop.fold(text); CREATE FUNCTION shop.fold(n int) RETURNS int LANGUAGE sql"
        " IMMUTABLE AS 'SELECT n'"
    ),
)
# Of which a part shows nothing: all is restored.
WHOLE = (
    "CREATE TYPE shop.mood AS ENUM ('ok')",
    "CREATE CAST (int AS text) WITH INOUT AS ASSIGNMENT",
)


@dataclass(frozen=True, kw_only=True)
class Before:
    """A database before a batch, its dump and its schema."""

    database: StagingDatabase
    dump: bytes
    schema: Fingerprint


@pytest.fixture(scope="module")
def before(server: Server) -> Iterator[Before]:
    database = server.database()
    with psycopg.connect(database.superuser_conninfo, autocommit=True) as connection:
        connection.execute(GROUND.encode())
    yield _taken(database)
    server.drop(database)


def _taken(database: StagingDatabase) -> Before:
    with psycopg.connect(database.superuser_conninfo, autocommit=True) as connection:
        major = connection.info.server_version // 10000
        return Before(
            database=database,
            dump=dump_schema(database.superuser_conninfo, server_major=major),
            schema=read_fingerprint(connection, exclude_schemas=()),
        )


def _like(server: Server, before: Before) -> StagingDatabase:
    """Another database, as that one is."""
    database, template = server.database(), before.database.name
    cluster = server.cluster()
    way = cluster.conninfo(cluster.maintenance)
    with psycopg.connect(way, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {database.name}".encode())
        connection.execute(f"CREATE DATABASE {database.name} TEMPLATE {template}".encode())
    return database


def _judged(server: Server, before: Before, batch: str) -> tuple[BackupProof | None, bool]:
    """What a part of the dump of after a batch shows, and whether all of it restores."""
    database = _like(server, before)
    try:
        with psycopg.connect(database.superuser_conninfo, autocommit=True) as connection:
            connection.execute(batch.encode())
        after = _taken(database)
        major, shown = after.schema.server_major, None
        if part := changed_part(before.dump, after.dump):
            with (
                suppress(BackupNotProved),
                restored_beside(server, major, part.text, after.schema) as copy,
            ):
                shown = prove_part_beside(copy, part, before.schema, after.schema)
        try:
            prove_result(server, after.dump, after.schema, server_major=major)
        except BackupNotProved:
            return shown, False
        return shown, True
    finally:
        server.drop(database)


@pytest.mark.parametrize("batch", SOUND)
def test_a_part_shows_a_sound_batch(server: Server, before: Before, batch: str) -> None:
    """By less than half of the objects, and everything that the batch has changed among them."""
    shown, restores = _judged(server, before, batch)
    assert restores
    assert shown is not None
    assert shown.restored is not None
    assert 0 < shown.restored < shown.objects / 2


def test_two_that_are_the_same_after_a_batch_are_dumped_alike(
    server: Server, before: Before, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So the dump of the copy stands for production's (promotion/rehearsal/same_dump.py), also
    where it was restored in two sessions."""
    monkeypatch.setattr(restore_lanes, "WORTH_TWO", 5)
    major = before.schema.server_major
    with restored_beside(server, major, before.dump, before.schema) as copy:
        both = (_like(server, before), copy.database)
        for batch in SOUND:
            for database in both:
                with psycopg.connect(database.superuser_conninfo, autocommit=True) as connection:
                    connection.execute(batch.encode())
        original, copied = (_taken(database) for database in both)
        same = (each.schema.with_no_more(Around.NOTHING) for each in (original, copied))
        assert len({each.without("database").digest for each in same}) == 1
        assert without_restriction(original.dump) == without_restriction(copied.dump)
        server.drop(original.database)


@pytest.mark.parametrize("batch", BROKEN)
def test_a_part_shows_nothing_of_what_does_not_restore(
    server: Server, before: Before, batch: str
) -> None:
    """A function's body names another one, and an index calls it: noted nowhere but in words."""
    assert _judged(server, before, batch) == (None, False)


@pytest.mark.parametrize("batch", WHOLE)
def test_what_other_statements_meet_without_a_name_has_all_restored(
    server: Server, before: Before, batch: str
) -> None:
    assert _judged(server, before, batch) == (None, True)


def test_a_part_that_lacks_anything_shows_nothing(server: Server, before: Before) -> None:
    """What was changed and is not what it should be, is there and should not, or is missing."""
    after = before.dump.replace(b"CREATE TABLE shop.place (", b"CREATE TABLE shop.place (n int,")
    part = changed_part(before.dump, after)
    assert part is not None
    major = before.schema.server_major
    with restored_beside(server, major, part.text, before.schema) as copy:
        assert prove_part_beside(copy, part, before.schema, before.schema) is None


@pytest.mark.skipif(not os.environ.get("HK_FAULTS"), reason="a restore for each of 97 statements")
def test_a_part_shows_nothing_that_a_whole_restore_does_not(
    server: Server, base: StagingDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Statements of every kind, in a schema whose objects name each other."""
    with psycopg.connect(base.superuser_conninfo, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA adv; ALTER SCHEMA adv OWNER TO fp_owner")
        connection.execute(SETUP)
        for (name,) in connection.execute("SELECT evtname FROM pg_event_trigger").fetchall():
            connection.execute(f"DROP EVENT TRIGGER {name}".encode())
    monkeypatch.setattr(module, "_SHARE", 1)  # much of this schema is concerned by anything
    before, shown = _taken(base), 0
    for batch in STATEMENTS:
        if "ROLE" in batch or "EVENT" in batch or "OWNED BY fp" in batch or "SAVEPOINT" in batch:
            continue  # roles belong to all databases of the server
        part, restores = _judged(server, before, batch)
        assert restores or part is None, batch
        shown += part is not None
    assert shown > 5
