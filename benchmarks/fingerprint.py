"""How long a fingerprint takes, against ``pg_dump --schema-only`` of the same database.

Both are measured turn by turn in one run. Prints medians and their ratio, and what the proof of
the backup costs; exits with 1 when a fingerprint costs more than a dump.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable

import psycopg

from pytest_housekeeping.server import ServerSettings, start
from pytest_housekeeping.snapshot.copies.proof import prove_backup
from pytest_housekeeping.snapshot.dumps.dump import dump_schema
from pytest_housekeeping.snapshot.dumps.roles import dump_roles
from pytest_housekeeping.snapshot.fingerprint import read_fingerprint

ROUNDS = 5
LIMIT = 1.0
_TABLES = """
DO $$ BEGIN
    FOR i IN 1..{tables} LOOP
        EXECUTE format('CREATE TABLE big.t%1$s (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            tenant uuid NOT NULL, a text, b int DEFAULT 1 CHECK (b > 0), c timestamptz DEFAULT
            now(), d numeric(12, 2), e varchar(20), f jsonb)', i);
        EXECUTE format('ALTER TABLE big.t%1$s ENABLE ROW LEVEL SECURITY', i);
        EXECUTE format('CREATE INDEX ON big.t%1$s (tenant)', i);
        EXECUTE format('CREATE POLICY p ON big.t%1$s USING (tenant = current_user::uuid)', i);
        IF i % 500 = 0 THEN COMMIT; END IF;
    END LOOP;
END $$
"""


def main(tables: str = "1000", version: str = "16") -> int:
    major = int(version)
    server = start(ServerSettings(version=major, max_locks=2048))
    try:
        database = server.database()
        with psycopg.connect(database.superuser_conninfo, autocommit=True) as connection:
            connection.execute("CREATE SCHEMA big")
            connection.execute(_TABLES.format(tables=int(tables)).encode())
            connection.execute("VACUUM ANALYZE")
            dumps, reads = [], []
            for _ in range(ROUNDS):
                dumps.append(
                    _seconds(lambda: dump_schema(database.superuser_conninfo, server_major=major))
                )
                reads.append(_seconds(lambda: read_fingerprint(connection).digest))
            fingerprint = read_fingerprint(connection)
            dump = dump_schema(database.superuser_conninfo, server_major=major)
            roles = dump_roles(connection)
            proof = _seconds(lambda: prove_backup(dump, roles, fingerprint, server_major=major))
    finally:
        server.stop()
    ratio = statistics.median(reads) / statistics.median(dumps)
    print(f"{len(fingerprint.entries)} objects of {tables} tables")
    print(f"pg_dump {statistics.median(dumps):.2f} s, fingerprint {statistics.median(reads):.2f} s")
    print(f"fingerprint / pg_dump: {ratio:.2f} (limit {LIMIT}); proof {proof:.2f} s")
    return ratio > LIMIT


def _seconds(work: Callable[[], object]) -> float:
    start_s = time.perf_counter()
    work()
    return time.perf_counter() - start_s


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
