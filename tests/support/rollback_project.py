"""The second promotion, done, with the files that undo it: what a rollback starts from."""

from __future__ import annotations

from pathlib import Path

from pytest_housekeeping.snapshot.fingerprint import Fingerprint, read_fingerprint
from support.production_project import Production, Rehearsal, merge_audit

ROLLBACKS = {
    "sql/rollback/0001_tickets.sql": (
        "DROP TABLE vault.secret;\nDROP SCHEMA vault;\nDROP TABLE desk.ticket;\nDROP SCHEMA desk;\n"
    ),
    "sql/rollback/0002_notes.sql": "DROP TABLE desk.note;\n",
    "sql/rollback/0003_urgency.sql": (
        "ALTER TABLE desk.ticket DROP COLUMN urgency;\nDROP TYPE desk.urgency;\n"
    ),
    "sql/rollback/0004_words.sql": "DROP FUNCTION desk.words(text);\n",
}
STEM = "undoable"


def promoted(rehearsed: Rehearsal, place: Path) -> str:
    """Promote the second one once for all tests to come; the id of its run."""
    production = rehearsed.fresh(place)
    production.change(dict(ROLLBACKS), stage=True)
    run = production.promote()
    assert (run.code, run.outcome) == (0, "promoted"), run.output
    merge_audit(production.root)
    rehearsed.keep(production, STEM)
    return str(run.audit["run"]["id"])


def schema_of(production: Production) -> Fingerprint:
    """The schema as it is, which counts no dropped column."""
    with production.server.superuser() as connection:
        return read_fingerprint(connection)
