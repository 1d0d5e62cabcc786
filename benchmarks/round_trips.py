"""How long the round trips of rollback files take, against apply, undo, apply by psql.

A file makes one table. psql applies all files, undoes them and applies them again, in one
transaction; the round trips go down and up in the transaction of a staging run, each file applied,
undone and applied again, and the schema compared each time. Both turn by turn, on databases of
their own; what counts is processor time, of this process and of the server. Exits with 1 above the
limit.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psycopg
from many_tables import ROLES, MigrationFile, bootstrap, migrations
from side_by_side import plain_environment, scratch, show, used_below, verdict

from pytest_housekeeping.checks.rollbacks.round_trip import prove_round_trips
from pytest_housekeeping.checks.rollbacks.round_trip_input import RoundTripInput
from pytest_housekeeping.config import Config
from pytest_housekeeping.model import Kind
from pytest_housekeeping.plan.rollback_files import RollbackLink
from pytest_housekeeping.postgres.connection import connect
from pytest_housekeeping.postgres.transaction import begin
from pytest_housekeeping.server import Server, ServerSettings, StagingDatabase, start
from pytest_housekeeping.snapshot.coverage import Around
from pytest_housekeeping.snapshot.dumps.programs import find_pg_dump
from pytest_housekeeping.snapshot.fingerprint import read_fingerprint
from pytest_housekeeping.sql import file as sqlfile
from pytest_housekeeping.sql.file import SqlFile
from pytest_housekeeping.sql.text import digest

LIMIT = 4.0
_Work = Callable[[StagingDatabase, list[MigrationFile]], float]
_AROUND = Around.DATABASE | Around.SERVER
_EXCLUDED = ("housekeeping",)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, nargs="+", default=[100, 400])
    parser.add_argument("--rounds", type=int, default=1)
    options = parser.parse_args()
    # A transaction keeps each lock that it took, also on what it has dropped.
    server = start(ServerSettings(version=16, max_locks=4096))
    try:
        return max(_measured(server, files, options.rounds) for files in options.files)
    finally:
        server.stop()


def _measured(server: Server, count: int, rounds: int) -> int:
    files = list(migrations(count, per_file=1))
    psql, trips = [], []
    for _ in range(rounds):
        psql.append(_on_its_own(server, files, _by_psql))
        trips.append(_on_its_own(server, files, _round_trips))
    ratio = show(f"round trips, {count} files", trips) / show("apply, undo, apply by psql", psql)
    return verdict(f"round trips, {count} files", ratio, LIMIT)


def _on_its_own(server: Server, files: list[MigrationFile], work: _Work) -> float:
    database = server.database()
    with psycopg.connect(database.superuser_conninfo, autocommit=True) as superuser:
        for role in ROLES:
            superuser.execute(bootstrap(role).encode())
    seconds = work(database, files)
    server.drop(database)
    return seconds


def _by_psql(database: StagingDatabase, files: list[MigrationFile]) -> float:
    applied = [each.text for each in files]
    undone = [each.undo for each in reversed(files)]
    with scratch("hk-round-trips-") as folder:
        script = folder / "all.sql"
        script.write_text("".join([*applied, *undone, *applied]), encoding="utf-8")
        program = str(find_pg_dump(16).with_name("psql"))
        started = used_below(os.getpid())
        subprocess.run(
            [
                program,
                "-Xq1",
                "-v",
                "ON_ERROR_STOP=1",
                "-f",
                str(script),
                "-d",
                database.migrator_conninfo,
            ],
            env=plain_environment(),
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        return used_below(os.getpid()) - started


def _round_trips(database: StagingDatabase, files: list[MigrationFile]) -> float:
    texts: dict[str, str] = {}

    def known(path: str, kind: Kind, text: str) -> SqlFile:
        file = sqlfile.from_text(path, kind, text, digest(f"{path} {text}".encode()))
        texts[file.sha256] = text
        return file

    links = [
        RollbackLink(
            migration=known(f"sql/migrations/{each.name}.sql", Kind.MIGRATION, each.text),
            rollback=known(f"sql/rollback/{each.name}.sql", Kind.ROLLBACK, each.undo),
            pending=True,
        )
        for each in files
    ]
    connection = connect(database.migrator_conninfo)
    before = read_fingerprint(connection, exclude_schemas=_EXCLUDED, around=_AROUND)
    transaction = begin(connection, Config(root=Path.cwd()))
    for link in links:
        transaction.apply(link.migration, texts[link.migration.sha256])
    connection.execute("SAVEPOINT there")
    given = RoundTripInput(
        links=links[::-1],
        repeatables=[],
        read_text=lambda file: texts[file.sha256],
        schema_before_batch=before,
        excluded_schemas=_EXCLUDED,
        around=_AROUND,
    )
    started = used_below(os.getpid())
    verdicts = prove_round_trips(transaction, given)
    seconds = used_below(os.getpid()) - started
    connection.execute("ROLLBACK")
    connection.close()
    wrong = [step for step, each in verdicts.items() if not each.passed]
    if wrong or len(verdicts) != len(files) + 1:
        sys.exit(f"not proved: {wrong[:3]}")
    return seconds


if __name__ == "__main__":
    sys.exit(main())
