"""A server that is given for the copy of production (``--hk-twin-server``): found and left empty.

While a run is there, the server is its own: its superuser may bear another name, and its roles are
production's. A database of a name of its own says so, and its comment what was there before, so
that the next run can clear what a killed one has left.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_housekeeping.errors import ServerError
from pytest_housekeeping.server.given_refusals import (
    TWIN,
    WHY_EMPTY,
    Original,
    refuse_address,
    refuse_full,
    refuse_unexplained,
    refuse_unfit,
)
from pytest_housekeeping.server.given_roles import derived_password
from pytest_housekeeping.server.given_url import cluster_of, connected, read_url
from pytest_housekeeping.server.server_state import (
    IN_USE,
    ServerState,
    put_back,
    read_state,
)
from pytest_housekeeping.server.staging_database import (
    Cluster,
    StagingDatabase,
    connect,
    database_of,
    random_name,
    set_password,
)

if TYPE_CHECKING:
    import psycopg

_LOCK = 0x686B7477
_WAIT_S = 10.0
_TRIES = 5


@dataclass(kw_only=True)
class EmptyServer:
    """A connection to the given server, to the database that says that it is in use."""

    cluster: Cluster
    guard: psycopg.Connection[Any] = field(repr=False)
    migrator: str
    before: ServerState
    databases: list[StagingDatabase] = field(default_factory=list)

    @property
    def log_path(self) -> Path | None:
        """Its log is not ours to read."""
        return None

    def create(self) -> StagingDatabase:
        from psycopg import sql

        name = random_name()
        # template1 may hold what the image has put there, and the server another encoding.
        statement = "CREATE DATABASE {} OWNER {} TEMPLATE template0 ENCODING 'UTF8'"
        self.guard.execute(
            sql.SQL(statement).format(sql.Identifier(name), sql.Identifier(self.migrator))
        )
        password = derived_password(self.cluster, self.migrator)
        database = database_of(self.cluster, name, self.migrator, password)
        self.databases.append(database)
        return database

    def drop(self, database: StagingDatabase) -> None:
        """Drop `database`; with the last one goes whatever has come with it, roles and all."""
        # By its name: it may have been handed over to another role meanwhile.
        self.databases[:] = [each for each in self.databases if each.name != database.name]
        if self.databases:
            from psycopg import sql

            statement = "DROP DATABASE IF EXISTS {} WITH (FORCE)"
            self.guard.execute(sql.SQL(statement).format(sql.Identifier(database.name)))
            return
        self._put_back()
        _ready(self.guard, self.cluster, self.migrator)

    def keep(self, *_: object) -> None:
        raise ServerError("a server that was given is not stopped")

    @contextmanager
    def bootstrap_lock(self) -> Iterator[None]:
        yield

    def close(self, *, keep: bool) -> None:  # noqa: ARG002
        """Put everything back, and let go of the server. Raises ServerError for what stays."""
        try:
            self._put_back()
        finally:
            self.guard.close()
        with connect(self.cluster.conninfo(self.cluster.maintenance)) as connection:
            connection.execute(f"DROP DATABASE {IN_USE} WITH (FORCE)".encode())

    def removal(self) -> str:
        return ""

    def _put_back(self) -> None:
        left = put_back(self.guard, self.before, self.migrator)
        for _ in range(_TRIES):
            if not left:
                return
            # Something of the run was still at work there.
            time.sleep(0.2)
            left = put_back(self.guard, self.before, self.migrator)
        raise ServerError(
            f"the server of {TWIN.option} still has {', '.join(map(str, left))}",
            why="the next copy has to find it empty",
            fix="throw the server away, or drop that there",
        )


def open_empty(url: str, original: Original, *, restorer: str) -> EmptyServer:
    """The server of the URL, in use by this run from now on, with the role that restores.

    Raises `ServerError` where it is production itself, of another major version, not empty or in
    use, and where the login is not the superuser who made it; nothing is changed there then.
    """
    import psycopg

    given = read_url(url, TWIN)
    refuse_address(given, original)
    try:
        first = _entered(given, restorer)
        with first:
            refuse_unfit(first, original)
            _clear_leftovers(first, given, restorer)
        with connected(given, TWIN) as connection:
            refuse_unfit(connection, original)
            return _taken(connection, given, original, restorer)
    except psycopg.Error as error:
        said = error.diag.message_primary or type(error).__name__
        raise ServerError(
            f"the server of {TWIN.option} refused: {said}",
            why="the copy of production is made there, and everything is taken away at the end",
            fix="give an empty server that can be thrown away, a fresh container, say",
        ) from None


def _taken(
    connection: psycopg.Connection[Any],
    given: Mapping[str, Any],
    original: Original,
    restorer: str,
) -> EmptyServer:
    """The server becomes this run's own, one run at a time."""
    from psycopg import errors, sql
    from psycopg.conninfo import make_conninfo

    connection.execute("SET lock_timeout = '10s'")
    connection.execute("SELECT pg_catalog.pg_advisory_lock(%s)", (_LOCK,))
    before = read_state(connection)
    refuse_full(connection, before)
    try:
        connection.execute(f"CREATE DATABASE {IN_USE} TEMPLATE template0".encode())
    except (errors.DuplicateDatabase, errors.UniqueViolation):
        raise _in_use() from None
    text = f"{original.database}\n{before.as_text()}"
    connection.execute(
        sql.SQL("COMMENT ON DATABASE {} IS {}").format(sql.Identifier(IN_USE), sql.Literal(text))
    )
    cluster = cluster_of(connection, given)
    guard = connect(make_conninfo("", **{**given, "dbname": IN_USE}))
    try:
        guard.execute("SET idle_session_timeout = 0")
        _ready(guard, cluster, restorer)
    except BaseException:
        guard.close()
        raise
    return EmptyServer(cluster=cluster, guard=guard, migrator=restorer, before=before)


def _ready(guard: psycopg.Connection[Any], cluster: Cluster, restorer: str) -> None:
    """The role that restores is there, and can log in."""
    from psycopg import sql

    guard.execute(sql.SQL("CREATE ROLE {} SUPERUSER LOGIN").format(sql.Identifier(restorer)))
    if password := derived_password(cluster, restorer):
        set_password(guard, restorer, password)


def _entered(given: Mapping[str, Any], restorer: str) -> psycopg.Connection[Any]:
    """A superuser's connection: to the database `IN_USE` where a killed run has left that, and the
    superuser of the URL under another name."""
    import psycopg
    from psycopg.conninfo import make_conninfo

    refused: ServerError | None = None
    try:
        connection = connected(dict(given), TWIN)
    except ServerError as error:
        refused = error
    else:
        if connection.info.parameter_status("is_superuser") == "on":
            return connection
        connection.close()
    password = str(given.get("password") or "")
    host, user = str(given.get("host") or ""), str(given.get("user") or "")
    cluster = Cluster(host=host, port=0, superuser=user, maintenance="", password=password)
    secret = derived_password(cluster, restorer)
    known = {**given, "dbname": IN_USE}
    for login in ({"user": restorer, "password": secret or None}, {}):
        try:
            return connect(make_conninfo("", **{**known, **login}))
        except psycopg.OperationalError:
            continue
    if refused is not None:
        raise refused
    # It is told what it lacks.
    return connected(dict(given), TWIN)


def _clear_leftovers(
    connection: psycopg.Connection[Any], given: Mapping[str, Any], restorer: str
) -> None:
    """What a killed run has left goes; one that is still at work is left alone."""
    from psycopg.conninfo import make_conninfo

    about = _left(connection)
    if about is None:
        return
    deadline = time.monotonic() + _WAIT_S
    while connection.execute(_AT_WORK, {"in_use": IN_USE}).fetchone() != (0,):
        if time.monotonic() > deadline:
            raise _in_use()
        time.sleep(0.2)
    database, _, text = about.partition("\n")
    login = {
        **given,
        "user": connection.info.user,
        "password": connection.info.password or None,
        "dbname": IN_USE,
    }
    before = ServerState.of_text(text) if text else read_state(connection)
    refuse_unexplained(read_state(connection), before, database)
    # It may be in the very database that goes.
    connection.close()
    # Who restores cannot drop himself; the superuser of the URL may have no name before that.
    for again in (login, {**given, "dbname": IN_USE}):
        with connect(make_conninfo("", **again)) as guard:
            put_back(guard, before, restorer)
    with connected(dict(given), TWIN) as other:
        other.execute(f"DROP DATABASE {IN_USE} WITH (FORCE)".encode())


def _left(connection: psycopg.Connection[Any]) -> str | None:
    """What a run has written down on the server; "" where it was killed before it could."""
    row = connection.execute(_ABOUT, {"in_use": IN_USE}).fetchone()
    return None if row is None else str(row[0] or "")


def _in_use() -> ServerError:
    return ServerError(
        f"another run uses the server of {TWIN.option}",
        why=WHY_EMPTY,
        fix="wait for it, or give each run a server of its own",
    )


_ABOUT = """
SELECT pg_catalog.shobj_description(oid, 'pg_database') FROM pg_catalog.pg_database
WHERE datname = %(in_use)s
"""
_AT_WORK = """
SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_activity
WHERE datname = %(in_use)s AND pid <> pg_catalog.pg_backend_pid()
"""
