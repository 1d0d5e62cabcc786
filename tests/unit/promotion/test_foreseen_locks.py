"""What the copy has shown of locks is found again by the file that takes them in production."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from pytest_housekeeping.model import Kind, Lock, Phase
from pytest_housekeeping.plan.steps import rehearse_step
from pytest_housekeeping.postgres.batch_facts import (
    BatchFacts,
    IndexBuild,
    TableScan,
    TakenLock,
)
from pytest_housekeeping.promotion.rehearsal.foreseen import foreseen_locks
from pytest_housekeeping.sql.file import SqlFile

EXCLUSIVE = "AccessExclusiveLock"


def test_a_rollback_drops_what_a_view_has_made_and_applies_its_older_text() -> None:
    """Two files of one path: each has its own."""
    drop = SqlFile(path="sql/views/v.sql", kind=Kind.VIEW, sha256="dropped")
    older = SqlFile(path="sql/views/v.sql", kind=Kind.VIEW, sha256="older")
    steps = {
        rehearse_step(drop, 1, drops=True): drop,
        rehearse_step(older, 1): older,
    }
    assert {step.phase for step in steps} == {Phase.REHEARSE}
    context: Any = SimpleNamespace(
        plan=SimpleNamespace(steps=tuple(steps)), files=SimpleNamespace(of=steps.__getitem__)
    )
    first, second = steps
    facts = BatchFacts(
        segment=1,
        locks=(
            TakenLock(relation="s.v", mode=EXCLUSIVE, step=first.id),
            TakenLock(relation="s.t", mode="ShareLock", step=second.id),
            TakenLock(relation="s.late", mode="RowExclusiveLock", step=""),
        ),
        rewritten=("s.t",),
        scans=(TableScan(relation="s.t", count=1, step=second.id),),
        indexes=(IndexBuild(index="s.i", table="s.u", rebuilt=False),),
    )
    found = foreseen_locks(context, facts, 0.5)
    assert found.of(drop) == (Lock(relation="s.v", mode=EXCLUSIVE),)
    assert found.of(older) == (Lock(relation="s.t", mode="ShareLock"),)
    assert {lock.relation for lock in found.all} == {"s.v", "s.t", "s.late"}
    assert found.read_through == ("s.t", "s.u")
    assert found.seconds == 0.5
