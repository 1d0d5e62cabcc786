"""What would run inside COMMIT runs before it, or the batch is refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_housekeeping.config import Config
from pytest_housekeeping.errors import ProofFailed, SqlFailed
from pytest_housekeeping.model import Kind
from pytest_housekeeping.postgres.connection import LentConnection, connect
from pytest_housekeeping.postgres.transaction import Transaction, begin
from pytest_housekeeping.server import StagingDatabase
from pytest_housekeeping.sql import file as sqlfile

ACTS = """
CREATE TABLE watched (id int);
CREATE TABLE traces (who text);
CREATE FUNCTION act() RETURNS int LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO traces VALUES ('act');
    RETURN 1;
END $$;
"""
# Puts itself off again {depth} times, then acts.
AGAIN = """
CREATE FUNCTION again() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF new.id < {depth} THEN
        SET CONSTRAINTS ALL DEFERRED;
        INSERT INTO watched VALUES (new.id + 1);
    ELSE
        INSERT INTO traces VALUES ('at depth ' || new.id);
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER puts_off AFTER INSERT ON watched
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION again();
INSERT INTO watched VALUES (1);
"""


@pytest.fixture
def batch(database: StagingDatabase, tmp_path: Path) -> Iterator[Transaction]:
    connection = connect(database.migrator_conninfo)
    yield begin(connection, Config(root=tmp_path))
    connection.close()


def apply(batch: Transaction, text: str) -> None:
    batch.apply(sqlfile.from_text("0001_it.sql", Kind.MIGRATION, text, ""), text)


def traces(connection: LentConnection) -> list[str]:
    return [who for (who,) in connection.execute("SELECT who FROM traces").fetchall()]


def test_a_held_cursor_is_closed_and_its_query_never_runs(batch: Transaction) -> None:
    for declare in (
        "DECLARE held CURSOR WITH HOLD FOR SELECT act();",
        "DO $$ BEGIN EXECUTE 'DECLARE h CURSOR WITH HOLD FOR SELECT act()'; END $$;",
        "DECLARE third SCROLL CURSOR WITH HOLD FOR SELECT act() FROM generate_series(1, 3);",
    ):
        apply(batch, (ACTS if declare.startswith("DECLARE held C") else "") + declare)
    batch.seal()
    connection = batch.connection
    assert connection.execute("SELECT name FROM pg_cursors").fetchall() == []
    connection.execute("COMMIT")
    assert traces(connection) == []


@pytest.mark.parametrize("depth", [1, 2, 5])
def test_what_puts_itself_off_a_few_times_has_run_before_the_checks(
    batch: Transaction, depth: int
) -> None:
    apply(batch, ACTS + AGAIN.format(depth=depth))
    batch.seal()
    assert traces(batch.connection) == [f"at depth {depth}"]
    batch.connection.execute("COMMIT")
    assert traces(batch.connection) == [f"at depth {depth}"]


BACK_AND_FORTH = """
CREATE TABLE elsewhere (id int);
CREATE FUNCTION back() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    SET CONSTRAINTS ALL DEFERRED;
    INSERT INTO watched VALUES (1);
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER puts_off AFTER INSERT ON elsewhere
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION back();
CREATE FUNCTION forth() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    SET CONSTRAINTS ALL DEFERRED;
    INSERT INTO elsewhere VALUES (1);
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER puts_off AFTER INSERT ON watched
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION forth();
INSERT INTO watched VALUES (1);
"""


@pytest.mark.parametrize("text", [AGAIN.format(depth=1_000_000), BACK_AND_FORTH])
def test_what_puts_itself_off_for_ever_is_refused_by_name(batch: Transaction, text: str) -> None:
    """Also where one table's trigger writes to another one, whose trigger writes back."""
    apply(batch, ACTS + text)
    with pytest.raises(ProofFailed, match="waits for COMMIT") as refused:
        batch.seal()
    assert "puts_off" in str(refused.value)


def test_a_deferred_constraint_that_does_not_hold_is_told_and_nothing_is_sealed(
    batch: Transaction,
) -> None:
    text = """
    CREATE TABLE a (id int PRIMARY KEY);
    CREATE TABLE b (a_id int REFERENCES a DEFERRABLE INITIALLY DEFERRED);
    INSERT INTO b VALUES (1);
    """
    apply(batch, text)
    with pytest.raises(SqlFailed, match="foreign key"):
        batch.seal()
    assert not batch.sealed


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("PERFORM set_config('search_path', 'evil', false)", "search_path = evil"),
        ("PERFORM set_config('datestyle', 'SQL, DMY', false)", "DateStyle = SQL, DMY"),
        ("SET LOCAL row_security = off", None),
        ("SET ROLE pg_monitor", "role pg_monitor"),
        ("CREATE TEMPORARY TABLE watched (id int)", "temporary table watched"),
    ],
)
def test_what_a_deferred_trigger_changes_of_the_session_is_put_back_and_said(
    batch: Transaction, superuser_grants: None, change: str, said: str | None
) -> None:
    text = (
        ACTS
        + f"""
    CREATE SCHEMA evil;
    CREATE TABLE evil.watched (id int);
    CREATE FUNCTION changes() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        {change};
        RETURN NULL;
    END $$;
    CREATE CONSTRAINT TRIGGER changes AFTER INSERT ON watched
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION changes();
    INSERT INTO watched VALUES (1);
    """
    )
    apply(batch, text)
    before = batch.connection.execute("SELECT 'watched'::regclass::oid").fetchone()
    put_back = batch.seal()
    after = batch.connection.execute(
        "SELECT 'watched'::regclass::oid, current_user = session_user,"
        " current_setting('row_security')"
    ).fetchone()
    assert before is not None
    assert after == (before[0], True, "on")
    assert put_back == ((said,) if said else ())


@pytest.fixture
def superuser_grants(database: StagingDatabase) -> None:
    """The migrating role may become another one."""
    connection = connect(database.superuser_conninfo)
    connection.execute("GRANT pg_monitor TO hk_migrator")
    connection.close()
