"""What readers and writers notice of 100 promotions: deadlocks, and for how long anybody waits.

Each promotion alters three tables in another order than the load uses them, through the batch's own
code: it is measured on a copy of the database, and applied with what that has shown, every second
one as if it took long, in the order of its files. Meanwhile
transactions read and write those tables, two or three in each and in any order; some hold one of
them for two seconds, so that attempts fail. A table that is altered too, but is only ever read by
single statements, shows what an application notices of a lock that it has nothing to do with; a
table that is not altered shows what the machine adds by itself.

Exits with 1 for a deadlock, for a promotion that is not in, and for a reader of the uncontended
table who has waited longer than one budget, the longest batch, and what the machine adds.
``--without`` promotes without the budget, to compare: each statement waits by itself.
"""

from __future__ import annotations

import argparse
import multiprocessing
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier, Event
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
from side_by_side import verdict

from pytest_housekeeping.config import Config, milliseconds
from pytest_housekeeping.errors import SqlFailed
from pytest_housekeeping.model import Kind, Mode, Phase, Step
from pytest_housekeeping.plan.modes import rules_of
from pytest_housekeeping.postgres.connection import connect
from pytest_housekeeping.postgres.locks.requests import ForeseenLocks
from pytest_housekeeping.promotion.target_connection import TargetConnection
from pytest_housekeeping.promotion.transaction.batch import Batch
from pytest_housekeeping.server import Server, ServerSettings, StagingDatabase, start
from pytest_housekeeping.sql import file as sqlfile

BUSY = [f"busy_{number}" for number in range(6)]
READERS, WRITERS, HOLDERS, ROWS = 4, 3, 1, 2000
_HELD_S = 2.0
_SCHEMA = "\n".join(
    f"CREATE TABLE {name} (id int PRIMARY KEY, n int NOT NULL DEFAULT 0, word text);"
    f" INSERT INTO {name} SELECT g, g, g FROM generate_series(1, {ROWS}) AS g;"
    for name in (*BUSY, "alone", "unaltered")
)


@dataclass
class Seen:
    """What one process has seen: seconds of its statements by kind, and errors by SQLSTATE."""

    seconds: dict[str, list[float]] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)


# -- the load, each in a process of its own -------------------------------------------------------


def read_busy(connection: psycopg.Connection[Any], seen: Seen, _: int) -> None:
    with connection.transaction():
        for table in random.sample(BUSY, random.randint(2, 3)):
            timed(connection, f"SELECT count(*) FROM {table} WHERE n > 100", seen, "busy")
            time.sleep(random.uniform(0, 0.01))


def write_busy(connection: psycopg.Connection[Any], seen: Seen, number: int) -> None:
    """Each writer has a row of its own: they wait for the promotion, and not for each other."""
    with connection.transaction():
        for table in random.sample(BUSY, random.randint(2, 3)):
            timed(connection, f"UPDATE {table} SET n = n + 1 WHERE id = {number + 1}", seen, "busy")
            time.sleep(random.uniform(0, 0.01))


def hold_busy(connection: psycopg.Connection[Any], seen: Seen, _: int) -> None:
    with connection.transaction():
        for table in random.sample(BUSY, 2):
            timed(connection, f"SELECT count(*) FROM {table}", seen, "busy")
            time.sleep(_HELD_S / 2)
    time.sleep(random.uniform(1, 3))


def read_alone(connection: psycopg.Connection[Any], seen: Seen, _: int) -> None:
    for table in ("alone", "unaltered"):
        timed(connection, f"SELECT n FROM {table} WHERE id = 7", seen, table)
    time.sleep(0.002)


def timed(connection: psycopg.Connection[Any], query: str, seen: Seen, kind: str) -> None:
    started = time.perf_counter()
    try:
        connection.execute(query.encode())
    finally:
        seen.seconds.setdefault(kind, []).append(time.perf_counter() - started)


Work = Callable[[psycopg.Connection[Any], Seen, int], None]


def worker(
    conninfo: str, work: Work, number: int, ready: Barrier, done: Event, told: Queue[Seen]
) -> None:
    seen = Seen()
    with psycopg.connect(conninfo, autocommit=True) as connection:
        ready.wait()
        while not done.is_set():
            try:
                work(connection, seen, number)
            except psycopg.Error as error:
                seen.errors.append(error.diag.sqlstate or str(error))
    told.put(seen)


@contextmanager
def load(conninfo: str) -> Iterator[list[Seen]]:
    """Under load; afterwards what was seen."""
    context = multiprocessing.get_context("spawn")
    done, told, found = context.Event(), context.Queue(), list[Seen]()
    jobs = [(read_busy, READERS), (write_busy, WRITERS), (hold_busy, HOLDERS), (read_alone, 2)]
    ready = context.Barrier(1 + sum(count for _, count in jobs))
    processes = [
        context.Process(target=worker, args=(conninfo, work, number, ready, done, told))
        for work, count in jobs
        for number in range(count)
    ]
    for process in processes:
        process.start()
    ready.wait()
    try:
        yield found
    finally:
        done.set()
        found += [told.get(timeout=60) for _ in processes]
        for process in processes:
            process.join()


# -- the promotions -------------------------------------------------------------------------------


class Plain:
    """A database as a target, without what stands around a promotion: backup, history, evidence."""

    def __init__(self, database: StagingDatabase) -> None:
        self.connection = TargetConnection(lambda: connect(database.migrator_conninfo))

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_, **__: None


def texts_of(number: int) -> dict[str, str]:
    """Three files, of tables in an order of their own, the uncontended one among them."""
    first, second = random.sample(BUSY, 2)
    return {
        "0001_first.sql": f"ALTER TABLE {first} ADD COLUMN p{number} int DEFAULT 7",
        "0002_alone.sql": f"ALTER TABLE alone ADD COLUMN p{number} int;"
        f" ALTER TABLE alone DROP COLUMN p{number}",
        "0003_second.sql": f"ALTER TABLE {second} ADD CONSTRAINT p{number} CHECK (n > -7);"
        f" CREATE INDEX ON {second} (n); ALTER TABLE {second} DROP CONSTRAINT p{number}",
    }


def batch_of(
    texts: Mapping[str, str], database: StagingDatabase, config: Config, **more: Any
) -> Batch:
    files = {
        path: sqlfile.from_text(path, Kind.MIGRATION, text, path) for path, text in texts.items()
    }
    context: Any = SimpleNamespace(
        config=config,
        rules=rules_of(Mode.PROD),
        options=SimpleNamespace(records_only=False),
        plan=SimpleNamespace(rollbacks=SimpleNamespace(ends=())),
        files=SimpleNamespace(of=lambda step: files[step.path], text=lambda file: texts[file.path]),
    )
    target: Any = Plain(database)
    return Batch(context=context, target=target, **more)


def steps_of(texts: Mapping[str, str]) -> list[Step]:
    return [
        Step(id=f"{path}::apply", phase=Phase.APPLY, kind=Kind.MIGRATION, path=path, segment=1)
        for path in texts
    ]


def promote(batch: Batch, texts: Mapping[str, str]) -> tuple[dict[str, Any], float]:
    """What each file has done, and for how long writers had to wait at the last attempt."""
    done = {step.path: batch.apply(step) for step in steps_of(texts)}
    transaction = batch.opened()
    transaction.seal()
    transaction.prove()
    transaction.connection.execute("COMMIT")
    held = transaction.locks.held_s
    batch.committed()
    batch.target.connection.close()
    return done, held


def measured(texts: Mapping[str, str], copy: StagingDatabase, config: Config) -> ForeseenLocks:
    done, _ = promote(batch_of(texts, copy, config, measured=True), texts)
    return ForeseenLocks(
        by_file={(path, path): applied.locks for path, applied in done.items()},
        read_through=tuple({scan.relation for each in done.values() for scan in each.scans}),
        seconds=sum(each.duration_s for each in done.values()),
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--promotions", type=int, default=100)
    parser.add_argument("--without", action="store_true")
    options = parser.parse_args()
    config = Config(root=Path.cwd(), lock_timeout="5s" if options.without else "500ms")
    server = start(ServerSettings())
    try:
        return _measured(server, config, options.promotions, without=options.without)
    finally:
        server.stop()


def _measured(server: Server, config: Config, promotions: int, *, without: bool) -> int:
    live, copy = server.database(), server.database()
    for database in (live, copy):
        with connect(database.migrator_conninfo) as connection:
            connection.execute(_SCHEMA.encode())
    tries, held, failed = [], [], 0
    started = time.perf_counter()
    with load(live.migrator_conninfo) as found:
        for number in range(promotions):
            texts = texts_of(number)
            known = measured(texts, copy, config)
            if number % 2:  # as if it had taken long: asked for file by file
                known = replace(known, seconds=float("inf"))
            batch = batch_of(texts, live, config)
            batch.locks = None if without else lambda _, known=known: known
            try:
                held.append(promote(batch, texts)[1])
            except SqlFailed as error:
                failed += 1
                print(error.found)
            tries.append(1 + len(batch.progress.conflicts))
    took = time.perf_counter() - started
    with connect(live.superuser_conninfo) as connection:
        row = connection.execute(
            "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
        ).fetchone()
    deadlocks = row[0] if row else promotions
    return _told(
        found, tries, held, failed, deadlocks, took, milliseconds(config.lock_timeout) / 1000
    )


def _told(
    found: list[Seen],
    tries: list[int],
    held: list[float],
    failed: int,
    deadlocks: int,
    took: float,
    budget: float,
) -> int:
    errors = [error for seen in found for error in seen.errors]
    waits = {
        kind: sorted(s for seen in found for s in seen.seconds.get(kind, ()))
        for kind in ("busy", "alone", "unaltered")
    }
    print(f"{len(tries)} promotions in {took:.0f} s, {sum(tries)} attempts, at most {max(tries)}")
    print(
        f"locks held at the last attempt: median {statistics.median(held):.3f} s,"
        f" at most {max(held):.3f} s"
    )
    for kind, each in waits.items():
        print(
            f"statements on {kind:12} {len(each):7}, half below {statistics.median(each):.4f} s,"
            f" 99 % below {each[int(0.99 * len(each))]:.3f} s, longest {each[-1]:.3f} s"
        )
    limit = budget + max(held) + waits["unaltered"][-1]
    return max(
        verdict("deadlocks", deadlocks + errors.count("40P01"), 0, ""),
        verdict("errors of readers and writers", len(errors), 0, ""),
        verdict("promotions that are not in", failed, 0, ""),
        verdict("longest wait at the uncontended table", waits["alone"][-1], limit, "s"),
    )


if __name__ == "__main__":
    sys.exit(main())
