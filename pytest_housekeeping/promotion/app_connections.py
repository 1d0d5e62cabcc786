"""The applications' own tests: a connection for each application, to the promoted database."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pytest_housekeeping.plan.plan import Plan
from pytest_housekeeping.server import StagingDatabase

if TYPE_CHECKING:
    from pytest_housekeeping.checks.app_tests.connection import AppConnection


class AppConnections:
    """Opened when an application first asks, and closed with the run."""

    def __init__(self, plan: Plan, database: Callable[[], StagingDatabase]) -> None:
        self._plan = plan
        self._database = database
        self._opened: dict[str, AppConnection] = {}
        # What has to be over before an application writes its first row.
        self.before_first: Callable[[], None] = lambda: None

    def of(self, app: str) -> AppConnection:
        """How an application reaches the promoted staging database, as its role.

        Raises MisuseError where there is no such application, or no throwaway database.
        """
        from pytest_housekeeping.checks.app_tests.connection import open_app_connection

        if app not in self._opened:
            self.before_first()
            boundaries = self._plan.contracts.boundaries
            self._opened[app] = open_app_connection(
                boundaries, app, self._plan.mode, self._database
            )
        return self._opened[app]

    def close(self) -> None:
        for each in self._opened.values():
            each.close()
