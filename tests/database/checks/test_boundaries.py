"""Every route from one part of the database to another is a finding; what leads nowhere is none."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from pytest_housekeeping.checks.boundaries.verdict import verify_contract, without_exempt
from pytest_housekeeping.checks.rules.batch import evaluate_batch
from pytest_housekeeping.checks.rules.evaluation import evaluate
from pytest_housekeeping.checks.rules.scope import boundary_scope
from pytest_housekeeping.declarations.boundaries import App, Contract
from pytest_housekeeping.declarations.exemptions import BoundaryExemption
from pytest_housekeeping.declarations.rules import BOUNDARY, shipped_rules
from pytest_housekeeping.evidence.kinds import causes_of
from pytest_housekeeping.model import LetStand, Level, Verdict
from pytest_housekeeping.postgres.connection import Connection
from support.guarded import BOUNDARIES, STAY_OUT, WORK, crossed

ONE_SESSION = True
BODY = "boundary-function-body"
BUILT_ON = "boundary-dependency"
LAUNDERED = "boundary-laundering"
SHOWN = "boundary-view"
GRANTED_TO_OFFICE = (
    "SELECT table_schema, table_name, privilege_type FROM information_schema.role_table_grants"
    " WHERE grantee = 'office_app' UNION ALL SELECT 'office', 'stamp', 'EXECUTE'"
    " WHERE has_function_privilege('office_app', 'office.stamp()', 'EXECUTE') ORDER BY 1, 2, 3"
)


def function(name: str, body: str, *, language: str = "plpgsql", more: str = "") -> str:
    return (
        f"CREATE FUNCTION {name}() RETURNS bigint LANGUAGE {language} {more}"
        f" SET search_path = '' AS $$ {body} $$; GRANT EXECUTE ON FUNCTION {name}() TO shop_app"
    )


def trigger(table: str, name: str, body: str) -> str:
    return (
        f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql SET search_path = ''"
        f" AS $$ BEGIN {body}; RETURN NEW; END $$; REVOKE ALL ON FUNCTION {name}() FROM PUBLIC;"
        f" CREATE TRIGGER hop AFTER INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION {name}()"
    )


READS = "BEGIN RETURN (SELECT count(*) FROM office.paper); END"


@pytest.mark.parametrize(
    ("rule", "route", "object"),
    [
        pytest.param(
            BUILT_ON,
            "ALTER TABLE shop.line ADD paper integer"
            " CONSTRAINT to_paper REFERENCES office.paper (id)",
            "to_paper on shop.line",
            id="a key that refers to the target",
        ),
        pytest.param(
            BUILT_ON,
            "ALTER TABLE office.paper ADD line integer"
            " CONSTRAINT to_line REFERENCES shop.line (id)",
            "to_line on office.paper",
            id="a key of the target's that refers to the source",
        ),
        pytest.param(
            BUILT_ON,
            "CREATE TYPE office.mood AS ENUM ('good'); ALTER TABLE shop.line ADD mood office.mood",
            "shop.line.mood",
            id="a column of the target's type",
        ),
        pytest.param(
            BUILT_ON,
            "CREATE TABLE shop.kid () INHERITS (office.paper)",
            "shop.kid",
            id="a child of the target's table",
        ),
        pytest.param(
            BUILT_ON,
            "CREATE TABLE office.year (y integer) PARTITION BY LIST (y);"
            "CREATE TABLE shop.part PARTITION OF office.year FOR VALUES IN (1)",
            "shop.part",
            id="a partition of the target's table",
        ),
        pytest.param(
            BUILT_ON,
            "ALTER TABLE shop.line ALTER amount SET DEFAULT nextval('office.number')",
            "for shop.line.amount",
            id="a default out of the target's sequence",
        ),
        pytest.param(
            BUILT_ON,
            "ALTER TABLE shop.line ADD CONSTRAINT stamped CHECK (amount > office.stamp())",
            "stamped on shop.line",
            id="a check that calls the target's function",
        ),
        pytest.param(
            BUILT_ON,
            "CREATE FUNCTION office.fixed(numeric) RETURNS numeric LANGUAGE sql IMMUTABLE"
            " AS 'SELECT $1'; CREATE INDEX by_fixed ON shop.line (office.fixed(amount))",
            "shop.by_fixed",
            id="an index over the target's function",
        ),
        pytest.param(
            BUILT_ON,
            "CREATE POLICY hop ON shop.line TO shop_app"
            " USING (EXISTS (SELECT FROM office.paper AS p WHERE p.id = line.id))",
            "hop on shop.line",
            id="a policy that reads the target",
        ),
        pytest.param(
            BUILT_ON,
            "ALTER TABLE office.paper ENABLE ROW LEVEL SECURITY;"
            "CREATE POLICY hop ON office.paper USING (id = shop.tenant())",
            "hop on office.paper",
            id="a policy of the target's that calls the source's function",
        ),
        pytest.param(
            BUILT_ON,
            "CREATE FUNCTION office.note() RETURNS trigger LANGUAGE plpgsql"
            " AS $$ BEGIN RETURN NEW; END $$; CREATE TRIGGER hop BEFORE INSERT ON shop.line"
            " FOR EACH ROW EXECUTE FUNCTION office.note()",
            "hop on shop.line",
            id="a trigger that runs the target's function",
        ),
        pytest.param(
            BUILT_ON,
            "CREATE FUNCTION shop.told() RETURNS bigint LANGUAGE sql"
            " BEGIN ATOMIC SELECT count(*) FROM office.paper; END",
            "shop.told()",
            id="a function whose body is parsed",
        ),
        pytest.param(
            BUILT_ON,
            "CREATE VIEW shop.seen WITH (security_invoker = true) AS SELECT id FROM office.paper",
            "shop.seen",
            id="a view, whoever reads it",
        ),
        pytest.param(
            SHOWN,
            "CREATE VIEW public.hall AS SELECT id FROM office.paper;"
            "CREATE VIEW public.door AS SELECT id FROM public.hall;"
            "GRANT SELECT ON public.door TO shop_app",
            "public.door",
            id="a chain of views in nobody's schema",
        ),
        pytest.param(
            SHOWN,
            "CREATE MATERIALIZED VIEW public.kept AS SELECT id FROM office.paper;"
            "GRANT SELECT ON public.kept TO PUBLIC",
            "public.kept",
            id="a materialized view",
        ),
        pytest.param(
            SHOWN,
            "CREATE VIEW public.one AS SELECT id, title FROM office.paper;"
            "GRANT SELECT (title) ON public.one TO shop_app",
            "public.one",
            id="one column of a view",
        ),
        pytest.param(BODY, function("shop.f", READS), "shop.f()", id="the caller's rights"),
        pytest.param(
            BODY,
            function("shop.f", READS, more="SECURITY DEFINER"),
            "shop.f()",
            id="the owner's rights",
        ),
        pytest.param(
            BODY,
            function("shop.f", "SELECT count(*) FROM office.paper", language="sql"),
            "shop.f()",
            id="a body in SQL",
        ),
        pytest.param(
            BODY,
            "CREATE SCHEMA common; GRANT USAGE ON SCHEMA common TO shop_app;"
            + function("common.f", READS),
            "common.f()",
            id="a function of nobody's schema",
        ),
        pytest.param(
            BODY,
            "CREATE FUNCTION shop.deep() RETURNS bigint LANGUAGE plpgsql SET search_path = ''"
            f" AS $$ {READS} $$; REVOKE ALL ON FUNCTION shop.deep() FROM PUBLIC;"
            + function("shop.f", "BEGIN RETURN shop.deep(); END", more="SECURITY DEFINER"),
            "shop.f()",
            id="by way of another function",
        ),
        pytest.param(
            BODY,
            "CREATE FUNCTION shop.f() RETURNS bigint LANGUAGE plpgsql SET search_path = 'office'"
            " AS $$ BEGIN RETURN (SELECT count(*) FROM paper); END $$",
            "shop.f()",
            id="a bare name and a search_path",
        ),
        pytest.param(
            BODY,
            trigger("shop.line", "shop.hop", "INSERT INTO office.paper VALUES (NEW.id, 'x')"),
            "shop.hop()",
            id="a trigger that writes across",
        ),
        pytest.param(
            BODY,
            function(
                "shop.f",
                "DECLARE n bigint; BEGIN EXECUTE format('SELECT 1 FROM %I.paper', 'office')"
                " INTO n; RETURN n; END",
                more="SECURITY DEFINER",
            ),
            "shop.f()",
            id="a statement built at run time, with the owner's rights",
        ),
        pytest.param(
            BODY,
            function(
                "shop.f",
                "DECLARE n bigint; BEGIN -- hk: reaches office.paper -- it says so itself\n"
                "EXECUTE format('SELECT 1') INTO n; RETURN n; END",
                more="SECURITY DEFINER",
            ),
            "shop.f()",
            id="a hint that names the target",
        ),
        pytest.param(
            LAUNDERED,
            trigger("office.paper", "office.hop", "INSERT INTO shop.line (amount) VALUES (NEW.id)"),
            "office.hop()",
            id="a trigger of the target's that copies",
        ),
        pytest.param(
            LAUNDERED,
            "CREATE FUNCTION office.copy() RETURNS void LANGUAGE sql"
            " AS 'INSERT INTO shop.line (amount) SELECT id FROM office.paper'",
            "office.copy()",
            id="a function that copies",
        ),
    ],
)
def test_a_route_is_found(ground: Connection, rule: str, route: str, object: str) -> None:
    ground.execute(route.encode())

    findings = crossed(ground)

    assert (rule, object) in [(finding.rule, finding.object) for finding in findings]
    assert all(finding.fix and "{" not in finding.fix for finding in findings)


@pytest.mark.parametrize(
    "harmless",
    [
        pytest.param(
            "CREATE VIEW office.report AS SELECT amount FROM shop.line", id="the target looks on"
        ),
        pytest.param(
            "CREATE VIEW public.hall AS SELECT id FROM office.paper;"
            "CREATE VIEW public.door AS SELECT id FROM public.hall",
            id="a view that the source may not read",
        ),
        pytest.param(
            "CREATE FUNCTION shop.ours() RETURNS bigint LANGUAGE sql"
            " AS 'SELECT count(*) FROM shop.line'",
            id="a function of its own",
        ),
        pytest.param(
            "CREATE FUNCTION shop.f() RETURNS void LANGUAGE plpgsql"
            " AS $$ BEGIN EXECUTE 'SELECT 1'; END $$",
            id="built at run time with the caller's own rights",
        ),
        pytest.param(
            "CREATE FUNCTION shop.f() RETURNS void LANGUAGE plpgsql SECURITY DEFINER"
            " SET search_path = '' AS $$ BEGIN\n-- hk: reaches shop.line -- the month's partition\n"
            "EXECUTE 'SELECT 1'; END $$",
            id="built at run time and said to stay at home",
        ),
        pytest.param(
            "CREATE FUNCTION office.own() RETURNS bigint LANGUAGE sql"
            " AS 'SELECT count(*) FROM office.paper';"
            "REVOKE ALL ON FUNCTION office.own() FROM PUBLIC",
            id="the target's own function",
        ),
        pytest.param("COMMENT ON TABLE shop.line IS 'like office.paper'", id="a name in a comment"),
    ],
)
def test_what_leads_nowhere_is_none(ground: Connection, harmless: str) -> None:
    ground.execute(harmless.encode())

    assert crossed(ground) == []


VIEW = (
    "CREATE VIEW public.door AS SELECT id FROM office.paper;GRANT SELECT ON public.door TO shop_app"
)
EXEMPT = BoundaryExemption(
    rule=SHOWN,
    contract=STAY_OUT.name,
    object="public.door",
    detail="shop_app may select from it and see office.paper, with the rights of its owner",
    reason="the monthly report",
)
TODAY = date(2026, 6, 1)


def judged(connection: Connection, *exempt: BoundaryExemption, behaviour: bool = True) -> Verdict:
    verdict = verify_contract(
        connection, BOUNDARIES, STAY_OUT, shipped_rules(), behaviour=behaviour
    )
    return without_exempt(verdict, STAY_OUT, exempt, today=TODAY, behaviour=behaviour)


def test_an_exemption_lets_one_finding_stand(ground: Connection) -> None:
    ground.execute(VIEW)
    assert [each.rule for each in judged(ground).findings] == [SHOWN]
    verdict = judged(ground, EXEMPT)
    assert verdict.passed
    assert verdict.exempted == (
        LetStand(rule=SHOWN, object="public.door", reason="the monthly report"),
    )


@pytest.mark.parametrize(
    ("wider", "now"),
    [
        ("GRANT SELECT ON public.door TO PUBLIC", "PUBLIC"),
        (
            "CREATE OR REPLACE VIEW public.door AS SELECT id FROM office.paper, office.pay",
            "see office.paper, office.pay",
        ),
    ],
)
def test_what_is_wider_than_the_exemption_is_another_finding(
    ground: Connection, wider: str, now: str
) -> None:
    ground.execute(VIEW)
    ground.execute("CREATE TABLE office.pay (amount integer)")
    assert judged(ground, EXEMPT).passed
    ground.execute(wider.encode())
    verdict = judged(ground, EXEMPT)
    assert [each.rule for each in verdict.findings] == [SHOWN, "boundary-exemption"]
    assert now in verdict.findings[0].detail
    assert verdict.findings[0].detail in verdict.findings[1].detail
    assert verdict.exempted == ()


@pytest.mark.parametrize(
    "changed",
    [
        {"object": "public.doors"},
        {"rule": BODY},
        {"detail": "shop_app may select from it"},
        {"until": date(2026, 5, 31)},
    ],
)
def test_an_exemption_that_is_over_or_matches_nothing_fails(
    ground: Connection, changed: dict[str, Any]
) -> None:
    ground.execute(VIEW)
    verdict = judged(ground, replace(EXEMPT, **changed))
    assert [each.rule for each in verdict.findings] == [SHOWN, "boundary-exemption"]
    assert verdict.findings[1].level is Level.ERROR
    # Of another contract it is none of this one's business.
    other = replace(EXEMPT, contract=WORK.name)
    assert [each.rule for each in judged(ground, other).findings] == [SHOWN]


def test_before_the_schema_is_finished_an_exemption_may_match_nothing(ground: Connection) -> None:
    assert judged(ground, EXEMPT, behaviour=False).passed
    (idle,) = judged(ground, EXEMPT).findings
    assert "matches no finding" in idle.detail
    ground.execute(VIEW)
    assert judged(ground, EXEMPT, behaviour=False).passed


def test_a_foreign_server_is_a_way_out(ground: Connection, superuser: Connection) -> None:
    superuser.execute(
        'CREATE FOREIGN DATA WRAPPER elsewhere; CREATE SERVER "Far Away" FOREIGN DATA WRAPPER'
        ' elsewhere; GRANT USAGE ON FOREIGN SERVER "Far Away" TO shop_app'
    )

    (finding,) = crossed(ground)

    assert (finding.rule, finding.object) == ("boundary-way-out", 'SERVER "Far Away"')
    assert finding.fix == 'REVOKE USAGE ON FOREIGN SERVER "Far Away" FROM PUBLIC, shop_app;'
    superuser.execute(finding.fix.encode())
    assert crossed(ground) == []


def test_the_repair_of_a_finding_repairs_it(ground: Connection) -> None:
    ground.execute(
        "CREATE VIEW public.one AS SELECT id FROM office.paper;"
        "GRANT SELECT ON public.one TO shop_app;"
        "ALTER TABLE shop.line ADD paper integer CONSTRAINT to_paper REFERENCES office.paper (id);"
        + trigger("shop.line", "shop.hop", "PERFORM 1 FROM office.paper")
    )
    found = crossed(ground)
    assert len(found) == 3

    for finding in found:
        ground.execute(finding.fix.encode())
    assert crossed(ground) == []


def test_a_membership_is_the_one_cause_and_the_other_app_keeps_its_grants(
    ground: Connection, superuser: Connection
) -> None:
    """Through a group of its own as well: what is revoked is the way into the other's role."""
    ground.execute("CREATE VIEW office.one AS SELECT id FROM office.paper")
    ground.execute("CREATE VIEW public.two AS SELECT id FROM office.paper")
    ground.execute("GRANT SELECT ON office.one, public.two TO office_app")
    before = ground.execute(GRANTED_TO_OFFICE).fetchall()
    superuser.execute("CREATE ROLE shop_group; GRANT shop_group TO shop_app")
    superuser.execute("GRANT office_app TO shop_group")
    try:
        found = crossed(ground)
        causes = causes_of(found)
        heads = [each for each, cause in zip(found, causes, strict=True) if not cause]
        assert [(e.rule, e.object) for e in heads] == [("boundary-membership", "shop_app")]
        assert {each.rule for each in found} >= {
            "boundary-reached",
            "boundary-schema-privilege",
            "boundary-table-privilege",
            "boundary-view",
        }
        assert heads[0].fix == "REVOKE office_app FROM shop_group;"
        # Whoever runs all of them takes nothing from the other app.
        for finding in found:
            if not finding.fix.startswith("REVOKE office_app"):
                ground.execute(finding.fix.encode())
        superuser.execute(heads[0].fix.encode())
        assert crossed(ground) == []
        assert ground.execute(GRANTED_TO_OFFICE).fetchall() == before
    finally:
        superuser.execute("DROP ROLE shop_group")


def test_what_an_allowed_way_lacks_is_granted_and_nothing_else(ground: Connection) -> None:
    """A schema that may be entered is not granted again where a policy's function is what lacks."""
    for lack, granted in (
        ("REVOKE USAGE ON SCHEMA shop FROM shop_app", "GRANT USAGE ON SCHEMA shop TO shop_app;"),
        (
            "REVOKE ALL ON FUNCTION shop.tenant() FROM PUBLIC",
            "GRANT EXECUTE ON FUNCTION shop.tenant() TO shop_app;",
        ),
        (
            "REVOKE SELECT ON shop.orders FROM shop_app",
            "GRANT SELECT ON shop.orders TO shop_app;",
        ),
    ):
        ground.execute("SAVEPOINT lack")
        ground.execute(lack.encode())
        found = crossed(ground, WORK)
        assert {each.fix for each in found} == {granted}, lack
        assert {each.role for each in found} == {"shop_app"}
        ground.execute(granted.encode())
        assert crossed(ground, WORK) == []
        ground.execute("ROLLBACK TO SAVEPOINT lack; RELEASE SAVEPOINT lack")


def test_names_with_quotes_and_dots(ground: Connection) -> None:
    ground.execute(
        'CREATE TABLE shop."Line.Item" (id integer, CONSTRAINT "to.Paper" FOREIGN KEY (id)'
        " REFERENCES office.paper (id))"
    )

    (finding,) = crossed(ground)

    assert finding.object == '"to.Paper" on shop."Line.Item"'
    ground.execute(finding.fix.encode())
    assert crossed(ground) == []


@pytest.mark.parametrize("contract", [STAY_OUT, WORK], ids=lambda each: each.type)
def test_looking_together_sees_what_each_rule_sees(ground: Connection, contract: Contract) -> None:
    ground.execute(
        "GRANT USAGE ON SCHEMA office TO shop_app; GRANT SELECT ON office.paper TO public"
    )
    scope = boundary_scope(BOUNDARIES, contract)
    rules = [
        each
        for each in shipped_rules()
        if (each.family, each.contract, each.proof) == (BOUNDARY, contract.type, "")
    ]

    alone = {rule.id: evaluate(ground, scope, rule) for rule in rules}

    assert evaluate_batch(ground, scope, rules) == alone
    assert (contract == STAY_OUT) == any(seen.rows for seen in alone.values())


def test_an_app_without_a_schema_of_that_name_crosses_nothing(ground: Connection) -> None:
    """The contract holds between two apps, and a third one's objects are no matter of it."""
    third = App(name="third", roles=("office_app",), schemas=("public",))
    contract = Contract(name="third stays out", type="forbidden", source="third", target="shop")
    ground.execute("ALTER TABLE office.paper ADD line integer REFERENCES shop.line (id)")
    boundaries = type(BOUNDARIES)(apps=(BOUNDARIES.apps[0], third), zones=(), contracts=(contract,))

    verdict = verify_contract(ground, boundaries, contract, shipped_rules())

    assert BUILT_ON not in {finding.rule for finding in verdict.findings}


def test_a_closed_schema_is_refused_once_and_in_an_open_one_each_relation(
    ground: Connection,
) -> None:
    rules = [rule for rule in shipped_rules() if rule.id == "boundary-reached"]

    def judged() -> tuple[set[str], str]:
        verdict = verify_contract(ground, BOUNDARIES, STAY_OUT, rules)
        return {finding.object for finding in verdict.findings}, " ".join(verdict.evidence)

    found, evidence = judged()
    assert not found
    assert evidence.endswith("relations answered 42501, all of schema office")
    ground.execute("GRANT USAGE ON SCHEMA office TO shop_app")
    found, evidence = judged()
    assert not found
    assert evidence.endswith("relations answered 42501")
    ground.execute("GRANT DELETE ON office.paper TO shop_app")
    assert judged()[0] == {"office.paper"}
