"""What the catalogue catches beside pgrls and splinter, on the same databases: a table by defect.

Both are programs of their own: ``--pgrls`` names the first (from PyPI), ``--splinter`` the Postgres
language server (npm: @postgres-language-server/cli), which runs Supabase's lints with ``dblint``.
Each defect of the tests is laid on the same sound schema in a fresh database. A tool has caught it
when it reports an error or a warning that it did not report on the sound schema (for splinter, any
of its lints on security); advice on speed does not count. The sound variants are laid likewise, and
what is reported on them is counted as an alarm. Splinter judges what Supabase's API shows, so for
it the database is laid out as Supabase does it, the untrusted role being ``authenticated``.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from shutil import which

import psycopg

from pytest_housekeeping.checks.boundaries import verify_contract
from pytest_housekeeping.checks.rls import evaluate_rules, verify_rule
from pytest_housekeeping.declarations.boundaries import Boundaries, Contract
from pytest_housekeeping.declarations.rls import RlsContract
from pytest_housekeeping.declarations.rules import Rule, shipped_rules
from pytest_housekeeping.model import Level
from pytest_housekeeping.server import Server, ServerSettings, StagingDatabase, start

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from support import blind
from support.catalogue_cases import DEFECTS, GROUND, SOUND
from support.doors import BESIDE, BOUNDARIES, DOORS, OUT
from support.doors import SOUND as DOORS_SOUND
from support.proof_cases import PLANTED as PROOF_PLANTED
from support.proof_ground import GROUND as PROOF_GROUND
from support.proof_ground import Planted, Sound
from support.proof_sound import SOUND as PROOF_SOUND
from support.reach_cases import REACH_DEFECTS
from support.reach_sound import REACH_SOUND

UNTRUSTED = "desk_app"
CONTRACT = RlsContract(schemas=("desk",), roles=(UNTRUSTED,), context=("desk.me",))
ALL_RULES = [rule for rule in shipped_rules() if rule.family != "boundary"]
# What is read off the catalog; the other proofs act as the role.
RULES = [rule for rule in ALL_RULES if rule.proof not in ("context", "isolation")]
PROVED_GROUND = f"{PROOF_GROUND} CREATE SCHEMA desk; GRANT USAGE ON SCHEMA desk TO hall_app;"


@dataclass(frozen=True, kw_only=True)
class Story:
    """What a superuser lays on a ground, and what the migrating role does; by which contract and
    rules it is judged here. ``beside`` belongs to the ground, and a superuser lays it."""

    kind: str = ""
    name: str = ""
    superuser: str = ""
    sql: str = ""
    ground: str = GROUND
    beside: str = ""
    contract: RlsContract = CONTRACT
    rules: Sequence[Rule] = tuple(RULES)
    boundaries: Boundaries = BOUNDARIES
    out: Contract = OUT


def proved(kind: str, case: Planted | Sound) -> Story:
    """A case of the proofs, in the schema and for the role of the others."""
    public = tuple(replace(each, table=at_desk(each.table)) for each in case.contract.public)
    contract = replace(case.contract, schemas=("desk",), roles=(UNTRUSTED,), public=public)
    return Story(
        kind=kind,
        name=case.name,
        sql=at_desk(case.sql),
        ground=at_desk(PROVED_GROUND),
        contract=contract,
        rules=tuple(ALL_RULES),
    )


def at_desk(text: str) -> str:
    return text.replace("hall.", "desk.").replace("hall_app", UNTRUSTED)


def seen_blind(case: blind.Planted | blind.Sound) -> Story:
    """A case by somebody who knew no rule, likewise; who lays it is a superuser at times."""
    return Story(
        kind=getattr(case, "rule", ""),
        name=case.title,
        superuser="SET LOCAL ROLE hk_migrator;" + in_desk(case.sql),
        ground="SELECT 1",
        beside=in_desk(blind.GROUND).replace(f"CREATE ROLE {UNTRUSTED};", ""),
        contract=replace(blind.CONTRACT, schemas=("desk",), roles=(UNTRUSTED,)),
        rules=tuple(ALL_RULES),
        boundaries=Boundaries(
            apps=tuple(
                replace(app, roles=(UNTRUSTED,), schemas=("desk",)) if app.name == "studio" else app
                for app in blind.BOUNDARIES.apps
            ),
            contracts=(blind.OUT,),
        ),
        out=blind.OUT,
    )


def in_desk(text: str) -> str:
    return re.sub(r"\bstudio\b", "desk", text.replace("studio_web", UNTRUSTED))


PLANTED = [Story(kind=rule, name=name, sql=sql) for rule, name, sql in DEFECTS]
PLANTED += [
    Story(kind=case.rule, name=case.object, superuser=case.superuser, sql=case.sql)
    for case in REACH_DEFECTS
]
PLANTED += [proved(case.kind, case) for case in PROOF_PLANTED]
PLANTED += [
    Story(kind=door.rule, name=door.object, superuser=door.sql, beside=BESIDE) for door in DOORS
]
PLANTED += [seen_blind(case) for case in blind.PLANTED]
LOOK_ALIKES = [Story(sql=sql) for sql in SOUND]
LOOK_ALIKES += [Story(superuser=superuser, sql=sql) for superuser, sql in REACH_SOUND]
LOOK_ALIKES += [proved("", case) for case in PROOF_SOUND]
LOOK_ALIKES += [Story(superuser=each.sql, beside=BESIDE) for each in DOORS_SOUND]
LOOK_ALIKES += [seen_blind(case) for case in blind.SOUND]
# What splinter calls the untrusted role; it wants the two others of Supabase to be there as well.
SUPABASE = "authenticated"
ROLES = """
DROP ROLE IF EXISTS desk_app;
DROP ROLE IF EXISTS desk_team;
DROP ROLE IF EXISTS authenticated;
DROP ROLE IF EXISTS anon;
DROP ROLE IF EXISTS service_role;
CREATE ROLE anon NOLOGIN;
CREATE ROLE service_role NOLOGIN;
CREATE ROLE {role} NOLOGIN;
GRANT {role} TO hk_migrator;
"""
# As Supabase lays a project out: what is made is granted, and the schema is shown.
SUPABASE_GROUND = """
ALTER DEFAULT PRIVILEGES FOR ROLE hk_migrator GRANT ALL ON TABLES TO anon, authenticated;
ALTER DATABASE {database} SET pgrst.db_schemas = 'desk'
"""
UNDO = """
DO $$ DECLARE made name; BEGIN
    FOR made IN
        SELECT rolname FROM pg_roles
        WHERE oid >= 16384 AND rolname !~ '^hk_'
    LOOP
        EXECUTE format('REASSIGN OWNED BY %I TO hk_migrator', made);
        EXECUTE format('DROP OWNED BY %I; DROP ROLE %I', made, made);
    END LOOP;
END $$;
REVOKE ALL ON PARAMETER lo_compat_privileges FROM PUBLIC;
ALTER ROLE ALL RESET ALL;
"""
SPLINTER_LINT = re.compile(r"^splinter/security/(\w+) ━+\n\n +. (.+)$", re.MULTILINE)
Reports = set[tuple[str, str]]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pgrls", default="pgrls")
    parser.add_argument("--splinter", default="postgres-language-server")
    arguments = parser.parse_args()
    for option, program in vars(arguments).items():
        if which(program) is None:
            parser.error(f"there is no program {program}: install it, or name it with --{option}")
    tools: dict[str, Callable[[StagingDatabase, Story], Reports]] = {
        "housekeeping": by_housekeeping,
        "pgrls": lambda database, _: by_pgrls(arguments.pgrls, database),
        "splinter": lambda database, _: by_splinter(arguments.splinter, database),
    }
    server = start(ServerSettings())

    def reports(tool: str, story: Story) -> Reports:
        role = SUPABASE if tool == "splinter" else UNTRUSTED
        with laid(server, story, role) as database:
            return tools[tool](database, story)

    def reported(tool: str, story: Story) -> bool:
        """Anything that is not reported of the sound ground."""
        key = (tool, story.ground, story.beside)
        if key not in usual:
            usual[key] = reports(tool, replace(story, superuser="", sql=""))
        return bool(reports(tool, story) - usual[key])

    usual: dict[tuple[str, str, str], Reports] = {}
    try:
        caught: dict[str, list[bool]] = {tool: [] for tool in tools}
        print(f"{'defect':34} {'object':28} " + " ".join(f"{tool:>13}" for tool in tools))
        for story in PLANTED:
            for tool in tools:
                caught[tool].append(reported(tool, story))
            shown = " ".join(f"{'caught' if caught[tool][-1] else '-':>13}" for tool in tools)
            print(f"{story.kind:34} {story.name[:28]:28} {shown}")
        alarms = {tool: sum(reported(tool, story) for story in LOOK_ALIKES) for tool in tools}
    finally:
        server.stop()
    for tool in tools:
        print(
            f"{tool}: {sum(caught[tool])} of {len(PLANTED)} defects caught,"
            f" an alarm on {alarms[tool]} of {len(LOOK_ALIKES)} sound variants"
        )
    ours = caught["housekeeping"]
    others = [name for name in tools if name != "housekeeping"]
    for tool in others:
        both = zip(PLANTED, caught[tool], ours, strict=True)
        missed = [story.kind for story, theirs, mine in both if theirs and not mine]
        print(f"caught by {tool} and not by housekeeping: {', '.join(missed) or 'none'}")
    alone = sum(not any(caught[tool][n] for tool in others) for n in range(len(PLANTED)) if ours[n])
    print(f"caught by housekeeping alone: {alone}")
    return int(not all(ours) or alarms["housekeeping"] > 0)


@contextmanager
def laid(server: Server, story: Story, role: str) -> Iterator[StagingDatabase]:
    database = server.database()
    ground = ROLES + (SUPABASE_GROUND if role == SUPABASE else "")
    try:
        with (
            psycopg.connect(database.superuser_conninfo, autocommit=True) as mighty,
            psycopg.connect(database.migrator_conninfo, autocommit=True) as migrator,
        ):
            mighty.execute(ground.format(role=role, database=database.name).encode())
            migrator.execute(story.ground.replace(UNTRUSTED, role).encode())
            for connection, text in (
                (mighty, story.beside + story.superuser),
                (migrator, story.sql),
            ):
                named = text.replace(UNTRUSTED, role).replace("{database}", database.name)
                connection.execute((named or "SELECT 1").encode())
        yield database
    finally:
        # What is of the whole server does not go with the database.
        with psycopg.connect(database.superuser_conninfo, autocommit=True) as mighty:
            mighty.execute(UNDO.encode())
        server.drop(database)


def by_housekeeping(database: StagingDatabase, story: Story) -> Reports:
    with psycopg.connect(database.migrator_conninfo, autocommit=True) as connection:
        connection.execute("BEGIN")
        read = [rule for rule in story.rules if not rule.proof]
        seen = evaluate_rules(connection, story.contract, read)
        found = [
            finding
            for rule in story.rules
            for finding in verify_rule(
                connection, story.contract, rule, today=date(2026, 6, 1), evaluations=seen
            ).findings
        ]
        if story.beside:
            found += verify_contract(
                connection, story.boundaries, story.out, shipped_rules()
            ).findings
        return {
            (finding.rule, finding.object) for finding in found if finding.level is not Level.NOTICE
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


def by_splinter(program: str, database: StagingDatabase) -> Reports:
    where = f"postgresql:///{database.name}?host={database.host}&port={database.port}&user=postgres"
    done = subprocess.run(
        [program, "dblint", "--connection-string", where, "--colors=off"],
        capture_output=True,
        text=True,
        check=False,
    )
    if "Command completed" not in done.stdout or "not shown" in done.stdout:
        sys.exit(f"{program} ended with {done.returncode}: {done.stdout}{done.stderr}")
    return set(SPLINTER_LINT.findall(done.stdout + done.stderr))


if __name__ == "__main__":
    sys.exit(main())
