"""A production that nothing is on record of, and that has been migrated all the same."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_housekeeping.model import Finding, Level
from pytest_housekeeping.postgres.connection import LentConnection
from pytest_housekeeping.promotion.context import RunContext

_TABLES = """
SELECT EXISTS (
    SELECT FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND n.nspname <> 'information_schema'
        AND n.nspname NOT LIKE 'pg\\_%'
        AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend AS d
                        WHERE d.objid = c.oid AND d.deptype = 'e')
)
"""
FOUND = "stand in this database, and nothing is on record that has made them"
FIX = (
    "where the first of these files have made them: --hk-baseline=VERSION records those up to that"
    " version, and runs none of them"
)


def history_not_begun(context: RunContext, connection: LentConnection) -> Iterator[Finding]:
    """Nothing is on record here, and tables stand that somebody has made."""
    if context.plan.past or context.plan.theirs or context.options.records_only:
        return
    if holds_tables(connection):
        yield Finding(
            rule="history-not-begun",
            level=Level.WARNING,
            object="tables",
            detail=FOUND,
            fix=FIX,
        )


def holds_tables(connection: LentConnection) -> bool:
    """Whether there is a table of anybody's but of an extension."""
    row = connection.execute(_TABLES).fetchone()
    return bool(row and row[0])
