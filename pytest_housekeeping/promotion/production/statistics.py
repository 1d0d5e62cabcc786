"""Behind COMMIT: planner statistics that the batch has thrown away are made again, or told of.

What ALTER TABLE throws away, autovacuum does not bring back before enough rows have changed; until
then the planner guesses: https://www.postgresql.org/docs/16/routine-vacuuming.html
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import nullcontext

import psycopg
from psycopg.pq import TransactionStatus

from pytest_housekeeping.config import milliseconds
from pytest_housekeeping.errors import HousekeepingError
from pytest_housekeeping.model import Finding, Level, Verdict
from pytest_housekeeping.postgres.column_statistics import (
    StatisticsSeen,
    analyze_statement,
    lost_since,
    read_statistics,
    refresh,
)
from pytest_housekeeping.postgres.connection import Connection, rolled_back
from pytest_housekeeping.postgres.locks.budget import patient_limit
from pytest_housekeeping.promotion.context import RunContext
from pytest_housekeeping.promotion.prechecks.shared import Judgement
from pytest_housekeeping.promotion.target_connection import TargetConnection

RULE = "statistics-lost"
_SLOW = "until there are statistics again, the planner guesses, and queries may be slow"


class KeptStatistics:
    """What had statistics before a batch, to be compared with what has some behind its COMMIT.

    Whatever goes wrong here is a warning: the batch is in, and nothing about that changes. Of a
    rehearsed batch it is known which relations are ``touched``.
    """

    def __init__(self, context: RunContext) -> None:
        self.touched: Callable[[], Collection[str]] | None = None
        self._context = context
        self._before: StatisticsSeen | None = None
        self._unread = ""

    def note(self, connection: Connection) -> None:
        """Before a batch, in its transaction or outside of one: what has statistics now."""
        if self._before is not None or self._unread or not self._needed:
            return
        idle = connection.info.transaction_status is TransactionStatus.IDLE
        try:
            with nullcontext() if idle else rolled_back(connection):
                among = self.touched() if self.touched is not None else None
                self._before = read_statistics(connection, among=among)
        except psycopg.Error as error:
            if connection.closed:
                raise
            self._unread = error.diag.message_primary or str(error)

    @property
    def _needed(self) -> bool:
        plan, options = self._context.plan, self._context.options
        return any(each.files for each in plan.segments) and not options.records_only

    def renew(self, target: TargetConnection) -> Judgement:
        """Behind a COMMIT: ANALYZE what the batch has left without statistics.

        Each statement is bounded by itself: by ``statement_timeout``, and waiting for a lock by
        what an autovacuum needs to give way, or ``lock_timeout`` where that is longer.
        """
        before, self._before = self._before, None
        try:
            if before is None:
                return _not_known(self._unread or "they were not read before it")
            connection = target.get()
            now = read_statistics(connection, before)
            lost = lost_since(connection, before, now)
            limits = self._limits()
            kept = {each: refresh(connection, each, limits) for each in lost}
            if len(self._context.plan.segments) > 1:
                self.note(connection)
        except (psycopg.Error, HousekeepingError) as error:
            return _not_known(error.found if isinstance(error, HousekeepingError) else str(error))
        done = [analyze_statement(each) for each, problem in kept.items() if not problem]
        findings = tuple(
            Finding(
                rule=RULE,
                level=Level.WARNING,
                object=f"{each.schema}.{each.table}",
                detail=f"lost planner statistics to the batch, and ANALYZE did not make them again:"
                f" {problem}; {_SLOW}",
                fix=f"{analyze_statement(each)};",
            )
            for each, problem in kept.items()
            if problem
        )
        verdict = Verdict(examined=max(1, len(now.relations)), findings=findings, unit="tables")
        said = "; ".join(done) or f"{len(now.relations)} tables, none has lost planner statistics"
        return verdict, said if done or not lost else f"{len(lost)} tables, none analyzed"

    def _limits(self) -> str:
        config = self._context.config
        return (
            f"{patient_limit(milliseconds(config.lock_timeout))};"
            f" SET LOCAL statement_timeout = '{config.statement_timeout}';"
            " SET LOCAL client_min_messages = warning"
        )


def _not_known(reason: str) -> Judgement:
    finding = Finding(
        rule=RULE,
        level=Level.WARNING,
        object="the tables of the batch",
        detail="which of them have lost planner statistics to the batch is not known:"
        f" {reason.strip()}; {_SLOW}",
        fix="ANALYZE;",
    )
    return Verdict(examined=1, findings=(finding,), unit="database"), "nothing was analyzed"
