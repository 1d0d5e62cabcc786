"""A dump is restored many objects at a time, and is what psql makes of it."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from pytest_housekeeping.postgres.connection import Connection
from pytest_housekeeping.server import Server, StagingDatabase
from pytest_housekeeping.snapshot.copies import lanes as restore_lanes
from pytest_housekeeping.snapshot.copies import script as restore_script
from pytest_housekeeping.snapshot.copies.script import run_schema
from pytest_housekeeping.snapshot.dumps.dump import dump_schema, without_restriction
from pytest_housekeeping.snapshot.fingerprint import read_fingerprint
from pytest_housekeeping.snapshot.problems import RestoreRefused

# The body holds what pg_dump writes above an object; COPY writes a row of "\." with two of them.
BASE = r"""
CREATE TABLE a (id integer PRIMARY KEY, words text);
CREATE TABLE empty (id integer);
CREATE TABLE "in
two lines" (id integer);
INSERT INTO a VALUES (1, E'\\.'), (2, E'x\n\\.\n'), (3, NULL), (4, E'COPY a FROM stdin;\n');
INSERT INTO "in
two lines" VALUES (7);
CREATE FUNCTION said() RETURNS text LANGUAGE sql AS $$ SELECT '
--
-- Name: a; Type: TABLE; Schema: public; Owner: -
--
' $$;
CREATE INDEX ON a (words) WHERE id > 0;
CREATE VIEW seen AS SELECT said(), id FROM a;
CREATE MATERIALIZED VIEW kept AS SELECT id FROM a;
ALTER TABLE a ADD CHECK (words <> 'nothing');
"""
MANY = "".join(f"CREATE TABLE t{n:03} (id integer);" for n in range(140))
APART = [f"t{n:03}" for n in range(70, 140)]


@pytest.fixture(autouse=True)
def _large(monkeypatch: pytest.MonkeyPatch) -> None:
    """So many tables are restored in two sessions."""
    monkeypatch.setattr(restore_lanes, "WORTH_TWO", 20)


def dumped(superuser: Connection, database: StagingDatabase) -> tuple[bytes, int]:
    major = superuser.info.server_version // 10000
    dump = dump_schema(database.superuser_conninfo, server_major=major, rows=True)
    return without_restriction(dump), major


@pytest.mark.parametrize(
    ("together", "odd", "by_psql"), [(50, False, b""), (50, True, b"two lines"), (1, False, b"a")]
)
def test_what_is_restored_is_what_was_dumped(
    server: Server,
    database: StagingDatabase,
    superuser: Connection,
    monkeypatch: pytest.MonkeyPatch,
    together: int,
    odd: bool,
    by_psql: bytes,
) -> None:
    """What is cut or read wrongly is left to psql, with all that comes behind it."""
    superuser.execute(MANY.encode())
    superuser.execute((BASE if odd else BASE.replace("in\n", "in ")).encode())
    left = b""

    def run_script(*given: Any) -> None:
        nonlocal left
        left = given[2]
        script(*given)

    script = restore_script.run_script
    monkeypatch.setattr(restore_script, "run_script", run_script)
    monkeypatch.setattr(restore_script, "_TOGETHER", together)
    dump, major = dumped(superuser, database)
    copy = server.database()
    try:
        run_schema(copy, copy.superuser_conninfo, dump, major)
        with psycopg.connect(copy.superuser_conninfo, autocommit=True) as there:
            assert read_fingerprint(there).digest == read_fingerprint(superuser).digest
            for table in ("a", "kept", "empty"):
                rows = f"SELECT * FROM {table} ORDER BY 1".encode()
                assert there.execute(rows).fetchall() == superuser.execute(rows).fetchall()
    finally:
        server.drop(copy)
    assert by_psql in left
    assert bool(left) is bool(by_psql)


def test_what_is_refused_is_named_wherever_it_stands(
    database: StagingDatabase, superuser: Connection, server: Server
) -> None:
    superuser.execute(MANY.encode())
    dump, major = dumped(superuser, database)
    broken = dump.replace(b"CREATE TABLE public.t077", b"CREATE TABLE nowhere.t077")
    copy = server.database()
    try:
        with pytest.raises(RestoreRefused) as raised:
            run_schema(copy, copy.superuser_conninfo, broken, major)
    finally:
        server.drop(copy)
    assert "table public.t077: " in raised.value.found
    assert 'schema "nowhere" does not exist' in raised.value.found


def test_tables_lie_where_they_lay(
    database: StagingDatabase, superuser: Connection, server: Server
) -> None:
    """A dump says so above the first table of a tablespace; what psql begins with is below it."""
    superuser.execute("SET allow_in_place_tablespaces = on")
    superuser.execute("CREATE TABLESPACE hk_apart LOCATION ''")
    copy = server.database()
    try:
        superuser.execute(MANY.encode())
        moved = "".join(f"ALTER TABLE {t} SET TABLESPACE hk_apart;" for t in APART)
        superuser.execute(moved.encode())
        dump, major = dumped(superuser, database)
        cut = dump.replace(b"CREATE TABLE public.t120 (", b"\\echo\nCREATE TABLE public.t120 (")
        run_schema(copy, copy.superuser_conninfo, cut, major)
        with psycopg.connect(copy.superuser_conninfo) as there:
            apart = (
                "SELECT count(*) FROM pg_class WHERE relname ~ '^t[0-9]+$' AND reltablespace <> 0"
            )
            assert there.execute(apart).fetchone() == (len(APART),)
    finally:
        server.drop(copy)
        superuser.execute(f"DROP TABLE {', '.join(APART)}".encode())
        superuser.execute("DROP TABLESPACE hk_apart")
