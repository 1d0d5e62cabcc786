"""More fixtures like ``hk_database``, in the manner of pytest-postgresql: ``factories.database()``.

Assign what they return to a name in a test module or a ``conftest.py``; that is the fixture's name.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal

import pytest

if TYPE_CHECKING:
    from pytest_housekeeping.databases.database import Database

Scope = Literal["session", "package", "module", "class", "function"]


def database(
    *,
    scope: Scope = "function",
    seeds: str | Sequence[str] | None = None,
    at: str | int | None = None,
    empty: bool = False,
    name: str | None = None,
) -> Any:
    """A fixture that gives a fresh database for each test, or for each of another ``scope``.

    ``seeds`` and ``at`` go before the markers ``hk_seeds`` and ``hk_at``; ``empty`` is a database
    with nothing in it.
    """
    asked: dict[str, Any] = {"seeds": seeds, "at": at, "empty": empty}

    @pytest.fixture(scope=scope, name=name)
    def made(request: pytest.FixtureRequest) -> Iterator[Database]:
        """A database of its own, with all files of the project applied."""
        from pytest_housekeeping.plugin.lending import lend

        yield from lend(request, **asked)

    return made


def transaction(
    *,
    seeds: str | Sequence[str] | None = None,
    at: str | int | None = None,
    name: str | None = None,
) -> Any:
    """A fixture that gives a connection in a transaction, which is rolled back behind each test.

    All tests of a worker share the database. ``seeds`` and ``at`` go before the markers.
    """

    @pytest.fixture(name=name)
    def made(request: pytest.FixtureRequest) -> Iterator[Any]:
        """A connection in a transaction that is rolled back behind the test."""
        from pytest_housekeeping.plugin.lending import lend_transaction

        yield from lend_transaction(request, seeds=seeds, at=at)

    return made


def noproc(*, dbname: str = "hk_tests", name: str | None = None) -> Any:
    """A fixture for pytest-postgresql that stands on the template of all files.

    ``postgresql = pytest_postgresql.factories.postgresql("schema")`` where ``schema`` is what this
    returns, or ``factories.postgresql_noproc(depends_on="schema")``.
    """

    @pytest.fixture(scope="session", name=name)
    def made(request: pytest.FixtureRequest) -> Any:
        """What pytest-postgresql needs to know of the server, and of the template on it."""
        from pytest_housekeeping.plugin.lending import executor

        return executor(request, dbname)

    return made
