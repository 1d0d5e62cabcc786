"""The look before BEGIN, and those whom it looks for: sessions of their own, on real servers."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeAlias

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from pytest_housekeeping.config import Config
from pytest_housekeeping.errors import ProofFailed
from pytest_housekeeping.model import Finding, Level, Lock, Mode, Verdict
from pytest_housekeeping.plan.modes import rules_of
from pytest_housekeeping.postgres.before_commit import prove_server
from pytest_housekeeping.postgres.connection import Connection, connect
from pytest_housekeeping.postgres.locks.in_the_way import in_the_way
from pytest_housekeeping.promotion.production import target_address
from pytest_housekeeping.promotion.production.prechecks.activity import LookAround, check_window
from pytest_housekeeping.promotion.progress import Progress, described
from pytest_housekeeping.promotion.target_connection import TargetConnection
from pytest_housekeeping.snapshot.dumps.programs import find_pg_dump
from support.server_pair import Family, server_family

Session: TypeAlias = Connection
PASSWORD = "correct-horse-7"
OPTIONS = (
    *("-c", "max_prepared_transactions=5", "-c", "autovacuum_naptime=1s"),
    *("-c", "autovacuum_freeze_max_age=100000"),
)
STRONGEST = "AccessExclusiveLock"
FINDINGS: TypeAlias = dict[str, Finding]


@pytest.fixture(scope="module")
def family() -> Iterator[Family]:
    with server_family(PASSWORD, *OPTIONS) as found:
        with session(found) as superuser:
            superuser.execute(f"CREATE ROLE promoter LOGIN NOSUPERUSER PASSWORD '{PASSWORD}'")
        yield found


@contextmanager
def session(
    family: Family, *, user: str = "postgres", name: str = "nightly report", port: int = 0
) -> Iterator[Session]:
    known = conninfo(family, user=user, port=port)
    with psycopg.connect(known, application_name=name, autocommit=True) as opened:
        yield opened


def conninfo(family: Family, *, user: str = "postgres", port: int = 0) -> str:
    place: dict[str, Any] = {"host": "127.0.0.1", "port": port or family.primary}
    return make_conninfo("", dbname="postgres", user=user, password=PASSWORD, **place)


@pytest.fixture
def other(family: Family) -> Iterator[Session]:
    with session(family) as opened:
        opened.execute("CREATE TABLE held (a int); CREATE TABLE aside (a int)")
        yield opened
        opened.execute("ROLLBACK")
        opened.execute("DROP TABLE held, aside")


class Looks:
    """Looks around on a server, as a run of some mode that locks ``held`` would."""

    def __init__(self, family: Family) -> None:
        self._family = family
        self.told: list[str] = []

    def judge(
        self,
        *,
        mode: Mode = Mode.PROD,
        lock: str = STRONGEST,
        user: str = "postgres",
        emergency: str = "",
        **settings: str,
    ) -> tuple[Verdict, str]:
        known = {"activity_wait": "1s", "lock_timeout": "200ms"} | settings
        context: Any = SimpleNamespace(
            config=Config(root=Path.cwd(), **known),  # type: ignore[arg-type]
            rules=rules_of(mode),
            options=SimpleNamespace(emergency=emergency),
            plan=SimpleNamespace(segments=[SimpleNamespace(files=["0001_it.sql"])]),
        )
        target: Any = SimpleNamespace(
            connection=TargetConnection(lambda: connect(conninfo(self._family, user=user)))
        )
        identity: Any = SimpleNamespace(user=user)
        target.connection.identity = lambda: identity
        look = LookAround(context, target, lambda: [Lock(relation="public.held", mode=lock)])
        progress = Progress()
        look.follow(progress)
        done = threading.Event()
        watch = threading.Thread(target=self._watch, args=(progress, done))
        watch.start()
        try:
            return look.judge()
        finally:
            done.set()
            watch.join()
            target.connection.close()

    def _watch(self, progress: Progress, done: threading.Event) -> None:
        while not done.wait(0.02):
            if progress.activity is not None:
                self.told.append(progress.activity.what)

    def found(self, **settings: Any) -> FINDINGS:
        return {finding.rule: finding for finding in self.judge(**settings)[0].findings}


@pytest.fixture
def looks(family: Family) -> Looks:
    return Looks(family)


def wait_until(true: Callable[[], object], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def pid(other: Session) -> str:
    return f"process {other.info.backend_pid}"


def test_where_nobody_is_in_the_way(looks: Looks, other: Session) -> None:
    verdict, said = looks.judge()
    assert (verdict.passed, verdict.findings) == (True, ())
    assert verdict.examined >= 1
    assert "the batch locks 1 relations" in said


def test_who_holds_a_table_of_the_batch_is_waited_for_and_refuses(
    looks: Looks, other: Session
) -> None:
    other.execute("BEGIN; SELECT FROM held")
    time.sleep(0.3)
    started = time.monotonic()
    verdict, _ = looks.judge()
    assert 0.9 < time.monotonic() - started < 3
    assert not verdict.passed
    (finding,) = verdict.findings
    assert (finding.rule, finding.level) == ("activity-lock", Level.ERROR)
    assert finding.object == f"{pid(other)} nightly report of postgres"
    assert "idle in transaction, in a transaction for" in finding.detail
    assert "public.held in AccessShareLock" in finding.detail
    assert f"pg_terminate_backend({other.info.backend_pid})" in finding.fix
    # A sign of life says whom it waits for.
    assert any(f"waiting for {pid(other)}" in line for line in looks.told)


def test_who_ends_meanwhile_lets_it_begin(looks: Looks, other: Session) -> None:
    other.execute("BEGIN; SELECT FROM held")
    time.sleep(0.3)
    threading.Timer(0.8, lambda: other.execute("ROLLBACK")).start()
    started = time.monotonic()
    assert looks.judge(activity_wait="20s")[0].findings == ()
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("settings", [{"mode": Mode.PLAN}, {"emergency": "the shop is down"}])
def test_a_plan_and_an_emergency_tell_it_and_wait_for_nobody(
    looks: Looks, other: Session, settings: dict[str, Any]
) -> None:
    other.execute("BEGIN; SELECT FROM held")
    time.sleep(0.3)
    verdict, _ = looks.judge(activity_wait="1min", **settings)
    assert verdict.passed
    assert [each.level for each in verdict.findings] == [Level.WARNING]
    assert pid(other) in verdict.findings[0].object


def test_who_holds_what_the_batch_can_live_with_is_none_of_its_concern(
    looks: Looks, other: Session
) -> None:
    """A reader is not in the way of who builds an index, nor who locks another table."""
    other.execute("BEGIN; SELECT FROM held; LOCK TABLE aside")
    time.sleep(0.3)
    assert looks.found(lock="ShareLock") == {}


def test_who_has_just_begun_is_left_to_the_attempts(looks: Looks, other: Session) -> None:
    other.execute("BEGIN; SELECT FROM held")
    assert looks.found(lock_timeout="5s") == {}


def test_a_pg_dump_that_runs(looks: Looks, other: Session, family: Family) -> None:
    """It stands at a table that somebody has locked, and has all others by then."""
    other.execute("CREATE TABLE last (a int)")
    other.execute("BEGIN; LOCK TABLE last")
    command = [str(find_pg_dump(16)), "-s", "-t", "held", "-t", "last"]
    dump = subprocess.Popen(
        [*command, conninfo(family)],
        env=os.environ | {"PGPASSWORD": PASSWORD},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        held = """SELECT FROM pg_locks JOIN pg_stat_activity USING (pid)
            WHERE application_name = 'pg_dump' AND relation = 'held'::regclass"""
        with session(family) as watching:  # in a transaction one sees the same sessions each time
            wait_until(lambda: watching.execute(held).fetchall())
        time.sleep(0.3)
        found = looks.found()
    finally:
        other.execute("ROLLBACK; DROP TABLE last")
        dump.wait(timeout=30)
    finding = found["activity-pg-dump"]
    assert " pg_dump of postgres" in finding.object
    assert "public.held in AccessShareLock" in finding.detail


def test_a_long_transaction_of_anything(looks: Looks, other: Session) -> None:
    other.execute("BEGIN; SELECT FROM aside")
    time.sleep(0.3)
    assert looks.found() == {}
    finding = looks.found(long_transaction="200ms")["activity-long-transaction"]
    assert pid(other) in finding.object
    assert "raise long_transaction" in finding.fix


@pytest.mark.parametrize(
    ("statement", "settings"),
    [("SELECT FROM held", {}), ("SELECT FROM aside", {"long_transaction": "200ms"})],
    ids=["that holds a table", "that is old"],
)
def test_a_prepared_transaction(
    looks: Looks, other: Session, statement: str, settings: dict[str, str]
) -> None:
    other.execute(f"BEGIN; {statement}; PREPARE TRANSACTION 'forgotten'".encode())
    try:
        time.sleep(0.3)
        finding = looks.found(**settings)["activity-prepared"]
    finally:
        other.execute("ROLLBACK PREPARED 'forgotten'")
    assert finding.object == "prepared transaction 'forgotten'"
    assert "of postgres, prepared " in finding.detail
    assert ("public.held in AccessShareLock" in finding.detail) is ("held" in statement)


def test_an_index_build(looks: Looks, other: Session, family: Family) -> None:
    """Of somebody else, CONCURRENTLY: it waits for a snapshot, and keeps out who alters."""
    with session(family, name="by hand") as builder:
        who = pid(builder)
        other.execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT FROM aside")
        build = "CREATE INDEX CONCURRENTLY held_a ON held (a)"
        thread = threading.Thread(target=builder.execute, args=(build,))
        thread.start()
        progress = "SELECT FROM pg_stat_progress_create_index WHERE phase LIKE 'waiting%'"
        try:
            with session(family) as watching:
                wait_until(lambda: watching.execute(progress).fetchall())
            time.sleep(0.3)
            found = looks.found()
        finally:
            other.execute("ROLLBACK")
            thread.join()
    finding = found.pop("activity-index-build")
    assert found == {}
    assert f"{who} by hand" in finding.object
    assert "CREATE INDEX CONCURRENTLY, waiting for" in finding.detail


BURN = """DO $$ BEGIN FOR i IN 1..101000 LOOP
    BEGIN INSERT INTO aside VALUES (i); EXCEPTION WHEN division_by_zero THEN NULL; END;
END LOOP; END $$"""
WORKER = """SELECT a.pid FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid)
WHERE a.backend_type = 'autovacuum worker' AND l.relation = 'held'::regclass AND l.granted"""


def test_a_vacuum_that_prevents_wraparound(looks: Looks, other: Session) -> None:
    """Any other autovacuum gives way when the batch asks for its table, and is left alone."""
    other.execute(
        """ALTER TABLE held SET (autovacuum_vacuum_cost_delay = 100,
            autovacuum_vacuum_cost_limit = 1, autovacuum_vacuum_threshold = 1,
            autovacuum_vacuum_scale_factor = 0, autovacuum_analyze_threshold = 1000000000);
        INSERT INTO held SELECT generate_series(1, 20000); DELETE FROM held WHERE a < 10000"""
    )
    try:
        wait_until(lambda: other.execute(WORKER).fetchall())
        time.sleep(0.3)
        assert looks.found() == {}
        other.execute(BURN)
        finding = looks.found()["activity-wraparound-vacuum"]
        assert "public.held in ShareUpdateExclusiveLock" in finding.detail
        assert "gives way to nobody" in finding.detail
    finally:
        other.execute("ALTER TABLE held SET (autovacuum_enabled = false)")


def test_a_standby_that_is_behind(looks: Looks, other: Session, family: Family) -> None:
    with session(family, port=family.standby) as standby:
        assert looks.found() == {}
        standby.execute("SELECT pg_wal_replay_pause()")
        try:
            other.execute("INSERT INTO held SELECT generate_series(1, 1000)")
            lag = "SELECT FROM pg_stat_replication WHERE replay_lag > interval '300 ms'"

            def behind() -> object:
                other.execute("INSERT INTO held VALUES (1)")
                return other.execute(lag).fetchall()

            wait_until(behind)
            assert looks.found() == {}
            finding = looks.found(max_replica_lag="200ms")["activity-replica-lag"]
        finally:
            standby.execute("SELECT pg_wal_replay_resume()")
    assert finding.object == "standby walreceiver"
    assert "is " in finding.detail
    assert " behind" in finding.detail
    assert "raise max_replica_lag" in finding.fix


@contextmanager
def configured(superuser: Session, name: str, value: str) -> Iterator[None]:
    # ALTER SYSTEM writes no WAL, and waits for no standby itself.
    before = superuser.execute(f"SHOW {name}".encode()).fetchone()
    superuser.execute(f"ALTER SYSTEM SET {name} = '{value}'".encode())
    superuser.execute("SELECT pg_reload_conf()")
    try:
        wait_until(lambda: superuser.execute(f"SHOW {name}".encode()).fetchone() == (value,))
        yield
    finally:
        superuser.execute(f"ALTER SYSTEM RESET {name}".encode())
        superuser.execute("SELECT pg_reload_conf()")
        wait_until(lambda: superuser.execute(f"SHOW {name}".encode()).fetchone() == before)


def commits_wait_for(superuser: Session, names: str) -> AbstractContextManager[None]:
    return configured(superuser, "synchronous_standby_names", names)


def test_a_standby_that_commits_wait_for_and_that_is_not_there(
    looks: Looks, other: Session
) -> None:
    """No limit of time ends such a COMMIT, and it keeps all locks of the batch."""
    with commits_wait_for(other, "walreceiver"):
        synchronous = "SELECT FROM pg_stat_replication WHERE sync_state = 'sync'"
        wait_until(lambda: other.execute(synchronous).fetchall())
        assert looks.found() == {}
        prove_server(other)
    for names, there in (("nobody", 0), ("ANY 2 (walreceiver, nobody)", 1)):
        with commits_wait_for(other, names):
            finding = looks.found()["activity-no-standby"]
            with pytest.raises(ProofFailed, match=rf"are there to answer \({there}\)"):
                prove_server(other)
        assert finding.object == f"synchronous_standby_names = {names}"
        assert f"there to answer ({there})" in finding.detail
        assert "ALTER SYSTEM SET synchronous_standby_names" in finding.fix


def test_a_session_that_loses_its_triggers_does_not_commit(other: Session) -> None:
    """A reload reaches the transaction that is open; its own settings it cannot change."""
    changed = pytest.raises(ProofFailed, match="has become 'replica': the server was configured")
    with configured(other, "session_replication_role", "replica"), changed:
        prove_server(other)
    prove_server(other)


def test_a_commit_that_no_standby_answers_says_how_its_locks_are_let_go(
    other: Session, family: Family
) -> None:
    with session(family) as waiting, commits_wait_for(other, "nobody"):
        wait_until(lambda: waiting.execute("SHOW synchronous_standby_names").fetchone() != ("",))
        commit = threading.Thread(target=waiting.execute, args=("INSERT INTO held VALUES (7)",))
        commit.start()
        wait_until(lambda: in_the_way(other, waiting.info.backend_pid))
        (line,) = described(in_the_way(other, waiting.info.backend_pid))
        assert "synchronous_standby_names = nobody" in line
        statement = f"SELECT pg_catalog.pg_cancel_backend({waiting.info.backend_pid});"
        assert statement in line
        other.execute(statement.encode())
        commit.join(10)
    assert other.execute("SELECT a FROM held").fetchall() == [(7,)]


def test_before_a_run_has_begun_nobody_is_waited_for_without_end(
    other: Session, family: Family, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(target_address, "PATIENCE", "100ms")
    other.execute("BEGIN; LOCK TABLE held")
    address: Any = SimpleNamespace(database="postgres", host="127.0.0.1")
    connection = connect(conninfo(family))
    who = rf"held is held by postgres in nightly report {pid(other)},"
    with (
        pytest.raises(ProofFailed, match=who) as raised,
        target_address.closed_on_failure(connection, address),
    ):
        connection.execute("SELECT FROM held")
    assert "after 100ms" in raised.value.found
    assert connection.closed
    connection = connect(conninfo(family))
    with target_address.closed_on_failure(connection, address):
        pass
    assert connection.execute("SHOW lock_timeout").fetchone() == ("0",)
    connection.close()


def test_what_a_test_has_prepared_is_rolled_back(other: Session, family: Family) -> None:
    """It would keep its locks for ever, and anybody could commit it."""
    connection = connect(conninfo(family))
    connection.execute("BEGIN")
    (xid,) = connection.execute("SELECT pg_current_xact_id()::text").fetchone() or ("",)
    connection.execute("PREPARE TRANSACTION 'of a test'")
    target = TargetConnection(lambda: connect(conninfo(family)), opened=connection)
    assert target.status_now(xid) == "aborted"
    assert other.execute("SELECT FROM pg_prepared_xacts").fetchall() == []
    target.close()


def test_what_the_server_does_not_tell_is_said(
    looks: Looks, other: Session, family: Family
) -> None:
    """For how long somebody holds the table is seen by looking twice."""
    other.execute("BEGIN; SELECT FROM held")
    found = looks.found(user="promoter")
    assert pid(other) in found["activity-lock"].object
    assert "in a transaction for at least " in str(found["activity-lock"].detail)
    assert found["activity-untold"].level is Level.NOTICE
    with session(family) as superuser:
        superuser.execute(found["activity-untold"].fix.encode())
    try:
        assert "activity-untold" not in looks.found(user="promoter")
    finally:
        with session(family) as superuser:
            superuser.execute("REVOKE pg_read_all_stats FROM promoter")


def test_who_comes_and_goes_is_not_taken_for_one_who_stays(
    looks: Looks, other: Session, family: Family
) -> None:
    """A busy table is never free, and a role that is told little sees somebody at each look."""
    done = threading.Event()

    def reads() -> None:
        with session(family) as reader:
            while not done.is_set():
                reader.execute("BEGIN; SELECT FROM held; SELECT pg_sleep(0.05); COMMIT")

    thread = threading.Thread(target=reads)
    thread.start()
    try:
        assert looks.judge(user="promoter")[0].passed
    finally:
        done.set()
        thread.join()


def window(hours: int) -> str:
    """One of two hours that began so many hours ago."""
    opens = datetime.now(UTC) - timedelta(hours=hours)
    return f"{opens:%H:%M}-{opens + timedelta(hours=2):%H:%M} UTC"


def test_outside_of_its_window_nothing_is_begun(looks: Looks, other: Session) -> None:
    (finding,) = looks.judge(window=window(6))[0].findings
    assert (finding.rule, finding.level) == ("window-closed", Level.ERROR)
    assert "it is " in finding.detail
    verdict, said = looks.judge(window=window(1))
    assert verdict.findings == ()
    assert "is open" in said
    verdict, said = looks.judge(window=window(6), mode=Mode.PLAN)
    assert [each.level for each in verdict.findings] == [Level.WARNING]
    assert "is closed" in said


def test_the_window_is_asked_for_before_anything_is_done(family: Family) -> None:
    context: Any = SimpleNamespace(
        config=Config(root=Path.cwd(), window=window(6)),
        rules=rules_of(Mode.PROD),
        options=SimpleNamespace(emergency=""),
    )
    connection = connect(conninfo(family))
    verdict, said = check_window(context, connection)
    connection.close()
    assert not verdict.passed
    assert said == f"{context.config.window} is closed"
