"""A promotion in an emergency: it waits for nobody, proves all, and has to be looked at."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pytest_housekeeping.promotion.commands.audit import audit
from pytest_housekeeping.promotion.commands.review import review
from pytest_housekeeping.promotion.commands.status import status
from support.fresh_copy import git
from support.production_project import Production, merge_audit
from support.signing import new_key, signer_line

OF_SOMETHING_ELSE = True

ASKING = """[tool.housekeeping]
lint = false
approvals = 1
approvers = "ops/approvers"
window = "{window}"
"""
WHY = "--hk-emergency=the shop takes\n no orders"


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="there is no ssh-keygen here")
def test_it_waits_for_nobody_proves_all_and_is_open_until_somebody_closes_it(
    production: Production, tmp_path: Path
) -> None:
    new_key(tmp_path, "ada")
    approvers = signer_line(tmp_path / "ada", "ada@example.org")
    later = datetime.now(UTC) + timedelta(hours=10)
    closed = f"{later:%H:%M}-{later + timedelta(hours=1):%H:%M} UTC"
    files: dict[str, str | bytes | None] = {
        "pyproject.toml": ASKING.format(window=closed),
        "ops/approvers": approvers,
        "checks/queries/none.sql": "SELECT id FROM desk.ticket WHERE id IS NOT NULL\n",
    }
    production.change(files)
    for given in ("--hk-emergency=", "--hk-emergency= \n "):
        run = production.promote(given)
        assert run.code == 4, run.output
        assert "--hk-emergency without a reason" in run.output
    run = production.promote(WHY, "--hk-no-commit")
    assert run.code == 4, run.output
    assert "--hk-emergency with --hk-no-commit" in run.output
    run = production.promote()
    assert (run.code, run.outcome) == (1, "refused"), run.output
    assert production.unchanged
    assert "failed" in (run.steps["precheck::evidence"], run.steps["precheck::window"])

    # What rows decide is proved: a query finds some.
    run = production.promote(WHY)
    assert (run.code, run.outcome) == (1, "rolled_back"), run.output
    assert production.unchanged
    assert run.steps["checks/queries/none.sql::query"] == "failed"
    assert audit(production.root).proved

    production.change({"checks/queries/none.sql": None})
    run = production.promote(WHY)
    assert (run.code, run.outcome) == (0, "promoted"), run.output
    assert run.audit["run"]["emergency"] == "the shop takes no orders"
    assert run.audit["bound"]["second_person"] == "waived"
    assert run.findings("emergency") == ["evidence of staging"]
    assert set(run.findings("window-closed")) == {closed}
    assert "emergency: the shop takes no orders" in run.output
    name = run.audit["run"]["id"]
    assert f"review {name} '…'" in run.output
    assert run.message("rehearse::binding").endswith("0 of 1 approvals; waived by --hk-emergency")

    _is_open(production, name)
    _close(production, name, key=tmp_path / "ada")


def _is_open(production: Production, name: str) -> None:
    merge_audit(production.root)
    watched = production.promote(mode="verify", confirm=None)
    assert watched.code == 1, watched.output
    assert watched.findings("emergency-open") == [f"run {name}"]
    assert not audit(production.root).proved
    standing = status(production.root)
    assert not standing.good
    assert any(f"run {name} was made in an emergency" in line for line in standing.lines)
    # A deployment may be the repair: it asks for its schema, and for nothing else.
    assert status(production.root, needs="HEAD").good


def _close(production: Production, name: str, *, key: Path) -> None:
    git(production.root, "config", "gpg.format", "ssh")
    git(production.root, "config", "user.signingkey", str(key))
    told = list(review(production.root, name, "nothing is left of it"))
    assert told[1] == "pushed to origin"
    assert audit(production.root).proved
    assert status(production.root).good
    watched = production.promote(mode="verify", confirm=None)
    assert (watched.code, watched.outcome) == (0, "nothing_to_promote"), watched.output
