"""The one transaction: begin, apply file by file with proofs around each, seal, commit."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property

import psycopg
from psycopg import generators
from psycopg.pq import ExecStatus, TransactionStatus
from psycopg.pq.abc import PGresult

from pytest_housekeeping.config import Config
from pytest_housekeeping.errors import ProofFailed, SqlFailed
from pytest_housekeeping.model import Applied, Lock
from pytest_housekeeping.postgres.connection import Connection, LentConnection
from pytest_housekeeping.postgres.deferred import run_deferred
from pytest_housekeeping.sql.file import SqlFile
from pytest_housekeeping.sql.parse import parse
from pytest_housekeeping.sql.text import excerpt, place

_STATE = """
SELECT pg_catalog.pg_current_xact_id()::text, current_user::text, session_user::text,
       pg_catalog.current_setting('search_path'),
       CASE WHEN pg_catalog.pg_my_temp_schema() <> 0 THEN pg_catalog.to_json(ARRAY(
           SELECT c.relname::text FROM pg_catalog.pg_class AS c
           WHERE c.relnamespace = pg_catalog.pg_my_temp_schema() AND c.relkind <> 'i'
           ORDER BY 1)) END"""
_SETTINGS = """
       pg_catalog.to_json(ARRAY(
           SELECT s.name || ' = ' || s.setting FROM pg_catalog.pg_settings AS s
           WHERE s.source = 'session' ORDER BY 1))"""
# Prepared, the state costs a third: it is asked for behind each of thousands of files.
_PREPARE = f"DEALLOCATE ALL; PREPARE hk_state AS {_STATE}"
# RESET ALL leaves role and session_authorization alone: they are marked GUC_NO_RESET_ALL.
_PUT_BACK = "RESET SESSION AUTHORIZATION; RESET ROLE; RESET ALL"
_WRITES = (b"INSERT", b"UPDATE", b"DELETE", b"MERGE", b"COPY")
_WORD = re.compile(r"\w+")
_STRONG = {
    "ShareLock",
    "ShareRowExclusiveLock",
    "ExclusiveLock",
    "AccessExclusiveLock",
}


@dataclass(kw_only=True)
class Transaction:
    """An open transaction on ``connection``, and what has to be true of it at every moment."""

    connection: LentConnection
    config: Config
    xid: str
    user: str
    search_path: str
    relations: dict[int, str]
    held: set[tuple[int, str]] = field(default_factory=set)
    locked_since: float | None = None
    sealed: bool = False
    applied: list[str] = field(default_factory=list)

    @cached_property
    def names(self) -> frozenset[str]:
        """The words by which a text could name a relation that stood before the batch."""
        return frozenset(
            word for name in self.relations.values() for word in _WORD.findall(name.lower())
        )

    def apply(self, file: SqlFile, text: str) -> Applied:
        """Run one file as one simple-protocol round trip, then prove and put back its surroundings.

        Raises SqlFailed with file, line and column when PostgreSQL refuses a statement, and
        ProofFailed when the file ended the transaction that it ran in.
        """
        prefix = "SET LOCAL row_security = on; " if file.row_security else ""
        watched = () if file.keeps_session else self._settings()
        if file.keeps_session:
            state, after = "EXECUTE hk_state", ""
        else:
            state, after = f"{_STATE}, {_SETTINGS}", f"; {_PREPARE}"
        query = f"{prefix}{text}\n;{state}; {_PUT_BACK}; {local_settings(self.config)}{after}"
        started = time.perf_counter()
        try:
            results = send(self.connection, query)
        except psycopg.OperationalError as error:
            raise explain(file.path, text, error) from None
        if results[-1].status == ExecStatus.FATAL_ERROR:
            raise _refused(file, text, prefix, results)
        rows, found = _read(results)
        duration = time.perf_counter() - started
        self._prove(file, str(found[0]))
        self.applied.append(file.path)
        put_back = self._left_behind(found, watched)
        if found[4]:  # the session has temporary objects, or had some
            self.connection.execute("DISCARD TEMP")
        return Applied(
            statements=file.statements,
            rows=rows,
            duration_s=duration,
            locks=self._new_locks(file, text),
            put_back=put_back,
        )

    @contextmanager
    def rehearsing(self) -> Iterator[None]:
        """What is applied meanwhile is rolled back by the caller, and counts for nothing."""
        applied, held, since = list(self.applied), set(self.held), self.locked_since
        try:
            yield
        finally:
            self.applied, self.held, self.locked_since = applied, held, since

    def seal(self) -> tuple[str, ...]:
        """Run now what would run at COMMIT, then look at the schema as users will.

        The session is put back afterwards, for a trigger may have changed it; what had to be is
        returned. Raises SqlFailed when a deferred constraint does not hold, and ProofFailed when
        something waits for COMMIT whatever is done.
        """
        before, left = self._settings(), list[str]()
        try:
            run_deferred(self.connection, lambda: left.extend(self._put_back(before)))
            self.connection.execute("SET LOCAL row_security = on")
        except psycopg.Error as error:
            raise explain("SET CONSTRAINTS ALL IMMEDIATE", "", error) from None
        self.sealed = True
        return tuple(dict.fromkeys(left))

    def _put_back(self, before: tuple[str, ...]) -> tuple[str, ...]:
        """The session as each file finds it; what had to be put back. Raises ProofFailed."""
        row = self.connection.execute(f"{_STATE}, {_SETTINGS}").fetchone()
        if row is None or row[0] != self.xid:
            raise ProofFailed(
                "the transaction is not the one that was begun",
                why="what was proved before may not be what would be committed",
                fix="look for a deferred trigger that ends it",
            )
        temporary, settings = (json.dumps(value or []) for value in row[4:])
        left = self._left_behind([*row[:4], temporary, settings], before)
        if row[4] is not None:
            self.connection.execute("DISCARD TEMP")
        self.connection.execute(f"{_PUT_BACK}; {local_settings(self.config)}")
        return left

    def prove(self, *, first: str = "") -> None:
        """The transaction is still the one that was begun. Raises ProofFailed.

        ``first`` goes in the same round trip: the way back to a savepoint, from an error as well.
        """
        usable = {TransactionStatus.INTRANS} | ({TransactionStatus.INERROR} if first else set())
        if self.connection.info.transaction_status not in usable:
            raise ProofFailed(
                "the transaction is no longer open",
                why="what was proved before may not be what would be committed",
                fix="look for a check that commits, or for a lost connection",
            )
        cursor = self.connection.execute(f"{first}; SELECT pg_catalog.pg_current_xact_id()::text")
        while cursor.nextset():
            pass
        row = cursor.fetchone()
        if row is None or row[0] != self.xid:
            raise ProofFailed(
                f"the transaction id is {row and row[0]}, not {self.xid}",
                why="something ended the transaction and began another",
                fix="no check may commit or roll back",
            )

    @property
    def locks_held_s(self) -> float:
        """For how many seconds a lock that others wait for has been held."""
        return 0.0 if self.locked_since is None else time.perf_counter() - self.locked_since

    def _prove(self, file: SqlFile, xid: str) -> None:
        status = self.connection.info.transaction_status
        if status is not TransactionStatus.INTRANS or xid != self.xid:
            raise ProofFailed(
                f"{file.path} ended the transaction (id {self.xid} before it, {xid} after it)",
                why="part of the batch may be committed, which nothing has proved yet",
                fix="remove what commits from the file",
            )

    def _left_behind(self, state: Sequence[str], before: tuple[str, ...]) -> tuple[str, ...]:
        left = []
        if state[1] != self.user:
            left.append(f"role {state[1]}")
        if state[2] != self.user:
            left.append(f"session authorization {state[2]}")
        if state[3] != self.search_path:
            left.append(f"search_path = {state[3] or repr('')}")
        left += [f"temporary table {name}" for name in json.loads(state[4] or "[]")]
        if len(state) > 5:
            left += [
                setting
                for setting in json.loads(state[5])
                if setting not in before and not setting.startswith(("role =", "search_path ="))
            ]
        return tuple(left)

    def _settings(self) -> tuple[str, ...]:
        row = self.connection.execute(f"SELECT {_SETTINGS}").fetchone()
        return tuple(row[0]) if row else ()

    def _new_locks(self, file: SqlFile, text: str) -> tuple[Lock, ...]:
        """Locks on relations that stood before the batch.

        Reading the lock table costs as much as all the locks that the batch holds, so it is
        read only when the text names such a relation or runs code that may.
        """
        if file.keeps_session and self.names.isdisjoint(_WORD.findall(text.lower())):
            return ()
        rows = self.connection.execute(
            "SELECT relation::int8, mode FROM pg_catalog.pg_locks"
            " WHERE pid = pg_catalog.pg_backend_pid() AND locktype = 'relation' AND granted"
            " AND database = (SELECT oid FROM pg_catalog.pg_database"
            "                 WHERE datname = pg_catalog.current_database())"
        ).fetchall()
        new = {(oid, mode) for oid, mode in rows if oid in self.relations} - self.held
        self.held |= new
        if self.locked_since is None and any(mode in _STRONG for _, mode in new):
            self.locked_since = time.perf_counter()
        return tuple(
            Lock(relation=self.relations[oid], mode=mode)
            for oid, mode in sorted(new, key=lambda lock: (self.relations[lock[0]], lock[1]))
        )


# One promotion at a time in a database: the key is "hkprmote" as eight bytes.
_ADVISORY_KEY = int.from_bytes(b"hkprmote")


def begin(
    connection: LentConnection, config: Config, *, watching: bool = False, read_only: bool = False
) -> Transaction:
    """BEGIN, the lock that admits one promotion at a time, limits, and the transaction's id.

    The lock belongs to the transaction, for a session lock outlives it behind a pooler:
    https://www.postgresql.org/docs/16/explicit-locking.html#ADVISORY-LOCKS

    A run that is only ``watching`` shares the lock with its like: what it sees is between two
    promotions, never in the middle of one.

    Raises ProofFailed when another promotion holds the lock for longer than ``lock_wait``.
    """
    try:
        connection.execute(
            f"BEGIN ISOLATION LEVEL READ COMMITTED READ {'ONLY' if read_only else 'WRITE'};"
            f" SET LOCAL lock_timeout = '{config.lock_wait}';"
            f" SELECT pg_catalog.pg_advisory_xact_lock{'_shared' * watching}({_ADVISORY_KEY});"
            f" {local_settings(config)}; {_PREPARE}"
        )
    except psycopg.errors.LockNotAvailable:
        connection.execute("ROLLBACK")
        held = holder(connection) or "it has just ended"
        raise ProofFailed(
            f"another promotion of this database holds it: {held} (waited {config.lock_wait})",
            why="two batches at once could each pass what the other breaks",
            fix="wait for it to end, or look it up in pg_stat_activity",
        ) from None
    row = connection.execute(
        "SELECT pg_catalog.pg_current_xact_id()::text, current_user::text,"
        " pg_catalog.current_setting('search_path')"
    ).fetchone()
    if row is None:
        raise ProofFailed("BEGIN gave no transaction id", why="nothing could be proved in it")
    return Transaction(
        connection=connection,
        config=config,
        xid=row[0],
        user=row[1],
        search_path=row[2],
        relations=_relations(connection),
    )


def holder(connection: LentConnection) -> str | None:
    """Who holds the promotion's lock, and since when, as far as the server tells this role."""
    row = connection.execute(
        "SELECT pg_catalog.concat_ws(' ', a.usename, 'in', nullif(a.application_name, ''), 'from',"
        " coalesce(pg_catalog.host(a.client_addr), 'this machine') || ', process',"
        " l.pid::text || ', since', pg_catalog.to_char(a.xact_start, 'YYYY-MM-DD HH24:MI:SS TZ'))"
        " FROM pg_catalog.pg_locks AS l LEFT JOIN pg_catalog.pg_stat_activity AS a USING (pid)"
        " JOIN pg_catalog.pg_database AS d ON d.oid = l.database"
        " WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1"
        " AND d.datname = pg_catalog.current_database()"
        " AND (l.classid::int8 << 32 | l.objid::int8) = %s",
        (_ADVISORY_KEY,),
    ).fetchone()
    return str(row[0]) if row else None


def local_settings(config: Config) -> str:
    """SET LOCAL of the limits; ``row_security = off`` makes a silent "0 rows" an error."""
    limits = {
        "row_security": "off",
        "lock_timeout": config.lock_timeout,
        "statement_timeout": config.statement_timeout,
        "idle_in_transaction_session_timeout": config.idle_timeout,
        "client_min_messages": "warning",
    }
    return "; ".join(f"SET LOCAL {name} = '{value}'" for name, value in limits.items())


def explain(
    path: str, text: str, error: psycopg.Error, shift: int = 0, *, statement: int | None = None
) -> SqlFailed:
    """PostgreSQL's refusal as a person wants it: place, lines, message, detail, hint, SQLSTATE.

    Where PostgreSQL gives no place, it is the offset of the ``statement`` that was refused.
    """
    diag = error.diag
    message = diag.message_primary or str(error).strip() or type(error).__name__
    where = path
    shown = []
    position = int(diag.statement_position or 0) - shift
    if diag.statement_position is None and statement is not None:
        position = statement + 1
    if 0 < position <= len(text) + 1:
        line, column = place(text, position - 1)
        where = f"{path}:{line}:{column}"
        shown.append(excerpt(text, line, column))
    shown += [
        f"  {label}: {value}"
        for label, value in (
            ("detail", diag.message_detail),
            ("hint", diag.message_hint),
            ("context", diag.context),
        )
        if value
    ]
    head = f"{where}: {message} (SQLSTATE {diag.sqlstate or 'none: the connection was lost'})"
    found = "\n".join([head, *shown])
    if diag.sqlstate == "42501" and "affected by row-level security" in message:
        return SqlFailed(found, sqlstate="42501", why=_UNSEEN_WHY, fix=_UNSEEN_FIX)
    return SqlFailed(found, sqlstate=diag.sqlstate or "")


# The rewriter looks at row_security also when a function's body is only checked.
_UNSEEN_WHY = (
    "files run with row_security = off, so that a policy which hides rows from a change is an error"
    " and no silent success; PostgreSQL says the same of a function's body that it only checks"
)
_UNSEEN_FIX = (
    "where the policies are meant to count, or nothing but a function is made, begin the file"
    " with: -- hk: row-security=on"
)


def send(connection: LentConnection, query: str) -> list[PGresult]:
    """One simple-protocol round trip; the result of each statement, a refusal last.

    Raises psycopg.OperationalError when the connection is lost.
    """
    with connection.lock:
        connection.pgconn.send_query(query.encode())
        return connection.wait(generators.execute(connection.pgconn))


def _refused(file: SqlFile, text: str, prefix: str, results: list[PGresult]) -> SqlFailed:
    """PostgreSQL says where only for some errors; how many statements it did says it for all."""
    error = psycopg.errors.error_from_result(results[-1])
    done = len(results) - 1 - (1 if prefix else 0)
    statements = parse(text)
    offset = statements[done].offset if done < len(statements) else None
    return explain(file.path, text, error, len(prefix), statement=offset)


def _read(results: list[PGresult]) -> tuple[int, list[str]]:
    """Rows written by all statements, and the row that the state query, the last one, gave."""
    rows = 0
    state: PGresult | None = None
    for result in results:
        if result.status == ExecStatus.TUPLES_OK:
            state = result
        command = (result.command_status or b"").partition(b" ")[0]
        if command in _WRITES:
            rows += result.command_tuples or 0
    if state is None or state.ntuples != 1:
        raise ProofFailed("the state after the file is unknown", why="nothing was proved by it")
    return rows, [(state.get_value(0, i) or b"").decode() for i in range(state.nfields)]


def _relations(connection: Connection) -> dict[int, str]:
    rows = connection.execute(
        "SELECT c.oid::int8, pg_catalog.format('%I.%I', n.nspname, c.relname)"
        " FROM pg_catalog.pg_class AS c"
        " JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace"
        " WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')"
        " AND n.nspname NOT LIKE 'pg\\_temp\\_%' AND n.nspname NOT LIKE 'pg\\_toast\\_temp\\_%'"
        " AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')"
    ).fetchall()
    return dict(rows)
