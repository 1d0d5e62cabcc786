"""The step ``rehearse::clone``: the batch on a clone that has production's rows.

What the schema decides stays proved on the copy that was made of the backup. A clone adds what only
rows can tell: how long it takes, how many rows it writes, and how much more there is then.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import psycopg

from pytest_housekeeping.checks.rows.asking import ask, reading
from pytest_housekeeping.checks.rows.verdict import rows_verdict
from pytest_housekeeping.errors import ProofFailed
from pytest_housekeeping.evidence.report.clone import clone_summary
from pytest_housekeeping.model import Finding, Level, Verdict
from pytest_housekeeping.postgres.clone_facts import CloneFacts
from pytest_housekeeping.postgres.connection import LentConnection
from pytest_housekeeping.postgres.relations_now import RelationNow
from pytest_housekeeping.promotion.context import RunContext
from pytest_housekeeping.promotion.prechecks.shared import Judgement
from pytest_housekeeping.promotion.production.clone.batch import Tried, try_batch
from pytest_housekeeping.promotion.production.clone.opening import Clone, clone_of
from pytest_housekeeping.promotion.production.clone.resemblance import (
    WHOEVER_LOGS_IN,
    age_of,
    beside,
    refuse_other_history,
    refuse_other_schema,
    row_findings,
)
from pytest_housekeeping.promotion.production.target import ProductionTarget
from pytest_housekeeping.promotion.rehearsal.rehearsal import Rehearsal
from pytest_housekeeping.promotion.rehearsal.standing_rows import tables_with_rows

# A value of an enum is used in the transaction that has made it.
_OWN_TRANSACTION = "55P04"
_LOCKED = "55P03"
# No room, no memory; ended from outside; the disk. No SQLSTATE: the connection was lost.
_OF_SERVER = ("53", "57P", "58")
_OTHERS = """
SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_activity
WHERE datname = pg_catalog.current_database() AND backend_type = 'client backend'
AND pid <> pg_catalog.pg_backend_pid()
"""


class CloneMeasurement:
    """The step; ``facts`` are known when the batch was tried there."""

    def __init__(
        self, context: RunContext, target: ProductionTarget, rehearsal: Rehearsal, clone: Clone
    ) -> None:
        self.facts: CloneFacts | None = None
        self._context = context
        self._target = target
        self._rehearsal = rehearsal
        self._clone = clone

    def judge(self, now: Sequence[RelationNow]) -> Judgement:
        """``now`` is what production has in the relations that the batch touches.

        Raises ServerError and MisuseError as ``Clone.connect`` does, and ProofFailed where the
        clone is no copy of this production.
        """
        production = self._target.connection.get()
        connection = self._clone.connect(production)
        try:
            return self._judge(connection, production, now)
        except psycopg.Error as error:
            raise ProofFailed(
                f"the clone of --hk-twin does not go on: {error.diag.message_primary or error}",
                why="what only rows can tell is not known then",
                fix="see that it is up and nobody else uses it, or leave it out: --hk-twin=",
            ) from None
        finally:
            connection.close()

    def _judge(
        self, connection: LentConnection, production: LentConnection, now: Sequence[RelationNow]
    ) -> Judgement:
        context, config = self._context, self._context.config
        restored = self._rehearsal.target.twin.schema
        objects = refuse_other_schema(connection, self._target.fingerprint(), restored, config)
        refuse_other_history(connection, production, config.history_schema)
        names = frozenset(each.relation for each in now)
        standing = tables_with_rows(production, names, but=config.history_schema)
        holding = frozenset(each.name for each in standing if each.holds)
        tables = beside(connection, now, frozenset(each.name for each in standing))
        findings = [*row_findings(connection, tables, holding, config), *_others(connection)]
        if any(each.level is Level.ERROR for each in findings):
            return self._verdict(objects, findings), "the clone has not the rows of production"
        findings += self._asked(connection)
        age = age_of(connection, production, config.history_schema)
        tried = try_batch(context, self._clone, connection, production)
        self.facts = CloneFacts(
            host=connection.info.host,
            port=connection.info.port,
            database=connection.info.dbname,
            server_version=connection.info.parameter_status("server_version") or "",
            as_of=age.as_of,
            since=age.since,
            behind=age.behind,
            relations=tables,
            files=tuple(tried.files),
            deferred_s=tried.deferred_s,
            deferred_wal=tried.deferred_wal,
            growth=tried.growth,
            left_out=tuple(tried.left_out),
            stopped_at=tried.stopped_at,
        )
        findings += refusals(tried, config.lock_timeout)
        return self._verdict(objects, findings), clone_summary(self.facts)

    def _verdict(self, objects: int, findings: Sequence[Finding]) -> Verdict:
        return Verdict(examined=max(1, objects), unit="objects", findings=tuple(findings))

    def _asked(self, connection: LentConnection) -> Iterator[Finding]:
        """What production's role may not ask of its rows, asked of these."""
        questions, timeout = self._rehearsal.denied, self._context.config.question_timeout
        if not questions:
            return
        with reading(connection, timeout, WHOEVER_LOGS_IN):
            answers = tuple(ask(connection, questions, timeout=timeout))
        yield from rows_verdict(answers, len(questions))[0].findings


def new_measurement(
    context: RunContext, target: ProductionTarget, rehearsal: Rehearsal
) -> CloneMeasurement | None:
    """The work of the step, where the plan has it."""
    clone = clone_of(context, target.address, target.connection.identity())
    return None if clone is None else CloneMeasurement(context, target, rehearsal, clone)


def _others(connection: LentConnection) -> Iterator[Finding]:
    """Who is there as well takes a share of the time, and waits for the locks of the batch."""
    row = connection.execute(_OTHERS).fetchone()
    if row and row[0]:
        yield Finding(
            rule="clone-in-use",
            level=Level.WARNING,
            object="the clone",
            detail=f"{row[0]} other sessions are connected to its database: what is measured is"
            " theirs as well",
            fix="see that it is nobody's production, and give each run a clone of its own",
        )


def refusals(tried: Tried, lock_timeout: str) -> Iterator[Finding]:
    """A file that did not go through. Behind one that was left out, that says nothing of it."""
    error = tried.refused
    if error is None:
        return
    if tried.left_out or error.sqlstate == _OWN_TRANSACTION:
        left = ", ".join(tried.left_out)
        why = (
            f"behind {left}, which no transaction can hold and was left out there"
            if left
            else "for what it uses has to be committed first"
        )
        yield Finding(
            rule="clone-stopped",
            level=Level.WARNING,
            object=tried.stopped_at,
            detail=f"was not tried to its end, {why}: {error.found}",
            fix="promote in two plans to have the rest measured as well",
        )
        return
    fix = "write the file so that it goes through with these rows"
    if error.sqlstate == _LOCKED:
        fix = f"see who else uses the clone: a lock was not had within {lock_timeout}"
    elif not error.sqlstate or error.sqlstate.startswith(_OF_SERVER):
        fix = "see that the clone is up and has room for what the file makes"
    yield Finding(
        rule="clone-refuses",
        level=Level.ERROR,
        object=tried.stopped_at,
        detail=f"goes through on the empty copy, and not where the rows are: {error.found}",
        fix=fix,
    )
