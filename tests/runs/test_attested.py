"""What was read is what ran, and what ran is in the commit that the audit attests."""

from __future__ import annotations

import hashlib
import subprocess

from support.production_project import Production

# Run as Python, committed and reviewed: it stands for somebody who edits while the run goes on.
EDITS_WHAT_IT_CAN = """
from pathlib import Path

def pytest_collection_finish(session):
    if session.config.getoption("hk_mode") != "{mode}":
        return
    for name in ("sql", "checks"):
        for path in Path(name).rglob("*"):
            if path.suffix in (".sql", ".toml"):
                path.write_text("SELECT this, is, nonsense", encoding="utf-8")
    Path("checks/queries/late.sql").write_text("SELECT 1", encoding="utf-8")
    Path("sql/migrations/0099_late.sql").write_text("SELECT 1;", encoding="utf-8")
"""


def committed(production: Production, path: str) -> str:
    """The sha256 of a file as HEAD has it."""
    blob = ["git", "cat-file", "blob", f"HEAD:{path}"]
    data = subprocess.run(blob, cwd=production.root, stdout=subprocess.PIPE, check=True).stdout
    return hashlib.sha256(data).hexdigest()


def test_files_edited_while_staging_runs(production: Production) -> None:
    """Bootstrap, history, seeds, rollback files and mutants: all run as they were read."""
    production.change({"conftest.py": EDITS_WHAT_IT_CAN.format(mode="staging")})
    run = production.stage("--hk-mutate")
    assert (run.code, run.outcome) == (0, "promoted"), run.output


def test_files_edited_while_production_is_promoted(production: Production) -> None:
    text = EDITS_WHAT_IT_CAN.format(mode="prod")
    production.change({"conftest.py": text}, stage=True)
    run = production.promote()
    assert (run.code, run.outcome) == (0, "promoted"), run.output

    production.execute("SELECT id FROM desk.pressing")
    for step in run.audit["plan"]["steps"]:
        if step["sha256"] and step["kind"] != "boundary":
            assert step["sha256"] == committed(production, step["path"]), step["id"]
