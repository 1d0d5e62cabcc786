"""What a batch has made is dumped and restored in staging: what does not restore is named."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from psycopg import sql

from pytest_housekeeping.postgres.connection import Connection
from pytest_housekeeping.server import Server, StagingDatabase
from pytest_housekeeping.snapshot.copies.proof import BackupProof, prove_result
from pytest_housekeeping.snapshot.copies.script import run_script
from pytest_housekeeping.snapshot.dumps.dump import dump_schema
from pytest_housekeeping.snapshot.fingerprint import read_fingerprint
from pytest_housekeeping.snapshot.problems import BackupNotProved, RestoreRefused

# With this path all of it works; pg_dump's text is restored with an empty one.
SETUP = """
CREATE SCHEMA tools;
SET search_path = tools;
CREATE FUNCTION fold(t text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT lower(t)';
CREATE FUNCTION norm(t text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT fold(t)';
CREATE FUNCTION called(t text) RETURNS text LANGUAGE plpgsql IMMUTABLE
    AS 'BEGIN RETURN fold(t); END';
CREATE FUNCTION pathed(t text) RETURNS text LANGUAGE plpgsql IMMUTABLE SET search_path = tools
    AS 'BEGIN RETURN fold(t); END';
CREATE FUNCTION bound(t text) RETURNS text LANGUAGE sql IMMUTABLE RETURN fold(t);
CREATE TABLE lookup (k text);
CREATE FUNCTION known(t text) RETURNS bool LANGUAGE plpgsql STABLE
    AS 'BEGIN RETURN EXISTS (SELECT FROM tools.lookup WHERE k = t); END';
"""
WORD = "CREATE TABLE word (w text); INSERT INTO word VALUES ('a'); "
WITHOUT_ROWS = {
    "CREATE TABLE word (w text); CREATE INDEX word_norm ON word (norm(w))": "index tools.word_norm",
    "CREATE TABLE word (w text); CREATE INDEX part ON word (w) WHERE norm(w) = 'a'": (
        "index tools.part"
    ),
    "CREATE TABLE word (w text, g text GENERATED ALWAYS AS (norm(w)) STORED)": "table tools.word",
    "CREATE TABLE word (w text, CONSTRAINT x EXCLUDE USING btree (norm(w) WITH =))": (
        "constraint tools.word x"
    ),
    "CREATE TABLE word (w text) PARTITION BY RANGE (norm(w))": "",
}
WITH_ROWS = {
    WORD + "CREATE INDEX word_called ON word (called(w))": "index tools.word_called",
    WORD + "ALTER TABLE word ADD CHECK (norm(w) <> 'x')": "table data tools.word",
    WORD + "CREATE DOMAIN d AS text CHECK (called(VALUE) <> 'x');"
    " ALTER TABLE word ALTER w TYPE d": "table data tools.word",
    WORD + "CREATE MATERIALIZED VIEW m AS SELECT called(w) FROM word": (
        "materialized view data tools.m"
    ),
    "CREATE TABLE a_word (w text CHECK (known(w))); INSERT INTO lookup VALUES ('a');"
    " INSERT INTO a_word VALUES ('a')": "table data tools.a_word",
}
SOUND = f"""
{WORD}
CREATE INDEX ON word (pathed(w));
CREATE INDEX ON word (bound(w));
ALTER TABLE word ADD d text DEFAULT norm('a'), ADD e text DEFAULT called('a');
CREATE VIEW seen AS SELECT norm(w) FROM word;
CREATE MATERIALIZED VIEW never AS SELECT called(w) FROM word WITH NO DATA;
CREATE STATISTICS s ON norm(w) FROM word;
ALTER TABLE word ENABLE ROW LEVEL SECURITY;
ALTER TABLE word FORCE ROW LEVEL SECURITY;
CREATE POLICY p ON word USING (norm(w) = 'a');
CREATE FUNCTION put() RETURNS trigger LANGUAGE plpgsql
    AS 'BEGIN NEW.w = fold(NEW.w); RETURN NEW; END';
CREATE TRIGGER t BEFORE INSERT ON word FOR EACH ROW WHEN (norm(NEW.w) = 'a') EXECUTE FUNCTION put();
ALTER TABLE word ADD CONSTRAINT none CHECK (w <> 'a') NOT VALID;
CREATE PUBLICATION all_words FOR TABLE word;
GRANT SELECT ON word TO pg_monitor;
"""
# Of the database itself, which pg_dump leaves out without --create; {} is its name.
OF_THE_DATABASE = (
    "REVOKE ALL ON DATABASE {} FROM PUBLIC",
    "ALTER DATABASE {} SET statement_timeout = '5s'",
    "ALTER DATABASE {} SET search_path = tools",
    "COMMENT ON DATABASE {} IS 'about it'",
    "ALTER ROLE CURRENT_USER IN DATABASE {} SET work_mem = '8MB'",
    "ALTER DATABASE {} OWNER TO CURRENT_USER",
)


def proved(
    server: Server, database: StagingDatabase, superuser: Connection, *, rows: bool
) -> BackupProof:
    major = superuser.info.server_version // 10000
    dump = dump_schema(database.superuser_conninfo, server_major=major, rows=rows)
    expected = read_fingerprint(superuser)
    return prove_result(server, dump, expected, server_major=major)


@pytest.mark.parametrize("text", [*WITHOUT_ROWS, *WITH_ROWS])
def test_what_does_not_restore_is_named(
    server: Server, database: StagingDatabase, superuser: Connection, text: str
) -> None:
    superuser.execute(SETUP)
    superuser.execute(text)
    superuser.execute("RESET search_path")
    with pytest.raises(RestoreRefused, match=r"fold|violates check") as raised:
        proved(server, database, superuser, rows=text in WITH_ROWS)
    named = {**WITHOUT_ROWS, **WITH_ROWS}[text]
    assert f"the schema of the backup did not restore: {named}" in raised.value.found


def test_what_restores(server: Server, database: StagingDatabase, superuser: Connection) -> None:
    before = superuser.execute("SELECT count(*) FROM pg_database").fetchone()
    superuser.execute(SETUP)
    superuser.execute(SOUND)
    superuser.execute("RESET search_path")
    for statement in OF_THE_DATABASE:
        superuser.execute(sql.SQL(statement).format(sql.Identifier(superuser.info.dbname)))
    proof = proved(server, database, superuser, rows=True)
    assert proof.objects > 20
    assert superuser.execute("SELECT count(*) FROM pg_database").fetchone() == before
    (owner,) = superuser.execute(
        "SELECT rolsuper FROM pg_roles WHERE rolname = %s", [database.migrator]
    ).fetchone() or (None,)
    assert owner is False


def test_a_difference_is_no_proof(
    server: Server, database: StagingDatabase, superuser: Connection
) -> None:
    superuser.execute("CREATE TABLE a (a int)")
    major = superuser.info.server_version // 10000
    dump = dump_schema(database.superuser_conninfo, server_major=major)
    superuser.execute("CREATE TABLE b (b int)")
    with pytest.raises(BackupNotProved, match=r"differs from the database in \d+ objects"):
        prove_result(server, dump, read_fingerprint(superuser), server_major=major)


@pytest.mark.parametrize(
    ("said", "code", "fix"),
    [
        ("ERROR:  could not extend file: No space left on device", 3, "make room"),
        ("FATAL:  the database system is shutting down", 2, "message of psql"),
        (None, 0, "reinstall the client programs"),
    ],
)
def test_a_machine_that_is_in_the_way_is_no_refusal(
    database: StagingDatabase, tmp_path: Path, said: str | None, code: int, fix: str
) -> None:
    if said is not None:
        psql = tmp_path / "psql"
        psql.write_text(f"#!/bin/sh\ncat > /dev/null\necho '{said}' >&2\nexit {code}\n")
        psql.chmod(0o755)
    programs = SimpleNamespace(cluster=SimpleNamespace(programs=tmp_path))
    with pytest.raises(BackupNotProved) as raised:
        run_script(cast(StagingDatabase, programs), database.superuser_conninfo, b"", "schema", 16)
    assert type(raised.value) is BackupNotProved
    assert fix in raised.value.fix
