"""What `init` keeps out of a project's commits: evidence of every target, and nothing else."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from pytest_housekeeping.promotion.init.project_text import with_ignored

_NAMES = ("prod_1.json", "plan_1.html", "staging_1.json", "prod_1.journal.jsonl")


@pytest.mark.parametrize("audit", ["ops/audit", "audit"])
def test_the_evidence_of_production_of_targets_and_of_fleets(tmp_path: Path, audit: str) -> None:
    """A branch of evidence is merged over what the run has left, which git refuses otherwise."""
    (tmp_path / ".gitignore").write_text(with_ignored(tmp_path, audit) or "", encoding="utf-8")
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    base, _, last = f"/{audit}".rpartition("/")
    folders = [f"{base}{between}/{last}"[1:] for between in ("", "/preprod", "/tenants/acme")]
    kept = [f"{folder}/{name}" for folder in folders for name in _NAMES]
    kept += [f"{base}{more}"[1:] for more in (f"/tenants/{last}/fleet_1.html", "/a/incidents/1.md")]
    others = ["ops/tenants.json", "ops/tenants/acme/target.json", "ops/production.json"]
    asked = subprocess.run(
        ["git", "-C", tmp_path, "check-ignore", *kept, *others],
        capture_output=True,
        text=True,
        check=False,
    )
    assert asked.stdout.split() == kept
