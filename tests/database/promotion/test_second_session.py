"""A second session of the copy judges what the first has not come to; only what passes counts."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import psycopg
import pytest

from pytest_housekeeping.checks.rules.attempts import Attempt, attempt_all
from pytest_housekeeping.errors import RuleBroken
from pytest_housekeeping.model import Kind, Phase, Step, Verdict
from pytest_housekeeping.postgres.connection import Connection, connect
from pytest_housekeeping.promotion.second_session import WORTH_A_THREAD, Judge, SecondSession
from pytest_housekeeping.server import StagingDatabase

NONE = Verdict(examined=0)
FOUR = tuple(
    Step(id=name, phase=Phase.REHEARSE, kind=Kind.RLS, name=name)
    for name in ("one", "two", "three", "four")
)
STEPS = FOUR[:2]


@pytest.fixture
def first(connection: Connection) -> Connection:
    connection.execute("CREATE TABLE t (a integer)")
    connection.execute("BEGIN; SET LOCAL lock_timeout = '20ms'")
    return connection


def second(
    database: StagingDatabase,
    judge: Judge,
    objects: int = WORTH_A_THREAD,
    steps: Sequence[Step] = STEPS,
) -> SecondSession:
    @contextmanager
    def opened() -> Iterator[Connection]:
        with connect(database.migrator_conninfo) as connection:
            connection.execute("BEGIN; SET LOCAL lock_timeout = '20ms'")
            yield connection

    return SecondSession(steps=steps, opened=opened, judge=judge, objects=lambda: objects)


def test_it_begins_with_the_last_and_each_is_judged_once(
    database: StagingDatabase, first: Connection
) -> None:
    begun, judged = threading.Event(), list[tuple[str, bool]]()

    def judge(connection: Connection, step: Step) -> Verdict:
        judged.append((step.id, connection is first))
        if connection is first:
            begun.wait(10)
        begun.set()
        return Verdict(examined=len(judged))

    beside = second(database, judge)
    passed = [beside.verdict(first, step) for step in STEPS]
    beside.close()
    assert all(passed)
    assert sorted(judged) == [("one", True), ("two", False)]
    few = second(database, judge, WORTH_A_THREAD - 1)
    assert few.verdict(first, STEPS[0]) is None
    assert beside.verdict(first, replace(STEPS[0], id="another")) is None


def test_both_go_towards_each_other_and_leave_nothing_in_their_sessions(
    database: StagingDatabase, first: Connection
) -> None:
    together, judged = threading.Barrier(2), {True: list[str](), False: list[str]()}

    def judge(connection: Connection, step: Step) -> Verdict:
        together.wait(10)
        connection.execute("CREATE TEMPORARY TABLE made_up ()")
        judged[connection is first].append(step.id)
        return Verdict(examined=1)

    beside = second(database, judge, steps=FOUR)
    assert all(beside.verdict(first, step) for step in FOUR)
    assert judged == {True: ["one", "two"], False: ["four", "three"]}


def test_whoever_would_wait_goes_on_with_what_nobody_has_come_to(
    database: StagingDatabase, first: Connection
) -> None:
    """The one that the second session has taken comes first: it ends when the others are judged."""
    begun, judged, last = threading.Event(), list[tuple[str, bool]](), FOUR[3]
    others = threading.Semaphore(0)

    def judge(connection: Connection, step: Step) -> Verdict:
        if step is last:
            begun.set()
            assert all(others.acquire(timeout=10) for _ in FOUR[1:3])
        judged.append((step.id, connection is first))
        if step in FOUR[1:3]:
            others.release()
        elif step is FOUR[0]:
            begun.wait(10)
        return replace(NONE, examined=int(step is not FOUR[2]))

    beside = second(database, judge, steps=FOUR)
    assert beside.verdict(first, FOUR[0])
    assert beside.verdict(first, last)
    assert judged == [("one", True), ("two", True), ("three", True), ("four", False)]
    assert beside.verdict(first, FOUR[1])
    assert beside.verdict(first, FOUR[2]) is None
    assert len(judged) == 4


def test_behind_what_does_not_pass_nothing_is_begun_there(
    database: StagingDatabase, first: Connection
) -> None:
    begun, judged = threading.Event(), list[str]()

    def judge(connection: Connection, step: Step) -> Verdict:
        judged.append(step.id)
        if connection is first:
            begun.wait(10)
            return NONE
        begun.set()
        for _ in range(100):
            threading.Event().wait(0 if beside._stopped else 0.01)
        return Verdict(examined=1)

    beside = second(database, judge, steps=FOUR[:3])
    assert [beside.verdict(first, step) for step in FOUR[:3]] == [None, None, None]
    beside.close()
    assert sorted(judged) == ["one", "three"]


def test_a_first_session_that_is_gone_is_an_error(
    database: StagingDatabase, first: Connection
) -> None:
    def judge(connection: Connection, step: Step) -> Verdict:
        if connection is first:
            connection.close()
            raise psycopg.OperationalError("the connection is closed")
        return Verdict(examined=1)

    beside = second(database, judge)
    with pytest.raises(psycopg.OperationalError):
        beside.verdict(first, STEPS[0])
    beside.close()


@pytest.mark.parametrize("fails_on_first", [True, False])
def test_what_does_not_pass_is_judged_again_with_nothing_beside_it(
    database: StagingDatabase, first: Connection, fails_on_first: bool
) -> None:
    """Both meet at the lock of the one: no answer of the other passes for a refusal."""
    holds, is_over = threading.Event(), threading.Event()

    def judge(connection: Connection, step: Step) -> Verdict:
        if (connection is first) is fails_on_first:
            holds.wait(10)
            try:
                attempt_all(connection, [Attempt(statement="SELECT a FROM t")])
            finally:
                is_over.set()
        else:
            connection.execute("LOCK TABLE t")
            holds.set()
            is_over.wait(10)
        return Verdict(examined=1)

    beside = second(database, judge)
    verdicts = [beside.verdict(first, step) for step in STEPS]
    assert verdicts[0 if fails_on_first else 1] is None
    assert not any(each.name == "hk-second-session" for each in threading.enumerate())
    assert attempt_all(first, [Attempt(statement="SELECT count(*) FROM t")])[0].value == 0


def test_a_session_that_cannot_be_had_leaves_all_to_the_first(
    database: StagingDatabase, first: Connection
) -> None:
    beside = second(replace(database, migrator="nobody_here"), lambda *_: Verdict(examined=1))
    found = [beside.verdict(first, step) for step in STEPS]
    assert all(each is None or each.passed for each in found)
    beside.close()
    assert beside.verdict(first, STEPS[0]) is None


def test_what_only_reads_waits_for_nothing(database: StagingDatabase, first: Connection) -> None:
    """pg_dump is still at work: the first reads, the second session has begun, and waits."""
    dumped, sessions = threading.Event(), list[str]()

    def judge(connection: Connection, step: Step) -> Verdict:
        sessions.append(f"{step.id}, {'first' if connection is first else 'second'}")
        return Verdict(examined=1)

    beside = second(database, judge)
    beside.steps, beside.reading, beside.free = STEPS[1:], STEPS[:1], lambda: _within(dumped)
    assert beside.verdict(first, STEPS[0])
    assert sessions == ["one, first"]
    dumped.set()
    assert beside.verdict(first, STEPS[1])
    beside.close()
    assert [each.partition(",")[0] for each in sessions] == ["one", "two"]


def test_what_reads_and_does_not_pass_is_judged_again_alone(
    database: StagingDatabase, first: Connection
) -> None:
    beside = second(database, lambda *_: NONE)
    beside.reading = [replace(STEPS[0], id="reads")]
    assert beside.verdict(first, beside.reading[0]) is None
    assert not any(each.name == "hk-second-session" for each in threading.enumerate())


def _within(event: threading.Event) -> None:
    assert event.wait(10)


def test_nothing_examined_is_no_pass(database: StagingDatabase, first: Connection) -> None:
    beside = second(database, lambda *_: NONE)
    assert [beside.verdict(first, step) for step in STEPS] == [None, None]


def test_a_statement_that_meets_a_lock_is_no_refusal(
    database: StagingDatabase, first: Connection
) -> None:
    with connect(database.migrator_conninfo) as other:
        other.execute("BEGIN; LOCK TABLE t")
        with pytest.raises(RuleBroken, match="has met a lock: 55P03"):
            attempt_all(first, [Attempt(statement="INSERT INTO t VALUES (1)", query=False)])
