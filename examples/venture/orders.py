"""The order desk: what is open, what is placed, what is invoiced."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import psycopg
from psycopg.rows import class_row

Connection = psycopg.Connection[tuple[Any, ...]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """An order as the desk sees it."""

    id: int
    number: str
    status: str
    total: Decimal


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """So many of one product, at the price of the day."""

    product_id: int
    quantity: int


def find_orders(connection: Connection, status: str) -> list[Order]:
    """The orders of a status, the latest first."""
    with connection.cursor(row_factory=class_row(Order)) as cursor:
        cursor.execute(
            "SELECT id, number, status::text AS status, total FROM venture.orders"
            " WHERE status = %s::venture.order_status ORDER BY created_at DESC, id DESC",
            (status,),
        )
        return cursor.fetchall()


def draft_order(connection: Connection, customer: int, number: str, lines: list[Line]) -> int:
    """A draft with its lines. The tenant is the one that the transaction acts for."""
    row = connection.execute(
        "INSERT INTO venture.orders (customer_id, number) VALUES (%s, %s) RETURNING id",
        (customer, number),
    ).fetchone()
    if row is None:
        raise LookupError(f"order {number} was not made")
    for line in lines:
        connection.execute(
            """
            INSERT INTO venture.order_line (order_id, product_id, quantity, unit_price)
            SELECT %s, product.id, %s, product.unit_price
            FROM venture.product AS product
            WHERE product.id = %s AND product.is_active
            """,
            (row[0], line.quantity, line.product_id),
        )
    return int(row[0])


def place(connection: Connection, order: int) -> None:
    """A draft with lines becomes an order. Raises psycopg.errors.CheckViolation otherwise."""
    connection.execute("SELECT venture.place_order(%s)", (order,))


def invoice(connection: Connection, order: int, days_to_pay: int = 30) -> int:
    """The id of the invoice of a placed order."""
    row = connection.execute(
        "SELECT venture.issue_invoice(%s, %s)", (order, days_to_pay)
    ).fetchone()
    if row is None:
        raise LookupError(f"order {order} has no invoice")
    return int(row[0])


def balances(connection: Connection) -> list[tuple[int, Decimal]]:
    """What each customer owes."""
    rows = connection.execute(
        "SELECT invoice.order_id, invoice.amount - coalesce(sum(payment.amount), 0)"
        " FROM venture.invoice AS invoice"
        " LEFT JOIN venture.payment AS payment ON payment.invoice_id = invoice.id"
        " GROUP BY invoice.order_id, invoice.amount ORDER BY invoice.order_id"
    ).fetchall()
    return [(int(order), Decimal(owed)) for order, owed in rows]
