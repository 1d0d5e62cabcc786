"""The ``hk_*`` fixtures of tests under ``checks/``; they exist only while a mode is set."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

from pytest_housekeeping.declarations.rls import full_name
from pytest_housekeeping.errors import MisuseError
from pytest_housekeeping.plan.plan import Plan
from pytest_housekeeping.plugin.promoted import is_promoted
from pytest_housekeeping.plugin.stash import PROMOTION
from pytest_housekeeping.postgres.acting import as_role
from pytest_housekeeping.postgres.connection import Connection

RoleFactory = Callable[..., AbstractContextManager[Connection]]


@pytest.fixture
def hk_connection(request: pytest.FixtureRequest) -> Iterator[Connection]:
    """The promotion's own connection, on the uncommitted schema, as the migrating role.

    Whatever the test does with it is rolled back behind it. Ending the transaction is refused.
    """
    connection = request.config.stash[PROMOTION].opened().connection
    connection.lent = True
    try:
        yield connection
    finally:
        connection.lent = False


@pytest.fixture
def hk_role(request: pytest.FixtureRequest) -> RoleFactory:
    """``with hk_role("venture_app", tenant_id=...) as connection``: act as that role.

    A setting without a dot is completed from ``context`` in rls.toml: ``tenant_id`` stands for
    ``app.tenant_id``. Role and settings are gone at the end of the block. In an application's
    tests, which staging runs on what it has proved, it is the one of ordinary runs.
    """
    promotion = request.config.stash[PROMOTION]
    if is_promoted(promotion):
        from pytest_housekeeping.plugin.lending import acting_as

        return acting_as(request)
    connection: Connection = request.getfixturevalue("hk_connection")
    context = promotion.run.context.plan.contracts.context

    @contextmanager
    def act(role: str, **settings: object) -> Iterator[Connection]:
        full = {
            full_name(name, context, asked="hk_role"): str(value)
            for name, value in settings.items()
        }
        with as_role(connection, role, full):
            yield connection

    return act


@pytest.fixture(scope="session")
def hk_mode(pytestconfig: pytest.Config) -> str:
    """The mode of the run, as given to ``--hk-mode``."""
    return str(pytestconfig.stash[PROMOTION].run.context.mode)


@pytest.fixture(scope="session")
def hk_plan(pytestconfig: pytest.Config) -> Plan:
    """The plan of the run: its steps, segments and digest."""
    return pytestconfig.stash[PROMOTION].run.context.plan


@pytest.fixture(scope="session")
def hk_app_url(pytestconfig: pytest.Config) -> Callable[[str], str]:
    """``hk_app_url("venture")``: a URL that logs in as the application's role on the promoted
    staging database. What the server refuses over it (SQLSTATE 42501) is a finding of the
    application's contracts, also when the application swallows it.

    For tests under ``tests`` of ``[apps.venture]``: anywhere else nothing is promoted yet.
    """
    promotion = pytestconfig.stash[PROMOTION]

    def url(app: str) -> str:
        if not promotion.commits.segments:
            raise MisuseError(
                f"hk_app_url({app!r}): nothing is promoted yet",
                why="an application sees what is committed, and no uncommitted schema",
                fix="put the test under a path of `tests` in [apps.…] of boundaries.toml",
            )
        found: str = promotion.run.checks.apps.of(app).url
        return found

    return url
