"""COMMIT takes what was proved alone; Ctrl-C, a full disk and a lost connection change no truth."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

import psycopg
import pytest

from pytest_housekeeping.config import Target
from pytest_housekeeping.errors import EvidenceError, ProofFailed
from pytest_housekeeping.evidence.journal import Journal
from pytest_housekeeping.evidence.secrets import Secrets
from pytest_housekeeping.model import Kind, Outcome, Phase, Step
from pytest_housekeeping.plan.steps import after_steps
from pytest_housekeeping.promotion.progress import Progress
from pytest_housekeeping.promotion.transaction.behind_commit import NOT_READ
from pytest_housekeeping.promotion.transaction.commit import Commits
from pytest_housekeeping.snapshot.fingerprint import Fingerprint
from support.schemas import schema

STEP = Step(id="promote", phase=Phase.PROMOTE, kind=Kind.PROMOTE, name="promote", segment=1)
(AFTER,) = after_steps(1, 1)
Reading = Callable[[], Fingerprint]


def interrupted() -> NoReturn:
    raise KeyboardInterrupt


def lost() -> NoReturn:
    raise psycopg.OperationalError("server closed the connection")


def broken() -> NoReturn:
    raise RuntimeError("nobody thought of this")


def in_turn(*answers: Callable[[], str]) -> Callable[[], str]:
    left = iter(answers)

    def answer() -> str:
        return next(left)()

    return answer


class FullJournal(Journal):
    """One that can take no line behind COMMIT."""

    def __init__(self) -> None:
        super().__init__(Path("journal"), -1, durable=False, secrets=Secrets())

    def committing(self, segment: int, xid: str | None) -> None: ...

    def committed(self, segment: int) -> None:
        raise EvidenceError(f"the disk is full behind COMMIT of segment {segment}")


def commits(
    *behind: Reading,
    on_commit: Callable[[], object] = lambda: None,
    asked: Callable[[], str] = lambda: "committed",
) -> Commits:
    """COMMITs on a database. ``behind``: what is read of the schema after it; ``on_commit``: what
    COMMIT itself meets; ``asked``: what the server says then of the transaction."""
    readings = iter([schema, *behind])
    as_it_is = SimpleNamespace(fetchone=lambda: ("origin", ""))
    connection = SimpleNamespace(
        execute=lambda text: on_commit() if text == "COMMIT" else as_it_is, close=lambda: None
    )
    transaction = SimpleNamespace(xid="7", applied=[], prove=lambda: None, connection=connection)
    target = SimpleNamespace(
        prove_history=lambda _: None,
        prove_history_kept=lambda _: None,
        read_schema=lambda _: next(readings)(),
        connection=SimpleNamespace(
            get=lambda: connection, close=lambda: None, status_of=lambda _: asked()
        ),
    )
    batch: Any = SimpleNamespace(
        prove_same=None,
        seal=lambda _: None,
        opened=lambda: transaction,
        committed=lambda: None,
        detach=lambda: None,
        roll_back=lambda: None,
        checked_in=set(),
        sealed_schema=schema(),
        progress=Progress(),
        target=target,
        context=SimpleNamespace(
            config=SimpleNamespace(may_move={}, target=Target(name="preprod")),
            plan=SimpleNamespace(
                segments=[SimpleNamespace(files=())], seeds=(), steps=(STEP, AFTER)
            ),
            options=SimpleNamespace(records_only=False),
            is_last=lambda _: True,
        ),
    )
    return Commits(batch=batch)


def test_ctrl_c_during_the_reading_is_made_up_for_at_the_end() -> None:
    made = commits(interrupted, lambda: schema("sneaked_in"))
    with pytest.raises(KeyboardInterrupt):
        made.commit(STEP)
    assert (made.segments, made.unproved) == ([1], NOT_READ)
    assert made.resolve() == STEP
    assert "sneaked_in" in made.unproved
    assert made.resolve() is None


def test_where_nothing_differs_it_is_promoted() -> None:
    made = commits(interrupted, schema)
    with pytest.raises(KeyboardInterrupt):
        made.commit(STEP)
    assert made.resolve() == STEP
    assert (made.segments, made.unproved, made.doubtful) == ([1], "", False)


def test_what_goes_on_beside_the_reading_begins_before_it() -> None:
    """A dump of many tables takes as long as to read them."""
    seen = list[str]()

    def read() -> Fingerprint:
        seen.append("read")
        return schema()

    made = commits(read, on_commit=lambda: seen.append("COMMIT"))
    made.at_commit = lambda segment: seen.append(f"begun behind {segment}")
    made.commit(STEP)
    assert seen == ["COMMIT", "begun behind 1", "read"]


def test_a_full_disk_behind_commit_keeps_nobody_from_reading() -> None:
    made = commits(lambda: schema("sneaked_in"))
    made.journal = FullJournal()
    made.commit(STEP)
    with pytest.raises(ProofFailed, match="sneaked_in"):
        made.seen_behind(AFTER)
    assert made.segments == [1]
    assert made.resolve() is None


def test_nor_makes_it_anything_less_than_committed() -> None:
    made = commits(schema)
    made.journal = FullJournal()
    made.commit(STEP)
    assert (made.segments, made.unproved) == ([1], "")


@pytest.mark.parametrize("trouble", [interrupted, broken])
def test_what_nobody_has_read_is_never_promoted(trouble: Reading) -> None:
    """Neither in the promote step nor at the end of the run: it stays to be looked at."""
    made = commits(trouble, trouble)
    with pytest.raises((KeyboardInterrupt, RuntimeError)):
        made.commit(STEP)
    with pytest.raises((KeyboardInterrupt, RuntimeError)):
        made.resolve()
    assert (made.segments, made.unproved) == ([1], NOT_READ)


@pytest.mark.parametrize("trouble", [interrupted, lost])
def test_ctrl_c_or_a_lost_connection_during_commit(trouble: Callable[[], NoReturn]) -> None:
    """The server is asked, and what stands there is read: at once, and nothing more at the end."""
    made = commits(lambda: schema("sneaked_in"), on_commit=trouble)
    with pytest.raises(KeyboardInterrupt) if trouble is interrupted else nullcontext():
        made.commit(STEP)
    with pytest.raises(ProofFailed, match="sneaked_in"):
        made.seen_behind(AFTER)
    assert made.segments == [1]
    assert "sneaked_in" in made.unproved
    assert made.resolve() is None


@pytest.mark.parametrize(
    ("behind", "said"), [(schema, ""), (lambda: schema("sneaked_in"), "sneaked_in")]
)
def test_what_the_end_of_the_run_finds_committed_is_read_as_well(
    behind: Reading, said: str
) -> None:
    """The connection was lost during COMMIT, and Ctrl-C came while the server was being asked."""
    made = commits(behind, on_commit=lost, asked=in_turn(interrupted, lambda: "committed"))
    with pytest.raises(KeyboardInterrupt):
        made.commit(STEP)
    assert made.segments == []
    assert made.resolve() == STEP
    assert made.segments == [1]
    assert said in made.unproved
    assert bool(made.unproved) is bool(said)


def test_what_was_not_committed_is_not_read() -> None:
    made = commits(on_commit=lost, asked=in_turn(interrupted, lambda: "aborted"))
    with pytest.raises(KeyboardInterrupt):
        made.commit(STEP)
    assert made.resolve() is None
    assert (made.segments, made.unproved, made.doubtful) == ([], "", False)


def test_what_cannot_be_read_is_not_another_schema() -> None:
    """Each in words of its own; a rollback is advised only where something differs."""
    made = commits(lost, lost)
    made.commit(STEP)
    with pytest.raises(ProofFailed) as unread:
        made.seen_behind(AFTER)
    assert "the schema could not be read again: server closed" in unread.value.found
    assert "another" not in unread.value.found
    assert "pytest --hk-mode=verify --hk-target=preprod" in unread.value.fix
    assert "rollback" not in unread.value.fix
    made = commits(lambda: schema("sneaked_in"))
    made.commit(STEP)
    with pytest.raises(ProofFailed) as differs:
        made.seen_behind(AFTER)
    fix = differs.value.fix
    assert 0 < fix.index("--hk-mode=verify") < fix.index("--hk-mode=rollback")


def test_what_was_seen_is_a_result_of_its_own() -> None:
    """COMMIT was answered, whatever stands behind it; nothing is told of what nobody has seen."""
    fine, other = commits(schema), commits(lambda: schema("sneaked_in"))
    assert list(fine.all_seen()) == []
    with pytest.raises(ProofFailed, match=NOT_READ):
        fine.seen_behind(AFTER)
    fine.commit(STEP)
    other.commit(STEP)
    (seen,) = fine.all_seen()
    assert (seen.step, seen.outcome) == (AFTER, Outcome.PASSED)
    assert seen == fine.seen_behind(AFTER)
    (seen,) = other.all_seen()
    assert (seen.outcome, seen.examined) == (Outcome.FAILED, 1)
    assert "sneaked_in" in seen.message


def not_proved() -> NoReturn:
    raise ProofFailed("the transaction is another one")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (lambda batch: batch.opened().applied.append("sql/x.sql"), "1 of 0 files are in 7"),
        (lambda batch: batch.checked_in.add("8"), "checks ran in transaction 8"),
        (lambda batch: setattr(batch, "sealed_schema", schema("gone")), "gone"),
        (lambda batch: setattr(batch, "sealed_schema", None), "the schema was changed"),
        (lambda batch: setattr(batch.opened(), "prove", not_proved), "another one"),
        (lambda batch: setattr(batch.target, "prove_history", lambda _: not_proved()), "another"),
    ],
    ids=["files", "checks", "schema", "no schema", "transaction", "history"],
)
def test_what_was_not_proved_in_it_is_not_committed(
    changed: Callable[[Any], object], said: str
) -> None:
    sent: list[str] = []
    made = commits(on_commit=lambda: sent.append("COMMIT"))
    changed(made.batch)
    with pytest.raises(ProofFailed, match=said):
        made.commit(STEP)
    assert (sent, made.segments) == ([], [])


@pytest.mark.parametrize("status", ["in progress", ""])
def test_of_what_nobody_can_tell_no_more_is_said(status: str) -> None:
    made = commits(on_commit=lost, asked=lambda: status)
    with pytest.raises(ProofFailed, match=f"is {status or 'unknown to the server'}"):
        made.commit(STEP)
    assert (made.doubtful, made.segments) == (True, [])
    assert made.resolve() is None
