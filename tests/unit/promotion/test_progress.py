"""What is told of a run that takes its time, of who stands in its way, and of attempts."""

from __future__ import annotations

import pytest

from pytest_housekeeping.model import Kind, LockConflict, Phase, Step
from pytest_housekeeping.postgres.locks.in_the_way import Blocker
from pytest_housekeeping.promotion.progress import Progress, described

STEP = Step(id="sql/migrations/0002_x.sql::apply", phase=Phase.APPLY, kind=Kind.MIGRATION)
SINCE = "2027-01-02 03:04:05 UTC"


def blocker(query: str, **known: str) -> Blocker:
    return Blocker(pid=4711, user="bob", application="nightly", since=SINCE, query=query, **known)


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("SELECT count(*)\n FROM held", "SELECT count(*)"),
        ("\n\n  TRUNCATE held", "TRUNCATE held"),
        ("SELECT '\x1b[2J\x07\u202e'", "SELECT '\\x1b[2J\\x07\\u202e'"),
        ("a\rb\tc", "a"),
        ("a\tb\x08c", "a b\\x08c"),
        ("SELECT " + "x" * 200, "SELECT " + "x" * 112 + "…"),
        ("ALTER ROLE bob PASSWORD 'correct-horse-7'", "a statement that holds a password"),
        ("SELECT 1;\nALTER ROLE b PASSWORD 'tr0ub4dor&3x'", "a statement that holds a password"),
        ("SELECT dblink('host=x password=s3cr3t-h0rse')", "a statement that holds a password"),
    ],
)
def test_the_first_line_of_a_query_and_no_password(query: str, shown: str) -> None:
    assert described([blocker(query)]) == (f"process 4711 nightly of bob, since {SINCE}: {shown}",)


def test_what_the_server_does_not_tell_this_role_is_not_guessed() -> None:
    hidden = Blocker(pid=4711, user="bob", application="", query="<insufficient privilege>")
    assert described([hidden]) == (
        "process 4711 of bob, of which the server tells members of pg_read_all_stats more",
    )
    prepared = "a transaction that was prepared and not ended (pg_prepared_xacts)"
    assert described([Blocker(pid=0)]) == (prepared,)
    idle = described([blocker("TRUNCATE held", state="idle in transaction")])
    assert idle[0].endswith(f"since {SINCE}, idle in transaction: TRUNCATE held")


def test_of_many_three_are_told() -> None:
    assert described([blocker("SELECT 1")] * 5)[3:] == ("and 2 more",)


def test_a_conflict_is_told_at_once_and_kept() -> None:
    told: list[str] = []
    noted: list[LockConflict] = []
    progress = Progress()
    progress.tell, progress.on_conflict = told.extend, noted.append
    with progress.doing(STEP.id):
        activity = progress.activity
        assert activity is not None
        progress.saw(activity, ["process 7"])
        progress.conflict(STEP, 1, 5, "timeout (55P03)\n  fix: wait")
        progress.conflict(STEP, 5, 5, "deadlock detected")
    assert told == [
        f"attempt 1 of 5 at {STEP.id} met a lock, the batch begins again: timeout (55P03)",
        "  in its way: process 7",
        f"attempt 5 of 5 at {STEP.id} met a lock, given up: deadlock detected",
    ]
    assert noted == progress.conflicts
    # Who was in the way of one attempt need not be in that of the next.
    assert [each.in_the_way for each in noted] == [("process 7",), ()]
    assert progress.attempts_of(STEP) == ["applied at attempt 6"]


def test_who_is_known_to_be_in_the_way_is_told_before_who_was_seen() -> None:
    progress = Progress()
    with progress.doing(STEP.id):
        activity = progress.activity
        assert activity is not None
        progress.saw(activity, ["process 7"])
        met = progress.conflict(STEP, 1, 5, "timeout", in_the_way=("process 8",))
    assert met.in_the_way == ("process 8",)


def test_what_is_over_is_told_no_more() -> None:
    told: list[str] = []
    progress = Progress()
    progress.tell = told.extend
    with progress.doing("outer"):
        outer = progress.activity
        with progress.doing("inner"):
            inner = progress.activity
            assert inner is not None
            assert outer is not None
            progress.tell_of(outer, [])
            progress.tell_of(inner, ["process 7"])
        progress.tell_of(inner, [])
    assert progress.activity is None
    assert [line.partition(", since")[0] for line in told] == [
        "still at inner",
        "  in its way: process 7",
    ]
