"""How long the schema is read while a promotion holds its locks, against one ``pg_dump`` of it.

One column is added to one table of many; then the schema is read twice, as before the checks and
before COMMIT. Turn by turn with ``pg_dump --schema-only``. Told beside it is what a full reading
costs, and the reading behind BEGIN, when nothing is locked yet. Exits with 1 above the limits.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable

import psycopg
from many_tables import ROLES, bootstrap, migrations
from side_by_side import show, verdict

from pytest_housekeeping.postgres.connection import Connection
from pytest_housekeeping.server import Server, ServerSettings, start
from pytest_housekeeping.snapshot.catalog.statements import Scope
from pytest_housekeeping.snapshot.coverage import Around
from pytest_housekeeping.snapshot.dumps.dump import dump_schema
from pytest_housekeeping.snapshot.reading_again.schema_reader import SchemaReader

_MAJOR = 16
_LIMITS = {400: 0.25, 1600: 0.15, 10000: 0.1}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", type=int, nargs="+", default=[400, 1600])
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    server = start(ServerSettings(version=_MAJOR, max_locks=4096))
    try:
        return max(_measured(server, tables, options.rounds) for tables in options.tables)
    finally:
        server.stop()


def _measured(server: Server, tables: int, rounds: int) -> int:
    database = server.database()
    seconds: dict[str, list[float]] = {}

    def timed(name: str, work: Callable[..., object], *given: object, **more: object) -> None:
        started = time.perf_counter()
        work(*given, **more)
        seconds.setdefault(name, []).append(time.perf_counter() - started)

    with psycopg.connect(
        database.superuser_conninfo, autocommit=True, prepare_threshold=None
    ) as connection:
        _filled(connection, tables)
        for number in range(rounds):
            reader = SchemaReader(scope=Scope(excluded=(), around=Around.ALL))
            timed("full", reader.read, connection)
            reader.plan_ahead(connection)
            timed("pg_dump", dump_schema, database.superuser_conninfo, server_major=_MAJOR)
            connection.execute("BEGIN")
            timed("behind BEGIN", reader.read, connection)
            connection.execute(f"ALTER TABLE work.t1 ADD COLUMN note{number} text".encode())
            timed("before the checks", reader.read, connection)
            timed("before COMMIT", reader.read, connection)
            connection.execute("ROLLBACK")
    server.drop(database)
    print(f"{tables} tables")
    for name, taken in seconds.items():
        show(f"  {name}", taken)
    under_lock = map(sum, zip(seconds["before the checks"], seconds["before COMMIT"], strict=True))
    ratio = statistics.median(under_lock) / statistics.median(seconds["pg_dump"])
    limit = _LIMITS.get(tables, 0.25)
    return verdict(f"read under lock, {tables} tables", ratio, limit, "x pg_dump")


def _filled(connection: Connection, tables: int) -> None:
    for role in ROLES:
        connection.execute(bootstrap(role).encode())
    for file in migrations(tables, per_file=50):
        connection.execute(file.text.encode())
    connection.execute("VACUUM ANALYZE")


if __name__ == "__main__":
    sys.exit(main())
