"""What exemptions cost: the rule is asked once, whatever their number."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import psycopg
import pytest

from pytest_housekeeping.declarations.exemptions import RuleExemption
from pytest_housekeeping.model import Kind, Phase, Step, Verdict
from pytest_housekeeping.plan.check_steps import exemption_name
from pytest_housekeeping.postgres.connection import Connection
from pytest_housekeeping.promotion.context import RunContext
from pytest_housekeeping.promotion.rls_judging import RlsJudging
from support.guarded import CONTRACT, RULES, TODAY

OPEN = "CREATE TABLE shop.open_{n} (id int)"
# What its caller hands in is run as it stands.
RUNS = """
CREATE FUNCTION shop.runs_{n}(wanted text) RETURNS SETOF text LANGUAGE plpgsql
SECURITY DEFINER SET search_path = '' AS $$ BEGIN RETURN QUERY EXECUTE wanted; END $$;
GRANT EXECUTE ON FUNCTION shop.runs_{n}(text) TO shop_app"""
# Without a context it shows its rows.
SHOWN = """
CREATE TABLE shop.shown_{n} (tenant integer NOT NULL, note text);
INSERT INTO shop.shown_{n} VALUES (1, 'a'), (2, 'b');
ALTER TABLE shop.shown_{n} ENABLE ROW LEVEL SECURITY;
ALTER TABLE shop.shown_{n} FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON shop.shown_{n} TO shop_app USING (true);
GRANT SELECT ON shop.shown_{n} TO shop_app"""
PLANTED = [
    pytest.param("rls-not-enabled", OPEN, "shop.open_{n}", id="of-the-catalog"),
    pytest.param("definer-runs-text", RUNS, "shop.runs_{n}(text)", id="of-bodies"),
    pytest.param("context-required", SHOWN, "shop.shown_{n}", id="by-doing"),
]
Judge = Callable[[str], Verdict]


def judging(connection: Connection, exemptions: list[RuleExemption]) -> Judge:
    """Judges a step by its name, as a run with these exemptions does."""
    context = SimpleNamespace(
        plan=SimpleNamespace(contracts=SimpleNamespace(rules=tuple(RULES.values()))),
        rules=SimpleNamespace(throwaway=True),
        today=TODAY,
        is_last=lambda segment: segment == 1,
    )
    contract = replace(CONTRACT, exemptions=tuple(exemptions))
    checks = RlsJudging(cast("RunContext", context), contract)

    def judge(name: str) -> Verdict:
        step = Step(id=name, phase=Phase.VERIFY, kind=Kind.RLS, path="", name=name, segment=1)
        return checks.judge(connection, step)

    return judge


@pytest.mark.parametrize(("rule", "planted", "object"), PLANTED)
def test_a_rule_is_asked_once_for_itself_and_all_exemptions_from_it(
    rule: str, planted: str, object: str, ground: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = list[Any]()
    execute = psycopg.Connection.execute

    def counted(connection: Connection, query: Any, *given: Any, **more: Any) -> Any:
        asked.append(query)
        return execute(connection, query, *given, **more)

    for number in range(9):
        ground.execute(planted.format(n=number).encode())
    exemptions = [
        RuleExemption(rule=rule, object=object.format(n=number), reason="because", until=None)
        for number in range(8)
    ]
    judge = judging(ground, exemptions)
    monkeypatch.setattr(psycopg.Connection, "execute", counted)
    own = judge(rule)
    of_rule = len(asked)
    verdicts = [judge(exemption_name(exemptions[0]))]
    of_first = len(asked)
    verdicts += [judge(exemption_name(each)) for each in exemptions[1:]]

    assert [finding.object for finding in own.findings] == [object.format(n=8)]
    assert all(verdict.passed for verdict in verdicts)
    # A proof by doing is made once more, of all that is exempt from it.
    assert (of_first > of_rule) == (rule == "context-required")
    assert len(asked) == of_first > 0


def test_an_exemption_that_matches_nothing_fails_by_what_was_seen_before(
    ground: Connection,
) -> None:
    gone = RuleExemption(rule="definer-runs-text", object="shop.x(text)", reason="r", until=None)
    judge = judging(ground, [gone])

    assert judge("definer-runs-text").passed
    assert "matches no finding any more" in judge(exemption_name(gone)).findings[0].detail
