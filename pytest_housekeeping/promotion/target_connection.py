"""The one connection on which a batch runs, and the questions that outlive it."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress

import psycopg
from psycopg import sql

from pytest_housekeeping.errors import HousekeepingError, ProofFailed
from pytest_housekeeping.evidence.leftovers import SentTo
from pytest_housekeeping.model import TargetIdentity
from pytest_housekeeping.postgres.connection import LentConnection, locate
from pytest_housekeeping.postgres.primary import identified

# From 0.1 s on, doubled each time: 6 s in all.
STATUS_ATTEMPTS = 6
_STATUS = "SELECT pg_catalog.pg_xact_status(%s::xid8)"
# There the number has no epoch.
_PREPARED = """
SELECT p.gid FROM pg_catalog.pg_prepared_xacts AS p
WHERE p.database = pg_catalog.current_database()
AND p.transaction::text::int8 = %s::int8 %% 4294967296
"""


class AnotherServer(ProofFailed):
    """The address leads to another server than the one that the run has begun with."""


class TargetConnection:
    """A connection that is opened when it is first asked for, and again after it was lost."""

    def __init__(
        self,
        connect: Callable[[], LentConnection],
        *,
        opened: LentConnection | None = None,
        identity: TargetIdentity | None = None,
    ) -> None:
        self._connect = connect
        self._connection = opened
        self._identity = identity

    def get(self) -> LentConnection:
        """The connection, as the role that migrations run as.

        Raises ServerError, and AnotherServer where it was lost and the address leads elsewhere now.
        """
        if self._connection is None or self._connection.closed:
            connection = self._connect()
            try:
                self._refuse_another(connection)
            except BaseException:
                connection.close()
                raise
            self._connection = connection
        return self._connection

    @property
    def opened(self) -> LentConnection | None:
        """The connection as it is now; opens none. For a thread that only asks about it."""
        return self._connection

    def identity(self) -> TargetIdentity:
        """Where the connection leads, as the server says it."""
        if self._identity is None:
            self._identity = locate(self.get())
        return self._identity

    @property
    def known_identity(self) -> TargetIdentity | None:
        """The same as far as the run has come to know it; asks nobody."""
        return self._identity

    def status_of(self, xid: str) -> str | None:
        """What the server says of a transaction, over a new connection; None when it is silent.

        A server that is starting again, and a transaction that is still ending, are waited for.
        One that has taken the place of the server that was asked to commit is asked nothing: a
        standby that was promoted gives the same number to another transaction.
        https://www.postgresql.org/docs/16/functions-info.html#FUNCTIONS-INFO-SNAPSHOT
        """
        if self._connection is not None:
            self._connection.close()
        status = None
        for attempt in range(STATUS_ATTEMPTS):
            try:
                row = self.get().execute(_STATUS, (xid,)).fetchone()
                status = row[0] if row else None
                if status in ("committed", "aborted"):
                    return str(status)
            except AnotherServer:
                return None
            except (HousekeepingError, psycopg.Error, OSError):
                status = None
            time.sleep(0.1 * 2**attempt)
        return status

    def status_now(self, xid: str) -> str | None:
        """The same on the connection that is open, if it is; else over a new one.

        One that was prepared is rolled back first: it would keep its locks for ever, and anybody
        could commit it. https://www.postgresql.org/docs/16/sql-prepare-transaction.html
        """
        if self._connection is not None and not self._connection.closed:
            with suppress(psycopg.Error):
                for (gid,) in self._connection.execute(_PREPARED, (xid,)).fetchall():
                    end = sql.SQL("ROLLBACK PREPARED {}").format(sql.Literal(gid))
                    self._connection.execute(end)
                found = self._connection.execute(_STATUS, (xid,)).fetchone()
                if found is not None:
                    return str(found[0])
        return self.status_of(xid)

    def status_on(self, sent_to: SentTo, xid: str) -> str | None:
        """The same for an earlier run's transaction, if it was sent to this very server."""
        known = self._identity
        if known is None or not sent_to.may_be(known):
            return None
        return self.status_of(xid)

    def _refuse_another(self, connection: LentConnection) -> None:
        """A new connection has to lead to the server of before; a throwaway one has no other."""
        known = self._identity
        if known is None or known.timeline is None:
            return
        now = identified(connection)
        if not _said_of(known).may_be(now):
            raise AnotherServer(
                f"the connection was lost, and its address leads to another server now:"
                f" {_said_of(now)}; it was {_said_of(known)}",
                why="what was proved of the one says nothing of the other, and after a failover the"
                " new one may lack what the old one had committed",
                fix="find out which of them is production, and run again; after a failover the pin"
                " is changed in a reviewed commit",
            )

    def close(self) -> None:
        """End it; it can be asked for again."""
        with suppress(HousekeepingError, psycopg.Error, OSError):
            if self._connection is not None:
                self._connection.close()


def _said_of(identity: TargetIdentity) -> SentTo:
    return SentTo(
        system_identifier=identity.system_identifier,
        database=identity.database,
        timeline=identity.timeline,
    )
