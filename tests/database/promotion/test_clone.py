"""Whether a clone is a copy of this production: schema, history and rows, and what is tried there.

Another database of the same server plays the clone: what tells the two servers apart is shown with
servers (test_primary).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from pytest_housekeeping.config import Config
from pytest_housekeeping.errors import ProofFailed, SqlFailed
from pytest_housekeeping.model import Applied, Kind, Level
from pytest_housekeeping.postgres.clone_facts import Beside
from pytest_housekeeping.postgres.connection import LentConnection, connect
from pytest_housekeeping.postgres.own_tables import history
from pytest_housekeeping.postgres.relations_now import RelationNow
from pytest_housekeeping.promotion.production.clone.batch import Tried
from pytest_housekeeping.promotion.production.clone.measured import refusals
from pytest_housekeeping.promotion.production.clone.resemblance import (
    age_of,
    beside,
    refuse_other_history,
    refuse_other_schema,
    row_findings,
)
from pytest_housekeeping.server import StagingDatabase
from pytest_housekeeping.snapshot.fingerprint import Fingerprint, read_fingerprint
from pytest_housekeeping.sql import file as sqlfile

STANDS = """
CREATE SCHEMA shop;
CREATE TABLE shop.orders (id bigint PRIMARY KEY, total integer);
CREATE VIEW shop.few AS SELECT id FROM shop.orders WHERE id IN (1, 2);
"""
OWN = "housekeeping"
MB = 1024 * 1024


@pytest.fixture
def here(database: StagingDatabase) -> Iterator[LentConnection]:
    with closing(connect(database.migrator_conninfo)) as opened:
        opened.execute(STANDS)
        yield opened


@pytest.fixture
def clone(database: StagingDatabase) -> Iterator[LentConnection]:
    """Another database in which the same was made."""
    name = f"{database.name}_clone"
    known = conninfo_to_dict(database.migrator_conninfo) | {"dbname": name}
    with closing(connect(database.superuser_conninfo)) as superuser:
        superuser.execute(f"CREATE DATABASE {name} OWNER {known['user']}".encode())
        try:
            with closing(connect(make_conninfo("", **known))) as opened:
                opened.execute(STANDS)
                yield opened
        finally:
            superuser.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def schema_of(connection: LentConnection) -> Fingerprint:
    return read_fingerprint(connection, exclude_schemas=())


def without_copy(schema: Fingerprint) -> Fingerprint:
    """As if there were no restored copy to compare with."""
    return replace(schema, entries=())


def record(connection: LentConnection, *paths: str) -> None:
    for path in paths:
        file = sqlfile.from_text(path, Kind.MIGRATION, "SELECT 1", "0" * 64)
        row = history.row_of(
            file, Applied(statements=1, rows=0, duration_s=0.5), run=f"run_of_{path}", commit="c"
        )
        connection.execute("BEGIN")
        history.record(connection, OWN, [row])
        connection.execute("COMMIT")


def test_its_schema_is_productions(
    here: LentConnection, clone: LentConnection, tmp_path: Path
) -> None:
    config = Config(root=tmp_path)
    schema, nothing = schema_of(here), without_copy(schema_of(here))
    assert refuse_other_schema(clone, schema, nothing, config) > 5
    clone.execute("ALTER TABLE shop.orders ADD COLUMN extra int; CREATE TABLE shop.part (a int)")
    with pytest.raises(ProofFailed, match="is no copy of production") as raised:
        refuse_other_schema(clone, schema, nothing, config)
    assert "added column shop.orders.extra" in raised.value.found
    assert "added table shop.part" in raised.value.found
    # What the restored copy prints in that way as well is the same.
    assert refuse_other_schema(clone, schema, schema_of(clone), config) > 5
    clone.execute("DROP TABLE shop.orders CASCADE")
    with pytest.raises(ProofFailed, match=r"removed table shop.orders"):
        refuse_other_schema(clone, schema, schema_of(clone), config)


def test_its_history_is_productions(here: LentConnection, clone: LentConnection) -> None:
    refuse_other_history(clone, here, OWN)
    assert age_of(clone, here, OWN).since == ""
    record(here, "0001_a.sql")
    with pytest.raises(ProofFailed, match=r"it was taken before history row 1 .run run_of_0001"):
        refuse_other_history(clone, here, OWN)
    record(clone, "0001_a.sql")
    with pytest.raises(ProofFailed, match=r"history row 1 .* is another one there"):
        refuse_other_history(clone, here, OWN)
    copied = here.execute("SELECT * FROM housekeeping.history").fetchall()
    clone.execute("DELETE FROM housekeeping.history")
    marks = ", ".join(["%s"] * len(copied[0]))
    insert = f"INSERT INTO housekeeping.history OVERRIDING SYSTEM VALUE VALUES ({marks})"
    clone.execute(insert.encode(), copied[0])
    refuse_other_history(clone, here, OWN)
    assert age_of(clone, here, OWN).since.startswith("20")
    record(clone, "0002_b.sql")
    with pytest.raises(ProofFailed, match=r"it has history row .*0002.*, which production has not"):
        refuse_other_history(clone, here, OWN)


def test_how_many_transactions_it_is_behind(here: LentConnection, clone: LentConnection) -> None:
    """Of one system identifier; here both count together."""
    age = age_of(clone, here, OWN)
    assert (age.behind, age.as_of) == (0, "")


def test_a_table_that_is_empty_there(
    here: LentConnection, clone: LentConnection, tmp_path: Path
) -> None:
    """Its estimates and its pages are of before, and nobody is there all the same."""
    clone.execute("INSERT INTO shop.orders SELECT generate_series(1, 500); ANALYZE shop.orders")
    here.execute("INSERT INTO shop.orders VALUES (1)")
    names = frozenset({"shop.orders"})
    now = [RelationNow(relation="shop.orders", rows=500, size=65536, writes_per_s=0.0)]
    tables = beside(clone, now, names)
    assert tables[0].rows == 500
    config = Config(root=tmp_path)
    assert list(row_findings(clone, tables, names, config)) == []
    clone.execute("DELETE FROM shop.orders")
    (found,) = row_findings(clone, tables, names, config)
    assert (found.rule, found.level, found.object) == ("clone-empty", Level.ERROR, "shop.orders")
    assert list(row_findings(clone, tables, frozenset(), config)) == [], "empty here as well"
    # Whom policies hide every row from does not call a table empty.
    clone.execute(
        "INSERT INTO shop.orders VALUES (1); ALTER TABLE shop.orders ENABLE ROW LEVEL SECURITY;"
        "ALTER TABLE shop.orders FORCE ROW LEVEL SECURITY"
    )
    assert clone.execute("SELECT count(*) FROM shop.orders").fetchone() == (0,)
    assert list(row_findings(clone, tables, names, config)) == []


@pytest.mark.parametrize(
    ("there", "here_now", "level"),
    [
        ((1_000_000, 900 * MB), (1_200_000, 990 * MB), None),
        ((1_000_000, 900 * MB), (2_100_000, 990 * MB), Level.WARNING),
        ((3_000_000, 900 * MB), (1_000_000, 900 * MB), Level.WARNING),
        ((100_000, 90 * MB), (1_000_000, 900 * MB), Level.ERROR),
        ((None, 90 * MB), (1_000_000, 900 * MB), Level.ERROR),
        ((None, 500 * MB), (1_000_000, 900 * MB), None),
        ((10, MB), (1000, 9 * MB), None),
        ((None, None), (None, None), None),
    ],
)
def test_how_far_its_rows_are_from_productions(
    here: LentConnection,
    tmp_path: Path,
    there: tuple[int | None, int | None],
    here_now: tuple[int | None, int | None],
    level: Level | None,
) -> None:
    table = Beside(
        relation="shop.orders",
        rows=there[0],
        size=there[1],
        production_rows=here_now[0],
        production_size=here_now[1],
    )
    found = list(row_findings(here, [table], frozenset(), Config(root=tmp_path)))
    assert [each.level for each in found] == ([] if level is None else [level])
    for each in found:
        assert each.rule == "clone-differs"
        assert "on the clone, and in production about" in each.detail


@pytest.mark.parametrize(
    ("left_out", "sqlstate", "rule", "level", "fix"),
    [
        ([], "23505", "clone-refuses", Level.ERROR, "write the file so"),
        ([], "55P03", "clone-refuses", Level.ERROR, "not had within 500ms"),
        ([], "53100", "clone-refuses", Level.ERROR, "has room"),
        ([], "", "clone-refuses", Level.ERROR, "is up"),
        ([], "55P04", "clone-stopped", Level.WARNING, "in two plans"),
        (["0001_beside.sql"], "42704", "clone-stopped", Level.WARNING, "in two plans"),
    ],
)
def test_what_a_file_that_does_not_go_through_says(
    left_out: list[str], sqlstate: str, rule: str, level: Level, fix: str
) -> None:
    tried = Tried(
        left_out=left_out, stopped_at="0002.sql", refused=SqlFailed("no", sqlstate=sqlstate)
    )
    (found,) = refusals(tried, "500ms")
    assert (found.rule, found.level, found.object) == (rule, level, "0002.sql")
    assert fix in found.fix
    assert all(each in found.detail for each in left_out)
    assert list(refusals(Tried(), "500ms")) == []
