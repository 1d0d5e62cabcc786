"""The code that runs now, on the schema that the batch makes: asked of the copy before and after.

Where the schema is promoted first and the code is deployed then, the code of before meets the
schema of after, be it for a moment.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

from pytest_housekeeping.errors import HousekeepingError, ProofFailed, RuleBroken
from pytest_housekeeping.evidence import Repository
from pytest_housekeeping.model import Finding, Level, Verdict
from pytest_housekeeping.plan.steps import RUNNING
from pytest_housekeeping.postgres.session_state import local_settings
from pytest_housekeeping.promotion.context import RunContext
from pytest_housekeeping.promotion.prechecks.shared import Judgement
from pytest_housekeeping.promotion.production.promoted import promotion_table
from pytest_housekeeping.promotion.production.target import ProductionTarget
from pytest_housekeeping.promotion.rehearsal.rehearsal import Rehearsal

if TYPE_CHECKING:
    from pytest_housekeeping.checks.running.committed_code import RunningApp, RunningCommit
    from pytest_housekeeping.checks.running.state import SchemaState

UNKNOWN = "running-unknown"
_WHY = "whether the batch breaks the code that runs would be known by nobody"


def new_running_code(
    context: RunContext, target: ProductionTarget, rehearsal: Rehearsal | None
) -> RunningCode | None:
    """The code that runs, where the plan has a step for it; the copy is asked before the batch."""
    if rehearsal is None or all(step.name != RUNNING for step in context.plan.steps):
        return None
    running = RunningCode(context, target, rehearsal)
    rehearsal.look = running.look
    return running


class RunningCode:
    """The code that runs, read once, and what the copy has said of it so far."""

    def __init__(self, context: RunContext, target: ProductionTarget, rehearsal: Rehearsal) -> None:
        self._context = context
        self._target = target
        self._rehearsal = rehearsal
        self._apps: tuple[RunningApp, ...] | None = None
        self._looks: dict[int, SchemaState] = {}
        self._failed: psycopg.Error | HousekeepingError | None = None

    def read(self) -> tuple[RunningApp, ...]:
        """The code of each application in each commit that runs; none before the first promotion.

        Raises ProofFailed for a commit that is not in this clone.
        """
        if self._apps is None:
            from pytest_housekeeping.checks.running.committed_code import running_code

            context, repository = self._context, self._context.required_repository(_WHY)
            boundaries = context.plan.contracts.boundaries
            self._apps = (
                tuple(
                    app
                    for commit in self._commits(repository)
                    for app in running_code(
                        repository,
                        context.config.root,
                        commit,
                        boundaries,
                        declared_in=f"{context.config.checks}/boundaries.toml",
                    )
                )
                if boundaries is not None
                else ()
            )
        return self._apps

    def prechecks(
        self, known: Mapping[str, Callable[[], Judgement]]
    ) -> Mapping[str, Callable[[], Judgement]]:
        """The prechecks, of which that of the code reads the code that runs as well."""

        def code() -> Judgement:
            verdict, said = known["code"]()
            files = {app.commit: 0 for app in self.read()}
            for app in self.read():
                files[app.commit] += len(app.extraction.files)
            return verdict, "; ".join(
                [said, *(f"running: {number} files of {each}" for each, number in files.items())]
            )

        return {**known, "code": code}

    def look(self, segment: int) -> None:
        """Ask the copy as a segment has left it; 0: as it is before the batch. What fails here
        fails the step that compares."""
        from pytest_housekeeping.checks.running.state import read_state

        config, twin = self._context.config, self._rehearsal.target.twin
        try:
            apps = self.read()
            with twin.connect(settings=config.session) as connection:
                connection.execute(sql.SQL("BEGIN; {}").format(sql.SQL(local_settings(config))))
                self._looks[segment] = read_state(connection, apps)
                connection.execute("ROLLBACK")
        except (psycopg.Error, HousekeepingError) as error:
            self._failed = error

    def judge(self) -> Judgement:
        """What the batch breaks of it. Raises ProofFailed and RuleBroken where nobody can tell."""
        from pytest_housekeeping.checks.running.state import read_state
        from pytest_housekeeping.checks.running.verdict import running_verdict

        context, apps = self._context, self.read()
        if not apps:
            return _unknown()
        last = context.plan.segments[-1].number
        before = self._look_of(0)
        between = [self._look_of(number) for number in range(1, last)]
        try:
            with self._rehearsal.judging(last) as connection:
                after = read_state(connection, apps)
        except psycopg.Error as error:
            raise _broken(error) from error
        verdict = running_verdict(
            apps,
            before,
            [*between, after],
            exemptions=context.plan.contracts.running_exemptions,
            today=context.today,
        )
        return verdict, "; ".join(verdict.coverage)

    def _look_of(self, segment: int) -> SchemaState:
        if isinstance(self._failed, psycopg.Error):
            raise _broken(self._failed) from self._failed
        if self._failed is not None:
            raise self._failed
        if segment not in self._looks:
            raise ProofFailed(f"the copy was not asked at segment {segment}", why=_WHY)
        return self._looks[segment]

    def _commits(self, repository: Repository) -> Iterator[RunningCommit]:
        from pytest_housekeeping.checks.running.committed_code import RunningCommit

        config = self._context.config
        for ref in config.running:
            commit = repository.commit(ref)
            if commit is None:
                raise ProofFailed(
                    f"running = {ref!r} under [tool.housekeeping]: no commit here has that name",
                    why=_WHY,
                    fix="fetch it (git fetch --tags origin), or correct the name",
                )
            yield RunningCommit(commit=commit, known_as=ref)
        if not config.running:
            connection = self._target.connection.get()
            last = promotion_table.last_promotion(connection, config.history_schema)
            if last is not None and last.commit:
                yield RunningCommit(commit=last.commit, known_as="the last promotion")


def _unknown() -> Judgement:
    """A first promotion may well be of a database that nothing uses yet: it is said, and stops
    nothing."""
    finding = Finding(
        rule=UNKNOWN,
        level=Level.WARNING,
        object="the code that runs",
        detail="no promotion is on record, so no commit is known whose code runs: nothing of it was"
        " judged",
        fix='where code runs already: running = ["ref"] under [tool.housekeeping]',
    )
    verdict = Verdict(examined=1, unit="history", findings=(finding,))
    return verdict, "no code that runs is known"


def _broken(error: psycopg.Error) -> RuleBroken:
    return RuleBroken(
        f"the copy could not be asked: {error.diag.message_primary or error}",
        why=_WHY,
        fix="repair what PostgreSQL names on the server of the copy, and run again",
    )
