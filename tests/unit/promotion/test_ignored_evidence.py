"""What `init` keeps out of a project's commits: evidence of every target, its environment."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from pytest_housekeeping.promotion.init.project_text import with_ignored

_NAMES = ("prod_1.json", "plan_1.html", "staging_1.json", "prod_1.journal.jsonl")


@pytest.mark.parametrize("audit", ["ops/audit", "audit"])
def test_the_evidence_of_production_of_targets_and_of_fleets(tmp_path: Path, audit: str) -> None:
    """A branch of evidence is merged over what the run has left, which git refuses otherwise."""
    text = with_ignored(tmp_path, audit, Path("/elsewhere")) or ""
    (tmp_path / ".gitignore").write_text(text, encoding="utf-8")
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


@pytest.mark.parametrize(
    ("there", "own", "added"),
    [("", False, True), ("*.pyc\n", False, True), (".venv\n", False, False), ("", True, False)],
)
def test_the_environment_that_it_runs_in(
    tmp_path: Path, there: str, *, own: bool, added: bool
) -> None:
    """`git add -A` behind `init` would commit ten thousand files of it."""
    environment = tmp_path / ".venv"
    environment.mkdir()
    (tmp_path / ".gitignore").write_text(there, encoding="utf-8")
    if own:
        (environment / ".gitignore").write_text("*\n", encoding="utf-8")
    text = with_ignored(tmp_path, "ops/audit", environment) or ""
    assert text.splitlines().count("/.venv/") == added
