"""What a promotion of one ADD COLUMN costs in a database of N tables: under lock, and as a whole.

A generated project is promoted to a production of its own; then, in each round, one file is, whose
only statement takes a millisecond.

- Under lock: from its first strong lock to the end of its COMMIT, less what the same statement and
  COMMIT take by psql, against one ``pg_dump --schema-only`` of the same database.
- As a whole: the process, against that dump, a restore of it by psql and the file by psql. Cold is
  the first look at this schema; warm follows upon a watch, which has left the same copy.
- A plan of it: the process, against the same by hand; cold, and once more.

Medians; exits with 1 above a limit.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from many_tables import (
    FILE_OF,
    ROLES,
    bootstrap,
    commit_all,
    migrations,
    write_files,
    write_project,
)
from sandboxed import production, pytest_in
from side_by_side import measured, plain_environment, scratch, verdict

from pytest_housekeeping.postgres.connection import connect
from pytest_housekeeping.server import Server, ServerSettings, start
from pytest_housekeeping.snapshot.dumps.programs import find_pg_dump

# A first promotion of so many files is not what is measured, and has no evidence of staging.
_SETTINGS = "[tool.housekeeping]\nlint = false\nrequire_staging_evidence = false\n"
_MAJOR = 16
# What a server's lock table holds as it comes.
_AT_ONCE = 400
_LIMITS = {400: 0.25, 1600: 0.15, 10000: 0.1}
_WHOLE = {"cold": 2.5, "warm": 1.5, "plan cold": 2.0, "plan warm": 1.2}
_KINDS = ("cold", "warm", "plan")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", type=int, nargs="+", default=[400, 1600])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--in-place", action="store_true", help="prove under the lock, to compare")
    options = parser.parse_args()
    codes = [_measured(tables, options.rounds, options.in_place) for tables in options.tables]
    return max(codes)


def _measured(tables: int, rounds: int, in_place: bool) -> int:
    with scratch("hk-under-lock-") as folder:
        project = write_project(folder / "project", tables=min(tables, _AT_ONCE))
        write_files(project, {"pyproject.toml": _SETTINGS})
        commit_all(project, "no evidence of staging is asked for")
        found: dict[str, list[float]] = {kind: [] for kind in ("lock", *_WHOLE)}
        with production(folder, project) as login, _server_at_hand() as server:
            _promoted(project, login)
            _grown(project, login, tables)
            for number in range(rounds):
                for kind in _KINDS:
                    round_ = f"{number}{kind}"
                    _add_file(project, number, kind)
                    if kind == "warm":
                        measured(pytest_in(project, "--hk-mode=verify", environment=login))
                    dumped, by_hand = _by_hand(login, server)
                    for planned in ("plan cold", "plan warm") if kind == "plan" else ():
                        took = measured(pytest_in(project, "--hk-mode=plan", environment=login))
                        found[planned].append(took / by_hand)
                    wall, held = _promoted(project, login, in_place=in_place)
                    own = _by_psql(login, f"ALTER TABLE work.t1 ADD COLUMN psql{round_} text")
                    _by_psql(login, f"ALTER TABLE work.t1 DROP COLUMN psql{round_}")
                    if kind != "plan":
                        found["lock"].append((held - own) / dumped)
                        found[kind].append(wall / (by_hand + own))
    limits = _WHOLE | {"lock": _LIMITS.get(tables, 0.25)}
    return max(
        verdict(
            f"{kind}, {tables} tables",
            statistics.median(each),
            limits[kind],
            " x pg_dump" if kind == "lock" else " x by hand",
        )
        for kind, each in found.items()
    )


def _grown(project: Path, login: dict[str, str], tables: int) -> None:
    """The rest of the tables, so many in each promotion."""
    for size in range(2 * _AT_ONCE, tables + _AT_ONCE, _AT_ONCE):
        files = migrations(min(size, tables), FILE_OF)
        write_files(project, {f"sql/migrations/{each.name}.sql": each.text for each in files})
        commit_all(project, f"{size} tables")
        _promoted(project, login)


@contextmanager
def _server_at_hand() -> Iterator[Server]:
    """A server with the roles of the project, to restore on by hand."""
    server = start(ServerSettings())
    try:
        database = server.database()
        with connect(database.superuser_conninfo) as connection:
            for role in ROLES:
                connection.execute(bootstrap(role).encode())
        yield server
    finally:
        server.stop()


def _add_file(project: Path, number: int, kind: str) -> None:
    name = f"{9000 + len(_KINDS) * number + _KINDS.index(kind)}_note"
    text = f"ALTER TABLE work.t1 ADD COLUMN note_{number}_{kind} text;\n"
    write_files(project, {f"sql/migrations/{name}.sql": text})
    commit_all(project, name)


def _promoted(
    project: Path, login: dict[str, str], *, in_place: bool = False
) -> tuple[float, float]:
    """Promote what is pending: seconds of the whole run, and for how many others had to wait."""
    options = ["--hk-mode=prod", "--hk-confirm=PROMOTE", *["--hk-in-place"] * in_place]
    wall = measured(pytest_in(project, *options, environment=login))
    audits = sorted((project / "ops" / "audit").glob("prod_*.json"))
    newest = max(audits, key=lambda path: path.stat().st_mtime)
    return wall, float(json.loads(newest.read_text(encoding="utf-8"))["run"]["locks_held_s"])


def _libpq(login: dict[str, str]) -> dict[str, str]:
    return plain_environment() | {
        name.removesuffix("_PROD"): value for name, value in login.items() if name[:2] == "PG"
    }


def _by_hand(login: dict[str, str], server: Server) -> tuple[float, float]:
    """Seconds of a dump, and of that and its restore into a new database of a server at hand."""
    program = find_pg_dump(_MAJOR)
    started = time.perf_counter()
    dump = subprocess.run(
        [str(program), "--schema-only"], env=_libpq(login), check=True, capture_output=True
    ).stdout
    dumped = time.perf_counter() - started
    database = server.database()
    begun = time.perf_counter()
    subprocess.run(
        [str(program.with_name("psql")), "-Xq", "-o", "/dev/null", database.superuser_conninfo],
        env=plain_environment(),
        input=dump,
        check=True,
    )
    restored = time.perf_counter() - begun
    server.drop(database)
    return dumped, dumped + restored


def _by_psql(login: dict[str, str], statement: str) -> float:
    """How long the server takes for the statement and its COMMIT, as psql has timed it."""
    script = f"\\timing on\nBEGIN;\n{statement};\nCOMMIT;\n"
    done = subprocess.run(
        [str(find_pg_dump(_MAJOR).with_name("psql")), "-X", "-v", "ON_ERROR_STOP=1"],
        input=script,
        env=_libpq(login),
        check=True,
        capture_output=True,
        text=True,
    )
    times = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("Time:")]
    return sum(float(each) for each in times) / 1000


if __name__ == "__main__":
    sys.exit(main())
