"""A promotion that throws planner statistics away, on tables with rows."""

from __future__ import annotations

from support.production_project import Production
from support.staging_project import WITHOUT_RLS

WIDER = "sql/migrations/0005_wider.sql"
_COLUMNS = """
SELECT a.attname::text FROM pg_statistic AS s
JOIN pg_attribute AS a ON a.attrelid = s.starelid AND a.attnum = s.staattnum
WHERE s.starelid = 'desk.ticket'::regclass ORDER BY 1
"""


def columns(production: Production) -> list[str]:
    with production.server.superuser() as connection:
        return [name for (name,) in connection.execute(_COLUMNS).fetchall()]


def test_they_are_made_again_behind_the_commit(production: Production) -> None:
    """The table's row-level security is forced: its owner is shown no statistics of it."""
    wider = "ALTER TABLE desk.ticket ALTER COLUMN subject TYPE varchar(200);\n"
    production.change({**WITHOUT_RLS, WIDER: wider}, stage=True)
    production.execute("ANALYZE desk.ticket")
    before = columns(production)
    assert "subject" in before
    run = production.promote("-v")
    assert (run.code, run.outcome) == (0, "promoted"), run.output
    said = run.message("after::statistics")
    assert "ANALYZE desk.ticket" in said
    assert "subject" in said
    assert set(before) <= set(columns(production))
    assert "the schema is the one that was proved: " in run.message("after::schema")
    assert [step["id"] for step in run.audit["steps"] if step["phase"] == "after"] == [
        "after::schema",
        "after::statistics",
    ]
    assert "after::statistics PASSED" in run.output
    assert "  after     2 passed" in run.output
    assert "after::statistics" in run.page
    assert "ANALYZE desk.ticket" in run.page
