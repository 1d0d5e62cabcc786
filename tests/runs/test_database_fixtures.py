"""The fixtures of ordinary tests, in ordinary runs of pytest."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from support.database_ground import FILES
from support.own_cache import own_cache
from support.staging_project import PATIENCE_S, Project, Run

_USES = """
import os
import psycopg
import pytest
from psycopg import errors
from pytest_postgresql import factories as theirs
from pytest_housekeeping.plugin import factories

seeded = factories.database(scope="module", seeds="more")
beside = factories.transaction(seeds=["demo"])
schema = factories.noproc()
postgresql = theirs.postgresql("schema")
own = theirs.postgresql_noproc(depends_on="schema", dbname="own")
of_own = theirs.postgresql("own")

COUNT = "SELECT count(*) FROM note"


@pytest.mark.parametrize("n", range(6))
def test_each_has_its_own(hk_database, n):
    with psycopg.connect(hk_database.url) as connection:
        connection.execute("INSERT INTO note (body) VALUES ('mine')")
        assert connection.execute(COUNT).fetchone() == (1,)


@pytest.mark.parametrize("n", range(3))
def test_rolled_back(hk_transaction, n):
    hk_transaction.execute("INSERT INTO note (body) VALUES ('mine')")
    hk_transaction.commit()
    assert hk_transaction.execute(COUNT).fetchone() == (1,)


@pytest.mark.hk_seeds("demo")
def test_seeded(hk_database, hk_empty_database):
    with hk_database.connect() as connection:
        assert connection.execute("SELECT body FROM note").fetchall() == [("demo",)]
    with hk_empty_database.connect() as connection, pytest.raises(errors.UndefinedTable):
        connection.execute(COUNT)


@pytest.mark.hk_at("0002")
def test_migrated(hk_database, hk_migrate):
    with hk_database.connect() as connection:
        connection.execute("INSERT INTO note (body) VALUES ('ten letters')")
    assert hk_migrate("0003") == 1
    with hk_database.connect() as connection:
        assert connection.execute("SELECT length FROM note").fetchone() == (11,)


def test_factories(seeded, beside):
    with seeded.connect() as connection:
        assert connection.execute("SELECT body FROM note").fetchall() == [("more",)]
    assert beside.execute("SELECT body FROM note").fetchall() == [("demo",)]


def test_roles(hk_role, hk_transaction):
    with hk_role("app", tenant_id=7) as connection:
        connection.execute("INSERT INTO note (body) VALUES ('of app')")
        told = "SELECT current_user || current_setting('app.tenant_id')"
        assert connection.execute(told).fetchone() == ("app7",)
        with pytest.raises(errors.InsufficientPrivilege):
            connection.execute("DELETE FROM note")
    assert hk_transaction.execute(COUNT).fetchone() == (0,)


def test_roles_on_a_database(hk_role, hk_database):
    with hk_role("app") as connection:
        assert connection.info.dbname == hk_database.name
        connection.execute("INSERT INTO note (body) VALUES ('of app')")
    with hk_database.connect() as connection:
        assert connection.execute(COUNT).fetchone() == (0,)


def test_pytest_postgresql(postgresql, of_own):
    for connection in (postgresql, of_own):
        assert connection.execute(COUNT).fetchone() == (0,)


def test_shared(hk_database_session, hk_database_module):
    assert hk_database_session.name != hk_database_module.name


def test_as_under_checks(hk_connection, hk_role, hk_mode):
    assert hk_mode == ""
    with hk_role("app", tenant_id=7) as connection:
        assert connection is hk_connection
        assert connection.execute("SELECT current_user").fetchone() == ("app",)


def test_of_a_plan(hk_plan):
    raise AssertionError("there is none")


def test_of_an_application(hk_app_url):
    raise AssertionError("nothing is promoted")
"""
_FAILS = """
import pytest


def test_changes_a_role(hk_database):
    with hk_database.connect("reader") as connection:
        connection.execute("SET SESSION AUTHORIZATION postgres")
        connection.execute("ALTER ROLE app CREATEDB")


def test_commits(hk_transaction):
    hk_transaction.execute("INSERT INTO note (body) VALUES ('stays')")
    hk_transaction.execute("COMMIT")


def test_after_that(hk_transaction):
    assert hk_transaction.execute("SELECT count(*) FROM note").fetchone() == (0,)


@pytest.mark.hk_seeds("dema")
def test_unknown_seeds(hk_database):
    pass


@pytest.mark.hk_at("the first")
def test_no_number(hk_database):
    pass
"""
_ASKS = "def test_one(hk_database):\n    pass\n\n\ndef test_two(hk_transaction):\n    pass\n"
BROKEN = "CREATE TABLE note (id int);\nALTER TABLE note ADD CHECK (nothing > 0);"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """A cache of these runs alone."""
    return own_cache(tmp_path_factory.mktemp("cache"))[0]


def project(place: Path, tests: str, files: Mapping[str, str] | None = None) -> Project:
    made = {**FILES, **(files or {}), "test_notes.py": tests}
    settings = "[tool.pytest.ini_options]\naddopts = '--strict-markers'\n"
    root = place / "project"
    root.mkdir()
    (place / "tmp").mkdir()
    found = Project(root=root, scratch=place / "tmp")
    found.write({**made, "pyproject.toml": settings})
    return found


def run(project: Project, home: Mapping[str, str], *arguments: str) -> Run:
    watched = ("-p", "support.folder_watch")
    ended = project.fork(project.plain_arguments(*watched, *arguments), home)
    assert project.leftovers() == [], ended.output
    return ended


def test_what_they_give(tmp_path: Path, home: Mapping[str, str]) -> None:
    made = project(tmp_path, _USES)
    first = run(made, home)
    assert first.code == 0, first.output
    assert "17 passed, 2 skipped" in first.output
    workers = made.spawn("-n", "3", f"--basetemp={made.root}/base", **home)
    spread = made.finish(workers, PATIENCE_S)
    assert spread.code == 0, spread.output
    assert "17 passed, 2 skipped" in spread.output
    assert made.leftovers() == []


def test_what_a_test_must_not_do_is_told(tmp_path: Path, home: Mapping[str, str]) -> None:
    ended = run(project(tmp_path, _FAILS), home)

    assert "3 passed, 4 errors" in ended.output, ended.output
    assert "the test has changed roles" in ended.output
    assert "app: rolcreatedb False → True" in ended.output
    assert "the test ended the transaction of hk_transaction" in ended.output
    assert "no seeds 'dema' in sql/seeds/ (did you mean demo?)" in ended.output
    assert "hk_at('the first'): that is no version of a migration" in ended.output


def test_a_file_that_fails_is_told_by_each_test_and_in_full_by_one(
    tmp_path: Path, home: Mapping[str, str]
) -> None:
    made = project(tmp_path, _ASKS, {"sql/migrations/0001_note.sql": BROKEN})
    ended = run(made, home)

    assert "2 errors" in ended.output
    assert ended.output.count("sql/migrations/0001_note.sql:2:") >= 2
    assert ended.output.count(">    2 | ALTER TABLE note ADD CHECK (nothing > 0);") == 1
    assert "told in full by test_notes.py::test_one" in ended.output
