"""One run, put together: context, target, checks and what runs beside them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_housekeeping.checks.style.linter import Linting
from pytest_housekeeping.errors import HousekeepingError
from pytest_housekeeping.evidence.bound import Bound
from pytest_housekeeping.evidence.production_now import ProductionNow
from pytest_housekeeping.model import Step, StepResult
from pytest_housekeeping.plan.plan import Plan
from pytest_housekeeping.postgres.locks.requests import ForeseenLocks
from pytest_housekeeping.promotion.context import RunContext
from pytest_housekeeping.promotion.judging import Checks
from pytest_housekeeping.promotion.prechecks.shared import Judgement
from pytest_housekeeping.promotion.progress import Progress
from pytest_housekeeping.promotion.second_session import SecondSession, beside_others, only_reading
from pytest_housekeeping.promotion.target import Target
from pytest_housekeeping.promotion.throwaway import Throwaway
from pytest_housekeeping.sql.path_names import on_disk

if TYPE_CHECKING:
    from pytest_housekeeping.postgres.clone_facts import CloneFacts
    from pytest_housekeeping.promotion.rehearsal.rehearsal import Rehearsal


@dataclass(frozen=True, kw_only=True)
class Run:
    """The parts of a run. ``prechecks``, ``backup``, ``rehearsed`` and ``after`` hold the work of
    those steps by name. ``rehearsal`` is the batch on a copy of the target, where the plan has one;
    ``bound`` tells what the promotion is bound to, as soon as it is known, ``production`` what the
    batch meets there, and ``clone`` what it did to a clone that has the rows.

    ``known`` has the result of a step that was shown before, of the very same things.
    ``follow`` is told where to say whom the run waits for, before anything is run.
    ``after_commit`` of a segment begins what goes on beside all that is behind it; ``beside`` waits
    for that, and ends when its server has ended. ``secrets`` are the passwords that must appear
    nowhere. ``close`` ends what was started, in any state.
    """

    context: RunContext
    target: Target
    checks: Checks
    throwaway: Throwaway
    prechecks: Mapping[str, Callable[[], Judgement]]
    backup: Mapping[str, Callable[[], Judgement]] = field(default_factory=dict)
    rehearsal: Rehearsal | None = None
    rehearsed: Mapping[str, Callable[[], Judgement]] = field(default_factory=dict)
    bound: Callable[[], Bound | None] = lambda: None
    production: Callable[[], ProductionNow] = ProductionNow
    clone: Callable[[], CloneFacts | None] = lambda: None
    after: Mapping[str, Callable[[], Judgement]] = field(default_factory=dict)
    known: Callable[[Step], StepResult | None] = lambda _: None
    locks: Callable[[int], ForeseenLocks] | None = None
    follow: Callable[[Progress], None] = lambda _: None
    linting: Linting | None = None
    after_commit: Callable[[int], None] = lambda _: None
    beside: Callable[[], None] = lambda: None
    secrets: tuple[str, ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        copy = self.rehearsal
        if copy is not None:
            self.checks.beside = SecondSession(
                steps=beside_others(self.context.plan),
                opened=copy.judging_beside,
                judge=self.checks.judge_alone,
                objects=lambda: len(copy.target.twin.schema.entries),
                reading=only_reading(self.context.plan),
                free=copy.dumped,
            )

    def finish(self, *, changed: bool) -> None:
        """After the last commit or rollback: keep what is to be kept, end what can end by now."""
        self.target.after_run(changed=changed)
        if self.context.rules.throwaway and not self.throwaway.keeps:
            # While the record is written; `close` waits for it, and tries again what failed.
            threading.Thread(target=self._end_server, name="hk-end").start()

    def how_to_connect(self) -> str:
        """For ``--hk-keep``: the command that opens the database, and the one that removes it."""
        return self.throwaway.how_to_connect()

    def close(self) -> None:
        """End connections, style check, servers; each even if the one before it fails."""
        repository = self.context.repository
        ends: list[Callable[[], None]] = [self.checks.close]
        ends += [self.rehearsal.close] if self.rehearsal is not None else []
        ends += [self.target.close]
        ends += [self.linting.stop] if self.linting is not None else []
        ends += [self.throwaway.stop, self.beside]
        ends += [repository.close] if repository is not None else []
        for end in ends:
            with suppress(HousekeepingError, OSError):
                end()

    def _end_server(self) -> None:
        with suppress(HousekeepingError, OSError):
            self.checks.close()
            self.target.connection.close()
            self.throwaway.stop()


def start_linting(plan: Plan) -> Linting:
    """Begin the style check of the files of a plan, on the bytes that the plan holds."""
    root = plan.sources.root
    contents = {
        root / path: plan.sources.read(path) for path in dict.fromkeys(map(on_disk, plan.written))
    }
    return Linting.start(list(contents), root=root, contents=contents)
