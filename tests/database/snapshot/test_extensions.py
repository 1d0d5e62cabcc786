"""An extension that the copy's server lacks is left out where nothing depends on it."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from pytest_housekeeping.postgres.connection import Connection
from pytest_housekeeping.server import Server, ServerSettings, StagingDatabase, start
from pytest_housekeeping.snapshot.copies.server import extensions_to_leave_out, start_restore_server
from pytest_housekeeping.snapshot.copies.twin import Dumps, twin_of
from pytest_housekeeping.snapshot.dumps.around import dump_around
from pytest_housekeeping.snapshot.dumps.dump import dump_schema
from pytest_housekeeping.snapshot.dumps.roles import dump_roles
from pytest_housekeeping.snapshot.extensions import (
    extension_names,
    members_by_name,
    needed_extensions,
    without_extensions,
)
from pytest_housekeeping.snapshot.fingerprint import read_fingerprint


@pytest.fixture
def database(server: Server) -> Iterator[StagingDatabase]:
    made = server.database()
    yield made
    server.drop(made)


@pytest.fixture
def connection(database: StagingDatabase) -> Iterator[Connection]:
    with psycopg.connect(database.superuser_conninfo, autocommit=True) as opened:
        opened.execute("CREATE SCHEMA math; CREATE EXTENSION vector SCHEMA math")
        opened.execute("CREATE TABLE note (id int PRIMARY KEY, body text)")
        yield opened


@pytest.mark.parametrize(
    "use",
    [
        "ALTER TABLE note ADD near math.vector(3)",
        "CREATE VIEW near AS SELECT '[1]'::math.vector AS v",
        "CREATE FUNCTION near(math.vector) RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE DOMAIN near AS math.vector",
        "CREATE FUNCTION f() RETURNS int RETURN 1; ALTER FUNCTION f() DEPENDS ON EXTENSION vector",
    ],
)
def test_what_something_depends_on_is_needed(connection: Connection, use: str) -> None:
    assert needed_extensions(connection) == set()
    connection.execute(use.encode())
    assert needed_extensions(connection) == {"vector"}


def test_the_copy_does_without_it(connection: Connection, database: StagingDatabase) -> None:
    """Privileges on its members go with it; what else stands there is compared as ever."""
    opened = start_restore_server(connection.info.server_version // 10000)
    connection.execute("CREATE ROLE hk_near; GRANT EXECUTE ON FUNCTION math.vector_in TO hk_near")
    try:
        schema = read_fingerprint(connection, exclude_schemas=())
        assert set(extension_names(schema)) == {"plpgsql", "vector"}
        major, left_out = schema.server_major, frozenset({"vector"})
        dump = dump_schema(database.superuser_conninfo, server_major=major, extensions=["plpgsql"])
        assert b"math.vector" not in dump
        assert b"CREATE TABLE public.note" in dump
        dumps = Dumps(schema=dump, roles=dump_roles(connection), around=dump_around(connection))
        copying = twin_of(
            dumps,
            without_extensions(schema, left_out, members_by_name(connection, left_out)),
            database=database.name,
            server_version=connection.info.parameter_status("server_version") or "",
            restore_server=opened,
        )
        with copying as twin:
            assert set(extension_names(twin.schema)) == {"plpgsql"}
            assert len(twin.schema.entries) > len(schema.entries) // 2
    finally:
        opened.close()
        connection.execute("DROP OWNED BY hk_near; DROP ROLE hk_near")


def test_only_what_no_server_has_and_nothing_needs_is_left_out() -> None:
    everywhere, nowhere = "plpgsql", "hk_no_such_extension"
    both = frozenset({everywhere, nowhere})
    assert extensions_to_leave_out(16, both, frozenset()) == {nowhere}
    assert extensions_to_leave_out(16, both, frozenset({nowhere})) == set()
    assert extensions_to_leave_out(16, frozenset({everywhere}), frozenset()) == set()
    assert extensions_to_leave_out(99, both, frozenset()) == set()


def test_who_made_an_extension_owns_what_is_in_it(
    connection: Connection, database: StagingDatabase
) -> None:
    """A role that was a superuser then: on the copy it owns the same, with the same privileges."""
    connection.execute("CREATE ROLE hk_maker; CREATE ROLE hk_user")
    connection.execute("ALTER FUNCTION math.vector_dims(math.vector) OWNER TO hk_maker")
    connection.execute(
        "GRANT ALL ON FUNCTION math.vector_dims(math.vector) TO hk_maker WITH GRANT OPTION;"
        " GRANT ALL ON FUNCTION math.vector_dims(math.vector) TO hk_user"
    )
    opened = start_restore_server(connection.info.server_version // 10000, frozenset({"vector"}))
    try:
        schema = read_fingerprint(connection, exclude_schemas=())
        dump = dump_schema(database.superuser_conninfo, server_major=schema.server_major)
        dumps = Dumps(schema=dump, roles=dump_roles(connection), around=dump_around(connection))
        with twin_of(
            dumps,
            schema,
            database=database.name,
            server_version=connection.info.parameter_status("server_version") or "",
            restore_server=opened,
        ) as twin:
            row = twin.copy.connection.execute(
                "SELECT proowner::regrole::text FROM pg_catalog.pg_proc"
                " WHERE oid = 'math.vector_dims(math.vector)'::regprocedure"
            ).fetchone()
            assert row == ("hk_maker",)
    finally:
        opened.close()
        connection.execute("REASSIGN OWNED BY hk_maker TO CURRENT_USER")
        connection.execute("DROP OWNED BY hk_maker, hk_user; DROP ROLE hk_maker, hk_user")


def test_without_an_extension_all_else_is_dumped() -> None:
    server = start(ServerSettings(version=17))
    try:
        database = server.database()
        with psycopg.connect(database.superuser_conninfo, autocommit=True) as opened:
            opened.execute(
                "CREATE EXTENSION hstore; CREATE EXTENSION citext; CREATE PUBLICATION told;"
                " CREATE FUNCTION watch() RETURNS event_trigger LANGUAGE plpgsql AS"
                " 'BEGIN END'; CREATE EVENT TRIGGER watches ON ddl_command_end"
                " EXECUTE FUNCTION watch()"
            )
        dump = dump_schema(
            database.superuser_conninfo, server_major=17, extensions=["citext"], but=["hstore"]
        )
    finally:
        server.stop()
    assert b"hstore" not in dump
    for made in (b"EXTENSION IF NOT EXISTS citext", b"EVENT TRIGGER watches", b"PUBLICATION told"):
        assert b"CREATE " + made in dump
