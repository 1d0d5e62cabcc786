"""Rollback files there and back: equal fingerprints, or the difference by name."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from pytest_housekeeping.server import StagingDatabase
from support.cycle_ground import BATCH, TRIP, Batch, prove, told, wrong

DESK = "CREATE SCHEMA desk; CREATE TABLE desk.ticket (id int PRIMARY KEY, subject text NOT NULL);"
NO_DESK = "DROP TABLE desk.ticket; DROP SCHEMA desk;"
KIND = "CREATE TYPE desk.kind AS ENUM ('a'); ALTER TABLE desk.ticket ADD kind desk.kind;"
NO_KIND = "ALTER TABLE desk.ticket DROP kind; DROP TYPE desk.kind;"
OPEN = "CREATE OR REPLACE VIEW desk.open AS SELECT id, subject FROM desk.ticket;"
OPEN_KIND = (
    "DROP VIEW IF EXISTS desk.open; CREATE VIEW desk.open AS SELECT id, kind FROM desk.ticket;"
)
WIDER = "CREATE OR REPLACE VIEW desk.open AS SELECT id, subject, kind FROM desk.ticket;"
SWAPPED = (
    "ALTER TYPE desk.one RENAME TO more; ALTER TYPE desk.two RENAME TO one;"
    "ALTER TYPE desk.more RENAME TO two"
)
UPON = "CREATE OR REPLACE VIEW desk.upon AS SELECT id FROM desk.open;"


def test_what_undoes_its_migration_is_proved(database: StagingDatabase) -> None:
    verdicts = prove(database, Batch(migrations=[(DESK, NO_DESK), (KIND, NO_KIND)]))

    assert list(verdicts) == [TRIP.format(2), TRIP.format(1), BATCH]
    assert all(verdict.passed and verdict.examined > 3 for verdict in verdicts.values())


def test_what_is_left_behind_has_a_name(database: StagingDatabase) -> None:
    half = "ALTER TABLE desk.ticket DROP kind;"
    verdicts = prove(database, Batch(migrations=[(DESK, NO_DESK), (KIND, half)]))

    (again,) = {finding.detail for finding in verdicts[TRIP.format(2)].errors}
    assert 'type "kind" already exists (SQLSTATE 42710)' in again
    (stopped,) = verdicts[TRIP.format(1)].errors
    assert "2BP01" in stopped.detail
    assert not verdicts[BATCH].passed


def test_what_is_left_behind_and_taken_for_made_has_a_name(database: StagingDatabase) -> None:
    """IF NOT EXISTS makes the migration run again over what its rollback has left."""
    made = ("CREATE TABLE IF NOT EXISTS desk.note (id int);", "SELECT 1;")
    pending = prove(database, Batch(past=[(DESK, NO_DESK)], migrations=[made]))
    early = ("CREATE SCHEMA IF NOT EXISTS a; CREATE TABLE a.note (id int);", "DROP TABLE a.note;")
    below = prove(database, Batch(past=[early], migrations=[(DESK, NO_DESK)]))

    assert "table desk.note" in wrong(pending[BATCH])
    assert wrong(below[TRIP.format(1)]) == ["schema a"]


def test_what_is_left_around_the_schema_has_a_name(database: StagingDatabase) -> None:
    made = (
        "CREATE ROLE hk_round_trip; ALTER ROLE hk_round_trip SET work_mem = '5MB';",
        "SELECT 1;",
    )
    verdicts = prove(database, Batch(migrations=[(DESK, NO_DESK), made]))
    assert "role hk_round_trip" in wrong(verdicts[BATCH])

    gone = (made[0], "DROP ROLE hk_round_trip;")
    verdicts = prove(database, Batch(migrations=[(DESK, NO_DESK), gone]))
    assert all(verdict.passed for verdict in verdicts.values()), told(verdicts)


def test_a_column_that_comes_back_at_the_end_is_a_warning(database: StagingDatabase) -> None:
    made = f"{DESK} ALTER TABLE desk.ticket ADD note text;"
    dropped = (
        "ALTER TABLE desk.ticket DROP subject;",
        "ALTER TABLE desk.ticket ADD subject text NOT NULL;",
    )
    verdicts = prove(database, Batch(migrations=[(made, NO_DESK), dropped]))

    assert all(verdict.passed for verdict in verdicts.values())
    (finding, *_) = verdicts[TRIP.format(2)].findings
    assert (finding.object, finding.level) == ("order of columns in table desk.ticket", "warning")
    assert finding.detail.endswith("id, subject, note → id, note, subject")


def test_data_alone_is_not_called_proved(database: StagingDatabase) -> None:
    moved = ("UPDATE desk.ticket SET subject = upper(subject);", "SELECT 1;")
    verdicts = prove(database, Batch(migrations=[(DESK, NO_DESK), moved]))

    (finding,) = verdicts[TRIP.format(2)].findings
    assert (finding.rule, finding.level) == ("rollback-unseen", "warning")


def test_a_file_that_is_to_do_nothing_has_no_data_to_lose(database: StagingDatabase) -> None:
    nothing = ("-- hk: empty, taken back", "-- hk: empty, it does nothing")
    verdicts = prove(database, Batch(migrations=[(DESK, NO_DESK), nothing]))

    assert verdicts[TRIP.format(2)].findings == ()


def test_what_comes_back_otherwise_is_named(database: StagingDatabase) -> None:
    change = (
        "ALTER TABLE desk.ticket DROP subject;",
        "ALTER TABLE desk.ticket ADD subject text;",
    )
    verdicts = prove(database, Batch(migrations=[(DESK, NO_DESK), change]))

    (finding,) = verdicts[TRIP.format(2)].errors
    assert finding.object == "column desk.ticket.subject"
    assert "not null" in finding.detail
    assert verdicts[TRIP.format(1)].passed
    assert wrong(verdicts[BATCH]) == ["sql/rollback/0002_change.sql"]


@pytest.mark.parametrize(
    ("again", "named"),
    [
        ("CREATE INDEX ON desk.ticket (id);", "index desk.ticket_id_idx1"),
        (SWAPPED, "type desk.one"),
    ],
    ids=["more rows of the catalog", "as many, but others"],
)
def test_what_definitions_do_each_time_is_named(
    database: StagingDatabase, again: str, named: str
) -> None:
    below = f"{DESK} CREATE TYPE desk.one AS ENUM ('1'); CREATE TYPE desk.two AS ENUM ('2')"
    note = ("CREATE TABLE desk.note (id int);", f"DROP TABLE desk.note; {again}")
    verdicts = prove(database, Batch(below=[below], migrations=[note]))

    assert wrong(verdicts[TRIP.format(1)])[0] == named


def test_beside_an_event_trigger_nothing_only_defines(
    database: StagingDatabase, superuser: psycopg.Connection[Any]
) -> None:
    superuser.execute(
        """CREATE SEQUENCE count; GRANT USAGE ON SEQUENCE count TO PUBLIC;
        CREATE FUNCTION told() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
            EXECUTE format('COMMENT ON TABLE desk.note IS %L', nextval('count')); END $$;
        CREATE EVENT TRIGGER told ON ddl_command_end
        WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION told()"""
    )
    note = ("CREATE TABLE desk.note (id int);", "DROP TABLE desk.note;")
    verdicts = prove(database, Batch(below=["CREATE SCHEMA desk"], migrations=[note]))

    assert wrong(verdicts[TRIP.format(1)]) == ["table desk.note"]


def test_what_a_function_answers_otherwise_is_named(database: StagingDatabase) -> None:
    """Though both files hold nothing but definitions: of a bound it is worked out at once."""
    ground = "CREATE SEQUENCE count; CREATE TABLE asked (id int) PARTITION BY RANGE (id);"
    bound = (
        "CREATE TABLE part PARTITION OF asked FOR VALUES FROM (nextval('count')::int) TO (99);",
        "DROP TABLE part;",
    )
    verdicts = prove(database, Batch(below=[ground], migrations=[bound]))

    assert wrong(verdicts[TRIP.format(1)]) == ["table public.part"]


def test_what_fails_says_where_and_blocks_what_is_below(database: StagingDatabase) -> None:
    verdicts = prove(
        database, Batch(migrations=[(DESK, NO_DESK), (KIND, "DROP TYPE desk.kind;\n")])
    )

    (failed,) = verdicts[TRIP.format(2)].errors
    assert failed.detail.startswith("fails on the data of the seeds: 1:1: cannot drop type")
    assert "2BP01" in failed.detail
    (blocked,) = verdicts[TRIP.format(1)].errors
    assert "was not tried: sql/rollback/0002_change.sql fails first" in blocked.detail
    assert not verdicts[BATCH].passed


def test_a_migration_that_cannot_be_applied_again_is_told(database: StagingDatabase) -> None:
    """The rows that the rollback leaves keep the migration from coming back."""
    unique = (
        "ALTER TABLE desk.ticket ADD CONSTRAINT one UNIQUE (subject);",
        (
            "ALTER TABLE desk.ticket DROP CONSTRAINT one;"
            " INSERT INTO desk.ticket SELECT id + 100, subject FROM desk.ticket;"
        ),
    )
    verdicts = prove(
        database,
        Batch(
            past=[(DESK, "SELECT 1 / 0;")],
            migrations=[unique],
            seed="INSERT INTO desk.ticket VALUES (1, 'a');",
        ),
    )

    assert "23505" in verdicts[TRIP.format(2)].errors[0].detail


def test_what_is_destroyed_is_counted_also_where_policies_hide_it(
    database: StagingDatabase,
) -> None:
    force = "ALTER TABLE desk.ticket ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;"
    verdicts = prove(
        database,
        Batch(
            migrations=[(DESK, NO_DESK), (KIND, NO_KIND)],
            policies={"t.sql": (force, "")},
            seed="SET LOCAL row_security = on;"
            "ALTER TABLE desk.ticket NO FORCE ROW LEVEL SECURITY;"
            "INSERT INTO desk.ticket VALUES (1, 'a', 'a'), (2, 'b', NULL);"
            "ALTER TABLE desk.ticket FORCE ROW LEVEL SECURITY;",
        ),
    )

    assert told(verdicts) == [
        "column desk.ticket.kind is dropped by the rollback, with 1 value",
        "table desk.ticket is dropped by the rollback, with 2 rows",
    ]
    assert all(verdict.passed for verdict in verdicts.values())


def test_a_migration_that_makes_something_else_the_second_time_is_told(
    database: StagingDatabase,
) -> None:
    """What it makes hangs on the data, and the rollback leaves other data than it found."""
    by_rows = (
        (
            "DO $$ BEGIN IF EXISTS (SELECT FROM desk.ticket)"
            " THEN ALTER TABLE desk.ticket ADD a int;"
            " ELSE ALTER TABLE desk.ticket ADD b int; END IF; END $$;"
        ),
        (
            "ALTER TABLE desk.ticket DROP COLUMN IF EXISTS a, DROP COLUMN IF EXISTS b;"
            " WITH gone AS (DELETE FROM desk.ticket RETURNING id)"
            " INSERT INTO desk.ticket SELECT 2, 'x' WHERE NOT EXISTS (SELECT FROM gone);"
        ),
    )
    verdicts = prove(database, Batch(migrations=[(DESK, NO_DESK), by_rows]))

    assert wrong(verdicts[TRIP.format(2)]) == ["column desk.ticket.a", "column desk.ticket.b"]


@pytest.mark.parametrize(
    "upon",
    [
        "GRANT SELECT ON desk.open TO PUBLIC;",
        "COMMENT ON VIEW desk.open IS 'what is to be done';",
        (
            "CREATE OR REPLACE RULE kept AS ON DELETE TO desk.open DO INSTEAD NOTHING;"
            " ALTER VIEW desk.open ALTER COLUMN id SET DEFAULT 7;"
        ),
        (
            "COMMENT ON COLUMN desk.open.id IS 'whose';"
            " DROP POLICY IF EXISTS p ON desk.ticket; CREATE POLICY p ON desk.ticket USING (true);"
            " COMMENT ON POLICY p ON desk.ticket IS 'everybody';"
            " COMMENT ON CONSTRAINT ticket_pkey ON desk.ticket IS 'one each';"
            " COMMENT ON SCHEMA desk IS 'at which one sits';"
        ),
        (
            "ALTER TABLE desk.ticket ENABLE ROW LEVEL SECURITY;"
            " DROP POLICY IF EXISTS p ON desk.ticket; CREATE POLICY p ON desk.ticket"
            " USING (EXISTS (SELECT FROM desk.upon AS o WHERE o.id = ticket.id));"
        ),
    ],
    ids=["grant", "comment", "rule", "comments", "policy"],
)
def test_what_another_file_says_of_a_changed_view_comes_back_with_it(
    database: StagingDatabase, upon: str
) -> None:
    verdicts = prove(
        database,
        Batch(
            past=[(DESK, NO_DESK)],
            migrations=[(KIND, NO_KIND)],
            views={"open.sql": (WIDER, OPEN), "upon.sql": (UPON, None)},
            policies={"upon.sql": (upon, None)},
        ),
    )

    assert wrong(verdicts[BATCH]) == []
    assert all(verdict.passed for verdict in verdicts.values())


def test_what_no_file_made_is_missed_at_the_end(database: StagingDatabase) -> None:
    by_hand = "GRANT SELECT ON desk.open TO PUBLIC"
    batch = Batch(migrations=[(DESK, NO_DESK)], views={"open.sql": (OPEN, "")}, seed=by_hand)
    verdicts = prove(database, batch)

    assert wrong(verdicts[BATCH]) == ["view desk.open"]
    assert "after going there and back" in verdicts[BATCH].errors[0].detail


@pytest.mark.parametrize(
    ("of_table", "part"),
    [
        ("PARTITION BY RANGE (id)", "PARTITION OF desk.log FOR VALUES FROM (1) TO (9)"),
        ("", "() INHERITS (desk.log)"),
    ],
    ids=["a partition", "a child"],
)
def test_rows_that_go_with_a_part_are_told_of_the_file_that_drops_it(
    database: StagingDatabase, of_table: str, part: str
) -> None:
    """And of no other: each table is counted anew where its rows may have gone."""
    below = f"CREATE SCHEMA desk; CREATE TABLE desk.log (id int) {of_table};"
    note = "CREATE TABLE desk.note (id int); "
    migrations = [
        (note, "DROP TABLE desk.note;"),
        ("ALTER TABLE desk.note ADD body text;", "ALTER TABLE desk.note DROP body;"),
        (f"CREATE TABLE desk.part {part};", "DROP TABLE desk.part;"),
    ]
    seed = "INSERT INTO desk.part VALUES (1), (2)"
    verdicts = prove(database, Batch(below=[below], migrations=migrations, seed=seed))

    dropped, wider, _, _ = (sorted(told({"": each})) for each in verdicts.values())
    assert dropped == [
        "table desk.log loses 2 of 2 rows by the rollback",
        "table desk.part is dropped by the rollback, with 2 rows",
    ]
    assert wider == ["column desk.note.body is dropped by the rollback, with 0 values"]


def test_partitions_are_counted_as_what_they_are_a_part_of(database: StagingDatabase) -> None:
    parted = (
        (
            "CREATE TABLE desk.log (id int, line text) PARTITION BY LIST (id);"
            " CREATE TABLE desk.log_1 PARTITION OF desk.log FOR VALUES IN (1);"
        ),
        "DROP TABLE desk.log;",
    )
    more = (
        "CREATE TABLE desk.log_2 PARTITION OF desk.log FOR VALUES IN (2);",
        "DROP TABLE desk.log_2; DELETE FROM desk.log WHERE line = 'b';",
    )
    wider = ("ALTER TABLE desk.log ADD who text;", "ALTER TABLE desk.log DROP who;")
    seed = "INSERT INTO desk.log VALUES (1, 'a', 'me'), (1, 'b', NULL), (2, 'c', 'you');"
    batch = Batch(migrations=[(DESK, NO_DESK), parted, more, wider], seed=seed)

    assert told(prove(database, batch)) == [
        "column desk.log.who is dropped by the rollback, with 2 values",
        "table desk.log loses 2 of 3 rows by the rollback",
        "table desk.log_2 is dropped by the rollback, with 1 row",
        "table desk.log is dropped by the rollback, with 1 row",
        "table desk.ticket is dropped by the rollback, with 0 rows",
    ]


def test_a_rename_destroys_nothing_and_deleted_rows_are_told(database: StagingDatabase) -> None:
    rename = (
        (
            'ALTER TABLE desk.ticket RENAME TO "Ticket No"; ALTER TABLE desk."Ticket No"'
            " RENAME subject TO title; INSERT INTO desk.\"Ticket No\" VALUES (7, 'x');"
        ),
        (
            'DELETE FROM desk."Ticket No" WHERE id = 7;'
            ' ALTER TABLE desk."Ticket No" RENAME title TO subject;'
            ' ALTER TABLE desk."Ticket No" RENAME TO ticket;'
        ),
    )
    verdicts = prove(database, Batch(migrations=[(DESK, NO_DESK), rename]))

    assert told(verdicts) == [
        'table desk."Ticket No" loses 1 of 1 row by the rollback',
        "table desk.ticket is dropped by the rollback, with 0 rows",
    ]
    assert all(verdict.passed for verdict in verdicts.values())


def test_views_go_and_come_back_as_they_were(database: StagingDatabase) -> None:
    """The batch changes a view that another one, which it leaves alone, stands upon."""
    batch = Batch(
        past=[(DESK, NO_DESK)],
        migrations=[(KIND, NO_KIND)],
        views={
            "open.sql": (OPEN + " COMMENT ON VIEW desk.open IS 'new';", OPEN),
            "upon.sql": (UPON, None),
        },
    )
    verdicts = prove(database, batch)
    # A comment that the older text does not take back is a difference like any other.
    assert verdicts[TRIP.format(2)].passed
    assert verdicts[BATCH].passed, wrong(verdicts[BATCH])


def test_a_new_view_upon_what_the_migration_made(database: StagingDatabase) -> None:
    batch = Batch(
        past=[(DESK, NO_DESK)], migrations=[(KIND, NO_KIND)], views={"o.sql": (OPEN_KIND, OPEN)}
    )

    assert all(verdict.passed for verdict in prove(database, batch).values())


def test_a_grant_goes_with_the_text_that_made_it(database: StagingDatabase) -> None:
    granted = "GRANT SELECT ON desk.ticket TO PUBLIC;"
    new = Batch(past=[(DESK, NO_DESK)], policies={"t.sql": (granted, "")})
    twice = Batch(
        past=[(DESK + granted, NO_DESK)], policies={"t.sql": (granted + " SELECT 1;", granted)}
    )

    assert prove(database, new)[BATCH].passed
    assert prove(database, twice)[BATCH].passed


def test_what_no_text_takes_back_is_named(database: StagingDatabase) -> None:
    """Row-level security is not switched off because it was on in the newer text alone."""
    batch = Batch(
        past=[(DESK, NO_DESK)],
        policies={"t.sql": ("ALTER TABLE desk.ticket ENABLE ROW LEVEL SECURITY;", "SELECT 1;")},
    )
    verdicts = prove(database, batch)

    assert wrong(verdicts[BATCH]) == ["table desk.ticket"]
    assert "after the batch was undone" in verdicts[BATCH].errors[0].detail


def test_files_that_no_transaction_holds_are_proved_in_one(database: StagingDatabase) -> None:
    alone = "-- hk: transaction=none\n"
    index = (
        f"{alone}CREATE INDEX CONCURRENTLY by_subject ON desk.ticket (subject);",
        f"{alone}DROP INDEX CONCURRENTLY desk.by_subject;",
    )
    # What stands is what the first way made: CONCURRENTLY would not run in this transaction.
    plain = (index[0].replace("CONCURRENTLY ", "").replace(alone, ""), index[1])
    verdicts = prove(database, Batch(migrations=[(DESK, NO_DESK), plain]))

    assert all(verdict.passed for verdict in verdicts.values())
