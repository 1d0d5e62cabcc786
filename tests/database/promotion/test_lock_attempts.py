"""A batch that meets a lock: everything is let go, and tried again, at its end as well."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Protocol, TypeAlias

import psycopg
import pytest

from pytest_housekeeping.config import Config
from pytest_housekeeping.errors import LeftBehind, SqlFailed
from pytest_housekeeping.model import Kind, Lock, Mode, Phase, Step
from pytest_housekeeping.plan.modes import rules_of
from pytest_housekeeping.postgres.connection import Connection, connect
from pytest_housekeeping.postgres.locks.requests import ForeseenLocks
from pytest_housekeeping.promotion.target_connection import TargetConnection
from pytest_housekeeping.promotion.transaction import lock_attempts
from pytest_housekeeping.promotion.transaction.batch import Batch
from pytest_housekeeping.server import StagingDatabase
from pytest_housekeeping.sql import file as sqlfile

Other: TypeAlias = Connection
ALTER = "ALTER TABLE held ADD b int"
BUILD = "-- hk: transaction=none\nCREATE INDEX CONCURRENTLY held_a ON held (a)"
CONSTRAINT = """
CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE CONSTRAINT TRIGGER late AFTER INSERT ON held DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW EXECUTE FUNCTION nothing()"""


class Plain:
    """The database as a target, without what stands around a promotion."""

    def __init__(self, database: StagingDatabase) -> None:
        self.connection = TargetConnection(lambda: connect(database.migrator_conninfo))

    def __getattr__(self, name: str) -> Any:
        return lambda *_, **__: None


@pytest.fixture
def other(database: StagingDatabase) -> Iterator[Other]:
    with psycopg.connect(database.migrator_conninfo, autocommit=True) as opened:
        opened.execute("CREATE TABLE held (a int)")
        yield opened


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock_attempts, "_LONGEST_PAUSE_S", 0.2)


class Maker(Protocol):
    def __call__(self, texts: Mapping[str, str], *, attempts: int = 20) -> Batch: ...


@pytest.fixture
def batch_of(database: StagingDatabase) -> Iterator[Maker]:
    """Makes batches, whose files are these texts; what they have open is closed behind the test."""
    made: list[Batch] = []

    def make(texts: Mapping[str, str], *, attempts: int = 20) -> Batch:
        made.append(new_batch(database, texts, attempts))
        return made[-1]

    yield make
    for batch in made:
        batch.roll_back()
        batch.target.connection.close()


def new_batch(database: StagingDatabase, texts: Mapping[str, str], attempts: int) -> Batch:
    files = {
        path: sqlfile.from_text(path, Kind.MIGRATION, text, path) for path, text in texts.items()
    }
    context: Any = SimpleNamespace(
        config=Config(root=Path.cwd(), lock_timeout="100ms", lock_attempts=attempts),
        rules=rules_of(Mode.PROD),
        options=SimpleNamespace(records_only=False),
        plan=SimpleNamespace(rollbacks=SimpleNamespace(ends=())),
        files=SimpleNamespace(of=lambda step: files[step.path], text=lambda file: texts[file.path]),
    )
    target: Any = Plain(database)
    locks = ForeseenLocks(
        by_file={("1", "1"): (Lock(relation="public.held", mode="AccessExclusiveLock"),)}
    )
    record: Any = lambda _: None  # noqa: E731
    return Batch(context=context, target=target, locks=lambda _: locks, foreseen=record)


def step(path: str) -> Step:
    return Step(id=f"{path}::apply", phase=Phase.APPLY, kind=Kind.MIGRATION, path=path, segment=1)


def later(other: Other, seconds: float = 0.5) -> None:
    threading.Timer(seconds, lambda: other.execute("ROLLBACK")).start()


def pid(other: Other) -> str:
    return f"process {other.info.backend_pid}"


@pytest.mark.parametrize("foreseen", [True, False], ids=["foreseen", "not foreseen"])
def test_it_is_tried_until_the_lock_is_had(batch_of: Maker, other: Other, foreseen: bool) -> None:
    batch = batch_of({"0": "CREATE TABLE first (a int)", "1": ALTER})
    if not foreseen:
        batch.locks = lambda _: ForeseenLocks()
    batch.apply(step("0"))
    other.execute("BEGIN; SELECT FROM held")
    later(other)
    batch.apply(step("1"))
    batch.seal(1)
    assert batch.opened().applied == ["0", "1"]
    assert batch.progress.attempts_of(step("1")) != []
    if foreseen:  # nobody waits for it any more when it is asked who holds it
        met = batch.progress.conflicts[0]
        assert "public.held could not be locked in ACCESS EXCLUSIVE mode" in met.found
        assert any(pid(other) in line for line in met.in_the_way)


def test_each_segment_asks_for_its_own(batch_of: Maker, other: Other) -> None:
    asked: list[int] = []

    def locks(segment: int) -> ForeseenLocks:
        asked.append(segment)
        return ForeseenLocks()

    batch = batch_of({"0": ALTER, "1": "ALTER TABLE held ADD c int"})
    batch.locks = locks
    for path in ("0", "1"):
        batch.apply(step(path))
        batch.opened().connection.execute("COMMIT")
        batch.committed()
    assert asked == [1, 2]


def test_when_it_is_given_up_nothing_is_held(batch_of: Maker, other: Other) -> None:
    batch = batch_of({"1": ALTER}, attempts=3)
    other.execute("BEGIN; SELECT FROM held")
    with pytest.raises(SqlFailed, match="the batch was tried 3 times") as caught:
        batch.apply(step("1"))
    assert pid(other) in caught.value.found
    assert [met.number for met in batch.progress.conflicts] == [1, 2, 3]
    assert batch.transaction is None
    mine = batch.target.connection.get().info.backend_pid
    assert other.execute("SELECT 1 FROM pg_locks WHERE pid = %s", (mine,)).fetchall() == []


def test_a_check_has_no_more_time_than_others_may_wait(batch_of: Maker, other: Other) -> None:
    batch = batch_of({"0": "INSERT INTO held VALUES (1)", "1": ALTER})
    batch.context.config = Config(root=Path.cwd(), max_locks_held=5.0)  # type: ignore[misc]
    shown = "SHOW idle_in_transaction_session_timeout"
    batch.apply(step("0"))
    with batch.check_savepoint() as connection:
        assert connection.execute(shown).fetchone() == ("5min",)
    batch.apply(step("1"))
    with batch.check_savepoint() as connection:
        assert str(connection.execute(shown).fetchone()).endswith("ms',)")
    assert batch.opened().connection.execute(shown).fetchone() == ("5min",)


def test_what_no_attempt_changes_is_told_at_once(batch_of: Maker, other: Other) -> None:
    batch = batch_of({"1": "SELECT pg_advisory_lock(77); ALTER TABLE nowhere ADD b int"})
    with pytest.raises(SqlFailed, match="does not exist"):
        batch.apply(step("1"))
    assert batch.progress.conflicts == []
    # No ROLLBACK ends a lock of the session.
    assert other.execute("SELECT pg_try_advisory_lock(77)").fetchone() == (True,)


def test_who_is_overtaken_at_a_row_of_the_catalog_begins_again(
    batch_of: Maker, other: Other, database: StagingDatabase
) -> None:
    """Two GRANTs on one table: no lock of the table keeps them apart."""
    batch = batch_of({"0": "GRANT SELECT ON held TO PUBLIC"})
    batch.context.config = Config(root=Path.cwd(), lock_timeout="5s")  # type: ignore[misc]
    batch.locks = lambda _: ForeseenLocks()
    other.execute("BEGIN; GRANT INSERT ON held TO PUBLIC")

    def commit_when_waited_for() -> None:
        with psycopg.connect(database.migrator_conninfo, autocommit=True) as looking:
            while not looking.execute("SELECT FROM pg_locks WHERE NOT granted").fetchall():
                pass
        other.execute("COMMIT")

    commit = threading.Thread(target=commit_when_waited_for)
    commit.start()
    batch.apply(step("0"))
    commit.join()
    assert ["tuple concurrently updated" in met.found for met in batch.progress.conflicts] == [True]


def test_a_lock_that_is_met_at_the_end_begins_the_batch_again(
    batch_of: Maker, other: Other
) -> None:
    """To see whether a trigger waits for COMMIT takes a lock that an autovacuum may hold."""
    other.execute(CONSTRAINT.encode())
    batch = batch_of({"0": "INSERT INTO held VALUES (1)"})
    batch.locks = lambda _: ForeseenLocks()
    batch.apply(step("0"))
    other.execute("BEGIN; LOCK TABLE held IN SHARE UPDATE EXCLUSIVE MODE")
    later(other)
    batch.seal(1)
    assert batch.progress.conflicts != []
    connection = batch.opened().connection
    assert connection.execute("SELECT count(*) FROM held").fetchone() == (1,)


def test_what_no_transaction_has_held_is_not_done_again(batch_of: Maker, other: Other) -> None:
    other.execute(CONSTRAINT.encode())
    drop = "-- hk: transaction=none\nDROP INDEX CONCURRENTLY held_a"
    other.execute("CREATE INDEX held_a ON held (a)")
    batch = batch_of({"0": drop, "2": "INSERT INTO held VALUES (1)"})
    batch.locks = lambda _: ForeseenLocks()
    batch.apply(step("0"))
    batch.apply(step("2"))
    other.execute("BEGIN; LOCK TABLE held IN SHARE UPDATE EXCLUSIVE MODE")
    later(other)
    batch.seal(1)
    assert batch.progress.conflicts != []


def test_a_concurrent_build_asks_first_whether_it_can_have_its_table(
    batch_of: Maker, other: Other
) -> None:
    """With a lock_timeout of its own it would leave an invalid index behind."""
    batch = batch_of({"0": BUILD}, attempts=3)
    other.execute("BEGIN; LOCK TABLE held IN SHARE UPDATE EXCLUSIVE MODE")
    later(other, 2.0)
    batch.apply(step("0"))
    assert "in SHARE UPDATE EXCLUSIVE mode" in batch.progress.conflicts[0].found
    valid = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'held_a'::regclass"
    assert other.execute(valid).fetchone() == (True,)


def test_and_waits_as_long_as_it_needs_for_whoever_began_before(
    batch_of: Maker, other: Other
) -> None:
    batch = batch_of({"0": BUILD}, attempts=1)
    other.execute("BEGIN; INSERT INTO held VALUES (1)")
    later(other, 1.0)
    batch.apply(step("0"))
    assert batch.progress.conflicts == []


def test_one_that_failed_half_way_is_not_tried_again(batch_of: Maker, other: Other) -> None:
    other.execute("INSERT INTO held VALUES (1), (1)")
    batch = batch_of({"0": BUILD.replace("INDEX", "UNIQUE INDEX", 1)})
    with pytest.raises(LeftBehind):
        batch.apply(step("0"))
    assert batch.progress.conflicts == []


def test_a_vacuum_full_lets_go_of_who_queues_behind_it(batch_of: Maker, other: Other) -> None:
    batch = batch_of({"0": "-- hk: transaction=none\nVACUUM FULL held"})
    other.execute("BEGIN; SELECT FROM held")
    later(other)
    batch.apply(step("0"))
    assert "lock timeout" in batch.progress.conflicts[0].found
    assert batch.target.connection.get().execute("SHOW lock_timeout").fetchone() == ("0",)
