"""What production has applied is history: replayed as it was, and never applied again."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pytest_housekeeping.model import RunOutcome
from support.fresh_copy import git
from support.promoted_past import promote
from support.staging_project import Project

INDEX = "-- hk: transaction=none\nCREATE INDEX CONCURRENTLY item_name_idx ON shop.item (name);\n"
VALUE = "ALTER TYPE shop.state ADD VALUE 'sold';\n"
USE = "ALTER TABLE shop.item ALTER COLUMN state SET DEFAULT 'sold';\n"
STATE = (
    "CREATE TYPE shop.state AS ENUM ('new', 'used');\n"
    "ALTER TABLE shop.item ADD COLUMN state shop.state;\n"
)
WITH_STATE = (
    'schemas = ["shop"]\nviews = ["shop.cheap"]\n\n[tables."shop.item"]\nid = "bigint"\n'
    'name = "text"\nprice = "numeric(10,2)"\nstate = "shop.state"\n'
)


def applied(steps: Iterable[str]) -> list[str]:
    return [step.partition("::")[0] for step in steps if step.endswith("::apply")]


def test_what_was_promoted_is_replayed_and_the_rest_is_the_batch(tmp_path: Path) -> None:
    project = Project.make(tmp_path, repository=True)
    promote(project, "r1")
    run = project.run()
    assert (run.code, run.outcome) == (0, "nothing_to_promote"), run.output
    assert applied(run.steps) == []
    assert run.message("precheck::history") == "replayed 3 files"
    assert run.steps["checks/test_shop.py::test_the_lamp_is_cheap"] == "passed"

    project.write(
        {"sql/migrations/0003_more.sql": "INSERT INTO shop.item VALUES (3, 'rug', 70);\n"}
    )
    project.write({"checks/test_shop.py": "def test_it(hk_connection): ...\n"})
    project.commit()
    run = project.run()
    assert (run.code, run.outcome) == (0, "promoted"), run.output
    assert applied(run.steps) == ["sql/migrations/0003_more.sql"]


def test_history_that_was_edited_removed_or_overtaken_is_named(tmp_path: Path) -> None:
    project = Project.make(
        tmp_path, files={"sql/migrations/0003_more.sql": "SELECT 1;\n"}, repository=True
    )
    promote(project, "r1")
    commit = git(project.root, "rev-parse", "HEAD^")
    project.write(
        {
            "sql/migrations/0001_items.sql": "CREATE SCHEMA shop;\n",
            "sql/migrations/0002_prices.sql": None,
            "sql/migrations/0000_early.sql": "SELECT 1;\n",
            "sql/migrations/0005_late.sql": "SELECT 1;\n",
        }
    )
    project.commit()
    run = project.run()
    assert (run.code, run.outcome) == (1, "refused"), run.output
    assert run.steps["precheck::history"] == "failed"
    assert run.findings("history-edited") == ["sql/migrations/0001_items.sql"]
    assert run.findings("history-removed") == ["sql/migrations/0002_prices.sql"]
    assert run.findings("history-order") == ["sql/migrations/0000_early.sql"]
    assert "comes before 0003, which is applied already" in run.output
    assert f"git checkout {commit[:12]} -- sql/migrations/0002_prices.sql" in run.output
    blocked = run.message("sql/migrations/0005_late.sql::apply")
    assert blocked == "blocked by precheck::history"
    assert "Traceback" not in run.output


def test_a_view_that_changed_is_pending_and_its_old_text_is_replayed(tmp_path: Path) -> None:
    """Three texts of one view: two promoted, the third pending. Each needs a column of its time."""
    project = Project.make(tmp_path, repository=True)
    promote(project, "r1")
    view = "CREATE OR REPLACE VIEW shop.cheap AS\nSELECT\n    id,\n    name{}\nFROM shop.item;\n"
    project.write(
        {
            "sql/migrations/0003_color.sql": "ALTER TABLE shop.item ADD COLUMN color text;\n",
            "sql/views/cheap.sql": view.format(",\n    color"),
            "checks/objects.toml": 'schemas = ["shop"]\n',
            "checks/test_shop.py": "def test_it(hk_connection):\n"
            "    names = hk_connection.execute('SELECT * FROM shop.cheap').description\n"
            "    assert [each.name for each in names] == ['id', 'name', 'color', 'size']\n",
        }
    )
    promote(project, "r2")
    project.write(
        {
            "sql/migrations/0004_size.sql": "ALTER TABLE shop.item ADD COLUMN size text;\n",
            "sql/views/cheap.sql": view.format(",\n    color,\n    size"),
        }
    )
    project.commit()
    run = project.run()
    assert (run.code, run.outcome) == (0, "promoted"), run.output
    assert run.message("precheck::history") == "replayed 5 files"
    assert applied(run.steps) == ["sql/migrations/0004_size.sql", "sql/views/cheap.sql"]


def test_an_enum_value_of_the_past_may_be_used(tmp_path: Path) -> None:
    """From zero the batch would need a header that production does not."""
    files = {
        "sql/migrations/0003_state.sql": STATE,
        "sql/migrations/0004_index.sql": INDEX,
        "sql/migrations/0005_sold.sql": VALUE,
        "checks/objects.toml": WITH_STATE,
    }
    project = Project.make(tmp_path, files=files, repository=True)
    project.write({"sql/migrations/0006_use.sql": USE})
    project.commit()
    run = project.run()
    assert (run.code, run.outcome) == (1, "refused"), run.output
    assert run.findings("sql-file") == ["sql/migrations/0005_sold.sql:1:1"]
    assert "-- hk: transaction=own" in run.output

    project.write({"sql/migrations/0006_use.sql": None})
    promote(project, "r1")
    project.write({"sql/migrations/0006_use.sql": USE})
    project.commit()
    run = project.run()
    assert (run.code, run.outcome) == (0, "promoted"), run.output
    assert applied(run.steps) == ["sql/migrations/0006_use.sql"]


def test_of_a_promotion_in_part_only_that_part_is_history(tmp_path: Path) -> None:
    project = Project.make(tmp_path, files={"sql/migrations/0003_i.sql": INDEX}, repository=True)
    promote(project, "r1", outcome=RunOutcome.PROMOTED_IN_PART, segments=[1])
    run = project.run()
    assert (run.code, run.outcome) == (0, "promoted"), run.output
    assert applied(run.steps) == ["sql/migrations/0003_i.sql", "sql/views/cheap.sql"]


def test_a_promotion_that_did_not_happen_is_no_history(tmp_path: Path) -> None:
    project = Project.make(tmp_path, repository=True)
    promote(project, "r1", outcome=RunOutcome.ROLLED_BACK)
    run = project.run()
    assert (run.code, run.outcome) == (0, "promoted"), run.output
    assert len(applied(run.steps)) == 3


def test_evidence_that_was_altered_is_no_ground_to_stand_on(tmp_path: Path) -> None:
    project = Project.make(tmp_path, repository=True)
    path = promote(project, "r1")
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace('"actor": ""', '"actor": "ada"'), encoding="utf-8")
    assert path.read_text(encoding="utf-8") != text
    project.commit()
    run = project.run()
    assert run.code == 4, run.output
    assert path.name in run.output
    assert "why: " in run.output
    assert "Traceback" not in run.output


def test_a_text_that_is_not_the_promoted_one_is_not_replayed(tmp_path: Path) -> None:
    """The evidence names a commit that holds another text than the one it attests."""
    project = Project.make(tmp_path, repository=True)
    wrong = git(project.root, "rev-parse", "HEAD")
    project.write({"sql/views/cheap.sql": "CREATE VIEW shop.cheap AS SELECT id FROM shop.item;\n"})
    promote(project, "r1", commit=wrong)
    view = "CREATE OR REPLACE VIEW shop.cheap AS SELECT id, name FROM shop.item;\n"
    project.write({"sql/views/cheap.sql": view})
    project.commit()
    run = project.run()
    assert (run.code, run.steps["precheck::history"]) == (1, "failed"), run.output
    assert "sql/views/cheap.sql" in run.message("precheck::history")
    assert "Traceback" not in run.output


def test_history_that_fails_to_replay_is_told_with_its_place(tmp_path: Path) -> None:
    """The role that a promoted file needs is gone from sql/bootstrap/."""
    grant = "GRANT USAGE ON SCHEMA shop TO somebody;\n"
    project = Project.make(
        tmp_path, files={"sql/migrations/0003_grant.sql": grant}, repository=True
    )
    promote(project, "r1")
    run = project.run()
    assert (run.code, run.outcome) == (1, "refused"), run.output
    assert 'role "somebody" does not exist (SQLSTATE 42704)' in run.message("precheck::history")
    assert "sql/migrations/0003_grant.sql" in run.message("precheck::history")
    assert "Traceback" not in run.output
