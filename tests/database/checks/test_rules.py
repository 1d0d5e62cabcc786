"""Each rule on a real database: quiet on what is sound, loud on what is not."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import psycopg
import pytest

from pytest_housekeeping.checks.boundaries.verdict import verify_contract
from pytest_housekeeping.checks.rls import verify_exemption, verify_rule, verify_scope
from pytest_housekeeping.declarations.boundaries import App, Boundaries, Contract, Zone
from pytest_housekeeping.declarations.exemptions import RuleExemption
from pytest_housekeeping.declarations.rls import PublicRows, RlsContract
from pytest_housekeeping.declarations.rules import Rule, shipped_rules
from pytest_housekeeping.errors import RuleBroken
from pytest_housekeeping.model import Level, Verdict
from pytest_housekeeping.postgres.connection import Connection
from support.guarded import (
    BOUNDARIES,
    CONTRACT,
    RULES,
    STAY_OUT,
    TODAY,
    WORK,
    crossed,
    found,
    verify,
)

RLS_RULES = [rule for rule in shipped_rules() if rule.family != "boundary"]


@pytest.mark.parametrize("rule", RLS_RULES, ids=lambda rule: rule.id)
def test_a_sound_schema_has_no_finding(ground: Connection, rule: Rule) -> None:
    verdict = verify(ground, rule)
    assert verdict.findings == ()
    assert verdict.passed
    assert verdict.examined >= 3


@pytest.mark.parametrize("rule", RLS_RULES, ids=lambda rule: rule.id)
def test_schemas_without_a_table_pass_nothing(ground: Connection, rule: Rule) -> None:
    ground.execute("CREATE SCHEMA bare")
    verdict = verify(ground, rule, replace(CONTRACT, schemas=("bare",)))
    assert verdict.examined == 0
    assert not verdict.passed


@pytest.mark.parametrize(
    ("rule", "defect", "object"),
    [
        ("rls-not-enabled", "ALTER TABLE shop.line DISABLE ROW LEVEL SECURITY", "shop.line"),
        ("rls-not-enabled", 'CREATE TABLE shop."Odd.näme""" (id int)', 'shop."Odd.näme"""'),
        (
            "rls-not-enabled",
            (
                "CREATE TABLE shop.p (t int) PARTITION BY LIST (t);"
                "ALTER TABLE shop.p ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;"
                "CREATE TABLE shop.p1 PARTITION OF shop.p FOR VALUES IN (1)"
            ),
            "shop.p1",
        ),
        (
            "rls-not-enabled",
            "CREATE TABLE shop.child () INHERITS (shop.orders)",
            "shop.child",
        ),
        ("rls-not-forced", "ALTER TABLE shop.line NO FORCE ROW LEVEL SECURITY", "shop.line"),
        ("rls-no-policy", "DROP POLICY own ON shop.line", "shop.line"),
        (
            "rls-no-policy",
            (
                "DROP POLICY own ON shop.line;"
                "CREATE POLICY own ON shop.line AS RESTRICTIVE USING (orders_id > 0)"
            ),
            "shop.line",
        ),
        (
            "rls-no-policy",
            (
                "DROP POLICY own ON shop.line; REVOKE ALL ON shop.line FROM shop_app;"
                "GRANT SELECT (id) ON shop.line TO PUBLIC"
            ),
            "shop.line",
        ),
        ("policy-always-true", "CREATE POLICY x ON shop.line USING (true)", "x ON shop.line"),
        ("policy-always-true", "CREATE POLICY x ON shop.line USING (1 = 1)", "x ON shop.line"),
        (
            "policy-always-true",
            "CREATE POLICY x ON shop.line FOR INSERT TO shop_app WITH CHECK ('a' = 'a')",
            "x ON shop.line",
        ),
        (
            "policy-always-true",
            "CREATE POLICY x ON shop.orders USING (tenant = shop.tenant() OR true)",
            "x ON shop.orders",
        ),
        (
            "policy-always-true",
            (
                "CREATE POLICY x ON shop.orders FOR UPDATE"
                " USING (tenant = shop.tenant()) WITH CHECK (true)"
            ),
            "x ON shop.orders",
        ),
        (
            "policy-always-true",
            'CREATE POLICY "O Dear" ON shop.orders USING (NOT false)',
            '"O Dear" ON shop.orders',
        ),
        (
            "role-owns-table",
            "GRANT CREATE ON SCHEMA shop TO shop_app; ALTER TABLE shop.line OWNER TO shop_app",
            "shop.line",
        ),
        (
            "role-owns-table",
            (
                "GRANT CREATE ON SCHEMA shop TO office_app;"
                "ALTER TABLE shop.line OWNER TO office_app;"
                "CREATE ROLE hk_test_middle; GRANT hk_test_middle TO shop_app WITH ADMIN OPTION;"
                "GRANT CREATE ON SCHEMA shop TO hk_test_middle;"
                "GRANT hk_test_middle TO CURRENT_USER;"
                "ALTER TABLE shop.orders OWNER TO hk_test_middle"
            ),
            "shop.orders",
        ),
        (
            "view-without-security-invoker",
            "CREATE VIEW shop.v AS SELECT * FROM shop.orders",
            "shop.v",
        ),
        (
            "view-without-security-invoker",
            (
                "CREATE VIEW shop.v WITH (security_invoker = true) AS SELECT * FROM shop.orders;"
                "CREATE OR REPLACE VIEW shop.v AS SELECT * FROM shop.orders"
            ),
            "shop.v",
        ),
        (
            "view-without-security-invoker",
            (
                "CREATE VIEW shop.v WITH (security_invoker = on) AS SELECT * FROM shop.orders;"
                "CREATE VIEW office.v WITH (security_invoker = off) AS SELECT * FROM shop.v"
            ),
            "office.v",
        ),
        (
            "definer-without-search-path",
            (
                "CREATE FUNCTION shop.f(text, numeric) RETURNS int LANGUAGE sql SECURITY DEFINER"
                " AS 'SELECT 1'"
            ),
            "shop.f(text, numeric)",
        ),
        (
            "definer-without-search-path",
            (
                "CREATE PROCEDURE shop.f() LANGUAGE sql SECURITY DEFINER"
                " SET search_path = \"$user\", shop AS 'SELECT 1'"
            ),
            "shop.f()",
        ),
        (
            "definer-without-search-path",
            (
                "CREATE FUNCTION shop.f() RETURNS int LANGUAGE sql SECURITY DEFINER"
                " SET search_path = shop AS 'SELECT 1'"
            ),
            "shop.f()",
        ),
    ],
)
def test_a_defect_is_found_on_its_object(
    ground: Connection, rule: str, defect: str, object: str
) -> None:
    ground.execute(defect.encode())
    assert found(ground, rule) == [object]
    verdict = verify(ground, rule)
    assert not verdict.passed
    assert "{" not in verdict.findings[0].fix


@pytest.mark.parametrize(
    ("rule", "sound"),
    [
        ("policy-always-true", "CREATE POLICY x ON shop.line USING (false)"),
        ("policy-always-true", "CREATE POLICY x ON shop.line USING (1 = 2)"),
        ("policy-always-true", "CREATE POLICY x ON shop.line TO CURRENT_USER USING (true)"),
        (
            "policy-always-true",
            (
                "CREATE POLICY x ON shop.line AS RESTRICTIVE USING (orders_id > 0);"
                "CREATE POLICY y ON shop.line USING (true)"
            ),
        ),
        ("policy-always-true", "CREATE POLICY x ON shop.line AS RESTRICTIVE USING (true)"),
        (
            "policy-always-true",
            "CREATE POLICY x ON shop.line USING (current_setting('app.root', true) = 'on')",
        ),
        (
            "rls-no-policy",
            "DROP POLICY own ON shop.line; REVOKE ALL ON shop.line FROM shop_app",
        ),
        ("view-without-security-invoker", "CREATE VIEW shop.units AS SELECT 'kg' AS unit"),
        (
            "definer-without-search-path",
            (
                "CREATE FUNCTION shop.f() RETURNS int LANGUAGE sql SECURITY DEFINER"
                " SET search_path = shop, pg_temp AS 'SELECT 1'"
            ),
        ),
        (
            "definer-without-search-path",
            (
                "CREATE FUNCTION shop.f() RETURNS int LANGUAGE sql SECURITY DEFINER"
                " SET search_path = '' AS 'SELECT 1'"
            ),
        ),
    ],
)
def test_what_is_sound_is_no_finding(ground: Connection, rule: str, sound: str) -> None:
    ground.execute(sound.encode())
    assert found(ground, rule) == []


@pytest.mark.parametrize("attribute", ["SUPERUSER", "BYPASSRLS"])
def test_a_role_that_escapes_is_found_through_any_membership(
    ground: Connection, superuser: Connection, attribute: str
) -> None:
    superuser.execute(
        f"CREATE ROLE hk_test_mighty {attribute};"
        "CREATE ROLE hk_test_middle; GRANT hk_test_mighty TO hk_test_middle;"
        "GRANT hk_test_middle TO shop_app".encode()
    )
    try:
        finding = verify(ground, "role-bypasses-rls").findings[0]
        assert finding.object == "shop_app"
        assert "hk_test_mighty" in finding.detail
        assert finding.fix == "REVOKE hk_test_mighty FROM hk_test_middle;"
    finally:
        superuser.execute("DROP ROLE hk_test_mighty, hk_test_middle")


def test_an_untrusted_role_with_bypassrls_is_found(
    ground: Connection, superuser: Connection
) -> None:
    superuser.execute("ALTER ROLE shop_app BYPASSRLS")
    finding = verify(ground, "role-bypasses-rls").findings[0]
    assert finding.fix == "ALTER ROLE shop_app NOSUPERUSER NOBYPASSRLS;"


def test_an_unfinished_schema_is_judged_on_tables_that_a_role_may_use(ground: Connection) -> None:
    ground.execute("CREATE TABLE shop.hidden (id int); CREATE TABLE shop.seen (id int)")
    ground.execute("GRANT SELECT (id) ON shop.seen TO shop_app")
    verdict = verify_rule(ground, CONTRACT, RULES["rls-not-enabled"], today=TODAY, unfinished=True)
    assert [finding.object for finding in verdict.findings] == ["shop.seen"]


def test_an_unfinished_schema_may_still_be_empty(ground: Connection) -> None:
    contract = replace(CONTRACT, schemas=("not_yet",))
    for rule in RLS_RULES:
        if not rule.proof:
            verdict = verify_rule(ground, contract, rule, today=TODAY, unfinished=True)
            assert verdict.passed
            assert not verify(ground, rule, contract).passed
    boundaries = replace(
        BOUNDARIES, apps=(BOUNDARIES.apps[0], replace(BOUNDARIES.apps[1], schemas=("not_yet",)))
    )
    assert verify_contract(ground, boundaries, STAY_OUT, shipped_rules(), behaviour=False).passed
    assert not verify_contract(ground, boundaries, STAY_OUT, shipped_rules()).passed


def test_a_finding_names_its_repair(ground: Connection) -> None:
    ground.execute('CREATE TABLE shop."Weird Name" (id int)')
    finding = verify(ground, "rls-not-enabled").findings[0]
    ground.execute(finding.fix.encode())
    assert found(ground, "rls-not-enabled") == []


def test_a_repair_says_no_more_than_is_needed(ground: Connection) -> None:
    """Nothing inserts as the owner, so no policy is made for it."""
    ground.execute("CREATE TABLE shop.loose (id int)")
    ground.execute("ALTER TABLE shop.loose ENABLE ROW LEVEL SECURITY")
    (finding,) = verify(ground, "rls-not-forced").findings
    assert finding.fix == "ALTER TABLE shop.loose FORCE ROW LEVEL SECURITY;"


def test_a_rule_of_another_level_does_not_fail(ground: Connection) -> None:
    ground.execute("CREATE TABLE shop.bare (id int)")
    verdict = verify(ground, replace(RULES["rls-not-enabled"], level=Level.WARNING))
    assert [finding.object for finding in verdict.findings] == ["shop.bare"]
    assert verdict.passed


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("SELECT 1/0 AS object, 'x' AS detail", "22012"),
        ("SELECT 'x' AS object", "without object or detail"),
        ("SELECT 'x' AS detail", "42703"),
        ("SELECT 'x' AS object, NULL::text AS detail", "without object or detail"),
        ("SELECT FROM nowhere", "42P01"),
        ("DELETE FROM shop.orders RETURNING 'x' AS object, 'y' AS detail", "read-only"),
        ("SELECT 'x' AS object, 'y' AS detail); DROP TABLE shop.line; SELECT (1", "42601"),
    ],
)
def test_a_rule_that_cannot_run_is_broken_and_no_pass(
    ground: Connection, query: str, message: str
) -> None:
    rule = replace(RULES["rls-not-enabled"], query=query)
    with pytest.raises(RuleBroken) as caught:
        verify(ground, rule)
    assert message in str(caught.value)
    assert "rls-not-enabled" in str(caught.value)
    assert verify(ground, "rls-not-enabled").passed


def test_an_unknown_proof_is_broken(ground: Connection) -> None:
    with pytest.raises(RuleBroken, match="faith"):
        verify(ground, replace(RULES["rls-not-enabled"], proof="faith"))


def test_a_query_may_hold_percent_signs_and_braces(ground: Connection) -> None:
    rule = replace(
        RULES["rls-not-enabled"],
        query="SELECT t.object, '{schemas} 100%' AS detail, '' AS force FROM hk_table AS t"
        " WHERE t.name LIKE 'ord%' -- the end",
    )
    assert verify(ground, rule).findings[0].detail == "{schemas} 100%"


def exempting(
    rule: str, object: str, until: date | None = None
) -> tuple[RlsContract, RuleExemption]:
    exemption = RuleExemption(rule=rule, object=object, reason="because", until=until)
    return replace(CONTRACT, exemptions=(exemption,)), exemption


def judged(ground: Connection, contract: RlsContract) -> Verdict:
    exemption = contract.exemptions[0]
    return verify_exemption(ground, contract, exemption, RULES[exemption.rule], today=TODAY)


def test_an_exemption_keeps_one_finding_away(ground: Connection) -> None:
    ground.execute("CREATE TABLE shop.country (id int); CREATE TABLE shop.other (id int)")
    contract, _ = exempting("rls-not-enabled", "shop.country")
    verdict = verify(ground, "rls-not-enabled", contract)
    assert [finding.object for finding in verdict.findings] == ["shop.other"]
    assert judged(ground, contract).passed


def test_an_exemption_that_has_ended_fails_and_no_longer_exempts(ground: Connection) -> None:
    ground.execute("CREATE TABLE shop.country (id int)")
    contract, _ = exempting("rls-not-enabled", "shop.country", until=date(2026, 5, 31))
    assert found(ground, "rls-not-enabled") == ["shop.country"]
    assert not verify(ground, "rls-not-enabled", contract).passed
    assert "ended on 2026-05-31" in judged(ground, contract).findings[0].detail


def test_an_exemption_that_matches_nothing_fails(ground: Connection) -> None:
    ground.execute("CREATE TABLE shop.country (id int)")
    contract, _ = exempting("rls-not-enabled", "shop.countr")
    verdict = judged(ground, contract)
    assert not verdict.passed
    assert "did you mean 'shop.country'?" in verdict.findings[0].detail


def test_a_table_that_is_declared_open_needs_no_isolation(ground: Connection) -> None:
    ground.execute("CREATE TABLE shop.country (id int); GRANT SELECT ON shop.country TO shop_app")
    contract, _ = exempting("rls-not-enabled", "shop.country")
    assert not verify(ground, "identity-isolated").passed
    assert verify(ground, "identity-isolated", contract).passed
    assert verify(ground, "context-required", contract).passed


def test_an_exemption_from_a_proof_is_judged_by_the_proof(ground: Connection) -> None:
    ground.execute("CREATE POLICY x ON shop.orders USING (true)")
    contract, _ = exempting("context-required", "shop.orders")
    assert judged(ground, contract).passed
    ground.execute("DROP POLICY x ON shop.orders")
    assert not judged(ground, contract).passed


def test_where_every_table_is_exempt_from_a_proof_their_exemptions_are_what_is_judged(
    ground: Connection,
) -> None:
    tables = ("archive", "line", "orders")
    for table in tables:
        ground.execute(f"CREATE POLICY x ON shop.{table} USING (true)".encode())
    exemptions = tuple(exempting("context-required", f"shop.{each}")[1] for each in tables)
    contract = replace(CONTRACT, exemptions=exemptions)
    verdict = verify(ground, "context-required", contract)
    assert (verdict.passed, verdict.examined) == (True, 3)
    assert verdict.unit == "tables, all of them exempt"
    ground.execute("DROP POLICY x ON shop.archive")
    assert verify(ground, "context-required", contract).passed
    assert not judged(ground, contract).passed


def test_what_the_contract_names_must_be_there(ground: Connection) -> None:
    contract = replace(CONTRACT, schemas=("shop", "shpo"), roles=("shop_app", "shop_ap"))
    verdict = verify_scope(ground, contract)
    assert [finding.object for finding in verdict.errors] == ["shpo", "shop_ap"]
    assert "did you mean 'shop'?" in verdict.errors[0].detail
    assert "did you mean 'shop_app'?" in verdict.errors[1].detail
    assert verify_scope(ground, CONTRACT).passed


def test_public_rows_are_those_of_a_table_that_is_read(ground: Connection) -> None:
    def said(table: str, rows: str = "true") -> list[str]:
        open_rows = PublicRows(table=table, rows=rows, reason="for everybody")
        verdict = verify_scope(ground, replace(CONTRACT, public=(open_rows,)))
        return [f"{finding.object}: {finding.detail}" for finding in verdict.errors]

    assert said("shop.orders") == said("shop.orders", "note = 'x'") == []
    assert "did you mean 'shop.orders'?" in said("shop.order")[0]
    assert 'column "noet" does not exist' in said("shop.orders", "noet = 'x'")[0]
    ground.execute("REVOKE SELECT ON shop.archive FROM shop_app")
    assert "no role of rls.toml may read any" in said("shop.archive")[0]


def test_a_role_that_the_migrator_may_not_become_is_said(
    ground: Connection, superuser: Connection
) -> None:
    superuser.execute("CREATE ROLE hk_test_stranger")
    try:
        contract = replace(CONTRACT, roles=("hk_test_stranger",))
        verdict = verify_scope(ground, contract)
        assert verdict.errors[0].object == "hk_test_stranger"
        assert "cannot act as" in verdict.errors[0].detail
        with pytest.raises(RuleBroken, match="hk_test_stranger"):
            verify(ground, "context-required", contract)
    finally:
        superuser.execute("DROP ROLE hk_test_stranger")


def test_a_schema_without_a_table_is_a_notice(ground: Connection) -> None:
    ground.execute("CREATE SCHEMA later")
    verdict = verify_scope(ground, replace(CONTRACT, schemas=("shop", "later")))
    assert verdict.passed
    assert [(f.object, f.level) for f in verdict.findings] == [("later", Level.NOTICE)]


@pytest.mark.parametrize("contract", [STAY_OUT, WORK], ids=lambda contract: contract.name)
def test_sound_boundaries_have_no_finding(ground: Connection, contract: Contract) -> None:
    assert crossed(ground, contract) == []
    verdict = verify_contract(ground, BOUNDARIES, contract, shipped_rules())
    assert verdict.passed
    assert verdict.evidence


@pytest.mark.parametrize(
    ("rule", "defect", "object"),
    [
        ("boundary-table-privilege", "GRANT SELECT ON office.paper TO shop_app", "office.paper"),
        (
            "boundary-table-privilege",
            "GRANT UPDATE (title) ON office.paper TO shop_app",
            "office.paper",
        ),
        (
            "boundary-table-privilege",
            (
                "CREATE ROLE hk_test_middle; GRANT hk_test_middle TO shop_app;"
                "GRANT TRUNCATE ON office.paper TO hk_test_middle"
            ),
            "office.paper",
        ),
        ("boundary-public-grant", "GRANT SELECT ON office.paper TO PUBLIC", "office.paper"),
        ("boundary-public-grant", "GRANT SELECT (id) ON office.paper TO PUBLIC", "office.paper"),
        ("boundary-public-grant", "GRANT USAGE ON SCHEMA office TO PUBLIC", "office"),
        ("boundary-schema-privilege", "GRANT USAGE ON SCHEMA office TO shop_app", "office"),
        ("boundary-schema-privilege", "GRANT CREATE ON SCHEMA office TO shop_app", "office"),
        (
            "boundary-sequence-privilege",
            "GRANT USAGE ON SEQUENCE office.number TO shop_app",
            "office.number",
        ),
        (
            "boundary-function-privilege",
            "GRANT EXECUTE ON FUNCTION office.stamp() TO shop_app",
            "office.stamp()",
        ),
        (
            "boundary-function-privilege",
            "GRANT USAGE ON SCHEMA office TO shop_app",
            "office.stamp()",
        ),
        (
            "boundary-ownership",
            "GRANT CREATE ON SCHEMA office TO shop_app; ALTER TABLE office.paper OWNER TO shop_app",
            "office.paper",
        ),
        ("boundary-ownership", "ALTER SCHEMA office OWNER TO shop_app", "schema office"),
        (
            "boundary-default-privilege",
            "ALTER DEFAULT PRIVILEGES IN SCHEMA office GRANT SELECT ON TABLES TO shop_app",
            "office",
        ),
        (
            "boundary-default-privilege",
            "ALTER DEFAULT PRIVILEGES IN SCHEMA office GRANT EXECUTE ON FUNCTIONS TO PUBLIC",
            "office",
        ),
        (
            "boundary-reached",
            "GRANT USAGE ON SCHEMA office TO shop_app; GRANT SELECT ON office.paper TO PUBLIC",
            "office.paper",
        ),
        (
            "boundary-reached",
            "GRANT USAGE ON SCHEMA office TO shop_app; GRANT INSERT ON office.paper TO shop_app",
            "office.paper",
        ),
    ],
)
def test_a_crossing_is_found(ground: Connection, rule: str, defect: str, object: str) -> None:
    if "ALTER SCHEMA office OWNER" in defect:
        ground.execute("SAVEPOINT s")
        try:
            ground.execute(defect.encode())
        except psycopg.errors.InsufficientPrivilege:
            pytest.skip("this migrator may not give schemas away")
    else:
        ground.execute(defect.encode())
    findings = crossed(ground)
    assert (rule, object) in [(finding.rule, finding.object) for finding in findings]
    assert not [finding.fix for finding in findings if "{" in finding.fix]


def test_a_global_default_privilege_of_an_owner_is_found(ground: Connection) -> None:
    ground.execute("ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO shop_app")
    assert [finding.rule for finding in crossed(ground)] == ["boundary-default-privilege"]


def test_global_defaults_that_repeat_postgresql_are_none(ground: Connection) -> None:
    ground.execute("ALTER DEFAULT PRIVILEGES GRANT EXECUTE ON FUNCTIONS TO office_app")
    assert crossed(ground) == []


@pytest.mark.parametrize(
    "grant",
    [
        "GRANT office_app TO shop_app",
        "GRANT pg_read_all_data TO shop_app",
        (
            "CREATE ROLE hk_test_middle; GRANT office_app TO hk_test_middle;"
            "GRANT hk_test_middle TO shop_app"
        ),
    ],
)
def test_a_membership_that_crosses_is_found(
    ground: Connection, superuser: Connection, grant: str
) -> None:
    superuser.execute(grant.encode())
    try:
        rules = {(finding.rule, finding.object) for finding in crossed(ground)}
        assert ("boundary-membership", "shop_app") in rules
    finally:
        superuser.execute("DROP ROLE IF EXISTS hk_test_middle")


def test_a_table_that_a_zone_claims_is_no_part_of_the_app_around_it(ground: Connection) -> None:
    ground.execute("CREATE ROLE hk_test_guest; GRANT hk_test_guest TO CURRENT_USER")
    ground.execute("GRANT SELECT ON shop.archive TO hk_test_guest")
    guest = App(name="guest", roles=("hk_test_guest",), schemas=("office",))
    out_of = [
        Contract(name=f"out of {name}", type="forbidden", source="guest", target=name)
        for name in ("shop", "archive")
    ]
    boundaries = Boundaries(
        apps=(BOUNDARIES.apps[0], guest),
        zones=(Zone(name="archive", tables=("shop.archive",)),),
        contracts=tuple(out_of),
    )
    verdicts = [
        verify_contract(ground, boundaries, contract, shipped_rules(), behaviour=False)
        for contract in out_of
    ]
    assert verdicts[0].findings == ()
    assert [finding.object for finding in verdicts[1].findings] == ["shop.archive"]


@pytest.mark.parametrize(
    "defect",
    [
        "REVOKE USAGE ON SCHEMA shop FROM shop_app",
        "REVOKE ALL ON FUNCTION shop.tenant() FROM PUBLIC",
    ],
)
def test_an_allowed_way_that_does_not_work_is_found(ground: Connection, defect: str) -> None:
    ground.execute(defect.encode())
    findings = crossed(ground, WORK)
    assert {finding.rule for finding in findings} == {"boundary-allowed-broken"}
    assert "shop.orders" in {finding.object for finding in findings}


def test_an_allowed_contract_with_nothing_to_use_fails(ground: Connection) -> None:
    ground.execute("REVOKE ALL ON ALL TABLES IN SCHEMA shop FROM shop_app")
    findings = crossed(ground, WORK)
    assert [finding.object for finding in findings] == ["shop_app"]


def test_a_contract_about_a_target_that_is_empty_fails(ground: Connection) -> None:
    ground.execute("DROP SCHEMA office CASCADE; CREATE SCHEMA office")
    verdict = verify_contract(ground, BOUNDARIES, STAY_OUT, shipped_rules())
    assert not verdict.passed


def test_what_boundaries_name_must_be_there(ground: Connection) -> None:
    boundaries = replace(
        BOUNDARIES,
        apps=(
            replace(BOUNDARIES.apps[0], roles=("shop_ap",)),
            replace(BOUNDARIES.apps[1], schemas=("offices",)),
        ),
    )
    verdict = verify_contract(ground, boundaries, STAY_OUT, shipped_rules())
    assert [finding.object for finding in verdict.findings] == ["offices", "shop_ap"]
    assert "did you mean 'office'?" in verdict.findings[0].detail


def test_behaviour_may_be_left_out(ground: Connection) -> None:
    ground.execute(
        "GRANT USAGE ON SCHEMA office TO shop_app; GRANT SELECT ON office.paper TO PUBLIC"
    )
    verdict = verify_contract(ground, BOUNDARIES, STAY_OUT, shipped_rules(), behaviour=False)
    assert "boundary-reached" not in {finding.rule for finding in verdict.findings}
    assert "boundary-public-grant" in {finding.rule for finding in verdict.findings}
