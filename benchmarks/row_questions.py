"""What it costs to ask production's rows, beside ``pg_dump --schema-only`` of the same database.

All of it is before the batch, and nobody waits for it: both readings of the copy, the questions of
a batch that changes every tenth table in three ways, and asking them of tables with a few rows.
Exits with 1 where the readings and the questions cost more than two dumps.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable

import psycopg

from pytest_housekeeping.checks.rows.asking import NotChecked, ask
from pytest_housekeeping.checks.rows.demands import BatchTexts, questions_of
from pytest_housekeeping.checks.rows.read_catalog import read_row_catalog
from pytest_housekeeping.postgres.connection import Connection
from pytest_housekeeping.server import ServerSettings, start
from pytest_housekeeping.snapshot.dumps.dump import dump_schema

ROUNDS = 3
LIMIT = 2.0
_TABLES = """
DO $$ BEGIN
    FOR i IN 1..{tables} LOOP
        EXECUTE format('CREATE TABLE big.t%1$s (id int PRIMARY KEY, up int REFERENCES big.t%1$s,
            a text, b int DEFAULT 1 CHECK (b > 0), c timestamptz DEFAULT now(), d numeric(12, 2),
            e varchar(20), f jsonb)', i);
        EXECUTE format('CREATE INDEX ON big.t%1$s (up)', i);
        EXECUTE format('INSERT INTO big.t%1$s (id, a) SELECT g, g FROM generate_series(1, 9) g', i);
        IF i % 500 = 0 THEN COMMIT; END IF;
    END LOOP;
END $$
"""
_CHANGE = """
ALTER TABLE big.t{i} ALTER COLUMN a SET NOT NULL;
ALTER TABLE big.t{i} ADD CHECK (b < 9);
ALTER TABLE big.t{i} ADD UNIQUE (a, up);
"""


def main(tables: str = "1600", version: str = "16") -> int:
    major, count = int(version), int(tables)
    batch = "".join(_CHANGE.format(i=i) for i in range(10, count + 1, 10))
    server = start(ServerSettings(version=major, max_locks=2048))
    dumps, made, asked, questions = [], [], [], 0
    try:
        database = server.database()
        with psycopg.connect(database.superuser_conninfo, autocommit=True) as connection:
            connection.execute("CREATE SCHEMA big")
            connection.execute(_TABLES.format(tables=count).encode())
            for _ in range(ROUNDS):
                dumps.append(
                    _seconds(lambda: dump_schema(database.superuser_conninfo, server_major=major))
                )
                made_s, asked_s, questions = _round(connection, batch)
                made.append(made_s)
                asked.append(asked_s)
    finally:
        server.stop()
    dump, reading = statistics.median(dumps), statistics.median(made)
    ratio = reading / dump
    print(f"{tables} tables, {questions} questions")
    print(f"pg_dump {dump:.2f} s, two readings and the questions {reading:.2f} s")
    print(f"asking {statistics.median(asked):.2f} s; made / pg_dump: {ratio:.2f} (limit {LIMIT})")
    return ratio > LIMIT


def _round(connection: Connection, batch: str) -> tuple[float, float, int]:
    """Seconds for what is made and for what is asked, and how many questions."""
    connection.execute("BEGIN")
    started = time.perf_counter()
    before = read_row_catalog(connection, excluded=())
    reading = time.perf_counter() - started
    connection.execute(batch.encode())
    started = time.perf_counter()
    after = read_row_catalog(connection, excluded=())
    texts = BatchTexts(files={"sql/migrations/0002_next.sql": batch}, locked=frozenset())
    questions = questions_of(connection, before, after, texts)
    reading += time.perf_counter() - started
    connection.execute("ROLLBACK; BEGIN READ ONLY")
    started = time.perf_counter()
    answers = list(ask(connection, questions, timeout="5s"))
    asking = time.perf_counter() - started
    connection.execute("ROLLBACK")
    assert not any(isinstance(answer, NotChecked) for answer in answers)
    return reading, asking, len(questions)


def _seconds(work: Callable[[], object]) -> float:
    start_s = time.perf_counter()
    work()
    return time.perf_counter() - start_s


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
