"""Staging's proof that its result restores: with rows, and as the schema that was committed."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest

from pytest_housekeeping.postgres.connection import Connection, connect
from pytest_housekeeping.promotion.staging import result
from pytest_housekeeping.promotion.staging.result import result_restores
from pytest_housekeeping.promotion.throwaway import Throwaway
from pytest_housekeeping.server import Server, StagingDatabase
from pytest_housekeeping.snapshot.coverage import Around
from pytest_housekeeping.snapshot.fingerprint import read_fingerprint
from pytest_housekeeping.snapshot.problems import BackupNotProved

# It may look at another table's rows, which a restore brings later.
LOOKING = """
CREATE TABLE lookup (k text);
CREATE FUNCTION known(t text) RETURNS bool LANGUAGE sql STABLE
    AS 'SELECT EXISTS (SELECT FROM public.lookup WHERE k = t)';
CREATE TABLE a_word (w text CHECK (known(w)));
"""
ROWS = "INSERT INTO lookup VALUES ('a'); INSERT INTO a_word VALUES ('a')"


@pytest.fixture
def throwaway(server: Server, database: StagingDatabase) -> Throwaway:
    found = SimpleNamespace(
        server=server,
        database=lambda: database,
        migrator=lambda: connect(database.migrator_conninfo),
    )
    return cast("Throwaway", found)


def test_rows_are_restored_as_well(throwaway: Throwaway, superuser: Connection) -> None:
    superuser.execute(LOOKING)
    verdict, said = result_restores(throwaway)
    assert (verdict.passed, said) == (True, "dumped and restored, with the same fingerprint")
    superuser.execute(ROWS)
    with pytest.raises(
        BackupNotProved, match=r"did not restore: table data public\.a_word"
    ) as raised:
        result_restores(throwaway)
    assert raised.value.why == result._WHY_OF_ROWS
    assert raised.value.fix == result._FORM


def test_what_is_not_what_was_committed_is_no_proof(
    throwaway: Throwaway, superuser: Connection
) -> None:
    """An application's test, say, has changed the schema since."""
    superuser.execute("CREATE TABLE a (a int)")
    committed = read_fingerprint(superuser, around=Around.NOTHING)
    superuser.execute("ALTER TABLE a ADD b int")
    with pytest.raises(
        BackupNotProved, match=r"differs from the database in \d+ objects"
    ) as raised:
        result_restores(throwaway, committed)
    assert "a.b" in raised.value.found
    dumped: list[bool] = []
    verdict, _ = result_restores(throwaway, None, lambda: dumped.append(True))
    assert verdict.passed
    assert dumped == [True]


def test_a_server_whose_owner_is_no_superuser_restores_no_rows_and_that_is_said(
    server: Server, database: StagingDatabase, throwaway: Throwaway, superuser: Connection
) -> None:
    superuser.execute("CREATE TABLE a (a int); INSERT INTO a VALUES (1)")
    superuser.execute(f'ALTER TABLE a OWNER TO "{database.migrator}"'.encode())
    ordinary = SimpleNamespace(
        superuser_conninfo=database.migrator_conninfo, migrator_conninfo=database.migrator_conninfo
    )
    given = SimpleNamespace(server=server, database=lambda: ordinary, migrator=throwaway.migrator)
    _, said = result_restores(cast("Throwaway", given))
    assert said.endswith("limit of the proof: " + result._WITHOUT_ROWS)
