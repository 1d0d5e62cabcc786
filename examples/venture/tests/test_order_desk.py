"""The order desk at work on the promoted staging database, as the role of production."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from uuid import UUID

import psycopg
import pytest

from examples.venture import orders
from examples.venture.session import Connection, acting_for

MEADOW_COFFEE = UUID("33333333-3333-4333-8333-333333333333")


@pytest.fixture
def desk(hk_app_url: Callable[[str], str]) -> Iterator[Connection]:
    with acting_for(MEADOW_COFFEE, hk_app_url("venture")) as connection:
        yield connection
        connection.rollback()


def test_an_order_is_drafted_placed_and_invoiced(desk: Connection) -> None:
    (customer,) = desk.execute("SELECT min(id) FROM venture.customer").fetchone() or (0,)
    product = desk.execute("SELECT min(id) FROM venture.product WHERE is_active").fetchone()
    assert product is not None
    lines = [orders.Line(product_id=product[0], quantity=3)]

    order = orders.draft_order(desk, customer, "2026-9001", lines)
    orders.place(desk, order)
    invoice = orders.invoice(desk, order)

    assert invoice > 0
    placed = {each.number: each for each in orders.find_orders(desk, "placed")}
    assert placed["2026-9001"].total > 0


def test_an_order_without_a_line_is_not_placed(desk: Connection) -> None:
    customer = desk.execute("SELECT min(id) FROM venture.customer").fetchone()
    assert customer is not None
    order = orders.draft_order(desk, customer[0], "2026-9002", [])

    with pytest.raises(psycopg.errors.CheckViolation, match="cannot be placed"):
        orders.place(desk, order)


def test_another_tenant_has_other_orders(hk_app_url: Callable[[str], str]) -> None:
    nobody = UUID("99999999-9999-4999-8999-999999999999")
    with acting_for(nobody, hk_app_url("venture")) as connection:
        assert orders.find_orders(connection, "placed") == []
        assert orders.balances(connection) == []
