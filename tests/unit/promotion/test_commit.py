"""Ctrl-C and a full disk behind COMMIT: the schema is read again all the same."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_housekeeping.errors import EvidenceError, ProofFailed
from pytest_housekeeping.model import Kind, Phase, Step
from pytest_housekeeping.promotion.commit import Commits
from pytest_housekeeping.snapshot.fingerprint import Fingerprint, SchemaObject

STEP = Step(id="promote", phase=Phase.PROMOTE, kind=Kind.PROMOTE, name="promote", segment=1)
Reading = Callable[[], Fingerprint]


def schema(*names: str) -> Fingerprint:
    entries = tuple(SchemaObject(name=name, parent="", text="") for name in names)
    return Fingerprint(entries=entries, server_major=16)


def interrupted() -> Fingerprint:
    raise KeyboardInterrupt


class Log:
    """A journal; ``full``: that can take no line behind COMMIT."""

    def __init__(self, *, full: bool = False) -> None:
        self.full = full

    def committing(self, segment: int, xid: str | None) -> None: ...

    def rolled_back(self, segment: int) -> None: ...

    def committed(self, segment: int) -> None:
        if self.full:
            raise EvidenceError(f"the disk is full behind COMMIT of segment {segment}")


def commits(*behind: Reading) -> Commits:
    """COMMITs on a database that answers; ``behind``: what is read of the schema after it."""
    readings = iter([schema, *behind])
    connection = SimpleNamespace(execute=lambda _: None, close=lambda: None)
    transaction = SimpleNamespace(xid="7", applied=[], prove=lambda: None, connection=connection)
    target = SimpleNamespace(
        prove_history=lambda _: None,
        prove_history_kept=lambda _: None,
        read_schema=lambda _: next(readings)(),
        connection=SimpleNamespace(get=lambda: connection, close=lambda: None),
    )
    batch: Any = SimpleNamespace(
        seal=lambda _: None,
        opened=lambda: transaction,
        committed=lambda: None,
        roll_back=lambda: None,
        checked_in=set(),
        sealed_schema=schema(),
        target=target,
        context=SimpleNamespace(
            config=SimpleNamespace(may_move={}),
            plan=SimpleNamespace(segments=[SimpleNamespace(files=())], seeds=()),
            options=SimpleNamespace(records_only=False),
            is_last=lambda _: True,
        ),
    )
    return Commits(batch=batch)


def test_ctrl_c_during_the_reading_is_made_up_for_at_the_end() -> None:
    made = commits(interrupted, lambda: schema("sneaked_in"))
    with pytest.raises(KeyboardInterrupt):
        made.commit(STEP)
    assert (made.segments, made.unproved) == ([1], "")
    assert made.resolve() == STEP
    assert "sneaked_in" in made.unproved
    assert made.resolve() is None


def test_where_nothing_differs_it_is_promoted() -> None:
    made = commits(interrupted, schema)
    with pytest.raises(KeyboardInterrupt):
        made.commit(STEP)
    assert made.resolve() == STEP
    assert (made.segments, made.unproved, made.doubtful) == ([1], "", False)


def test_a_full_disk_behind_commit_keeps_nobody_from_reading() -> None:
    made = commits(lambda: schema("sneaked_in"))
    made.log_to(Log(full=True))
    with pytest.raises(ProofFailed, match="sneaked_in"):
        made.commit(STEP)
    assert made.segments == [1]
    assert made.resolve() is None


def test_nor_makes_it_anything_less_than_committed() -> None:
    made = commits(schema)
    made.log_to(Log(full=True))
    made.commit(STEP)
    assert (made.segments, made.unproved) == ([1], "")
