"""Files that cannot join the one transaction: each cuts the plan, each part is proved by itself."""

from __future__ import annotations

from pathlib import Path

from support.staging_project import Project

INDEX = "-- hk: transaction=none\nCREATE INDEX CONCURRENTLY {name} ON shop.item (name);\n"
VALUE = "-- hk: transaction=own\nALTER TYPE shop.state ADD VALUE 'sold';\n"
STATE = "CREATE TYPE shop.state AS ENUM ('new', 'used');\n"
USE = "ALTER TABLE shop.item ADD COLUMN state shop.state NOT NULL DEFAULT 'sold';\n"
# No parser sees what type the value has here: the server does.
IN_A_BLOCK = "DO $$ BEGIN EXECUTE 'SELECT ' || quote_literal('sold') || '::shop.state'; END $$;\n"
COLUMN = '[tables."shop.item"]\nid = "bigint"\nname = "text"\nprice = "numeric(10,2)"\n'
OBJECTS = f'schemas = ["shop"]\nviews = ["shop.cheap"]\n\n{COLUMN}state = "shop.state"\n'


def test_index_first_middle_and_last_and_an_enum_value_between(tmp_path: Path) -> None:
    """The first file cannot be in a transaction, nor can the last: every cut there is."""
    files = {
        "sql/migrations/0000_vacuum.sql": "-- hk: transaction=none\nVACUUM pg_catalog.pg_class;\n",
        "sql/migrations/0003_state.sql": STATE,
        "sql/migrations/0004_index.sql": INDEX.format(name="item_name_idx"),
        "sql/migrations/0005_sold.sql": VALUE,
        "sql/migrations/0006_use.sql": USE,
        "sql/migrations/0007_last.sql": INDEX.format(name="item_last_idx"),
        "sql/views/cheap.sql": None,
        "checks/objects.toml": OBJECTS.replace(
            'views = ["shop.cheap"]',
            'indexes = ["shop.item_name_idx", "shop.item_last_idx", "shop.item_pkey"]',
        ),
        "checks/test_shop.py": "def test_it(hk_connection):\n"
        "    rows = hk_connection.execute('SELECT DISTINCT state::text FROM shop.item')\n"
        "    assert rows.fetchall() == [('sold',)]\n",
    }
    run = Project.make(tmp_path, files=files).run("-v")
    assert (run.code, run.outcome) == (0, "promoted"), run.output
    assert [step for step in run.ran if "apply" in step or "promote" in step] == [
        "sql/migrations/0000_vacuum.sql::apply",
        "promote[1/7]",
        "sql/migrations/0001_items.sql::apply",
        "sql/migrations/0002_prices.sql::apply",
        "sql/migrations/0003_state.sql::apply",
        "promote[2/7]",
        "sql/migrations/0004_index.sql::apply",
        "promote[3/7]",
        "sql/migrations/0005_sold.sql::apply",
        "promote[4/7]",
        "sql/migrations/0006_use.sql::apply",
        "promote[5/7]",
        "sql/migrations/0007_last.sql::apply",
        "promote[6/7]",
        "promote[7/7]",
    ]
    assert run.audit["plan"]["segments"] == 7
    assert run.ran.index("checks/test_shop.py::test_it") > run.ran.index("promote[6/7]")


def test_a_failure_in_the_second_segment_leaves_the_first_and_says_so(tmp_path: Path) -> None:
    project = Project.make(
        tmp_path,
        files={
            "sql/migrations/0003_state.sql": STATE,
            "sql/migrations/0004_index.sql": INDEX.format(name="item_name_idx"),
            "sql/migrations/0005_sold.sql": "ALTER TYPE shop.state ADD VALUE 'sold';\n",
            "sql/migrations/0006_broken.sql": IN_A_BLOCK,
        },
    )
    run = project.run("-v")
    assert (run.code, run.outcome) == (1, "promoted_in_part"), run.output
    assert {step for step in run.ran if run.steps[step] == "passed" and "::apply" in step} == {
        "sql/migrations/0001_items.sql::apply",
        "sql/migrations/0002_prices.sql::apply",
        "sql/migrations/0003_state.sql::apply",
        "sql/migrations/0004_index.sql::apply",
        "sql/migrations/0005_sold.sql::apply",
    }
    outcomes = {step: run.steps[step] for step in run.steps if step.startswith("promote")}
    assert outcomes == {
        "promote[1/3]": "passed",
        "promote[2/3]": "passed",
        "promote[3/3]": "skipped",
    }
    blocked = "blocked by sql/migrations/0006_broken.sql::apply"
    assert run.message("promote[3/3]") == blocked
    assert run.message("checks/test_shop.py::test_two_items") == blocked
    assert "55P04" in run.message("sql/migrations/0006_broken.sql::apply")
    assert "begin sql/migrations/0005_sold.sql with: -- hk: transaction=own" in run.output
    assert "nothing was changed" not in run.output


def test_a_failure_outside_of_a_transaction_is_not_called_undone(tmp_path: Path) -> None:
    """A unique index that cannot be built stays behind, invalid: PostgreSQL says it does."""
    unique = (
        "-- hk: transaction=none\nCREATE UNIQUE INDEX CONCURRENTLY item_twice ON shop.item ({});\n"
    )
    project = Project.make(
        tmp_path,
        files={
            "sql/migrations/0003_twice.sql": "INSERT INTO shop.item VALUES (3, 'lamp', 1);\n",
            "sql/migrations/0004_unique.sql": unique.format("name"),
        },
    )
    run = project.run("-v")
    step = "sql/migrations/0004_unique.sql::apply"
    assert (run.code, run.steps[step]) == (1, "failed"), run.output
    assert "could not create unique index" in run.output
    assert "(SQLSTATE 23505)" in run.output
    assert "invalid" in run.output
    assert run.steps["promote[1/3]"] == "passed"
    assert run.outcome == "promoted_in_part"
    assert run.message("promote[2/3]") == f"blocked by {step}"


def test_a_first_segment_that_fails_alone_is_not_called_unchanged(tmp_path: Path) -> None:
    """Nothing was promoted, yet what ran outside of a transaction may have changed something. That
    what it drops is not there is no sign of an earlier run, where there was none."""
    bad = "-- hk: transaction=none\nDROP INDEX CONCURRENTLY nothing;\n"
    run = Project.make(tmp_path, files={"sql/migrations/0000_index.sql": bad}).run()
    assert run.code == 1, run.output
    assert 'index "nothing" does not exist' in run.output
    assert run.outcome != "refused"
    assert run.steps["promote[1/2]"] == "skipped"


TENANTS = ("11111111-1111-1111-1111-111111111111", "22222222-2222-2222-2222-222222222222")
OPEN = "CREATE TABLE desk.note (tenant_id uuid PRIMARY KEY);\n"
CLOSED = "".join(
    f"ALTER TABLE desk.note {how} ROW LEVEL SECURITY;\n" for how in ("ENABLE", "FORCE")
)
CUT = "-- hk: transaction=none\nCREATE INDEX CONCURRENTLY note_idx ON desk.note (tenant_id);\n"
POLICY = (
    "GRANT SELECT, INSERT, UPDATE, DELETE ON desk.note TO desk_app;\n"
    "DROP POLICY IF EXISTS own ON desk.note;\nCREATE POLICY own ON desk.note TO desk_app\n"
    "USING (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);\n"
)
SEED = (
    "-- hk: row-security=on\nSET LOCAL ROLE desk_app;\n"
    "SELECT set_config('app.tenant_id', '{0}', true);\nINSERT INTO desk.note VALUES ('{0}');\n"
)


def test_between_segments_what_nobody_can_reach_may_be_unfinished(tmp_path: Path) -> None:
    files = {
        "sql/migrations/0002_note.sql": OPEN,
        "sql/migrations/0003_index.sql": CUT,
        "sql/migrations/0004_close.sql": CLOSED,
        "sql/policies/note.sql": POLICY,
        "sql/seeds/notes.sql": "".join(SEED.format(tenant) for tenant in TENANTS),
    }
    run = Project.make(tmp_path, "tenants", files).run("-v")
    assert (run.code, run.outcome) == (0, "promoted"), run.output
    assert run.steps["checks/rls.toml::rls-not-enabled[1/3]"] == "passed"
    assert run.steps["checks/boundaries.toml::desk stays out of the vault[1/3]"] == "passed"
    assert "checks/boundaries.toml::desk works on desk[1/3]" not in run.steps


def test_between_segments_nothing_may_stand_open(tmp_path: Path) -> None:
    grants = "GRANT USAGE ON SCHEMA desk TO desk_app;\nGRANT SELECT ON desk.note TO desk_app;\n"
    files = {
        "sql/migrations/0002_note.sql": OPEN + grants,
        "sql/migrations/0003_index.sql": CUT,
        "sql/migrations/0004_close.sql": CLOSED,
        "sql/policies/note.sql": POLICY,
    }
    run = Project.make(tmp_path, "tenants", files).run("-v")
    assert (run.code, run.outcome) == (1, "rolled_back"), run.output
    assert run.steps["checks/rls.toml::rls-not-enabled[1/3]"] == "failed"
    assert "desk.note" in run.findings("rls-not-enabled")
    assert run.steps["promote[1/3]"] == "skipped"
    assert run.steps["sql/migrations/0003_index.sql::apply"] == "skipped"


def test_a_selection_brings_the_segments_before_it(tmp_path: Path) -> None:
    files = {"sql/migrations/0003_index.sql": INDEX.format(name="item_name_idx")}
    run = Project.make(tmp_path, files=files).run("-v", "-k", "lamp")
    assert run.code == 0, run.output
    assert run.ran[-4:] == [
        "promote[2/3]",
        "after::schema[2/3]",
        "sql/views/cheap.sql::apply",
        "checks/test_shop.py::test_the_lamp_is_cheap",
    ]
    assert run.steps["promote[3/3]"] == "skipped"
    assert run.outcome == "promoted_in_part"
