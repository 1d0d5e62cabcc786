"""Venture as its application meets it: tenants are strangers, and the money adds up.

Each test makes the rows it needs and leaves none, so it says the same on an empty production
database as on the seeds. Two tenants act in one block, because what a block wrote is undone at
its end.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import errors, sql

Connection = psycopg.Connection[tuple[Any, ...]]
Role = Callable[..., AbstractContextManager[Connection]]

SEEDED = {
    "Alpine Outfitters": "11111111-1111-4111-8111-111111111111",
    "Harbour Books": "22222222-2222-4222-8222-222222222222",
    "Meadow Coffee": "33333333-3333-4333-8333-333333333333",
}
OWNED = (
    "customer",
    "product",
    "orders",
    "order_line",
    "invoice",
    "payment",
    "event",
    "open_orders",
    "customer_balance",
    "monthly_revenue",
)


@pytest.mark.parametrize("relation", OWNED)
def test_each_tenant_sees_its_own_rows_and_no_others(hk_role: Role, relation: str) -> None:
    ours, theirs = uuid4(), uuid4()
    with hk_role("venture_app") as connection:
        for tenant in (theirs, ours):
            trade(connection, tenant)
        for tenant in (theirs, ours):
            enter(connection, tenant)
            assert owners(connection, relation) == {tenant}
        enter(connection, None)
        assert owners(connection, relation) == set()


def test_a_tenant_writes_nothing_for_another(hk_role: Role) -> None:
    ours, theirs = uuid4(), uuid4()
    with hk_role("venture_app") as connection:
        for tenant in (theirs, ours):
            trade(connection, tenant)
        with pytest.raises(errors.InsufficientPrivilege), connection.transaction():
            connection.execute(
                "INSERT INTO venture.product (tenant_id, sku, name, unit_price)"
                " VALUES (%s, 'GIFT', 'Wooden horse', 0)",
                [theirs],
            )
        with pytest.raises(errors.InsufficientPrivilege), connection.transaction():
            connection.execute("UPDATE venture.product SET tenant_id = %s", [theirs])
        changed = connection.execute(
            "UPDATE venture.product SET name = 'Ours now' WHERE tenant_id = %s", [theirs]
        )
        assert changed.rowcount == 0


def test_an_order_cannot_name_the_customer_of_another_tenant(hk_role: Role) -> None:
    with hk_role("venture_app") as connection:
        trade(connection, uuid4())
        stranger = value(connection, "SELECT id FROM venture.customer")
        trade(connection, uuid4())
        with pytest.raises(errors.ForeignKeyViolation), connection.transaction():
            connection.execute(
                "INSERT INTO venture.orders (customer_id, number) VALUES (%s, 'X-9')", [stranger]
            )


@pytest.mark.parametrize("tenant", SEEDED.values(), ids=SEEDED)
def test_money_adds_up(hk_role: Role, hk_mode: str, tenant: str) -> None:
    with hk_role("venture_app", tenant_id=tenant) as connection:
        if hk_mode == "staging":
            assert value(connection, "SELECT count(*) FROM venture.payment") > 0
        differing = connection.execute(
            "SELECT number, total, venture.order_total(id) FROM venture.orders"
            " WHERE total <> venture.order_total(id)"
        ).fetchall()
        assert differing == []
        owed = value(connection, "SELECT coalesce(sum(balance), 0) FROM venture.customer_balance")
        invoiced = value(connection, "SELECT coalesce(sum(amount), 0) FROM venture.invoice")
        paid = value(connection, "SELECT coalesce(sum(amount), 0) FROM venture.payment")
        received = value(
            connection, "SELECT coalesce(sum(revenue), 0) FROM venture.monthly_revenue"
        )
        assert owed == invoiced - paid
        assert received == paid


def test_the_total_follows_the_lines(hk_role: Role) -> None:
    with hk_role("venture_app") as connection:
        order = trade(connection, uuid4())
        total = "SELECT total FROM venture.orders WHERE id = %s"
        assert value(connection, total, order) == Decimal("50.00")
        connection.execute("UPDATE venture.order_line SET quantity = quantity + 1")
        assert value(connection, total, order) == Decimal("79.50")
        connection.execute("DELETE FROM venture.order_line WHERE quantity = 2")
        assert value(connection, total, order) == Decimal("61.50")
        assert value(connection, "SELECT venture.order_total(%s)", order) == Decimal("61.50")


def test_an_order_is_placed_and_invoiced_once(hk_role: Role) -> None:
    with hk_role("venture_app") as connection:
        order = trade(connection, uuid4(), finished=False)
        connection.execute("SELECT venture.place_order(%s)", [order])
        connection.execute("SELECT venture.issue_invoice(%s)", [order])
        assert value(connection, "SELECT amount FROM venture.invoice") == Decimal("50.00")
        assert value(connection, "SELECT kind FROM venture.event") == "order.placed"
        with pytest.raises(errors.CheckViolation), connection.transaction():
            connection.execute("SELECT venture.place_order(%s)", [order])
        with pytest.raises(errors.UniqueViolation), connection.transaction():
            connection.execute("SELECT venture.issue_invoice(%s)", [order])


def test_an_order_without_lines_is_not_placed(hk_role: Role) -> None:
    with hk_role("venture_app") as connection:
        order = trade(connection, uuid4(), finished=False)
        connection.execute("DELETE FROM venture.order_line")
        with pytest.raises(errors.CheckViolation), connection.transaction():
            connection.execute("SELECT venture.place_order(%s)", [order])


@pytest.mark.parametrize("table", ["tenant", "customer", "product", "orders"])
def test_a_change_is_dated(hk_role: Role, table: str) -> None:
    with hk_role("venture_app") as connection:
        trade(connection, uuid4())
        update = sql.SQL(
            "UPDATE venture.{} SET updated_at = '2000-01-01' RETURNING updated_at = now()"
        ).format(sql.Identifier(table))
        assert set(connection.execute(update)) == {(True,)}


def test_events_are_reached_through_their_parent_only(hk_connection: Connection) -> None:
    partitions = hk_connection.execute(
        "SELECT inhrelid::regclass::text,"
        " has_table_privilege('venture_app', inhrelid, 'SELECT, INSERT, UPDATE, DELETE')"
        " FROM pg_catalog.pg_inherits WHERE inhparent = 'venture.event'::regclass"
    ).fetchall()
    assert partitions
    assert [name for name, reachable in partitions if reachable] == []


def test_countries_are_read_by_everybody_and_written_by_nobody(hk_role: Role) -> None:
    with hk_role("venture_app") as connection:
        assert value(connection, "SELECT count(*) FROM venture.country") > 0
        with pytest.raises(errors.InsufficientPrivilege), connection.transaction():
            connection.execute("INSERT INTO venture.country VALUES ('XX', 'Nowhere', 'XXX')")


def enter(connection: Connection, tenant: UUID | None) -> None:
    """Act for a tenant, as an application does when it takes a connection from its pool."""
    connection.execute("SELECT set_config('app.tenant_id', %s, true)", [str(tenant or "")])


def trade(connection: Connection, tenant: UUID, *, finished: bool = True) -> int:
    """Sign a tenant up with an order of 50.00 in two lines; if finished, placed and half paid."""
    enter(connection, tenant)
    connection.execute("INSERT INTO venture.tenant (name, country_code) VALUES ('Test', 'CH')")
    connection.execute(
        "INSERT INTO venture.customer (name, email, country_code)"
        " VALUES ('Test', 'test@customer.example', 'CH')"
    )
    connection.execute(
        "INSERT INTO venture.product (sku, name, unit_price) VALUES ('A', 'A', 9), ('B', 'B', 20.5)"
    )
    order = value(
        connection,
        "INSERT INTO venture.orders (customer_id, number)"
        " SELECT id, 'T-1' FROM venture.customer RETURNING id",
    )
    connection.execute(
        "INSERT INTO venture.order_line (order_id, product_id, quantity, unit_price)"
        " SELECT %s, id, CASE sku WHEN 'A' THEN 1 ELSE 2 END, unit_price FROM venture.product",
        [order],
    )
    if finished:
        connection.execute("SELECT venture.place_order(%s)", [order])
        connection.execute(
            "INSERT INTO venture.payment (invoice_id, amount, method)"
            " VALUES (venture.issue_invoice(%s), 25, 'transfer')",
            [order],
        )
    return int(order)


def value(connection: Connection, query: str, *arguments: object) -> Any:
    """The one value of a query's one row."""
    [[only]] = connection.execute(query.encode(), arguments or None).fetchall()
    return only


def owners(connection: Connection, relation: str) -> set[UUID]:
    """Whose rows the relation shows."""
    query = sql.SQL("SELECT DISTINCT tenant_id FROM venture.{}").format(sql.Identifier(relation))
    return {tenant for (tenant,) in connection.execute(query)}
