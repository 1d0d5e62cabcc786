"""Clones of a template: made ahead while tests run, dropped behind them."""

from __future__ import annotations

import threading
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from pytest_housekeeping.server.staging_database import Cluster, connect

if TYPE_CHECKING:
    import psycopg

    Superuser = psycopg.Connection[tuple[Any, ...]]

# How many wait for a test, and how many that tests are done with may wait to be dropped.
_AHEAD = 2
_BEHIND = 4
# What a template does not bring along: privileges, the connection limit and the settings. Those of
# template1 are its own.
# https://www.postgresql.org/docs/16/manage-ag-templatedbs.html
_PLAIN = """
SELECT d.datistemplate OR d.datacl IS NULL AND d.datconnlimit = -1
AND NOT EXISTS (SELECT FROM pg_catalog.pg_db_role_setting AS s WHERE s.setdatabase = d.oid)
FROM pg_catalog.pg_database AS d WHERE d.datname = {template}
"""
_ALIKE = """
SET allow_system_table_mods = on;
UPDATE pg_catalog.pg_database AS d SET datacl = s.datacl, datconnlimit = s.datconnlimit
FROM pg_catalog.pg_database AS s WHERE d.datname = {clone} AND s.datname = {template};
INSERT INTO pg_catalog.pg_db_role_setting (setdatabase, setrole, setconfig)
SELECT d.oid, r.setrole, r.setconfig FROM pg_catalog.pg_db_role_setting AS r
JOIN pg_catalog.pg_database AS s ON s.oid = r.setdatabase AND s.datname = {template}
CROSS JOIN pg_catalog.pg_database AS d WHERE d.datname = {clone};
RESET allow_system_table_mods
"""


def is_plain(superuser: Superuser, template: str) -> bool:
    """Whether a clone of it is like it as soon as it is made."""
    from psycopg import sql

    row = superuser.execute(sql.SQL(_PLAIN).format(template=sql.Literal(template))).fetchone()
    return row == (True,)


def clone(superuser: Superuser, template: str, name: str, *, owner: str, plain: bool) -> None:
    """Make the database `name` like the template, which nobody is connected to.

    Files are copied as they are: with fsync off that takes a third of the time that the
    write-ahead log takes for every page of the system catalogs.
    """
    from psycopg import sql

    made = "CREATE DATABASE {} TEMPLATE {} OWNER {} STRATEGY file_copy"
    names = map(sql.Identifier, (name, template, owner))
    superuser.execute(sql.SQL(made).format(*names))
    if not plain:
        words = {"clone": sql.Literal(name), "template": sql.Literal(template)}
        superuser.execute(sql.SQL(_ALIKE).format(**words))


def drop(superuser: Superuser, name: str) -> None:
    """Drop the database, whoever is still connected to it; nothing when it is gone."""
    from psycopg import sql

    statement = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)")
    superuser.execute(statement.format(sql.Identifier(name)))


def shut(superuser: Superuser, template: str) -> None:
    """Nobody connects to it from now on: a session in a template keeps clones from being made."""
    from psycopg import sql

    statement = sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false")
    superuser.execute(statement.format(sql.Identifier(template)))


class Clones:
    """The clones of one process: numbered names, and a thread that works ahead and behind.

    The thread begins with the second clone of a template, so that a single test starts none.
    """

    def __init__(self, cluster: Cluster, superuser: Superuser, names: str, owner: str) -> None:
        self._cluster, self._superuser = cluster, superuser
        self._names, self._owner = names, owner
        self._number = 0
        self._changed = threading.Condition()
        self._plain: dict[str, bool] = {}
        self._ready: dict[str, deque[str]] = {}
        self._wanted: dict[str, int] = {}
        self._making = self._dropping = ""
        self._behind: deque[str] = deque()
        self._closing = self._failed = False
        self._thread: threading.Thread | None = None

    def take(self, template: str, upcoming: int = 0) -> str:
        """The name of a fresh clone, of which ``upcoming`` more will be asked for at the most.

        Raises psycopg.Error where none can be made.
        """
        if template not in self._plain:
            self._plain[template] = is_plain(self._superuser, template)
        with self._changed:
            ready = self._ready.setdefault(template, deque())
            self._wanted[template] = upcoming
            if upcoming and self._thread is None:
                self._thread = threading.Thread(target=self._work, name="hk-clones", daemon=True)
                self._thread.start()
            self._changed.notify_all()
            while not ready and self._making == template:
                self._changed.wait()
            if ready:
                return ready.popleft()
            name = self._next_name()
        self._make(template, name)
        return name

    def put_away(self, name: str) -> None:
        """It is needed no more, and dropped before long."""
        with self._changed:
            self._behind.append(name)
            self._changed.notify_all()
            if self._thread is None and len(self._behind) <= _BEHIND:
                return
        if self._thread is None or self._failed:
            self.drop_behind()

    def drop_behind(self) -> None:
        """Drop now whatever is needed no more."""
        with self._changed:
            while self._dropping:
                self._changed.wait()
            names = list(self._behind)
            self._behind.clear()
        for name in names:
            self._drop(self._superuser, name)

    def close(self) -> tuple[str, ...]:
        """End the thread; the names of what is left and nobody uses."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()
        return (*self._behind, *(name for ready in self._ready.values() for name in ready))

    def _make(self, template: str, name: str) -> None:
        from psycopg import errors

        try:
            self._clone(self._superuser, template, name)
        except (errors.DiskFull, errors.IoError):
            # What tests are done with makes room.
            self.drop_behind()
            drop(self._superuser, name)
            self._clone(self._superuser, template, name)

    def _drop(self, superuser: Superuser, name: str) -> None:
        """A session that does not end within PostgreSQL's five seconds puts it off."""
        from psycopg import errors

        try:
            drop(superuser, name)
        except errors.ObjectInUse:
            with self._changed:
                self._behind.append(name)

    def _clone(self, superuser: Superuser, template: str, name: str) -> None:
        plain = self._plain[template]
        clone(superuser, template, name, owner=self._owner, plain=plain)

    def _next_name(self) -> str:
        self._number += 1
        return f"{self._names}_{self._number}"

    def _work(self) -> None:
        """In the thread, on a connection of its own.

        What fails here fails again where it is needed, and is raised there.
        """
        import psycopg

        way = self._cluster.conninfo(self._cluster.maintenance)
        try:
            with suppress(psycopg.Error), connect(way) as own:
                while self._work_once(own):
                    pass
        finally:
            with self._changed:
                self._failed = True
                self._making = self._dropping = ""
                self._changed.notify_all()

    def _work_once(self, own: Superuser) -> bool:
        """One clone more or one less; False at the end."""
        with self._changed:
            while not self._closing and not self._lacking() and len(self._behind) <= _BEHIND:
                self._changed.wait()
            if self._closing:
                return False
            template = self._lacking()
            # Where tests are faster than the thread, room comes first.
            drops = len(self._behind) > (2 * _BEHIND if template else _BEHIND)
            if drops:
                self._dropping = name = self._behind.popleft()
            else:
                self._making, name = template, self._next_name()
        if drops:
            self._drop(own, name)
        else:
            self._clone(own, template, name)
        with self._changed:
            if not drops:
                self._ready[template].append(name)
            self._making = self._dropping = ""
            self._changed.notify_all()
        return True

    def _lacking(self) -> str:
        """The template of which another clone will be asked for; "" where there are enough."""
        for template, wanted in self._wanted.items():
            if len(self._ready[template]) < min(wanted, _AHEAD):
                return template
        return ""
