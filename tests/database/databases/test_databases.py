"""A database for each test: like the files, its own, and reached by whatever connects."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from pytest_housekeeping.databases.content import State
from pytest_housekeeping.databases.databases import Databases, Lent
from pytest_housekeeping.errors import HousekeepingError, MisuseError, ProofFailed
from support.database_ground import databases_of, laid, lent, one

COUNT = "SELECT count(*) FROM note"
SETTINGS = """
DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = shop, public', current_database());
EXECUTE format('ALTER ROLE app IN DATABASE %I SET work_mem = ''9MB''', current_database());
EXECUTE format('ALTER DATABASE %I CONNECTION LIMIT 7', current_database());
EXECUTE format('REVOKE CONNECT ON DATABASE %I FROM public', current_database());
EXECUTE format('GRANT CONNECT ON DATABASE %I TO app', current_database()); END $$;
"""


def test_each_has_all_files_applied_and_nothing_of_the_other(databases: Databases) -> None:
    with lent(databases) as first:
        assert one(first, "INSERT INTO note (body) VALUES ('mine') RETURNING id") == 1
        with lent(databases) as second:
            assert (one(second, COUNT), one(first, COUNT)) == (0, 1)
            assert one(second, "SELECT to_regclass('long')::text") == "long"
            assert first.database.name != second.database.name
            owner = "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = "
            assert one(second, f"{owner} current_database()") == "hk_migrator"


def test_url_and_dsn_lead_to_it(databases: Databases) -> None:
    with lent(databases) as found:
        for way in (found.database.url, found.database.dsn):
            with psycopg.connect(way) as connection:
                row = connection.execute("SELECT current_database(), current_user").fetchone()
            assert row == (found.database.name, "hk_migrator")


def test_connect_acts_as_a_role_with_its_context(databases: Databases) -> None:
    asked = "SELECT session_user || ' ' || current_user || ' '"
    asked += " || current_setting('app.tenant_id', true)"
    with lent(databases) as found:
        assert one(found, asked, role="app", tenant_id="a b\\c") == "app app a b\\c"
        assert one(found, asked, role="reader", **{"app.tenant_id": 1}) == "postgres reader 1"
        with found.database.connect("reader") as connection:
            connection.execute("RESET ROLE")
            assert connection.execute("SELECT current_user").fetchone() == ("reader",)
        with pytest.raises(MisuseError, match="'tenant' is unknown"):
            found.database.connect("app", tenant=1)


def test_seeds_come_on_request(databases: Databases) -> None:
    paths = databases.content.seeds_called(["more", "demo.sql"])
    assert paths == ("sql/seeds/demo.sql", "sql/seeds/more.sql")
    with lent(databases, State(seeds=paths)) as found:
        assert one(found, "SELECT string_agg(body, ' ' ORDER BY id) FROM note") == "demo more"
    with pytest.raises(MisuseError, match=r"no seeds 'dema'.*did you mean demo"):
        databases.content.seeds_called(["dema"])


def test_a_data_migration_meets_the_rows_of_before(databases: Databases) -> None:
    for _ in range(2):
        with lent(databases, State(at="2")) as found:
            assert one(found, "SELECT to_regclass('long')") is None
            one(found, "INSERT INTO note (body) VALUES ('twelve chars') RETURNING id")
            assert databases.migrate(found, "3") == 1
            assert one(found, "SELECT length FROM note") == 12
            assert databases.migrate(found, None) == 1
            assert one(found, "SELECT count(*) FROM long") == 1
            with pytest.raises(MisuseError, match="every file applied"):
                databases.migrate(found, None)


def test_an_earlier_state_that_is_none(databases: Databases) -> None:
    with pytest.raises(MisuseError, match="no migration 7") as refused:
        databases.lend(State(at="7"), asked_by="a test")
    assert "0001, 0002, 0003" in refused.value.fix
    with (
        lent(databases, State(at="2")) as found,
        pytest.raises(MisuseError, match="no migration 1 behind 2"),
    ):
        databases.migrate(found, "1")
    with lent(databases) as whole, pytest.raises(MisuseError, match="every file applied"):
        databases.migrate(whole, "3")


def test_the_files_of_another_tool(tmp_path: Path) -> None:
    made = {
        "00001_note": "CREATE TABLE note (id int);\n-- +goose Down\nDROP TABLE note;",
        "00002_body": "ALTER TABLE note ADD body text;\n-- +goose Down\nDROP TABLE note;",
    }
    (tmp_path / "db/migrations").mkdir(parents=True)
    for name, text in made.items():
        path = tmp_path / f"db/migrations/{name}.sql"
        path.write_text(f"-- +goose Up\n{text}\n", encoding="utf-8")
    columns = "SELECT count(*) FROM pg_attribute WHERE attrelid = 'note'::regclass AND attnum > 0"
    with databases_of(tmp_path, reuse=False) as found:
        with lent(found) as whole:
            assert one(whole, columns) == 2
        with lent(found, State(at="1")) as earlier:
            assert one(earlier, columns) == 1
            assert found.migrate(earlier, "2") == 1
            assert one(earlier, columns) == 2


def test_what_belongs_to_the_database_survives_the_clone(tmp_path: Path) -> None:
    root = laid(tmp_path, {"sql/bootstrap/settings.sql": SETTINGS})
    with databases_of(root, reuse=False) as databases, lent(databases) as found:
        told = "SELECT datconnlimit || ' ' || datacl::text || ' ' || (SELECT count(*) FROM"
        told += " pg_db_role_setting AS s WHERE s.setdatabase = d.oid) FROM pg_database AS d"
        told = one(found, f"{told} WHERE datname = current_database()")
        assert told.startswith("7 ")
        assert "app=c/" in told
        assert told.endswith(" 2")
        assert one(found, "SHOW work_mem", role="app") == "9MB"
        assert one(found, "SHOW search_path") == "shop, public"


def test_an_empty_one_needs_no_files(databases: Databases, tmp_path: Path) -> None:
    with lent(databases, empty=True) as found:
        assert one(found, "SELECT to_regclass('note')") is None
        with found.database.connect(autocommit=True) as connection:
            connection.execute("CREATE SCHEMA mine")
    with databases_of(tmp_path) as others:
        with lent(others, empty=True) as found:
            assert one(found, "SELECT count(*) FROM pg_class WHERE oid > 16383") == 0
        with pytest.raises(MisuseError, match=r"there are no files in .*sql"):
            others.lend(State(), asked_by="a test")


def test_clones_are_made_ahead_and_dropped_behind(databases: Databases) -> None:
    with lent(databases) as other:
        before = clones(other)
    with lent(databases, upcoming=9) as first:
        assert within_20_s(lambda: len(clones(first) - before) == 3)
    for _ in range(20):
        with lent(databases, upcoming=9):
            pass
    with lent(databases) as last:
        assert within_20_s(lambda: len(clones(last) - before) < 8)


def test_nothing_is_made_that_nobody_will_ask_for(project: Path) -> None:
    before = threading.active_count()
    with databases_of(project) as databases, lent(databases) as only:
        assert clones(only) == {only.database.name}
        assert threading.active_count() == before


def clones(lent: Lent) -> set[str]:
    names = "SELECT array_agg(datname::text) FROM pg_database WHERE datname LIKE 'hk_test%'"
    return set(one(lent, names))


def within_20_s(is_so: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 20
    while not is_so():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


class TestTransaction:
    """`LentTransaction` and what a test does in it."""

    def test_what_was_done_is_gone_whatever_was_called(self, databases: Databases) -> None:
        _, connection = databases.transaction(State(), asked_by="a test")
        connection.execute("INSERT INTO note (body) VALUES ('kept')")
        connection.commit()
        connection.execute("INSERT INTO note (body) VALUES ('not kept')")
        connection.rollback()
        with pytest.raises(psycopg.errors.UndefinedTable):
            connection.execute("SELECT FROM nowhere")
        connection.commit()
        assert connection.execute("SELECT body FROM note").fetchall() == [("kept",)]
        connection.execute("SET search_path = nowhere")
        connection.end()

        _, again = databases.transaction(State(), asked_by="a test")
        assert again is connection
        assert again.execute("SELECT count(*) FROM note").fetchone() == (0,)
        again.end()

    @pytest.mark.parametrize("ended", ["COMMIT", "COMMIT; BEGIN", "ROLLBACK; BEGIN"])
    def test_one_that_was_ended_is_told_and_makes_way(
        self, databases: Databases, ended: str
    ) -> None:
        _, connection = databases.transaction(State(), asked_by="a test")
        connection.execute("INSERT INTO note (body) VALUES ('stays')")
        connection.execute(ended.encode())
        with pytest.raises(ProofFailed, match="ended the transaction"):
            connection.end()
        databases.spoilt(connection)

        _, other = databases.transaction(State(), asked_by="a test")
        assert other.execute("SELECT count(*) FROM note").fetchone() == (0,)
        other.end()


BROKEN = "CREATE TABLE note (id int);\nALTER TABLE note ADD CHECK (nothing > 0);"
UNREADABLE = "CREATE TABLE note (id int);\nCREATE TABEL other (id int);"
EXTENSION = "CREATE TABLE a (id int);\nCREATE EXTENSION vector;"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param(BROKEN, "0001_note.sql:2:", id="the server refuses it"),
        pytest.param(UNREADABLE, "0001_note.sql:2:8: syntax error", id="no parser reads it"),
        pytest.param(
            EXTENSION, "0001_note.sql:2:1: permission denied to create", id="superusers only"
        ),
    ],
)
def test_a_file_that_fails_is_told_in_full_once(tmp_path: Path, text: str, said: str) -> None:
    left_out = ("migrations/0002_length.sql", "migrations/0003_fill.sql", "views/long.sql")
    files = {f"sql/{name}": None for name in left_out}
    root = laid(tmp_path, {**files, "sql/migrations/0001_note.sql": text})
    with databases_of(root) as databases:
        with pytest.raises(HousekeepingError) as first:
            databases.lend(State(), asked_by="test_a.py::test_first")
        assert said in first.value.found
        if text is EXTENSION:
            assert "sql/bootstrap/" in first.value.fix
        with pytest.raises(HousekeepingError) as second:
            databases.lend(State(), asked_by="test_a.py::test_second")
        assert said in str(second.value)
        assert str(second.value).splitlines()[1:] == ["  told in full by test_a.py::test_first"]
        with lent(databases, empty=True) as empty:
            assert one(empty, "SELECT to_regclass('note')") is None
