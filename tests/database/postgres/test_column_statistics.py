"""Which columns a batch has left without planner statistics, found by comparing before and after.

What the server says to a superuser (``pg_statistic``) is the oracle of what it tells the owner.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

import psycopg
import pytest

from pytest_housekeeping.postgres import column_statistics
from pytest_housekeeping.postgres.column_statistics import (
    Lost,
    analyze_statement,
    lost_since,
    read_statistics,
    refresh,
)
from pytest_housekeeping.postgres.connection import Connection, LentConnection

LIMITS = "SET LOCAL lock_timeout = '200ms'; SET LOCAL statement_timeout = '5s'"
# An index expression alone is not in it: its index is another one then.
_KEYS = """
SELECT starelid::regclass::text, a.attname::text FROM pg_statistic AS s
JOIN pg_attribute AS a ON a.attrelid = starelid AND a.attnum = staattnum
JOIN pg_class AS c ON c.oid = starelid WHERE relnamespace = 'shop'::regnamespace
AND relkind <> 'i'
"""


@pytest.fixture
def shop(connection: LentConnection) -> Iterator[LentConnection]:
    """Tables with rows, analyzed: free, forced (whose owner is shown nothing), partitioned."""
    connection.execute(
        b"""
        CREATE SCHEMA shop;
        CREATE TABLE shop.free (a int, b varchar(10), c text, d int);
        CREATE TABLE shop.forced (a int, b varchar(10), c text, d int);
        CREATE TABLE shop."Odd Name" (a int, "B, c" varchar(10));
        CREATE TABLE shop.whole (a int, b varchar(10)) PARTITION BY RANGE (a);
        CREATE TABLE shop.low PARTITION OF shop.whole FOR VALUES FROM (0) TO (50);
        CREATE TABLE shop.high PARTITION OF shop.whole FOR VALUES FROM (50) TO (1000);
        INSERT INTO shop.free SELECT g, g % 7, g % 3, g FROM generate_series(1, 100) AS g;
        INSERT INTO shop.forced SELECT * FROM shop.free;
        INSERT INTO shop."Odd Name" SELECT a, b FROM shop.free;
        INSERT INTO shop.whole SELECT a, b FROM shop.free;
        CREATE INDEX free_lower ON shop.free (lower(b));
        ALTER TABLE shop.forced ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
        ANALYZE shop.free, shop.forced, shop."Odd Name", shop.whole;
        """
    )
    yield connection
    connection.execute("DROP SCHEMA shop CASCADE")


def lost_to(
    connection: LentConnection, batch: str, among: Collection[str] | None = None
) -> list[str]:
    """The statements that would bring back what a batch has thrown away."""
    before = read_statistics(connection, among=among)
    connection.execute(f"BEGIN; {batch}; COMMIT".encode())
    lost = lost_since(connection, before, read_statistics(connection, before))
    return [analyze_statement(each) for each in lost]


@pytest.mark.parametrize(
    ("batch", "statements"),
    [
        # Any change of a type, a widening that writes no row as well, and one to the same type.
        ("ALTER TABLE shop.free ALTER b TYPE varchar(20)", ["ANALYZE shop.free"]),
        ("ALTER TABLE shop.free ALTER c TYPE varchar(20)", ["ANALYZE shop.free (c)"]),
        ("ALTER TABLE shop.free ALTER c TYPE text USING upper(c)", ["ANALYZE shop.free (c)"]),
        (
            "ALTER TABLE shop.free ALTER a TYPE bigint, ALTER d TYPE text",
            ["ANALYZE shop.free (a, d)"],
        ),
        ("ALTER TABLE shop.free ALTER c TYPE bytea USING 'x'", ["ANALYZE shop.free (c)"]),
        (
            'ALTER TABLE shop."Odd Name" ALTER "B, c" TYPE text',
            ['ANALYZE shop."Odd Name" ("B, c")'],
        ),
        # By another name, in another schema, in a table that is called otherwise.
        (
            "ALTER TABLE shop.free ALTER c TYPE varchar(9); ALTER TABLE shop.free RENAME c TO z",
            ["ANALYZE shop.free (z)"],
        ),
        (
            "ALTER TABLE shop.free ALTER c TYPE varchar(9); ALTER TABLE shop.free RENAME TO f",
            ["ANALYZE shop.f (c)"],
        ),
        # Another column, another table in the place of what had some.
        (
            "ALTER TABLE shop.free RENAME c TO old; ALTER TABLE shop.free ADD c text DEFAULT 'x'",
            ["ANALYZE shop.free (c)"],
        ),
        (
            """CREATE TABLE shop.new AS TABLE shop.free; DROP TABLE shop.free;
            ALTER TABLE shop.new RENAME TO free""",
            ["ANALYZE shop.free"],
        ),
        # What only a whole ANALYZE fills.
        ("CREATE INDEX ON shop.free (upper(c))", ["ANALYZE shop.free"]),
        ("CREATE INDEX ON shop.forced ((a + d))", ["ANALYZE shop.forced"]),
        ("CREATE STATISTICS shop.s ON a, d FROM shop.free", ["ANALYZE shop.free"]),
        # Of a partitioned table, ANALYZE goes down; of a partition alone it does not go up.
        ("ALTER TABLE shop.whole ALTER b TYPE text", ["ANALYZE shop.whole (b)"]),
        ("CREATE INDEX ON shop.low ((a + 1))", ["ANALYZE shop.low"]),
        ("CREATE INDEX ON shop.whole ((a + 1))", ["ANALYZE shop.whole"]),
        # The owner is shown nothing of it.
        ("ALTER TABLE shop.forced ALTER c TYPE varchar(20)", ["ANALYZE shop.forced (c)"]),
        ("ALTER TABLE shop.forced ALTER c TYPE text USING upper(c)", ["ANALYZE shop.forced (c)"]),
        (
            """ALTER TABLE shop.free ALTER c TYPE varchar(9);
            ALTER TABLE shop.free ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY""",
            ["ANALYZE shop.free (c)"],
        ),
        (
            """ALTER TABLE shop.forced NO FORCE ROW LEVEL SECURITY;
            ALTER TABLE shop.forced ALTER c TYPE varchar(9)""",
            ["ANALYZE shop.forced (c)"],
        ),
        # What else writes a column's row cannot be told from it, and ANALYZE does no harm.
        (
            "ALTER TABLE shop.forced ALTER c TYPE varchar(9), ALTER d SET NOT NULL",
            ["ANALYZE shop.forced (c, d)"],
        ),
        # In a subtransaction, whose rows bear another id.
        (
            """DO $$BEGIN BEGIN ALTER TABLE shop.forced ALTER c TYPE varchar(9);
            EXCEPTION WHEN others THEN RAISE; END; END$$""",
            ["ANALYZE shop.forced (c)"],
        ),
        # Nothing is lost.
        ("ALTER TABLE shop.free ADD e int DEFAULT 1", []),
        ("ALTER TABLE shop.free ADD e uuid DEFAULT gen_random_uuid()", []),
        ("ALTER TABLE shop.forced ADD e int DEFAULT 1", []),
        ("ALTER TABLE shop.free DROP c", []),
        ("ALTER TABLE shop.free ALTER c SET NOT NULL, ALTER d SET DEFAULT 1", []),
        ("ALTER TABLE shop.free RENAME c TO z; ALTER TABLE shop.free RENAME TO f", []),
        ("ALTER TABLE shop.free ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY", []),
        ("ALTER TABLE shop.forced NO FORCE ROW LEVEL SECURITY", []),
        ("CREATE INDEX ON shop.free (c); DELETE FROM shop.free; TRUNCATE shop.forced", []),
        ("CREATE TABLE shop.fresh (a int); CREATE INDEX ON shop.fresh ((a + 1))", []),
        ("DROP TABLE shop.free, shop.forced, shop.whole", []),
        ("SELECT 1", []),
    ],
)
def test_what_a_batch_throws_away(
    shop: LentConnection, superuser: Connection, batch: str, statements: list[str]
) -> None:
    before = set(superuser.execute(_KEYS).fetchall())
    assert lost_to(shop, batch) == statements
    gone = before - set(superuser.execute(_KEYS).fetchall())
    there = {
        tuple(row)
        for row in superuser.execute(
            "SELECT c.oid::regclass::text, attname::text FROM pg_class AS c JOIN pg_attribute"
            " ON attrelid = c.oid WHERE relnamespace = 'shop'::regnamespace AND NOT attisdropped"
        ).fetchall()
    }
    for statement in statements:
        shop.execute(statement.encode())
    # Whatever the catalog itself misses, and still stands, is there again.
    assert (gone & there) - set(superuser.execute(_KEYS).fetchall()) == set()


def test_what_nobody_ever_analyzed_has_lost_nothing(connection: LentConnection) -> None:
    connection.execute("CREATE TABLE t (a int, b text); INSERT INTO t VALUES (1, 'x')")
    assert lost_to(connection, "ALTER TABLE t ALTER b TYPE varchar(9)") == []


def test_where_no_column_was_altered_the_server_is_asked_before_alone(
    shop: LentConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(column_statistics, "_OF_SOME", "SELECT")
    assert lost_to(shop, "ALTER TABLE shop.free ADD e int; CREATE TABLE shop.more (a int)") == []
    with pytest.raises(psycopg.ProgrammingError, match="placeholders"):
        lost_to(shop, "ALTER TABLE shop.free ALTER d SET STATISTICS 7")


def test_where_it_is_known_what_a_batch_touches_nothing_else_is_asked_for(
    shop: LentConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it touches all the same counts, with statistics or without."""
    monkeypatch.setattr(column_statistics, "_OF_EACH", "")
    touched = ["shop.free", 'shop."Odd Name"']
    told = read_statistics(shop, among=touched).relations.values()
    assert {each.name for each in told if each.told} == {("shop", "free"), ("shop", "Odd Name")}
    batch = "CREATE TABLE shop.new (a int); ALTER TABLE shop.free ALTER {} TYPE varchar(9)"
    assert lost_to(shop, batch.format("c"), touched) == ["ANALYZE shop.free (c)"]
    shop.execute("DROP TABLE shop.new")
    lost = lost_to(shop, batch.format("d") + "; ALTER TABLE shop.low ALTER b SET NOT NULL", touched)
    assert lost == ["ANALYZE shop.free (d)"]
    assert lost_to(shop, "ALTER TABLE shop.free ALTER a TYPE text", []) == ["ANALYZE shop.free (a)"]


def test_it_is_analyzed_within_the_limits(shop: LentConnection, superuser: Connection) -> None:
    lost = Lost(schema="shop", table="free", columns=("a",))
    assert refresh(shop, lost, LIMITS) == ""
    superuser.execute("BEGIN; LOCK TABLE shop.free IN SHARE UPDATE EXCLUSIVE MODE")
    assert refresh(shop, lost, LIMITS) == "canceling statement due to lock timeout"
    superuser.execute("ROLLBACK")
    # The limits are those of its own transaction, which has ended.
    assert shop.execute("SHOW lock_timeout").fetchone() == ("0",)
    slow = (
        "CREATE FUNCTION shop.slow(a int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS"
        " $$BEGIN PERFORM pg_sleep(0.3); RETURN a; END$$; TRUNCATE shop.free;"
        " CREATE INDEX ON shop.free (shop.slow(a)); INSERT INTO shop.free VALUES (1)"
    )
    shop.execute(slow.encode())
    soon = "SET LOCAL statement_timeout = '50ms'"
    said = refresh(shop, Lost(schema="shop", table="free"), soon)
    assert said == "canceling statement due to statement timeout"


def test_what_the_role_may_not_analyze_is_said(shop: LentConnection, superuser: Connection) -> None:
    """PostgreSQL takes it for no error, and skips it."""
    database, user = shop.info.dbname, shop.info.user
    superuser.execute("ALTER TABLE shop.free OWNER TO postgres")
    # Who owns the database may analyze all of it.
    superuser.execute(f'ALTER DATABASE "{database}" OWNER TO postgres'.encode())
    said = refresh(shop, Lost(schema="shop", table="free", columns=("a",)), LIMITS)
    superuser.execute(f'ALTER DATABASE "{database}" OWNER TO "{user}"'.encode())
    assert said == 'permission denied to analyze "free", skipping it'
    gone = Lost(schema="shop", table="gone")
    assert refresh(shop, gone, LIMITS) == 'relation "shop.gone" does not exist'
    assert shop.execute("SELECT 1").fetchone() == (1,)
