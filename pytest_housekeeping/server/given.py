"""A server that somebody else runs (``--hk-staging-url``): shared, so that runs must not meet."""

from __future__ import annotations

import re
import secrets
import shlex
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_housekeeping.errors import ServerError
from pytest_housekeeping.server.given_roles import (
    derived_password,
    drop_marked,
    mark_roles,
    marked_roles,
    ready_migrator,
    roles_made,
)
from pytest_housekeeping.server.given_url import STAGING, Asked, open_url
from pytest_housekeeping.server.staging_database import (
    Cluster,
    StagingDatabase,
    create_database,
    drop_database,
    random_name,
    roles,
)

if TYPE_CHECKING:
    import psycopg

# First key of every advisory lock here. The second is 0 for the mutex of all runs, else the number
# of a run that is alive, or the number in the name of its database. Advisory locks belong to a
# database, but pg_locks shows those of all.
_LOCKS = 0x686B7374
_MUTEX = 0
_WAIT = "60s"
_KEPT = "kept by --hk-keep of pytest-housekeeping"
# Staging's database, and those of ordinary tests: several of one number.
_NAMES = re.compile("^hk_(?:staging|test)_([0-9a-f]{8})(?:_[0-9a-z]+)*$")
_LEFT = """
SELECT datname FROM pg_catalog.pg_database
WHERE datname ~ %s AND pg_catalog.shobj_description(oid, 'pg_database') IS DISTINCT FROM %s
ORDER BY datname
"""
_ALIVE = """
SELECT objid::bigint FROM pg_catalog.pg_locks
WHERE locktype = 'advisory' AND classid::bigint = %s AND objid::bigint <> %s AND objsubid = 2
AND granted AND pid <> pg_catalog.pg_backend_pid()
"""


@dataclass(kw_only=True)
class GivenServer:
    """A connection to the given server that guards this run's databases for as long as it lives."""

    cluster: Cluster
    guard: psycopg.Connection[Any] = field(repr=False)
    migrator: str
    roles_before: frozenset[str]
    number: int
    databases: list[StagingDatabase] = field(default_factory=list)

    @property
    def log_path(self) -> Path | None:
        """Its log is not ours to read."""
        return None

    def create(self) -> StagingDatabase:
        name = random_name()
        password = derived_password(self.cluster, self.migrator)
        with self._alone():
            # Before the database, so that no other run ever sees it without its lock.
            self._lock(_number(name))
            try:
                database = create_database(self.cluster, name, self.migrator, password)
            except BaseException:
                self._unlock(_number(name))
                raise
        self.databases.append(database)
        return database

    def drop(self, database: StagingDatabase) -> None:
        """Drop `database`; when no other run is there, the roles go that runs made beside it."""
        with self._alone():
            self._drop(database)
            if not self.databases and not self._others():
                drop_marked(self.guard, but=frozenset({self.migrator}))

    def keep(self, *_: object) -> None:
        raise ServerError("a server that was given is not stopped")

    @contextmanager
    def bootstrap_lock(self) -> Iterator[None]:
        """One run at a time: roles belong to the whole server. Those made within are marked."""
        with self._alone():
            before = roles(self.guard)
            try:
                yield
            finally:
                mark_roles(self.guard, roles(self.guard) - before)

    def close(self, *, keep: bool) -> None:
        """Drop what this run made, or mark its databases as kept, and let go of the server."""
        try:
            with self._alone():
                for database in tuple(self.databases):
                    if keep:
                        self._keep(database)
                    else:
                        self._drop(database)
                if not self.databases and not self._others():
                    drop_marked(self.guard)
                self._unlock(self.number)
        finally:
            self.guard.close()

    def removal(self) -> str:
        """The commands that remove the kept databases."""
        login = ("-h", self.cluster.host, "-p", str(self.cluster.port), "-U")
        command = ("dropdb", *login, self.cluster.superuser)
        return " && ".join(shlex.join((*command, database.name)) for database in self.databases)

    def hold(self, number: int) -> None:
        """Databases with this number in their names are in use, by several processes maybe."""
        lock = "SELECT pg_catalog.pg_advisory_lock_shared(%s, %s)"
        self.guard.execute(lock, (_LOCKS, number))

    def prepare(self) -> None:
        """Clear what killed runs left, and make the role that migrations run as."""
        self.guard.execute(f"SET lock_timeout = '{_WAIT}'")
        self.guard.execute("SET idle_session_timeout = 0")
        with self._alone():
            self._lock(self.number)
            self._clear_leftovers()
            ready_migrator(self.guard, self.cluster, self.migrator, shared=bool(self._others()))

    def _clear_leftovers(self) -> None:
        from psycopg import errors

        if self.migrator in marked_roles(self.guard):
            made = roles_made(self.guard, "", self.migrator)
            mark_roles(self.guard, made)
        others = self._others()
        for (name,) in self.guard.execute(_LEFT, (_NAMES.pattern, _KEPT)).fetchall():
            if _number(name) not in others:
                # Where several users share the server, each clears its own.
                with suppress(errors.InsufficientPrivilege):
                    drop_database(self.cluster, name)
        if not others:
            drop_marked(self.guard, but=frozenset({self.migrator}))

    def _drop(self, database: StagingDatabase) -> None:
        made = roles_made(self.guard, database.name, self.migrator)
        mark_roles(self.guard, made - self.roles_before)
        drop_database(self.cluster, database.name)
        self.databases.remove(database)
        self._unlock(_number(database.name))

    def _keep(self, database: StagingDatabase) -> None:
        from psycopg import sql

        comment = sql.SQL("COMMENT ON DATABASE {} IS {}")
        self.guard.execute(comment.format(sql.Identifier(database.name), sql.Literal(_KEPT)))

    @contextmanager
    def _alone(self) -> Iterator[None]:
        from psycopg import errors

        try:
            self._lock(_MUTEX)
        except errors.LockNotAvailable:
            raise ServerError(
                f"another run has held the lock of the given server for {_WAIT}",
                why="roles belong to the whole server, so one run at a time makes or drops them",
                fix="wait for it, or end it",
            ) from None
        try:
            yield
        finally:
            if not self.guard.closed:
                self._unlock(_MUTEX)

    def _others(self) -> frozenset[int]:
        """The numbers of other runs that are alive, and of their databases."""
        return frozenset(number for (number,) in self.guard.execute(_ALIVE, (_LOCKS, _MUTEX)))

    def _lock(self, number: int) -> None:
        self.guard.execute("SELECT pg_catalog.pg_advisory_lock(%s, %s)", (_LOCKS, number))

    def _unlock(self, number: int) -> None:
        self.guard.execute("SELECT pg_catalog.pg_advisory_unlock(%s, %s)", (_LOCKS, number))


def open_given(url: str, *, migrator: str, asked: Asked = STAGING) -> GivenServer:
    """Connect to the server, clear what killed runs left there, and make the migrator's role.

    Raises `ServerError` when the server cannot be reached, is too old, or refuses what staging
    needs.
    """
    guard, cluster = open_url(url, asked)
    try:
        server = GivenServer(
            cluster=cluster,
            guard=guard,
            migrator=migrator,
            roles_before=roles(guard) - marked_roles(guard),
            number=1 + secrets.randbelow(2**31 - 1),
        )
        server.prepare()
    except BaseException:
        guard.close()
        raise
    return server


def _number(name: str) -> int:
    found = _NAMES.fullmatch(name)
    return int(found[1], 16) if found else 0
