"""For how long a file that no transaction can hold waits for locks that others queue behind."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

import psycopg
from psycopg import sql

from pytest_housekeeping.config import Config, milliseconds
from pytest_housekeeping.postgres.connection import LentConnection
from pytest_housekeeping.postgres.locks.budget import patient_limit
from pytest_housekeeping.postgres.locks.requests import KEEPS_OUT, LockNotHad
from pytest_housekeeping.sql.identifiers import quoted
from pytest_housekeeping.sql.outside_locks import outside_locks
from pytest_housekeeping.sql.parse import Statement, parsed

_STRONG = ("ClusterStmt", "ReindexStmt")
# A name is that of a table, or of an index of one.
_TABLE = """
SELECT n.nspname::text, c.relname::text FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND c.oid = coalesce(
    (SELECT i.indrelid FROM pg_catalog.pg_index AS i
     WHERE i.indexrelid = pg_catalog.to_regclass(%(name)s)), pg_catalog.to_regclass(%(name)s))
AND pg_catalog.has_table_privilege(c.oid, 'UPDATE, DELETE, TRUNCATE')
"""


@contextmanager
def limited(connection: LentConnection, text: str, config: Config) -> Iterator[None]:
    """While the block runs a file of this text, locks that others queue behind are waited for no
    longer than is allowed.

    What builds or drops an index CONCURRENTLY takes a lock that neither readers nor writers wait
    for. Whether that is to be had is tried before anything is done; then it waits for everybody
    who began before, as long as they need, for to give up would leave an invalid index behind.

    Raises LockNotHad, before anything was done.
    """
    locks = outside_locks(text)
    if locks is not None:
        for lock in locks:
            _try(connection, lock.name, milliseconds(config.lock_timeout))
        yield
    elif _is_strong(text):
        connection.execute(f"SET lock_timeout = '{config.lock_timeout}'")
        try:
            yield
        finally:
            with suppress(psycopg.Error):
                connection.execute("RESET lock_timeout")
    else:
        yield


def _try(connection: LentConnection, name: Sequence[str], lock_timeout_ms: int) -> None:
    """Take the lock that keeps out whoever alters, and give it back. Raises LockNotHad."""
    for schema, table in connection.execute(_TABLE, {"name": quoted(*name)}).fetchall():
        lock = sql.SQL("LOCK TABLE ONLY {} IN SHARE UPDATE EXCLUSIVE MODE")
        try:
            connection.execute(f"BEGIN; {patient_limit(lock_timeout_ms)}")
            connection.execute(lock.format(sql.Identifier(schema, table)))
        except psycopg.Error as error:
            raise LockNotHad(quoted(schema, table), KEEPS_OUT, error) from None
        finally:
            if not connection.closed:
                connection.execute("ROLLBACK")


def _is_strong(text: str) -> bool:
    """Whether the statement locks tables or indexes so that readers or writers wait."""
    return any(each.name in _STRONG or _is_full(each) for each in parsed(text))


def _is_full(statement: Statement) -> bool:
    options = (each.get("DefElem", {}) for each in statement.body.get("options", ()))
    return statement.name == "VacuumStmt" and any(
        option.get("defname") == "full" for option in options
    )
