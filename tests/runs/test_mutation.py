"""The mutation score: slips in the user's own schema, which some check has to catch."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.production_project import Production
from support.staging_project import PROJECTS, Project

STEP = "tripwire::mutants"
RLS = (PROJECTS / "tenants/checks/rls.toml").read_text(encoding="utf-8")
POLICIES = (PROJECTS / "tenants/sql/policies/desk.sql").read_text(encoding="utf-8")
# A second policy for what the first one shows already: without either, all is as it was.
TWICE = (
    POLICIES + "DROP POLICY IF EXISTS again ON desk.ticket;\n"
    "CREATE POLICY again ON desk.ticket FOR SELECT TO desk_app\n"
    "USING (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);\n"
)
GATE = "[tool.housekeeping]\nlint = false\nmutation_score = 1.0\n"


def test_every_slip_in_a_guarded_schema_is_caught(tmp_path: Path) -> None:
    run = Project.make(tmp_path, "tenants").run("--hk-mutate")

    assert (run.code, run.outcome) == (0, "promoted"), run.output
    assert run.steps[STEP] == "passed"
    said = run.message(STEP)
    killed, planted = said.split(" mutants")[0].split(" of ")
    assert killed == planted
    # Policy, table and contract: each kind has its slips.
    assert int(planted) >= 9
    assert f"mutants: {said}" in run.output
    assert run.findings("mutation-survived") == []


def test_it_is_asked_for(tmp_path: Path) -> None:
    run = Project.make(tmp_path, "tenants").run("--collect-only", "-q")
    assert "tripwire::" in run.output
    assert STEP not in run.output


def test_a_survivor_is_named_with_what_would_have_caught_it(tmp_path: Path) -> None:
    run = Project.make(tmp_path, "tenants", {"sql/policies/desk.sql": TWICE}).run("--hk-mutate")

    assert run.code == 0, run.output
    assert "again ON desk.ticket" in run.findings("mutation-survived")
    assert "dropped: no check turned red" in run.output
    assert "what would have caught it: rls-no-policy or policy-missing" in run.output


def test_the_check_that_a_survivor_names_kills_it(tmp_path: Path) -> None:
    declared = RLS + _declared("again", "SELECT") + _declared("own_tenant", "ALL", check=True)
    files = {"sql/policies/desk.sql": TWICE, "checks/rls.toml": declared}
    run = Project.make(tmp_path, "tenants", files).run("--hk-mutate")

    assert run.code == 0, run.output
    assert run.findings("mutation-survived") == [], run.output


def _declared(name: str, command: str, *, check: bool = False) -> str:
    own = "(tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid)"
    lines = [
        "[[policy]]",
        'table = "desk.ticket"',
        f'name = "{name}"',
        f'command = "{command}"',
        'roles = ["desk_app"]',
        f'using = "{own}"',
    ]
    lines += [f'check = "{own}"'] if check else []
    return "\n".join(["", *lines, ""])


def test_the_score_is_a_gate_where_the_settings_say_so(tmp_path: Path) -> None:
    files = {"sql/policies/desk.sql": TWICE, "pyproject.toml": GATE}
    run = Project.make(tmp_path, "tenants", files).run()

    assert (run.code, run.outcome) == (1, "rolled_back"), run.output
    assert run.steps[STEP] == "failed"
    assert "mutation_score asks for 100.0%" in run.output


def test_a_schema_without_a_rule_to_break_has_no_score(tmp_path: Path) -> None:
    run = Project.make(tmp_path, "shop").run("--hk-mutate")

    assert (run.code, run.steps[STEP]) == (1, "failed"), run.output
    assert "nothing was examined" in run.message(STEP)


def test_a_share_above_one_is_no_setting(tmp_path: Path) -> None:
    wrong = {"pyproject.toml": "[tool.housekeeping]\nmutation_score = 95\n"}
    run = Project.make(tmp_path, "tenants", wrong).run()

    assert run.code == 4
    assert "mutation_score = 95" in run.output


@pytest.mark.parametrize("mode", ["prod", "verify"])
def test_no_slip_is_ever_planted_in_a_real_database(production: Production, mode: str) -> None:
    confirm = "PROMOTE" if mode == "prod" else None
    run = production.promote(f"--hk-mode={mode}", "--hk-mutate", confirm=confirm)

    assert run.code == 4
    assert "mistakes are planted in a throwaway database" in run.output
    assert production.unchanged
