"""The step ``rehearse::changes``: what the batch does to everybody else who uses production."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import psycopg
from psycopg import sql

from pytest_housekeeping.checks.changes.levels import Thresholds
from pytest_housekeeping.checks.changes.subject import PlannedFile, Subject
from pytest_housekeeping.checks.changes.verdict import Production, changes_verdict
from pytest_housekeeping.checks.rows.asking import reading
from pytest_housekeeping.errors import ProofFailed
from pytest_housekeeping.plan.segments import Segment
from pytest_housekeeping.plan.steps import rehearse_step
from pytest_housekeeping.postgres.connection import Connection
from pytest_housekeeping.postgres.relations_now import RelationNow
from pytest_housekeeping.promotion.context import RunContext
from pytest_housekeeping.promotion.prechecks.shared import Judgement
from pytest_housekeeping.promotion.production.target import ProductionTarget
from pytest_housekeeping.promotion.rehearsal.rehearsal import Rehearsal
from pytest_housekeeping.sql.file import SqlFile
from pytest_housekeeping.sql.identifiers import split_name

_PUBLISHED = """
SELECT pg_catalog.format('%I.%I', schemaname, tablename),
    pg_catalog.array_agg(pg_catalog.quote_ident(pubname) ORDER BY pubname)
FROM pg_catalog.pg_publication_tables GROUP BY 1 ORDER BY 1
"""


def changes_judged(
    context: RunContext,
    target: ProductionTarget,
    rehearsal: Rehearsal,
    relations: Iterable[RelationNow],
) -> Judgement:
    """The verdict on the measured batch, by size and traffic of its ``relations`` in production.

    Raises ProofFailed for a segment of which nothing was measured.
    """
    connection, now = target.connection.get(), {each.relation: each for each in relations}
    published: dict[str, list[str]] = dict(connection.execute(_PUBLISHED.encode()).fetchall())
    thresholds = Thresholds.of(context.config)
    subjects = [
        _subject(context, rehearsal, segment, published, thresholds.slow(now.values()))
        for segment in context.plan.segments
    ]
    gone = {each.relation for subject in subjects for each in subject.facts.destroyed}
    production = Production(
        relations=now,
        objects=frozenset(subjects[0].before),
        empty=frozenset(
            each
            for each in gone & now.keys()
            if _holds_nothing(connection, each, context.config.question_timeout)
        ),
        thresholds=thresholds,
    )
    verdict = changes_verdict(subjects, production)
    return verdict, "; ".join([f"changes judged: {verdict.examined}", *verdict.evidence])


def _subject(
    context: RunContext,
    rehearsal: Rehearsal,
    segment: Segment,
    published: Mapping[str, list[str]],
    slow: frozenset[str],
) -> Subject:
    facts, change = rehearsal.facts.get(segment.number), rehearsal.changes.get(segment.number)
    if facts is None or change is None:
        raise ProofFailed(
            f"nothing was measured of segment {segment.number}",
            why="what the batch does to others would be known by nobody",
            fix="run the whole plan, the rehearsal included",
        )
    return Subject(
        facts=facts,
        files=tuple(_planned(context, segment)),
        before=change.before.texts,
        after=change.after.texts,
        published={name: tuple(found) for name, found in published.items()},
        slow=slow,
        window=context.config.lock_window_statements,
    )


def _planned(context: RunContext, segment: Segment) -> Iterator[PlannedFile]:
    for file in segment.files:
        yield PlannedFile(
            step=rehearse_step(file, segment.number).id,
            path=file.path,
            text=context.files.text(file),
            accepts=file.accepts,
            decided=_decided(context, file),
        )


def _decided(context: RunContext, file: SqlFile) -> bool:
    """Whether it is said what becomes of data that the file destroys."""
    return bool(file.irreversible) or file.rollback in context.plan.ways_back


def _holds_nothing(connection: Connection, relation: str, timeout: str) -> bool:
    """Whether a table is seen to hold no row; of one that cannot be looked at, nobody knows."""
    question = sql.SQL("SELECT EXISTS (SELECT FROM {})").format(
        sql.Identifier(*split_name(relation))
    )
    try:
        with reading(connection, timeout):
            row = connection.execute(question).fetchone()
    except psycopg.Error:
        if connection.closed:
            raise
        return False
    return row is not None and not row[0]
