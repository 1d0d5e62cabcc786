"""Stubs on a server: extensions like any other, that can no more than is declared of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import psycopg
import pytest

from pytest_housekeeping.config import Config, Stub
from pytest_housekeeping.declarations.stubs import read_stubs, shipped_names
from pytest_housekeeping.declarations.toml import Problems
from pytest_housekeeping.errors import HousekeepingError, SqlFailed
from pytest_housekeeping.model import Level
from pytest_housekeeping.postgres.connection import connect
from pytest_housekeeping.postgres.statement_errors import explain
from pytest_housekeeping.promotion.prechecks import stubs
from pytest_housekeeping.promotion.staging.result import result_restores
from pytest_housekeeping.promotion.throwaway import Throwaway, advised
from pytest_housekeeping.server import Server, ServerSettings, StagingDatabase, start
from pytest_housekeeping.server.stubs import lacking
from pytest_housekeeping.snapshot.compare.batches import SchemaChange, unlike_changes
from pytest_housekeeping.snapshot.copies.proof import prove_backup
from pytest_housekeeping.snapshot.copies.server import start_restore_server
from pytest_housekeeping.snapshot.copies.twin import Dumps, twin_of
from pytest_housekeeping.snapshot.dumps.around import dump_around
from pytest_housekeeping.snapshot.dumps.dump import dump_schema
from pytest_housekeeping.snapshot.dumps.roles import dump_roles
from pytest_housekeeping.snapshot.extensions import stubs_of
from pytest_housekeeping.snapshot.fingerprint import read_fingerprint

(SHIPPED,) = read_stubs({"stubs": {"uuid-ossp": "shipped"}}, Problems("a test"))
HTTP = Stub(
    name="http",
    types=("answer AS (status integer)", "embedding(n)"),
    functions=("fetched(uri text) RETURNS answer",),
)
STUBS = (HTTP, SHIPPED, Stub(name="vector", types=("vector",)))
SCHEMA = """
CREATE SCHEMA extensions; CREATE EXTENSION "uuid-ossp" SCHEMA extensions; CREATE EXTENSION http;
CREATE TABLE page (id uuid PRIMARY KEY DEFAULT extensions.uuid_generate_v4(),
    last answer, near embedding(3));
INSERT INTO page VALUES (DEFAULT, NULL, '[1,2,3]');
"""


@pytest.fixture(scope="module")
def stubbed() -> Iterator[Server]:
    server = start(ServerSettings(stubs=STUBS))
    yield server
    server.stop()


def test_a_stub_is_made_as_the_extension_is_and_survives_a_backup(stubbed: Server) -> None:
    database = stubbed.database()
    with connect(database.superuser_conninfo) as connection:
        before = read_fingerprint(connection)
        connection.execute(SCHEMA.encode())
        row = connection.execute(
            "SELECT id, near::text, extensions.uuid_generate_v3("
            "extensions.uuid_ns_dns(), 'www.widgets.com')::text,"
            " (SELECT count(*) FROM pg_extension) FROM page"
        ).fetchone()
        assert row is not None
        # The value of RFC 9562 for version 3; the server's own extension is itself.
        assert row[1:3] == ("[1,2,3]", "3d813cbb-47fb-32ba-91df-831e1593ac29")
        assert row[0].version == 4
        assert stubs_of(connection) == {"http", "uuid-ossp"}
        taken, roles = read_fingerprint(connection), dump_roles(connection)
        same = [SchemaChange(before=before, after=taken)] * 2
        other = SchemaChange(
            before=before, after=taken.without('extension "uuid-ossp"', "extension http")
        )
        assert unlike_changes(connection, *same, may_move={}) == ()
        assert [e.name for e in unlike_changes(connection, same[0], other, may_move={})] == [
            'extension "uuid-ossp"',
            "extension http",
        ]
        named = frozenset({"uuid-ossp", "http"})
        assert unlike_changes(connection, same[0], other, may_move={}, stubs=named) == ()
        findings = stubs.on_a_throwaway_server(STUBS, connection)[0].findings
    assert [(each.level, each.object) for each in findings] == [
        (Level.WARNING, "extension http"),
        (Level.WARNING, 'extension "uuid-ossp"'),
    ]
    dump = dump_schema(database.superuser_conninfo, server_major=16)
    needed = frozenset({"http", "uuid-ossp", "plpgsql"})
    restore_server = start_restore_server(16, needed, stubs=STUBS)
    try:
        proof = prove_backup(dump, roles, taken, server_major=16, restore_server=restore_server)
        assert (proof.limits, restore_server.major) == ((), 16)
    finally:
        restore_server.close()


@dataclass(frozen=True, kw_only=True)
class Shipped:
    """A database with every stub of the package, made by a role that was a superuser then."""

    stubs: tuple[Stub, ...]
    server: Server
    database: StagingDatabase


@pytest.fixture(scope="module")
def shipped() -> Iterator[Shipped]:
    stubs = read_stubs({"stubs": dict.fromkeys(shipped_names(), "shipped")}, Problems("a test"))
    server = start(ServerSettings(stubs=stubs))
    try:
        database = server.database()
        with connect(database.superuser_conninfo) as connection:
            # A dump makes the schemas first, also those that a stub would make.
            connection.execute("CREATE SCHEMA extensions; CREATE SCHEMA net")
            connection.execute("CREATE ROLE maker SUPERUSER; SET ROLE maker")
            for stub in stubs:
                place = "" if stub.schema else "SCHEMA extensions"
                connection.execute(f'CREATE EXTENSION "{stub.name}" {place}'.encode())
            connection.execute("GRANT USAGE ON SCHEMA cron TO pg_monitor; RESET ROLE")
            connection.execute("ALTER ROLE maker NOSUPERUSER")
        yield Shipped(stubs=stubs, server=server, database=database)
    finally:
        server.stop()


def test_every_stub_of_the_package_can_be_made_and_dumped(shipped: Shipped) -> None:
    names = {stub.name for stub in shipped.stubs}
    with connect(shipped.database.superuser_conninfo) as connection:
        row = connection.execute(
            "SELECT cron.schedule('tidy', '0 3 * * *', 'VACUUM'), net.http_post('https://x.y')"
        ).fetchone()
        assert row == (1, 1)
        connection.execute("SELECT jobid FROM cron.job; SELECT pgmq.create('q')")
        connection.execute("SELECT pgmq.send('q', '{}')")
        # PostgreSQL 16 of the wheel has this one itself.
        assert stubs_of(connection) == names - {"vector"}
    dump = dump_schema(shipped.database.superuser_conninfo, server_major=16)
    # What it makes is its own, the schemas too: the dump holds none of it.
    assert dump.count(b"CREATE EXTENSION") == len(names)
    assert b"CREATE FUNCTION" not in dump
    assert b"CREATE SCHEMA cron" not in dump


def test_what_an_extension_made_has_its_owner_on_each_copy(shipped: Shipped) -> None:
    """No dump says whose it is, nor that what its script has granted is no change of anybody's."""
    database = shipped.database
    with connect(database.superuser_conninfo) as connection:
        schema = read_fingerprint(connection, exclude_schemas=())
        roles, around = dump_roles(connection), dump_around(connection)
        version = connection.info.parameter_status("server_version") or ""
    assert schema.texts["schema cron"].startswith("owner: maker")
    dumps = Dumps(
        schema=dump_schema(database.superuser_conninfo, server_major=16),
        roles=roles,
        around=around,
    )
    opened = start_restore_server(
        16, frozenset(stub.name for stub in shipped.stubs), stubs=shipped.stubs
    )
    try:
        with twin_of(
            dumps,
            schema,
            database=database.name,
            server_version=version,
            restore_server=opened,
        ) as twin:
            assert twin.schema.texts["schema cron"] == schema.texts["schema cron"]
            assert "privileges of table cron.job" not in twin.schema.texts
    finally:
        opened.close()
    throwaway = SimpleNamespace(
        server=shipped.server,
        database=lambda: database,
        migrator=lambda: connect(database.superuser_conninfo),
    )

    def dumped() -> None:
        """An application's test, which may begin by then."""
        with connect(database.superuser_conninfo) as connection:
            connection.execute("ALTER SCHEMA cron OWNER TO postgres")

    verdict, _ = result_restores(cast("Throwaway", throwaway), None, dumped)
    assert verdict.passed


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("SELECT fetched('x')", "extension http is a stub here, and fetched has no body in it"),
        ("CREATE TABLE a (b embedding(3) PRIMARY KEY)", "no default operator class"),
        ("SELECT ''::embedding = ''::embedding", "operator does not exist"),
        ("CREATE TABLE a (b answer(3))", 'type modifier is not allowed for type "answer"'),
        ("SELECT posted('x')", "function posted(unknown) does not exist"),
        ("CREATE TABLE a (b header)", 'type "header" does not exist'),
    ],
)
def test_what_needs_more_than_is_declared_is_refused(
    stubbed: Server, in_stubs: StagingDatabase, statement: str, said: str, tmp_path: Path
) -> None:
    told = _refused(in_stubs, statement, Config(root=tmp_path, stubs=STUBS))
    assert said in told.found
    assert "of http, uuid-ossp, vector nothing but what" in told.why
    assert "--hk-twin-server" in told.fix


@pytest.fixture(scope="module")
def in_stubs(stubbed: Server) -> StagingDatabase:
    database = stubbed.database()
    with connect(database.superuser_conninfo) as connection:
        connection.execute("CREATE EXTENSION http")
    return database


def test_another_error_has_nothing_to_do_with_a_stub(
    in_stubs: StagingDatabase, tmp_path: Path
) -> None:
    for statement in ("SELECT 1 / 0", "SELECT FROM nowhere"):
        told = _refused(in_stubs, statement, Config(root=tmp_path, stubs=STUBS))
        assert "stubs" not in told.why
    told = _refused(in_stubs, "SELECT nothing()", Config(root=tmp_path))
    assert "stubs" not in told.why


def _refused(database: StagingDatabase, statement: str, config: Config) -> HousekeepingError:
    with (
        connect(database.superuser_conninfo) as connection,
        pytest.raises(psycopg.Error) as refused,
    ):
        connection.execute(statement.encode())
    told = explain("a.sql", statement, refused.value)
    assert isinstance(told, SqlFailed)
    return advised(told, "embedded", config, database)


def test_production_has_to_have_the_extension_itself(database: StagingDatabase) -> None:
    """No wheel has it, so that the server of the session stands for a production without it."""
    with connect(database.superuser_conninfo) as connection:
        verdict, _ = stubs.in_production(STUBS, connection)
        errors = [each.object for each in verdict.errors]
        assert errors == ["extension http", 'extension "uuid-ossp"']
        verdict, _ = stubs.on_a_throwaway_server(STUBS, connection)
        assert [each.object for each in verdict.errors] == errors


def test_a_stub_of_what_a_server_has_says_who_may_make_it_there(tmp_path: Path) -> None:
    (tmp_path / "http.control").write_text("relocatable = true\n")
    trusted = replace(HTTP, trusted=True)
    assert lacking(tmp_path, (HTTP, SHIPPED)) == (SHIPPED,)
    assert lacking(tmp_path, (trusted,)) == (Stub(name="http", trusted=True),)
    (tmp_path / "http.control").write_text("trusted = true\n")
    assert lacking(tmp_path, (trusted,)) == ()
