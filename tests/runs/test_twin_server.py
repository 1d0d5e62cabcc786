"""The copy of production on a server that was given: every mode of production, and its refusals."""

from __future__ import annotations

import json
from pathlib import Path

from support.postgres_service import GIVEN_WORD
from support.production_project import UNPROVED, Production, Rehearsal
from support.rollback_project import STEM

ON_GIVEN = "restored on the server that was given, 16, with the fingerprint of production"


def test_what_is_proved_there_is_planned_promoted_and_watched(
    production: Production, given_url: str
) -> None:
    plan = production.promote(mode="plan", confirm=None, HK_TWIN_SERVER=given_url)
    run = production.promote(f"--hk-twin-server={given_url}")
    watched = production.promote(mode="verify", confirm=None, HK_TWIN_SERVER=given_url)
    for each, outcome in (
        (plan, "nothing_to_promote"),
        (run, "promoted"),
        (watched, "nothing_to_promote"),
    ):
        assert each.code == 0, each.output
        assert each.outcome in (outcome, "planned"), each.output
        assert ON_GIVEN in each.message("backup::proof")
        assert each.tells(*GIVEN_WORD) == []
    assert run.steps["precheck::roles"] == "passed"
    assert run.steps["rehearse::result"] == "passed"


def test_a_rollback_finds_the_backup_there_as_well(
    rehearsed: Rehearsal, promoted_run: str, tmp_path: Path, given_url: str
) -> None:
    production = rehearsed.fresh(tmp_path, stem=STEM)
    run = production.undo(promoted_run, f"--hk-twin-server={given_url}")
    assert (run.code, run.outcome) == (0, "promoted"), run.output
    assert run.steps["rollback::backup"] == "passed"
    assert ON_GIVEN in run.message("backup::proof")
    assert run.tells(*GIVEN_WORD) == []


def test_a_rollback_that_does_not_lead_back_is_told_object_by_object(
    rehearsed: Rehearsal, promoted_run: str, tmp_path: Path, given_url: str
) -> None:
    """What differs is asked of the backup once more, beside the copy."""
    production = rehearsed.fresh(tmp_path, stem=STEM)
    half = "ALTER TABLE desk.ticket DROP COLUMN urgency;\n"
    production.change({"sql/rollback/0003_urgency.sql": half, "pyproject.toml": UNPROVED})
    run = production.undo(promoted_run, HK_TWIN_SERVER=given_url)
    assert (run.code, run.outcome) == (1, "refused"), run.output
    assert run.steps["rollback::backup"] == "failed", run.output
    (finding,) = [each for each in run.audit["findings"] if each["rule"] == "rollback-differs"]
    assert finding["object"] == "type desk.urgency"
    assert "is there, and was not in the backup" in run.output


def test_production_itself_is_refused_before_anything(production: Production) -> None:
    server = production.server
    there = f"postgresql://postgres:{server.secret}@127.0.0.1:{server.port}/postgres"
    run = production.promote(HK_TWIN_SERVER=there)
    assert (run.code, run.outcome) == (4, "refused"), run.output
    assert "--hk-twin-server leads to production itself" in run.output
    assert server.secret not in run.output + json.dumps(run.audit)
    assert production.before.differences(production.state) == []


def test_a_failing_batch_and_a_wrong_mode_leave_nothing_there(
    production: Production, given_url: str
) -> None:
    broken = "CREATE ROLE hk_of_batch;\nSELECT 1 / 0;\n"
    production.change({"pyproject.toml": UNPROVED, "sql/migrations/0005_broken.sql": broken})
    run = production.promote(HK_TWIN_SERVER=given_url)
    assert (run.code, run.outcome) == (1, "refused"), run.output
    assert run.steps["sql/migrations/0005_broken.sql::rehearse"] == "failed"
    staged = production.stage(f"--hk-twin-server={given_url}")
    assert staged.code == 4, staged.output
    assert "--hk-twin-server with --hk-mode=staging" in staged.output


INTERRUPTS = """
import pytest


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_call(item):
    if item.nodeid.endswith("rehearse::result"):
        raise KeyboardInterrupt
"""


def test_an_interrupted_run_leaves_nothing_there(production: Production, given_url: str) -> None:
    production.change({"pyproject.toml": UNPROVED, "conftest.py": INTERRUPTS})
    run = production.promote(mode="plan", confirm=None, HK_TWIN_SERVER=given_url)
    assert run.code == 2, run.output
    assert "KeyboardInterrupt" in run.output
    assert run.steps["backup::proof"] == "passed"
