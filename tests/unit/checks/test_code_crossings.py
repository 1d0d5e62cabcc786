"""Names of the database that code gives beside its statements: each is read, or told as unread."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_housekeeping.checks.code.facts import CodeReference, Undecided
from pytest_housekeeping.checks.code.readers.extract import Extraction, extract


def read(root: Path, name: str, text: str) -> Extraction:
    (root / name).write_text(text)
    return extract(root, ["*"], cache_folder=root / "cache")


def named(extraction: Extraction) -> set[str]:
    return {
        ".".join(name.parts)
        for each in extraction.found
        if isinstance(each, CodeReference)
        for name in each.names
        if name.parts[0] in ("governance", "engineering")
    }


def undecided(extraction: Extraction) -> list[str]:
    return [each.reason for each in extraction.found if isinstance(each, Undecided)]


ALCHEMY = "import sqlalchemy as sa\n"


@pytest.mark.parametrize(
    ("name", "text", "names"),
    [
        ("a.py", 'run(["pg_dump", "-t", "governance.ledger", "main"])', "governance.ledger"),
        ("a.py", 'run(["/usr/bin/pg_dump", "--table=governance.ledger"])', "governance.ledger"),
        ("a.py", 'run("pg_dump", "-n", "governance", "main")', "governance"),
        ("a.py", 'run("pg_restore -t ledger -n governance x", shell=True)', "governance"),
        ("a.py", 'x = meta.tables["governance.ledger"]', "governance.ledger"),
        ("a.py", 'hook.insert_rows(table="governance.ledger", rows=[])', "governance.ledger"),
        ("a.py", ALCHEMY + 'Ledger.__table__.schema = "governance"', "governance"),
        (
            "a.py",
            'create_engine(u, execution_options={"schema_translate_map": {"a": "governance"}})',
            "governance",
        ),
        ("a.py", 'class Mixin:\n    __table_args__ = {"schema": "governance"}', "governance"),
        ("a.py", 'q = sql.SQL("left join governance.ledger l on true")', "governance.ledger"),
        ("a.ts", 'execFile("pg_dump", ["-t", "governance.ledger"]);', "governance.ledger"),
        ("a.ts", 'execFile("pg_dump", ["-Fc", "-t", "governance.ledger"]);', "governance.ledger"),
        ("a.ts", 'spawn(["pg_dump", "-n", "governance"]);', "governance"),
        ("a.js", 'cube("L", { sql_table: "governance.ledger" });', "governance.ledger"),
        ("a.ts", 'import "sequelize";\nOrder.schema("governance");', "governance"),
        ("a.ts", "sql.fragment`left join governance.ledger l on true`;", "governance.ledger"),
        (
            "a.sql",
            "SELECT * FROM dblink('c', 'SELECT 1 FROM governance.ledger')",
            "governance.ledger",
        ),
        (
            "a.sql",
            "SELECT cron.schedule('n', 'DELETE FROM governance.ledger')",
            "governance.ledger",
        ),
        (
            "a.sql",
            "CALL postgres_query('p', 'SELECT 1 FROM governance.ledger')",
            "governance.ledger",
        ),
        ("a.sql", "SELECT * FROM postgres_scan('c', 'governance', 'ledger')", "governance.ledger"),
        ("a.lkml", "view: l { sql_table_name: governance.ledger ;; }", "governance.ledger"),
    ],
)
def test_what_stands_beside_a_statement_is_read(
    tmp_path: Path, name: str, text: str, names: str
) -> None:
    found = read(tmp_path, name, text)
    assert named(found) == {names}
    # At the line where it stands, not at that of the whole.
    places = {e.line for e in found.found if isinstance(e, CodeReference) and e.names}
    assert places == {text.count("\n") + 1}


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("a.py", 'run(["pg_dump", "-t", table])', "names a table at run time"),
        ("a.py", 'run(["pg_dump", "-Fc", "main"])', "writes all schemas"),
        (
            "a.ts",
            "execFile('pg_dump', ['-n', schema]);",
            "names a table at run time",
        ),
        ("a.py", ALCHEMY + 'sa.Table("l", m, schema=GOV)', "Table() of a schema"),
        ("a.py", ALCHEMY + "sa.MetaData(schema=GOV)", "MetaData() of a schema"),
        ("a.py", ALCHEMY + "meta.reflect(engine, schema=GOV)", "reflect() of a schema"),
        ("a.py", 'read_sql_table("l", engine, schema=GOV)', "read_sql_table() of a schema"),
        ("a.ts", "export const gov = pgSchema(GOV);", "pgSchema() of a name"),
        ("a.sql", "SELECT * FROM dblink('c', query) AS t(a int)", "put together by the server"),
    ],
)
def test_what_is_chosen_at_run_time_is_told(
    tmp_path: Path, name: str, text: str, reason: str
) -> None:
    assert any(reason in each for each in undecided(read(tmp_path, name, text)))


@pytest.mark.parametrize(
    ("name", "text", "library"),
    [
        ("a.ts", 'import format from "pg-format";', "pg-format"),
        ("a.py", "from pypika import Table", "pypika"),
    ],
)
def test_what_is_not_read_is_said(tmp_path: Path, name: str, text: str, library: str) -> None:
    (facts,) = read(tmp_path, name, text).files.values()
    assert [each.reason for each in facts.unread] == [library]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.py", 'run(["docker", "build", "-t", "governance.ledger"])'),
        (
            "a.py",
            'run(["pg_dump", "-n", "venture", "-T", "governance.ledger", "-N", "governance"])',
        ),
        ("a.py", 'run(["psql", "-t", "main"])\nrun(["pg_dump", "--version"])'),
        ("a.py", 'TOOLS = ("psql", "pg_dump", "gzip")\nfind("pg_dump")'),
        ("a.py", 'TOPIC = "governance.ledger"\nlog = getLogger("governance.ledger")'),
        ("a.py", 'TITLES = {"governance.ledger": "Ledger"}\nx = TITLES["governance.ledger"]'),
        ("a.py", 'jsonschema.validate(v, schema="governance")\nx = {"schema": "governance"}'),
        ("a.py", 'm = "from governance.ledger nothing is read"\nn = "and governance.ledger"'),
        ("a.py", "class M:\n    class Meta:\n        db_table = 'governance.ledger'"),
        ("a.ts", 'const ui = { schema: "governance", label: "x" };\najv.schema("governance");'),
        ("a.ts", 'const topic = { topic: "governance.ledger" };\nt("governance.ledger");'),
        ("a.sql", "SELECT lower('governance.ledger'), dblink_connect('c', 'dbname=main')"),
        ("a.sql", "INSERT INTO venture.log VALUES ('DELETE FROM governance.ledger')"),
    ],
)
def test_what_only_looks_like_a_name_is_none(tmp_path: Path, name: str, text: str) -> None:
    found = read(tmp_path, name, text)
    assert named(found) == set()
    assert undecided(found) == []


@pytest.mark.parametrize(
    ("text", "names", "reasons"),
    [
        (
            "{{ config(a='b') }}\nSELECT * FROM {{ ref('orders') }} JOIN {{ this }} USING (x)",
            set(),
            0,
        ),
        ("SELECT * FROM {{ source('governance', 'ledger') }}", {"governance.ledger"}, 0),
        (
            "SELECT * FROM governance.ledger\n{% if x %} WHERE a {% endif %}",
            {"governance.ledger"},
            0,
        ),
        ("SELECT * FROM {{ table }}", set(), 1),
        ("SELECT * FROM {{ a }} JOIN governance.ledger USING (x)", {"governance.ledger"}, 1),
        ("SELECT '{{1,2},{3,4}}'::int[] FROM governance.ledger; SELEC", {"governance.ledger"}, 1),
    ],
)
def test_templates_of_dbt(tmp_path: Path, text: str, names: set[str], reasons: int) -> None:
    found = read(tmp_path, "a.sql", text)
    assert named(found) == names
    assert len(undecided(found)) == reasons
