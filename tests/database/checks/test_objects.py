"""Declared objects and verification queries, on a real database and its uncommitted schema."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from pytest_housekeeping.checks.catalog import read_catalog
from pytest_housekeeping.checks.objects import undeclared, verify_object
from pytest_housekeeping.checks.queries import verify_query
from pytest_housekeeping.declarations.objects import Objects, parse
from pytest_housekeeping.errors import RuleBroken
from pytest_housekeeping.model import Finding, Level, Verdict
from pytest_housekeeping.postgres.connection import Connection

SCHEMA = """
CREATE SCHEMA shop;
CREATE TYPE shop.status AS ENUM ('open', 'paid');
CREATE DOMAIN shop.email AS varchar(50) NOT NULL CHECK (value LIKE '%@%');
CREATE TABLE shop.orders (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    total numeric(12, 2) NOT NULL DEFAULT 0,
    code varchar(10),
    state shop.status,
    mail shop.email,
    tags text[],
    stamp timestamptz(3),
    "Odd Name" int
);
CREATE INDEX orders_state_idx ON shop.orders (state);
CREATE VIEW shop.open_orders AS SELECT id, total FROM shop.orders WHERE state = 'open';
CREATE VIEW shop.more_orders AS SELECT id FROM shop.open_orders;
CREATE FUNCTION shop.total(bigint, numeric) RETURNS bigint LANGUAGE sql RETURN 1;
CREATE FUNCTION shop.touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
CREATE TRIGGER orders_touch BEFORE UPDATE ON shop.orders
FOR EACH ROW EXECUTE FUNCTION shop.touch();
CREATE TABLE shop.events (id bigint, at date) PARTITION BY RANGE (at);
CREATE TABLE shop.events_2026 PARTITION OF shop.events
FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
"""
COLUMNS = {
    "id": "int8",
    "total": "decimal(12,2)",
    "code": "character varying(10)",
    "state": "shop.status",
    "mail": "shop.email",
    "tags": "text[]",
    "stamp": "timestamp(3) with time zone",
    "Odd Name": "integer",
}


@pytest.fixture
def shop(connection: Connection) -> Iterator[Connection]:
    """An open transaction that holds the schema above, uncommitted."""
    connection.execute("BEGIN")
    connection.execute(SCHEMA.encode())
    yield connection
    connection.execute("ROLLBACK")


def table(**changes: str | None) -> Objects:
    columns = {name: type_ for name, type_ in (COLUMNS | changes).items() if type_ is not None}
    inside = ", ".join(f"'{name}' = '{type_}'" for name, type_ in columns.items())
    return parse(f"[tables]\n'shop.orders' = {{ {inside} }}", path="objects.toml")


def verify(connection: Connection, objects: Objects | str) -> Verdict:
    """The verdict on the first declared object."""
    if isinstance(objects, str):
        objects = parse(objects, path="objects.toml")
    return verify_object(read_catalog(connection, objects), objects.declared[0])


def only(verdict: Verdict) -> Finding:
    (finding,) = verdict.findings
    assert finding.level is Level.ERROR
    assert finding.fix
    assert not verdict.passed
    return finding


def test_a_table_passes_whatever_the_types_are_called(shop: Connection) -> None:
    verdict = verify(shop, table())
    assert verdict.findings == ()
    assert verdict.passed
    assert verdict.examined == 1 + len(COLUMNS)


@pytest.mark.parametrize(
    "text",
    [
        "schemas = ['shop']",
        "views = ['shop.open_orders']",
        "views = ['SHOP.Open_Orders']",
        "functions = ['shop.total(bigint,numeric)']",
        "functions = ['shop.total(int8, decimal)']",
        "indexes = ['shop.orders_state_idx']",
        "indexes = ['shop.orders_pkey']",
        "triggers = ['shop.orders.orders_touch']",
        "[tables]\n'shop.events' = { id = 'bigint', at = 'date' }",
        "roles = ['hk_migrator']",
    ],
)
def test_what_exists_passes(shop: Connection, text: str) -> None:
    if text.startswith("roles"):
        text = f"roles = ['{shop.info.user}']"
    verdict = verify(shop, text)
    assert verdict.findings == ()
    assert verdict.examined >= 1


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("schemas = ['shopp']", "did you mean shop?"),
        ("roles = ['nobody_at_all']", "the role does not exist"),
        ("views = ['shop.open_order']", "did you mean shop.open_orders?"),
        ("functions = ['shop.total(bigint)']", "there is shop.total(bigint,numeric)"),
        ("functions = ['shop.touched()']", "did you mean shop.touch()?"),
        ("functions = ['shop.total(nothing)']", "there is shop.total(bigint,numeric)"),
        ("indexes = ['shop.orders_status_idx']", "did you mean shop.orders_state_idx?"),
        ("triggers = ['shop.orders.order_touch']", "did you mean shop.orders.orders_touch?"),
        ("[tables]\n'shop.order' = { id = 'int' }", "did you mean shop.orders?"),
    ],
)
def test_what_is_missing_is_told_with_the_nearest_name(
    shop: Connection, text: str, hint: str
) -> None:
    finding = only(verify(shop, text))
    assert finding.rule == "object-missing"
    assert hint in finding.detail


def test_a_missing_table_comes_with_the_statement_that_makes_it(shop: Connection) -> None:
    finding = only(verify(shop, "[tables]\n'shop.lines' = { id = 'bigint', 'A b' = 'text' }"))
    assert 'CREATE TABLE shop.lines (id bigint, "A b" text);' in finding.fix


def test_a_missing_column(shop: Connection) -> None:
    finding = only(verify(shop, table(note="text")))
    assert (finding.rule, finding.object) == ("column-missing", "shop.orders.note")
    assert "ALTER TABLE shop.orders ADD COLUMN note text;" in finding.fix


def test_an_undeclared_column(shop: Connection) -> None:
    finding = only(verify(shop, table(code=None)))
    assert (finding.rule, finding.object) == ("column-undeclared", "shop.orders.code")
    assert 'code = "character varying(10)"' in finding.fix


@pytest.mark.parametrize(
    ("column", "declared", "actual"),
    [
        ("total", "numeric(12,3)", "numeric(12,2)"),
        ("total", "numeric", "numeric(12,2)"),
        ("code", "varchar", "character varying(10)"),
        ("code", "varchar(11)", "character varying(10)"),
        ("id", "integer", "bigint"),
        ("mail", "varchar(50)", "shop.email"),
        ("tags", "text", "text[]"),
        ("stamp", "timestamptz", "timestamp(3) with time zone"),
        ("stamp", "timestamp(3)", "timestamp(3) with time zone"),
    ],
)
def test_another_type(shop: Connection, column: str, declared: str, actual: str) -> None:
    finding = only(verify(shop, table(**{column: declared})))
    assert finding.rule == "column-type"
    assert finding.detail.endswith(f"but it is {actual}")


@pytest.mark.parametrize(
    ("declared", "told"),
    [
        ("bigserial", "declare 'bigint'"),
        ("nonsense", "knows no type|does not exist"),
        ("status", "knows no type|does not exist"),
        ("nowhere.status", "knows no type|does not exist"),
        ("numeric(99999)", "must be between"),
        ("int; DROP TABLE shop.orders", "not how a type is written"),
        ("int FROM shop.orders", "not how a type is written"),
        ("int AS x", "not how a type is written"),
        ("int + 1", "not how a type is written"),
        ("int --", "not how a type is written"),
        ("int, 2", "not how a type is written"),
        ("int)", "not how a type is written"),
        ("trigger", "trigger"),
    ],
)
def test_a_type_that_means_nothing(shop: Connection, declared: str, told: str) -> None:
    finding = only(verify(shop, table(id=declared)))
    assert (finding.rule, finding.object) == ("type-unknown", "shop.orders.id")
    assert re.search(told, f"{finding.detail} {finding.fix}")


def test_one_type_that_means_nothing_spoils_no_other(shop: Connection) -> None:
    objects = table(id="nonsense", total="numeric(99999)")
    rules = [finding.rule for finding in verify(shop, objects).findings]
    assert rules == ["type-unknown", "type-unknown"]


@pytest.mark.parametrize(
    ("text", "actual"),
    [
        ("[tables]\n'shop.open_orders' = { id = 'bigint' }", "view"),
        ("views = ['shop.orders']", "table"),
        ("indexes = ['shop.orders']", "table"),
        ("views = ['shop.orders_id_seq']", "sequence"),
    ],
)
def test_another_kind(shop: Connection, text: str, actual: str) -> None:
    finding = only(verify(shop, text))
    assert finding.rule == "object-kind"
    assert finding.detail.endswith(f"it is a {actual}")


GUARDED = """
CREATE TABLE shop.guarded (id int PRIMARY KEY, order_id bigint, price int);
CREATE INDEX guarded_price ON shop.guarded (price);
ALTER TABLE shop.guarded ADD CONSTRAINT positive CHECK (price > 0);
ALTER TABLE shop.guarded ADD CONSTRAINT parent
    FOREIGN KEY (order_id) REFERENCES shop.guarded_parent (id);
CREATE TRIGGER looks BEFORE UPDATE ON shop.guarded
    FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger();
"""
TABLE = "[tables]\n'shop.guarded' = { id = 'int', order_id = 'bigint', price = 'int' }\n"


@pytest.fixture
def guarded(superuser: Connection) -> Iterator[Connection]:
    """A table with everything in force; a superuser may switch off what its owner may not."""
    superuser.execute("BEGIN; CREATE SCHEMA shop")
    superuser.execute("CREATE TABLE shop.guarded_parent (id bigint PRIMARY KEY)")
    superuser.execute(GUARDED.encode())
    yield superuser
    superuser.execute("ROLLBACK")


INVALID = "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'shop.guarded_price'::regclass"
UNREADY = INVALID.replace("indisvalid", "indisready")
WAITING = "ALTER TABLE shop.guarded DROP CONSTRAINT positive, ADD CONSTRAINT positive"
WAITING += " CHECK (price > 0) NOT VALID"
KEY_WAITS = "ALTER TABLE shop.guarded DROP CONSTRAINT parent, ADD CONSTRAINT parent"
KEY_WAITS += " FOREIGN KEY (order_id) REFERENCES shop.guarded_parent (id) NOT VALID"


@pytest.mark.parametrize(
    ("change", "declared", "rule", "name"),
    [
        (INVALID, TABLE, "index-invalid", "shop.guarded_price"),
        (UNREADY, TABLE, "index-invalid", "shop.guarded_price"),
        (INVALID, "indexes = ['shop.guarded_price']", "index-invalid", "shop.guarded_price"),
        (WAITING, TABLE, "constraint-not-valid", "shop.guarded.positive"),
        (KEY_WAITS, TABLE, "constraint-not-valid", "shop.guarded.parent"),
        (
            "ALTER TABLE shop.guarded DISABLE TRIGGER looks",
            TABLE,
            "trigger-disabled",
            "shop.guarded.looks",
        ),
        (
            "ALTER TABLE shop.guarded DISABLE TRIGGER USER",
            "triggers = ['shop.guarded.looks']",
            "trigger-disabled",
            "shop.guarded.looks",
        ),
        (
            "ALTER TABLE shop.guarded ENABLE REPLICA TRIGGER looks",
            TABLE,
            "trigger-disabled",
            "shop.guarded.looks",
        ),
        (
            (
                "UPDATE pg_trigger SET tgenabled = 'D' WHERE tgisinternal AND tgconstraint ="
                " (SELECT oid FROM pg_constraint WHERE conname = 'parent')"
                " AND tgrelid = 'shop.guarded'::regclass"
            ),
            TABLE,
            "foreign-key-disabled",
            "shop.guarded.parent",
        ),
    ],
)
def test_what_is_there_and_does_no_work_does_not_pass(
    guarded: Connection, change: str, declared: str, rule: str, name: str
) -> None:
    assert verify(guarded, declared).findings == ()
    guarded.execute(change.encode())
    finding = only(verify(guarded, declared))
    assert (finding.rule, finding.object) == (rule, name)


@pytest.mark.parametrize(
    "harmless",
    [
        "ALTER TABLE shop.guarded ENABLE ALWAYS TRIGGER looks",
        "CREATE UNIQUE INDEX more ON shop.guarded (price) WHERE price > 3",
        "ALTER TABLE shop.guarded ADD CONSTRAINT d UNIQUE (price) DEFERRABLE INITIALLY DEFERRED",
    ],
)
def test_what_works_in_another_way_passes(guarded: Connection, harmless: str) -> None:
    guarded.execute(harmless.encode())
    assert verify(guarded, TABLE).findings == ()


def test_a_constraint_may_wait_for_its_validation_where_that_is_declared(
    guarded: Connection,
) -> None:
    declared = "not_valid = ['shop.guarded.positive']\n" + TABLE
    (finding,) = [
        each
        for one in parse(declared, path="objects.toml").declared
        for each in verify_object(
            read_catalog(guarded, parse(declared, path="objects.toml")), one
        ).findings
    ]
    assert (finding.rule, finding.object) == ("object-not-waiting", "shop.guarded.positive")
    guarded.execute(WAITING.encode())
    objects = parse(declared, path="objects.toml")
    catalog = read_catalog(guarded, objects)
    assert [verify_object(catalog, one).findings for one in objects.declared] == [(), ()]


def test_undeclared_extras_are_noticed(shop: Connection) -> None:
    objects = parse("schemas = ['shop']\nviews = ['shop.open_orders']", path="objects.toml")
    findings = undeclared(read_catalog(shop, objects), objects)
    assert {finding.level for finding in findings} == {Level.NOTICE}
    assert {finding.object for finding in findings} == {
        "shop.orders",
        "shop.events",
        "shop.more_orders",
        "shop.orders_state_idx",
        "shop.total(bigint,numeric)",
        "shop.touch()",
        "shop.orders.orders_touch",
    }


def test_nothing_is_noticed_outside_the_declared_schemas(shop: Connection) -> None:
    objects = parse("schemas = ['other']", path="objects.toml")
    assert undeclared(read_catalog(shop, objects), objects) == ()


def test_reading_the_catalog_leaves_the_session_as_it_was(shop: Connection) -> None:
    shop.execute("SET LOCAL search_path = shop")
    read_catalog(shop, table(id="nonsense"))
    assert shop.execute("SHOW search_path").fetchone() == ("shop",)


def test_the_number_of_queries_does_not_grow_with_the_tables(shop: Connection) -> None:
    def queries(text: str) -> int:
        counted = 0
        original = shop.execute

        def count(*args: Any, **options: Any) -> Any:
            nonlocal counted
            counted += 1
            return original(*args, **options)

        shop.execute = count  # type: ignore[method-assign]
        try:
            read_catalog(shop, parse(text, path="objects.toml"))
        finally:
            del shop.execute
        return counted

    one = "[tables]\n'shop.t0' = { id = 'int' }"
    many = one + "".join(f"\n'shop.t{n}' = {{ id = 'numeric({n})' }}" for n in range(1, 50))
    assert queries(one) == queries(many)


def query(connection: Connection, text: str) -> Verdict:
    return verify_query(connection, "checks/queries/q.sql", text)


def test_a_query_without_rows_passes_and_says_what_it_read(shop: Connection) -> None:
    verdict = query(shop, "-- no negative total\nSELECT id FROM shop.orders WHERE total < 0;\n")
    assert verdict.passed
    assert verdict.evidence == ("shop.orders",)
    assert verdict.unit == "relations"


def test_rows_are_findings(shop: Connection) -> None:
    shop.execute("INSERT INTO shop.orders (total, mail) VALUES (-1, 'a@b'), (-2, 'c@d')")
    text = "-- No total\n-- is negative.\nSELECT total, code FROM shop.orders ORDER BY total DESC"
    first, second = query(shop, text).errors
    assert first.detail == "row 1 of 2: total=-1.00, code=NULL"
    assert second.detail == "row 2 of 2: total=-2.00, code=NULL"
    assert first.fix == "No total is negative."
    assert first.object == "checks/queries/q.sql"


def test_of_many_rows_twenty_are_shown_and_all_are_counted(shop: Connection) -> None:
    text = "SELECT n, n FROM pg_catalog.pg_am, generate_series(1, 1000) AS n WHERE amname = 'heap'"
    verdict = query(shop, text)
    assert len(verdict.errors) == 20
    assert verdict.errors[19].detail == "row 20 of 1000: n=20, n=20"
    assert verdict.findings[20].detail == "1000 rows in all, the first 20 are shown"


def test_values_that_python_cannot_hold_are_shown(shop: Connection) -> None:
    text = "SELECT 'infinity'::timestamp AS t, interval '1 month' FROM pg_catalog.pg_class LIMIT 1"
    (finding,) = query(shop, text).errors
    assert "t=infinity" in finding.detail


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("SELECT FROM WHERE", r"q\.sql:1:13: syntax error"),
        ("", "holds 0 statements"),
        ("-- only words", "holds 0 statements"),
        ("SELECT 1; SELECT 2", "holds 2 statements"),
        ("DELETE FROM shop.orders", "not a query that only reads"),
        ("SELECT 1 AS x INTO shop.copy", "not a query that only reads"),
        ("COMMIT", "not a query that only reads"),
        ("SELECT *\nFROM shop.nothing", r"q\.sql:2:6: .*does not exist \(SQLSTATE 42P01\)"),
        ("SELECT 1 / 0 FROM pg_catalog.pg_class", r"division by zero \(SQLSTATE 22012\)"),
        ("WITH gone AS (DELETE FROM shop.orders RETURNING 1) SELECT * FROM gone", "DECLARE CURSOR"),
        ("SELECT nextval('shop.orders_id_seq') FROM shop.orders, pg_catalog.pg_class", "25006"),
    ],
)
def test_a_query_that_cannot_run_is_broken(shop: Connection, text: str, told: str) -> None:
    shop.execute("INSERT INTO shop.orders (mail) VALUES ('a@b')")
    with pytest.raises(RuleBroken, match=told) as caught:
        query(shop, text)
    assert caught.value.why
    assert caught.value.fix
    assert shop.execute("SELECT count(*) FROM shop.orders").fetchone() == (1,)


def test_a_query_that_writes_through_a_function_is_broken(shop: Connection) -> None:
    shop.execute(
        "CREATE FUNCTION shop.sneak() RETURNS bigint LANGUAGE sql"
        " AS $$ INSERT INTO shop.orders (mail) VALUES ('a@b') RETURNING id $$"
    )
    with pytest.raises(RuleBroken, match=r"SQLSTATE 25006") as caught:
        query(shop, "SELECT shop.sneak() FROM pg_catalog.pg_class")
    assert "writes" in caught.value.why
    with pytest.raises(RuleBroken):
        query(
            shop,
            "SELECT set_config('transaction_read_only', 'off', true), shop.sneak()"
            " FROM pg_catalog.pg_class",
        )
    assert shop.execute("SELECT count(*) FROM shop.orders").fetchone() == (0,)


def test_the_transaction_may_write_again_afterwards(shop: Connection) -> None:
    query(shop, "SELECT id FROM shop.orders")
    assert shop.execute("SHOW transaction_read_only").fetchone() == ("off",)
    shop.execute("INSERT INTO shop.orders (mail) VALUES ('a@b')")


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 1 WHERE false",
        "VALUES (1) LIMIT 0",
        "WITH orders AS (SELECT 1 AS id) SELECT id FROM orders WHERE id > 1",
        "WITH RECURSIVE n AS (SELECT 1 AS i UNION SELECT i + 1 FROM n) SELECT i FROM n LIMIT 0",
        "SELECT n FROM generate_series(1, 0) AS n",
    ],
)
def test_a_query_that_reads_no_relation_does_not_pass(shop: Connection, text: str) -> None:
    verdict = query(shop, text)
    assert verdict.examined == 0
    assert not verdict.passed
    assert [finding.rule for finding in verdict.errors] == ["query-examines-nothing"]


@pytest.mark.parametrize(
    ("text", "read"),
    [
        (
            "SELECT id FROM shop.more_orders",
            ("shop.more_orders", "shop.open_orders", "shop.orders"),
        ),
        ("WITH orders AS (SELECT id FROM shop.orders) SELECT id FROM orders", ("shop.orders",)),
        ("SELECT 1 WHERE EXISTS (SELECT FROM shop.orders)", ("shop.orders",)),
        (
            "SELECT at FROM shop.events UNION ALL SELECT NULL FROM shop.orders",
            ("shop.events", "shop.orders"),
        ),
        ("TABLE shop.events", ("shop.events",)),
    ],
)
def test_relations_are_found_wherever_they_stand(
    shop: Connection, text: str, read: tuple[str, ...]
) -> None:
    verdict = query(shop, text)
    assert verdict.evidence == read
    assert verdict.passed


def protect(connection: Connection, *, force: bool = True) -> None:
    connection.execute("ALTER TABLE shop.orders ENABLE ROW LEVEL SECURITY")
    if force:
        connection.execute("ALTER TABLE shop.orders FORCE ROW LEVEL SECURITY")


@pytest.mark.parametrize("relation", ["shop.orders", "shop.open_orders", "shop.more_orders"])
def test_a_query_that_row_security_blinds_does_not_pass(shop: Connection, relation: str) -> None:
    shop.execute("INSERT INTO shop.orders (total, state, mail) VALUES (-1, 'open', 'a@b')")
    text = f"SELECT id FROM {relation}"
    assert not query(shop, text).passed
    protect(shop)
    (finding,) = query(shop, text).errors
    assert (finding.rule, finding.object) == ("query-blind", "shop.orders")
    assert "hk_role" in finding.fix


def test_the_owner_sees_a_table_that_is_not_forced(shop: Connection) -> None:
    protect(shop, force=False)
    assert query(shop, "SELECT id FROM shop.orders").passed
    assert query(shop, "SELECT id FROM shop.more_orders").passed


def test_a_superuser_is_not_blinded_but_behind_a_view_its_owner_is(
    superuser: Connection, shop: Connection
) -> None:
    protect(shop)
    shop.execute("CREATE VIEW shop.mine WITH (security_invoker) AS SELECT id FROM shop.orders")
    shop.execute("COMMIT")
    superuser.execute("BEGIN")
    assert query(superuser, "SELECT id FROM shop.orders").passed
    assert query(superuser, "SELECT id FROM shop.mine").passed
    assert not query(superuser, "SELECT id FROM shop.open_orders").passed
    superuser.execute("ROLLBACK")
    shop.execute("BEGIN")
    assert not query(shop, "SELECT id FROM shop.mine").passed
