"""A copy to prove on is as production in all that a check can read, or the difference is named."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any

import psycopg
import pytest

from pytest_housekeeping.postgres.connection import Connection
from pytest_housekeeping.server import Server, ServerSettings, StagingDatabase, start
from pytest_housekeeping.snapshot.compare.difference import diff
from pytest_housekeeping.snapshot.copies.server import RestoreServer, start_restore_server
from pytest_housekeeping.snapshot.copies.twin import (
    Dumps,
    Twin,
    no_server_of,
    twin_of,
    without_copy_alone,
)
from pytest_housekeeping.snapshot.dumps.around import dump_around
from pytest_housekeeping.snapshot.dumps.dump import dump_schema
from pytest_housekeeping.snapshot.dumps.roles import dump_roles
from pytest_housekeeping.snapshot.fingerprint import Fingerprint, read_fingerprint
from pytest_housekeeping.snapshot.problems import BackupNotProved, RestoreRefused
from support.installed_server import installed_server

# All that neither a schema dump nor the dump of the roles holds.
AROUND = """
CREATE ROLE hk_twin_app LOGIN CONNECTION LIMIT 3;
CREATE ROLE "hk twin ""lead" NOINHERIT;
CREATE ROLE "hk twin for ever" VALID UNTIL 'infinity';
CREATE ROLE "hk twin moment" VALID UNTIL '2031-01-01 00:00:00.5+02';
CREATE ROLE "hk twin never" VALID UNTIL '-infinity';
GRANT hk_twin_app TO "hk twin ""lead" WITH ADMIN OPTION, INHERIT FALSE;
ALTER ROLE hk_twin_app SET search_path = shop, '';
CREATE SCHEMA shop;
GRANT USAGE ON SCHEMA shop TO hk_twin_app;
CREATE TABLE shop.item (id int, name text);
INSERT INTO shop.item VALUES (1, 'lamp');
REVOKE ALL ON TYPE shop.item FROM PUBLIC;
GRANT USAGE ON TYPE shop.item TO hk_twin_app WITH GRANT OPTION;
CREATE MATERIALIZED VIEW shop.names AS SELECT name FROM shop.item;
CREATE MATERIALIZED VIEW shop.counted AS SELECT count(*) FROM shop.names;
CREATE MATERIALIZED VIEW shop.later AS SELECT id FROM shop.item WITH NO DATA;
SELECT lo_create(4711), lo_create(4712);
ALTER LARGE OBJECT 4711 OWNER TO hk_twin_app;
GRANT SELECT ON LARGE OBJECT 4711 TO "hk twin ""lead";
GRANT SELECT ON LARGE OBJECT 4712 TO PUBLIC;
GRANT SET ON PARAMETER log_min_messages TO hk_twin_app WITH GRANT OPTION;
SET ROLE hk_twin_app;
GRANT SET ON PARAMETER log_min_messages TO "hk twin ""lead";
RESET ROLE;
GRANT SET, ALTER SYSTEM ON PARAMETER work_mem TO hk_twin_app;
CREATE POLICY twice ON shop.item TO hk_twin_app, hk_twin_app;
"""
AWAY = """
REVOKE ALL ON PARAMETER work_mem FROM hk_twin_app;
REVOKE ALL ON PARAMETER log_min_messages FROM hk_twin_app CASCADE;
SELECT lo_unlink(4711), lo_unlink(4712);
DROP SCHEMA shop CASCADE;
DROP ROLE hk_twin_app, "hk twin ""lead", "hk twin for ever", "hk twin moment", "hk twin never";
"""

_LEFT_ROLES = "SELECT quote_ident(rolname) FROM pg_roles WHERE rolname ~ '^hk.twin' ORDER BY 1 DESC"


@dataclass(frozen=True, kw_only=True)
class Original:
    """A database, and what a run keeps of it before it starts."""

    dumps: Dumps
    schema: Fingerprint
    database: str
    server_version: str

    def twin(self, server: RestoreServer, **changed: Any) -> AbstractContextManager[Twin]:
        return twin_of(
            changed.pop("dumps", self.dumps),
            replace(self.schema, **changed),
            database=self.database,
            server_version=self.server_version,
            restore_server=server,
        )


def taken(connection: Connection, database: StagingDatabase, name: str = "") -> Original:
    major = connection.info.server_version // 10000
    return Original(
        dumps=Dumps(
            schema=dump_schema(database.superuser_conninfo, server_major=major),
            roles=dump_roles(connection),
            around=dump_around(connection),
        ),
        schema=read_fingerprint(connection, exclude_schemas=()),
        database=name or database.name,
        server_version=connection.info.parameter_status("server_version") or "",
    )


@pytest.fixture(scope="module")
def original(server: Server) -> Iterator[Original]:
    database = server.database()
    with psycopg.connect(database.superuser_conninfo, autocommit=True) as connection:
        connection.execute(AROUND)
        connection.execute(f"ALTER DATABASE {database.name} CONNECTION LIMIT 9".encode())
        yield taken(connection, database)
        connection.execute(AWAY)
    server.drop(database)


@pytest.fixture(scope="module")
def started(original: Original) -> Iterator[RestoreServer]:
    opened = start_restore_server(original.schema.server_major)
    yield opened
    opened.close()


@pytest.fixture
def restore_server(started: RestoreServer) -> Iterator[RestoreServer]:
    """A run makes one copy on it; here one follows another, and privileges on parameters stay."""
    yield started
    database = started.server.database()
    with psycopg.connect(database.superuser_conninfo, autocommit=True) as connection:
        for (name,) in connection.execute(_LEFT_ROLES).fetchall():
            revoke = f"REVOKE ALL ON PARAMETER log_min_messages, work_mem FROM {name} CASCADE"
            connection.execute(f"{revoke}; DROP ROLE {name}".encode())
    started.server.drop(database)


def test_what_is_around_the_schema_is_on_the_copy(
    original: Original, restore_server: RestoreServer
) -> None:
    """Under production's own name, and with its superuser; where the copy is, is left as it was."""
    names = _names(restore_server.server)
    with original.twin(restore_server) as twin, twin.connect() as connection:
        expected, found = map(without_copy_alone, (original.schema, twin.schema))
        assert [str(each) for each in diff(expected, found)] == []
        told = connection.execute(
            "SELECT current_database(), pg_get_userbyid(10),"
            " (SELECT array_agg(oid ORDER BY oid)::text FROM pg_largeobject_metadata),"
            " (SELECT array_agg(relname ORDER BY relname)::text FROM pg_class"
            "  WHERE relkind = 'm' AND relispopulated),"
            " has_type_privilege('hk_twin_app', 'shop.item', 'USAGE WITH GRANT OPTION'),"
            " has_parameter_privilege('hk twin \"lead', 'log_min_messages', 'SET'),"
            " (SELECT datconnlimit FROM pg_database WHERE datname = current_database()),"
            " (SELECT count(*) FROM shop.item)"
        ).fetchone()
        with twin.connect("hk_twin_app") as other:
            assert other.execute("SELECT session_user::text").fetchone() == ("hk_twin_app",)
    populated = "{counted,names}"
    wanted = (original.database, original.schema.superuser, "{4711,4712}", populated)
    assert told == (*wanted, True, True, 9, 0)
    assert _names(restore_server.server) == names


def test_what_production_cannot_hold_its_copy_cannot_either(
    server: Server, restore_server: RestoreServer
) -> None:
    """A text that the encoding does not have would fail there alone, behind all proofs."""
    database = server.database()
    with psycopg.connect(database.superuser_conninfo, autocommit=True) as connection:
        connection.execute(
            "UPDATE pg_database SET encoding = pg_char_to_encoding('LATIN1')"
            " WHERE datname = current_database()"
        )
    with psycopg.connect(database.superuser_conninfo, autocommit=True) as connection:
        connection.execute("SET client_encoding = 'UTF8'")
        connection.execute("CREATE TABLE public.bill (name text DEFAULT 'café')")
        original = taken(connection, database)
    server.drop(database)
    with original.twin(restore_server) as twin, twin.connect() as connection:
        told = "INSERT INTO public.bill DEFAULT VALUES RETURNING name, octet_length(name)"
        assert connection.execute(told).fetchall() == [("café", 4)]
        with pytest.raises(psycopg.errors.UntranslatableCharacter):
            connection.execute("ALTER TABLE public.bill ADD price text DEFAULT '€'")


def without(word: str, dump: bytes) -> bytes:
    """The lines that have the word in them are left out."""
    lines = dump.splitlines(keepends=True)
    kept = [line for line in lines if word.encode() not in line]
    assert len(kept) < len(lines)
    return b"".join(kept)


@pytest.mark.parametrize(
    ("part", "word", "named"),
    [
        ("around", "PARAMETER", "parameter log_min_messages"),
        ("around", "GRANT SELECT ON LARGE OBJECT 4711", "large objects"),
        ("around", "lo_create(4712)", "large object 4712"),
        ("around", "GRANT ALL ON TYPE", "row type of table shop.item"),
        ("around", "CONNECTION LIMIT", "limits of database"),
        ("around", 'REFRESH MATERIALIZED VIEW "shop"."names"', "state of materialized view"),
        ("roles", "search_path", "settings of role hk_twin_app"),
        ("schema", "GRANT USAGE ON SCHEMA shop", "schema shop"),
    ],
)
def test_what_is_not_as_in_production_is_named(
    original: Original, restore_server: RestoreServer, part: str, word: str, named: str
) -> None:
    """Nothing is proved on a copy that differs in what a check may read."""
    dump = without(word, getattr(original.dumps, part))
    with (
        pytest.raises(BackupNotProved) as refused,
        original.twin(restore_server, dumps=replace(original.dumps, **{part: dump})),
    ):
        pass
    assert named in str(refused.value), refused.value


def test_a_dump_that_does_not_restore_names_object_and_statement(
    original: Original, restore_server: RestoreServer
) -> None:
    broken = original.dumps.schema.replace(b"count(*) AS count", b"count(nobody) AS count")
    assert broken != original.dumps.schema
    with (
        pytest.raises(RestoreRefused) as refused,
        original.twin(restore_server, dumps=replace(original.dumps, schema=broken)),
    ):
        pass
    assert "materialized view shop.counted: ERROR:" in str(refused.value)
    assert 'column "nobody" does not exist' in str(refused.value)


def test_what_a_batch_made_of_the_copy_has_to_restore_as_well(
    original: Original, restore_server: RestoreServer
) -> None:
    """With this search_path it works; pg_dump's text is restored with none."""
    sound = "CREATE INDEX sound ON shop.item (lower(name))"
    broken = (
        "SET search_path = shop; CREATE FUNCTION fold(text) RETURNS text LANGUAGE sql IMMUTABLE"
        " AS 'SELECT lower($1)'; CREATE FUNCTION norm(text) RETURNS text LANGUAGE sql IMMUTABLE"
        " AS 'SELECT fold($1)'; CREATE INDEX broken ON item (norm(name)); RESET search_path"
    )
    with original.twin(restore_server) as twin, twin.connect() as connection:
        connection.execute(sound)
        assert (
            twin.prove_restores(
                twin.dump(), read_fingerprint(connection, exclude_schemas=())
            ).limits
            == ()
        )
        connection.execute(broken)
        with pytest.raises(RestoreRefused, match=r"index shop\.broken"):
            twin.prove_restores(twin.dump(), read_fingerprint(connection, exclude_schemas=()))
        left = connection.execute("SELECT 1 FROM pg_database WHERE datname = 'hk_result'")
        assert left.fetchall() == []


def test_a_server_of_another_major_version_proves_nothing(
    original: Original, restore_server: RestoreServer
) -> None:
    """Which package helps, and which option."""
    older = original.schema.server_major - 1
    with (
        pytest.raises(BackupNotProved) as refused,
        original.twin(restore_server, server_major=older),
    ):
        pass
    said = str(refused.value)
    assert said == str(no_server_of(older, restore_server.major))
    assert f"production is PostgreSQL {older}, and the server for the copy" in said
    assert f"install the server package of PostgreSQL {older} on this machine" in said
    assert "--hk-in-place" in said


def test_without_the_language_that_each_database_begins_with_the_fix_makes_it(
    database: StagingDatabase, superuser: Connection, restore_server: RestoreServer
) -> None:
    superuser.execute("DROP EXTENSION plpgsql")
    with (
        pytest.raises(BackupNotProved, match="fix: CREATE EXTENSION plpgsql; in prod") as told,
        taken(superuser, database).twin(restore_server),
    ):
        pass
    assert "extension plpgsql is there and should not be" in str(told.value)


def test_that_language_may_be_made_anew(
    database: StagingDatabase, superuser: Connection, restore_server: RestoreServer
) -> None:
    """Its functions have other numbers then, and another owner."""
    superuser.execute(
        f"GRANT CREATE ON DATABASE {database.name} TO hk_twin_app; DROP EXTENSION plpgsql;"
        " SET ROLE hk_twin_app; CREATE EXTENSION plpgsql; RESET ROLE".encode()
    )
    with taken(superuser, database).twin(restore_server) as twin:
        assert twin.schema.texts["system language plpgsql"].startswith("owner: hk_twin_app")


@pytest.mark.parametrize("name", ["postgres", 'Shop "of" all'])
def test_a_database_of_any_name(
    server: Server,
    database: StagingDatabase,
    superuser: Connection,
    restore_server: RestoreServer,
    name: str,
) -> None:
    """The throwaway server has some of these names already, and has them again afterwards."""
    superuser.execute("CREATE TABLE public.t (id int)")
    before = _names(restore_server.server)
    with taken(superuser, database, name).twin(restore_server) as twin, twin.connect() as there:
        told = there.execute("SELECT current_database(), to_regclass('t') IS NOT NULL").fetchone()
        there.execute("CREATE ROLE hk_twin_granted")
        there.execute(
            "DO $$ BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO hk_twin_granted;"
            " ALTER DATABASE %I SET statement_timeout = 7', current_database(),"
            " current_database()); END $$"
        )
        there.execute(
            "DO $$ BEGIN EXECUTE format('REVOKE ALL ON DATABASE %I FROM hk_twin_granted',"
            " current_database()); END $$; DROP ROLE hk_twin_granted"
        )
    assert told == (name, True)
    assert _names(restore_server.server) == before


def test_who_has_made_a_member_of_whom_is_kept() -> None:
    """Before 16 it is whoever executes the GRANT, which on the copy is nobody of production's."""
    installed_server()
    server = start(ServerSettings(kind="system"))
    database = server.database()
    try:
        with psycopg.connect(database.superuser_conninfo, autocommit=True) as connection:
            connection.execute(
                "CREATE ROLE hk_lead SUPERUSER; CREATE ROLE hk_team; CREATE ROLE hk_member;"
                " SET ROLE hk_lead; GRANT hk_team TO hk_member; RESET ROLE"
            )
            original = taken(connection, database)
        opened = start_restore_server(original.schema.server_major)
        try:
            with original.twin(opened) as twin:
                found = {entry.name: entry.text for entry in twin.schema.entries}
        finally:
            opened.close()
    finally:
        server.stop()
    known = {entry.name: entry.text for entry in original.schema.entries}
    name = "membership of hk_member in hk_team"
    assert found[name] == known[name] != ""


def test_what_an_extension_made_is_owned_as_in_production(
    database: StagingDatabase, superuser: Connection, restore_server: RestoreServer
) -> None:
    superuser.execute("CREATE ROLE hk_twin_maker SUPERUSER; SET ROLE hk_twin_maker")
    superuser.execute("CREATE EXTENSION vector; RESET ROLE; ALTER ROLE hk_twin_maker NOSUPERUSER")
    original = taken(superuser, database)
    members = original.schema.texts["members of extension vector"]
    assert "type public.vector of hk_twin_maker" in members
    with original.twin(restore_server) as twin:
        assert twin.schema.texts["members of extension vector"] == members
    superuser.execute("DROP EXTENSION vector; DROP ROLE hk_twin_maker")


def _names(server: Server) -> list[tuple[Any, ...]]:
    """The databases that the server has, without one to look from."""
    database = server.database()
    with psycopg.connect(database.superuser_conninfo) as connection:
        found = connection.execute("SELECT datname FROM pg_database ORDER BY 1").fetchall()
    server.drop(database)
    return [row for row in found if row != (database.name,)]
