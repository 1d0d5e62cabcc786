"""Take over a database that exists already: what is there is what the files would have made."""

from __future__ import annotations

from psycopg import sql

from pytest_housekeeping.model import Finding, Level, Verdict
from pytest_housekeeping.postgres.connection import connect
from pytest_housekeeping.promotion.context import RunContext
from pytest_housekeeping.promotion.prechecks import Judgement
from pytest_housekeeping.promotion.production.target import ProductionTarget
from pytest_housekeeping.promotion.replay import apply_segment, run_bootstrap, segments_of
from pytest_housekeeping.promotion.throwaway import Throwaway
from pytest_housekeeping.snapshot.difference import diff
from pytest_housekeeping.snapshot.fingerprint import Fingerprint


def verify(context: RunContext, target: ProductionTarget, throwaway: Throwaway) -> Judgement:
    """Replay the files on an empty server, and compare: the fingerprints must be equal."""
    run_bootstrap(context, throwaway)
    replayed, actual = _replayed(context, target, throwaway), _without_history(target)
    findings = tuple(
        Finding(
            rule="baseline",
            # Columns that were added in another order than the files do are the rule where a schema
            # has grown by hand; nothing but statements without a list of columns depends on it.
            level=Level.WARNING if difference.is_column_order else Level.ERROR,
            object=difference.name,
            detail=f"is {difference.change} in production, compared with what the files make"
            + f": {difference.told}" * bool(difference.told),
            fix="bring the files to what production has, or choose another number",
        )
        for difference in diff(replayed.without("database"), actual.without("database"))
    )
    files = sum(len(segment.files) for segment in context.plan.segments)
    verdict = Verdict(examined=files, unit="files", findings=findings)
    return verdict, f"{files} files replayed, {len(findings)} objects differ"


def _without_history(target: ProductionTarget) -> Fingerprint:
    """The replay records nothing, so it has no history; production may have had one."""
    return target.read_without_history(target.connection.get())


def _replayed(context: RunContext, target: ProductionTarget, throwaway: Throwaway) -> Fingerprint:
    """The schema that the files make of an empty database."""
    files = (file for segment in context.plan.segments for file in segment.files)
    connection = throwaway.migrator()
    try:
        for segment in segments_of((file, context.files.text(file)) for file in files):
            apply_segment(context.config, connection, segment, throwaway)
    finally:
        connection.close()
    _rename_migrator(context, target, throwaway)
    connection = connect(throwaway.database().superuser_conninfo)
    try:
        return target.read_without_history(connection)
    finally:
        connection.close()


def _rename_migrator(context: RunContext, target: ProductionTarget, throwaway: Throwaway) -> None:
    """Who promotes in production may be called otherwise than who migrates in staging."""
    theirs, ours = target.address.user, context.config.migrator
    if theirs == ours:
        return
    with throwaway.superuser() as connection:
        connection.execute(
            sql.SQL("ALTER ROLE {} RENAME TO {}").format(
                sql.Identifier(ours), sql.Identifier(theirs)
            )
        )
