"""``HK_TEST_URL``: test databases on a server that somebody else runs, left as it was."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from pytest_housekeeping.databases.content import State
from pytest_housekeeping.errors import ServerError
from support.database_ground import databases_of, laid, lent, one, process
from support.postgres_service import postgres_service

# Special characters, as a secret of CI has them.
PASSWORD = "p@ss w/rd"
LEFT = """
SELECT (SELECT string_agg(datname, ' ' ORDER BY 1) FROM pg_database WHERE datname <> 'template0')
    || ' ' || (SELECT string_agg(rolname, ' ' ORDER BY 1) FROM pg_roles WHERE rolname !~ '^pg_')
"""


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with postgres_service(PASSWORD) as port:
        yield port


def url(port: int, user: str = "postgres") -> str:
    return f"postgresql://{user}:p%40ss%20w%2Frd@127.0.0.1:{port}/postgres"


def on_it(port: int, query: str) -> Any:
    with psycopg.connect(url(port), autocommit=True) as connection:
        cursor = connection.execute(query.encode())
        row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None


def test_two_workers_and_nothing_left(project: Path, port: int) -> None:
    before = on_it(port, LEFT)
    first, second = (process(project, name="ci", workers=2, url=url(port)) for _ in range(2))
    with lent(first) as ours, lent(second, State(seeds=("sql/seeds/demo.sql",))) as theirs:
        with psycopg.connect(ours.database.url) as connection:
            assert connection.execute("SELECT count(*) FROM note").fetchone() == (0,)
        assert PASSWORD not in ours.database.url, "the migrator has a password of its own"
        assert one(ours, "SELECT current_user || ' ' || session_user", role="app") == "app postgres"
        assert one(theirs, "SELECT body FROM note") == "demo"
        assert ours.database.name != theirs.database.name
        assert PASSWORD not in repr((ours, first.content))
    first.close()
    with lent(second) as found:
        assert one(found, "SELECT count(*) FROM note") == 0
    second.close()
    assert on_it(port, LEFT) == before


def test_what_a_killed_run_has_left_is_cleared_by_the_next(project: Path, port: int) -> None:
    before = on_it(port, LEFT)
    killed = process(project, url=url(port))
    killed.lend(State(), asked_by="a test")
    # Its sessions end, and nothing else is done.
    on_it(
        port,
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE"
        " pid <> pg_backend_pid() AND backend_type = 'client backend'",
    )
    with databases_of(project, url=url(port)) as databases, lent(databases):
        pass
    assert on_it(port, LEFT) == before
    killed.close()
    assert on_it(port, LEFT) == before


def test_a_role_that_cannot_put_roles_back_is_refused(project: Path, port: int) -> None:
    on_it(port, f"CREATE ROLE weak LOGIN CREATEDB CREATEROLE PASSWORD '{PASSWORD}'")
    weak = process(project, url=url(port, "weak"))
    with pytest.raises(ServerError, match="weak of HK_TEST_URL is no superuser"):
        weak.lend(State(), asked_by="a test")
    on_it(port, "DROP ROLE weak")


def test_a_url_that_leads_nowhere_names_the_variable(tmp_path: Path) -> None:
    lost = process(laid(tmp_path), url="postgresql://x:geheim@127.0.0.1:1/x")
    with pytest.raises(ServerError, match="HK_TEST_URL") as refused:
        lost.lend(State(), asked_by="a test")
    assert "geheim" not in str(refused.value)
