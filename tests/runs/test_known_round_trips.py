"""What a run of this machine has shown is not repeated, and what changes is: round trips, checks
that the schema decides, that the result restores, and tripwires, in which no migration has a part.
"""

from __future__ import annotations

from pathlib import Path

from support.own_cache import own_cache
from support.staging_project import Project

ROLLBACK = "sql/rollback/0002_names.sql"
STEP = f"{ROLLBACK}::round-trip"
RESTORE = "verify::restore"
CHECK = "checks/rls.toml::identity-isolated"
TRIPWIRE = "tripwire::rls-not-enabled"
VIEW = "sql/views/subjects.sql"
AGAIN = f"{VIEW}::again"
FILES = {
    VIEW: "CREATE OR REPLACE VIEW desk.subjects WITH (security_invoker) AS\n"
    "SELECT subject FROM desk.ticket;\n",
    "sql/migrations/0002_names.sql": "CREATE INDEX subject ON desk.ticket (subject);\n",
    ROLLBACK: "DROP INDEX desk.subject;\n",
}


def test_a_round_trip_is_shown_once(tmp_path: Path) -> None:
    environment, _ = own_cache(tmp_path / "cache")
    project = Project.make(tmp_path, "tenants", FILES)
    first = project.run(**environment)
    assert (first.code, first.outcome) == (0, "promoted"), first.output
    assert "shown at" not in first.message(STEP) + first.message(TRIPWIRE)
    assert "shown at" not in first.message(RESTORE) + first.message(CHECK) + first.output
    assert "shown at" not in first.message(AGAIN)

    again = project.run(**environment)
    assert (again.code, again.outcome) == (0, "promoted"), again.output
    said, then = again.message(STEP).split("; shown at ")
    assert said == first.message(STEP)
    assert then.endswith("by a run of the same files on the same schema")

    for step in (RESTORE, CHECK, AGAIN):
        said, then = again.message(step).split("; shown at ")
        assert said == first.message(step)
    known = {each["id"]: each["shown_at"] for each in again.audit["steps"] if each["shown_at"]}
    assert f"  known     {len(known)} proofs shown at {min(known.values())}" in again.output

    project.write({ROLLBACK: "SELECT 1;\n"})
    changed = project.run(**environment)
    assert changed.steps[STEP] == "failed"
    tripped = changed.message(TRIPWIRE)
    assert "; shown at " in tripped
    assert tripped.endswith(" by a run of the same rules on the same server")
