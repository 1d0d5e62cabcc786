"""What the copy has shown of locks, as it is asked for in production."""

from __future__ import annotations

from collections import defaultdict

from pytest_housekeeping.model import Lock
from pytest_housekeeping.postgres.batch_facts import BatchFacts
from pytest_housekeeping.postgres.locks.requests import ForeseenLocks
from pytest_housekeeping.promotion.context import RunContext


def foreseen_locks(context: RunContext, facts: BatchFacts, seconds: float) -> ForeseenLocks:
    """The locks of a segment's files, and how long the copy has taken for them."""
    steps = {step.id: step for step in context.plan.steps}
    by_file: defaultdict[tuple[str, str], list[Lock]] = defaultdict(list)
    for lock in facts.locks:
        file = context.files.of(steps[lock.step]) if lock.step else None
        key = (file.path, file.sha256) if file else ("", "")
        by_file[key].append(Lock(relation=lock.relation, mode=lock.mode))
    read = [*facts.rewritten, *(scan.relation for scan in facts.scans)]
    read += [index.table for index in facts.indexes]
    return ForeseenLocks(
        by_file={key: tuple(locks) for key, locks in by_file.items()},
        read_through=tuple(dict.fromkeys(read)),
        seconds=seconds,
    )
