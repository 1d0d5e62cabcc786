"""What a batch does, measured on an empty database: against what PostgreSQL's pages say of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from pytest_housekeeping.config import Config
from pytest_housekeeping.model import Applied, Kind, Phase, Step
from pytest_housekeeping.postgres.batch_facts import BatchFacts
from pytest_housekeeping.postgres.connection import LentConnection, connect
from pytest_housekeeping.postgres.transaction import begin
from pytest_housekeeping.promotion.rehearsal.facts import Measurement, look_at
from pytest_housekeeping.server import Server, StagingDatabase
from pytest_housekeeping.snapshot.compare.batches import SchemaChange
from pytest_housekeeping.snapshot.fingerprint import Fingerprint, read_fingerprint
from pytest_housekeeping.sql import file as sqlfile

STANDS = """
CREATE SCHEMA shop;
CREATE TABLE shop.customer (id bigint PRIMARY KEY, name text NOT NULL, note text);
CREATE TABLE shop.orders (
    id bigint PRIMARY KEY, customer_id bigint, total integer, state varchar(10), at timestamp
);
CREATE INDEX orders_state ON shop.orders (state);
CREATE VIEW shop.open AS SELECT id, total FROM shop.orders;
"""
Measure = Callable[..., BatchFacts]


@pytest.fixture(scope="module")
def stands(server: Server) -> Iterator[LentConnection]:
    """Where the tables stand, and each test leaves them as they are."""
    database = server.database()
    connection = connect(database.migrator_conninfo)
    connection.execute(STANDS)
    yield connection
    connection.close()
    server.drop(database)


@pytest.fixture(scope="module")
def before(stands: LentConnection) -> Fingerprint:
    return read_fingerprint(stands)


@pytest.fixture
def measure(stands: LentConnection, before: Fingerprint, tmp_path: Path) -> Measure:
    return lambda *texts: measured_in(stands, tmp_path, texts, before)


@pytest.fixture
def standing(database: StagingDatabase) -> Iterator[LentConnection]:
    """Tables that a test may change before it measures."""
    connection = connect(database.migrator_conninfo)
    connection.execute(STANDS)
    yield connection
    connection.close()


@pytest.fixture
def measure_there(standing: LentConnection, tmp_path: Path) -> Measure:
    return lambda *texts: measured_in(standing, tmp_path, texts, read_fingerprint(standing))


def measured_in(
    standing: LentConnection, root: Path, texts: Sequence[str], before: Fingerprint
) -> BatchFacts:
    """Apply files, given by their texts, as a rehearsal does, and tell what they did."""
    measurement = Measurement(
        segment=1, before=look_at(standing, "housekeeping"), history_schema="housekeeping"
    )
    try:
        transaction = begin(standing, Config(root=root), measured=True)
        for number, text in enumerate(texts, start=1):
            file = sqlfile.from_text(f"{number:04}_it.sql", Kind.MIGRATION, text, "")
            step = Step(id=file.path, phase=Phase.REHEARSE, kind=Kind.REHEARSAL, path=file.path)
            measurement.applied(step, file, text, transaction.apply(file, text))
        after = SchemaChange(before=before, after=read_fingerprint(standing))
        late = transaction.locks.take_new(standing)
        return measurement.facts(after, look_at(standing, "housekeeping"), late)
    finally:
        standing.execute("ROLLBACK")


ALTER = "ALTER TABLE shop.orders "
TRIGGER = (
    "CREATE TRIGGER t BEFORE UPDATE ON shop.orders FOR EACH ROW"
    " EXECUTE FUNCTION suppress_redundant_updates_trigger()"
)
EXCLUSIVE = "AccessExclusiveLock"


# Each with the lock on shop.orders, whether it is written anew, and how often it is read.
# https://www.postgresql.org/docs/16/sql-altertable.html says so, but for the counts: what is
# written anew is read once for that, and once for each of its two indexes.
@pytest.mark.parametrize(
    ("text", "mode", "anew", "scans"),
    [
        (ALTER + "ADD COLUMN a int DEFAULT 1", EXCLUSIVE, False, 0),
        (ALTER + "ADD COLUMN a float DEFAULT random()", EXCLUSIVE, True, 3),
        (ALTER + "ADD COLUMN a timestamptz DEFAULT now()", EXCLUSIVE, False, 0),
        (ALTER + "ALTER COLUMN total TYPE bigint", EXCLUSIVE, True, 3),
        (ALTER + "ALTER COLUMN state TYPE varchar(20)", EXCLUSIVE, False, 0),
        (ALTER + "ALTER COLUMN total SET NOT NULL", EXCLUSIVE, False, 1),
        (ALTER + "ADD CONSTRAINT p CHECK (total > 0) NOT VALID", EXCLUSIVE, False, 0),
        (ALTER + "ADD CONSTRAINT p CHECK (total > 0)", EXCLUSIVE, False, 1),
        ("CREATE INDEX ON shop.orders (total)", "ShareLock", False, 1),
        (TRIGGER, "ShareRowExclusiveLock", False, 0),
        ("DROP INDEX shop.orders_state", EXCLUSIVE, False, 0),
        ("COMMENT ON TABLE shop.orders IS 'x'", "ShareUpdateExclusiveLock", False, 0),
        ("UPDATE shop.orders SET total = 0", "RowExclusiveLock", False, 1),
        ("DO $$ BEGIN PERFORM 1 FROM shop.orders; END $$", "AccessShareLock", False, 1),
    ],
)
def test_lock_rewrite_and_scan(
    measure: Measure, text: str, mode: str, anew: bool, scans: int
) -> None:
    if "TYPE" in text:
        text = f"DROP VIEW shop.open; {text}"
    facts = measure("CREATE TABLE shop.young (id int)", text)
    assert facts.strongest["shop.orders"].mode == mode
    assert facts.strongest["shop.orders"].step == "0002_it.sql"
    assert ("shop.orders" in facts.rewritten) is anew
    assert sum(s.count for s in facts.scans if s.relation == "shop.orders") == scans
    assert facts.coverage.measured == 2 + ("TYPE" in text)


def test_what_a_constraint_proves_is_not_read_for(measure: Measure) -> None:
    facts = measure(
        ALTER + "ADD CONSTRAINT c CHECK (total IS NOT NULL) NOT VALID",
        ALTER + "VALIDATE CONSTRAINT c",
        ALTER + "ALTER COLUMN total SET NOT NULL",
    )
    assert [(s.step, s.count) for s in facts.scans] == [("0002_it.sql", 1)]


def test_a_foreign_key_locks_both_tables(measure: Measure) -> None:
    facts = measure(ALTER + "ADD FOREIGN KEY (customer_id) REFERENCES shop.customer (id)")
    modes = {name: lock.mode for name, lock in facts.strongest.items()}
    assert modes["shop.orders"] == modes["shop.customer"] == "ShareRowExclusiveLock"
    assert "shop.orders" in {scan.relation for scan in facts.scans}


def test_a_lock_that_no_text_names_is_seen(
    measure_there: Measure, superuser: LentConnection
) -> None:
    """A type that goes takes a column along, and an index without its schema names no table."""
    superuser.execute(
        "GRANT CREATE ON SCHEMA public TO hk_migrator; SET ROLE hk_migrator;"
        "CREATE TYPE kind AS ENUM ('a'); ALTER TABLE shop.customer ADD COLUMN k kind;"
        "CREATE TABLE lonely (id int); CREATE INDEX lonely_id ON lonely (id)"
    )
    facts = measure_there("DROP TYPE kind CASCADE", "DROP INDEX lonely_id")
    assert {(lock.relation, lock.mode, lock.step) for lock in facts.strongest.values()} == {
        ("shop.customer", EXCLUSIVE, "0001_it.sql"),
        ("public.lonely", EXCLUSIVE, "0002_it.sql"),
    }


def test_objects_before_and_after(measure: Measure) -> None:
    facts = measure(
        ALTER + "ADD COLUMN paid boolean NOT NULL DEFAULT false",
        "ALTER TABLE shop.customer ALTER COLUMN name DROP NOT NULL",
        "DROP VIEW shop.open",
        "CREATE TABLE shop.item (id int)",
    )
    found = {(each.kind, each.object): each for each in facts.changes}
    paid = found["column", "shop.orders.paid"]
    assert (paid.change, paid.before, paid.lock) == ("made", "", EXCLUSIVE)
    assert "default: false" in paid.after
    name = found["column", "shop.customer.name"]
    assert (name.change, name.rewrites) == ("changed", False)
    assert "not null" in name.before
    assert "not null" not in name.after
    assert found["view", "shop.open"].change == "dropped"
    assert (found["table", "shop.item"].change, found["table", "shop.item"].lock) == ("made", "")


def test_what_is_written_anew_and_built_anew(measure: Measure) -> None:
    facts = measure(
        "CREATE INDEX orders_total ON shop.orders (total)",
        "DROP VIEW shop.open; ALTER TABLE shop.orders ALTER COLUMN id TYPE numeric",
        "ALTER TABLE shop.orders RENAME TO purchase",
    )
    assert facts.rewritten == ("shop.orders",)
    assert {(each.index, each.table, each.rebuilt) for each in facts.indexes} == {
        ("shop.orders_pkey", "shop.orders", True),
        ("shop.orders_state", "shop.orders", True),
        ("shop.orders_total", "shop.orders", False),
    }
    assert facts.destroyed == ()
    assert all(each.rewrites for each in facts.changes if each.object == "shop.purchase.id")


def test_an_index_that_keeps_its_file_is_not_built(measure: Measure) -> None:
    facts = measure(ALTER + "ALTER COLUMN state TYPE varchar(30)")
    assert facts.indexes == ()


def test_data_that_are_gone(measure: Measure) -> None:
    """A name that is there again tells nothing of the values."""
    facts = measure(
        "ALTER TABLE shop.customer DROP COLUMN note",
        "ALTER TABLE shop.customer ADD COLUMN note text",
        "TRUNCATE shop.orders",
    )
    assert [(each.kind, each.object, each.how) for each in facts.destroyed] == [
        ("column", "shop.customer.note", "dropped"),
        ("table", "shop.orders", "emptied"),
    ]
    assert (facts.rewritten, facts.indexes) == ((), ())
    dropped = measure("DROP TABLE shop.customer; DROP TABLE shop.orders CASCADE")
    assert [(each.object, each.how) for each in dropped.destroyed] == [
        ("shop.customer", "dropped"),
        ("shop.orders", "dropped"),
    ]
    (message,) = dropped.messages
    assert (message.message.level, message.step) == ("NOTICE", "0001_it.sql")
    assert message.message.text == "drop cascades to view shop.open"


def test_a_table_that_is_emptied_and_read_is_emptied(measure: Measure) -> None:
    text = "TRUNCATE shop.orders; ALTER TABLE shop.orders ADD CHECK (total > 0)"
    assert [each.how for each in measure(text).destroyed] == ["emptied"]
    clustered = measure("CLUSTER shop.orders USING orders_pkey")
    assert (clustered.destroyed, clustered.rewritten) == ((), ("shop.orders",))
    hidden = "DO $$ BEGIN TRUNCATE shop.orders; END $$"
    assert [each.how for each in measure(hidden).destroyed] == ["emptied"]


def test_of_a_partitioned_table_the_whole_is_told(
    measure_there: Measure, standing: LentConnection
) -> None:
    standing.execute(
        "CREATE TABLE shop.log (at date, said text) PARTITION BY RANGE (at);"
        "CREATE TABLE shop.log_1 PARTITION OF shop.log FOR VALUES FROM ('2001-01-01')"
        " TO ('2002-01-01')"
    )
    dropped = measure_there("ALTER TABLE shop.log DROP COLUMN said")
    assert [each.object for each in dropped.destroyed] == ["shop.log.said"]
    assert [each.object for each in measure_there("DROP TABLE shop.log").destroyed] == ["shop.log"]
    assert [each.object for each in measure_there("DROP TABLE shop.log_1").destroyed] == [
        "shop.log_1"
    ]


def test_who_may_do_what_with_which_rows(
    measure_there: Measure, standing: LentConnection, superuser: LentConnection
) -> None:
    superuser.execute("CREATE ROLE app; CREATE ROLE member IN ROLE app; CREATE ROLE outsider")
    standing.execute("GRANT USAGE ON SCHEMA shop TO app; GRANT SELECT ON shop.orders TO app")
    facts = measure_there(
        "GRANT INSERT ON shop.orders TO app; GRANT SELECT (name) ON shop.customer TO app",
        "GRANT SELECT ON shop.customer TO outsider",
    )
    assert {(e.role, e.relation, e.commands, e.before, e.after) for e in facts.access} == {
        ("app", "shop.orders", "INSERT", "", "all rows"),
        ("member", "shop.orders", "INSERT", "", "all rows"),
        ("app", "shop.customer", "SELECT", "", "all rows, columns name"),
        ("member", "shop.customer", "SELECT", "", "all rows, columns name"),
    }, "without USAGE on the schema a grant gives nothing"
    secured = measure_there(
        "ALTER TABLE shop.orders ENABLE ROW LEVEL SECURITY",
        "CREATE POLICY own ON shop.orders FOR SELECT TO app USING (id = 1)",
        "CREATE TABLE shop.item (id int); GRANT SELECT ON shop.item, shop.open TO app",
    )
    told = {(e.role, e.relation, e.before, e.after) for e in secured.access}
    assert ("member", "shop.orders", "all rows", "rows of policy own") in told
    assert ("app", "shop.open", "", "all that the view shows") in told
    assert ("app", "shop.item", "", "all rows") in told
    assert not [each for each in secured.access if each.role == "hk_migrator"]


def test_a_policy_that_says_something_else(
    measure_there: Measure, standing: LentConnection, superuser: LentConnection
) -> None:
    superuser.execute("CREATE ROLE app")
    standing.execute(
        "GRANT USAGE ON SCHEMA shop TO app; GRANT SELECT ON shop.orders TO app;"
        "ALTER TABLE shop.orders ENABLE ROW LEVEL SECURITY;"
        "CREATE POLICY own ON shop.orders TO app USING (id = 1)"
    )
    (change,) = measure_there("ALTER POLICY own ON shop.orders USING (true)").access
    assert change.before == "rows of policy own"
    assert change.after == "rows of policy own, which says something else now"
    (change,) = measure_there("DROP POLICY own ON shop.orders").access
    assert change.after == "no row: no policy lets it"


def test_what_no_transaction_holds_is_judged_by_its_text(
    standing: LentConnection,
) -> None:
    measurement = Measurement(
        segment=1, before=look_at(standing, "housekeeping"), history_schema="housekeeping"
    )
    for number, statement in enumerate(
        (
            "CREATE INDEX CONCURRENTLY x ON shop.orders (total)",
            "DROP INDEX CONCURRENTLY shop.orders_state",
            "VACUUM shop.customer",
        ),
        start=1,
    ):
        text = f"-- hk: transaction=none\n{statement};"
        file = sqlfile.from_text(f"{number:04}_it.sql", Kind.MIGRATION, text, "")
        step = Step(id=file.path, phase=Phase.REHEARSE, kind=Kind.REHEARSAL, path=file.path)
        measurement.applied(step, file, text, Applied(statements=1, rows=0, duration_s=0))
    schema = read_fingerprint(standing)
    change = SchemaChange(before=schema, after=schema)
    facts = measurement.facts(change, measurement.before, ())
    mode = "ShareUpdateExclusiveLock"
    assert [(lock.relation, lock.mode, lock.step) for lock in facts.locks] == [
        ("shop.orders", mode, "0001_it.sql"),
        ("shop.orders", mode, "0002_it.sql"),
    ]
    assert [(scan.relation, scan.count) for scan in facts.scans] == [("shop.orders", 2)]
    coverage = facts.coverage
    assert (coverage.measured, coverage.parsed, coverage.unjudged) == (0, 2, ("0003_it.sql",))
