"""Tests with a database each: hk_database and hk_transaction against what is written by hand.

Every test inserts a row and reads it. All servers are the embedded one with the same settings, in
memory, and each suite is a whole run of pytest, turn by turn with the others. Exits with 1 where a
figure is above its limit.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Mapping
from pathlib import Path

from side_by_side import Command, pytest_command, scratch, show, turn_by_turn, verdict

_TEST = """
import psycopg
import pytest

@pytest.mark.parametrize("n", range({tests}))
def test_a_row({fixture}, n):
    {with_}
        connection.execute("INSERT INTO t0 (id, name) VALUES (%s, 'x')", (n,))
        assert connection.execute("SELECT name FROM t0").fetchall() == [("x",)]
"""
_SERVER = """
import psycopg
import pytest
from pathlib import Path
from pytest_housekeeping.server import ServerSettings, start

SQL = Path(__file__).with_name("sql") / "migrations" / "0001_tables.sql"

@pytest.fixture(scope="session")
def server():
    running = start(ServerSettings())
    running.database()
    yield running
    running.stop()
"""
_BARE = """
@pytest.fixture(scope="session")
def admin(server):
    cluster = server.cluster()
    with psycopg.connect(cluster.conninfo("template1"), autocommit=True) as connection:
        connection.execute("CREATE DATABASE made")
        with psycopg.connect(cluster.conninfo("made")) as made:
            made.execute(SQL.read_text())
        yield connection

@pytest.fixture
def url(server, admin):
    admin.execute("CREATE DATABASE bare TEMPLATE made")
    yield server.cluster().conninfo("bare")
    admin.execute("DROP DATABASE bare WITH (FORCE)")
"""
_THEIRS = '''
from pytest_postgresql import factories

@pytest.fixture(scope="session")
def place(server):
    """A process fixture that is there already."""
    class Place:
        host, port, user = server.cluster().host, server.cluster().port, "postgres"
        password, options, template_dbname, maintenance_dbname = None, "", None, "template1"
    return Place

schema = factories.postgresql_noproc(depends_on="place", dbname="theirs", load=[SQL])
postgresql = factories.postgresql("schema")
'''
_BY_HAND = """
@pytest.fixture(scope="session")
def opened(server):
    with psycopg.connect(server.database().superuser_conninfo) as connection:
        connection.execute(SQL.read_text())
        connection.commit()
        yield connection

@pytest.fixture
def rows(opened):
    yield opened
    opened.rollback()
"""
_CONNECTS = "with psycopg.connect({}) as connection:"
_HAS = "for connection in [{}]:"
_ON = {
    "hk_database": ("", "hk_database", _CONNECTS.format("hk_database.url")),
    "hk_transaction": ("", "hk_transaction", _HAS.format("hk_transaction")),
    "bare": (_SERVER + _BARE, "url", _CONNECTS.format("url")),
    "pytest_postgresql": (_SERVER + _THEIRS, "postgresql", _HAS.format("postgresql")),
    "by_hand": (_SERVER + _BY_HAND, "rows", _HAS.format("rows")),
}
BESIDE_BARE, BESIDE_THEIRS, BESIDE_HAND, FIRST_MS, SPREAD = 1.2, 0.7, 1.15, 400.0, 1.6


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tests", type=int, default=500)
    parser.add_argument("--tables", type=int, nargs="+", default=[50, 400])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--first", type=int, default=15, help="rounds of a single test")
    parser.add_argument("--workers", type=int, default=5, help="runs with -n 4")
    asked = parser.parse_args()
    failed = 0
    for tables in asked.tables:
        print(f"{tables} tables, {asked.tests} tests", flush=True)
        with scratch("hk-tests-") as folder:
            suites = {name: _suite(folder / name, name, tables, asked.tests) for name in _ON}
            failed += _ratios(suites, asked.rounds)
            failed += _first(folder, tables, asked.first)
            failed += _spread(suites["hk_database"], asked.workers)
    return int(failed > 0)


def _ratios(suites: Mapping[str, Path], rounds: int) -> int:
    commands = {name: _command(folder) for name, folder in suites.items()}
    seconds = turn_by_turn(commands, rounds)
    medians = {name: show(name, taken) for name, taken in seconds.items()}
    ours, rows = medians["hk_database"], medians["hk_transaction"]
    return (
        verdict("hk_database / bare", ours / medians["bare"], BESIDE_BARE)
        + verdict(
            "hk_database / pytest-postgresql", ours / medians["pytest_postgresql"], BESIDE_THEIRS
        )
        + verdict("hk_transaction / by hand", rows / medians["by_hand"], BESIDE_HAND)
    )


def _first(folder: Path, tables: int, rounds: int) -> int:
    one = _suite(folder / "one", "hk_database", tables, 1)
    empty = _suite(folder / "empty", "hk_database", tables, 1)
    (empty / "test_rows.py").write_text("def test_nothing():\n    pass\n", encoding="utf-8")
    seconds = turn_by_turn({"empty": _command(empty), "one": _command(one)}, rounds)
    show("an empty test", seconds["empty"])
    show("the first test of a warm run", seconds["one"])
    pairs = zip(seconds["empty"], seconds["one"], strict=True)
    added = statistics.median(after - before for before, after in pairs) * 1000
    return verdict("the first test adds (median of the pairs)", added, FIRST_MS, "ms")


def _spread(folder: Path, runs: int) -> int:
    """Each run of four workers ends without an error, or `measured` ends this."""
    seconds = turn_by_turn({"1": _command(folder, "-n1"), "4": _command(folder, "-n4")}, runs)
    one, four = (show(f"-n {workers}", seconds[workers]) for workers in ("1", "4"))
    print(f"{'-n 4 / -n 1, in tests a second':44} {one / four:8.2f} x   (at least {SPREAD:g})")
    return int(one / four < SPREAD)


def _suite(folder: Path, name: str, tables: int, tests: int) -> Path:
    setup, fixture, with_ = _ON[name]
    (folder / "sql" / "migrations").mkdir(parents=True)
    (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    (folder / "sql/migrations/0001_tables.sql").write_text(_tables(tables), encoding="utf-8")
    text = setup + _TEST.format(tests=tests, fixture=fixture, with_=with_)
    (folder / "test_rows.py").write_text(text, encoding="utf-8")
    return folder


def _tables(number: int) -> str:
    made = ["CREATE TABLE t0 (id int PRIMARY KEY, name text NOT NULL);"]
    made += [
        f"CREATE TABLE t{n} (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text,"
        f" other int REFERENCES t0 (id), made timestamptz DEFAULT now(), UNIQUE (name, other));"
        for n in range(1, number)
    ]
    return "\n".join(made)


def _command(folder: Path, *options: str) -> Command:
    quiet = ("-p", "no:cacheprovider", "-p", "no:randomly", "-p", "no:anyio", "-p", "no:django")
    return pytest_command(folder, *quiet, *options)


if __name__ == "__main__":
    sys.exit(main())
