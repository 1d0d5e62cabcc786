"""The batch on a clone that has production's rows: what it tells, and which clones are refused."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import jsonschema
import psycopg

from support.catalog_text import read_state
from support.clone_server import clone_server
from support.fresh_copy import ROOT
from support.production_project import DATABASE, PASSWORD, UNPROVED, Production
from support.staging_project import Run

OF_SOMETHING_ELSE = True

ROWS = 20_000
BATCH = {
    "pyproject.toml": UNPROVED,
    "sql/migrations/0005_wide.sql": "-- Wider, and filled.\n"
    "ALTER TABLE vault.secret ALTER COLUMN id TYPE numeric;\n\n"
    "UPDATE vault.secret SET content = content || '!';\n"
    "CREATE INDEX secret_content ON vault.secret (content);\n",
    "sql/migrations/0006_beside.sql": "-- hk: transaction=none\n"
    "CREATE INDEX CONCURRENTLY secret_again ON vault.secret (content);\n",
    "sql/rollback/0005_wide.sql": "DROP INDEX vault.secret_content;\n",
}


def url_of(port: int, user: str = "promoter", database: str = DATABASE) -> str:
    word = PASSWORD if user == "promoter" else SUPERUSER
    return f"postgresql://{user}:{quote(word, safe='')}@127.0.0.1:{port}/{database}"


SUPERUSER = "the-superuser-0f-this-server"


def plan(production: Production, *arguments: str, **environment: str) -> Run:
    return production.promote(
        *arguments, mode="plan", confirm=None, PGUSER_PROD="promoter", **environment
    )


def tells_nobody(run: Run) -> None:
    assert run.tells(SUPERUSER, PASSWORD, quote(PASSWORD, safe="")) == []


def state_of(url: str) -> Any:
    with psycopg.connect(url, autocommit=True) as connection:
        return read_state(connection)


def test_what_only_rows_can_tell(production: Production) -> None:
    production.execute(
        f"INSERT INTO vault.secret SELECT n, repeat('x', 200) FROM generate_series(1, {ROWS}) AS n"
    )
    production.execute("ANALYZE vault.secret")
    production.change(BATCH)
    with clone_server(production.server.port, SUPERUSER) as port:
        url = url_of(port)
        before = state_of(url_of(port, "postgres"))
        run = plan(production, HK_TWIN=url)
        assert (run.code, run.outcome) == (0, "planned"), run.output
        assert state_of(url_of(port, "postgres")) == before
        tells_nobody(run)
        figures(run)
        # Policies hide these rows from the promoter, and not from whoever logs in there.
        refused = "ALTER TABLE desk.ticket ADD CHECK (subject <> 'the door is locked');\n"
        bad = "sql/migrations/0007_bad.sql"
        production.change({"sql/migrations/0006_beside.sql": None, bad: refused})
        run = plan(production, f"--hk-twin={url_of(port, 'postgres')}")
        assert (run.code, run.outcome) == (1, "refused"), run.output
        found = [each for each in run.audit["findings"] if each["step"] == "rehearse::clone"]
        assert [each["rule"] for each in found] == ["rows-refuse", "clone-refuses"]
        assert "1 / 2 rows of desk.ticket" in found[0]["detail"]
        assert found[1]["object"] == run.audit["clone"]["stopped_at"] == bad
        tells_nobody(run)
        production.change({bad: None})
        promoted = production.promote(HK_TWIN=url)
        assert (promoted.code, promoted.outcome) == (0, "promoted"), promoted.output
        assert promoted.steps["rehearse::clone"] == "passed"
        assert promoted.audit["clone"]["left_out"] == []
        tells_nobody(promoted)
        assert state_of(url_of(port, "postgres")) == before


def figures(run: Run) -> None:
    jsonschema.validate(run.audit, json.loads((ROOT / "docs/audit.schema.json").read_text()))
    clone = run.audit["clone"]
    files = {each["path"]: each for each in clone["files"]}
    assert "sql/migrations/0003_urgency.sql" in files
    wide = files["sql/migrations/0005_wide.sql"]
    assert wide["rows"] == ROWS
    assert [(each["line"], each["command"]) for each in wide["statements"]] == [
        (2, "ALTER TABLE"),
        (4, "UPDATE"),
        (5, "CREATE INDEX"),
    ]
    assert [each["rows"] for each in wide["statements"]] == [0, ROWS, 0]
    assert all(each["duration_s"] > 0 and each["wal"] > 100_000 for each in wide["statements"])
    assert wide["wal"] == sum(each["wal"] for each in wide["statements"])
    grown = {each["relation"]: each for each in clone["growth"]}["vault.secret"]
    assert grown["rewritten"]
    assert grown["table_after"] > 1.9 * grown["table_before"]
    assert grown["indexes_after"] > grown["indexes_before"]
    assert clone["left_out"] == ["sql/migrations/0006_beside.sql"]
    assert clone["since"]
    beside = {each["relation"]: each for each in clone["relations"]}["vault.secret"]
    assert beside["rows"] == beside["production_rows"] == ROWS
    step = next(each for each in run.audit["steps"] if each["id"] == "rehearse::clone")
    assert step["proved_on"] == "clone"
    assert f"  clone     {len(files)} files in " in run.output
    assert "sql/migrations/0005_wide.sql:4 UPDATE: " in run.output
    assert f"{ROWS:,} rows written" in run.output
    assert "rewritten" in run.output
    assert "left out, for no transaction can hold it: sql/migrations/0006_beside.sql" in run.output
    assert "On a clone with production's rows" in run.page
