"""Before production sees anything of a batch: what its rows would refuse of it is asked of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import psycopg
from psycopg import errors

from pytest_housekeeping.checks.rows.asking import Answer, NotChecked, ask, reading
from pytest_housekeeping.checks.rows.catalog import RowCatalog
from pytest_housekeeping.checks.rows.demands import BatchTexts, questions_of
from pytest_housekeeping.checks.rows.question import Question, Unasked
from pytest_housekeeping.checks.rows.verdict import rows_verdict
from pytest_housekeeping.config import Config
from pytest_housekeeping.errors import ProofFailed
from pytest_housekeeping.promotion.context import RunContext
from pytest_housekeeping.promotion.prechecks.shared import Judgement
from pytest_housekeeping.promotion.rehearsal.rehearsal import Rehearsal
from pytest_housekeeping.promotion.target_connection import TargetConnection
from pytest_housekeeping.sql.identifiers import quoted, split_name

# What INSERT, UPDATE, DELETE, MERGE and COPY take, be it for no row:
# https://www.postgresql.org/docs/16/explicit-locking.html#LOCKING-TABLES
_WRITES = "RowExclusiveLock"


def rows_asked(
    context: RunContext, rehearsal: Rehearsal, production: TargetConnection
) -> Judgement:
    """What production's rows would refuse of what the batch has changed on the copy.

    Raises ProofFailed where production cannot be asked at all.
    """
    if rehearsal.questions is None:
        rehearsal.questions = tuple(_questions(context, rehearsal))
    changes = sum(len(facts.changes) for facts in rehearsal.facts.values())
    answers = answers_of(context.config, production, rehearsal.questions)
    rehearsal.denied = tuple(
        each.denied for each in answers if isinstance(each, NotChecked) and each.denied
    )
    return rows_verdict(answers, changes)


def _questions(context: RunContext, rehearsal: Rehearsal) -> Sequence[Question | Unasked]:
    """What the batch has changed on the copy that rows could refuse."""
    before, after = rehearsal.row_catalogs()
    texts = {
        file.path: context.files.text(file)
        for segment in context.plan.segments
        for file in segment.files
    }
    batch = BatchTexts(files=texts, locked=frozenset(_written(rehearsal, before, after)))
    with rehearsal.printing() as copy:
        return questions_of(copy, before, after, batch)


def answers_of(
    config: Config, production: TargetConnection, questions: Sequence[Question | Unasked]
) -> tuple[Answer | NotChecked, ...]:
    """What production says; it is not even begun with where there is nothing to ask.

    Raises ProofFailed where it cannot be asked at all.
    """
    if not questions:
        return ()
    connection = production.get()
    try:
        with reading(connection, config.question_timeout, config.question_role):
            return tuple(ask(connection, questions, timeout=config.question_timeout))
    except (errors.InsufficientPrivilege, errors.InvalidParameterValue) as error:
        raise ProofFailed(
            f"question_role: {error.diag.message_primary}",
            why="what production's rows refuse is asked as this role, and they would be asked less",
            fix=f"GRANT {quoted(config.question_role)} TO"
            f" {quoted(production.identity().user)}, or take the setting out",
        ) from None
    except psycopg.Error as error:
        raise ProofFailed(
            f"production could not be asked for its rows: {type(error).__name__}",
            why="what its rows refuse would fail under lock",
            fix="see that it is reachable, and run again",
        ) from None


def _written(rehearsal: Rehearsal, before: RowCatalog, after: RowCatalog) -> Iterator[int]:
    """The tables that a statement of the batch has written to on the copy, by OID."""
    names = {
        split_name(lock.relation)
        for facts in rehearsal.facts.values()
        for lock in facts.locks
        if lock.mode == _WRITES
    }
    for catalog in (before, after):
        yield from (
            oid for oid, each in catalog.relations.items() if (each.schema, each.name) in names
        )
