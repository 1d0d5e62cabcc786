"""Promotions bound to a plan: exactly that one goes in, and any other is refused by name."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from pytest_housekeeping.promotion.commands.approve import approve
from support.fresh_copy import git
from support.production_project import UNPROVED, Production
from support.signing import new_key, signer_line
from support.staging_project import Run

OF_SOMETHING_ELSE = True

BOUND = re.compile(r"^digest: (\S+)$", re.MULTILINE)
NEVER = "0" * 64 + "-" + "0" * 60


def digest_of(run: Run) -> str:
    """The digest by which the last lines of a run name what it promotes."""
    found = BOUND.search(run.output)
    assert found is not None, run.output
    assert run.audit["bound"]["digest"] == found[1]
    return found[1]


def test_what_was_planned_goes_in_and_nothing_else(production: Production) -> None:
    planned = digest_of(production.promote(mode="plan", confirm=None))
    run = production.promote(f"--hk-plan={NEVER}")
    assert (run.code, run.outcome) == (1, "refused"), run.output
    assert production.unchanged
    assert (run.steps["rehearse::binding"], run.steps["promote"]) == ("failed", "skipped")
    assert "it differs in the pending files, what is applied already, what is" in run.output
    assert digest_of(run) == planned
    assert f"--hk-plan={planned}" in run.output

    # A comment more in a file that is pending.
    text = (production.root / "sql/migrations/0003_urgency.sql").read_text(encoding="utf-8")
    production.change({"sql/migrations/0003_urgency.sql": f"{text}-- later\n"}, proved=True)
    run = production.promote(f"--hk-plan={planned}")
    assert (run.code, run.outcome) == (1, "refused"), run.output
    assert production.unchanged
    assert f"planned as {planned[:12]}; it differs in the pending files\n" in run.output
    assert "files now: runs in 1 (batch): sql/migrations/0002_notes.sql " in run.output
    assert run.audit["bound"]["planned"] is False

    # A blank in a query, a comment in the settings, a line of Python: each in a part of its own.
    query = production.root / "checks/queries/no_empty_secret.sql"
    was = query.read_text(encoding="utf-8")
    changed: dict[str, str | bytes | None] = {
        "sql/migrations/0003_urgency.sql": text,
        "checks/queries/no_empty_secret.sql": f"{was}\n",
        "pyproject.toml": f"{UNPROVED}# later\n",
        "conftest.py": "LATER = True\n",
    }
    settings = (production.root / "pyproject.toml").read_bytes()
    production.change(changed)
    run = production.promote(f"--hk-plan={planned}")
    assert (run.code, run.outcome) == (1, "refused"), run.output
    assert "it differs in what is checked, the Python that runs or the code" in run.output
    assert "contracts are about, the settings" in run.output

    # As it was planned, in another commit.
    before = changed | {"checks/queries/no_empty_secret.sql": was, "pyproject.toml": settings}
    production.change(before | {"conftest.py": None})
    _other_schema_is_refused(production, planned)

    run = production.promote(f"--hk-plan={planned}")
    assert (run.code, run.outcome) == (0, "promoted"), run.output
    bound = run.audit["bound"]
    # By these another target knows the same transition again.
    assert bound.pop("schema_before") != bound.pop("schema_after")
    same = {"digest": planned, "planned": True}
    assert bound == {**same, "second_person": "nobody", "approvals": []}
    said = f"as planned: {planned}; nobody else has to approve it: approvals = 0"
    assert run.message("rehearse::binding") == said


def _other_schema_is_refused(production: Production, planned: str) -> None:
    """Another object in production, which drift alone would let through."""
    production.execute("CREATE INDEX by_hand ON desk.ticket (subject)")
    drifted = production.promote(f"--hk-plan={planned}")
    accepted = re.search(r"--hk-accept-drift=\w+", drifted.output)
    assert accepted is not None, drifted.output
    run = production.promote(f"--hk-plan={planned}", accepted[0])
    assert (run.code, run.outcome) == (1, "refused"), run.output
    assert "it differs in the schema before, the schema after\n" in run.output
    production.execute("DROP INDEX desk.by_hand")
    assert production.unchanged


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


APPROVED = f'{UNPROVED}approvals = 1\napprovers = "ops/approvers"\n'


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="there is no ssh-keygen here")
def test_a_promotion_waits_for_somebody_who_has_approved_just_it(
    production: Production, tmp_path: Path
) -> None:
    for name in ("ada", "eve"):
        new_key(tmp_path, name)
    approvers = signer_line(tmp_path / "ada", "ada@example.org")
    production.change({"pyproject.toml": APPROVED, "ops/approvers": approvers})
    run = production.promote()
    assert (run.code, run.outcome) == (1, "refused"), run.output
    assert production.unchanged
    digest = digest_of(run)
    assert f"0 of 1 approvals of {digest}" in run.output
    assert f"python -m pytest_housekeeping approve {digest}" in run.output
    assert run.audit["bound"]["second_person"] == "lacking"

    git(production.root, "config", "gpg.format", "ssh")
    git(production.root, "config", "user.signingkey", str(tmp_path / "ada"))
    told = list(approve(production.root, digest))
    assert told[0] == f"approved by ada@example.org: {digest}"
    assert told[2] == "pushed to origin"
    in_place = production.promote("--hk-in-place")
    assert in_place.code == 4, in_place.output
    assert "--hk-in-place, and approvals = 1" in in_place.output

    # It is of that promotion and of no other.
    text = (production.root / "sql/migrations/0003_urgency.sql").read_text(encoding="utf-8")
    production.change({"sql/migrations/0003_urgency.sql": f"{text}-- later\n"})
    run = production.promote()
    assert (run.code, run.outcome) == (1, "refused"), run.output
    assert "0 of 1 approvals of " in run.output
    production.change({"sql/migrations/0003_urgency.sql": text})

    run = production.promote(f"--hk-plan={digest}")
    assert (run.code, run.outcome) == (0, "promoted"), run.output
    bound = run.audit["bound"]
    assert (bound["digest"], bound["second_person"]) == (digest, "approved")
    assert [each["approver"] for each in bound["approvals"]] == ["ada@example.org"]
    assert run.message("rehearse::binding").endswith("; approved by ada@example.org")
