"""A plan of a promotion: what it tells, that it changes nothing, and what it has to be allowed."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import jsonschema

from support.fresh_copy import ROOT, git
from support.production_project import PASSWORD, UNPROVED, Production, Rehearsal
from support.staging_project import Run

MIGRATION = """ALTER TABLE desk.ticket ADD COLUMN token uuid DEFAULT gen_random_uuid();
CREATE INDEX ticket_token ON desk.ticket (token);
ALTER TABLE vault.secret DROP COLUMN by_hand;
"""
IRREVERSIBLE = "-- hk: irreversible, the values are gone\n" + MIGRATION
UNDOES_NOTES = "DROP TABLE desk.note;\n"
# What a plan needs, and nothing else; docs/plan.md says so.
PLANNER = f"""
CREATE ROLE planner LOGIN NOSUPERUSER NOBYPASSRLS PASSWORD '{PASSWORD.replace("'", "''")}';
GRANT CONNECT ON DATABASE production TO planner;
GRANT pg_read_all_data TO planner;
"""


@contextmanager
def planner(production: Production) -> Iterator[None]:
    """The role that plans, for as long as it is needed: all databases of a server share it."""
    production.execute(PLANNER)
    try:
        yield
    finally:
        production.execute("DROP OWNED BY planner")
        production.execute("DROP ROLE planner")


@contextmanager
def nobody_writes(production: Production) -> Iterator[None]:
    """Every table is locked against all but the weakest lock there is."""
    with production.server.superuser() as connection:
        rows = connection.execute(
            "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class AS c"
            " JOIN pg_namespace AS n ON n.oid = c.relnamespace"
            " WHERE c.relkind = 'r' AND n.nspname !~ '^(pg_|information)'"
        ).fetchall()
        connection.execute(
            f"BEGIN; LOCK TABLE {', '.join(name for (name,) in rows)} IN EXCLUSIVE MODE".encode()
        )
        yield
        connection.execute("ROLLBACK")


def plan(production: Production, *arguments: str, user: str = "planner") -> Run:
    return production.promote(*arguments, mode="plan", confirm=None, PGUSER_PROD=user)


def command_of(run: Run) -> list[str]:
    said = next(line for line in run.output.splitlines() if "promote exactly this: " in line)
    return shlex.split(said.partition("promote exactly this: pytest ")[2])


def test_a_plan_and_the_promotion_that_it_leads_to(production: Production) -> None:
    production.execute("INSERT INTO vault.secret SELECT n, 'x' FROM generate_series(1, 3000) AS n")
    production.execute("ANALYZE vault.secret; ALTER TABLE vault.secret ADD COLUMN by_hand int")
    production.change(
        {
            "pyproject.toml": UNPROVED,
            "sql/migrations/0005_more.sql": IRREVERSIBLE,
            "sql/rollback/0002_notes.sql": UNDOES_NOTES,
        }
    )
    refs = git(production.root, "for-each-ref")
    with planner(production):
        here = replace(production, before=production.state)
        with nobody_writes(here):
            planned = plan(here, "--hk-json")
        assert (planned.code, planned.outcome) == (0, "planned"), planned.output
        assert here.unchanged
        assert git(here.root, "for-each-ref") == refs
        assert "not committed: a plan is a report, and no evidence" in planned.output
        jsonschema.validate(
            planned.audit, json.loads((ROOT / "docs/audit.schema.json").read_text())
        )
        told_on_one_screen(planned)
        recorded(planned)
        taken_over(plan(here), planned)

        confirmed = command_of(planned)
        assert confirmed[:2] == ["--hk-mode=prod", "--hk-confirm=PROMOTE"]
        told = planned.told
        assert (told["mode"], told["outcome"], told["exit_code"]) == ("plan", "planned", 0)
        assert shlex.split(told["next"]["command"]) == ["pytest", *confirmed]
        assert told["next"]["needs_person"] is True
        promoted = here.promote(*confirmed[2:], "--hk-json")
    assert (promoted.code, promoted.outcome) == (0, "promoted"), promoted.output
    told_of_promotion(promoted, here.root)
    assert promoted.audit["bound"]["planned"] is True
    assert {each["shown_at"] for each in promoted.audit["steps"]} == {""}
    for part in ("changes", "batch"):
        assert promoted.audit[part] == planned.audit[part]
    touched = {each["relation"] for each in planned.audit["production"]["relations"]}
    assert {each["relation"] for each in promoted.audit["production"]["relations"]} == touched
    assert "  destroys  column vault.secret.by_hand is dropped" in promoted.output

    again = plan(here, user="promoter")
    assert (again.code, again.outcome) == (0, "nothing_to_promote"), again.output
    assert "Nothing pending. Production has every file" in again.output
    assert "  pending   nothing" in again.output
    assert "promote exactly this" not in again.output
    assert again.audit["changes"] == []


def told_of_promotion(promoted: Run, root: Path) -> None:
    told, evidence = promoted.told, promoted.told["evidence"]
    assert (told["mode"], told["outcome"]) == ("prod", "promoted")
    assert told["plan"] == promoted.audit["bound"]["digest"]
    following = told["next"]["command"], told["next"]["needs_person"]
    assert following == ("pytest --hk-mode=verify", False)
    assert git(root, "show", f"{evidence['branch']}:{evidence['audit']}")


def taken_over(again: Run, planned: Run) -> None:
    """What the schema decides is as the first plan has shown it; it is said, and all else anew."""
    assert (again.code, again.outcome) == (0, "planned"), again.output
    assert again.steps == planned.steps
    known = {each["id"]: each["shown_at"] for each in again.audit["steps"] if each["shown_at"]}
    assert {"checks/rls.toml::identity-isolated", "checks/rls.toml::scope"} <= known.keys()
    assert all(each.startswith("checks/") for each in known)
    assert f"  known     {len(known)} proofs shown at {min(known.values())}" in again.output
    assert "by a run of the same files on the same schema" in again.message(
        "checks/rls.toml::scope"
    )
    assert "was dumped and restored at" in again.message("rehearse::result")
    for part in ("changes", "batch"):
        assert again.audit[part] == planned.audit[part]
    assert of_the_schema(again) == of_the_schema(planned)
    assert again.audit["bound"]["digest"] == planned.audit["bound"]["digest"]


def of_the_schema(run: Run) -> list[object]:
    return [each for each in run.audit["findings"] if each["step"].startswith("checks/")]


def told_on_one_screen(run: Run) -> None:
    for said in (
        "Planned. The batch ran on a copy of production",
        "  applied   2 files, the last sql/policies/desk.sql, ",
        " by promoter, commit ",
        "  pending   sql/migrations/0002_notes.sql\n",
        "            sql/migrations/0005_more.sql\n",
        "- column vault.secret.by_hand (type: integer)\n",
        "desk_app on desk.note: SELECT, INSERT, UPDATE, DELETE: nothing → rows of policy",
        "desk.ticket (",
        "AccessExclusiveLock, readers and writers wait; rewritten, all rows; scanned in full 3",
        "vault.secret (about 3,000 rows, ",
        "  destroys  column vault.secret.by_hand is dropped, where there are about 3,000 rows\n",
        "sql/migrations/0002_notes.sql: unproved: sql/rollback/0002_notes.sql: no staging run",
        "sql/migrations/0003_urgency.sql: none: there is no rollback file\n",
        "sql/migrations/0005_more.sql: irreversible: the values are gone\n",
        " statements measured, 0 judged by the parser, 0 not judged\n",
        "warning: drift: column vault.secret.by_hand: was added since the last promotion, by no",
        "or undo it; to accept all of it: --hk-accept-drift=",
    ):
        assert said in run.output, f"{said!r} is not in\n{run.output}"
    promotion = run.output.partition("= promotion =")[2].splitlines()
    assert len(promotion) < 64


def recorded(run: Run) -> None:
    production = run.audit["production"]
    assert [each["path"] for each in production["applied"]] == [
        "sql/migrations/0001_tickets.sql",
        "sql/policies/desk.sql",
    ]
    secret = next(e for e in production["relations"] if e["relation"] == "vault.secret")
    assert (secret["rows"], secret["writes_per_s"]) == (3000, 0)
    assert secret["size"] > 100_000
    assert production["looked_s"] >= 1
    assert len(production["drift"]) == 64
    # Who keeps everybody from writing would keep the promotion waiting as well.
    (blocking,) = [each for each in run.audit["findings"] if each["rule"] == "activity-lock"]
    assert blocking["level"] == "warning"
    assert "desk.ticket in ExclusiveLock" in blocking["detail"]
    assert run.steps["rehearse::activity"] == "passed"
    assert {step["phase"] for step in run.audit["steps"]} == {"precheck", "backup", "rehearse"}
    assert not [each for each in run.audit["steps"] if each["kind"] in ("test", "query")]
    for said in ("Promote exactly this", "The way back", "about 3,000 rows", "Data destroyed"):
        assert said in run.page


def test_a_role_that_may_not_read_everything(production: Production) -> None:
    with planner(production):
        production.execute("REVOKE pg_read_all_data FROM planner")
        production.execute("GRANT USAGE ON SCHEMA desk, vault TO planner")
        production.execute("GRANT SELECT ON desk.ticket TO planner")
        run = plan(production)
    assert run.code == 4, run.output
    assert "planner may not read schema housekeeping, table housekeeping.history" in run.output
    assert "table vault.secret" in run.output
    assert "table desk.ticket" not in run.output
    assert "fix: GRANT pg_read_all_data TO planner;" in run.output


def test_before_the_first_promotion(rehearsed: Rehearsal, tmp_path: Path) -> None:
    production = rehearsed.fresh(tmp_path, first=True)
    production.change({"pyproject.toml": UNPROVED})
    with planner(production):
        here = replace(production, before=production.state)
        nameless = plan(here)
        unknown = plan(here, "--hk-as=nobody")
        run = plan(here, "--hk-as=promoter")
        assert here.unchanged
    assert nameless.code == unknown.code == 4
    assert "nothing was promoted here yet, and planner may not create" in nameless.output
    assert "fix: name the role that promotes: --hk-as=ROLE" in nameless.output
    assert "the role 'nobody' is no role of this server" in unknown.output
    assert (run.code, run.outcome) == (0, "planned"), run.output
    assert "  applied   0 files: nothing was promoted here yet" in run.output
    schema = next(e for e in run.audit["changes"] if e["object"] == "desk")
    assert "owner: promoter" in schema["after"]


def test_what_a_promotion_would_be_refused_for_is_told(production: Production) -> None:
    """No staging run has proved this, and it takes several transactions: both are no end of it."""
    production.change(
        {
            "sql/migrations/0005_beside.sql": "-- hk: transaction=none\n"
            "CREATE INDEX CONCURRENTLY secret_content ON vault.secret (content);\n",
            "sql/migrations/0006_behind.sql": "ALTER TABLE vault.secret ADD COLUMN more text;\n",
        }
    )
    run = plan(production, user="promoter")
    assert (run.code, run.outcome) == (0, "planned"), run.output
    assert run.findings("refused-by-evidence") == ["evidence"]
    assert "warning: refused-by-evidence: evidence: a promotion would be refused: " in run.output
    assert "warning: refused-by-segments: segments: a promotion would be refused: " in run.output
    assert "sql/migrations/0005_beside.sql (transaction 2 of 3)\n" in run.output
    assert " statements measured, 1 judged by the parser, 0 not judged\n" in run.output
    assert "--hk-segments=3" in command_of(run)
    beside = next(each for each in run.audit["batch"] if each["segment"] == 2)
    assert beside["locks"] == [
        {
            "relation": "vault.secret",
            "mode": "ShareUpdateExclusiveLock",
            "step": "sql/migrations/0005_beside.sql::rehearse",
        }
    ]
    assert [each["index"] for each in beside["indexes"]] == ["vault.secret_content"]
    assert production.unchanged


def test_a_batch_that_fails_on_the_copy(production: Production) -> None:
    production.change(
        {"pyproject.toml": UNPROVED, "sql/migrations/0005_bad.sql": "DROP TABLE desk.nothing;\n"}
    )
    run = plan(production, user="promoter")
    assert (run.code, run.outcome) == (1, "refused"), run.output
    assert 'sql/migrations/0005_bad.sql:1:1: table "nothing" does not exist' in run.output
    assert "Cannot be promoted like this" in run.output
    assert re.search(r"^  applied   \d+ files, the last sql/", run.output, re.MULTILINE), run.output
    assert "promote exactly this" not in run.output
    assert production.unchanged


def test_a_check_that_fails_on_the_copy(production: Production) -> None:
    text = "ALTER TABLE desk.ticket NO FORCE ROW LEVEL SECURITY;\n"
    production.change({"pyproject.toml": UNPROVED, "sql/migrations/0005_open.sql": text})
    run = plan(production, user="promoter")
    assert (run.code, run.outcome) == (1, "refused"), run.output
    assert "desk.ticket" in run.findings("rls-not-forced")
    assert "~ table desk.ticket: row security: forced → none" in run.output, "told all the same"
    assert "promote exactly this" not in run.output


CHANGES = """
import os

import psycopg


def pytest_runtest_logstart(nodeid, location):
    if nodeid == "rehearse::impact":
        with psycopg.connect(os.environ["BY_HAND"], autocommit=True) as connection:
            connection.execute("ALTER TABLE vault.secret ADD COLUMN meanwhile int")
"""


def test_production_that_is_changed_meanwhile(production: Production) -> None:
    production.change({"pyproject.toml": UNPROVED, "conftest.py": CHANGES})
    server = production.server
    by_hand = f"host=127.0.0.1 port={server.port} user=postgres password={server.secret}"
    run = production.promote(
        mode="plan", confirm=None, BY_HAND=f"{by_hand} dbname=production", PGUSER_PROD="promoter"
    )
    assert (run.code, run.outcome) == (1, "refused"), run.output
    assert "the target changed after its backup: added column vault.secret.meanwhile" in run.output
    assert run.steps["rehearse::impact"] == "failed"
    assert run.steps["rehearse::binding"] == "skipped"
    assert "promote exactly this" not in run.output


def test_its_steps_can_be_listed_and_a_part_of_it_looked_at(production: Production) -> None:
    listed = plan(production, "--collect-only", "-q", user="promoter")
    assert listed.code == 0, listed.output
    assert "rehearse::impact" in listed.output
    assert "test_a_tenant_sees_its_own" not in listed.output
    assert listed.audit_path is None
    part = plan(production, "-k", "rls-not-forced", user="promoter")
    assert (part.code, part.outcome) == (0, "rolled_back"), part.output
    assert "Planned in part" in part.output
    assert "promote exactly this" not in part.output
    assert production.unchanged
