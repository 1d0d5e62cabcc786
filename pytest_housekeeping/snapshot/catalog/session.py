"""The session in which the catalog is read: settings, patience, statements that stay prepared."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import sha256
from time import monotonic
from typing import Any, TypeAlias, TypeVar

import psycopg
from psycopg import sql
from psycopg.pq import TransactionStatus

from pytest_housekeeping.postgres.connection import Connection, Savepoint
from pytest_housekeeping.postgres.locks.relations import STRONG
from pytest_housekeeping.snapshot.problems import SnapshotError

Row: TypeAlias = tuple[Any, ...]
Found = TypeVar("Found")

_PATIENCE = 3.0  # seconds
_FEW = 30  # statements
# Somebody drops or holds what is being read: it may be readable a moment later.
PASSING = (
    psycopg.errors.InternalError_,
    psycopg.errors.UndefinedObject,
    psycopg.errors.LockNotAvailable,
    psycopg.errors.DeadlockDetected,
)
# Whatever an expression prints, it prints the same for every session. Everything that the queries
# call is found in pg_catalog alone, and temporary tables hide nothing.
_SETTINGS = """
SET LOCAL search_path = pg_catalog, pg_temp; SET LOCAL quote_all_identifiers = off;
SET LOCAL DateStyle = 'ISO, YMD'; SET LOCAL IntervalStyle = postgres; SET LOCAL TimeZone = 'UTC';
SET LOCAL extra_float_digits = 3; SET LOCAL bytea_output = hex; SET LOCAL xmlbinary = base64;
SET LOCAL lc_monetary = 'C'; SET LOCAL standard_conforming_strings = on"""
# Reading a view's text locks its tables one after the other, and may meet a DROP that goes the
# other way. Giving up before deadlock_timeout (1 s) keeps PostgreSQL from ending the transaction
# of the other. Where less is allowed already, as under the locks of a batch, it stays at that.
_POLITENESS = """
SELECT pg_catalog.set_config('lock_timeout', least(250, nullif(1000 * extract(epoch FROM
    pg_catalog.current_setting('lock_timeout')::pg_catalog.interval), 0))::int::text, true)"""
_HURRY = """
SELECT extract(epoch FROM
    pg_catalog.current_setting('lock_timeout')::pg_catalog.interval)::float8
WHERE pg_catalog.current_setting('lock_timeout') <> '0' AND EXISTS (
    SELECT FROM pg_catalog.pg_locks AS l
    WHERE l.pid = pg_catalog.pg_backend_pid() AND l.locktype = 'relation' AND l.granted
    AND l.relation >= 16384 AND l.mode = ANY (%s))"""
# A catalog that has just grown has no statistics: joins that look at each pair of rows would be
# chosen, and take minutes. The queries name their tables in the order in which they are joined: to
# look for others takes as long as to read a small schema.
OF_EVERYTHING = """
SET LOCAL enable_nestloop = off; SET LOCAL enable_mergejoin = off; SET LOCAL jit = off;
SET LOCAL join_collapse_limit = 1; SET LOCAL work_mem = '64MB'"""
# Of few objects out of many: by the indexes, and planned once.
OF_FEW = """
SET LOCAL enable_nestloop = on; SET LOCAL enable_mergejoin = off; SET LOCAL jit = off;
SET LOCAL join_collapse_limit = 1; SET LOCAL work_mem = '64MB';
SET LOCAL max_parallel_workers_per_gather = 0; SET LOCAL plan_cache_mode = force_generic_plan"""


def reading(
    connection: Connection,
    read: Callable[[], Found],
    *,
    planning: str = OF_EVERYTHING,
    prepared: Mapping[str, str] | None = None,
    ahead: bool = False,
) -> Found:
    """What ``read`` finds with the settings of a reading; nothing stays changed.

    Outside a transaction it reads in one of its own. It is called again for some seconds while
    somebody drops or holds what is being read. The statements ``prepared``, by their names, stay
    so in the session: made where it turns out that they lack, or ``ahead``, where they are known
    to. Raises SnapshotError when the catalog cannot be read.
    """
    started, has_prepared = monotonic(), False
    while True:
        try:
            with _inside_transaction(connection), _with_settings(connection, planning):
                if ahead and prepared:
                    _prepare_lacking(connection, prepared)
                return read()
        except psycopg.errors.InvalidSqlStatementName as error:
            # That the session lacks them is no waiting for anybody; preparing once is enough.
            if not prepared or has_prepared:
                raise _unreadable(error) from error
            _prepare(connection, planning, prepared)
            has_prepared = True
        except PASSING as error:
            if monotonic() > started + _patience(connection):
                raise _unreadable(error) from error
        except psycopg.Error as error:
            raise _unreadable(error) from error


def reading_alone(
    connection: Connection,
    read: Callable[[], Found],
    *,
    planning: str,
    prepared: Mapping[str, str],
    put_back: str,
) -> Found:
    """The same without a savepoint, which costs the more the more a transaction has locked, where
    nobody else writes: there is nobody to wait for.

    ``prepared`` are prepared where the session may lack them; ``put_back`` are the statements that
    make it what it was. What goes wrong ends the transaction, or the savepoint that it is in.
    Raises SnapshotError.
    """
    try:
        if prepared:
            _prepare(connection, planning, prepared)
        connection.execute(f"{_SETTINGS};{planning}".encode())
        found = read()
        connection.execute(put_back.encode())
    except psycopg.Error as error:
        raise _unreadable(error) from error
    return found


def results(connection: Connection, statements: Sequence[str]) -> Iterator[list[Row]]:
    """The rows of each, in one round trip: the simple protocol takes several statements at once."""
    cursor = connection.execute(";\n".join(statements).encode())
    for number in range(len(statements)):
        if number:
            cursor.nextset()
        yield cursor.fetchall()


def named(text: str) -> str:
    """The name under which a statement is prepared, which says what it is."""
    return f"hk_{sha256(text.encode()).hexdigest()[:24]}"


def _unreadable(error: psycopg.Error) -> SnapshotError:
    return SnapshotError(
        f"the schema could not be read: {error.diag.message_primary or error}",
        why="without its fingerprint no change of the schema would be noticed",
        fix="see who changes the schema at this moment (pg_stat_activity), and run again",
    )


def _patience(connection: Connection) -> float:
    """For how many seconds it is tried again: no longer than a lock may be waited for, where others
    wait for those of this transaction."""
    if connection.info.transaction_status is not TransactionStatus.INTRANS:
        return _PATIENCE
    row = connection.execute(_HURRY, (list(STRONG),)).fetchone()
    return min(_PATIENCE, row[0]) if row else _PATIENCE


@contextmanager
def _inside_transaction(connection: Connection) -> Iterator[None]:
    if connection.info.transaction_status is not TransactionStatus.IDLE:
        yield
        return
    connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
    try:
        yield
    finally:
        if not connection.closed:
            connection.execute("ROLLBACK")


@contextmanager
def _with_settings(connection: Connection, planning: str) -> Iterator[None]:
    """In a savepoint that is rolled back; it goes in one round trip with the settings."""
    savepoint = Savepoint()
    connection.execute(f"{savepoint.begin};{_SETTINGS};{planning};{_POLITENESS}".encode())
    try:
        yield
    finally:
        if not connection.closed:
            connection.execute(savepoint.back)


def _prepare(connection: Connection, planning: str, statements: Mapping[str, str]) -> None:
    """Prepare what the session lacks: a file may have said DEALLOCATE ALL."""
    with _inside_transaction(connection), _with_settings(connection, planning):
        _prepare_lacking(connection, statements)


def _prepare_lacking(connection: Connection, statements: Mapping[str, str]) -> None:
    row = connection.execute(_PREPARED).fetchone()
    known, may_loop = row or ([], False)
    missing = [statements[name] for name in sorted(statements.keys() - set(known))]
    if may_loop and len(missing) > _FEW:
        # Of each its own text is kept, not that of all, which would be copied for each of them
        # whenever somebody looks at pg_prepared_statements. Of few that costs less than a loop.
        loop = _EACH.format(texts=sql.Literal(missing).as_string(connection))
        connection.execute(f"DO {sql.Literal(loop).as_string(connection)}".encode())
    else:
        connection.execute(";".join(missing).encode())


_PREPARED = """
SELECT
    ARRAY(SELECT p.name FROM pg_prepared_statements AS p),
    EXISTS (
        SELECT FROM pg_language AS l
        WHERE l.lanname = 'plpgsql' AND has_language_privilege(l.oid, 'USAGE')
    )"""
_EACH = """
DECLARE each text;
BEGIN
    FOREACH each IN ARRAY {texts}::text[] LOOP EXECUTE each; END LOOP;
END"""
