"""A server that somebody else runs (``HK_TEST_URL``): left as it was, by whoever leaves it last."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from hashlib import sha256
from typing import Any

from pytest_housekeeping.databases.clones import drop
from pytest_housekeeping.databases.content import Content
from pytest_housekeeping.databases.run_file import RunFile
from pytest_housekeeping.errors import ServerError
from pytest_housekeeping.server.given import open_given
from pytest_housekeeping.server.given_roles import derived_password
from pytest_housekeeping.server.given_url import Asked
from pytest_housekeeping.server.staging_database import Cluster

_TESTS = Asked(
    option="HK_TEST_URL",
    use="test databases are made on the server",
    without="a server of the run's own is used",
)


class GivenGround:
    """Databases and roles of a run on the server; see `Ground`.

    The run holds a lock there under its number, which the names of its databases bear: what a
    killed one leaves is cleared by whoever comes next.
    """

    kind = "given"
    # Others use the server as well, and its roles.
    shared = True

    def __init__(self, content: Content, run: str, url: str) -> None:
        self._run = RunFile(f"{run} given {content.key}")
        self._number = int(sha256(run.encode()).hexdigest()[:7], 16) + 1
        with self._run.alone() as known:
            migrator = content.config.migrator
            self._server = open_given(url, migrator=migrator, asked=_TESTS)
            if self._server.guard.info.parameter_status("is_superuser") != "on":
                self._server.close(keep=False)
                raise ServerError(
                    f"the role {self.cluster.superuser} of HK_TEST_URL is no superuser",
                    why="a clone bears the settings and privileges of its template, and roles that"
                    " a test has changed are put back: a superuser alone may do that",
                    fix="give the superuser of the server (that of a service container is one)",
                )
            self._server.hold(self._number)
            worker = known["workers"] = known.get("workers", 0) + 1
        self.names = f"{self._name}_{worker}"
        self.password = derived_password(self.cluster, migrator)

    @property
    def cluster(self) -> Cluster:
        return self._server.cluster

    @property
    def _name(self) -> str:
        return f"hk_test_{self._number:08x}"

    @contextmanager
    def alone(self) -> Iterator[dict[str, Any]]:
        with self._run.alone() as known:
            yield known

    def marking_roles(self) -> AbstractContextManager[None]:
        """One run at a time: those that its files make are dropped with the last run."""
        return self._server.bootstrap_lock()

    def template_name(self, key: str) -> str:
        return f"{self._name}_t{key}"

    def close(self, last: Callable[[dict[str, Any]], bool]) -> None:  # noqa: ARG002
        with self._run.leaving() as (is_last, known):
            try:
                if is_last:
                    for name in known.get("templates", {}).values():
                        drop(self._server.guard, name)
            finally:
                self._server.close(keep=False)
