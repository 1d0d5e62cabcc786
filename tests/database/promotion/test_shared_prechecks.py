"""What the prechecks that more than one mode has say of the server: its locks, and its roles."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import psycopg
import pytest

from pytest_housekeeping.plan.plan import Plan
from pytest_housekeeping.postgres.connection import Connection
from pytest_housekeeping.promotion.context import RunContext
from pytest_housekeeping.promotion.prechecks.shared import capacity, roles


@pytest.mark.parametrize(("locks", "told"), [(5, []), (5_000_000, ["lock-capacity"])])
def test_a_batch_that_the_lock_table_cannot_hold_is_told(
    connection: Connection, locks: int, told: list[str]
) -> None:
    segment = SimpleNamespace(files=(SimpleNamespace(locks=locks),))
    plan = cast("Plan", SimpleNamespace(seeds=(), segments=(segment,)))
    verdict, said = capacity(plan, connection)
    assert [each.rule for each in verdict.findings] == told
    assert said.startswith(f"about {locks} locks, room for ")


@pytest.mark.parametrize("rehearses", [False, True])
def test_a_role_that_is_not_there_or_cannot_be_taken_on_is_told(
    connection: Connection, superuser: psycopg.Connection[Any], rehearses: bool
) -> None:
    """On a copy a superuser of its server tries what they may do."""
    superuser.execute("CREATE ROLE desk_own; CREATE ROLE desk_far; GRANT desk_own TO hk_migrator")
    contracts = SimpleNamespace(roles=("desk_far", "desk_lost", "desk_own"))
    plan = SimpleNamespace(contracts=contracts, rehearses=rehearses)
    context = cast("RunContext", SimpleNamespace(plan=plan, config=SimpleNamespace(sql="sql")))
    verdict, _ = roles(context, connection, "hk_migrator")
    far = [("role-out-of-reach", "desk_far", "GRANT desk_far TO hk_migrator;")]
    lost = ("role-missing", "desk_lost", "create it in sql/bootstrap/, or correct the name")
    found = [(each.rule, each.object, each.fix) for each in verdict.findings]
    assert (verdict.examined, found) == (3, [*(far if not rehearses else []), lost])
