"""Tests of snapshot/fingerprint.py: every change is seen and named, and nothing else is."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace

import psycopg
import pytest

from pytest_housekeeping.postgres.connection import Connection
from pytest_housekeeping.server import Server, StagingDatabase
from pytest_housekeeping.snapshot.catalog import session as catalog_session
from pytest_housekeeping.snapshot.catalog.statements import Scope
from pytest_housekeeping.snapshot.compare.declared_moves import split_declared
from pytest_housekeeping.snapshot.compare.difference import Change, diff
from pytest_housekeeping.snapshot.coverage import Around
from pytest_housekeeping.snapshot.fingerprint import Fingerprint, read_fingerprint
from pytest_housekeeping.snapshot.fingerprint_record import from_json, to_json
from pytest_housekeeping.snapshot.problems import SnapshotError
from pytest_housekeeping.snapshot.reading_again.incremental import Reading, read_again, read_whole
from support.around_mutations import AROUND_MUTATIONS
from support.snapshot_schema import MUTATIONS, Mutation

SCOPE = Scope(excluded=("housekeeping",), around=Around.ALL)


@pytest.fixture(scope="module")
def session(base: StagingDatabase) -> Iterator[Connection]:
    # As the promotion's own connection: psycopg prepares nothing, and so deallocates nothing.
    with psycopg.connect(
        base.superuser_conninfo, autocommit=True, prepare_threshold=None
    ) as connection:
        yield connection


@pytest.fixture(scope="module")
def read_before(session: Connection) -> Reading:
    return read_whole(session, SCOPE)


@pytest.fixture(scope="module")
def before(read_before: Reading) -> Fingerprint:
    return read_before.fingerprint


@pytest.fixture
def inside(session: Connection) -> Iterator[Connection]:
    """The same session in a transaction that is rolled back."""
    session.execute("BEGIN")
    yield session
    session.execute("ROLLBACK")


@pytest.mark.parametrize(
    "mutation",
    [*MUTATIONS, *AROUND_MUTATIONS],
    ids=lambda each: each.sql.replace("\n", " ").removeprefix("SET LOCAL allow_system_table_")[:70],
)
def test_a_change_is_seen_and_names_its_object_alone(
    inside: Connection, read_before: Reading, mutation: Mutation
) -> None:
    """In a full reading, and where what has changed is read again."""
    if inside.info.server_version < mutation.since * 10000:
        pytest.skip(f"PostgreSQL {mutation.since} has it first")
    inside.execute(mutation.sql.encode())
    full, again = read_fingerprint(inside), read_again(inside, read_before)
    found = diff(read_before.fingerprint, full)
    assert sorted(f"{each.change} {each.name}" for each in found) == sorted(mutation.expected)
    assert again.fingerprint == full
    assert diff(*read_before.apart(again)) == found


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO shop.customers (name) VALUES ('n')",
        "SELECT nextval('shop.counter')",
        "ANALYZE shop.orders",
        "ALTER TABLE shop.orders ADD COLUMN gone int; ALTER TABLE shop.orders DROP COLUMN gone",
        "GRANT SELECT ON shop.orders TO fp_app; GRANT SELECT ON shop.orders TO fp_app",
        "REVOKE INSERT ON shop.orders FROM fp_app; GRANT INSERT ON shop.orders TO fp_app",
        "GRANT ALL ON shop.customers TO postgres",
        "CREATE TEMPORARY TABLE orders (id int); CREATE TEMPORARY VIEW pg_class AS SELECT 1",
        "CREATE SCHEMA housekeeping CREATE TABLE history (id int)",
        "SET LOCAL search_path = shop; SET LOCAL TimeZone = 'Asia/Tokyo'",
        "SET LOCAL DateStyle = 'German'; SET LOCAL IntervalStyle = iso_8601",
        "SET LOCAL quote_all_identifiers = on; SET LOCAL bytea_output = escape",
        (
            "GRANT EXECUTE ON FUNCTION pg_catalog.lower(text) TO fp_app;"
            " REVOKE EXECUTE ON FUNCTION pg_catalog.lower(text) FROM fp_app"
        ),
        "GRANT fp_owner TO fp_app; REVOKE fp_owner FROM fp_app",
        "CREATE ROLE fp_gone; DROP ROLE fp_gone; ALTER ROLE fp_app PASSWORD 'x'",
        (
            "REVOKE SELECT ON information_schema.tables FROM PUBLIC;"
            " GRANT SELECT ON information_schema.tables TO PUBLIC"
        ),
        "ANALYZE pg_catalog.pg_class",
        "ALTER TEXT SEARCH DICTIONARY pg_catalog.english_stem (StopWords = 'english')",
        "SELECT lo_create(4711); ALTER LARGE OBJECT 4711 OWNER TO fp_app",
        "GRANT SELECT ON LARGE OBJECT 4242 TO fp_app; REVOKE ALL ON LARGE OBJECT 4242 FROM fp_app",
        # The system's library of collations was updated.
        "SET LOCAL allow_system_table_mods = on; UPDATE pg_collation SET collversion = '0.9'",
        *(
            # REINDEX CONCURRENTLY is under way, or was broken off.
            "SET LOCAL allow_system_table_mods = on;"
            f" CREATE INDEX orders_state_{ending} ON shop.orders (state) WHERE state <> 'new';"
            " UPDATE pg_index SET indisvalid = false, indisready = false"
            f" WHERE indexrelid = 'shop.orders_state_{ending}'::regclass"
            for ending in ("ccnew", "ccnew1", "ccold")
        ),
    ],
)
def test_what_is_no_change_is_none(
    inside: Connection, read_before: Reading, statement: str
) -> None:
    inside.execute(statement.encode())
    after = read_fingerprint(inside)
    assert [str(each) for each in diff(read_before.fingerprint, after)] == []
    assert after.digest == read_before.fingerprint.digest
    assert read_again(inside, read_before).fingerprint == after


def test_reading_leaves_the_session_and_the_locks_as_they_were(inside: Connection) -> None:
    inside.execute("SET LOCAL search_path = shop; SET LOCAL TimeZone = 'Asia/Tokyo'")
    asked = (
        "SELECT current_setting('search_path'), current_setting('TimeZone'), (SELECT count(*)"
        " FROM pg_locks WHERE pid = pg_backend_pid() AND relation >= 16384)"
    )
    held = inside.execute(asked.encode()).fetchone()
    read_fingerprint(inside)
    assert inside.execute(asked.encode()).fetchone() == held


def test_the_order_in_which_a_schema_was_made_does_not_count(
    server: Server, base: StagingDatabase
) -> None:
    one = """
        CREATE TABLE a (x int NOT NULL, y varchar(9) CHECK (y IN ('p', 'q')), UNIQUE (x));
        ALTER TABLE a ENABLE ROW LEVEL SECURITY;
        CREATE TABLE b (z int REFERENCES a (x));
        CREATE POLICY p ON a TO fp_app, fp_owner USING (x > 1);
        GRANT SELECT ON a TO fp_app; GRANT INSERT, UPDATE ON a TO fp_owner;
        CREATE INDEX i ON a (y); CREATE INDEX j ON b (z);
        ALTER TABLE a SET (fillfactor = 70, autovacuum_enabled = off);"""
    other = """
        CREATE TABLE b (z int);
        CREATE TABLE a (x int);
        ALTER TABLE a ADD COLUMN y varchar(9) CONSTRAINT a_y_check CHECK (y IN ('p', 'q'));
        CREATE INDEX j ON b (z); CREATE INDEX i ON a (y);
        ALTER TABLE a SET (autovacuum_enabled = off, fillfactor = 70);
        GRANT UPDATE ON a TO fp_owner; GRANT INSERT ON a TO fp_owner; GRANT SELECT ON a TO fp_app;
        ALTER TABLE a ALTER x SET NOT NULL, ADD CONSTRAINT a_x_key UNIQUE (x);
        CREATE POLICY p ON a TO fp_owner, fp_app USING (x > 1);
        ALTER TABLE b ADD CONSTRAINT b_z_fkey FOREIGN KEY (z) REFERENCES a (x);
        ALTER TABLE a ENABLE ROW LEVEL SECURITY;"""
    digests = set()
    for text in (one, other):
        database = server.database()
        with psycopg.connect(database.migrator_conninfo, autocommit=True) as connection:
            connection.execute(text)
            digests.add(read_fingerprint(connection).digest)
        server.drop(database)
    assert len(digests) == 1


_AROUND = """
SELECT lo_create(4711); GRANT SELECT ON LARGE OBJECT 4711 TO PUBLIC;
CREATE SUBSCRIPTION s CONNECTION 'dbname=x password=geheim' PUBLICATION p WITH (connect = false);
GRANT SET ON PARAMETER log_statement TO fp_owner; ALTER ROLE fp_owner SET app.token = 'geheim';
ALTER ROLE fp_owner CONNECTION LIMIT 3 VALID UNTIL '2030-01-01' PASSWORD 'geheim';
GRANT fp_owner TO fp_app; ALTER TABLE shop.dues_1 DISABLE TRIGGER ALL;
REVOKE USAGE ON TYPE shop.lone FROM PUBLIC; ALTER DATABASE {database} CONNECTION LIMIT 9;
GRANT SELECT (rolpassword) ON pg_authid TO fp_owner; CREATE EXTENSION {extension};
CREATE FUNCTION information_schema.new() RETURNS int LANGUAGE sql AS 'SELECT 1';
"""


def test_it_reads_as_a_role_without_any_privilege(
    inside: Connection, base: StagingDatabase
) -> None:
    """The same as a superuser reads, and no secret."""
    extension = "vector" if _has(inside, "vector") else "citext"
    inside.execute(_AROUND.format(database=base.name, extension=extension).encode())
    read = read_fingerprint(inside)
    inside.execute("SET LOCAL ROLE fp_app")
    assert read_fingerprint(inside) == read
    assert "geheim" not in to_json(read)
    texts = {entry.name: entry.text for entry in read.entries}
    assert texts["settings of role fp_owner"] == "app.token=[secret]\nwork_mem=5MB"
    assert texts["limits of role fp_owner"].startswith("connection limit: 3\nvalid until: 2030")
    assert texts["subscription s"].startswith("owner: postgres\ndisabled\npublications: p")
    assert "function " in texts[f"members of extension {extension}"]


def test_a_changed_member_of_an_extension_is_seen(inside: Connection) -> None:
    extension, function = (
        ("vector", "l2_distance(vector, vector)")
        if _has(inside, "vector")
        else ("citext", "citext_eq(citext, citext)")
    )
    inside.execute(f"CREATE EXTENSION {extension}".encode())
    read = read_fingerprint(inside)
    inside.execute(f"ALTER FUNCTION {function} SECURITY DEFINER".encode())
    (found,) = diff(read, read_fingerprint(inside))
    assert found.name == f"members of extension {extension}"
    assert function.partition("(")[0] in found.told


def test_one_object_that_depends_on_two_extensions_is_one(inside: Connection) -> None:
    two = sorted(("plpgsql", "vector" if _has(inside, "vector") else "citext"))
    inside.execute(f"CREATE EXTENSION IF NOT EXISTS {max(set(two) - {'plpgsql'})}".encode())
    for extension in two:
        text = f"ALTER FUNCTION shop.touch() DEPENDS ON EXTENSION {extension}"
        inside.execute(text.encode())
    found = [
        entry.text
        for entry in read_fingerprint(inside).entries
        if entry.name == "dependence of function shop.touch()"
    ]
    assert found == ["\n".join(f"on extension {each}" for each in two)]


def test_the_logins_of_a_vault_that_is_no_superuser_may_move(inside: Connection) -> None:
    """Since 16 it becomes a member of what it makes."""
    inside.execute(
        "CREATE ROLE fp_group; GRANT USAGE ON SCHEMA shop TO fp_group;"
        " CREATE ROLE fp_vault CREATEROLE; GRANT fp_group TO fp_vault WITH ADMIN OPTION"
    )
    before = read_fingerprint(inside)
    inside.execute('SET LOCAL ROLE fp_vault; CREATE ROLE "v-1" LOGIN IN ROLE fp_group; RESET ROLE')
    after = read_fingerprint(inside)
    assert len(diff(before, after)) == (2 if inside.info.server_version >= 160000 else 1)
    declared = {"logins in fp_group": "the vault hands them out"}
    assert split_declared(before, after, declared).others == ()
    assert split_declared(after, before, declared).others == ()
    inside.execute('GRANT "v-1" TO fp_app')
    (found,) = split_declared(before, read_fingerprint(inside), declared).others
    assert found.name == 'membership of fp_app in "v-1"'


@pytest.mark.parametrize(
    ("statement", "left"),
    [
        ("", set()),
        ("ALTER TABLE p1 DISABLE ROW LEVEL SECURITY", {"table shop.p1"}),
        ("ALTER TABLE p1 ALTER v SET NOT NULL", {"column shop.p1.v"}),
        ("ALTER TABLE p1 DROP CONSTRAINT p_v_check", {"constraint p_v_check on shop.p1"}),
        ("ALTER TABLE p1 ADD UNIQUE (v)", {"constraint p1_v_key on shop.p1"}),
        ("ALTER TABLE p1 ADD FOREIGN KEY (v) REFERENCES q", {"constraint p1_v_fkey on shop.p1"}),
        ("ALTER TABLE p ATTACH PARTITION p2 FOR VALUES IN (2)", {"table shop.p2"}),
    ],
)
def test_a_partition_may_be_detached_and_stay_as_it_is(
    inside: Connection, statement: str, left: set[str]
) -> None:
    inside.execute(
        "SET LOCAL search_path = shop; CREATE TABLE q (v text PRIMARY KEY);"
        "CREATE TABLE p (k int PRIMARY KEY, v text CHECK (v <> ''), r text REFERENCES q)"
        " PARTITION BY LIST (k); CREATE INDEX ON p (v);"
        "CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1); CREATE TABLE p2 (LIKE p INCLUDING ALL);"
        "ALTER TABLE p1 ENABLE ROW LEVEL SECURITY"
    )
    before = read_fingerprint(inside)
    inside.execute(f"ALTER TABLE p DETACH PARTITION p1; {statement}".encode())
    moves = split_declared(before, read_fingerprint(inside), {"partitions of shop.p": "pg_partman"})
    others = {each.name for each in moves.others}
    assert left <= others
    assert bool(left) is bool(others)
    assert len(moves.declared) >= 6


@pytest.mark.parametrize(
    ("statement", "seen"),
    [
        ("", False),
        ("ALTER ROLE fp_other SET work_mem = '4MB'", False),
        ("ALTER ROLE fp_other BYPASSRLS", True),
        ("GRANT fp_app TO fp_other", True),
        ("GRANT SELECT ON shop.orders TO fp_other", True),
        ("CREATE SCHEMA theirs AUTHORIZATION fp_other", True),
        (
            "ALTER DEFAULT PRIVILEGES FOR ROLE fp_other REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC",
            True,
        ),
        ("SELECT lo_create(4711); GRANT SELECT ON LARGE OBJECT 4711 TO fp_other", True),
        ("GRANT SET ON PARAMETER log_statement TO fp_other", True),
        ("CREATE POLICY p ON shop.orders USING (current_user = 'fp_other')", True),
    ],
)
def test_a_role_for_another_database_is_no_drift(
    inside: Connection, before: Fingerprint, statement: str, seen: bool
) -> None:
    inside.execute(f"CREATE ROLE fp_other LOGIN; {statement}".encode())
    others = split_declared(before, read_fingerprint(inside), {}).others
    assert ("role fp_other" in {each.name for each in others}) is seen
    assert seen or others == ()


def _has(connection: Connection, extension: str) -> bool:
    query = "SELECT FROM pg_available_extensions WHERE name = %s"
    return connection.execute(query, (extension,)).rowcount > 0


def test_it_reads_an_uncommitted_schema_and_others_do_not_see_it(
    inside: Connection, base: StagingDatabase, before: Fingerprint
) -> None:
    inside.execute("CREATE TABLE shop.secret_plan (id int)")
    assert diff(before, read_fingerprint(inside))[0].name == "table shop.secret_plan"
    with psycopg.connect(base.superuser_conninfo, autocommit=True) as other:
        assert read_fingerprint(other) == before


def test_outside_a_transaction_it_reads_in_one_of_its_own(
    session: Connection, before: Fingerprint
) -> None:
    assert read_fingerprint(session) == before
    assert session.info.transaction_status is psycopg.pq.TransactionStatus.IDLE


def test_a_table_that_somebody_holds_is_an_error_and_the_transaction_goes_on(
    inside: Connection, base: StagingDatabase
) -> None:
    with psycopg.connect(base.superuser_conninfo, autocommit=True) as other:
        other.execute("BEGIN; LOCK TABLE shop.orders IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(SnapshotError, match="lock timeout"):
            read_fingerprint(inside)
        assert inside.execute("SELECT 1").fetchone() == (1,)


def test_prepared_it_reads_the_same_whatever_the_session_has_lost(
    base: StagingDatabase, before: Fingerprint
) -> None:
    losses = ("SELECT 1", "DEALLOCATE ALL", "CREATE TABLE shop.later (id int)", "DISCARD PLANS")
    # As the promotion's own connection: psycopg prepares nothing, and so deallocates nothing.
    with psycopg.connect(base.superuser_conninfo, prepare_threshold=None) as connection:
        for loss in losses:
            connection.execute(loss.encode())
            prepared = read_whole(connection, SCOPE).fingerprint
            assert prepared == read_fingerprint(connection)
        (first,), *_ = connection.execute("SELECT name FROM pg_prepared_statements").fetchall()
        connection.execute(f"DEALLOCATE {first}".encode())
        found = read_whole(connection, SCOPE).fingerprint
        connection.rollback()
    assert "table shop.later" in {each.name for each in diff(before, found)}


def test_of_what_is_prepared_the_server_keeps_each_text_alone(inside: Connection) -> None:
    """Prepared in one query, each would have the text of all of them, whoever looks at it."""
    kept = "SELECT count(*), count(DISTINCT statement) FROM pg_prepared_statements"
    inside.execute("DEALLOCATE ALL")
    whole = read_fingerprint(inside)
    count, texts = inside.execute(kept).fetchall()[0]
    assert count == texts > 50
    # A server may lack the language that this takes.
    inside.execute("DEALLOCATE ALL; DROP EXTENSION plpgsql CASCADE")
    assert "extension plpgsql" in {each.name for each in diff(whole, read_fingerprint(inside))}
    assert inside.execute(kept).fetchall() == [(count, 1)]


def test_a_session_that_keeps_nothing_prepared_is_an_error(
    session: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    session.execute("DEALLOCATE ALL")
    monkeypatch.setattr(catalog_session, "_prepare", lambda *_: session.execute("DEALLOCATE ALL"))
    monkeypatch.setattr(catalog_session, "_PATIENCE", 0.1)
    with pytest.raises(SnapshotError, match=r"prepared statement .* does not exist"):
        read_whole(session, SCOPE)


def test_tables_that_come_and_go_meanwhile_do_not_matter(
    session: Connection, base: StagingDatabase, before: Fingerprint
) -> None:
    going = threading.Event()

    def come_and_go() -> None:
        with psycopg.connect(base.superuser_conninfo, autocommit=True) as other:
            while not going.wait(0.01):
                other.execute("CREATE TABLE shop.z (a int PRIMARY KEY, b text CHECK (b > 'a'))")
                other.execute("CREATE VIEW shop.zv AS SELECT * FROM shop.z")
                other.execute("DROP TABLE shop.z CASCADE")

    thread = threading.Thread(target=come_and_go)
    thread.start()
    try:
        for _ in range(10):
            found = diff(before, read_fingerprint(session))
            assert {each.name for each in found} <= {"table shop.z", "view shop.zv"}
    finally:
        going.set()
        thread.join()


def test_it_survives_its_json(before: Fingerprint) -> None:
    text = to_json(before)
    assert from_json(text) == before
    assert from_json(text).digest == before.digest
    assert to_json(from_json(text)) == text
    assert max(text.count("\n") - len(before.entries), 0) < 12


def test_a_record_that_somebody_edited_is_an_error(before: Fingerprint) -> None:
    with pytest.raises(SnapshotError, match="does not add up"):
        from_json(to_json(before).replace("row security: forced", "row security: absent"))


def test_a_difference_shows_its_lines(before: Fingerprint) -> None:
    entries = tuple(
        replace(entry, text=entry.text.replace("bigint", "integer"))
        if entry.name == "column shop.orders.total"
        else entry
        for entry in before.entries
    )
    (found,) = diff(before, replace(before, entries=entries))
    assert found.change is Change.CHANGED
    assert found.lines == ("- type: bigint", "+ type: integer")
    assert str(found) == "column shop.orders.total: type: bigint → integer"


def test_kinds_can_be_left_out(before: Fingerprint) -> None:
    names = {entry.name for entry in before.without("database", "extension").entries}
    assert "database" not in names
    assert "extension plpgsql" not in names
    assert "table shop.orders" in names
