"""What files say of rows: whose they change, and how columns get another type."""

from __future__ import annotations

import pytest

from pytest_housekeeping.checks.rows.conversions import altered_columns
from pytest_housekeeping.checks.rows.written_names import written_in, written_in_body


@pytest.mark.parametrize(
    ("text", "tables", "calls"),
    [
        ("INSERT INTO s.t VALUES (1)", {"s.t constant"}, set()),
        ("INSERT INTO t VALUES (f())", {".t"}, {"f"}),
        ("INSERT INTO t VALUES (1) ON CONFLICT DO NOTHING", {".t"}, set()),
        ("INSERT INTO t SELECT * FROM u", {".t"}, set()),
        ("WITH w AS (DELETE FROM u RETURNING *) SELECT * FROM w", {".u"}, set()),
        ("MERGE INTO t USING u ON true WHEN MATCHED THEN DELETE", {".t"}, set()),
        ("TRUNCATE t, s.u CASCADE", {".t emptied", "s.u emptied"}, set()),
        ("COPY t FROM '/tmp/x'; COPY u TO '/tmp/x'", {".t"}, set()),
        ("CREATE TABLE n AS SELECT 1; SELECT 1 INTO m", {".n", ".m"}, set()),
        ("REFRESH MATERIALIZED VIEW m", {".m"}, set()),
        ("PREPARE p AS UPDATE t SET a = 1", {".t"}, set()),
        ("DO $$BEGIN IF false THEN UPDATE t SET a = g(); END IF; END$$", {".t"}, {"g"}),
        ("DO $$DECLARE x int := h(); BEGIN x := k(); PERFORM l(); END$$", set(), {"h", "k", "l"}),
        ("CALL p(1)", set(), {"p"}),
        # What only makes something that may run later.
        ("CREATE RULE r AS ON INSERT TO t DO ALSO DELETE FROM u", set(), set()),
        ("CREATE VIEW v AS SELECT f()", set(), set()),
        ("CREATE POLICY p ON t USING (f())", set(), set()),
        ("CREATE FUNCTION f() RETURNS void LANGUAGE sql AS 'DELETE FROM t'", set(), set()),
    ],
)
def test_what_a_text_writes_to_and_calls(text: str, tables: set[str], calls: set[str]) -> None:
    found = written_in(text)
    marks = {
        f"{each.schema}.{each.name}" + " constant" * each.constant + " emptied" * each.emptied
        for each in found.tables
    }
    assert (marks, found.calls, found.dynamic) == (tables, calls, False)


@pytest.mark.parametrize(
    ("expression", "dynamic"),
    [
        ("'UPDATE t SET a = 1'", True),
        ("format('DELETE FROM %I', name)", True),
        ("statement", True),
        ("'ALTER TABLE t ADD x int; DELETE FROM t'", True),
        ("'CREATE TABLE n AS SELECT 1'", True),
        ("format('ALTER TABLE %I ADD x int', name)", False),
        ("'CREATE INDEX ON ' || name || ' (a)'", False),
        ("'grant select on ' || quote_ident(name) || ' to app'", False),
    ],
)
def test_what_is_put_together_at_run_time(expression: str, dynamic: bool) -> None:
    text = f"DO $$DECLARE name text; statement text; BEGIN EXECUTE {expression}; END$$"
    assert written_in(text).dynamic is dynamic


@pytest.mark.parametrize(
    ("source", "language", "tables", "dynamic"),
    [
        ("DELETE FROM t", "sql", {"t"}, False),
        ("BEGIN ATOMIC\n DELETE FROM s.t;\nEND", "sql", {"t"}, False),
        ("RETURN (SELECT 1)", "sql", set(), False),
        ("BEGIN DELETE FROM t; RETURN NEW; END", "plpgsql", {"t"}, False),
        ("plpy.execute('DELETE FROM t')", "plpython3u", set(), True),
        ("no SQL at all", "sql", set(), True),
        ("suppress_redundant_updates_trigger", "internal", set(), False),
    ],
)
def test_what_a_body_does(source: str, language: str, tables: set[str], dynamic: bool) -> None:
    found = written_in_body(source, language)
    assert ({each.name for each in found.tables}, found.dynamic) == (tables, dynamic)


def test_how_columns_get_another_type() -> None:
    text = (
        'ALTER TABLE s.t ALTER "A b" TYPE int USING "A b"::int + c, ALTER d TYPE text;'
        "DO $$BEGIN ALTER TABLE u ALTER e TYPE text USING (e::varchar)::text; END$$;"
        "ALTER TABLE u ALTER f DROP DEFAULT"
    )
    altered = altered_columns([text, "no SQL at all"])
    found = [(c.schema, c.table, c.column, c.using, c.casts_only) for c in altered.conversions]
    assert found == [
        ("s", "t", "A b", '"A b"::int + c', False),
        ("s", "t", "d", "", True),
        ("", "u", "e", "e::varchar::text", True),
    ]
    assert altered.conversions[0].reads == {"A b", "c"}
    assert altered.defaults == {"f"}
