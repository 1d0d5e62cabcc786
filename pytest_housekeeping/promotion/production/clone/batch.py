"""The batch on a clone, in one transaction that is rolled back: what it takes and what it makes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import psycopg

from pytest_housekeeping.errors import SqlFailed
from pytest_housekeeping.postgres.clone_facts import FileRun, Growth, StatementRun
from pytest_housekeeping.postgres.connection import Connection, LentConnection
from pytest_housekeeping.postgres.relation_sizes import growth, read_sizes
from pytest_housekeeping.postgres.timed_statements import Stopwatch, Tick, wal_between
from pytest_housekeeping.postgres.transaction import Transaction, begin
from pytest_housekeeping.promotion.context import RunContext
from pytest_housekeeping.promotion.production.clone.opening import Clone

# Of a file no more are told by themselves.
_STATEMENTS = 20


@dataclass(kw_only=True)
class Tried:
    """What came of it, as far as it went through: ``refused`` at the file ``stopped_at``."""

    files: list[FileRun] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    deferred_s: float = 0.0
    deferred_wal: int | None = None
    growth: tuple[Growth, ...] = ()
    stopped_at: str = ""
    refused: SqlFailed | None = None


def try_batch(
    context: RunContext, clone: Clone, connection: LentConnection, production: Connection
) -> Tried:
    """All files that a transaction can hold, in one, on the clone; nothing of it stays.

    Raises ProofFailed where another run has the clone, MisuseError where the transaction turns out
    to be production's own, before anything is done in it.
    """
    ours = context.config.history_schema
    before = read_sizes(connection, but=ours)
    watch = Stopwatch(tells_wal=_tells_wal(connection))
    tried = Tried()
    transaction = begin(connection, context.config)
    try:
        clone.refuse_production(connection, production)
        transaction.sending = watch.send
        _apply(context, transaction, watch, tried)
        if tried.refused is None:
            _run_deferred(transaction, watch, tried)
        if tried.refused is None:
            tried.growth = growth(before, read_sizes(connection, but=ours))
    finally:
        if not connection.closed:
            connection.execute("ROLLBACK")
    return tried


def _apply(context: RunContext, transaction: Transaction, watch: Stopwatch, tried: Tried) -> None:
    for segment in context.plan.segments:
        for file in segment.files:
            if file.transaction == "none":
                tried.left_out.append(file.path)
                continue
            watch.runs.clear()
            try:
                transaction.apply(file, context.files.text(file))
            except SqlFailed as error:
                tried.stopped_at, tried.refused = file.path, error
                return
            tried.files.append(file_run(file.path, watch.runs))


def _run_deferred(transaction: Transaction, watch: Stopwatch, tried: Tried) -> None:
    """What would run at COMMIT."""
    before = watch.look(transaction.connection)
    try:
        transaction.seal()
    except SqlFailed as error:
        tried.stopped_at, tried.refused = "COMMIT", error
        return
    after: Tick = watch.look(transaction.connection)
    tried.deferred_s = max(0.0, after.at - before.at)
    tried.deferred_wal = wal_between(before, after)


def file_run(path: str, runs: Iterable[StatementRun]) -> FileRun:
    """A file by its statements."""
    known = list(runs)
    wal = [each.wal for each in known if each.wal is not None]
    longest = sorted(known, key=lambda each: -each.duration_s)[:_STATEMENTS]
    return FileRun(
        path=path,
        duration_s=sum(each.duration_s for each in known),
        rows=sum(each.rows for each in known),
        wal=sum(wal) if len(wal) == len(known) else None,
        statements=tuple(each for each in known if each in longest),
    )


def _tells_wal(connection: Connection) -> bool:
    """Aurora, whose storage is not PostgreSQL's, has no position in the WAL: error 55000."""
    try:
        connection.execute("SELECT pg_catalog.pg_current_wal_insert_lsn()")
    except psycopg.Error:
        if connection.closed:
            raise
        return False
    return True
