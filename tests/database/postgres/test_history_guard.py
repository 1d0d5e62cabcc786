"""The rows of the tool's own tables: a chain that locates what was done to them, and a guard."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from psycopg import sql

from pytest_housekeeping.config import Config
from pytest_housekeeping.errors import ProofFailed
from pytest_housekeeping.model import Kind
from pytest_housekeeping.postgres.connection import LentConnection, connect
from pytest_housekeeping.postgres.own_tables import history
from pytest_housekeeping.postgres.own_tables.catalog import Planned
from pytest_housekeeping.postgres.own_tables.chain import ChainedRow, link, read_rows
from pytest_housekeeping.postgres.own_tables.guard import HistoryGuard, content_faults
from pytest_housekeeping.postgres.own_tables.history import Row
from pytest_housekeeping.postgres.own_tables.shape import misfits
from pytest_housekeeping.postgres.own_tables.tables import columns_of
from pytest_housekeeping.postgres.transaction import begin
from pytest_housekeeping.promotion.production.promoted import promotion_table
from pytest_housekeeping.server import StagingDatabase
from pytest_housekeeping.snapshot.fingerprint import Fingerprint, SchemaObject, read_fingerprint
from pytest_housekeeping.snapshot.fingerprint_record import SchemaRecord
from pytest_housekeeping.sql import file as sqlfile

OWN = "housekeeping"
# As the version before the chain has made them.
OLD = """
CREATE SCHEMA housekeeping;
CREATE TABLE housekeeping.history (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run text NOT NULL,
    source_commit text NOT NULL,
    kind text NOT NULL,
    path text NOT NULL,
    sha256 text NOT NULL,
    statements integer NOT NULL,
    duration_s double precision NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    applied_by text NOT NULL DEFAULT current_user
);
CREATE TABLE housekeeping.promotion (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run text NOT NULL,
    source_commit text NOT NULL,
    plan_digest text NOT NULL,
    segment integer NOT NULL,
    segments integer NOT NULL,
    fingerprint text NOT NULL,
    objects text NOT NULL,
    promoted_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    promoted_by text NOT NULL DEFAULT current_user
);
INSERT INTO housekeeping.history (run, source_commit, kind, path, sha256, statements, duration_s)
SELECT 'run' || (n + 1) / 2, 'c', 'migration', 'p' || n, 'aa', 1, 0.1 * n
FROM generate_series(1, 4) AS n;
INSERT INTO housekeeping.promotion
    (run, source_commit, plan_digest, segment, segments, fingerprint, objects)
VALUES ('run1', 'c', 'd', 1, 1, 'f', '{}'), ('run2', 'c', 'd', 1, 1, 'f', '{}');
"""


def promote(connection: LentConnection, run: str, *paths: str) -> HistoryGuard:
    """A promotion, as far as the own tables see it."""
    guard = HistoryGuard(schema=OWN)
    connection.execute("BEGIN")
    guard.begin(connection, first=True)
    write(connection, guard, run, *paths)
    guard.prove(connection)
    connection.execute("COMMIT")
    guard.prove_kept(connection)
    return guard


def write(connection: LentConnection, guard: HistoryGuard, run: str, *paths: str) -> None:
    guard.write(
        connection,
        [
            Row(run=run, path=path, kind="migration", sha256="aa", commit="c", duration_s=0.1)
            for path in paths
        ],
    )
    # What the rows hold of a schema is not what they are proved by.
    one = SchemaObject(name=f"schema {run}", parent="", text=f"schema {run}")
    schema = Fingerprint(entries=(one,), server_major=16)
    guard.note(connection, lambda: promoted(connection, run, schema))


def promoted(connection: LentConnection, run: str, fingerprint: Fingerprint) -> None:
    promotion_table.record(
        connection,
        OWN,
        run=run,
        commit="c",
        digest="d",
        segment=1,
        segments=1,
        schema_record=SchemaRecord(fingerprint=fingerprint),
    )


@pytest.fixture
def made(connection: LentConnection) -> LentConnection:
    """Three promotions of two files each."""
    for number in (1, 2, 3):
        promote(connection, f"run{number}", f"p{2 * number - 1}", f"p{2 * number}")
    return connection


def rows_of(connection: LentConnection, table: str) -> tuple[ChainedRow, ...]:
    return read_rows(connection, OWN, table, columns_of(connection, OWN))


def named(connection: LentConnection) -> list[str]:
    return [fault.row for fault in content_faults(connection, OWN)]


def test_rows_that_the_tool_has_written_are_whole(made: LentConnection) -> None:
    assert named(made) == []
    assert [row.id for row in rows_of(made, "history")] == [1, 2, 3, 4, 5, 6]


def test_a_record_that_is_written_anew_is_one_and_whole(made: LentConnection) -> None:
    """What was foreseen is on record before the checks, and may be spelt otherwise by COMMIT."""
    guard = HistoryGuard(schema=OWN)
    made.execute("BEGIN")
    guard.begin(made, first=True)
    write(made, guard, "run4", "p7")
    guard.prove(made)
    made.execute("CREATE TABLE public.spelt (id int)")
    now = read_fingerprint(made, exclude_schemas=())
    guard.note(made, lambda: promoted(made, "run4", now))
    guard.prove(made)
    made.execute("COMMIT")
    assert named(made) == []
    assert [row.run for row in rows_of(made, "promotion")][2:] == ["run3", "run4"]
    last = promotion_table.last_fingerprint(made, OWN)
    assert last is not None
    assert last.digest == now.digest
    # One of that digest is not read to be told so, and of any other what is on record is.
    assert promotion_table.last_fingerprint(made, OWN, now) is now
    another = now.without("table")
    assert promotion_table.last_fingerprint(made, OWN, another) == last


@pytest.mark.parametrize(
    "setting",
    ["DateStyle = 'SQL, DMY'", "TimeZone = 'Asia/Tokyo'", "extra_float_digits = -15"],
)
def test_settings_of_the_session_do_not_count(made: LentConnection, setting: str) -> None:
    made.execute(f"SET {setting}")
    assert named(made) == []
    promote(made, "run4", "p7")
    made.execute("RESET ALL")
    assert named(made) == []


FORGED = (
    "INSERT INTO housekeeping.history (run, source_commit, kind, path, sha256, statements,"
    " duration_s, chain) VALUES ({run}, 'c', 'migration', 'p9', 'aa', 1, 0, 'x')"
)


@pytest.mark.parametrize(
    ("statement", "located"),
    [
        (FORGED.format(run="'mine'"), "history row 7 (run mine)"),
        (FORGED.format(run="'run3'"), "history row 7 (run run3)"),
        ("UPDATE housekeeping.history SET sha256 = 'bb' WHERE id = 3", "history row 3 (run run2)"),
        ("UPDATE housekeeping.history SET run = 'run9' WHERE id = 3", "history row 3 (run run9)"),
        ("UPDATE housekeeping.history SET duration_s = 7 WHERE id = 6", "history row 6 (run run3)"),
        (
            "UPDATE housekeeping.history SET applied_at = applied_at + '1 us' WHERE id = 1",
            "history row 1 (run run1)",
        ),
        ("UPDATE housekeeping.history SET chain = 'x' WHERE id = 6", "history row 6 (run run3)"),
        ("DELETE FROM housekeeping.history WHERE id = 1", "history row 2 (run run1)"),
        ("DELETE FROM housekeeping.history WHERE id = 4", "history row 5 (run run3)"),
        ("DELETE FROM housekeeping.history WHERE id = 6", "promotion row 3 (run run3)"),
        ("DELETE FROM housekeeping.history", "promotion row 1 (run run1)"),
        ("TRUNCATE housekeeping.history", "promotion row 3 (run run3)"),
        ("DELETE FROM housekeeping.promotion WHERE id = 3", "history row 5 (run run3)"),
        ("DELETE FROM housekeeping.promotion WHERE id = 1", "promotion row 2 (run run2)"),
        (
            "UPDATE housekeeping.promotion SET objects = '{}' WHERE id = 2",
            "promotion row 2 (run run2)",
        ),
        (
            "UPDATE housekeeping.promotion SET fingerprint = 'x' WHERE id = 3",
            "promotion row 3 (run run3)",
        ),
        (
            (
                "ALTER TABLE housekeeping.history ALTER id DROP IDENTITY;"
                " UPDATE housekeeping.history SET id = id + 10 WHERE id = 2"
            ),
            "history row 12 (run run1)",
        ),
    ],
)
def test_what_was_done_to_a_row_is_located(
    made: LentConnection, statement: str, located: str
) -> None:
    made.execute(statement)
    assert located in named(made)


def test_a_row_with_a_right_chain_and_no_promotion_is_located(made: LentConnection) -> None:
    """The digest is no secret: whoever may write can compute it."""
    made.execute(FORGED.format(run="'mine'"))
    *_, last, forged = rows_of(made, "history")
    chain = link(last.chain, "history", forged.fields)
    made.execute("UPDATE housekeeping.history SET chain = %s WHERE id = 7", (chain,))
    (fault,) = content_faults(made, OWN)
    assert (fault.row, fault.stray) == ("history row 7 (run mine)", True)


# -- in the transaction ------------------------------------------------------------------------


def rewrite(connection: LentConnection) -> None:
    connection.execute("UPDATE housekeeping.history SET chain = chain WHERE id = 1")


def replace(connection: LentConnection) -> None:
    connection.execute(
        "DO $$ BEGIN EXECUTE 'CREATE TEMP TABLE k AS TABLE house' || 'keeping.history;"
        " TRUNCATE house' || 'keeping.history; INSERT INTO house' || 'keeping.history"
        " OVERRIDING SYSTEM VALUE TABLE k'; END $$"
    )


def forge(connection: LentConnection) -> None:
    connection.execute(FORGED.format(run="'run3'"))
    *_, last, forged = rows_of(connection, "history")
    chain = link(last.chain, "history", forged.fields)
    connection.execute("UPDATE housekeeping.history SET chain = %s WHERE id = 7", (chain,))


def drop(connection: LentConnection) -> None:
    connection.execute("DROP SCHEMA housekeeping CASCADE")


def again(connection: LentConnection) -> None:
    drop(connection)
    history.record(
        connection, OWN, [Row(run="r", path="p", kind="migration", sha256="a", commit="c")]
    )


def rename(connection: LentConnection) -> None:
    connection.execute("ALTER SCHEMA housekeeping RENAME TO elsewhere")


def trigger(connection: LentConnection) -> None:
    connection.execute(
        "CREATE FUNCTION public.f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';"
        " CREATE TRIGGER t BEFORE INSERT ON housekeeping.history FOR EACH ROW"
        " EXECUTE FUNCTION public.f()"
    )


def grant(connection: LentConnection) -> None:
    connection.execute("GRANT INSERT ON housekeeping.history TO PUBLIC")


def empty(connection: LentConnection) -> None:
    connection.execute("DELETE FROM housekeeping.history; DELETE FROM housekeeping.promotion")


ATTACKS = [rewrite, replace, forge, drop, again, rename, trigger, grant, empty]
Attack = Callable[[LentConnection], None]


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_what_a_file_does_to_the_tables_is_seen_before_rows_are_written(
    made: LentConnection, attack: Attack
) -> None:
    guard = HistoryGuard(schema=OWN)
    made.execute("BEGIN")
    guard.begin(made, first=True)
    attack(made)
    with pytest.raises(ProofFailed, match=r"history was changed|not as they have to be"):
        guard.write(made, [Row(run="r", path="p", kind="migration", sha256="a", commit="c")])
    made.execute("ROLLBACK")


def test_what_was_planned_before_a_transaction_is_not_planned_again(made: LentConnection) -> None:
    made.execute("DEALLOCATE ALL")
    assert not misfits(made, OWN, planned=Planned.NOW)
    made.execute("BEGIN")
    HistoryGuard(schema=OWN).begin(made, first=True, ours=True)
    plans = "SELECT generic_plans FROM pg_prepared_statements WHERE name LIKE 'hk_own_%'"
    assert made.execute(plans).fetchall() == [(2,)] * 5
    made.execute("DEALLOCATE ALL; ALTER TABLE housekeeping.history ADD COLUMN more text")
    with pytest.raises(ProofFailed, match="more"):
        HistoryGuard(schema=OWN).begin(made, first=True, ours=True)
    made.execute("ROLLBACK")


def test_what_a_file_has_prepared_under_the_names_of_the_tool_is_not_asked(
    made: LentConnection,
) -> None:
    """Here it would say that there are no tables at all, so that nothing could be wrong."""
    transaction, guard = begin(made, Config(root=Path.cwd())), HistoryGuard(schema=OWN)
    guard.begin(made, first=True)
    query = "SELECT name FROM pg_prepared_statements WHERE name LIKE 'hk_own_%'"
    names = [name for (name,) in made.execute(query).fetchall()]
    assert len(names) == 5
    forged = "".join(f"DEALLOCATE {name}; PREPARE {name} AS SELECT WHERE false;" for name in names)
    text = f"{forged} ALTER TABLE housekeeping.history ADD COLUMN more text;"
    file = sqlfile.from_text("forged.sql", Kind.MIGRATION, text, "aa")
    transaction.apply(file, text)
    with pytest.raises(ProofFailed, match="more"):
        write(made, guard, "run4", "p7")
    made.execute("ROLLBACK")


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_what_a_trigger_or_a_check_does_to_them_is_seen_before_commit(
    made: LentConnection, attack: Attack
) -> None:
    guard = HistoryGuard(schema=OWN)
    made.execute("BEGIN")
    guard.begin(made, first=True)
    write(made, guard, "run4", "p7")
    guard.prove(made)
    attack(made)
    with pytest.raises(ProofFailed, match=r"history was changed|not as they have to be"):
        guard.prove(made)
    made.execute("ROLLBACK")


def test_what_somebody_else_does_meanwhile_is_seen_and_then_they_wait(
    made: LentConnection, database: StagingDatabase
) -> None:
    other = connect(database.migrator_conninfo)
    guard = HistoryGuard(schema=OWN)
    made.execute("BEGIN")
    guard.begin(made, first=True)
    other.execute(FORGED.format(run="'run3'"))
    with pytest.raises(ProofFailed, match="history row 7 was put in"):
        guard.write(made, [])
    made.execute("ROLLBACK")
    other.execute("DELETE FROM housekeeping.history WHERE id = 7; SET lock_timeout = '100ms'")
    made.execute("BEGIN")
    guard.begin(made, first=True)
    write(made, guard, "run4", "p7")
    with pytest.raises(Exception, match="lock timeout"):
        other.execute(FORGED.format(run="'run3'"))
    assert other.execute("SELECT count(*) FROM housekeeping.history").fetchone() == (6,)
    made.execute("COMMIT")
    other.close()


def test_what_is_gone_after_commit_is_seen_and_what_came_is_not_blamed(
    made: LentConnection,
) -> None:
    guard = promote(made, "run4", "p7")
    promote(made, "run5", "p8")
    guard.prove_kept(made)
    made.execute("DELETE FROM housekeeping.history WHERE path = 'p7'")
    with pytest.raises(ProofFailed, match="history row 7 is gone"):
        guard.prove_kept(made)


def test_rows_in_two_segments_of_a_run(connection: LentConnection) -> None:
    guard = HistoryGuard(schema=OWN)
    for number in (1, 2):
        connection.execute("BEGIN")
        guard.begin(connection, first=number == 1)
        write(connection, guard, "run1", f"p{number}")
        guard.prove(connection)
        connection.execute("COMMIT")
    assert named(connection) == []
    connection.execute("UPDATE housekeeping.history SET chain = chain")
    connection.execute("BEGIN")
    with pytest.raises(ProofFailed, match="is gone"):
        guard.begin(connection, first=False)
    connection.execute("ROLLBACK")


# -- what an earlier version has made ----------------------------------------------------------


def test_an_old_history_is_whole_and_gets_its_chain_with_the_next_promotion(
    connection: LentConnection,
) -> None:
    connection.execute(OLD)
    assert misfits(connection, OWN) == ()
    assert named(connection) == []
    before = [row.path for row in history.recorded(connection, OWN)]
    promote(connection, "run3", "p5", "p6")
    assert misfits(connection, OWN) == ()
    assert named(connection) == []
    assert [row.path for row in history.recorded(connection, OWN)] == [*before, "p5", "p6"]
    connection.execute("UPDATE housekeeping.history SET path = 'other' WHERE id = 2")
    assert named(connection) == ["history row 2 (run run1)"]


def test_an_old_history_is_upgraded_or_left_as_a_whole(connection: LentConnection) -> None:
    connection.execute(OLD)
    guard = HistoryGuard(schema=OWN)
    connection.execute("BEGIN")
    guard.begin(connection, first=True)
    write(connection, guard, "run3", "p5")
    connection.execute("ROLLBACK")
    assert named(connection) == []
    assert not rows_of(connection, "history")[0].chain


def test_a_row_by_hand_in_an_old_history_has_no_promotion(connection: LentConnection) -> None:
    connection.execute(OLD)
    statement = FORGED.format(run="'mine'").replace(", chain)", ")").replace(", 'x')", ")")
    connection.execute(sql.SQL("{}").format(sql.SQL(statement)))
    assert named(connection) == ["history row 5 (run mine)"]
    connection.execute("BEGIN")
    with pytest.raises(ProofFailed, match="history row 5"):
        HistoryGuard(schema=OWN).begin(connection, first=True)
    connection.execute("ROLLBACK")
