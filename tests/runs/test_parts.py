"""A file of several statements that no transaction can hold: each a step, on record by itself."""

from __future__ import annotations

import re
from pathlib import Path

from support.production_project import TENANT, Production, Rehearsal, merge_audit
from support.staging_project import Project

AT = "db/migrations"
FILE = f"{AT}/00002_indexes.sql"
PARTS = """\
-- +goose NO TRANSACTION
-- +goose Up
SET statement_timeout = 0;
CREATE INDEX CONCURRENTLY ticket_subject ON desk.ticket (subject);
-- A subject stands once.
CREATE UNIQUE INDEX CONCURRENTLY ticket_once ON desk.ticket (tenant_id, subject);
-- +goose Down
DROP INDEX CONCURRENTLY desk.ticket_once;
DROP INDEX CONCURRENTLY desk.ticket_subject;
"""
SHOP = """\
-- migrate:up transaction:false
CREATE INDEX CONCURRENTLY item_name ON shop.item (name);
UPDATE shop.item SET price = price + 1;
CREATE INDEX CONCURRENTLY item_price ON shop.item (price);
-- migrate:down
DROP INDEX CONCURRENTLY shop.item_price;
DROP INDEX CONCURRENTLY shop.item_name;
"""


def test_staging_goes_there_and_back_with_each_part_in_its_place(tmp_path: Path) -> None:
    project = Project.make(tmp_path)
    old = {path: project.root / f"sql/migrations/{path}" for path in ("0001_items", "0002_prices")}
    ups = {n: (p.with_suffix(".sql")).read_text(encoding="utf-8") for n, p in old.items()}
    project.write({f"sql/migrations/{name}.sql": None for name in ups})
    project.write({f"{AT}/{name}.sql": f"-- migrate:up\n{text}" for name, text in ups.items()})
    project.write({f"{AT}/0003_indexes.sql": SHOP})
    run = project.run("-v", "--color=yes")
    assert (run.code, run.outcome) == (0, "promoted"), run.output
    assert [step for step in run.ran if "#" in step and "apply" in step] == [
        f"{AT}/0003_indexes.sql#{part}::apply" for part in ("1of3", "2of3", "3of3")
    ]
    assert run.steps[f"{AT}/0003_indexes.sql#down::round-trip"] == "passed"
    # The verdict is in colour, bold and green.
    assert re.search("(?:\x1b\\[(?:1|32)m){2}Proved in staging", run.output)
    assert len(run.findings("sql-file")) == 2  # what of the way back runs without CONCURRENTLY


def test_what_a_failure_has_left_is_gone_on_with_and_undone(
    rehearsed: Rehearsal, tmp_path: Path
) -> None:
    production = _promoted(rehearsed.fresh(tmp_path, first=True))
    twice = f"INSERT INTO desk.ticket (tenant_id, subject) VALUES ('{TENANT}', 'twice')"
    production.execute(f"{twice}; {twice}")
    production.change({FILE: PARTS}, proved=True)

    run = production.promote()
    assert "--hk-segments=3" in run.output
    run = production.promote("--hk-segments=3", "--hk-in-place")
    assert (run.code, run.outcome) == (1, "promoted_in_part"), run.output
    assert run.steps[f"{FILE}#1of2::apply"] == "passed"
    assert "could not create unique index" in run.output
    assert _paths(production) == [
        f"{AT}/00001_tickets.sql",
        "sql/policies/desk.sql",
        f"{FILE}#1of2",
    ]
    merge_audit(production.root)

    # What is left of the file is not what it was: its first part is there.
    edited = PARTS.replace("(tenant_id, subject)", "(subject, tenant_id)")
    production.change({FILE: edited}, proved=True)
    run = production.promote("--hk-segments=2")
    assert run.code == 1, run.output
    assert f"{FILE}#1of2: was edited after it had been promoted" in run.output
    production.change({FILE: PARTS}, proved=True)

    production.execute("DELETE FROM desk.ticket WHERE subject = 'twice'")
    run = production.promote("--hk-segments=2")
    assert (run.code, run.outcome) == (0, "promoted"), run.output
    assert f"{FILE}#1of2::apply" not in run.steps
    assert run.steps[f"{FILE}#2of2::apply"] == "passed"
    merge_audit(production.root)
    run = production.promote()
    assert (run.code, run.outcome) == (0, "nothing_to_promote"), run.output

    first = _rows(production)[-2][0]
    run = production.undo(str(_rows(production)[-1][0]))
    assert run.code == 4, run.output
    assert f"--hk-to={first}" in run.output
    run = production.undo(str(first))
    assert (run.code, run.outcome) == (0, "promoted"), run.output
    assert _rows(production)[-2:] == [
        (run.audit["run"]["id"], f"{FILE}#{part}", "rollback") for part in ("2of2", "1of2")
    ]


def _promoted(production: Production) -> Production:
    """The same project as goose keeps it, promoted once."""
    first = (production.root / "sql/migrations/0001_tickets.sql").read_text(encoding="utf-8")
    files = {
        "sql/migrations/0001_tickets.sql": None,
        f"{AT}/00001_tickets.sql": f"-- +goose Up\n{first}",
    }
    production.change(files, proved=True)
    run = production.promote()
    assert (run.code, run.outcome) == (0, "promoted"), run.output
    merge_audit(production.root)
    return production


def _rows(production: Production) -> list[tuple[str, str, str]]:
    with production.server.superuser() as connection:
        return connection.execute(
            "SELECT run, path, kind FROM housekeeping.history ORDER BY id"
        ).fetchall()


def _paths(production: Production) -> list[str]:
    return [path for _, path, _ in _rows(production)]
