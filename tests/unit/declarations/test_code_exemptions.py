"""What exempts a reference in code, and what is told when it says something else."""

from __future__ import annotations

from datetime import date

import pytest

from pytest_housekeeping.declarations.code_baseline import (
    parse_baseline,
)
from pytest_housekeeping.declarations.exemptions import CodeExemption, parse_code_exemptions
from pytest_housekeeping.errors import MisuseError

EXEMPT = CodeExemption(
    file="app/orders.py", symbol="Orders.load", object="governance.ledger", reason="until March"
)

EXEMPT_TEXT = """
[[exempt]]
file = "app/orders.py"
symbol = "Orders.load"
object = "governance.ledger"
reason = "until March"
"""


def test_exemptions_are_read() -> None:
    assert parse_code_exemptions(EXEMPT_TEXT, path="b.toml") == (EXEMPT,)
    (ending,) = parse_code_exemptions(EXEMPT_TEXT + "until = 2026-05-31", path="b.toml")
    assert ending.until == date(2026, 5, 31)
    assert parse_code_exemptions("[apps.x]", path="b.toml") == ()
    # Of a contract, and of what a batch does to code that runs: two things.
    both = EXEMPT_TEXT + EXEMPT_TEXT + 'rule = "running-row"'
    assert [each.rule for each in parse_code_exemptions(both, path="b.toml")] == ["", "running-row"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (EXEMPT_TEXT.replace("symbol", "symbl"), "did you mean 'symbol'?"),
        (EXEMPT_TEXT.replace("until March", ""), "'reason'"),
        (EXEMPT_TEXT.replace("app/orders.py", "app/*.py"), "wildcard"),
        (EXEMPT_TEXT * 2, "repeats"),
        (EXEMPT_TEXT + "until = 'soon'", "not a day"),
        (EXEMPT_TEXT + "rule = 'running-rows'", "did you mean 'running-row'?"),
        ((EXEMPT_TEXT + "rule = 'running-row'") * 2, "repeats"),
        ("exempt = 1", "a list of tables"),
        ("[[exempt", "not TOML"),
    ],
)
def test_what_is_wrong_with_an_exemption_is_said(text: str, message: str) -> None:
    with pytest.raises(MisuseError) as caught:
        parse_code_exemptions(text, path="checks/boundaries.toml")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[instance]]\ncontract = 'ot'", "did you mean 'out'?"),
        ("[[instance]]\ncontract = 'out'", "has no 'file'"),
        ("[[instances]]", "unknown key 'instances'"),
    ],
)
def test_what_is_wrong_with_a_baseline_is_said(text: str, message: str) -> None:
    with pytest.raises(MisuseError) as caught:
        parse_baseline(text, contracts={"out"})
    assert message in str(caught.value)
