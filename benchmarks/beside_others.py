"""What the catalogue catches beside pgrls, on the same databases: a table by defect.

pgrls is a program of its own; its path is given with ``--pgrls``. Each defect of the tests is laid
on the same sound schema in a fresh database. A tool has caught it when it reports an error or a
warning that it did not report on the sound schema; advice on speed does not count. The sound
variants are laid likewise, and what is reported on them is counted as an alarm.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import psycopg

from pytest_housekeeping import guards
from pytest_housekeeping.model import Level
from pytest_housekeeping.registry import shipped_rules
from pytest_housekeeping.rls import RlsContract
from pytest_housekeeping.server import Server, ServerSettings, StagingDatabase, start

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from catalogue_cases import DEFECTS, GROUND, SOUND

CONTRACT = RlsContract(schemas=("desk",), roles=("desk_app",), context=("desk.me",))
RULES = [rule for rule in shipped_rules() if rule.family != "boundary" and not rule.proof]
ROLE = (
    "DROP ROLE IF EXISTS desk_app; CREATE ROLE desk_app NOLOGIN; GRANT desk_app TO hk_migrator;"
    "DROP ROLE IF EXISTS desk_team"
)
Reports = set[tuple[str, str]]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pgrls", default="pgrls")
    arguments = parser.parse_args()
    tools: dict[str, Callable[[StagingDatabase], Reports]] = {
        "housekeeping": by_housekeeping,
        "pgrls": lambda database: by_pgrls(arguments.pgrls, database),
    }
    server = start(ServerSettings())
    try:
        with laid(server, "SELECT 1") as database:
            usual = {name: tool(database) for name, tool in tools.items()}
        caught: dict[str, list[bool]] = {name: [] for name in tools}
        print(f"{'defect':34} {'object':28} " + " ".join(f"{name:>13}" for name in tools))
        for rule, name, sql in DEFECTS:
            with laid(server, sql) as database:
                for tool, look in tools.items():
                    caught[tool].append(bool(look(database) - usual[tool]))
            shown = " ".join(f"{'caught' if caught[tool][-1] else '-':>13}" for tool in tools)
            print(f"{rule:34} {name[:28]:28} {shown}")
        alarms = dict.fromkeys(tools, 0)
        for sql in SOUND:
            with laid(server, sql) as database:
                for tool, look in tools.items():
                    alarms[tool] += bool(look(database) - usual[tool])
    finally:
        server.stop()
    for tool in tools:
        print(
            f"{tool}: {sum(caught[tool])} of {len(DEFECTS)} defects caught,"
            f" an alarm on {alarms[tool]} of {len(SOUND)} sound variants"
        )
    ours, theirs = caught["housekeeping"], caught["pgrls"]
    missed = [DEFECTS[n][0] for n in range(len(ours)) if theirs[n] and not ours[n]]
    print(f"caught by pgrls alone: {', '.join(missed) or 'none'}")
    return int(not all(ours) or alarms["housekeeping"] > 0)


@contextmanager
def laid(server: Server, sql: str) -> Iterator[StagingDatabase]:
    database = server.database()
    try:
        with psycopg.connect(database.superuser_conninfo, autocommit=True) as connection:
            connection.execute(ROLE.encode())
        with psycopg.connect(database.migrator_conninfo, autocommit=True) as connection:
            connection.execute(GROUND.encode())
            connection.execute(sql.encode())
        yield database
    finally:
        server.drop(database)


def by_housekeeping(database: StagingDatabase) -> Reports:
    with psycopg.connect(database.migrator_conninfo, autocommit=True) as connection:
        connection.execute("BEGIN")
        seen = guards.look_at_rules(connection, CONTRACT, RULES)
        return {
            (finding.rule, finding.object)
            for rule in RULES
            for finding in guards.verify_rule(
                connection, CONTRACT, rule, today=date(2026, 6, 1), seen=seen
            ).findings
            if finding.level is not Level.NOTICE
        }


def by_pgrls(program: str, database: StagingDatabase) -> Reports:
    done = subprocess.run(
        [program, "lint", "--schemas", "desk", "--format", "json"],
        env={"DATABASE_URL": database.superuser_conninfo},
        capture_output=True,
        text=True,
        check=False,
    )
    if not done.stdout.startswith("{"):
        sys.exit(f"{program} ended with {done.returncode}")
    return {
        (found["rule_id"], found["location"])
        for found in json.loads(done.stdout)["violations"]
        if found["severity"] in ("error", "warning") and not found["rule_id"].startswith("PERF")
    }


if __name__ == "__main__":
    sys.exit(main())
