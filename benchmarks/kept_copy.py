"""What it saves to keep the copy of production that a promotion is proved on.

A generated schema of N tables is dumped, and restored and proved: without keeping the copy, with
keeping it, and from what was kept. Run turn by turn, each on a server of its own. Prints medians;
exits with 1 where a kept copy is not half as dear, or keeping one adds too much.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from many_tables import ROLES, migrations
from side_by_side import show, verdict

from pytest_housekeeping.server import ServerSettings, StagingDatabase, start
from pytest_housekeeping.snapshot.copies import kept as kept_copy
from pytest_housekeeping.snapshot.copies.server import start_restore_server
from pytest_housekeeping.snapshot.copies.twin import Dumps, twin_of
from pytest_housekeeping.snapshot.dumps.around import dump_around
from pytest_housekeeping.snapshot.dumps.dump import dump_schema
from pytest_housekeeping.snapshot.dumps.roles import dump_roles
from pytest_housekeeping.snapshot.fingerprint import Fingerprint, read_fingerprint

_MAJOR = 16
_ALL_KEPT = kept_copy.WORTH_KEEPING
_NONE_KEPT = sys.maxsize
KEPT_LIMIT, KEEPING_LIMIT = 0.5, 1.4


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tables", type=int, default=400)
    options = parser.parse_args()
    seconds: dict[str, list[float]] = {"restored": [], "restored and kept": [], "kept before": []}
    with original(options.tables) as (database, conninfo), tempfile.TemporaryDirectory() as cache:
        place = Path(cache)
        os.environ["XDG_CACHE_HOME"] = str(place)
        with psycopg.connect(conninfo, autocommit=True) as connection:
            began = time.perf_counter()
            dumps = Dumps(
                schema=dump_schema(conninfo, server_major=_MAJOR),
                roles=dump_roles(connection),
                around=dump_around(connection),
            )
            show(f"{options.tables} tables dumped", [time.perf_counter() - began])
            expected = read_fingerprint(connection, exclude_schemas=())
        for _ in range(options.rounds):
            for path in place.rglob("kept-*"):
                path.unlink()
            for name, worth in zip(seconds, (_NONE_KEPT, _ALL_KEPT, _ALL_KEPT), strict=True):
                kept_copy.WORTH_KEEPING = worth
                seconds[name].append(_copied(dumps, expected, database.name))
    medians = {name: show(name, taken) for name, taken in seconds.items()}
    plain = medians["restored"]
    return max(
        verdict("a kept copy against a restored one", medians["kept before"] / plain, KEPT_LIMIT),
        verdict("with keeping it", medians["restored and kept"] / plain, KEEPING_LIMIT),
    )


@contextmanager
def original(tables: int) -> Iterator[tuple[StagingDatabase, str]]:
    """A database with the generated schema, and how it is reached."""
    server = start(ServerSettings(max_locks=tables * 20))
    try:
        database = server.database()
        with psycopg.connect(database.superuser_conninfo, autocommit=True) as connection:
            for role in ROLES:
                connection.execute(f"CREATE ROLE {role}".encode())
            for each in migrations(tables, 10):
                connection.execute(each.text.encode())
        yield database, database.superuser_conninfo
    finally:
        server.stop()


def _copied(dumps: Dumps, expected: Fingerprint, name: str) -> float:
    """Seconds from a server that has booted to a copy that is proved."""
    restore_server = start_restore_server(_MAJOR)
    try:
        restore_server.server.begun()
        began = time.perf_counter()
        with twin_of(
            dumps,
            expected,
            database=name,
            server_version="",
            restore_server=restore_server,
        ):
            return time.perf_counter() - began
    finally:
        restore_server.close()


if __name__ == "__main__":
    sys.exit(main())
