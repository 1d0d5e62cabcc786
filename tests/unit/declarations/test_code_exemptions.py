"""What exempts a reference in code, and what is told when it says something else."""

from __future__ import annotations

from datetime import date

import pytest

from pytest_housekeeping.declarations.code_baseline import (
    parse_baseline,
)
from pytest_housekeeping.declarations.exemptions import (
    BoundaryExemption,
    CodeExemption,
    parse_exemptions,
)
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


OF_A_RULE = """
[[exempt]]
rule = "boundary-view"
contract = "out"
object = "public.totals"
detail = "venture_app may select from it and see governance.ledger"
reason = "the monthly report"
"""


def read(text: str) -> tuple[tuple[CodeExemption, ...], tuple[BoundaryExemption, ...]]:
    return parse_exemptions(
        text, path="checks/boundaries.toml", rules={"boundary-view"}, contracts=["out"]
    )


def test_exemptions_are_read() -> None:
    assert read(EXEMPT_TEXT) == ((EXEMPT,), ())
    ((ending,), _) = read(EXEMPT_TEXT + "until = 2026-05-31")
    assert ending.until == date(2026, 5, 31)
    assert read("[apps.x]") == ((), ())
    ((), (exempt,)) = read(OF_A_RULE)
    assert (exempt.rule, exempt.contract, exempt.object) == (
        "boundary-view",
        "out",
        "public.totals",
    )
    # Two findings of one object are two exemptions.
    assert len(read(OF_A_RULE + OF_A_RULE.replace("venture_app", "PUBLIC"))[1]) == 2
    # Of a contract, and of what a batch does to code that runs: two things.
    both = EXEMPT_TEXT + EXEMPT_TEXT + 'rule = "running-row"'
    assert [each.rule for each in read(both)[0]] == ["", "running-row"]


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
        (OF_A_RULE * 2, "repeats the exemption of public.totals"),
        (OF_A_RULE.replace("boundary-view", "boundary-vew"), "did you mean 'boundary-view'?"),
        (OF_A_RULE.replace('"out"', '"ot"'), "the contract 'ot', which is not declared"),
        (OF_A_RULE.replace("detail", "detial"), "did you mean 'detail'?"),
        (OF_A_RULE.replace("the monthly report", " "), "'reason'"),
        (OF_A_RULE + "file = 'app/x.py'", "unknown key 'file'"),
        (OF_A_RULE.replace('"boundary-view"', "1"), "not a text"),
        ("exempt = 1", "a list of tables"),
        ("[[exempt", "not TOML"),
    ],
)
def test_what_is_wrong_with_an_exemption_is_said(text: str, message: str) -> None:
    with pytest.raises(MisuseError) as caught:
        read(text)
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
