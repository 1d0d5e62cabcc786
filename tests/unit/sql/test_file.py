"""What PostgreSQL's parser sees in a file, and what keeps a file out of the plan."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_housekeeping.config import Config
from pytest_housekeeping.model import Kind
from pytest_housekeeping.sql import file as sqlfile
from pytest_housekeeping.sql.file import SqlFile, from_text
from pytest_housekeeping.sql.layouts.layout import Entry
from pytest_housekeeping.sql.project_files import ProjectFiles
from pytest_housekeeping.sql.text import excerpt, place


def read(folder: Path, text: str | bytes, kind: Kind = Kind.MIGRATION) -> SqlFile:
    data = text if isinstance(text, bytes) else text.encode()
    (folder / "0001_it.sql").write_bytes(data)
    entry = Entry(path="0001_it.sql", kind=kind, version="0001")
    return sqlfile.read(Config(root=folder), ProjectFiles(folder), entry)


def test_a_sound_file(tmp_path: Path) -> None:
    file = read(
        tmp_path, "-- hk: row-security=on\nCREATE TABLE a (); INSERT INTO a DEFAULT VALUES;"
    )
    assert (file.version, file.statements, file.row_security) == ("0001", 2, True)
    assert (file.transaction, file.keeps_session, file.problems) == ("batch", True, ())


@pytest.mark.parametrize(
    ("text", "line", "column", "found"),
    [
        ("", 1, 1, "holds no statement"),
        ("-- only words\n/* and more */\n", 1, 1, "holds no statement"),
        ("-- hk: empty,\nSELECT 1", 1, 1, "unknown header 'empty,'"),
        ("-- hk: empty, taken back\n", 0, 0, ""),
        ("-- hk: empty, taken back\nSELECT 1", 1, 1, "the header 'empty' over a file"),
        ("SELECT 1;\n  COMMIT;", 2, 3, "COMMIT in the file"),
        ("SELECT 1;\nROLLBACK", 2, 1, "ROLLBACK in the file"),
        ("BEGIN;\nSELECT 1;", 1, 1, "BEGIN in the file"),
        ("START TRANSACTION", 1, 1, "START TRANSACTION in the file"),
        ("END", 1, 1, "COMMIT in the file"),
        ("PREPARE TRANSACTION 'x'", 1, 1, "PREPARE TRANSACTION in the file"),
        ("/* /* x */ */ -- y\n  ABORT", 2, 3, "ROLLBACK in the file"),
        ("SELECT 1;\n\\i other.sql\n", 2, 1, "other.sql, which is included here, is not there"),
        ("\\copy t from 'x'\n", 1, 1, "psql command \\copy"),
        ("COPY t FROM STDIN", 1, 1, "COPY through the client"),
        ("SELECT 1;\n\nCREATE TABEL t ();", 3, 8, 'syntax error at or near "TABEL"'),
        ("CREATE TABLE é (x int);\nSELEC 1", 2, 1, 'syntax error at or near "SELEC"'),
        ("SELECT 'abc", 1, 8, "unterminated quoted string"),
        ("CREATE INDEX CONCURRENTLY i ON t (a)", 1, 1, "CREATE INDEX CONCURRENTLY cannot run"),
        ("DROP INDEX CONCURRENTLY i", 1, 1, "DROP INDEX CONCURRENTLY cannot run"),
        ("REINDEX TABLE CONCURRENTLY t", 1, 1, "REINDEX CONCURRENTLY cannot run"),
        ("VACUUM t", 1, 1, "VACUUM cannot run"),
        ("ALTER SYSTEM SET work_mem = '1MB'", 1, 1, "ALTER SYSTEM cannot run"),
        ("ALTER TABLE t DETACH PARTITION p CONCURRENTLY", 1, 1, "DETACH PARTITION CONCURRENTLY"),
        ("-- hk: transaction=none\nSELECT 1; SELECT 2", 1, 1, "transaction=none with 2 statements"),
        ("-- hk: transakcja=none\nSELECT 1", 1, 1, "unknown header 'transakcja=none'"),
        ("SELECT 1;\n-- hk: x\n-- y", 0, 0, ""),
        (b"SELECT '\xff'", 1, 1, "is not UTF-8 (byte 9)"),
    ],
)
def test_problems(tmp_path: Path, text: str | bytes, line: int, column: int, found: str) -> None:
    problems = read(tmp_path, text).problems
    if not found:
        assert problems == ()
        return
    assert len(problems) == 1
    problem = problems[0]
    assert found in problem.found
    assert (problem.line, problem.column) == (line, column)
    assert problem.why
    assert problem.fix


@pytest.mark.parametrize("text", ["SAVEPOINT a; RELEASE a", "ANALYZE", "REINDEX TABLE t"])
def test_what_a_transaction_can_hold(tmp_path: Path, text: str) -> None:
    assert read(tmp_path, text).problems == ()


def test_only_a_migration_cuts_the_batch(tmp_path: Path) -> None:
    file = read(tmp_path, "-- hk: transaction=own\nSELECT 1", Kind.VIEW)
    assert ["transaction=own outside migrations" in each.found for each in file.problems] == [True]


@pytest.mark.parametrize(
    "text",
    [
        "SET search_path = ''",
        "SELECT set_config('a.b', 'c', false)",
        "DO $$ BEGIN END $$",
        "CREATE TEMP TABLE t ()",
        "CREATE TEMPORARY TABLE t AS SELECT 1",
        "RESET ALL",
        "CALL p()",
    ],
)
def test_files_that_may_touch_the_session(tmp_path: Path, text: str) -> None:
    assert read(tmp_path, text).keeps_session is False


@pytest.mark.parametrize(
    ("text", "defines", "drops"),
    [
        ("CREATE TABLE a (); CREATE INDEX i ON a (b); GRANT SELECT ON a TO r", True, False),
        ("DROP VIEW v; DROP TABLE a", True, True),
        ("DROP TABLE a; DROP TYPE t CASCADE", True, False),
        ("ALTER TABLE a DROP b", True, False),
        ("DROP TABLE a; DELETE FROM c", False, False),
        ("CREATE TABLE a AS SELECT 1", False, False),
        ("CREATE TEMP TABLE a ()", False, False),
        ("DO $$ BEGIN END $$", False, False),
        ("CREATE ROLE r", False, False),
        ("CREATE TABLE a (b text DEFAULT set_config('a.b', 'c', false))", False, False),
        ("CREATE TABLE a (b int DEFAULT f() CHECK (f() > b))", True, False),
        ("ALTER TABLE a ADD b int DEFAULT 1", True, False),
        ("ALTER TABLE a ADD b int DEFAULT f()", False, False),
        ("ALTER TABLE a ALTER b TYPE int USING 1 + f(b)", False, False),
        ("ALTER TABLE a ADD CHECK (f(b))", False, False),
        ("ALTER TABLE a ATTACH PARTITION b FOR VALUES FROM (f()) TO (9)", False, False),
        ("ALTER DOMAIN d ADD CHECK (f(VALUE))", False, False),
        ("CREATE INDEX i ON a (f(b))", False, False),
        ("CREATE INDEX i ON a (b) WHERE f(b)", False, False),
        ("CREATE TABLE b PARTITION OF a FOR VALUES FROM (f()) TO (9)", False, False),
        ("CREATE TABLE b PARTITION OF a FOR VALUES FROM (1) TO (9)", True, False),
        (
            "CREATE SCHEMA s CREATE TABLE b PARTITION OF a FOR VALUES FROM (f()) TO (9)",
            *(False, False),
        ),
    ],
)
def test_files_that_only_define_and_only_drop(
    tmp_path: Path, text: str, defines: bool, drops: bool
) -> None:
    file = read(tmp_path, text)
    assert (file.only_defines, file.only_drops) == (defines, drops)


def test_enum_values(tmp_path: Path) -> None:
    file = read(tmp_path, "CREATE TYPE a.e AS ENUM ('x'); ALTER TYPE a.e ADD VALUE 'y' AFTER 'x'")
    assert file.values_added == ("y",)
    assert read(tmp_path, "ALTER TYPE a.e RENAME VALUE 'x' TO 'z'").values_added == ()


def test_a_byte_order_mark_is_no_text(tmp_path: Path) -> None:
    assert read(tmp_path, b"\xef\xbb\xbfSELECT 1").problems == ()


def test_excerpt_points_at_the_place() -> None:
    text = "one\ntwo\nthree\nfour\nfive\n"
    assert place(text, text.index("three") + 2) == (3, 3)
    assert excerpt(text, 3, 3).splitlines() == [
        "     1 | one",
        "     2 | two",
        ">    3 | three",
        "       |   ^",
        "     4 | four",
        "     5 | five",
    ]


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE INDEX CONCURRENTLY i ON t (id)",
        "DROP INDEX CONCURRENTLY i",
        "REINDEX INDEX CONCURRENTLY i",
        "REINDEX TABLE partitioned",
        "REINDEX SCHEMA s",
        "REINDEX DATABASE d",
        "CLUSTER",
        "CLUSTER partitioned",
        "VACUUM t",
        "ALTER TABLE t DETACH PARTITION p CONCURRENTLY",
        "ALTER DATABASE d SET TABLESPACE s",
        "ALTER SUBSCRIPTION s REFRESH PUBLICATION",
        "ALTER SUBSCRIPTION s SET PUBLICATION p",
        "ALTER SYSTEM SET work_mem = '1MB'",
        "CREATE DATABASE d",
    ],
)
def test_transaction_none_takes_what_no_transaction_holds(statement: str) -> None:
    text = f"-- hk: transaction=none\n{statement};\n"
    assert from_text("sql/migrations/0001_a.sql", Kind.MIGRATION, text, "").problems == ()


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE t DISABLE ROW LEVEL SECURITY",
        "DO $$ BEGIN EXECUTE 'DROP TABLE t'; END $$",
        "CREATE INDEX i ON t (id)",
        "ALTER TABLE t DETACH PARTITION p",
        "ALTER SUBSCRIPTION s SET PUBLICATION p WITH (refresh = false)",
        "ALTER DATABASE d CONNECTION LIMIT 3",
        "GRANT ALL ON t TO PUBLIC",
        "CALL fill()",
        "SELECT f()",
        "TRUNCATE t",
        "REFRESH MATERIALIZED VIEW CONCURRENTLY m",
        "ALTER TYPE e ADD VALUE 'v'",
        "ANALYZE t",
    ],
)
def test_transaction_none_takes_nothing_that_a_transaction_can_hold(statement: str) -> None:
    text = f"-- hk: transaction=none\n{statement};\n"
    (problem,) = from_text("sql/migrations/0001_a.sql", Kind.MIGRATION, text, "").problems
    assert problem.found == "transaction=none with a statement that a transaction can hold"
