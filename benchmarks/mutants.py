"""Fifty policies and the slips in each, against the time that a staging run may take for them.

One table a policy, an application role, forced row-level security. Each slip is planted in a
savepoint and judged as ``--hk-mutate`` does it. Exits with 1 above the limit, or when one survives.
"""

from __future__ import annotations

import sys
import time
from datetime import date

import psycopg

from pytest_housekeeping.checks.mutation import MutationInput, mutation_score
from pytest_housekeeping.declarations.contracts import Contracts
from pytest_housekeeping.declarations.rls import RlsContract
from pytest_housekeeping.declarations.rules import shipped_rules
from pytest_housekeeping.server import ServerSettings, start

LIMIT_S = 60.0
POLICIES = 50
ROLE = (
    "DROP ROLE IF EXISTS hk_bench_app; CREATE ROLE hk_bench_app; GRANT hk_bench_app TO hk_migrator"
)
GROUND = """
CREATE SCHEMA many;
GRANT USAGE ON SCHEMA many TO hk_bench_app;
DO $do$
BEGIN
    FOR n IN 1..%d LOOP
        EXECUTE format($sql$
            CREATE TABLE many.t%%1$s (
                id bigint GENERATED ALWAYS AS IDENTITY, tenant_id uuid NOT NULL, name text,
                PRIMARY KEY (tenant_id, id)
            );
            ALTER TABLE many.t%%1$s ENABLE ROW LEVEL SECURITY;
            ALTER TABLE many.t%%1$s FORCE ROW LEVEL SECURITY;
            CREATE POLICY own ON many.t%%1$s TO hk_bench_app
            USING (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid)
            WITH CHECK (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);
            GRANT SELECT, INSERT, UPDATE, DELETE ON many.t%%1$s TO hk_bench_app;
        $sql$, n);
    END LOOP;
END;
$do$;
"""


def main() -> int:
    rls = RlsContract(schemas=("many",), roles=("hk_bench_app",), context=("app.tenant_id",))
    contracts = Contracts(objects=None, rls=rls, boundaries=None, rules=shipped_rules())
    given = MutationInput(contracts=contracts, queries={}, today=date(2026, 6, 1))
    server = start(ServerSettings())
    try:
        database = server.database()
        with psycopg.connect(database.superuser_conninfo, autocommit=True) as superuser:
            superuser.execute(ROLE)
        with psycopg.connect(database.migrator_conninfo) as connection:
            connection.execute((GROUND % POLICIES).encode())
            started = time.perf_counter()
            judged = mutation_score(connection, given, required=1.0)
            seconds = time.perf_counter() - started
    finally:
        server.stop()
    print(f"{POLICIES} policies, {judged.examined} mutants: {seconds:.1f} s; {judged.evidence[0]}")
    print(f"limit {LIMIT_S:.0f} s: {'kept' if seconds <= LIMIT_S else 'EXCEEDED'}")
    return 0 if seconds <= LIMIT_S and judged.passed else 1


if __name__ == "__main__":
    sys.exit(main())
