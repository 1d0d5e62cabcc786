"""A database for tests: how it is reached, by whatever connects to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from pytest_housekeeping.server.libpq import without_libpq_variables
from pytest_housekeeping.server.staging_database import Cluster

if TYPE_CHECKING:
    import psycopg

_CAN_LOG_IN = "SELECT rolcanlogin FROM pg_catalog.pg_roles WHERE rolname = %s"


@dataclass(frozen=True, kw_only=True)
class Database:
    """A database of this test, module or session alone, owned by the role that migrations run as.

    ``url`` and ``dsn`` lead there as that role. They may hold a password: show neither.
    """

    name: str
    user: str
    cluster: Cluster = field(repr=False)
    password: str = field(default="", repr=False)
    complete: Callable[[Mapping[str, object]], Mapping[str, str]] = field(repr=False)

    @property
    def host(self) -> str:
        """The server's address, or the folder of its socket."""
        return self.cluster.host

    @property
    def port(self) -> int:
        return self.cluster.port

    @property
    def dsn(self) -> str:
        """As libpq has it, ``host=… dbname=…``."""
        return self.cluster.conninfo(self.name, user=self.user, password=self.password)

    @property
    def url(self) -> str:
        """``postgresql://…``, as most programs and ``DATABASE_URL`` have it."""
        secret = f":{quote(self.password, safe='')}" if self.password else ""
        user = f"{quote(self.user, safe='')}{secret}"
        name, host = quote(self.name, safe=""), self.host
        if host.startswith(("/", "@")):
            return f"postgresql://{user}@/{name}?{_query({'host': host, 'port': self.port})}"
        address = f"[{host}]" if ":" in host else host
        known = {k: v for k, v in self.cluster.parameters.items() if k.startswith("ssl")}
        asked = f"?{_query(known)}" if known else ""
        return f"postgresql://{user}@{address}:{self.port}/{name}{asked}"

    def connect(
        self, role: str = "", *, autocommit: bool = False, **context: object
    ) -> psycopg.Connection[tuple[Any, ...]]:
        """A connection as the owner, or as ``role``, with settings that it begins with.

        A setting without a dot is completed from ``context`` in rls.toml. A role that can log in
        does so where the server trusts whoever reaches it; any other is what the session begins
        as, and RESET ROLE leads back to.
        """
        import psycopg
        from psycopg.conninfo import make_conninfo

        from pytest_housekeeping.postgres.session import startup_options

        settings = dict(self.complete(context))
        user, password = self.user, self.password
        if role and role != user:
            user, password = self._reached_as(role)
            settings |= {} if user == role else {"role": role}
        way = self.cluster.conninfo(self.name, user=user, password=password)
        with without_libpq_variables():
            return psycopg.connect(
                make_conninfo(way, options=startup_options(settings)), autocommit=autocommit
            )

    def _reached_as(self, role: str) -> tuple[str, str]:
        """Who logs in to act as the role: itself where it can, else the server's superuser."""
        import psycopg

        superuser = self.cluster.superuser, self.cluster.password
        if self.cluster.password:
            return superuser
        with without_libpq_variables(), psycopg.connect(self.cluster.conninfo(self.name)) as asked:
            row = asked.execute(_CAN_LOG_IN, (role,)).fetchone()
        return (role, "") if row == (True,) else superuser


def _query(parameters: Mapping[str, object]) -> str:
    """As libpq reads it, for which a ``+`` is no blank."""
    return urlencode(parameters, quote_via=quote)
