"""Green in staging, and refused by production's rows before anything of it is touched."""

from __future__ import annotations

from pathlib import Path

from support.production_project import PROMOTER, Production, Rehearsal, merge_audit

OF_SOMETHING_ELSE = True

QUICK = {
    "pyproject.toml": (
        "[tool.housekeeping]\nlint = false\nrequire_staging_evidence = false\n"
        'question_timeout = "300ms"\n'
    )
}
STEP = "rehearse::rows"
MADE = """CREATE TABLE vault."or""der" ("group" text PRIMARY KEY, a int, "x.y" int);
CREATE TABLE vault.slow (id int PRIMARY KEY, a int);
"""
ROWS = """INSERT INTO vault."or""der"
VALUES (E'one\\x1b[31m\\n::error::', NULL, 1), ('two', NULL, 1);
INSERT INTO vault.slow VALUES (1, 1);
INSERT INTO desk.note (tenant_id, ticket_id, body)
SELECT tenant_id, id, 'a note' FROM desk.ticket;
"""
REFUSED = """ALTER TABLE vault."or""der" ALTER COLUMN a SET NOT NULL;
ALTER TABLE vault."or""der" RENAME COLUMN "x.y" TO z;
ALTER TABLE vault."or""der" ADD CONSTRAINT once UNIQUE (z);
ALTER TABLE vault.secret ADD COLUMN due date NOT NULL;
"""
UNCHECKED = """ALTER TABLE desk.note ADD CONSTRAINT "told" CHECK (body <> '');
ALTER TABLE vault.slow ADD CONSTRAINT near CHECK (pg_sleep(0.4)::text = '');
UPDATE vault.secret SET content = 'x';
ALTER TABLE vault.secret ADD CONSTRAINT filled CHECK (content = 'x');
"""


def test_what_rows_refuse_is_told_before_production_is_touched(production: Production) -> None:
    """Staging has no such rows. Their keys are told, and nothing else of them."""
    production.change(QUICK | {"sql/migrations/0005_made.sql": MADE})
    run = production.promote()
    assert (run.code, run.outcome) == (0, "promoted"), run.output
    assert run.message(STEP).endswith("rows can refuse none of them"), run.message(STEP)
    merge_audit(production.root)
    production.execute(ROWS + "INSERT INTO vault.secret VALUES (7, 'the launch code')")

    before = production.state
    production.change({"sql/migrations/0006_next.sql": REFUSED})
    run = production.promote()
    assert (run.code, run.outcome) == (1, "refused"), run.output
    assert production.state == before
    assert (run.steps["rehearse::result"], run.steps[STEP]) == ("passed", "failed")
    assert run.steps["sql/migrations/0006_next.sql::apply"] == "skipped"
    assert sorted(run.findings("rows-refuse")) == [
        'column vault."or""der".a: NOT NULL',
        "column vault.secret.due: NOT NULL",
        'unique index vault.once on vault."or""der"',
    ]
    for said in (
        '2 / 2 rows of vault."or""der": has the key of another',
        "primary keys: (one\\x1b[31m ::error::), (two)",
        "1 / 1 rows of vault.secret: is NULL; primary keys: (7)",
    ):
        assert said in run.output, run.output
    assert "launch code" not in run.output
    assert "Traceback" not in run.output
    where = {each["id"]: each["proved_on"] for each in run.audit["steps"]}
    assert where[STEP] == "target"

    merge_audit(production.root)
    production.change({"sql/migrations/0006_next.sql": UNCHECKED})
    run = production.promote()
    assert (run.code, run.outcome) == (0, "promoted"), run.output
    assert sorted(run.findings("rows-not-checked")) == [
        "constraint filled of vault.secret",
        "constraint near of vault.slow",
        "constraint told of desk.note",
    ]
    for said in (
        "not checked: sql/migrations/0006_next.sql changes its rows first",
        "not checked: the question ran into its limit of 300ms (question_timeout)",
        "not checked: policies hide rows of desk.note from the role that asks",
    ):
        assert said in run.output, run.output


READER = """CREATE ROLE row_reader NOLOGIN BYPASSRLS;
GRANT pg_read_all_data TO row_reader;
GRANT row_reader TO {promoter}
"""
TWICE = """INSERT INTO desk.ticket (tenant_id, subject)
SELECT '11111111-1111-1111-1111-111111111111', 'the door' FROM generate_series(1, 2)
"""


def test_a_role_asks_past_policies(rehearsed: Rehearsal, tmp_path: Path) -> None:
    """Row-level security is forced on the promoter, who owns the table."""
    production = rehearsed.fresh(tmp_path, first=True)
    settings = QUICK["pyproject.toml"] + 'question_role = "row_reader"\n'
    production.change({"pyproject.toml": settings})
    production.execute(READER.format(promoter=PROMOTER))
    try:
        first = production.promote()
        assert (first.code, first.outcome) == (0, "promoted"), first.output
        merge_audit(production.root)
        production.execute(TWICE)
        text = "ALTER TABLE desk.ticket ADD CONSTRAINT once UNIQUE (tenant_id, subject);\n"
        production.change({"sql/migrations/0002_once.sql": text})
        run = production.promote()
    finally:
        production.execute("DROP ROLE row_reader")
    assert (run.code, run.outcome) == (1, "refused"), run.output
    assert run.findings("rows-refuse") == ["unique index desk.once on desk.ticket"]
    assert "2 / 2 rows of desk.ticket: has the key of another" in run.output
