"""A rollback file that is required and missing fails staging."""

from __future__ import annotations

from pathlib import Path

from support.staging_project import Project


def test_a_required_one_that_is_missing_fails_staging(tmp_path: Path) -> None:
    settings = "[tool.housekeeping]\nlint = false\nrequire_rollback = true\n"
    late = "-- hk: irreversible, names cannot be told apart again\n"
    project = Project.make(
        tmp_path,
        files={
            "pyproject.toml": settings,
            "sql/migrations/0003_late.sql": late + "UPDATE shop.item SET name = lower(name);\n",
        },
    )
    run = project.run()
    assert (run.code, run.outcome) == (1, "rolled_back"), run.output
    failed = [step for step, outcome in run.steps.items() if outcome == "failed"]
    assert failed == [
        "sql/migrations/0001_items.sql::rollback",
        "sql/migrations/0002_prices.sql::rollback",
    ]
    assert "write sql/rollback/0001_items.sql, or say in the migration: -- hk: irr" in run.output
    said = run.message("sql/migrations/0003_late.sql::rollback")
    assert said == "irreversible: names cannot be told apart again"
