"""A test that acts as the application."""

from __future__ import annotations

from typing import Any

A = "11111111-1111-1111-1111-111111111111"


def test_a_tenant_sees_its_own(hk_role: Any) -> None:
    with hk_role("desk_app", **{"app.tenant_id": A}) as connection:
        assert connection.execute("SELECT count(*) FROM desk.ticket").fetchone() == (2,)
