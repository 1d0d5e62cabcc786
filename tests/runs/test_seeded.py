"""The batch on a copy whose touched tables hold rows: what fails with them, and what is lost."""

from __future__ import annotations

from dataclasses import replace

from support.production_project import UNPROVED, Production
from support.staging_project import Run

OF_SOMETHING_ELSE = True

MADE = """
CREATE TABLE vault.owner (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL);
CREATE TABLE vault.item (
    id bigint PRIMARY KEY,
    owner_id bigint NOT NULL REFERENCES vault.owner (id) DEFERRABLE INITIALLY DEFERRED,
    label text CHECK (length(label) < 100),
    price numeric(10, 2),
    size text,
    note text
);
CREATE TABLE vault.bare (id int);
CREATE TABLE vault.idle (id int);
ALTER TABLE vault.owner OWNER TO promoter;
ALTER TABLE vault.item OWNER TO promoter;
ALTER TABLE vault.bare OWNER TO promoter;
ALTER TABLE vault.idle OWNER TO promoter;
INSERT INTO vault.owner (name) VALUES ('somebody');
INSERT INTO vault.item VALUES (1, 1, 'lamp', 9.5, '12', 'old');
INSERT INTO vault.idle VALUES (1);
"""


def planned(production: Production, batch: str) -> Run:
    production.execute(MADE)
    production.change({"pyproject.toml": UNPROVED, "sql/migrations/0005_rows.sql": batch})
    return production.promote(mode="plan", confirm=None)


def found(run: Run, rule: str) -> dict[str, tuple[str, str]]:
    """The findings of a rule, by object: level and detail."""
    return {
        each["object"]: (each["level"], each["detail"])
        for each in run.audit["findings"]
        if each["rule"] == rule
    }


LOSES = (
    "ALTER TABLE vault.item ALTER COLUMN label TYPE varchar(3) USING left(label, 3);\n"
    "ALTER TABLE vault.item ALTER COLUMN price TYPE integer;\n"
    "ALTER TABLE vault.item ALTER COLUMN size TYPE integer USING size::integer;\n"
    "ALTER TABLE vault.item DROP COLUMN note;\n"
    "ALTER TABLE vault.item ADD CONSTRAINT low CHECK (price < 50), ADD UNIQUE (size);\n"
    "CREATE ROLE hk_of_batch;\n"
    "GRANT SELECT ON vault.item TO hk_of_batch;\n"
    "TRUNCATE vault.bare;\n"
    "DELETE FROM vault.idle;\n"
)


def test_what_becomes_of_rows_and_values_is_measured(production: Production) -> None:
    production.execute("ALTER ROLE promoter CREATEROLE")
    try:
        run = planned(production, LOSES)
    finally:
        production.execute("ALTER ROLE promoter NOCREATEROLE")
    assert run.steps["rehearse::seeded"] == "passed", run.output
    lost = found(run, "values-lost")
    assert lost["table vault.idle"] == (
        "warning",
        "rows are gone, in 2 of the made-up rows",
    )
    assert lost["column vault.item.note"][0] == "notice"
    level, said = lost["column vault.item.label"]
    assert (level, said.partition(",")[0]) == ("warning", "values are cut off")
    assert lost["column vault.item.price"][1].startswith("values are others now")
    assert "column vault.item.size" not in lost  # whole numbers, before and after
    assert found(run, "not-seeded") == found(run, "fails-with-rows") == {}
    said = run.message("rehearse::seeded")
    assert "vault.item (2)" in said
    assert "vault.bare" not in said  # production has none there
    for role in ("hk_of_batch", "hk_aside_0"):
        assert role not in [name for (name,) in _roles(production)]


def _roles(production: Production) -> list[tuple[str]]:
    with production.server.superuser() as connection:
        return connection.execute("SELECT rolname::text FROM pg_roles").fetchall()


PENDING = """INSERT INTO vault.item (id, owner_id) SELECT id + 100, owner_id FROM vault.item;
ALTER TABLE vault.item ADD COLUMN more text;
"""


def test_what_fails_only_with_rows_is_told_of_its_file(production: Production) -> None:
    """A deferred foreign key keeps a table from being altered in which a row was written."""
    run = planned(production, PENDING)
    assert run.code == 1, run.output
    assert run.steps["rehearse::result"] == "passed"
    assert run.steps["rehearse::seeded"] == "failed"
    level, said = found(run, "fails-with-rows")["sql/migrations/0005_rows.sql"]
    assert level == "error"
    assert "pending trigger events" in said
    assert said.startswith("it goes through on empty tables, and fails where there are rows: ")


def test_production_sees_nothing_of_a_batch_that_fails_with_rows(production: Production) -> None:
    production.execute("INSERT INTO vault.secret VALUES (1, 'content')")
    production = replace(production, before=production.state)
    batch = "DO $$ BEGIN IF EXISTS (SELECT FROM vault.secret) THEN RAISE 'x'; END IF; END $$;\n"
    production.change({"pyproject.toml": UNPROVED, "sql/migrations/0005_rows.sql": batch})
    run = production.promote()
    assert (run.code, run.outcome) == (1, "refused"), run.output
    assert run.steps["rehearse::seeded"] == "failed", run.output
    assert run.steps["promote"] == "skipped"
    assert found(run, "fails-with-rows")["sql/migrations/0005_rows.sql"][0] == "error"
    assert production.before.differences(production.state) == []


def test_an_index_that_was_built_and_not_recorded_is_recognised_there_as_well(
    production: Production,
) -> None:
    """As a run has left it that ended between the build and its record."""
    production.execute(
        "INSERT INTO vault.secret VALUES (1, 'content');"
        " CREATE INDEX secret_content ON vault.secret (content)"
    )
    index = "CREATE INDEX CONCURRENTLY secret_content ON vault.secret (content);\n"
    files = {
        "pyproject.toml": UNPROVED,
        "sql/migrations/0005_index.sql": f"-- hk: transaction=none\n{index}",
        "sql/migrations/0006_more.sql": "ALTER TABLE vault.secret ADD COLUMN more text;\n",
    }
    production.change(files)
    run = production.promote(mode="plan", confirm=None)
    assert found(run, "fails-with-rows") == {}, run.output
    assert run.steps["rehearse::seeded"] == "passed", run.output
    assert "vault.secret (" in run.message("rehearse::seeded")


VANISHES = """
CREATE FUNCTION vault.no() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'not here'; END $$;
ALTER FUNCTION vault.no() OWNER TO promoter;
CREATE TRIGGER no BEFORE INSERT ON vault.idle FOR EACH ROW EXECUTE FUNCTION vault.no();
ALTER TABLE vault.item ADD CHECK (id > 10 AND id < 5) NOT VALID;
"""


def test_a_table_that_gets_no_row_is_named_and_so_is_a_batch_that_met_none(
    production: Production,
) -> None:
    production.execute("DELETE FROM desk.ticket")
    production.execute(MADE)
    production.execute(VANISHES)
    batch = "ALTER TABLE vault.idle ADD more text;\nALTER TABLE vault.item ADD more text;\n"
    production.change({"pyproject.toml": UNPROVED, "sql/migrations/0005_rows.sql": batch})
    run = production.promote(mode="plan", confirm=None)
    assert run.code == 0, run.output
    reasons = found(run, "not-seeded")
    assert reasons["vault.idle"][0] == reasons["vault.item"][0] == "warning"
    assert "P0001 not here" in reasons["vault.idle"][1]
    assert "no value was found that satisfies" in reasons["vault.item"][1]
    assert run.message("rehearse::seeded") == "no rows were made up"
    (nothing,) = found(run, "nothing-seeded").items()
    assert nothing[0] == "vault.idle, vault.item"
    assert "nothing-seeded: vault.idle, vault.item" in run.output


def test_made_up_values_that_are_refused_stop_nothing(production: Production) -> None:
    """What is decided by values is asked of production's own; a new column has none in any row."""
    run = planned(
        production,
        "DO $$ BEGIN IF EXISTS (SELECT FROM vault.item WHERE label <> 'lamp') THEN"
        " RAISE check_violation USING MESSAGE = 'only lamps'; END IF; END $$;\n",
    )
    level, said = found(run, "fails-with-rows")["sql/migrations/0005_rows.sql"]
    assert level == "warning", run.output
    assert said.startswith("made-up values were refused; production's own may be others: ")
    assert run.steps["rehearse::seeded"] == "passed"
