"""What a newcomer would write first."""

from __future__ import annotations

from typing import Any


def test_the_lamp_is_cheap(hk_connection: Any) -> None:
    assert hk_connection.execute("SELECT name FROM shop.cheap").fetchall() == [("lamp",)]


def test_two_items(hk_connection: Any) -> None:
    assert hk_connection.execute("SELECT count(*) FROM shop.item").fetchone() == (2,)
