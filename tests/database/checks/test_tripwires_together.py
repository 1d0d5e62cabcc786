"""What is planted side by side fires as it does alone; what does not fire is tried by itself."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from pytest_housekeeping.checks import tripwires_together as module
from pytest_housekeeping.checks.rls import evaluate_rules
from pytest_housekeeping.checks.rules.evaluation import Evaluation
from pytest_housekeeping.checks.tripwire_ground import TripwireGround
from pytest_housekeeping.declarations.rules import Rule, shipped_rules
from pytest_housekeeping.postgres.connection import Connection
from support.guarded import RULES

NOTHING = "SELECT NULL::text AS object, NULL::text AS detail LIMIT 0"
ELSEWHERE = "SELECT 'table public.another'::text AS object, 'is wrong'::text AS detail"
THERE = "SELECT array_agg(nspname ORDER BY 1), (SELECT array_agg(oid ORDER BY 1) FROM pg_roles)"


@pytest.fixture(scope="module")
def chosen() -> list[Rule]:
    return [rule for rule in shipped_rules() if module._keeps_to_itself(rule)]


def shipping(monkeypatch: pytest.MonkeyPatch, rules: Sequence[Rule]) -> Sequence[Rule]:
    monkeypatch.setattr(module, "shipped_rules", lambda: tuple(rules))
    return rules


def test_what_keeps_to_itself_fires_together(superuser: Connection, chosen: list[Rule]) -> None:
    """But the one that could complain before the defect; and nothing is left of it."""
    before = superuser.execute(f"{THERE} FROM pg_namespace".encode()).fetchall()
    fired = module.trip_together(superuser, shipped_rules())
    assert superuser.execute(f"{THERE} FROM pg_namespace".encode()).fetchall() == before
    assert all(verdict.passed for verdict in fired.values())
    assert {rule.id for rule in chosen} - fired.keys() == {"role-may-create"}
    assert len(fired) > 30
    assert not fired.keys() & {"privilege-default", "setting-role", "role-bypasses-rls"}
    assert not any(RULES[each].proof or RULES[each].family == "boundary" for each in fired)


def test_beside_others_a_rule_sees_what_it_sees_alone(
    superuser: Connection, chosen: list[Rule]
) -> None:
    def seen(rules: list[Rule]) -> tuple[list[tuple[Rule, TripwireGround]], Mapping[str, Any]]:
        superuser.execute("BEGIN")
        try:
            grounds = module._planted(superuser, rules)
            contract = module._together(grounds)
            return grounds, evaluate_rules(superuser, contract, [rule for rule, _ in grounds])
        finally:
            superuser.execute("ROLLBACK")

    def own(ground: TripwireGround, found: Evaluation) -> list[str]:
        rows = (repr(sorted(row.items())) for row in found.rows)
        schema = ground.values["schema"]
        nameless = (re.sub(r"_[0-9a-f]{12}\b", "", row) for row in rows if schema in row)
        # Where all roles are named, there are more of them.
        return sorted(re.sub(r"(hk_role, )+", "", row) for row in nameless)

    grounds, together = seen(chosen)
    for rule, ground in grounds:
        ((_, by_itself),), alone = seen([rule])
        assert own(ground, together[rule.id]) == own(by_itself, alone[rule.id]) != []


def test_a_rule_that_does_not_find_its_defect_is_left_to_be_tried_alone(
    superuser: Connection, chosen: list[Rule], monkeypatch: pytest.MonkeyPatch
) -> None:
    queries = {NOTHING: chosen[::3], ELSEWHERE: chosen[1::3]}
    blinded = [replace(rule, query=query) for query, rules in queries.items() for rule in rules]
    blind = {rule.id for rule in blinded}
    rules = [*blinded, *(rule for rule in chosen if rule.id not in blind)]
    fired = module.trip_together(superuser, shipping(monkeypatch, rules))
    assert fired.keys() == {rule.id for rule in chosen} - blind - {"role-may-create"}


def test_where_one_cannot_run_or_be_planted_each_is_tried_alone(
    superuser: Connection, chosen: list[Rule], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, *others = chosen
    unplanted = replace(first.tripwire, sql="CREATE NONSENSE")
    for broken in (replace(first, query="SELECT nonsense"), replace(first, tripwire=unplanted)):
        rules = shipping(monkeypatch, [broken, *others])
        assert module.trip_together(superuser, rules) == {}
    assert module.trip_together(superuser, [RULES["role-bypasses-rls"]]) == {}


def test_a_rule_of_another_package_is_tried_alone(superuser: Connection) -> None:
    theirs = replace(RULES["rls-not-enabled"], id="theirs")
    assert module.trip_together(superuser, [theirs]) == {}


def test_what_reaches_beyond_its_own_schema_and_role_is_tried_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rule = RULES["rls-not-enabled"]
    wire, proof = rule.tripwire, next(each for each in RULES.values() if each.proof)
    reaching = [
        replace(rule, family="boundary"),
        replace(rule, proof=proof.proof),
        *(
            replace(rule, tripwire=replace(wire, **changed))
            for changed in (
                {"superuser": "SELECT 1"},
                {"object": "table public.t"},
                {"sql": f"{wire.sql}; GRANT ALL ON TABLE {{schema}}.{{table}} TO {{other}}"},
                {"sql": f"{wire.sql}; SET work_mem = '1MB'"},
                {"sql": f"{wire.sql}; ALTER ROLE {{role}} CREATEDB"},
            )
        ),
    ]
    monkeypatch.setattr(module, "shipped_rules", lambda: (rule, *reaching))
    assert [module._keeps_to_itself(each) for each in (rule, *reaching)] == [True, *[False] * 7]
