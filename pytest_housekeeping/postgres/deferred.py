"""What would run inside COMMIT, made to run before it: held cursors and deferred constraints.

A cursor WITH HOLD is read to its end inside COMMIT, with every function in its query
(https://www.postgresql.org/docs/16/sql-declare.html); CLOSE ALL ends it. A deferred constraint
trigger runs at COMMIT, or at SET CONSTRAINTS ALL IMMEDIATE
(https://www.postgresql.org/docs/16/sql-set-constraints.html). Such a trigger can put itself off
again, so saying it once proves nothing. Whether something still waits can be seen: PostgreSQL
refuses to alter a table with pending trigger events (SQLSTATE 55006), and does not otherwise.
Events can wait only for a table with a deferrable trigger that this transaction has written to:
those tables are asked, in a savepoint that is rolled back, until none of them refuses.
"""

from __future__ import annotations

from collections.abc import Callable

import psycopg
from psycopg import sql

from pytest_housekeeping.errors import ProofFailed
from pytest_housekeeping.postgres.connection import Connection, rolled_back

MOST_ROUNDS = 8


def run_deferred(connection: Connection, put_back: Callable[[], None]) -> None:
    """Close what is held, and check deferred constraints until nothing waits for COMMIT.

    ``put_back`` restores the session after each round, for a trigger may have changed it.
    Raises psycopg.Error for a constraint that does not hold, and ProofFailed, with the names of
    table and triggers, where something waits again each time or cannot be seen.
    """
    waiting = ""
    for _ in range(MOST_ROUNDS):
        connection.execute("CLOSE ALL; SET CONSTRAINTS ALL IMMEDIATE")
        put_back()
        waiting = _waiting(connection)
        if not waiting:
            return
    raise ProofFailed(
        f"{waiting} waits for COMMIT again, however often it is run before",
        why="what it does there comes after everything was proved",
        fix="take SET CONSTRAINTS out of the trigger's function, or make it not deferrable",
    )


def _waiting(connection: Connection) -> str:
    """A table with pending trigger events and its deferrable triggers, or "" where none waits."""
    for schema, table, column, triggers, owned, users in connection.execute(_ASKED).fetchall():
        name = f"{schema}.{table} ({', '.join(triggers)})"
        if not owned:
            if not users:
                continue  # constraints of PostgreSQL's own: they check, and change nothing
            raise ProofFailed(
                f"whether a trigger of {name} waits for COMMIT cannot be seen",
                why="only the owner of a table is told, and the migrating role does not own it",
                fix="let the migrating role own the table, or make the trigger not deferrable",
            )
        if _refuses(connection, schema, table, column):
            return name
    return ""


def _refuses(connection: Connection, schema: str, table: str, column: str) -> bool:
    """Whether PostgreSQL says that the table has pending trigger events."""
    alter = sql.SQL("ALTER TABLE ONLY {} ALTER COLUMN {} SET STATISTICS -1").format(
        sql.Identifier(schema, table), sql.Identifier(column)
    )
    try:
        with rolled_back(connection):
            connection.execute(alter)
    except psycopg.errors.ObjectInUse:
        return True
    return False


# Tables with a deferrable trigger on which this transaction holds at least the lock of a write.
_ASKED = """
SELECT n.nspname::text, c.relname::text,
       (SELECT a.attname::text FROM pg_catalog.pg_attribute AS a
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        ORDER BY a.attnum LIMIT 1),
       pg_catalog.array_agg(t.tgname::text ORDER BY t.tgname),
       pg_catalog.pg_has_role(c.relowner, 'USAGE'),
       pg_catalog.bool_or(NOT t.tgisinternal)
FROM pg_catalog.pg_trigger AS t
JOIN pg_catalog.pg_class AS c ON c.oid = t.tgrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE t.tgdeferrable AND EXISTS (
    SELECT FROM pg_catalog.pg_locks AS l
    WHERE l.locktype = 'relation' AND l.granted AND l.pid = pg_catalog.pg_backend_pid()
    AND l.relation = c.oid AND l.database = (
        SELECT d.oid FROM pg_catalog.pg_database AS d
        WHERE d.datname = pg_catalog.current_database())
    AND l.mode IN ('RowExclusiveLock', 'ShareUpdateExclusiveLock', 'ShareLock',
                   'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock'))
GROUP BY c.oid, n.nspname, c.relname, c.relowner
ORDER BY 1, 2
"""
