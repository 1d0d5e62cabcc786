"""Each rule fires on its own planted defect, and is quiet on its good example."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import psycopg
import pytest

from pytest_housekeeping.checks import tripwires as tripwire
from pytest_housekeeping.checks.rules import Evaluation, evaluate, rls_scope
from pytest_housekeeping.checks.rules.evaluation import with_role_in_leak
from pytest_housekeeping.checks.tripwire_target import guarded_by, placeholder_values
from pytest_housekeeping.checks.tripwires import trip_rule
from pytest_housekeeping.declarations.rules import Rule, Tripwire, fill, shipped_rules
from pytest_housekeeping.errors import RuleBroken
from pytest_housekeeping.model import Verdict
from pytest_housekeeping.postgres.connection import Connection, rolled_back
from support.guarded import BOUNDARIES, CONTRACT, RULES, STAY_OUT, crossed, found, laid_ground

VALUES = {
    "schema": "shop",
    "role": "shop_app",
    "source_role": "shop_app",
    "source_schema": "shop",
    "target_schema": "office",
    "target_relation": "office.paper",
    "good_role": "hk_test_good",
}
EVERY = pytest.mark.parametrize("rule", shipped_rules(), ids=lambda rule: rule.id)


@pytest.fixture
def ground(connection: Connection, superuser: Connection) -> Iterator[Connection]:
    with laid_ground(connection, superuser) as laid:
        yield laid


def tripped(ground: Connection, superuser: Connection | None, rule: Rule) -> Verdict:
    return trip_rule(ground, superuser, CONTRACT, BOUNDARIES, rule)


def catalog(connection: Connection) -> list[tuple[object, ...]]:
    return connection.execute(
        "SELECT 'relation', relname::text, relacl::text FROM pg_class WHERE relnamespace IN"
        " (SELECT oid FROM pg_namespace WHERE nspname IN ('shop', 'office'))"
        " UNION ALL SELECT 'role', rolname::text, '' FROM pg_roles"
        " UNION ALL SELECT 'member', member::text, roleid::text FROM pg_auth_members"
        " UNION ALL SELECT 'policy', polname::text, polrelid::regclass::text FROM pg_policy"
        " UNION ALL SELECT 'default', defaclacl::text, '' FROM pg_default_acl"
        " UNION ALL SELECT 'schema', nspname::text, nspacl::text FROM pg_namespace"
        " WHERE nspname IN ('shop', 'office') ORDER BY 1, 2, 3"
    ).fetchall()


@EVERY
def test_a_rule_fires_on_its_tripwire_and_leaves_nothing(
    ground: Connection, superuser: Connection, rule: Rule
) -> None:
    before = catalog(ground)
    verdict = tripped(ground, superuser, rule)
    assert verdict.findings == ()
    assert verdict.passed
    assert "fired on" in verdict.evidence[0]
    assert catalog(ground) == before


@EVERY
def test_a_rule_is_quiet_on_its_good_example(ground: Connection, rule: Rule) -> None:
    row = ground.execute("SELECT quote_ident(current_database())").fetchone()
    assert row is not None
    ground.execute(fill(rule.good, {**VALUES, "database": row[0]}).encode())
    if rule.family != "boundary":
        assert found(ground, rule.id) == []
    else:
        contract = STAY_OUT if rule.contract == "forbidden" else BOUNDARIES.contracts[1]
        assert [finding for finding in crossed(ground, contract) if finding.rule == rule.id] == []


@EVERY
def test_a_rule_that_finds_nothing_does_not_fire(
    ground: Connection, superuser: Connection, rule: Rule
) -> None:
    if rule.proof:
        name = "-- {table}" if rule.family != "boundary" else ""
        blind = replace(rule, tripwire=replace(rule.tripwire, sql=f"SELECT 1 {name}"))
    else:
        blind = replace(
            rule, query="SELECT NULL::text AS object, NULL::text AS detail, '' AS grantee LIMIT 0"
        )
    verdict = tripped(ground, superuser, blind)
    assert not verdict.passed
    assert verdict.findings[0].rule == "tripwire"
    assert verdict.findings[0].object == rule.id
    assert "did not fire" in verdict.findings[0].detail


@pytest.mark.parametrize("name", ["rls-not-enabled", "view-without-security-invoker"])
def test_what_was_verified_is_the_answer_without_the_defect(
    ground: Connection, superuser: Connection, name: str
) -> None:
    rule = RULES[name]
    values = placeholder_values(ground, CONTRACT, rule)
    quiet = evaluate(ground, rls_scope(CONTRACT), rule)
    with rolled_back(ground):
        tripwire._plant(ground, rule, values)
        loud = evaluate(ground, rls_scope(CONTRACT), rule)

    sound = trip_rule(ground, superuser, CONTRACT, None, rule, {name: quiet})
    wrong = trip_rule(ground, superuser, CONTRACT, None, rule, {name: loud})

    assert sound.passed
    assert "without the defect as well" in wrong.findings[0].detail


def test_what_a_superuser_plants_no_verification_has_seen(
    ground: Connection, superuser: Connection
) -> None:
    """It stands outside of the savepoint: such a rule is judged anew without its defect."""
    everything = Tripwire(
        sql="SELECT 1",
        object="{tripwire_role}",
        superuser="CREATE ROLE {tripwire_role}",
        undo="DROP ROLE {tripwire_role}",
    )
    query = "SELECT rolname AS object, 'there' AS detail FROM pg_roles WHERE rolname ~ '^hk_tripw'"
    rule = replace(RULES["rls-not-enabled"], query=query, tripwire=everything)
    verified = {rule.id: Evaluation(examined=1, rows=())}

    verdict = trip_rule(ground, superuser, CONTRACT, None, rule, verified)

    assert "without the defect as well" in verdict.findings[0].detail


@EVERY
def test_what_shows_a_finding_runs_where_it_was_found(
    ground: Connection, superuser: Connection, rule: Rule
) -> None:
    """Every name in it is there; that it is refused, or shows nothing here, is no matter."""
    guarded = guarded_by(rule, CONTRACT, BOUNDARIES)
    values = placeholder_values(ground, guarded, rule)
    planted = fill(rule.tripwire.object, values)
    with tripwire._planted_by_superuser(superuser, rule, values), rolled_back(ground):
        tripwire._plant(ground, rule, values)
        fired = tripwire._judge(ground, guarded, rule, values)
        seen = with_role_in_leak(fired.findings, "shop_app")
        shown = [each.leak for each in seen if each.object == planted]
        assert shown
        for text in shown:
            assert "{" not in text.replace("'{}'", "")
            # The transaction that it opens and ends is this one.
            inside = text.replace("BEGIN;", "").replace("ROLLBACK;", "")
            assert inside.strip()
            state = "00000"
            try:
                with rolled_back(ground):
                    ground.execute(inside.encode())
            except psycopg.Error as error:
                state = error.sqlstate or ""
            assert state in ("42501", "42P17") or not state.startswith("42"), f"{state}: {text}"


def test_a_rule_that_fires_on_something_else_has_not_fired(ground: Connection) -> None:
    rule = RULES["rls-not-enabled"]
    astray = replace(rule, query="SELECT 'shop.other' AS object, 'x' AS detail")
    verdict = tripped(ground, None, astray)
    assert "did not fire on shop.hk_tripwire; it found: shop.other" in verdict.findings[0].detail


def test_a_rule_that_always_fires_is_no_guard(ground: Connection) -> None:
    rule = RULES["rls-not-enabled"]
    loud = replace(rule, query="SELECT 'shop.hk_tripwire' AS object, 'x' AS detail")
    assert "without the defect as well" in tripped(ground, None, loud).findings[0].detail


def test_a_rule_that_cannot_run_is_broken(ground: Connection) -> None:
    with pytest.raises(RuleBroken):
        tripped(ground, None, replace(RULES["rls-not-enabled"], query="SELECT nonsense"))
    assert tripped(ground, None, RULES["rls-not-enabled"]).passed


def test_what_a_superuser_planted_is_gone_even_when_the_rule_breaks(
    ground: Connection, superuser: Connection
) -> None:
    before = catalog(superuser)
    with pytest.raises(RuleBroken):
        tripped(ground, superuser, replace(RULES["role-bypasses-rls"], query="SELECT nonsense"))
    assert catalog(superuser) == before


def test_without_a_superuser_the_tripwire_fails(ground: Connection) -> None:
    verdict = tripped(ground, None, RULES["role-bypasses-rls"])
    assert "only a superuser" in verdict.findings[0].detail


def test_a_defect_that_cannot_be_planted_fails(ground: Connection) -> None:
    rule = RULES["rls-not-enabled"]
    broken = replace(rule, tripwire=Tripwire(sql="CREATE NONSENSE", object="x"))
    assert "could not be planted: 42601" in tripped(ground, None, broken).findings[0].detail
    nameless = replace(rule, tripwire=Tripwire(sql="SELECT {colour}", object="x"))
    assert "colour" in tripped(ground, None, nameless).findings[0].detail
    assert tripped(ground, None, rule).passed


def test_a_rule_without_anything_to_judge_fails(ground: Connection) -> None:
    verdict = trip_rule(ground, None, None, BOUNDARIES, RULES["rls-not-enabled"])
    assert not verdict.passed
    verdict = trip_rule(ground, None, CONTRACT, None, RULES["boundary-table-privilege"])
    assert "no contract of the type 'forbidden'" in verdict.findings[0].detail


def test_a_rule_of_another_package_is_tripped_like_any_other(ground: Connection) -> None:
    rule = replace(
        RULES["rls-not-enabled"],
        id="name-in-upper-case",
        query="SELECT t.object, 'x' AS detail FROM hk_table AS t WHERE t.name <> lower(t.name)",
        tripwire=Tripwire(sql='CREATE TABLE {schema}."LOUD" (id int)', object='{schema}."LOUD"'),
    )
    assert tripped(ground, None, rule).passed


def test_tripping_works_with_awkward_names(connection: Connection, superuser: Connection) -> None:
    contract = replace(CONTRACT, schemas=('We"ird.ä',), roles=('Ap"p x',))
    superuser.execute('DROP ROLE IF EXISTS "Ap""p x"')
    superuser.execute('CREATE ROLE "Ap""p x"; GRANT "Ap""p x" TO hk_migrator')
    try:
        connection.execute('BEGIN; CREATE SCHEMA "We""ird.ä"; CREATE TABLE "We""ird.ä".t ()')
        for rule in shipped_rules():
            if rule.family != "boundary" and not rule.proof:
                assert trip_rule(connection, superuser, contract, None, rule).passed
    finally:
        connection.execute("ROLLBACK")
        superuser.execute('DROP ROLE "Ap""p x"')


def test_a_dead_superuser_connection_fails_the_tripwire(
    ground: Connection, superuser: Connection
) -> None:
    rule = RULES["role-bypasses-rls"]
    broken = replace(rule, tripwire=replace(rule.tripwire, superuser="CREATE NONSENSE"))
    assert "42601" in tripped(ground, superuser, broken).findings[0].detail
    with pytest.raises(psycopg.errors.SyntaxError):
        superuser.execute("CREATE NONSENSE")
