"""docs/recovery.md, path by path: what it says of each outcome is what happens then."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from pytest_housekeeping.snapshot.compare.difference import diff
from support.fault_campaign import Campaign, Whole
from support.fault_proxy import Fault, FaultProxy, How
from support.forked_runs import ForkedRuns
from support.fresh_copy import ROOT, git
from support.production_project import Production, Rehearsal, merge_audit
from support.rollback_project import ROLLBACKS, STEM, schema_of
from support.staging_project import Run

OF_SOMETHING_ELSE = True

# The sections of the page, and the tests that walk them.
PATHS = {
    "Undo a promotion": "test_production_page.py::test_the_page_is_one_story_that_happens_as_told",
    "What a rollback undoes, and what not": "test_rollback.py::"
    "test_a_promotion_is_undone_and_promoted_again",
    "The run was rolled back": "test_rollback.py::"
    "test_a_promotion_that_its_gates_rolled_back_is_an_incident_where_asked_for",
    "It stopped between segments": "test_recovery.py::test_what_stopped_between_segments",
    "It is in, and it is not what was proved": "test_recovery.py::"
    "test_what_was_not_proved_is_in_and_goes_back",
    "The answer to COMMIT was lost": "test_recovery.py::test_the_answer_to_commit_was_lost",
    "The run left no record": "test_recovery.py::test_a_run_that_was_killed",
    "The evidence did not arrive": "test_recovery.py::test_the_evidence_did_not_arrive",
    "The rollback is refused": "test_rollback.py::test_without_a_rollback_file_nothing_is_guessed",
    "The workflow": "test_prod_workflow.py::test_a_rollback_is_a_pull_request_too",
}


def test_every_path_of_the_page_is_walked() -> None:
    page = (ROOT / "docs/recovery.md").read_text(encoding="utf-8")
    assert re.findall(r"^## (.+)$", page, re.MULTILINE) == list(PATHS)
    for place in PATHS.values():
        file, _, name = place.partition("::")
        assert f"\ndef {name}(" in (ROOT / "tests/runs" / file).read_text(encoding="utf-8"), place


def run_id(run: Run) -> str:
    return str(run.audit["run"]["id"])


@pytest.mark.parametrize("way", ["forward", "back"])
def test_what_stopped_between_segments(production: Production, way: str) -> None:
    before = schema_of(production)
    production.change(
        {
            **ROLLBACKS,
            "sql/migrations/0005_own.sql": "-- hk: transaction=own\n"
            "ALTER TABLE desk.ticket ADD mark int;\n",
            "sql/rollback/0005_own.sql": "ALTER TABLE desk.ticket DROP mark;\n",
            "sql/migrations/0006_last.sql": "ALTER TABLE desk.ticket ADD CONSTRAINT short"
            " CHECK (length(subject) < 18);\n",
            "sql/rollback/0006_last.sql": "ALTER TABLE desk.ticket DROP CONSTRAINT short;\n",
        },
        proved=True,
    )
    run = production.promote("--hk-segments=3")
    assert (run.code, run.outcome) == (1, "promoted_in_part"), run.output
    merge_audit(production.root)

    if way == "forward":
        production.change(
            {
                "sql/migrations/0006_last.sql": "ALTER TABLE desk.ticket ADD CONSTRAINT short"
                " CHECK (length(subject) < 180);\n"
            },
            proved=True,
        )
        run = production.promote()
        assert (run.code, run.outcome) == (0, "promoted"), run.output
    else:
        run = production.undo(run_id(run), "--hk-segments=2")
        assert (run.code, run.outcome) == (0, "promoted"), run.output
        assert diff(before, schema_of(production)) == ()


FORCED = """
def test_it(hk_connection, hk_mode):
    if hk_mode == "prod":
        hk_connection.pgconn.exec_(b"COMMIT")
        hk_connection.pgconn.exec_(b"BEGIN")
"""


def test_what_was_not_proved_is_in_and_goes_back(production: Production) -> None:
    """A test of production alone commits by force and goes on: it is said, and can be undone."""
    before = schema_of(production)
    production.change({**ROLLBACKS, "checks/test_forced.py": FORCED}, proved=True)
    run = production.promote()
    assert (run.code, run.outcome) == (1, "promoted_unproved"), run.output
    assert "Committed, but not proved after COMMIT" in run.output
    merge_audit(production.root)
    assert schema_of(production) != before
    reports = {path.suffix: path for path in (production.root / "ops/incidents").iterdir()}
    assert set(reports) == {".md", ".sql"}
    assert "Committed, but not proved" in reports[".md"].read_text(encoding="utf-8")
    # What its rollback files do is no part of the proposal; of this view there is none.
    proposal = reports[".sql"].read_text(encoding="utf-8")
    assert "Each migration has its rollback file" in proposal
    assert "desk.note" not in proposal
    assert "DROP VIEW desk.pressing" in proposal

    undone = production.undo(run_id(run))
    assert (undone.code, undone.outcome) == (0, "promoted"), undone.output
    assert schema_of(production) == before


@pytest.mark.parametrize("how", ["before", "after"])
def test_the_answer_to_commit_was_lost(
    rehearsed: Rehearsal, undoing: Whole, tmp_path: Path, how: How
) -> None:
    """A rollback, whose server is gone when COMMIT is sent: asked later, it says what is true."""
    production = rehearsed.fresh(tmp_path, stem=STEM)
    fault = Fault(at=undoing.commit, how=how, later=0)
    with FaultProxy(production.server.port, fault) as proxy:
        run = production.undo(undoing.undo, PGPORT_PROD=str(proxy.port))
    assert (run.code, run.outcome) == (1, "unknown"), run.output
    told = re.search(r"pg_xact_status\('(\d+)'", run.output)
    assert told is not None, run.output
    with production.server.superuser() as connection:
        row = connection.execute("SELECT pg_xact_status(%s::xid8)", (told[1],)).fetchone()

    again = production.undo(undoing.undo)
    if how == "before":
        assert (row, again.code, again.outcome) == (("aborted",), 0, "promoted"), again.output
    else:
        assert (row, again.code) == (("committed",), 4), again.output
        assert "was undone already, by run" in again.output


def test_a_run_that_was_killed(
    rehearsed: Rehearsal, runs: ForkedRuns, undoing: Whole, tmp_path: Path
) -> None:
    """Its journal is what the next run that reaches the server makes an audit of."""
    production = rehearsed.fresh(tmp_path, stem=STEM)
    campaign = Campaign(rehearsed=rehearsed, runs=runs, whole=undoing, place=tmp_path, chain=1)
    campaign.strike(production, Fault(at=undoing.commit - 3, how="kill"))
    (journal,) = production.root.glob("ops/audit/rollback_*.journal.jsonl")

    run = production.undo(undoing.undo)
    assert (run.code, run.outcome) == (0, "promoted"), run.output
    assert "a run that was killed is on record now" in run.output
    assert not journal.exists()
    audit = json.loads((journal.parent / f"{journal.name.partition('.')[0]}.json").read_bytes())
    assert (audit["run"]["outcome"], audit["run"]["reverts"]) == ("rolled_back", undoing.undo)
    assert re.search(r"record, during \S+; this", audit["run"]["message"])


def test_the_evidence_did_not_arrive(production: Production) -> None:
    """Not pushed, its branch lost, its files never committed: they lie where they were written."""
    before = schema_of(production)
    production.change(dict(ROLLBACKS), proved=True)
    git(production.root, "remote", "set-url", "origin", "../nowhere.git")
    run = production.promote()
    assert (run.code, run.outcome) == (0, "promoted"), run.output
    assert "NOT PUSHED" in run.output
    assert run.audit_path is not None
    assert f"git push origin housekeeping/audit/{run.audit_path.stem}" in run.output
    git(production.root, "branch", "-q", "-D", f"housekeeping/audit/{run.audit_path.stem}")

    undone = production.undo(run_id(run))
    assert (undone.code, undone.outcome) == (0, "promoted"), undone.output
    assert diff(before, schema_of(production)) == ()
