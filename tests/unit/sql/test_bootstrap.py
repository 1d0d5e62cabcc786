"""The files of sql/bootstrap/: what runs is what is read, and nothing beside it."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import pytest

from pytest_housekeeping.config import Config
from pytest_housekeeping.errors import SqlFileError
from pytest_housekeeping.sql.bootstrap import bootstrap_texts
from pytest_housekeeping.sql.project_files import ProjectFiles


@pytest.mark.parametrize(
    ("statement", "loads"),
    [
        ("COPY t FROM '/home/somebody/t.csv'", True),
        ("copy t (a) FROM PROGRAM 'cat t.csv' WITH (FORMAT csv)", True),
        ("COPY t TO '/tmp/t.csv'", False),
        ("-- copy from '/a'", False),
        ("INSERT INTO t VALUES ('COPY t FROM')", False),
        ("COPY is refused elsewhere", False),
    ],
)
def test_a_file_that_loads_another_is_refused(tmp_path: Path, statement: str, loads: bool) -> None:
    """A superuser may read any file of the machine, and that one is in no commit."""
    file = tmp_path / "sql/bootstrap/roles.sql"
    file.parent.mkdir(parents=True)
    file.write_text(f"CREATE TABLE t (a text);\n{statement}", encoding="utf-8")
    told = r"roles\.sql:2:1: COPY from a file"
    with pytest.raises(SqlFileError, match=told) if loads else nullcontext():
        bootstrap_texts(Config(root=tmp_path), ProjectFiles(tmp_path))
