"""What the promotion of a fleet takes, against ``psql -1`` of the same file on all of it in turn.

A server with so many databases of 40 tables each, with settings of their own so that they are three
groups; one file is pending in all. Timed are ``--hk-mode=plan`` of one database, which is
what a rehearsal of a group takes, ``psql`` on all of them, and the fleet with ``-n 2``. Prints the
ratio to ``psql`` and one rehearsal a group, and what processors a database takes.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import time
from pathlib import Path

from many_tables import ROLES, commit_all, write_files, write_project
from psycopg.conninfo import conninfo_to_dict
from sandboxed import pytest_in
from side_by_side import Taken, measured, plain_environment, scratch, used_below, verdict

from pytest_housekeeping.postgres.connection import LentConnection, connect
from pytest_housekeeping.server import ServerSettings, start

LIMIT = 1.5
_TABLES = 40
_GROUPS = 3
_SETTINGS = """[tool.housekeeping]
lint = false
require_staging_evidence = false
[tool.housekeeping.fleet.shops]
databases = "shops.txt"
"""
_CHANGE = "ALTER TABLE work.t1 ADD COLUMN note text;\n"
_PASSWORD = "only-a-benchmark"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--databases", type=int, default=200)
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    names = [f"shop{number:03}" for number in range(options.databases)]
    with scratch("hk-fleet-") as folder:
        project = write_project(folder / "project", tables=_TABLES)
        write_files(
            project,
            {"pyproject.toml": _SETTINGS, "shops.txt": "".join(f"{name}\n" for name in names)},
        )
        commit_all(project, "a fleet")
        server = start(ServerSettings())
        try:
            found = conninfo_to_dict(server.database().superuser_conninfo)
            place = {name: str(value) for name, value in found.items()}
            login = _prepared(place, names, folder)
            _change_by_hand(place, names)
            seconds = _promoted(project, login, options.processes)
            print(f"the first promotion of {len(names)}: {seconds:.1f} s")
            write_files(project, {"sql/migrations/9000_note.sql": _CHANGE})
            commit_all(project, "one file more")
            by_hand = _by_psql(place, names, folder)
            one = [f"--hk-target=shops/{names[-1]}", "--hk-mode=plan"]
            rehearsal = measured(pytest_in(project, *one, environment=login))
            postmaster = _postmaster(place)
            used = used_below(postmaster)
            seconds = _promoted(project, login, options.processes)
            used = used_below(postmaster) - used
        finally:
            server.stop()
    floor = by_hand + _GROUPS * rehearsal
    print(f"psql -1 in turn: {by_hand:.1f} s; a rehearsal: {rehearsal:.1f} s; {seconds:.1f} s")
    each = (seconds.processor - _GROUPS * rehearsal.processor) / len(names)
    print(f"a database besides its server, processors: {each:.3f} s")
    print(f"a database on its server, processors: {used / len(names):.3f} s")
    return verdict(f"a fleet of {len(names)}", seconds / floor, LIMIT, " x psql and rehearsals")


def _prepared(place: dict[str, str], names: list[str], folder: Path) -> dict[str, str]:
    """The roles and the databases, and the variables that lead to them."""
    with _superuser(place, place["dbname"]) as connection:
        for role in ROLES:
            connection.execute(f"CREATE ROLE {role} LOGIN NOSUPERUSER NOBYPASSRLS".encode())
        connection.execute(
            f"CREATE ROLE promoter LOGIN NOSUPERUSER NOBYPASSRLS PASSWORD '{_PASSWORD}'".encode()
        )
        connection.execute(f"GRANT {', '.join(ROLES)} TO promoter".encode())
        for name in names:
            connection.execute(f"CREATE DATABASE {name} OWNER promoter".encode())
    own = {"XDG_CACHE_HOME": str(folder / "cache"), "XDG_STATE_HOME": str(folder / "state")}
    return own | {
        "PGHOST_SHOPS": place["host"],
        "PGPORT_SHOPS": str(place["port"]),
        "PGUSER_SHOPS": "promoter",
        "PGPASSWORD_SHOPS": _PASSWORD,
    }


def _change_by_hand(place: dict[str, str], names: list[str]) -> None:
    """Two of three groups have a setting of the database's own: no drift of the schema itself."""
    for number, name in enumerate(names):
        if number % _GROUPS:
            statement = f"ALTER DATABASE {name} SET work_mem = '{number % _GROUPS + 7}MB'"
            with _superuser(place, place["dbname"]) as connection:
                connection.execute(statement.encode())


def _superuser(place: dict[str, str], database: str) -> LentConnection:
    return connect(f"host={place['host']} port={place['port']} user=postgres dbname={database}")


def _postmaster(place: dict[str, str]) -> int:
    """The process of the server itself."""
    with _superuser(place, place["dbname"]) as connection:
        (folder,) = connection.execute(b"SHOW data_directory").fetchone() or ("",)
    return int(Path(folder, "postmaster.pid").read_text(encoding="utf-8").split()[0])


def _by_psql(place: dict[str, str], names: list[str], folder: Path) -> float:
    """Seconds for the file on each database, which is taken back then."""
    file = folder / "change.sql"
    file.write_text(_CHANGE, encoding="utf-8")
    psql = shutil.which("psql") or "psql"
    started = time.perf_counter()
    for name in names:
        where = ["-h", place["host"], "-p", str(place["port"]), "-U", "postgres", "-d", name]
        subprocess.run(
            [psql, "-X", "-q", "-1", "-v", "ON_ERROR_STOP=1", *where, "-f", str(file)],
            check=True,
            env=plain_environment(),
        )
    seconds = time.perf_counter() - started
    for name in names:
        with _superuser(place, name) as connection:
            connection.execute(b"ALTER TABLE work.t1 DROP COLUMN note")
    return seconds


def _promoted(project: Path, login: dict[str, str], processes: int) -> Taken:
    """Seconds of the whole fleet."""
    words = ["--hk-mode=prod", "--hk-fleet=shops", "--hk-confirm=PROMOTE", "-n", str(processes)]
    return measured(pytest_in(project, *words, environment=login))


if __name__ == "__main__":
    sys.exit(main())
