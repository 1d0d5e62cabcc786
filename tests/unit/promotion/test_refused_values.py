"""What a batch is refused for on made-up rows, and would not be refused for on others."""

from __future__ import annotations

import pytest

from pytest_housekeeping.errors import SqlFailed
from pytest_housekeeping.promotion.rehearsal.refused_values import refused_for_values

LOOP = "FOR t IN SELECT name FROM tenant LOOP EXECUTE format('ALTER TABLE %I.bill …', t);"
VALUES = ("hk canary 5", "71", "")


@pytest.mark.parametrize(
    ("state", "found", "of_values"),
    [
        ("22P02", 'invalid input syntax for type integer: "hk canary"', True),
        ("23514", 'violates check constraint "low"', True),
        ("23502", 'null value in column "size" of relation "item"', True),
        ("23502", 'null value in column "new" of relation "item"', False),
        # Put together from a row, and written in the file.
        ("3F000", 'schema "hk canary 5" does not exist', True),
        ("42P01", 'relation "hk canary 5.bill" does not exist', True),
        ("42P01", 'relation "hk_tenant_71.bill" does not exist', True),
        ("42P01", 'relation "tenant" does not exist', False),
        # In other letters the file has it; the others are called by something in the database.
        ("42P01", 'relation "TENANT" does not exist', False),
        ("42P01", 'relation "audit_log" does not exist', False),
        ("42P01", 'relation "audit711" does not exist', False),
        ("42883", "function f(integer) does not exist", False),
        ("42601", 'syntax error at or near "hk"', False),
        ("0A000", "not supported", False),
    ],
)
def test_an_error_is_of_values_or_of_the_file(state: str, found: str, *, of_values: bool) -> None:
    error = SqlFailed(found, sqlstate=state)
    assert refused_for_values(error, LOOP, {("item", "size")}, VALUES) is of_values
