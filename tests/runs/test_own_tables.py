"""The tool's own tables in whole runs: whoever opens, forges or empties them is told of it."""

from __future__ import annotations

import pytest

from support.production_project import UNPROVED, Production
from support.staging_project import WITHOUT_RLS, Run

FORGED = """
GRANT USAGE ON SCHEMA housekeeping TO desk_app;
GRANT INSERT ON housekeeping.history TO desk_app;
SET ROLE desk_app;
INSERT INTO housekeeping.history
    (run, source_commit, kind, path, sha256, statements, duration_s, chain)
VALUES ('forged', 'c', 'migration', 'sql/migrations/0002_priority.sql', 'aa', 1, 0, 'x');
RESET ROLE;
REVOKE ALL ON housekeeping.history FROM desk_app;
REVOKE ALL ON SCHEMA housekeeping FROM desk_app;
"""
# Staging has no history yet when it applies this; production has.
BY_A_FILE = """DO $$
BEGIN
    IF pg_catalog.to_regclass('house' || 'keeping.history') IS NOT NULL THEN
        EXECUTE 'DELETE FROM house' || 'keeping.history WHERE id = 1';
    END IF;
END
$$;
"""
# What would run when the history is written, planted by a statement that no parser can read.
TRIGGER_BY_A_FILE = """
CREATE FUNCTION vault.meddle() RETURNS trigger LANGUAGE plpgsql SET search_path = ''
AS $$ BEGIN
    SET CONSTRAINTS ALL DEFERRED;
    INSERT INTO vault.secret VALUES (1, 'content');
    RETURN NULL;
END $$;
DO $$ BEGIN
    EXECUTE 'CREATE TRIGGER meddle AFTER INSERT ON house' || 'keeping.history'
    || ' FOR EACH STATEMENT EXECUTE FUNCTION vault.meddle()';
END $$;
"""


def refused(run: Run, *objects: str) -> None:
    found = {each["object"] for each in run.audit["findings"] if each["rule"].startswith("history")}
    assert found >= set(objects), run.output
    assert run.code == 1, run.output


def watch(production: Production) -> Run:
    return production.promote(confirm=None, mode="verify")


def test_a_row_forged_by_the_application_makes_verify_and_prod_fail(
    production: Production,
) -> None:
    production.execute(FORGED)
    forged = production.state
    refused(watch(production), "history row 3 (run forged)")
    run = production.promote()
    refused(run, "history row 3 (run forged)")
    assert run.outcome == "refused"
    assert production.state == forged


@pytest.mark.parametrize(
    "statement",
    [
        "TRUNCATE housekeeping.history, housekeeping.promotion",
        "ALTER SCHEMA housekeeping RENAME TO kept",
    ],
)
def test_a_history_that_is_gone_names_the_run_whose_files_are_missing(
    production: Production, statement: str
) -> None:
    """Emptied or renamed, it would be a database to which everything has to be applied."""
    (first,) = (each for each in production.project.audits() if "/prod_" in str(each))
    lost = str(first).rpartition("_")[2].removesuffix(".json")
    production.execute(statement)
    run = watch(production)
    refused(run, f"run {lost}")
    assert "0001" in run.output


def test_what_stands_beside_it_and_who_may_write_is_said_before_anything_is_done(
    production: Production,
) -> None:
    production.execute(
        "GRANT ALL ON housekeeping.history TO desk_app;"
        "CREATE FUNCTION public.f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';"
        "CREATE TRIGGER t BEFORE INSERT ON housekeeping.history FOR EACH ROW"
        " EXECUTE FUNCTION public.f()"
    )
    run = production.promote()
    refused(run, "TABLE housekeeping.history", "trigger t on housekeeping.history")
    assert "REVOKE ALL ON TABLE housekeeping.history FROM desk_app CASCADE;" in run.output
    assert "DROP TRIGGER t on housekeeping.history;" in run.output
    assert run.outcome == "refused"


def test_a_file_that_deletes_from_it_by_dynamic_sql_is_rolled_back(
    production: Production,
) -> None:
    files = {**WITHOUT_RLS, "sql/migrations/0099_by_hand.sql": BY_A_FILE}
    production.change(files, stage=True)
    run = production.promote()
    assert (run.code, run.outcome) == (1, "rolled_back"), run.output
    assert "history row 1 is gone" in run.output
    assert production.unchanged


@pytest.mark.parametrize(
    ("arguments", "outcome"),
    [
        pytest.param((), "refused", id="on the copy"),
        pytest.param(("--hk-in-place",), "rolled_back", id="in place"),
    ],
)
def test_a_trigger_on_it_by_dynamic_sql_is_found_before_anything_is_written(
    production: Production, arguments: tuple[str, ...], outcome: str
) -> None:
    files = {"pyproject.toml": UNPROVED, "sql/migrations/0005_meddle.sql": TRIGGER_BY_A_FILE}
    production.change(files)
    run = production.promote(*arguments)
    assert (run.code, run.outcome) == (1, outcome), run.output
    assert "trigger meddle on housekeeping.history" in run.output
    assert production.unchanged
