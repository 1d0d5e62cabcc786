"""Talk to PostgreSQL: connect, know where one is, savepoints and roles that always end."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from secrets import token_hex
from typing import Any, TypeAlias

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from pytest_housekeeping.declarations.pinned_settings import pinned, young_names
from pytest_housekeeping.errors import ProofFailed, ServerError, SqlFailed
from pytest_housekeeping.model import TargetIdentity
from pytest_housekeeping.postgres.session import startup_options
from pytest_housekeeping.server.libpq import without_libpq_variables
from pytest_housekeeping.server.pooler import FIX, MORE_SESSIONS, WHY, is_full, pooler_refuses
from pytest_housekeeping.sql.effects import effects_of
from pytest_housekeeping.sql.parse import parsed

Connection: TypeAlias = psycopg.Connection[tuple[Any, ...]]

_CONNECT_TIMEOUT_S = 10
READS_ONLY = "default_transaction_read_only"
# An event trigger (since 17) that writes down who logs in lets in no session that begins as one
# that only reads: it becomes one afterwards.
WRITES_LOGIN = re.compile(r"FATAL: .* in a read-only transaction")
# A network that is cut says nothing: without these whoever waits for an answer waits for two hours.
KEEPALIVES = {"keepalives_idle": 15, "keepalives_interval": 5, "keepalives_count": 3}
_CONTROL_WORDS = re.compile(r"\b(abort|begin|commit|end|prepare|rollback|start)\b", re.IGNORECASE)


class LentCursor(psycopg.Cursor[tuple[Any, ...]]):
    """A cursor that refuses to end the transaction while its connection is lent to a test.

    A thread that a test has left behind is refused at any time.
    """

    def execute(self, query: Any, *args: Any, **kwargs: Any) -> Any:
        self._refuse_control(query)
        return super().execute(query, *args, **kwargs)

    def executemany(self, query: Any, *args: Any, **kwargs: Any) -> Any:
        self._refuse_control(query)
        return super().executemany(query, *args, **kwargs)

    def stream(self, query: Any, *args: Any, **kwargs: Any) -> Any:
        self._refuse_control(query)
        return super().stream(query, *args, **kwargs)

    def copy(self, statement: Any, *args: Any, **kwargs: Any) -> Any:
        self._refuse_control(statement)
        return super().copy(statement, *args, **kwargs)

    def _refuse_control(self, query: Any) -> None:
        connection = self.connection
        if not isinstance(connection, LentConnection):
            return
        connection.refuse_strangers()
        if not connection.lent:
            return
        text = query.as_string(connection) if isinstance(query, sql.Composable) else query
        text = text.decode() if isinstance(text, bytes) else str(text)
        if _CONTROL_WORDS.search(text) and (command := _control_in(text)):
            raise _ends_the_transaction(command)


class LentConnection(psycopg.Connection[tuple[Any, ...]]):
    """The promotion's connection, which checks may borrow but neither end nor close."""

    lent = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._admitted = {threading.get_ident()}

    def admit(self) -> None:
        """Let the present thread use the connection too; who opened it may without asking."""
        self._admitted.add(threading.get_ident())

    def refuse_strangers(self) -> None:
        """Raises ProofFailed in a thread that was not admitted."""
        if threading.get_ident() not in self._admitted:
            raise ProofFailed(
                f"the thread {threading.current_thread().name!r} uses the promotion's connection",
                why="what it does comes at any time, also after everything was proved",
                fix="use the connection in the test's own thread, and end the threads of a test",
            )

    def commit(self) -> None:
        self._refuse("commit()")
        super().commit()

    def rollback(self) -> None:
        self._refuse("rollback()")
        super().rollback()

    def close(self) -> None:
        self._refuse("close()")
        super().close()

    def _refuse(self, what: str) -> None:
        if self.lent:
            raise _ends_the_transaction(what)


@lru_cache(maxsize=200)
def _control_in(text: str) -> str:
    """The first command of a text that would end the transaction, or nothing."""
    # Of what no parser reads the server says what is wrong with it, or it holds %s placeholders.
    found = effects_of(parsed(text)).control
    return found[0][1] if found else ""


def _ends_the_transaction(what: str) -> ProofFailed:
    return ProofFailed(
        f"a check called {what} on the promotion's connection",
        why="nothing may be committed before everything is proved",
        fix="leave the transaction alone; what a check writes is rolled back behind it",
    )


def connect(
    conninfo: str,
    *,
    name: str = "pytest-housekeeping",
    settings: Mapping[str, str] | None = None,
) -> LentConnection:
    """Connect in autocommit, so that BEGIN and COMMIT are always written out.

    The session is pinned (``postgres.session``), with the project's own ``settings`` in the place
    of some; nothing of libpq's environment reaches it. Some settings are known since a version
    only: the first connection to a server asks which it is.

    Raises ServerError with libpq's words and without any part of a password.
    """
    known = conninfo_to_dict(conninfo)
    # What a connection tells of itself leaves the usual port out.
    place = known.get("host"), known.get("hostaddr"), str(known.get("port") or _USUAL_PORT)
    expected = _MAJORS.get(place, _MAJORS.get(_ANY, 0))
    try:
        connection = _open(conninfo, name, pinned(expected, settings))
    except ServerError as error:
        if place in _MAJORS or not any(each in error.found for each in young_names()):
            raise
        connection = _open(conninfo, name, pinned(expected := 0, settings))
    major = _MAJORS[place] = connection.info.server_version // 10000
    if pinned(major) != pinned(expected):
        connection.close()
        connection = _open(conninfo, name, pinned(major, settings))
    return connection


def expect(major: int) -> None:
    """That a server which was not connected to yet is of this version: mostly it is, and need not
    be asked. An older one refuses the settings that it does not know, and is asked then."""
    _MAJORS[_ANY] = major


_USUAL_PORT = 5432
# The major version of each server that was connected to, by its place.
_MAJORS: dict[tuple[object, ...], int] = {}
_ANY = ()


def _open(conninfo: str, name: str, settings: Mapping[str, str]) -> LentConnection:
    try:
        return _open_as(conninfo, name, settings)
    except ServerError as error:
        if not WRITES_LOGIN.search(error.found) or settings.get(READS_ONLY) != "on":
            raise
    opened = _open_as(conninfo, name, {**settings, READS_ONLY: "off"})
    opened.execute(f"SET {READS_ONLY} = on".encode())
    return opened


def _open_as(conninfo: str, name: str, settings: Mapping[str, str]) -> LentConnection:
    # Options of the connection string come first: what is pinned has the last word.
    known = conninfo_to_dict(conninfo)
    given = known.get("options") or ""
    try:
        with without_libpq_variables():
            opened = LentConnection.connect(
                make_conninfo(conninfo, **{**KEEPALIVES, **known}),
                connect_timeout=_CONNECT_TIMEOUT_S,
                application_name=name,
                client_encoding="UTF8",
                options=f"{given} {startup_options(settings)}",
                autocommit=True,
                prepare_threshold=None,
                cursor_factory=LentCursor,
            )
        if opened.info.server_version >= 170000:  # since then there are event triggers of a login
            opened.execute("DISCARD ALL")
        return opened
    except psycopg.OperationalError as error:
        pooled = pooler_refuses(str(error))
        raise ServerError(
            f"no connection to database {known.get('dbname')!r} on {known.get('host')!r}:"
            f" {str(error).strip()}",
            why=f"a pooler stands in front of it: {WHY}"
            if pooled
            else "nothing can be applied or proved without it",
            fix=FIX
            if pooled
            else MORE_SESSIONS
            if is_full(str(error))
            else "check that the server runs, the address and the credentials",
        ) from None


def locate(connection: Connection) -> TargetIdentity:
    """Where the connection leads, as the server itself says it."""
    row = connection.execute(
        "SELECT pg_catalog.current_database(), current_user,"
        " pg_catalog.current_setting('server_version'), system_identifier::text"
        " FROM pg_catalog.pg_control_system()"
    ).fetchone()
    if row is None:
        raise ServerError("pg_control_system() returned no row", why="the target has no identity")
    info = connection.info
    return TargetIdentity(
        host=info.host,
        port=info.port,
        database=row[0],
        user=row[1],
        server_version=row[2],
        system_identifier=row[3],
    )


@dataclass(frozen=True, slots=True)
class Savepoint:
    """A savepoint under a name that nobody can guess: what runs inside cannot release it."""

    name: str = field(default_factory=lambda: f"hk_{token_hex(8)}")

    @property
    def begin(self) -> str:
        return f"SAVEPOINT {self.name}"

    @property
    def back(self) -> str:
        """To where it was begun, also from an error: an aborted transaction accepts no more."""
        return f"ROLLBACK TO SAVEPOINT {self.name}; {self.release}"

    @property
    def release(self) -> str:
        """What was done in it stays."""
        return f"RELEASE SAVEPOINT {self.name}"


@contextmanager
def undone_if_refused(connection: Connection) -> Iterator[None]:
    """A savepoint that is gone back to where PostgreSQL refuses what is done in it. Only inside an
    open transaction."""
    savepoint = Savepoint()
    connection.execute(savepoint.begin)
    try:
        yield
    except SqlFailed:
        if not connection.closed:
            connection.execute(savepoint.back)
        raise
    connection.execute(savepoint.release)


@contextmanager
def rolled_back(connection: Connection) -> Iterator[None]:
    """A savepoint that is always rolled back. Only inside an open transaction."""
    savepoint = Savepoint()
    connection.execute(savepoint.begin)
    try:
        yield
    finally:
        if not connection.closed:
            connection.execute(savepoint.back)


def tried(connection: Connection, query: bytes) -> psycopg.Cursor[tuple[Any, ...]]:
    """Run statements as ``rolled_back`` would, in two round trips; theirs are the first results.

    The savepoint goes on its own: a message that does not parse would not even set it.
    """
    savepoint = Savepoint()
    connection.execute(savepoint.begin)
    try:
        return connection.execute(query + f"\n; {savepoint.back}".encode())
    except BaseException:
        if not connection.closed:
            connection.execute(savepoint.back)
        raise
