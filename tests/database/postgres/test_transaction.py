"""The one transaction, on a real server: proofs around each file, and what is put back."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import TransactionStatus

from pytest_housekeeping.checks.rules.attempts import Attempt, attempt_all
from pytest_housekeeping.config import Config
from pytest_housekeeping.errors import ProofFailed, ServerError, SqlFailed
from pytest_housekeeping.model import Applied, Kind
from pytest_housekeeping.postgres.acting import as_role
from pytest_housekeeping.postgres.connection import LentConnection, connect, rolled_back
from pytest_housekeeping.postgres.transaction import Transaction, begin
from pytest_housekeeping.server import StagingDatabase
from pytest_housekeeping.sql import file as sqlfile


@pytest.fixture
def settings(tmp_path: Path) -> Config:
    return Config(root=tmp_path)


def apply(transaction: Transaction, text: str, path: str = "0001_it.sql") -> Applied:
    file = sqlfile.from_text(path, Kind.MIGRATION, text, "")
    return transaction.apply(file, text)


def one(connection: LentConnection, query: str) -> object:
    row = connection.execute(query).fetchone()
    assert row is not None
    return row[0]


@pytest.fixture
def transaction(connection: LentConnection, settings: Config) -> Transaction:
    return begin(connection, settings)


def test_a_file_and_what_it_did(transaction: Transaction) -> None:
    done = apply(transaction, "CREATE TABLE t (a int);\nINSERT INTO t VALUES (1), (2);\n-- end")
    assert (done.statements, done.rows, done.put_back) == (2, 2, ())
    assert done.duration_s > 0
    assert one(transaction.connection, "SELECT count(*) FROM t") == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("SET search_path = ''", 'search_path = ""'),
        ("SET ROLE pg_monitor", "role pg_monitor"),
        ("SET LOCAL work_mem = '1234kB'", "work_mem = 1234"),
        ("CREATE TEMP TABLE leftover (a int)", "temporary table leftover"),
        ("SELECT set_config('lock_timeout', '77s', false)", "lock_timeout = 77000"),
        ("DO $$ BEGIN SET work_mem = '999kB'; END $$", "work_mem = 999"),
    ],
)
def test_the_session_is_put_back_and_it_is_said(
    transaction: Transaction, superuser: LentConnection, text: str, said: str
) -> None:
    superuser.execute("GRANT pg_monitor TO hk_migrator")
    done = apply(transaction, text)
    assert said in done.put_back
    state = (
        "SELECT concat_ws(' ', current_user, current_setting('search_path'),"
        " current_setting('work_mem'), current_setting('lock_timeout'),"
        " current_setting('row_security'), to_regclass('leftover') IS NULL)"
    )
    with_defaults = 'hk_migrator "$user", public 4MB 1500ms off t'
    assert one(transaction.connection, state) == with_defaults


def test_a_lock_of_the_session_ends_with_the_file_that_took_it(
    transaction: Transaction, superuser: LentConnection
) -> None:
    """An advisory lock, which others would wait for to the end of the run; ours is no such one."""
    held = "SELECT objid FROM pg_locks WHERE locktype = 'advisory' AND pid = %s"
    mine = (transaction.connection.info.backend_pid,)
    before = superuser.execute(held, mine).fetchall()
    apply(transaction, "SELECT pg_advisory_lock(77), pg_advisory_lock_shared(78)")
    assert len(before) == 1
    assert superuser.execute(held, mine).fetchall() == before


def test_a_check_keeps_nobody_waiting_for_longer_than_is_allowed(
    connection: LentConnection, settings: Config
) -> None:
    connection.execute("CREATE TABLE stood (a int)")
    transaction = begin(connection, replace(settings, max_locks_held=0.2))
    assert transaction.bounded("SAVEPOINT a") == "SAVEPOINT a"
    apply(transaction, "ALTER TABLE stood ADD b int")
    connection.execute(transaction.bounded("SAVEPOINT a"))
    with pytest.raises(psycopg.errors.QueryCanceled):
        connection.execute("SELECT pg_sleep(9)")
    transaction.prove(first="ROLLBACK TO SAVEPOINT a")
    assert one(connection, "SHOW statement_timeout") == "15min"
    connection.execute(transaction.bounded("SAVEPOINT b"))
    time.sleep(0.3)
    with pytest.raises(ProofFailed, match=r"ended the session: .*idle-in-transaction") as raised:
        transaction.prove(first="ROLLBACK TO SAVEPOINT b")
    assert "max_locks_held" in raised.value.fix


def test_what_others_may_wait_makes_no_limit_longer(
    connection: LentConnection, settings: Config
) -> None:
    connection.execute("CREATE TABLE stood (a int)")
    short = replace(settings, max_locks_held=60, statement_timeout="2s", idle_timeout="0s")
    transaction = begin(connection, short)
    apply(transaction, "ALTER TABLE stood ADD b int")
    connection.execute(transaction.bounded("SAVEPOINT a"))
    assert one(connection, "SHOW statement_timeout") == "2s"
    assert str(one(connection, "SHOW idle_in_transaction_session_timeout")).endswith("ms")


def test_a_run_that_is_killed_in_a_long_statement_keeps_no_lock(
    transaction: Transaction, superuser: LentConnection
) -> None:
    """As the kernel ends the connection of a process: no word of a farewell is read meanwhile."""
    superuser.execute("CREATE TABLE hot (i int); ALTER TABLE hot OWNER TO hk_migrator")
    transaction.connection.execute("LOCK TABLE hot")
    transaction.connection.pgconn.send_query(b"SELECT pg_sleep(60)")
    transaction.connection.pgconn.finish()
    superuser.execute("SET lock_timeout = '20s'; SELECT FROM hot")


def test_a_connection_over_a_network_that_is_cut_does_not_wait_for_hours(
    transaction: Transaction, database: StagingDatabase
) -> None:
    limits = "SELECT current_setting('client_connection_check_interval')"
    assert one(transaction.connection, limits) == "2s"
    known = conninfo_to_dict(transaction.connection.info.dsn)
    assert (known["keepalives_idle"], known["keepalives_count"]) == ("15", "3")
    with connect(f"{database.migrator_conninfo} keepalives_idle=7") as chosen:
        assert conninfo_to_dict(chosen.info.dsn)["keepalives_idle"] == "7"


def test_a_quiet_file_has_nothing_put_back(transaction: Transaction) -> None:
    assert apply(transaction, "DO $$ BEGIN END $$").put_back == ()


def test_where_and_why_a_statement_was_refused(transaction: Transaction) -> None:
    text = "CREATE TABLE ok (a int);\n\nALTER TABLE missing\n    ADD COLUMN b int;\n"
    with pytest.raises(SqlFailed) as caught:
        apply(transaction, text, "sql/migrations/0009_it.sql")
    message = str(caught.value)
    assert 'relation "missing" does not exist (SQLSTATE 42P01)' in message
    text = "SELECT 1;\nSELECT 'é', nope;\n"
    transaction.connection.execute("ROLLBACK")
    with pytest.raises(SqlFailed) as caught:
        apply(begin(transaction.connection, transaction.config), text, "sql/x.sql")
    message = str(caught.value)
    assert message.startswith('sql/x.sql:2:13: column "nope" does not exist (SQLSTATE 42703)')
    assert ">    2 | SELECT 'é', nope;" in message


def test_the_place_is_right_behind_a_header(transaction: Transaction) -> None:
    with pytest.raises(SqlFailed, match=r"^x\.sql:2:8: column"):
        apply(transaction, "-- hk: row-security=on\nSELECT nope", "x.sql")


def test_a_change_that_force_rls_would_swallow_raises(transaction: Transaction) -> None:
    apply(
        transaction,
        "CREATE TABLE t (a int); ALTER TABLE t ENABLE ROW LEVEL SECURITY;"
        " ALTER TABLE t FORCE ROW LEVEL SECURITY",
    )
    with rolled_back(transaction.connection):
        done = apply(transaction, "-- hk: row-security=on\nUPDATE t SET a = 1")
        assert done.rows == 0
    with pytest.raises(SqlFailed, match="would be affected by row-level security") as caught:
        apply(transaction, "UPDATE t SET a = 1")
    # PostgreSQL's own hint would take the protection away.
    assert "NO FORCE" not in str(caught.value)
    assert "-- hk: row-security=on" in caught.value.fix


def test_a_commit_that_slipped_through_is_proved_at_run_time(
    transaction: Transaction, connection: LentConnection
) -> None:
    text = "CREATE TABLE slipped (a int); COMMIT; BEGIN"
    with pytest.raises(ProofFailed, match="ended the transaction"):
        apply(transaction, text)
    connection.execute("ROLLBACK")


def test_a_deferred_constraint_speaks_before_the_commit(transaction: Transaction) -> None:
    apply(
        transaction,
        "CREATE TABLE p (a int PRIMARY KEY);"
        " CREATE TABLE c (a int REFERENCES p DEFERRABLE INITIALLY DEFERRED);"
        " INSERT INTO c VALUES (7)",
    )
    with pytest.raises(SqlFailed, match="violates foreign key constraint"):
        transaction.seal()


def test_row_security_is_on_for_the_checks(transaction: Transaction) -> None:
    assert one(transaction.connection, "SHOW row_security") == "off"
    transaction.seal()
    assert one(transaction.connection, "SHOW row_security") == "on"


def test_locks_on_what_stood_before(connection: LentConnection, settings: Config) -> None:
    connection.execute("CREATE TABLE old (a int)")
    transaction = begin(connection, settings)
    assert apply(transaction, "CREATE TABLE young (a int)").locks == ()
    assert transaction.locks.held_s == 0
    done = apply(transaction, "ALTER TABLE old ADD COLUMN b int")
    assert [(lock.relation, lock.mode) for lock in done.locks] == [
        ("public.old", "AccessExclusiveLock")
    ]
    assert transaction.locks.held_s > 0
    assert apply(transaction, "ALTER TABLE old ADD COLUMN c int").locks == ()


def test_one_promotion_at_a_time(
    transaction: Transaction, database: StagingDatabase, tmp_path: Path
) -> None:
    second = connect(database.migrator_conninfo)
    with pytest.raises(ProofFailed, match="another promotion"):
        begin(second, Config(root=tmp_path, lock_wait="50ms"))
    assert second.info.transaction_status is TransactionStatus.IDLE
    second.close()


def test_a_lent_connection_does_not_end_the_transaction(transaction: Transaction) -> None:
    connection = transaction.connection
    connection.lent = True
    for statement in ("COMMIT", "ROLLBACK", "SELECT 1; COMMIT", b"END", "START TRANSACTION"):
        with pytest.raises(ProofFailed, match="a check called"):
            connection.execute(statement)
    for method in (connection.commit, connection.rollback, connection.close):
        with pytest.raises(ProofFailed, match="a check called"):
            method()
    connection.execute("SELECT 'commit; rollback'")
    connection.execute("SAVEPOINT a; ROLLBACK TO SAVEPOINT a; RELEASE SAVEPOINT a")
    connection.lent = False
    transaction.prove()


def test_prove_sees_another_transaction(transaction: Transaction) -> None:
    transaction.connection.execute("ROLLBACK")
    with pytest.raises(ProofFailed, match="no longer open"):
        transaction.prove()
    transaction.connection.execute("BEGIN")
    with pytest.raises(ProofFailed, match="the transaction is another one"):
        transaction.prove()


def test_a_role_and_its_settings_end_with_the_block(transaction: Transaction) -> None:
    connection = transaction.connection
    before = one(connection, "SELECT current_user")
    with as_role(connection, "hk_migrator", {"app.tenant_id": "7"}):
        assert one(connection, "SELECT current_setting('app.tenant_id')") == "7"
    assert one(connection, "SELECT coalesce(current_setting('app.tenant_id', true), '')") == ""
    with pytest.raises(Exception, match="division by zero"), as_role(connection, "hk_migrator"):
        connection.execute("SELECT 1 / 0")
    assert one(connection, "SELECT current_user") == before


def test_a_role_that_the_migrator_has_made_is_one_it_acts_as(connection: LentConnection) -> None:
    """PostgreSQL lets who has made a role grant it, and not act as it; what is granted for that
    goes with the savepoint, and gives none of its rights meanwhile."""
    members = "SELECT count(*) FROM pg_auth_members WHERE roleid = 'hk_made'::regrole"
    connection.execute(
        "BEGIN; CREATE ROLE hk_made; CREATE TABLE t (); GRANT SELECT ON t TO hk_made"
    )
    before = one(connection, members)
    with as_role(connection, "hk_made"):
        assert one(connection, "SELECT current_user || count(*) FROM t") == "hk_made0"
        usage = "SELECT pg_has_role(session_user, 'hk_made', 'USAGE')"
        assert one(connection, usage) is (connection.info.server_version < 160000)
    assert one(connection, members) == before
    attempts = [Attempt(role="hk_made", statement="SELECT FROM t")]
    (verdict,) = attempt_all(connection, attempts)
    assert not verdict.refused
    beyond = pytest.raises(psycopg.Error, match="permission denied to set role")
    with beyond, as_role(connection, "pg_signal_backend"):
        pass
    connection.execute("SET LOCAL transaction_read_only = on")
    with beyond, as_role(connection, "hk_made"):
        pass


def test_no_connection_and_no_password_in_the_message() -> None:
    with pytest.raises(ServerError) as caught:
        connect("host=127.0.0.1 port=1 dbname=d user=u password=s3cr3t-word")
    assert "no connection to database 'd'" in str(caught.value)
    assert "s3cr3t" not in str(caught.value)
