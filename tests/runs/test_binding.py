"""Promotions bound to a plan: exactly that one goes in, and any other is refused by name."""

from __future__ import annotations

import re

from support.production_project import Production
from support.staging_project import Run

UNPROVED = "[tool.housekeeping]\nlint = false\nrequire_staging_evidence = false\n"
BOUND = re.compile(r"^bound to: (\S+)$", re.MULTILINE)
NEVER = "0" * 64 + "-" + "0" * 60


def digest_of(run: Run) -> str:
    """What the last lines of a run say that it was, or would have been, bound to."""
    found = BOUND.search(run.output)
    assert found is not None, run.output
    assert run.audit["bound"]["digest"] == found[1]
    return found[1]


def test_what_was_planned_goes_in_and_nothing_else(production: Production) -> None:
    run = production.promote(f"--hk-plan={NEVER}")
    assert (run.code, run.outcome) == (1, "refused"), run.output
    assert production.unchanged
    assert (run.steps["rehearse::binding"], run.steps["promote"]) == ("failed", "skipped")
    assert "another one are: the pending files, what is applied already, what is" in run.output
    planned = digest_of(run)
    assert f"--hk-plan={planned}" in run.output

    # A comment more in a file that is pending.
    file = production.root / "sql/migrations/0003_urgency.sql"
    text = file.read_text(encoding="utf-8")
    production.change({"sql/migrations/0003_urgency.sql": f"{text}-- later\n"}, proved=True)
    run = production.promote(f"--hk-plan={planned}")
    assert (run.code, run.outcome) == (1, "refused"), run.output
    assert production.unchanged
    assert f"planned as {planned[:12]}; another one are: the pending files\n" in run.output
    assert "files now: runs in 1 (batch): sql/migrations/0002_notes.sql " in run.output
    assert run.audit["bound"]["planned"] is False

    # As it was planned, in another commit.
    production.change({"sql/migrations/0003_urgency.sql": text})
    # Another object in production, which drift alone would let through.
    production.execute("CREATE INDEX by_hand ON desk.ticket (subject)")
    drifted = production.promote(f"--hk-plan={planned}")
    accepted = re.search(r"--hk-accept-drift=\w+", drifted.output)
    assert accepted is not None, drifted.output
    run = production.promote(f"--hk-plan={planned}", accepted[0])
    assert (run.code, run.outcome) == (1, "refused"), run.output
    assert "another one are: the schema before, the schema after\n" in run.output
    production.execute("DROP INDEX desk.by_hand")
    assert production.unchanged

    run = production.promote(f"--hk-plan={planned}")
    assert (run.code, run.outcome) == (0, "promoted"), run.output
    assert run.audit["bound"] == {"digest": planned, "planned": True}
    assert run.message("rehearse::binding") == f"as planned: {planned}"


def test_what_no_plan_has_printed_is_misuse(production: Production) -> None:
    for given, said in (
        (["--hk-plan=abc"], "--hk-plan=abc: that is no digest of a plan"),
        (["--hk-plan="], "--hk-plan=: that is no digest of a plan"),
        ([f"--hk-plan={NEVER}", "--hk-in-place"], "--hk-plan with --hk-in-place"),
    ):
        run = production.promote(*given)
        assert run.code == 4, run.output
        assert said in run.output
    assert production.unchanged
