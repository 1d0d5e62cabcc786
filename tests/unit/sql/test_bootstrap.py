"""The files of sql/bootstrap/: what runs is what is read, and nothing beside it."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import pytest

from pytest_housekeeping.config import Config
from pytest_housekeeping.errors import SqlFileError
from pytest_housekeeping.sql.bootstrap import bootstrap_texts
from pytest_housekeeping.sql.project_files import ProjectFiles

OUTSIDE = {
    "COPY t FROM '/home/somebody/t.csv'": "COPY from a file",
    "copy t (a) FROM PROGRAM 'cat t.csv' WITH (FORMAT csv)": "COPY from a file",
    "COPY t TO '/tmp/t.csv'": "COPY to a file",
    "COPY (SELECT pg_read_file('/etc/passwd')) TO STDOUT": "pg_read_file",
    "INSERT INTO t SELECT pg_catalog.pg_read_file('/etc/passwd')": "pg_read_file",
    "CREATE TABLE u AS SELECT * FROM pg_ls_dir('.')": "pg_ls_dir",
    "SELECT lo_import('/etc/passwd')": "lo_import",
    "SELECT dblink_exec('dbname=other', 'DELETE FROM t')": "dblink_exec",
    "SELECT * FROM dblink('dbname=other', 'SELECT 1') AS t(a int)": r"dblink\(\)",
    "DO $$ BEGIN PERFORM \"pg_read_file\" ('/etc/passwd'); END $$": "pg_read_file",
    "DO $$ BEGIN EXECUTE 'COPY t FROM PROGRAM ''id'''; END $$": "COPY from a file",
    "DO $$ BEGIN EXECUTE format('COPY t TO %L', '/tmp/t'); END $$": "COPY to a file",
    "-- copy from '/a'": "",
    "INSERT INTO t VALUES ('COPY t FROM'), ('pg_read_file()')": "",
    "DO $$ BEGIN /* COPY t FROM '/a' */ PERFORM 1; -- pg_ls_dir('.')\nEND $$": "",
    "CREATE FUNCTION f() RETURNS text LANGUAGE sql AS 'SELECT pg_read_file(''/a'')'": "",
    "REVOKE EXECUTE ON FUNCTION pg_read_file(text) FROM PUBLIC": "",
    "COPY is refused elsewhere": "",
}


@pytest.mark.parametrize("statement", OUTSIDE)
def test_a_file_that_reaches_out_of_the_database_is_refused(tmp_path: Path, statement: str) -> None:
    """A superuser may read any file of the machine, and that one is in no commit."""
    file = tmp_path / "sql/bootstrap/roles.sql"
    file.parent.mkdir(parents=True)
    file.write_text(f"CREATE TABLE t (a text);\n{statement}", encoding="utf-8")
    told = OUTSIDE[statement]
    place = rf"roles\.sql:2:1: {told}"
    with pytest.raises(SqlFileError, match=place) if told else nullcontext():
        bootstrap_texts(Config(root=tmp_path), ProjectFiles(tmp_path))
