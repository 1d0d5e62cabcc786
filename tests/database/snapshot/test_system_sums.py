"""What PostgreSQL's own objects add up to is summed once for databases that have the same rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from pytest_housekeeping.postgres.connection import Connection
from pytest_housekeeping.server import StagingDatabase
from pytest_housekeeping.snapshot.catalog import statements
from pytest_housekeeping.snapshot.compare.difference import diff
from pytest_housekeeping.snapshot.fingerprint import Fingerprint, read_fingerprint

COSTS = "ALTER FUNCTION pg_catalog.lower(text) COST {}"


@pytest.fixture(autouse=True)
def sums(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    known: dict[str, Any] = {}
    monkeypatch.setattr(statements, "_SUMS", known)
    return known


@pytest.fixture
def other(database: StagingDatabase) -> Iterator[Connection]:
    """The database that the other was made of."""
    place = make_conninfo(database.superuser_conninfo, dbname="template1")
    with psycopg.connect(place, autocommit=True) as opened:
        yield opened


def test_each_version_of_the_rows_is_summed_once_and_a_change_of_one_database_is_its_own(
    superuser: Connection, other: Connection, sums: dict[str, Any]
) -> None:
    first, beside = read_fingerprint(superuser), read_fingerprint(other)
    assert len(sums) == 1
    superuser.execute(COSTS.format(7).encode())
    changed = read_fingerprint(superuser)
    assert [each.name for each in diff(first, changed)] == ["digest of system functions"]
    assert system(read_fingerprint(other)) == system(beside) == system(first)
    assert len(sums) == 2
    superuser.execute(COSTS.format(1).encode())
    assert read_fingerprint(superuser).digest == first.digest
    assert len(sums) == 3


@pytest.mark.parametrize("isolation", ["READ COMMITTED", "REPEATABLE READ"])
def test_what_a_transaction_has_not_committed_is_summed_each_time(
    superuser: Connection, sums: dict[str, Any], isolation: str
) -> None:
    """A row that it writes twice has one writer; and others may commit between two statements."""
    superuser.execute(f"BEGIN ISOLATION LEVEL {isolation}".encode())
    superuser.execute(COSTS.format(7).encode())
    seven = read_fingerprint(superuser)
    superuser.execute(COSTS.format(8).encode())
    assert system(read_fingerprint(superuser)) != system(seven)
    superuser.execute("ROLLBACK; BEGIN")
    read_fingerprint(superuser)
    superuser.execute("ROLLBACK")
    assert not sums


def test_what_was_summed_of_this_server_is_not_summed_again(
    superuser: Connection, sums: dict[str, Any]
) -> None:
    before = system(read_fingerprint(superuser))
    ((versions, known),) = sums.items()
    started = superuser.execute("SELECT pg_postmaster_start_time()::text").fetchone()
    assert started
    assert started[0] in versions
    sums[versions] = [[] for _ in known]
    assert len(system(read_fingerprint(superuser))) == len(before) - len(known) < len(before)


def system(found: Fingerprint) -> list[str]:
    return [each.text for each in found.entries if each.name.startswith("digest of system ")]
