"""The whole catalogue over 1,000 and 10,000 tables, against ``pg_dump --schema-only``.

Each table has two policies, an index and grants; every second policy reads a table of members.
The rules look together, as a promotion lets them, in one transaction. ``--each`` shows what every
rule takes alone. Exits with 1 above a limit.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from datetime import date

import psycopg
from side_by_side import show, verdict

from pytest_housekeeping.checks.rls import verify_rule
from pytest_housekeeping.checks.rules.batch import evaluate_batch
from pytest_housekeeping.checks.rules.scope import rls_scope
from pytest_housekeeping.declarations.rls import RlsContract
from pytest_housekeeping.declarations.rules import shipped_rules
from pytest_housekeeping.server import Server, ServerSettings, StagingDatabase, start
from pytest_housekeeping.server.sources import find_programs

LIMIT = 0.8
GROWTH_LIMIT = 12.0
TODAY = date(2026, 6, 1)
CONTRACT = RlsContract(schemas=("many",), roles=("hk_bench_app",), context=("app.tenant_id",))
RULES = [rule for rule in shipped_rules() if rule.family != "boundary" and not rule.proof]
ROLE = (
    "DROP ROLE IF EXISTS hk_bench_app; CREATE ROLE hk_bench_app; GRANT hk_bench_app TO hk_migrator"
)
GROUND = """
CREATE SCHEMA many;
CREATE FUNCTION many.tenant() RETURNS uuid LANGUAGE sql STABLE SET search_path = ''
AS $$ SELECT nullif(current_setting('app.tenant_id', true), '')::uuid $$;
CREATE TABLE many.member (tenant_id uuid NOT NULL, person text NOT NULL);
ALTER TABLE many.member ENABLE ROW LEVEL SECURITY;
ALTER TABLE many.member FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON many.member TO hk_bench_app USING (person = current_user);
GRANT SELECT ON many.member TO hk_bench_app;
"""
TABLES = """
DO $do$
BEGIN
    FOR n IN %(first)s..%(last)s LOOP
        EXECUTE format($sql$
            CREATE TABLE many.t%%1$s (
                id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
                tenant_id uuid NOT NULL,
                name text NOT NULL,
                created_at timestamptz NOT NULL DEFAULT now()
            );
            CREATE INDEX t%%1$s_tenant_idx ON many.t%%1$s (tenant_id);
            ALTER TABLE many.t%%1$s ENABLE ROW LEVEL SECURITY;
            ALTER TABLE many.t%%1$s FORCE ROW LEVEL SECURITY;
            CREATE POLICY tenant_isolation ON many.t%%1$s FOR ALL TO hk_bench_app
            USING (tenant_id = (SELECT many.tenant()))
            WITH CHECK (tenant_id = (SELECT many.tenant()));
            CREATE POLICY members ON many.t%%1$s AS RESTRICTIVE FOR DELETE TO hk_bench_app
            USING (name <> 'kept' AND EXISTS (
                SELECT FROM many.member AS m
                WHERE m.tenant_id = t%%1$s.tenant_id AND m.person = current_user
            ));
            GRANT SELECT, INSERT, UPDATE, DELETE ON many.t%%1$s TO hk_bench_app;
        $sql$, n);
        IF n %% 20 = 0 THEN COMMIT; END IF;
    END LOOP;
END;
$do$
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--each", action="store_true", help="show what each rule takes")
    arguments = parser.parse_args()
    server = start(ServerSettings(max_locks=64 + 8 * arguments.tables))
    try:
        database = server.database()
        run(database, ROLE, superuser=True)
        run(database, GROUND)
        tenth = arguments.tables // 10
        run(database, TABLES % {"first": 1, "last": tenth})
        small = measured(server, database, arguments.rounds, each=False)
        run(database, TABLES % {"first": tenth + 1, "last": arguments.tables})
        large = measured(server, database, arguments.rounds, each=arguments.each)
    finally:
        server.stop()
    above = verdict("the catalogue / pg_dump", large / pg_dump_median[-1], LIMIT)
    return above | verdict(
        f"{arguments.tables} tables / a tenth of them", large / small, GROWTH_LIMIT
    )


pg_dump_median: list[float] = []


def measured(server: Server, database: StagingDatabase, rounds: int, *, each: bool) -> float:
    """The median of the whole catalogue; that of pg_dump is kept beside it. Turn by turn."""
    run(database, "ANALYZE", superuser=True)
    catalogue: list[float] = []
    dumps: list[float] = []
    for number in range(rounds + 1):
        seconds = the_catalogue(database, each=each and number == rounds)
        dumped = the_dump(server, database)
        if number:
            catalogue.append(seconds)
            dumps.append(dumped)
    pg_dump_median.append(show("pg_dump --schema-only", dumps))
    return show(f"{len(RULES)} rules", catalogue)


def the_catalogue(database: StagingDatabase, *, each: bool) -> float:
    with psycopg.connect(database.migrator_conninfo, autocommit=True) as connection:
        connection.execute("BEGIN")
        began = time.perf_counter()
        seen = evaluate_batch(connection, rls_scope(CONTRACT), RULES)
        taken = time.perf_counter() - began
        for rule in RULES:
            if seen[rule.id].rows or not seen[rule.id].examined:
                sys.exit(f"{rule.id}: {seen[rule.id].rows[:3]}")
            if each:
                started = time.perf_counter()
                verify_rule(connection, CONTRACT, rule, today=TODAY)
                print(f"    {rule.id:40} {time.perf_counter() - started:8.3f} s alone")
        return taken


def the_dump(server: Server, database: StagingDatabase) -> float:
    program = find_programs("embedded", server.settings.version)["pg_dump"]
    where = ["-h", database.host, "-p", str(database.port), "-U", database.migrator]
    began = time.perf_counter()
    subprocess.run(
        [program, "--schema-only", "-f", "/dev/null", *where, "-d", database.name],
        check=True,
        capture_output=True,
    )
    return time.perf_counter() - began


def run(database: StagingDatabase, text: str, *, superuser: bool = False) -> None:
    conninfo = database.superuser_conninfo if superuser else database.migrator_conninfo
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute(text.encode())


if __name__ == "__main__":
    sys.exit(main())
