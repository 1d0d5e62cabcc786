"""Checks of a large schema, judged on a second session of the copy while others are on the first.

A proof is half the server's work and half this process's, so two at once take little more than one.
Each acts in a transaction of its own that is rolled back, and neither sees what the other does. Two
may meet at a lock all the same, where rows are made up: what was not tried because of that is an
error of the check (`checks.rules.attempts`), and whatever is no pass is judged again, with nothing
beside it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from typing import TypeAlias

import psycopg

from pytest_housekeeping.errors import HousekeepingError
from pytest_housekeeping.model import Kind, Phase, Step, Verdict
from pytest_housekeeping.plan.check_steps import SCOPE
from pytest_housekeeping.plan.plan import Plan
from pytest_housekeeping.postgres.connection import Connection, rolled_back

WORTH_A_THREAD = 2000
# Takes as long as all that only reads the catalog, beside which it goes on then.
_DEAREST = "context"
Judge: TypeAlias = Callable[[Connection, Step], Verdict]


def beside_others(plan: Plan) -> tuple[Step, ...]:
    """The checks of the last segment on a copy that ask the database alone, and share with others
    only what is read once; the dearest is the last."""
    contracts, last = plan.contracts, len(plan.segments)
    proofs = {rule.id: rule.proof for rule in contracts.rules if rule.proof}
    elsewhere = (*contracts.running_contracts, *contracts.code_contracts)
    found = (
        step
        for step in plan.steps
        if step.phase is Phase.REHEARSE and step.segment == last
        if (step.kind is Kind.RLS and step.name in proofs)
        or (step.kind is Kind.BOUNDARY and step.name not in elsewhere)
    )
    return tuple(sorted(found, key=lambda step: proofs.get(step.name) == _DEAREST))


def only_reading(plan: Plan) -> tuple[Step, ...]:
    """The checks that read the catalog of a copy, and lock and try nothing."""
    queries = {SCOPE, *(rule.id for rule in plan.contracts.rules if not rule.proof)}
    return tuple(
        step
        for step in plan.steps
        if step.kind is Kind.OBJECT or (step.kind is Kind.RLS and step.name in queries)
    )


@dataclass(kw_only=True)
class SecondSession:
    """Takes the ``steps`` from the last one on, in a thread, as long as the first session has not
    come to them; that one goes on with the next while it would wait. ``opened`` is the session,
    ``judge`` judges a step in one; ``objects`` tells how many there are, of which a few are not
    worth a thread. Those that are only ``reading`` stay with the first; before anything else it is
    waited until the copy is ``free``."""

    steps: Sequence[Step]
    opened: Callable[[], AbstractContextManager[Connection]]
    judge: Judge
    objects: Callable[[], int]
    reading: Sequence[Step] = ()
    free: Callable[[], None] = lambda: None
    _turn: threading.Lock = field(default_factory=threading.Lock)
    _taken: dict[str, Future[Verdict] | None] = field(default_factory=dict)
    _thread: threading.Thread | None = None
    _stopped: bool = False

    def verdict(self, connection: Connection, step: Step) -> Verdict | None:
        """The verdict of a step that passes, judged there, or here beside it. None where it is to
        be judged here, with nothing beside it."""
        if step not in self.reading:
            self.free()
        if self._stopped or step not in (*self.steps, *self.reading):
            return None
        if self._thread is None and self.objects() < WORTH_A_THREAD:
            self._stopped = True
            return None
        with self._turn:
            there = self._taken.setdefault(step.id, None)
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="hk-second-session")
            self._thread.start()
        try:
            if there is not None:
                self._go_on(connection, there)
                verdict = there.result()
            else:
                with rolled_back(connection):
                    verdict = self.judge(connection, step)
            if verdict.passed:
                return verdict
        except (HousekeepingError, psycopg.Error):
            if connection.closed:
                raise
        self.close()
        return None

    def close(self) -> None:
        """Take no more of them, and wait for the one that is being judged."""
        self._stopped = True
        if self._thread is not None:
            self._thread.join()

    def _work(self) -> None:
        self.free()
        # Without a second session the first one judges all of them.
        with suppress(HousekeepingError, psycopg.Error), self.opened() as connection:
            while (taken := self._next()) is not None:
                self._judge(connection, *taken)

    def _go_on(self, connection: Connection, there: Future[Verdict]) -> None:
        """The first session judges what nobody has come to, as long as it would wait."""
        while not (there.done() or connection.closed) and (taken := self._take(self.steps)):
            self._judge(connection, *taken)

    def _judge(self, connection: Connection, step: Step, future: Future[Verdict]) -> None:
        try:
            with rolled_back(connection):
                verdict = self.judge(connection, step)
        except BaseException as error:
            future.set_exception(error)
            if not isinstance(error, Exception):
                raise
        else:
            future.set_result(verdict)

    def _next(self) -> tuple[Step, Future[Verdict]] | None:
        return self._take(tuple(reversed(self.steps)))

    def _take(self, steps: Sequence[Step]) -> tuple[Step, Future[Verdict]] | None:
        with self._turn:
            for step in steps:
                if not self._stopped and step.id not in self._taken:
                    future = Future[Verdict]()
                    self._taken[step.id] = future
                    return step, future
        return None
