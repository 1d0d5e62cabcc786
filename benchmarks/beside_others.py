"""What the rules catch beside pgrls and splinter, on the same databases: a table by kind of defect.

Both are programs of their own: ``--pgrls`` names the first (from PyPI), ``--splinter`` the Postgres
language server (npm: @postgres-language-server/cli), which runs Supabase's lints with ``dblint``.
Each defect of the tests is laid on the same sound schema in a fresh database. A tool has caught it
when it reports an error or a warning that it did not report on the sound schema (for splinter, any
of its lints on security); advice on speed does not count. The sound variants are laid likewise, and
what is reported on them is counted as an alarm. Splinter judges what Supabase's API shows, so for
it the database is laid out as Supabase does it, the untrusted role being ``authenticated``.

Each tool has a server and a thread of its own; all cases take a quarter of an hour of processor
time. With ``--kept FILE`` the two others are asked once for each case, by its text and their
version: after a change of a rule less than half of that. ``--only`` takes the cases of one kind or
rule. ``--each`` shows what each case gave.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from hashlib import sha256
from pathlib import Path
from shutil import which

import psycopg
from beside_stories import KINDS, LOOK_ALIKES, PLANTED, UNTRUSTED, Story

from pytest_housekeeping.checks.boundaries.verdict import verify_contract
from pytest_housekeeping.checks.rls import AskedBefore, evaluate_rules, verify_rule
from pytest_housekeeping.declarations.rules import shipped_rules
from pytest_housekeeping.model import Level
from pytest_housekeeping.server import Server, ServerSettings, StagingDatabase, start

OURS, PGRLS, SPLINTER = "housekeeping", "pgrls", "splinter"
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


@dataclass(kw_only=True)
class Tool:
    """One of the three, its server, what it says of grounds, and what it has said before."""

    name: str
    program: str = ""
    kept: dict[str, list[list[str]]] = field(default_factory=dict)
    usual: dict[tuple[str, str], Reports] = field(default_factory=dict)

    def answers(self, stories: Sequence[Story]) -> list[Reports]:
        """For each what it reports that it does not report of the sound ground."""
        server = start(ServerSettings())
        try:
            return [self._answer(server, story) for story in stories]
        finally:
            server.stop()

    def _answer(self, server: Server, story: Story) -> Reports:
        key = (story.ground, story.beside)
        if key not in self.usual:
            self.usual[key] = self._reports(server, replace(story, superuser="", sql=""))
        return self._reports(server, story) - self.usual[key]

    def _reports(self, server: Server, story: Story) -> Reports:
        texts = (self.program and version(self.program), *story.texts)
        digest = sha256("\0".join(texts).encode()).hexdigest()
        if digest in self.kept:
            return {(rule, where) for rule, where in self.kept[digest]}
        with laid(server, story, SUPABASE if self.name == SPLINTER else UNTRUSTED) as database:
            if self.name == OURS:
                return by_housekeeping(database, story)
            ask = by_pgrls if self.name == PGRLS else by_splinter
            found = ask(self.program, database)
        self.kept[digest] = sorted([rule, where] for rule, where in found)
        return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pgrls", default="pgrls")
    parser.add_argument("--splinter", default="postgres-language-server")
    parser.add_argument("--kept", type=Path, help="what the two others have said, from run to run")
    parser.add_argument("--only", default="", help="a kind's number, or a rule")
    parser.add_argument("--each", action="store_true", help="show what each case gave")
    given = parser.parse_args()
    for option, program in ((PGRLS, given.pgrls), (SPLINTER, given.splinter)):
        if which(program) is None:
            parser.error(f"there is no program {program}: install it, or name it with --{option}")
    kept = json.loads(given.kept.read_text()) if given.kept and given.kept.exists() else {}
    tools = [
        Tool(name=OURS),
        Tool(name=PGRLS, program=given.pgrls, kept=kept.setdefault(PGRLS, {})),
        Tool(name=SPLINTER, program=given.splinter, kept=kept.setdefault(SPLINTER, {})),
    ]
    planted, sound = (
        [each for each in stories if given.only in ("", str(each.kind), each.rule)]
        for stories in (PLANTED, LOOK_ALIKES)
    )
    try:
        with ThreadPoolExecutor(len(tools)) as pool:
            answers = pool.map(lambda tool: tool.answers([*planted, *sound]), tools)
            said = {tool.name: answer for tool, answer in zip(tools, answers, strict=True)}
    finally:
        if given.kept:
            given.kept.write_text(json.dumps(kept))
    return shown(planted, sound, said, each=given.each)


def shown(
    planted: Sequence[Story],
    sound: Sequence[Story],
    said: Mapping[str, Sequence[Reports]],
    *,
    each: bool,
) -> int:
    """Print the table; 1 for a defect that is missed here, or an alarm, of which nobody knew."""
    stories = [*planted, *sound]
    defect = [True] * len(planted) + [False] * len(sound)
    if each:
        for number, story in enumerate(stories):
            found = " ".join(f"{'reported' if said[tool][number] else '-':>13}" for tool in said)
            print(f"{story.kind:2} {story.rule or 'sound':30} {story.name[:40]:40} {found}")
    print("| kind | planted | " + " | ".join(said) + " | sound | " + " | ".join(said) + " |")
    print("| --- |" + " --- |" * (2 + 2 * len(said)))
    for kind in (*range(1, len(KINDS)), 0, None):
        cells = [f"{kind}. {KINDS[kind]}" if kind else KINDS[0] if kind == 0 else "all"]
        for planned in (True, False):
            here = [
                number
                for number, story in enumerate(stories)
                if defect[number] is planned and kind in (None, story.kind)
            ]
            cells += map(str, (len(here), *(sum(bool(said[t][n]) for n in here) for t in said)))
        print("| " + " | ".join(cells) + " |")
    wrong = 0
    for number, story in enumerate(stories):
        others = [tool for tool in said if tool != OURS and said[tool][number]]
        ours = said[OURS][number]
        if defect[number] is not bool(ours):
            wrong |= not story.known or (defect[number] and bool(others))
            words = (
                f"missed, caught by {others or 'nobody'}" if defect[number] else f"alarm: {ours}"
            )
            print(f"{story.kind} {story.rule} {story.name}: {words}")
    return wrong


def version(program: str) -> str:
    if program not in _VERSIONS:
        _VERSIONS[program] = subprocess.check_output([program, "--version"], text=True)
    return _VERSIONS[program]


_VERSIONS: dict[str, str] = {}


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
        before = AskedBefore(evaluations=evaluate_rules(connection, story.contract, read))
        found = [
            finding
            for rule in story.rules
            for finding in verify_rule(
                connection, story.contract, rule, today=date(2026, 6, 1), before=before
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
