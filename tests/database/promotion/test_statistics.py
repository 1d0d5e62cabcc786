"""Statistics that a batch threw away: made again behind COMMIT, or told, and never a failure."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest

from pytest_housekeeping.model import Verdict
from pytest_housekeeping.postgres.connection import Connection, LentConnection, connect
from pytest_housekeeping.promotion.production.statistics import KeptStatistics
from pytest_housekeeping.promotion.target_connection import TargetConnection
from pytest_housekeeping.server import StagingDatabase


@pytest.fixture
def connection(database: StagingDatabase) -> Iterator[LentConnection]:
    opened = connect(database.migrator_conninfo)
    opened.execute(
        """CREATE TABLE room (a int, b varchar(9)); CREATE TABLE note (a int, b varchar(9));
        INSERT INTO room SELECT g, g FROM generate_series(1, 50) AS g;
        INSERT INTO note TABLE room; ANALYZE"""
    )
    yield opened
    opened.close()


def context(
    *,
    segments: int = 1,
    files: int = 1,
    records_only: bool = False,
    lock_timeout: str = "5s",
    statement_timeout: str = "5s",
) -> Any:
    return SimpleNamespace(
        plan=SimpleNamespace(segments=[SimpleNamespace(files=[None] * files)] * segments),
        options=SimpleNamespace(records_only=records_only),
        config=SimpleNamespace(lock_timeout=lock_timeout, statement_timeout=statement_timeout),
    )


def renewed(
    connection: LentConnection, batch: str, kept: KeptStatistics | None = None
) -> tuple[Verdict, str]:
    """A batch, as production runs it, and what is done behind it."""
    kept = kept or KeptStatistics(context())
    connection.execute("BEGIN")
    kept.note(connection)
    connection.execute(f"{batch}; COMMIT".encode())
    return kept.renew(TargetConnection(lambda: connection, opened=connection))


WIDER = "ALTER TABLE room ALTER b TYPE varchar(20); ALTER TABLE note ALTER b TYPE text"


def test_it_is_analyzed_and_said(connection: LentConnection) -> None:
    verdict, said = renewed(connection, WIDER)
    assert verdict.passed
    assert verdict.findings == ()
    assert said == "ANALYZE public.note (b); ANALYZE public.room (b)"
    count = "SELECT count(*) FROM pg_stats WHERE tablename IN ('room', 'note')"
    assert connection.execute(count).fetchone() == (4,)


def test_where_nothing_is_lost_that_is_said(connection: LentConnection) -> None:
    verdict, said = renewed(connection, "ALTER TABLE room ADD c int")
    assert verdict.passed
    assert said == "2 tables, none has lost planner statistics"


@pytest.mark.parametrize(
    ("limits", "said_of_it"),
    [
        # The shorter one ends it: neither stands in for the other.
        ({"lock_timeout": "100ms", "statement_timeout": "2s"}, "due to lock timeout"),
        ({"lock_timeout": "1min", "statement_timeout": "300ms"}, "due to statement timeout"),
    ],
)
def test_a_lock_is_a_warning_with_the_statement(
    connection: LentConnection, superuser: Connection, limits: dict[str, Any], said_of_it: str
) -> None:
    kept = KeptStatistics(context(**limits))
    kept.note(connection)
    connection.execute(WIDER)
    superuser.execute("BEGIN; LOCK TABLE room IN SHARE UPDATE EXCLUSIVE MODE")
    verdict, said = kept.renew(TargetConnection(lambda: connection, opened=connection))
    superuser.execute("ROLLBACK")
    assert verdict.passed
    assert said == "ANALYZE public.note (b)"
    (finding,) = verdict.findings
    assert (finding.level, finding.object) == ("warning", "public.room")
    assert said_of_it in finding.detail
    # It works to the letter.
    connection.execute(finding.fix.encode())
    shown = "SELECT attname::text FROM pg_stats WHERE tablename = 'room' ORDER BY 1"
    assert connection.execute(shown).fetchall() == [("a",), ("b",)]


def test_a_role_that_may_not_read_them_promotes_all_the_same(
    connection: LentConnection, superuser: Connection
) -> None:
    superuser.execute("REVOKE SELECT ON pg_catalog.pg_stats FROM PUBLIC")
    try:
        verdict, said = renewed(connection, WIDER)
    finally:
        superuser.execute("GRANT SELECT ON pg_catalog.pg_stats TO PUBLIC")
    assert verdict.passed
    assert said == "nothing was analyzed"
    (finding,) = verdict.findings
    assert "permission denied for view pg_stats" in finding.detail
    assert finding.fix == "ANALYZE;"
    # The batch went on in its transaction, and is in.
    typed = "SELECT atttypmod FROM pg_attribute WHERE attrelid = 'room'::regclass AND attname = 'b'"
    assert connection.execute(typed).fetchone() == (24,)


def test_a_lost_connection_is_a_warning_too(database: StagingDatabase) -> None:
    opened = connect(database.migrator_conninfo)
    kept = KeptStatistics(context())
    kept.note(opened)
    opened.close()

    def gone() -> LentConnection:
        raise psycopg.OperationalError("the server is gone")

    verdict, _ = kept.renew(TargetConnection(gone, opened=opened))
    assert verdict.passed
    assert "the server is gone" in verdict.findings[0].detail


def test_each_segment_is_compared_with_the_one_before(connection: LentConnection) -> None:
    """A file outside of a transaction has no BEGIN at which something could be noted."""
    kept = KeptStatistics(context(segments=2))
    assert renewed(connection, "ALTER TABLE room ALTER b TYPE text", kept)[1] == (
        "ANALYZE public.room (b)"
    )
    connection.execute("CREATE INDEX CONCURRENTLY ON note ((a + 1))")
    again = kept.renew(TargetConnection(lambda: connection, opened=connection))
    assert again[1] == "ANALYZE public.note"


@pytest.mark.parametrize("without", [context(files=0), context(records_only=True)])
def test_where_nothing_runs_nothing_is_read(connection: LentConnection, without: Any) -> None:
    kept = KeptStatistics(without)
    kept.note(connection)
    verdict, _ = kept.renew(TargetConnection(lambda: connection, opened=connection))
    assert "they were not read before it" in verdict.findings[0].detail
