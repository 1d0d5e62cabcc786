"""History in files of this tool's own form: what another hand has run is run as it did."""

from __future__ import annotations

from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from pytest_housekeeping.config import Config
from pytest_housekeeping.errors import HousekeepingError
from pytest_housekeeping.model import Kind
from pytest_housekeeping.postgres.connection import LentConnection, connect
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
    database: StagingDatabase

    def advised(self, error: HousekeepingError) -> HousekeepingError:
        return error

    def superuser(self) -> AbstractContextManager[LentConnection]:
        return closing(connect(self.database.superuser_conninfo))


@pytest.mark.parametrize("text", [SEVERAL, "-- nothing\n", "CREATE TABLE a (id int, c int);"])
def test_a_file_that_could_be_no_part_of_a_batch_is_replayed_all_the_same(
    database: StagingDatabase, text: str
) -> None:
    files = [
        (from_text(f"sql/migrations/{name}.sql", Kind.MIGRATION, sql, ""), sql)
        for name, sql in (("0001_a", text), ("0002_b", "CREATE TABLE d ()"))
    ]
    with connect(database.migrator_conninfo) as connection:
        replay_segment(Config(root=Path()), connection, files, _Silent(database))
        made = connection.execute(
            "SELECT attname::text FROM pg_attribute"
            " WHERE attrelid = to_regclass('a') AND attnum > 0 ORDER BY attnum"
        ).fetchall()
    assert [name for (name,) in made] == (["id", "c"] if "TABLE" in text else [])


def test_what_a_superuser_has_run_runs_as_one_and_belongs_to_the_migrator(
    database: StagingDatabase,
) -> None:
    texts = {
        "0001_a": "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int REFERENCES a);"
        "ALTER TABLE b DISABLE TRIGGER ALL; ALTER TABLE b ENABLE TRIGGER ALL;",
        "0002_b": "CREATE FUNCTION f() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';"
        "CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION f();"
        "CREATE PUBLICATION p FOR ALL TABLES;",
        "0003_c": "CREATE TABLE c ();",
    }
    paths = {f"sql/migrations/{name}.sql": text for name, text in texts.items()}
    files = [(from_text(path, Kind.MIGRATION, text, ""), text) for path, text in paths.items()]
    config = Config(root=Path(), as_superuser=dict.fromkeys(list(paths)[:2], "it was so"))
    with connect(database.migrator_conninfo) as connection:
        replay_segment(config, connection, files, _Silent(database))
        owners = connection.execute(
            "SELECT DISTINCT relowner::regrole::text FROM pg_class WHERE relname IN ('a', 'b', 'c')"
            " UNION ALL SELECT evtowner::regrole::text FROM pg_event_trigger"
            " UNION ALL SELECT pubowner::regrole::text FROM pg_publication"
        ).fetchall()
        me = connection.execute(
            "SELECT current_user::text, rolsuper FROM pg_roles WHERE rolname = current_user"
        ).fetchone()
    assert me is not None
    assert me[1] is False
    (of_tables,), *others = owners
    assert of_tables == me[0]
    assert me[0] not in {name for (name,) in others}
