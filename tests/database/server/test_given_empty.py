"""A server that is given for the copy of production: refused unless empty, and left empty."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from pytest_housekeeping.errors import ServerError
from pytest_housekeeping.server import Server, ServerSettings, start
from pytest_housekeeping.server.given_refusals import Original
from support.postgres_service import PASSWORD, service, state_of
from support.server_scripts import asks

RESTORER = "hk_proof_restorer"
ORIGINAL = Original(
    host="db.example.invalid", port=5432, database="postgres", system_identifier="1", major=16
)
# All that a copy may leave behind where it is made: in databases, beside them, and in names.
MUCH = """
CREATE ROLE hk_left LOGIN;
CREATE ROLE hk_lead;
GRANT hk_lead TO hk_left WITH ADMIN OPTION;
GRANT pg_monitor TO hk_left, postgres;
ALTER ROLE ALL SET work_mem = '5MB';
GRANT SET ON PARAMETER log_min_messages TO hk_left WITH GRANT OPTION;
GRANT SET ON PARAMETER work_mem TO PUBLIC;
SET allow_in_place_tablespaces = on;
CREATE TABLESPACE hk_space OWNER hk_left LOCATION '';
CREATE TABLE kept (id int) TABLESPACE hk_space;
ALTER TABLE kept OWNER TO hk_lead;
"""


@pytest.fixture(scope="module")
def trusting() -> Iterator[str]:
    """The URL of a server that asks for no password, and holds nothing."""
    with service(PASSWORD) as found:
        url = f"postgresql://postgres@127.0.0.1:{found.port}/postgres"
        rules = found.folder / "data" / "pg_hba.conf"
        rules.write_text("host all all 127.0.0.1/32 trust\n", encoding="utf-8")
        made(url.replace("@", f":{PASSWORD}@"), "SELECT pg_reload_conf()")
        yield url


def given(url: str, original: Original = ORIGINAL) -> Server:
    return start(ServerSettings(url=url, migrator=RESTORER, original=original))


def refused(url: str, original: Original = ORIGINAL) -> ServerError:
    server = given(url, original)
    with pytest.raises(ServerError) as caught:
        server.database()
    server.stop()
    for secret in (PASSWORD, "wr0ngword"):
        assert secret not in f"{caught.value} {server.settings!r}"
    assert caught.value.why
    assert caught.value.fix
    return caught.value


def made(url: str, text: str) -> None:
    """One statement a message: some of them can be in no transaction."""
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in text.strip().split(";\n"):
            connection.execute(statement.encode())


# -- what it must not be ---------------------------------------------------------------------------


def test_production_itself_is_refused_by_its_identifier(url: str) -> None:
    own = asks(url, "SELECT system_identifier::text FROM pg_control_system()")
    error = refused(url, replace(ORIGINAL, system_identifier=own))
    assert error.found == (
        f"--hk-twin-server leads to production itself: the system identifier is {own} in both"
    )


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_production_itself_is_refused_by_its_address(url: str, port: int, host: str) -> None:
    """Before anybody connects: with a wrong password nothing else could be said."""
    wrong = url.replace(PASSWORD, "wr0ngword")
    error = refused(wrong, replace(ORIGINAL, host=host, port=port))
    assert error.found.startswith("--hk-twin-server leads to production itself: ")


def test_another_major_version_is_refused(url: str) -> None:
    error = refused(url, replace(ORIGINAL, major=17))
    assert error.found == "the server of --hk-twin-server is PostgreSQL 16, production is 17"
    assert error.fix == "give one of PostgreSQL 17"


@pytest.mark.parametrize(
    ("there", "away", "named"),
    [
        ("CREATE DATABASE other", "DROP DATABASE other", "database other"),
        ("CREATE ROLE other", "DROP ROLE other", "role other"),
        ("CREATE TABLE other (id int)", "DROP TABLE other", "1 relations in database postgres"),
        (
            "ALTER ROLE ALL SET work_mem = '5MB'",
            "ALTER ROLE ALL RESET ALL",
            "settings of every role work_mem=5MB",
        ),
    ],
)
def test_a_server_that_holds_more_is_refused(url: str, there: str, away: str, named: str) -> None:
    made(url, there)
    try:
        error = refused(url)
    finally:
        made(url, away)
    assert error.found == f"the server of --hk-twin-server is not empty: {named}"


def test_what_an_image_brings_is_no_more(url: str) -> None:
    """A template database, and extensions in the maintenance database: postgis has both."""
    made(url, "CREATE DATABASE template_of_image IS_TEMPLATE true;\nCREATE EXTENSION vector")
    server = given(url)
    try:
        server.database()
    finally:
        server.stop()
        made(
            url,
            "ALTER DATABASE template_of_image IS_TEMPLATE false;\n"
            "DROP DATABASE template_of_image;\nDROP EXTENSION vector",
        )


def test_a_login_that_is_no_superuser_is_refused(url: str) -> None:
    made(url, "CREATE ROLE weak LOGIN CREATEDB CREATEROLE PASSWORD 'wr0ngword'")
    try:
        error = refused(url.replace(f"postgres:{PASSWORD}", "weak:wr0ngword"))
    finally:
        made(url, "DROP ROLE weak")
    assert error.found == "the role weak of --hk-twin-server is no superuser"
    assert error.fix == "log in as postgres, by whom that server was made"


def test_a_password_that_a_new_name_would_take_away_is_refused(trusting: str) -> None:
    made(trusting, "SET password_encryption = md5;\nALTER ROLE postgres PASSWORD 'wr0ngword'")
    error = refused(trusting)
    assert error.found == "the server of --hk-twin-server keeps the password of postgres as MD5"
    made(trusting, "ALTER ROLE postgres PASSWORD NULL")
    server = given(trusting)
    database = server.database()
    rename_first(database.superuser_conninfo, database.migrator_conninfo, refused=False)
    server.stop()
    assert [each.kind for each in state_of(trusting).things] == ["database"] * 3 + ["role"]


@pytest.mark.parametrize(
    ("bad", "found"),
    [
        ("no url at all", "is no connection URL that PostgreSQL understands"),
        ("postgresql://u:wr0ngword@[host/x", "is no connection URL"),
        ("postgresql://postgres:wr0ngword@127.0.0.1:1/postgres", "refused"),
        ("postgresql://postgres@1.1.1.1/?sslmode=disable", "asks for sslmode=disable"),
    ],
)
def test_a_url_that_leads_nowhere_is_refused(bad: str, found: str) -> None:
    error = refused(bad)
    assert found in error.found
    assert "--hk-twin-server" in error.found


def test_a_wrong_password_is_told_without_it(url: str) -> None:
    error = refused(url.replace(PASSWORD, "wr0ngword"))
    assert "password authentication failed" in error.found
    assert error.found.startswith("the server of --hk-twin-server refused")


# -- what is left ----------------------------------------------------------------------------------


def test_all_that_was_made_is_taken_away(url: str) -> None:
    server = given(url)
    database = server.database()
    made(database.superuser_conninfo, MUCH)
    rename_first(database.superuser_conninfo, database.migrator_conninfo)
    server.drop(database)
    # Another copy can be made there by the same run.
    again = server.database()
    assert asks(again.migrator_conninfo, "SELECT current_setting('is_superuser')") == "on"
    made(again.superuser_conninfo, MUCH)
    server.stop()


def rename_first(superuser: str, restorer: str, *, refused: bool = True) -> None:
    """As the copy does: the superuser is called as in production, where another bears its name."""
    with psycopg.connect(restorer, autocommit=True) as connection:
        connection.execute("ALTER ROLE postgres RENAME TO rdsadmin")
        connection.execute("CREATE ROLE postgres LOGIN")
    if refused:
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(superuser)


_KILLED = """
import os, psycopg, sys
sys.path[:0] = {path!r}
from test_given_empty import MUCH, given, made, rename_first
server = given({url!r})
database = server.database()
made(database.superuser_conninfo, MUCH)
{more}
print("ready", flush=True)
os.kill(os.getpid(), 9)
"""
_RENAMED = "rename_first(database.superuser_conninfo, database.migrator_conninfo)"
_RENAMED_IN_POSTGRES = """
rename_first(*(conninfo.replace(database.name, "postgres") for conninfo in
    (database.superuser_conninfo, database.migrator_conninfo)))
"""
_CALLED = """
with psycopg.connect(database.superuser_conninfo, dbname="template1", autocommit=True) as c:
    c.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
              " WHERE datname IN ('postgres', %s)", (database.name,))
    c.execute("ALTER DATABASE postgres RENAME TO hk_steps_aside")
    {second}
"""
_SECOND = 'c.execute(f"ALTER DATABASE {database.name} RENAME TO postgres")'


@pytest.mark.parametrize(
    "more",
    [
        "",
        _RENAMED,
        _CALLED.format(second=_SECOND),
        _CALLED.format(second=_SECOND) + _RENAMED_IN_POSTGRES,
        _CALLED.format(second=""),
    ],
    ids=["as it was", "superuser renamed", "database renamed", "both renamed", "half renamed"],
)
def test_what_a_kill_leaves_is_cleared_by_the_next_run(url: str, more: str) -> None:
    killed(url, more)
    server = given(url)
    server.database()
    server.stop()


def killed(url: str, more: str = "") -> None:
    import subprocess

    text = _KILLED.format(path=[*sys.path, str(Path(__file__).parent)], url=url, more=more)
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=False)
    assert done.stdout == "ready\n", done.stderr


def test_beside_leftovers_what_no_run_has_made_is_not_dropped(url: str) -> None:
    killed(url)
    made(url, "CREATE DATABASE somebody_else")
    error = refused(url)
    assert error.found.endswith("a killed run, and besides them database somebody_else")
    made(url, "DROP DATABASE somebody_else")
    server = given(url)
    server.database()
    server.stop()


def test_a_run_at_work_is_left_alone(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pytest_housekeeping.server.given_empty._WAIT_S", 0.3)
    server = given(url)
    database = server.database()
    rename_first(database.superuser_conninfo, database.migrator_conninfo)
    error = refused(url)
    assert error.found == "another run uses the server of --hk-twin-server"
    assert asks(database.migrator_conninfo, "SELECT 1") == 1
    server.stop()
