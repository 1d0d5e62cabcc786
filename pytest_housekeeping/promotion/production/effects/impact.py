"""What the batch meets in production: what is in the relations it touches, and the way back."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress

import psycopg

from pytest_housekeeping.errors import HousekeepingError
from pytest_housekeeping.evidence.production_now import AppliedNow, ProductionNow, WayBack
from pytest_housekeeping.model import Kind, Verdict
from pytest_housekeeping.postgres.own_tables import history
from pytest_housekeeping.postgres.relations_now import FirstLook, first_look, relations_now
from pytest_housekeeping.promotion.context import RunContext
from pytest_housekeeping.promotion.prechecks.shared import Judgement
from pytest_housekeeping.promotion.production.target import ProductionTarget
from pytest_housekeeping.promotion.rehearsal.rehearsal import Rehearsal
from pytest_housekeeping.promotion.repository.rollback_proofs import proved_rollbacks
from pytest_housekeeping.sql.file import SqlFile, from_reading
from pytest_housekeeping.sql.layouts.known import layout_of
from pytest_housekeeping.sql.layouts.layout import Entry
from pytest_housekeeping.sql.layouts.read import reading
from pytest_housekeeping.sql.text import digest

# The counters of use are sent at most once a second: a shorter time between two looks tells less.
# https://www.postgresql.org/docs/16/monitoring-stats.html#MONITORING-STATS-VIEWS
_APART_S = 1.0


class Impact:
    """The step ``rehearse::impact``; ``now`` is known in full when it has run.

    What is applied is read at the beginning of the run, for a plan tells it also where its batch
    fails on the copy; and so are the counters of production for the first time.
    """

    def __init__(self, context: RunContext, target: ProductionTarget, rehearsal: Rehearsal) -> None:
        self.now = ProductionNow()
        self._context = context
        self._target = target
        self._rehearsal = rehearsal
        self._first: FirstLook | None = None
        if not context.options.look_only:
            with suppress(psycopg.Error):
                self._first = first_look(target.connection.get())
            with suppress(psycopg.Error):
                self.now = ProductionNow(applied=self._applied())

    def judge(self) -> Judgement:
        """Where nothing but a plan is made, production still is as it was rehearsed on.

        Raises ProofFailed with what was changed since the backup.
        """
        context, connection = self._context, self._target.connection.get()
        plans = context.rules.plans
        if plans:
            self._target.prove_unmoved(connection)
            time.sleep(max(0.0, _APART_S - self._first.age_s) if self._first else 0.0)
        names = self._touched()
        first = self._first or first_look(connection)
        self.now = ProductionNow(
            looked_s=first.age_s,
            relations=relations_now(connection, names, first),
            applied=self.now.applied or self._applied(),
            way_back=tuple(self._way_back()),
            drift=self._target.drift,
            confirm=context.config.target.confirm,
        )
        verdict = Verdict(examined=max(1, len(names)), unit="relations of production")
        return verdict, f"{len(names)} relations of production are touched"

    def _touched(self) -> set[str]:
        """The relations that the batch locks or destroys something of."""
        facts = self._rehearsal.facts.values()
        locked = {lock.relation for each in facts for lock in each.locks}
        return locked | {gone.relation for each in facts for gone in each.destroyed}

    def _applied(self) -> tuple[AppliedNow, ...]:
        """The files that stand, as a plan tells them."""
        if not self._context.rules.plans:
            return ()
        if theirs := self._context.plan.theirs:
            return tuple(
                AppliedNow(path=each.path, kind=each.kind, run="", commit="", at="", by=theirs.tool)
                for each in theirs.files
            )
        rows = history.applied(self._target.connection.get(), self._context.config.history_schema)
        return tuple(
            AppliedNow(
                path=row.path, kind=row.kind, run=row.run, commit=row.commit, at=row.at, by=row.by
            )
            for row in rows
        )

    def _way_back(self) -> Iterator[WayBack]:
        """How each pending migration could be undone; a view or a policy has its earlier text."""
        pending = [file for segment in self._context.plan.segments for file in segment.files]
        migrations = [file for file in pending if file.kind is Kind.MIGRATION]
        files = {file.path: self._rollback_of(file) for file in migrations}
        proved, doubt = self._proved([file for file in files.values() if file is not None])
        for migration in migrations:
            rollback = files[migration.path]
            if migration.irreversible:
                yield WayBack(path=migration.path, how="irreversible", said=migration.irreversible)
            elif rollback is None:
                yield WayBack(path=migration.path, how="none", said="there is no rollback file")
            elif rollback.path in proved:
                audit, lost = proved[rollback.path]
                loses = f"; it destroys {', '.join(lost)}" if lost else ""
                said = f"{rollback.path}, by {audit}{loses}"
                yield WayBack(path=migration.path, how="proved", said=said)
            else:
                said = f"{rollback.path}: {doubt or 'no staging run has tried it as it is'}"
                yield WayBack(path=migration.path, how="unproved", said=said)

    def _rollback_of(self, migration: SqlFile) -> SqlFile | None:
        path, context = migration.rollback, self._context
        if path not in context.plan.ways_back:
            return None
        data = context.plan.sources.read(path)
        found = reading(context.config, context.plan.sources, path, data)
        return from_reading(
            Entry(path=path, kind=Kind.ROLLBACK),
            found,
            digest(data),
            layout=layout_of(context.config),
            parsed=False,
        )

    def _proved(self, files: list[SqlFile]) -> tuple[dict[str, tuple[str, tuple[str, ...]]], str]:
        """What staging has seen of these, and why nobody knows where nobody does."""
        if not files:
            return {}, ""
        context, identity = self._context, self._target.connection.identity()
        try:
            return proved_rollbacks(
                context.repository, context.config, context.plan.sources, files, identity
            ), ""
        except HousekeepingError as error:
            return {}, error.found
