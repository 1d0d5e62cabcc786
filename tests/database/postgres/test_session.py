"""A text means in production what it meant in staging, whatever role, database or runner set."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from psycopg import pq, sql

from pytest_housekeeping.declarations.pinned_settings import names_to_choose, pinned, pinned_names
from pytest_housekeeping.errors import ServerError
from pytest_housekeeping.postgres import connection as module
from pytest_housekeeping.postgres.connection import LentConnection, connect
from pytest_housekeeping.postgres.locks.in_the_way import open_beside
from pytest_housekeeping.postgres.session import overridden, replication_role
from pytest_housekeeping.server import StagingDatabase
from pytest_housekeeping.server.libpq import libpq_variables

# What each setting is changed to, to see whether that reaches a session.
ANOTHER = {
    "DateStyle": "SQL, DMY",
    "IntervalStyle": "iso_8601",
    "TimeZone": "Asia/Tokyo",
    "timezone_abbreviations": "India",
    "search_path": "evil",
    "role": "pg_monitor",
    "standard_conforming_strings": "off",
    "backslash_quote": "on",
    "transform_null_equals": "on",
    "array_nulls": "off",
    "bytea_output": "escape",
    "xmlbinary": "hex",
    "xmloption": "document",
    "extra_float_digits": "-3",
    "quote_all_identifiers": "on",
    "lc_monetary": "C.UTF-8",
    "lc_numeric": "C.UTF-8",
    "lc_time": "C.UTF-8",
    "default_text_search_config": "pg_catalog.simple",
    "default_tablespace": "pg_default",
    "temp_tablespaces": "pg_default",
    "default_table_access_method": "other",
    "default_toast_compression": "lz4",
    "default_transaction_isolation": "serializable",
    "default_transaction_read_only": "on",
    "default_transaction_deferrable": "on",
    "check_function_bodies": "off",
    "plpgsql.check_asserts": "off",
    "row_security": "off",
    "synchronous_commit": "off",
    "password_encryption": "md5",
    "statement_timeout": "1",
    "lock_timeout": "1",
    "idle_session_timeout": "1",
    "idle_in_transaction_session_timeout": "1",
    "exit_on_error": "on",
    "local_preload_libraries": "",
    "createrole_self_grant": "inherit",
    "transaction_timeout": "1",
}
# A server without another access method or lz4 does not let them be set; one is never set.
_UNSETTABLE = (
    "default_table_access_method",
    "default_toast_compression",
    "local_preload_libraries",
)
# User settings that change no meaning: how something is planned, logged, waited for or shown.
_HARMLESS_CATEGORIES = (
    "Query Tuning",
    "Resource Usage",
    "Reporting and Logging",
    "Statistics",
    "Developer Options",
    "Connections and Authentication",
    "Write-Ahead Log / Settings",
    "Error Handling",
)
_HARMLESS = {
    "application_name",
    "client_connection_check_interval",
    "client_encoding",
    "client_min_messages",
    "createrole_self_grant",
    "escape_string_warning",
    "gin_fuzzy_search_limit",
    "gin_pending_list_limit",
    "icu_validation_level",
    "max_stack_depth",
    "restrict_nonsystem_relation_kind",
    "seed",
    "session_authorization",
    "synchronize_seqscans",
    "tcp_keepalives_count",
    "tcp_keepalives_idle",
    "tcp_keepalives_interval",
    "tcp_user_timeout",
    "transaction_deferrable",
    "transaction_isolation",
    "transaction_read_only",
    "trace_notify",
    "trace_sort",
    "vacuum_cost_delay",
    "wal_sender_timeout",
    "vacuum_freeze_min_age",
    "vacuum_freeze_table_age",
    "vacuum_multixact_freeze_min_age",
    "vacuum_multixact_freeze_table_age",
    "vacuum_failsafe_age",
    "vacuum_multixact_failsafe_age",
    "commit_siblings",
    "enable_group_by_reordering",
    "dynamic_library_path",
    "idle_replication_slot_timeout",
}


def shown(connection: LentConnection, name: str) -> str:
    row = connection.execute("SELECT current_setting(%s)", (name,)).fetchone()
    assert row is not None
    return str(row[0])


def expected(connection: LentConnection) -> dict[str, str]:
    return pinned(connection.info.server_version // 10000)


@pytest.fixture
def hostile(database: StagingDatabase) -> Iterator[StagingDatabase]:
    """A migrating role and a database that set everything otherwise."""
    superuser = connect(database.superuser_conninfo)
    owners = (
        sql.SQL("ROLE {}").format(sql.Identifier(database.migrator)),
        sql.SQL("DATABASE {}").format(sql.Identifier(database.name)),
    )
    superuser.execute(sql.SQL("GRANT pg_monitor TO {}").format(sql.Identifier(database.migrator)))
    for name in expected(superuser):
        if name in _UNSETTABLE:
            continue
        for owner in owners if name != "role" else owners[:1]:
            superuser.execute(
                sql.SQL("ALTER {} SET {} = {}").format(
                    owner,
                    sql.SQL(".").join(map(sql.Identifier, name.lower().split("."))),
                    sql.SQL(ANOTHER[name])
                    if name in ("search_path", "temp_tablespaces")
                    else sql.Literal(ANOTHER[name]),
                )
            )
    superuser.close()
    yield database
    superuser = connect(database.superuser_conninfo)
    for owner in owners:
        superuser.execute(sql.SQL("ALTER {} RESET ALL").format(owner))
    superuser.close()


def test_no_setting_of_role_or_database_reaches_a_session(hostile: StagingDatabase) -> None:
    connection = connect(hostile.migrator_conninfo)
    wanted = expected(connection)
    found = {name: shown(connection, name) for name in wanted}
    assert found == wanted
    connection.execute("RESET ALL; RESET ROLE; RESET SESSION AUTHORIZATION")
    assert {name: shown(connection, name) for name in wanted} == wanted
    connection.close()


def test_what_was_overridden_is_told_with_who_had_set_it(hostile: StagingDatabase) -> None:
    connection = connect(hostile.migrator_conninfo)
    told = overridden(connection)
    assert f"DateStyle = SQL, DMY (ALTER ROLE {hostile.migrator} SET)" in told
    assert f"TimeZone = Asia/Tokyo (ALTER DATABASE {hostile.name} SET)" in told
    assert {line.partition(" = ")[0].lower() for line in told} == {
        name.lower() for name in expected(connection) if name not in _UNSETTABLE
    }
    connection.close()


def test_a_value_that_the_project_has_chosen_goes_before(hostile: StagingDatabase) -> None:
    chosen = {"DateStyle": "German, DMY", "search_path": 'a\\b, "c d"'}
    connection = connect(hostile.migrator_conninfo, settings=chosen)
    assert shown(connection, "DateStyle") == "German, DMY"
    assert shown(connection, "search_path") == 'a\\b, "c d"'
    assert shown(connection, "TimeZone") == "UTC"
    connection.close()


ENVIRONMENT = {
    "PGHOSTADDR": "192.0.2.1",
    "PGHOST": "nowhere.invalid",
    "PGPORT": "1",
    "PGUSER": "nobody",
    "PGDATABASE": "nowhere",
    "PGPASSWORD": "wrong",
    "PGOPTIONS": "-c TimeZone=Asia/Tokyo -c no_such_setting=1",
    "PGSERVICE": "no_such_service",
    "PGSERVICEFILE": "/nowhere",
    "PGTARGETSESSIONATTRS": "standby",
    "PGCHANNELBINDING": "require",
    "PGREQUIREAUTH": "scram-sha-256",
    "PGREQUIREPEER": "nobody",
    "PGSSLMODE": "verify-full",
    "PGSSLROOTCERT": "/nowhere",
    "PGSSLCERT": "/nowhere",
    "PGSSLMINPROTOCOLVERSION": "nonsense",
    "PGGSSENCMODE": "require",
    "PGPASSFILE": "/nowhere",
    "PGCLIENTENCODING": "LATIN1",
    "PGDATESTYLE": "SQL, DMY",
    "PGTZ": "Asia/Tokyo",
    "PGCONNECT_TIMEOUT": "nonsense",
    "PGLOADBALANCEHOSTS": "nonsense",
    "PGAPPNAME": "another",
}


@pytest.mark.parametrize("variable", [*ENVIRONMENT, "all"])
def test_no_variable_of_libpq_reaches_a_connection(
    database: StagingDatabase, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    for name, value in ENVIRONMENT.items():
        if variable in (name, "all"):
            monkeypatch.setenv(name, value)
    connection = connect(database.migrator_conninfo)
    assert {name: shown(connection, name) for name in expected(connection)} == expected(connection)
    assert shown(connection, "client_encoding") == "UTF8"
    assert connection.info.dbname == database.name
    assert set(libpq_variables()) >= (set(ENVIRONMENT) if variable == "all" else {variable})
    connection.close()


def test_every_variable_that_libpq_names_is_one_that_is_taken_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    named = {each.envvar.decode() for each in pq.Conninfo.get_defaults() if each.envvar}
    assert "PGCONNECT_TIMEOUT" in named
    for name in named:
        monkeypatch.setenv(name, "")
    assert set(libpq_variables()) >= named


def test_every_user_setting_of_the_server_is_pinned_or_known_to_change_no_meaning(
    connection: psycopg.Connection[tuple[str, str]],
) -> None:
    """A setting that a later version brings has to be looked at: it is red until then."""
    rows = connection.execute(
        "SELECT name, category FROM pg_settings WHERE context = 'user' ORDER BY 1"
    ).fetchall()
    assert len(rows) > 80
    unknown = [
        name
        for name, category in rows
        if name not in {each.lower() for each in pinned_names()} | pinned_names()
        and name not in _HARMLESS
        and not category.startswith(_HARMLESS_CATEGORIES)
    ]
    assert unknown == []


def test_a_text_is_stored_in_a_latin1_database_as_written_or_refused(
    database: StagingDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGCLIENTENCODING", "LATIN1")
    name = f"{database.name}_latin1"
    with psycopg.connect(database.superuser_conninfo, autocommit=True) as superuser:
        superuser.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        # What stands in a new database is ASCII, which is LATIN1 as well.
        superuser.execute(
            "UPDATE pg_database SET encoding = pg_char_to_encoding('LATIN1') WHERE datname = %s",
            (name,),
        )
        try:
            connection = connect(
                psycopg.conninfo.make_conninfo(database.superuser_conninfo, dbname=name)
            )
            connection.execute("CREATE TABLE t (a text)")
            connection.execute("INSERT INTO t VALUES ('é')")
            assert connection.execute("SELECT a, ascii(a), length(a) FROM t").fetchall() == [
                ("é", 233, 1)
            ]
            with pytest.raises(psycopg.errors.UntranslatableCharacter):
                connection.execute("INSERT INTO t VALUES ('€')")
            connection.close()
        finally:
            superuser.execute(sql.SQL("DROP DATABASE {}").format(sql.Identifier(name)))


def test_a_session_without_triggers_is_noticed(database: StagingDatabase) -> None:
    superuser = connect(database.superuser_conninfo)
    superuser.execute(
        sql.SQL("ALTER ROLE {} SET session_replication_role = replica").format(
            sql.Identifier(database.migrator)
        )
    )
    connection = connect(database.migrator_conninfo)
    assert replication_role(connection) == "replica"
    assert replication_role(superuser) == "origin"
    connection.close()
    superuser.execute(sql.SQL("ALTER ROLE {} RESET ALL").format(sql.Identifier(database.migrator)))
    superuser.close()


def test_a_value_that_the_server_does_not_take_is_told_as_a_failed_connection(
    database: StagingDatabase,
) -> None:
    with pytest.raises(ServerError, match="TimeZone"):
        connect(database.migrator_conninfo, settings={"TimeZone": "Nowhere/Land"})


def test_what_a_project_may_choose_is_what_a_text_can_mean() -> None:
    assert {"DateStyle", "TimeZone", "search_path"} <= names_to_choose()
    assert not {"role", "statement_timeout", "synchronous_commit"} & names_to_choose()


@pytest.mark.parametrize(("expected", "opened"), [(0, 2), (15, 2), (16, 1), (17, 3)])
def test_a_server_of_the_version_that_was_expected_is_connected_to_once(
    database: StagingDatabase, monkeypatch: pytest.MonkeyPatch, expected: int, opened: int
) -> None:
    """And whatever was expected, the session has the settings of the server's own version."""
    counted, known = [], module.LentConnection.connect

    def count(*args: object, **more: object) -> LentConnection:
        counted.append(1)
        return known(*args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "_MAJORS", {})
    monkeypatch.setattr(module.LentConnection, "connect", count)
    module.expect(expected)
    with connect(database.migrator_conninfo) as connection:
        if connection.info.server_version // 10000 != 16:
            pytest.skip("the versions stand around 16")
        assert len(counted) == opened
        assert set(pinned(16)) - set(pinned(0)) == {"createrole_self_grant"}
        assert connection.execute("SHOW createrole_self_grant").fetchone() == ("",)
        with open_beside(connection) as beside:
            assert len(counted) == opened + 1
            assert beside.execute("SHOW DateStyle").fetchone() == ("ISO, MDY",)
