"""The fixtures of ordinary tests: their names alone, until a test asks for one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import psycopg

    from pytest_housekeeping.databases.database import Database


@pytest.fixture
def hk_database(request: pytest.FixtureRequest) -> Iterator[Database]:
    """A database of this test alone, with all files under sql/ applied.

    url, dsn, name, host, port, user, password; connect(role=…, **context).
    """
    from pytest_housekeeping.plugin.lending import lend

    yield from lend(request)


@pytest.fixture(scope="module")
def hk_database_module(request: pytest.FixtureRequest) -> Iterator[Database]:
    """The same for all tests of a module, which see what the others have written."""
    from pytest_housekeeping.plugin.lending import lend

    yield from lend(request)


@pytest.fixture(scope="session")
def hk_database_session(request: pytest.FixtureRequest) -> Iterator[Database]:
    """The same for all tests of a worker."""
    from pytest_housekeeping.plugin.lending import lend

    yield from lend(request)


@pytest.fixture
def hk_empty_database(request: pytest.FixtureRequest) -> Iterator[Database]:
    """A database with nothing in it, on the same server."""
    from pytest_housekeeping.plugin.lending import lend

    yield from lend(request, empty=True)


@pytest.fixture
def hk_transaction(
    request: pytest.FixtureRequest,
) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
    """A connection in a transaction that is rolled back behind the test: the cheapest case."""
    from pytest_housekeeping.plugin.lending import lend_transaction

    yield from lend_transaction(request)


@pytest.fixture
def hk_migrate(request: pytest.FixtureRequest, hk_database: Database) -> Callable[..., int]:
    """hk_migrate("0013") applies to the hk_database of a test with hk_at what comes behind, up to
    this migration; hk_migrate() all that is left. How many files that were."""
    from pytest_housekeeping.plugin.lending import migrating

    return migrating(request, hk_database)


@pytest.fixture
def hk_role(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """with hk_role("venture_app", tenant_id=…) as connection: act as that role, on the hk_database
    of the test or in its hk_transaction; what was done is gone at the end of the block."""
    from pytest_housekeeping.plugin.lending import acting_as

    return acting_as(request)


@pytest.fixture
def hk_connection(
    hk_transaction: psycopg.Connection[tuple[Any, ...]],
) -> psycopg.Connection[tuple[Any, ...]]:
    """Without a mode the hk_transaction of the test, so that a test under checks/ runs here too."""
    return hk_transaction


@pytest.fixture(scope="session")
def hk_mode() -> str:
    """Without a mode "": nothing is promoted, and no seed file has run that nobody asked for."""
    return ""


@pytest.fixture(scope="session")
def hk_plan() -> None:
    """The plan of a run with a mode; without one there is none, and the test is skipped."""
    pytest.skip("hk_plan: there is a plan with --hk-mode alone")


@pytest.fixture(scope="session")
def hk_app_url() -> None:
    """A URL of the promoted staging database; in another run the test is skipped."""
    pytest.skip("hk_app_url: an application logs in to what pytest --hk-mode=staging promotes")
