"""Tests of snapshot/reading_again/incremental.py: a full reading, its oracle, finds the same."""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, given, settings

from pytest_housekeeping.postgres.connection import Connection
from pytest_housekeeping.server import Server, StagingDatabase
from pytest_housekeeping.snapshot.catalog import rows as catalog_rows
from pytest_housekeeping.snapshot.catalog.rows import NotedRows
from pytest_housekeeping.snapshot.catalog.statements import ReadAgain, Scope, statements
from pytest_housekeeping.snapshot.compare.difference import diff
from pytest_housekeeping.snapshot.coverage import Around
from pytest_housekeeping.snapshot.dumps.dump import dump_schema
from pytest_housekeeping.snapshot.fingerprint import read_fingerprint
from pytest_housekeeping.snapshot.problems import SnapshotError
from pytest_housekeeping.snapshot.queries import table as query_table
from pytest_housekeeping.snapshot.reading_again import incremental
from pytest_housekeeping.snapshot.reading_again.incremental import (
    Reading,
    plan_ahead,
    read_again,
    read_whole,
)
from pytest_housekeeping.snapshot.reading_again.schema_reader import SchemaReader
from support.ddl_chains import Chain, chains
from support.dependent_names import SETUP, STATEMENTS

SCOPE = Scope(excluded=("housekeeping",), around=Around.ALL)
# Always the same ones, in the same order; `tox -e faults` goes on to a hundred.
CHAINS = 100 if os.environ.get("HK_FAULTS") else 3


@pytest.fixture(scope="module")
def empty(server: Server) -> Iterator[StagingDatabase]:
    """A database without anything, and the roles of the chains."""
    database = server.database()
    with psycopg.connect(database.superuser_conninfo, autocommit=True) as superuser:
        for role in ("app_one", "app_two"):
            with suppress(psycopg.errors.DuplicateObject):
                superuser.execute(f"CREATE ROLE {role}".encode())
    yield database
    server.drop(database)


@pytest.fixture(scope="module")
def session(
    base: StagingDatabase,
    empty: StagingDatabase,
) -> Iterator[Connection]:
    with psycopg.connect(
        base.superuser_conninfo, autocommit=True, prepare_threshold=None
    ) as connection:
        connection.execute("CREATE SCHEMA adv; ALTER SCHEMA adv OWNER TO fp_owner")
        connection.execute(SETUP)
        yield connection


@pytest.fixture(scope="module")
def before(session: Connection) -> Reading:
    return read_whole(session, SCOPE)


@pytest.fixture
def inside(session: Connection) -> Iterator[Connection]:
    """The same session in a transaction that is rolled back."""
    session.execute("BEGIN")
    yield session
    session.execute("ROLLBACK")


def same(found: Reading, connection: Connection) -> bool:
    """Whether a full reading finds the same; what differs is shown."""
    full = read_fingerprint(connection)
    assert [str(each) for each in diff(full, found.fingerprint)] == []
    return found.fingerprint == full


@pytest.mark.parametrize("statement", STATEMENTS, ids=lambda each: str(each)[:60])
def test_what_is_printed_elsewhere_is_read_again(
    session: Connection, before: Reading, statement: str
) -> None:
    """Names in others' texts, and what is only deleted; and all of it is back after ROLLBACK."""
    session.execute("BEGIN")
    try:
        session.execute(statement.encode())
        found = read_again(session, before)
        assert same(found, session)
    finally:
        session.execute("ROLLBACK")
    assert read_again(session, found).fingerprint == before.fingerprint


def test_a_session_that_reads_once_finds_the_same(session: Connection, inside: Connection) -> None:
    """Of rows of before the horizon, and of those that the transaction has written."""
    assert inside is session
    inside.execute("CREATE TABLE shop.once (id int); DROP VIEW shop.paid CASCADE")
    assert read_whole(inside, SCOPE, once=True) == read_whole(inside, SCOPE)


@pytest.mark.parametrize("most", [0, 1, 100])
def test_two_sessions_find_what_one_does(
    base: StagingDatabase, session: Connection, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    """The other one has begun, and ends behind so many statements."""
    asked, has_asked = list[bytes](), threading.Event()
    whole, first = {each.whole.encode() for each in statements(SCOPE)}, catalog_rows.note_rows

    class Other(psycopg.Connection[tuple[Any, ...]]):
        def execute(self, query: Any, *args: Any, **named: Any) -> Any:
            if query in whole:
                asked.append(query)
                has_asked.set()
                if len(asked) > most:
                    raise psycopg.OperationalError("gone")
            return super().execute(query, *args, **named)

    once = read_whole(session, SCOPE, once=True)
    noted = lambda *args, **named: has_asked.wait(10) and first(*args, **named)  # noqa: E731
    monkeypatch.setattr(incremental, "note_rows", noted)
    beside = partial(Other.connect, base.superuser_conninfo, autocommit=True)
    assert read_whole(session, SCOPE, once=True, beside=beside) == once
    assert asked


# One of each kind that is looked for only where a catalog has a row of it.
FIRST_ONES = """
CREATE SCHEMA one;
CREATE TABLE one.t (id int, name text);
CREATE VIEW one.v AS SELECT id FROM one.t;
CREATE RULE r AS ON DELETE TO one.t DO NOTHING;
CREATE FUNCTION one.f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER tr AFTER INSERT ON one.t FOR EACH ROW EXECUTE FUNCTION one.f();
CREATE POLICY p ON one.t USING (id > 0);
CREATE SEQUENCE one.s;
CREATE STATISTICS one.st ON id, name FROM one.t;
CREATE AGGREGATE one.total (int) (SFUNC = int4pl, STYPE = int);
CREATE OPERATOR one.=== (FUNCTION = int4eq, LEFTARG = int, RIGHTARG = int);
CREATE OPERATOR FAMILY one.fam USING btree;
CREATE OPERATOR CLASS one.ops FOR TYPE int USING btree FAMILY one.fam
    AS FUNCTION 1 btint4cmp(int, int);
CREATE COLLATION one.c (LOCALE = 'C');
CREATE TEXT SEARCH CONFIGURATION one.config (PARSER = 'default');
CREATE TEXT SEARCH TEMPLATE one.template (LEXIZE = dsimple_lexize);
CREATE TEXT SEARCH DICTIONARY one.dictionary (TEMPLATE = simple);
CREATE TEXT SEARCH PARSER one.parser (
    START = prsd_start, GETTOKEN = prsd_nexttoken, END = prsd_end, LEXTYPES = prsd_lextype);
CREATE CONVERSION one.conv FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8;
CREATE LANGUAGE other HANDLER plpgsql_call_handler;
CREATE CAST (int AS point) WITH INOUT;
CREATE FUNCTION one.seen(internal) RETURNS internal LANGUAGE internal IMMUTABLE
    AS 'int4recv';
CREATE TRANSFORM FOR int LANGUAGE sql (FROM SQL WITH FUNCTION one.seen(internal));
CREATE ACCESS METHOD heap_too TYPE TABLE HANDLER heap_tableam_handler;
CREATE FOREIGN DATA WRAPPER w;
CREATE SERVER away FOREIGN DATA WRAPPER w;
CREATE USER MAPPING FOR PUBLIC SERVER away;
ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC;
CREATE FUNCTION one.e() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
CREATE EVENT TRIGGER et ON ddl_command_end EXECUTE FUNCTION one.e();
CREATE PUBLICATION pub;
COMMENT ON TABLE one.t IS 'told';
"""


def test_the_first_object_of_its_kind_is_found(empty: StagingDatabase) -> None:
    """Of what has no row, nothing is asked; and neither is it once its last one is gone."""
    with psycopg.connect(
        empty.superuser_conninfo, autocommit=True, prepare_threshold=None
    ) as session:
        none = read_whole(session, SCOPE, once=True)
        assert same(none, session)
        told_of = {each for catalogs in query_table._TOLD_OF.values() for each in catalogs}
        assert not told_of & none.rows.there
        session.execute("BEGIN")
        session.execute(FIRST_ONES)
        found, anew = read_again(session, none), read_whole(session, SCOPE, once=True)
        assert same(found, session)
        assert anew.fingerprint == found.fingerprint
        assert told_of <= found.rows.there
        session.execute("ROLLBACK")
        assert read_again(session, found).fingerprint == none.fingerprint


NO_OTHERS = ("security-labels", "publications")
NONE = ("comments", *NO_OTHERS)
CHANGES_OF_DUMPS = (
    ("SELECT", NONE),
    ("COMMENT ON SCHEMA public IS NULL", NO_OTHERS),
    ("COMMENT ON SCHEMA public IS 'ours'", NO_OTHERS),
    ("COMMENT ON SCHEMA public IS 'standard public schema'", NONE),
    ("COMMENT ON TABLE public.dumped IS 'told'", NO_OTHERS),
    (
        "COMMENT ON TABLE public.dumped IS NULL; CREATE PUBLICATION p",
        NONE[:2],
    ),
    ("DROP PUBLICATION p", NONE),
)


def test_a_dump_is_the_same_where_it_does_not_look_for_what_there_is_none_of(
    empty: StagingDatabase,
) -> None:
    with psycopg.connect(
        empty.superuser_conninfo, autocommit=True, prepare_threshold=None
    ) as session:
        dump = partial(dump_schema, empty.superuser_conninfo, server_major=16)
        session.execute("CREATE TABLE public.dumped (id int)")
        for change, none in CHANGES_OF_DUMPS:
            reader = SchemaReader(scope=SCOPE)
            session.execute(change.encode())
            reader.read(session)
            assert reader.absent_kinds == none
            assert dump(absent_kinds=none) == dump()
        with psycopg.connect(empty.superuser_conninfo) as longer:
            # What is committed while an older transaction goes on is not settled.
            longer.execute("SELECT pg_catalog.pg_current_xact_id()")
            session.execute("COMMENT ON TABLE public.dumped IS 'later'")
            reader = SchemaReader(scope=SCOPE)
            reader.read(session)
            assert reader.absent_kinds == NONE[1:]
        session.execute("DROP TABLE public.dumped")


def test_few_of_the_statements_make_it_read_everything(
    inside: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the tests above would prove nothing but that a full reading is one."""
    before = read_whole(inside, SCOPE)
    read: list[str] = []
    whole = incremental._whole

    def noted(connection: Connection, scope: Scope, rows: NotedRows) -> Reading:
        read.append(statement)
        return whole(connection, scope, rows)

    monkeypatch.setattr(incremental, "_whole", noted)
    for statement in STATEMENTS[::9]:
        inside.execute("SAVEPOINT s")
        inside.execute(statement.encode())
        read_again(inside, before)
        inside.execute("ROLLBACK TO s")
    assert len(read) <= 1, read


def test_what_a_savepoint_took_back_is_seen(inside: Connection, before: Reading) -> None:
    inside.execute("SAVEPOINT s; DROP VIEW adv.v3; ALTER TABLE shop.lone ADD x int")
    within = read_again(inside, before)
    inside.execute("COMMENT ON TABLE adv.lob IS 'x'; ROLLBACK TO s; DROP INDEX adv.ie")
    found = read_again(inside, within)
    assert {each.name for each in diff(*within.apart(found))} == {
        *("view adv.v3", "index adv.ie", "column shop.lone.x")
    }
    assert same(found, inside)


def test_one_row_that_is_back_does_not_hide_another_that_is_gone(
    inside: Connection, before: Reading
) -> None:
    """Both are comments, and as many as before."""
    inside.execute("SAVEPOINT s; COMMENT ON INDEX adv.ie IS NULL")
    within = read_again(inside, before)
    inside.execute("ROLLBACK TO s; COMMENT ON COLUMN adv.t1.c1 IS NULL")
    found = read_again(inside, within)
    assert {each.name for each in diff(*within.apart(found))} == {
        *("index adv.ie", "column adv.t1.c1")
    }
    assert same(found, inside)


def test_what_began_before_the_first_reading_and_ended_behind_it_is_seen(
    base: StagingDatabase, session: Connection
) -> None:
    """Its id is lower than that of whoever reads."""
    with psycopg.connect(base.superuser_conninfo) as other:
        other.execute("CREATE TABLE adv.slow (a int); COMMENT ON TABLE adv.tr1 IS 'slow'")
        other.execute("ALTER TABLE adv.child ALTER z SET STATISTICS 7")
        session.execute("CREATE TABLE adv.quick (a int)")
        session.execute("DROP TABLE adv.quick")
        session.execute("BEGIN; CREATE TABLE adv.own (a int)")
        before = read_whole(session, SCOPE)
        other.commit()
        found = read_again(session, before)
        assert {each.name for each in diff(*before.apart(found))} == {
            *("table adv.slow", "table adv.tr1", "column adv.child.z")
        }
        assert same(found, session)
        session.execute("ROLLBACK")
        other.execute("DROP TABLE adv.slow; COMMENT ON TABLE adv.tr1 IS NULL")
        other.execute("ALTER TABLE adv.child ALTER z SET STATISTICS -1")
        other.commit()
    assert same(read_again(session, found), session)


def test_behind_commit_only_what_came_with_it_is_read(session: Connection) -> None:
    before = read_whole(session, SCOPE)
    session.execute("BEGIN; CREATE TABLE adv.kept (a int)")
    within = read_again(session, before)
    session.execute("COMMIT")
    assert read_again(session, within).fingerprint == within.fingerprint
    session.execute("DROP TABLE adv.kept")
    assert read_again(session, within).fingerprint == before.fingerprint


def test_of_an_altered_table_no_type_is_read_again(inside: Connection, before: Reading) -> None:
    inside.execute("ALTER TABLE shop.lone ADD y int")
    found = read_again(inside, before)
    assert "pg_type" not in found.again
    inside.execute("CREATE DOMAIN shop.much AS int; ALTER TABLE shop.lone ADD z shop.much")
    found = read_again(inside, found)
    assert "pg_type" in found.again
    assert same(found, inside)


def test_where_too_much_has_changed_everything_is_read(
    inside: Connection, before: Reading, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(incremental, "FEW", 1)
    monkeypatch.setattr(incremental, "_again", None)
    inside.execute("ALTER TABLE adv.t1 RENAME m TO mm")
    assert same(read_again(inside, before), inside)


def test_a_reader_reads_in_full_once_and_says_the_same(
    inside: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = SchemaReader(scope=SCOPE)
    first = reader.read(inside)
    monkeypatch.setattr(incremental, "_whole", None)
    reader.plan_ahead(inside)
    assert reader.read(inside) is first
    for statement in ("CREATE TABLE adv.n (id serial PRIMARY KEY)", "ALTER TABLE adv.n DROP id"):
        inside.execute(statement.encode())
        assert reader.read(inside) == read_fingerprint(inside)


def test_what_is_planned_ahead_of_some_catalogs_reads_all_of_them(base: StagingDatabase) -> None:
    """Fewer statements are prepared; what is asked besides is prepared when it is asked."""
    prepared = "SELECT count(*) FROM pg_prepared_statements"
    known = ReadAgain(catalogs=frozenset({"pg_proc"}), there=frozenset())
    with psycopg.connect(
        base.superuser_conninfo, autocommit=True, prepare_threshold=None
    ) as session:
        reader = SchemaReader(scope=SCOPE)
        read = read_whole(session, SCOPE)
        reader.go_on_from(read)
        assert "pg_aggregate" in read.rows.there
        counts = []
        for there, of in ((frozenset(), known), (read.rows.there, known), (read.rows.there, None)):
            session.execute("DEALLOCATE ALL")
            plan_ahead(session, SCOPE, there, of)
            counts += session.execute(prepared).fetchall()
        assert counts[0] < counts[1] < counts[2]
        # As if the first aggregate of all came with the batch: nothing of them is prepared.
        session.execute("DEALLOCATE ALL")
        plan_ahead(session, SCOPE, frozenset(), known)
        session.execute("BEGIN; CREATE FUNCTION public.planned() RETURNS int RETURN 1")
        session.execute("CREATE AGGREGATE public.first (int) (SFUNC = int4pl, STYPE = int)")
        assert reader.read(session) == read_fingerprint(session)
        session.execute("CREATE TABLE public.unplanned (id serial PRIMARY KEY)")
        assert reader.read(session) == read_fingerprint(session)
        assert reader.asked.catalogs >= {"pg_proc", "pg_class"}
        assert reader.asked.there >= read.rows.there
        session.execute("ROLLBACK")


def test_a_reader_refuses_two_objects_of_one_name(
    inside: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = SchemaReader(scope=SCOPE)
    first = reader.read(inside)
    twice = replace(first.entries[7], text="another")
    parts = replace(first, entries=()), replace(first, entries=(twice,))
    monkeypatch.setattr(Reading, "apart", lambda *_: parts)
    with pytest.raises(SnapshotError, match="two objects of one name"):
        reader.read(inside)


def test_a_role_without_any_privilege_reads_the_same(inside: Connection, before: Reading) -> None:
    inside.execute("ALTER TABLE adv.t1 RENAME m TO mm; SET LOCAL ROLE fp_owner")
    assert same(read_again(inside, before), inside)


@pytest.mark.parametrize(
    "work", ["VACUUM FULL pg_class", "VACUUM FREEZE", "VACUUM FULL pg_depend; VACUUM FULL pg_index"]
)
def test_rows_that_were_moved_or_frozen_are_the_same_ones(
    empty: StagingDatabase, work: str
) -> None:
    with psycopg.connect(
        empty.superuser_conninfo, autocommit=True, prepare_threshold=None
    ) as session:
        session.execute("CREATE TABLE young (a int)")
        before = read_whole(session, SCOPE)
        for each in work.split(";"):
            session.execute(each.encode())
        assert read_again(session, before).fingerprint == before.fingerprint
        session.execute("ALTER TABLE young ADD b int")
        assert same(read_again(session, before), session)
        session.execute("DROP TABLE young")
        assert same(read_again(session, before), session)


def test_after_each_file_of_random_chains_it_is_what_a_full_reading_finds(
    empty: StagingDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Up, down and up in savepoints, some of them rolled back, or all in one; rows are settled on
    the way."""
    monkeypatch.setattr(catalog_rows, "_MANY", 100)
    compared = 0

    @settings(
        max_examples=CHAINS,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(chains(min_changes=3, max_changes=6))
    def walk(chain: Chain) -> None:
        nonlocal compared
        chance = random.Random(compared)
        with psycopg.connect(
            empty.migrator_conninfo, autocommit=True, prepare_threshold=None
        ) as connection:
            now = read_whole(connection, SCOPE)
            connection.execute("BEGIN")
            for change in chain.changes:
                texts = [change.up, change.down, change.up] if change.down else [change.up]
                if together := chance.random() < 0.5:
                    connection.execute("SAVEPOINT change")
                for place, text in enumerate(texts):
                    if together:
                        connection.execute(text.encode())
                        now = read_again(
                            connection, now, alone=True, put_back="RESET ALL", is_prepared=place > 0
                        )
                    else:
                        now = in_a_savepoint(connection, text, now, chance)
                    assert same(now, connection)
                    compared += 1
                if together:
                    connection.execute("RELEASE SAVEPOINT change")
            connection.execute("ROLLBACK")

    walk()
    assert compared > CHAINS * 3


def in_a_savepoint(
    connection: Connection, text: str, now: Reading, chance: random.Random
) -> Reading:
    """What is read behind a file that may be rolled back first, and applied again."""
    connection.execute("SAVEPOINT file")
    connection.execute(text.encode())
    if chance.random() < 0.2:
        assert same(read_again(connection, now), connection)
        connection.execute("ROLLBACK TO SAVEPOINT file")
        connection.execute(text.encode())
    connection.execute("RELEASE SAVEPOINT file")
    return read_again(connection, now, alone=True)


def test_what_one_savepoint_writes_twice_is_seen(
    inside: Connection, before: Reading, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row that keeps its key and its writer: nothing may count as settled in between."""
    monkeypatch.setattr(catalog_rows, "_MANY", -1)
    now = before
    for number in range(3):
        inside.execute("SAVEPOINT twice")
        inside.execute(f"CREATE TABLE shop.twice_{number} (a int)".encode())
        now = read_again(inside, now, alone=True, put_back="RESET ALL")
        inside.execute(f"ALTER TABLE shop.twice_{number} RENAME TO thrice_{number}".encode())
        now = read_again(inside, now, alone=True, put_back="RESET ALL", is_prepared=True)
        assert same(now, inside)
        inside.execute("RELEASE twice")
