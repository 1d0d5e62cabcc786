"""What was made by hand becomes a migration that is recorded and not run, or is refused by name."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_housekeeping.postgres.own_tables.chain import link, read_rows
from pytest_housekeeping.postgres.own_tables.tables import columns_of
from pytest_housekeeping.snapshot.coverage import Around, since
from pytest_housekeeping.snapshot.fingerprint import read_fingerprint
from pytest_housekeeping.snapshot.fingerprint_record import to_json
from support.production_project import UNPROVED, Production, Rehearsal, merge_audit

OWN = "housekeeping"
PROVED = "[tool.housekeeping]\nlint = false\n"
BY_HAND = """
SET ROLE promoter;
CREATE TYPE desk.colour AS ENUM ('red', 'it''s');
ALTER TABLE desk.ticket ADD COLUMN colour desk.colour DEFAULT 'red',
    ADD CONSTRAINT by_hand_short CHECK (length(subject) < 4000);
CREATE INDEX by_hand ON desk.ticket (subject);
CREATE TABLE desk.made (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, of text NOT NULL);
ALTER TABLE desk.made ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY none ON desk.made USING (false);
CREATE FUNCTION desk.twice(n int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 2 * n';
CREATE VIEW desk.seen WITH (security_invoker) AS SELECT id, colour FROM desk.ticket;
GRANT SELECT ON desk.seen TO desk_app;
COMMENT ON COLUMN desk.ticket.colour IS 'by hand; at night';
"""


def adopt(production: Production) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "pytest_housekeeping", "adopt-drift"],
        cwd=production.root,
        env=production.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def whole(rehearsed: Rehearsal, tmp_path: Path) -> Production:
    """A production in which everything is that was ever committed."""
    production = rehearsed.fresh(tmp_path / "whole")
    production.change({"pyproject.toml": UNPROVED})
    run = production.promote()
    assert (run.code, run.outcome) == (0, "promoted"), run.output
    merge_audit(production.root)
    return production


@contextmanager
def by_hand(production: Production, statements: str, undone: str) -> Iterator[None]:
    production.execute(statements)
    try:
        yield
    finally:
        production.execute(undone)


def recorded_as_by_0_1_0(production: Production) -> None:
    """The schema on record without that of the tool's own tables, in the first form."""
    with production.server.superuser() as connection:
        schema = read_fingerprint(connection, exclude_schemas=(OWN,), around=Around.NOTHING)
        first = replace(schema.without(*since(1)), version=1)
        connection.execute(
            "UPDATE housekeeping.promotion SET objects = %s, fingerprint = %s",
            (to_json(first), first.digest),
        )
        chain = ""
        for row in read_rows(connection, OWN, "promotion", columns_of(connection, OWN)):
            chain = link(chain, row.table, row.fields)
            connection.execute(
                "UPDATE housekeeping.promotion SET chain = %s WHERE id = %s", (chain, row.id)
            )


def migrations(production: Production) -> list[str]:
    return sorted(path.name for path in (production.root / "sql/migrations").iterdir())


def test_where_nothing_was_made_by_hand_nothing_is_written(whole: Production) -> None:
    before = migrations(whole)
    code, said = adopt(whole)
    assert code == 0, said
    assert "nothing to adopt: production is as run " in said
    assert migrations(whole) == before


@pytest.mark.parametrize(
    ("made", "undone", "names"),
    [
        (
            "CREATE TABLE desk.of_another (id int); GRANT SELECT ON desk.of_another TO promoter",
            "DROP TABLE desk.of_another",
            ["added table desk.of_another", "no file was written"],
        ),
        (
            "ALTER ROLE desk_app CONNECTION LIMIT 7; CREATE INDEX x ON desk.ticket (subject)",
            "ALTER ROLE desk_app CONNECTION LIMIT -1; DROP INDEX desk.x",
            ["limits of role desk_app", "is around the schema"],
        ),
        (
            "ALTER TABLE desk.ticket SET (fillfactor = 70)",
            "ALTER TABLE desk.ticket RESET (fillfactor)",
            ["table desk.ticket", "fillfactor"],
        ),
    ],
    ids=["an owner that the role may not give", "a role", "what no statement is known for"],
)
def test_what_no_file_can_make_is_refused_by_name(
    whole: Production, made: str, undone: str, names: list[str]
) -> None:
    before = migrations(whole)
    with by_hand(whole, made, undone):
        code, said = adopt(whole)
    assert code == 1, said
    for name in names:
        assert name in said
    assert "fix: write the migration by hand" in said
    assert migrations(whole) == before


def test_it_is_proved_recorded_and_never_run(whole: Production) -> None:
    whole.execute(BY_HAND)
    drifted = whole.promote()
    assert (drifted.code, drifted.outcome) == (1, "refused"), drifted.output
    assert "python -m pytest_housekeeping adopt-drift writes it" in drifted.output
    state = whole.state
    code, said = adopt(whole)
    assert code == 0, said
    assert whole.state == state
    file = "sql/migrations/0005_adopt_drift.sql"
    assert f"written: {file}, for " in said
    assert "proved: of the schema that run " in said
    assert "--hk-baseline=0005" in said
    code, said = adopt(whole)
    assert code == 1, said
    assert f"not applied there: {file}" in said
    text = (whole.root / file).read_text(encoding="utf-8")
    assert "OWNER TO promoter" not in text

    # What differs by a word is not recorded, and neither is what changes rows.
    whole.change({file: text.replace("4000", "4001")})
    run = whole.promote("--hk-baseline=5")
    assert (run.code, run.outcome) == (1, "refused"), run.output
    assert run.findings("baseline") == ["constraint by_hand_short on desk.ticket"]
    whole.change({file: f"{text}\nUPDATE desk.ticket SET colour = 'red';\n"})
    run = whole.promote("--hk-baseline=5")
    assert (run.code, run.outcome) == (1, "refused"), run.output
    assert run.findings("baseline") == [file]
    assert "changes rows, or may" in run.output
    assert whole.state == state

    whole.change({file: text, "pyproject.toml": PROVED}, stage=True)
    run = whole.promote("--hk-baseline=5")
    assert (run.code, run.outcome) == (0, "promoted"), run.output
    assert run.steps["precheck::baseline"] == "passed"
    merge_audit(whole.root)
    run = whole.promote("--hk-baseline=5")
    assert run.code == 4, run.output
    assert "on record already" in run.output
    run = whole.promote()
    assert (run.code, run.outcome) == (0, "nothing_to_promote"), run.output
    staged = whole.stage()
    assert (staged.code, staged.outcome) == (0, "nothing_to_promote"), staged.output


def test_behind_a_record_of_0_1_0_what_was_made_by_hand_is_adopted_and_nothing_else(
    rehearsed: Rehearsal, tmp_path: Path
) -> None:
    production = rehearsed.fresh(tmp_path)
    production.change({"pyproject.toml": UNPROVED})
    assert production.promote().code == 0
    merge_audit(production.root)
    recorded_as_by_0_1_0(production)
    code, said = adopt(production)
    assert code == 0, said
    assert "nothing to adopt: production is as run " in said
    production.execute("ALTER TABLE desk.ticket ADD COLUMN mood text")
    code, said = adopt(production)
    assert code == 0, said
    file = "sql/migrations/0005_adopt_drift.sql"
    assert f"written: {file}, for 1 objects that were changed by hand" in said
    production.project.commit()
    run = production.promote("--hk-baseline=5")
    assert (run.code, run.outcome) == (0, "promoted"), run.output
