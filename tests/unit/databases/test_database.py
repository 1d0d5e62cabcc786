"""How a test database is reached, and what names the content of a template."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from psycopg.conninfo import conninfo_to_dict

from pytest_housekeeping.databases.content import State, read_content
from pytest_housekeeping.databases.database import Database
from pytest_housekeeping.errors import MisuseError
from pytest_housekeeping.server.staging_database import Cluster
from support.database_ground import FILES, laid


def database(host: str, **cluster: Any) -> Database:
    return Database(
        name="hk test/1",
        user="o'wner",
        cluster=Cluster(host=host, port=5433, superuser="s", maintenance="m", **cluster),
        password="p@ss w/rd",
        complete=lambda given: {name: str(value) for name, value in given.items()},
    )


@pytest.mark.parametrize("host", ["/dev/shm/a folder", "127.0.0.1", "::1", "db.example"])
def test_libpq_reads_url_and_dsn_alike(host: str) -> None:
    found = database(host, parameters={"sslmode": "require", "application_name": "x"})
    read = conninfo_to_dict(found.url)
    expected = {"host": host, "port": "5433", "dbname": "hk test/1", "user": "o'wner"}
    expected["password"] = "p@ss w/rd"
    assert read.items() >= expected.items()
    assert conninfo_to_dict(found.dsn).items() >= expected.items()
    assert ("sslmode" in read) is not host.startswith("/")


def test_no_password_is_shown() -> None:
    assert "p@ss" not in repr(database("127.0.0.1", password="p@ss"))


def test_a_key_is_of_files_and_settings(tmp_path: Path) -> None:
    def key(files: dict[str, str | None] | None = None, place: str = "a") -> str:
        return read_content(laid(tmp_path / place, files)).key

    first = key()
    assert key(place="b") == first, "of the root it knows nothing"
    keys = [
        first,
        key({"sql/views/long.sql": "SELECT 1;"}, "c"),
        key({"sql/seeds/demo.sql": "SELECT 1;"}, "d"),
        key({"sql/bootstrap/more.sql": "SELECT 1;"}, "e"),
        key({"pyproject.toml": "[tool.housekeeping]\nserver_version = 18\n"}, "f"),
        key({"sql/migrations/0004_more.sql": "SELECT 1;"}, "g"),
    ]
    assert len(set(keys)) == len(keys)


def test_states_have_keys_of_their_own() -> None:
    states = [
        State(),
        State(at="2"),
        State(at="3"),
        State(seeds=("a",)),
        State(at="2", seeds=("a",)),
    ]
    assert len({each.key for each in states}) == len(states)


def test_seeds_are_found_by_their_names(tmp_path: Path) -> None:
    content = read_content(laid(tmp_path))
    all_of_them = tuple(name for name in FILES if name.startswith("sql/seeds/"))
    assert content.seeds_called(["all"]) == all_of_them
    assert content.seeds_called(["demo"]) == all_of_them[:1]
    with pytest.raises(MisuseError, match="no seeds 'other'") as refused:
        content.seeds_called(["other"])
    assert refused.value.fix == "known: demo, more; or 'all'"


def test_a_project_without_sql_files_is_told(tmp_path: Path) -> None:
    content = read_content(tmp_path)
    with pytest.raises(MisuseError, match=r"there are no files in .*/sql"):
        content.refuse_missing()


def test_settings_that_are_wrong_are_told(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.housekeeping]\nsqls = 'x'\n", encoding="utf-8")
    with pytest.raises(MisuseError, match="sqls"):
        read_content(tmp_path)
