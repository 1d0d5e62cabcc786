"""The URL by which an application's tests reach the promoted staging database, as its role."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import quote

from pytest_housekeeping.checks.app_tests.proxy import RefusalProxy
from pytest_housekeeping.declarations.boundaries import Boundaries
from pytest_housekeeping.errors import MisuseError
from pytest_housekeeping.model import Mode
from pytest_housekeeping.plan.modes import rules_of
from pytest_housekeeping.postgres.connection import connect
from pytest_housekeeping.server import StagingDatabase
from pytest_housekeeping.server.given_roles import lend_password, take_password_back


@dataclass(kw_only=True)
class AppConnection:
    """A URL for one application, and the proxy behind it. ``close`` ends both."""

    role: str
    url: str = field(repr=False)
    proxy: RefusalProxy
    take_login_back: Callable[[], None] = lambda: None

    def close(self) -> None:
        """End the proxy's connections and take a lent password back. Idempotent."""
        self.proxy.close()
        self.take_login_back()
        self.take_login_back = lambda: None


def open_app_connection(
    boundaries: Boundaries | None,
    app: str,
    mode: Mode,
    staging: Callable[[], StagingDatabase],
) -> AppConnection:
    """Let an application log in, as the first of its roles.

    ``staging`` gives the promoted database. Raises MisuseError for an application that is not
    declared, and in a mode without a throwaway database.
    """
    if not rules_of(mode).throwaway:
        raise MisuseError(
            f"hk_app_url({app!r}) in the mode {mode}",
            why="the tests of an application write, and run on a throwaway database only",
            fix="run them with --hk-mode=staging",
        )
    found = [each for each in (boundaries.apps if boundaries else ()) if each.name == app]
    if not found:
        names = ", ".join(each.name for each in boundaries.apps) if boundaries else "none"
        raise MisuseError(
            f"hk_app_url({app!r}): boundaries.toml declares no such application",
            why="without one there is no role to log in as",
            fix=f"declared: {names}",
        )
    return _log_in_as(found[0].roles[0], staging())


def _log_in_as(role: str, staging: StagingDatabase) -> AppConnection:
    superuser = connect(staging.superuser_conninfo)
    try:
        password, lent = lend_password(superuser, staging.cluster, role)
    finally:
        superuser.close()
    proxy = RefusalProxy(staging.host, staging.port)
    secret = f":{quote(password, safe='')}" if password else ""
    # No encryption: the proxy has to read what passes, and it never leaves this machine's loopback.
    url = (
        f"postgresql://{quote(role, safe='')}{secret}@127.0.0.1:{proxy.port}"
        f"/{quote(staging.name, safe='')}?sslmode=disable&gssencmode=disable"
    )

    def take_login_back() -> None:
        if lent:
            take_password_back(staging.superuser_conninfo, role)

    return AppConnection(role=role, url=url, proxy=proxy, take_login_back=take_login_back)
