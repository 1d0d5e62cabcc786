"""A round trip that a run of this machine has shown is not repeated, and what changes is."""

from __future__ import annotations

from pathlib import Path

from support.own_cache import own_cache
from support.staging_project import Project

ROLLBACK = "sql/rollback/0003_names.sql"
STEP = f"{ROLLBACK}::round-trip"
FILES = {
    "sql/migrations/0003_names.sql": "CREATE INDEX item_name ON shop.item (name);\n",
    ROLLBACK: "DROP INDEX shop.item_name;\n",
}


def test_a_round_trip_is_shown_once(tmp_path: Path) -> None:
    environment, _ = own_cache(tmp_path / "cache")
    project = Project.make(tmp_path, files=FILES)
    first = project.run(**environment)
    assert (first.code, first.outcome) == (0, "promoted"), first.output
    assert "shown at" not in first.message(STEP)

    again = project.run(**environment)
    assert (again.code, again.outcome) == (0, "promoted"), again.output
    said, then = again.message(STEP).split("; shown at ")
    assert said == first.message(STEP)
    assert then.endswith("by a run of the same files on the same schema")

    project.write({ROLLBACK: "SELECT 1;\n"})
    changed = project.run(**environment)
    assert changed.steps[STEP] == "failed"
