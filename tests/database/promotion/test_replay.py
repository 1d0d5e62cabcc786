"""History in files of this tool's own form: what another hand has run is run as it did."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from pytest_housekeeping.config import Config
from pytest_housekeeping.errors import HousekeepingError
from pytest_housekeeping.model import Kind
from pytest_housekeeping.postgres.connection import connect
from pytest_housekeeping.promotion.replay import replay_segment
from pytest_housekeeping.server import StagingDatabase
from pytest_housekeeping.sql.file import from_text

SEVERAL = """
BEGIN; CREATE TABLE a (id int); COMMIT;
CREATE INDEX CONCURRENTLY b ON a (id);
BEGIN; ALTER TABLE a ADD COLUMN c int; COMMIT;
"""


@dataclass(frozen=True)
class _Silent:
    def advised(self, error: HousekeepingError) -> HousekeepingError:
        return error


@pytest.mark.parametrize("text", [SEVERAL, "-- nothing\n", "CREATE TABLE a (id int, c int);"])
def test_a_file_that_could_be_no_part_of_a_batch_is_replayed_all_the_same(
    database: StagingDatabase, text: str
) -> None:
    files = [
        (from_text(f"sql/migrations/{name}.sql", Kind.MIGRATION, sql, ""), sql)
        for name, sql in (("0001_a", text), ("0002_b", "CREATE TABLE d ()"))
    ]
    with connect(database.migrator_conninfo) as connection:
        replay_segment(Config(root=Path()), connection, files, _Silent())
        made = connection.execute(
            "SELECT attname::text FROM pg_attribute"
            " WHERE attrelid = to_regclass('a') AND attnum > 0 ORDER BY attnum"
        ).fetchall()
    assert [name for (name,) in made] == (["id", "c"] if "TABLE" in text else [])
