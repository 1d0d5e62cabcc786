"""Fail-closed on an empty table: what the planner proves, what is refuted, what stays open."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from pytest_housekeeping.checks.rls import judge_rule
from pytest_housekeeping.checks.rls.expressions.context_only import read_context_only
from pytest_housekeeping.checks.rls.expressions.never_true import STRICT, KnownRows
from pytest_housekeeping.checks.rls.expressions.readable import UnreadableExpression
from pytest_housekeeping.checks.rls.expressions.rewrite import (
    ContextPart,
    PartValue,
    disjuncts_of,
    parts_of,
)
from pytest_housekeeping.model import Verdict
from pytest_housekeeping.postgres.connection import Connection
from support.guarded import CONTRACT, RULES, laid_ground

SETTING = "current_setting('app.tenant', true)"
MEMBER = "SELECT FROM shop.member m WHERE m.tenant = doc.tenant"
OWN = f"tenant = nullif({SETTING}, '')::integer"

GROUND = """
CREATE TABLE shop.member (person text NOT NULL, tenant integer NOT NULL);
GRANT SELECT ON shop.member TO shop_app;
CREATE TABLE shop.secret (tenant integer);
CREATE TABLE shop.doc (
    id integer PRIMARY KEY,
    tenant integer,
    firm uuid NOT NULL,
    person text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('memo', 'letter')),
    is_public boolean NOT NULL,
    tags text[],
    published timestamptz,
    owned_by name
);
ALTER TABLE shop.doc ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
GRANT SELECT, INSERT, UPDATE, DELETE ON shop.doc TO shop_app;
CREATE FUNCTION shop.tenant_plpgsql() RETURNS integer LANGUAGE plpgsql STABLE AS
$$ BEGIN RETURN nullif(current_setting('app.tenant', true), '')::integer; END $$;
CREATE FUNCTION shop.tenant_or_raise() RETURNS integer LANGUAGE plpgsql STABLE AS $$
DECLARE found text := current_setting('app.tenant', true);
BEGIN
    IF coalesce(found, '') = '' THEN RAISE EXCEPTION 'whom do you act for?'; END IF;
    RETURN found::integer;
END $$;
CREATE FUNCTION shop.tenant_defaulted() RETURNS integer LANGUAGE sql STABLE AS
$$ SELECT coalesce(nullif(current_setting('app.tenant', true), ''), '1')::integer $$;
CREATE FUNCTION shop.tenants() RETURNS integer[] LANGUAGE sql STABLE AS
$$ SELECT string_to_array(nullif(current_setting('app.tenant', true), ''), ',')::integer[] $$;
CREATE FUNCTION shop.tenant_of_table() RETURNS integer LANGUAGE sql STABLE AS
$$ SELECT tenant FROM shop.member LIMIT 1 $$;
CREATE FUNCTION shop.owns(integer) RETURNS boolean LANGUAGE sql STABLE AS
$$ SELECT $1 = nullif(current_setting('app.tenant', true), '')::integer $$;
CREATE FUNCTION shop.may(integer) RETURNS boolean LANGUAGE plpgsql STABLE AS
$$ BEGIN RETURN $1 = nullif(current_setting('app.tenant', true), '')::integer; END $$;
CREATE FUNCTION shop.maybe() RETURNS integer LANGUAGE plpgsql VOLATILE AS
$$ BEGIN RETURN (random() * 0)::integer; END $$;
CREATE FUNCTION shop.dynamic() RETURNS integer LANGUAGE plpgsql STABLE AS
$$ DECLARE found integer; BEGIN EXECUTE 'SELECT NULL::integer' INTO found; RETURN found; END $$;
CREATE FUNCTION shop.shut() RETURNS integer LANGUAGE sql STABLE AS 'SELECT 1';
REVOKE ALL ON FUNCTION shop.shut() FROM PUBLIC;
"""

CLOSED = [
    OWN,
    f"tenant = (SELECT nullif({SETTING}, '')::integer)",
    "tenant = shop.tenant()",
    "tenant = (SELECT shop.tenant())",
    "tenant = shop.tenant_plpgsql()",
    "tenant = shop.tenant_or_raise()",
    "tenant = current_setting('app.tenant')::integer",
    f"tenant = {SETTING}::integer",
    "firm = current_setting('app.tenant', true)::uuid",
    f"person = nullif({SETTING}, '')",
    f"tenant::text = nullif({SETTING}, '')",
    f"nullif({SETTING}, '') = person",
    f"{OWN} AND is_public",
    f"{OWN} OR firm = nullif({SETTING}, '')::uuid",
    f"(is_public OR kind = 'memo') AND {OWN}",
    f"tenant IS NOT NULL AND {OWN}",
    f"CASE WHEN is_public THEN {OWN} ELSE false END",
    f"CASE WHEN nullif({SETTING}, '') IS NOT NULL THEN true ELSE false END",
    f"NOT (tenant <> nullif({SETTING}, '')::integer)",
    f"nullif({SETTING}, '') IS NOT NULL AND (is_public OR {OWN})",
    f"tenant IN (nullif({SETTING}, '')::integer)",
    "tenant = ANY (shop.tenants())",
    f"tenant = ANY (string_to_array(nullif({SETTING}, ''), ',')::integer[])",
    f"tenant = ANY (ARRAY[nullif({SETTING}, '')::integer])",
    f"tenant IN (SELECT unnest(string_to_array({SETTING}, ','))::integer)",
    f"nullif({SETTING}, '') = ANY (tags)",
    f"tags @> ARRAY[nullif({SETTING}, '')]",
    f"tenant BETWEEN nullif({SETTING}, '')::integer AND nullif({SETTING}, '')::integer",
    f"person LIKE nullif({SETTING}, '')",
    f"person ^@ nullif({SETTING}, '')",
    f"EXISTS ({MEMBER} AND m.person = nullif({SETTING}, ''))",
    f"tenant IN (SELECT m.tenant FROM shop.member m WHERE m.person = nullif({SETTING}, ''))",
    f"EXISTS ({MEMBER} AND m.person = nullif({SETTING}, '')) OR {OWN}",
    "EXISTS (SELECT FROM shop.secret s WHERE s.tenant = doc.tenant)",
    "shop.owns(tenant)",
    "tenant = shop.shut()",
    "false",
    "owned_by = current_user AND false",
    f"(nullif({SETTING}, '')::json ->> 'tenant')::integer = tenant",
    f"pg_has_role(current_user, 'shop_app', 'USAGE') AND {OWN}",
    f"current_user = 'nobody' OR {OWN}",
]

REFUTED = [
    ("true", "every row passes"),
    ("1 = 1", "every row passes"),
    (f"coalesce(nullif({SETTING}, '')::integer, tenant) = tenant", "tenant = "),
    (f"{SETTING} IS NULL OR {OWN}", "absent"),
    (f"{SETTING} = '' OR {OWN}", "''"),
    (f"coalesce({SETTING}, '') = '' OR {OWN}", "every row passes"),
    (f"{OWN} OR is_public", "is_public = 'true'"),
    (f"{OWN} OR tenant IS NULL", "tenant IS NULL"),
    (f"{OWN} OR kind = 'letter'", "kind = 'letter'"),
    (f"{OWN} OR published < '2020-01-01'", "published = "),
    (f"NOT (nullif({SETTING}, '') = ANY (tags))", "tags = '{}'"),
    (f"CASE WHEN is_public THEN {OWN} ELSE true END", "is_public = 'false'"),
    (f"tenant IS DISTINCT FROM nullif({SETTING}, '')::integer", "tenant = "),
    (f"tenant IS NOT DISTINCT FROM nullif({SETTING}, '')::integer", "tenant IS NULL"),
    (f"NOT coalesce({OWN}, false)", "every row passes"),
    (f"{OWN} IS NOT TRUE", "every row passes"),
    (f"coalesce({OWN}, is_public)", "is_public = 'true'"),
    ("tenant = shop.tenant_defaulted()", "tenant = '1'"),
    (f"CASE WHEN nullif({SETTING}, '') IS NULL THEN is_public ELSE {OWN} END", "is_public"),
    (f"tenant <> ALL (string_to_array({SETTING}, ',')::integer[])", "''"),
    (f"person LIKE coalesce({SETTING}, '') || '%'", "person = "),
    (f"current_user = 'shop_app' OR {OWN}", "every row passes"),
    ("is_public", "is_public = 'true'"),
]

UNDECIDED = [
    f"NOT (nullif({SETTING}, '') = ANY (tags)) AND md5(person) = 'x'",
    "tenant = shop.tenant_of_table()",
    "tenant = shop.dynamic() AND published > now() + interval '900 years'",
    "md5(person) = 'no text is known that has this digest'",
    f"{OWN} OR EXISTS (SELECT FROM shop.member m WHERE m.tenant = doc.tenant)",
    f"session_user = 'somebody else' OR {OWN}",
    "extract(year FROM now()) > 3000 AND is_public",
]


@pytest.fixture
def ground(connection: Connection, superuser: Connection) -> Iterator[Connection]:
    with laid_ground(connection, superuser) as laid:
        laid.execute(GROUND.encode())
        yield laid


def judged(ground: Connection, rule: str = "context-required") -> Verdict:
    return judge_rule(ground, CONTRACT, RULES[rule], only=frozenset({"shop.doc"}))


def said(verdict: Verdict) -> str:
    return "\n".join(finding.detail for finding in verdict.findings)


def own(ground: Connection, condition: str) -> None:
    ground.execute(f"CREATE POLICY own ON shop.doc TO shop_app USING ({condition})".encode())


@pytest.mark.parametrize("condition", CLOSED)
def test_no_row_can_pass(ground: Connection, condition: str) -> None:
    own(ground, condition)
    verdict = judged(ground)
    assert verdict.findings == ()
    assert "the planner: no row passes its policies" in "\n".join(verdict.evidence)


@pytest.mark.parametrize(("condition", "words"), REFUTED)
def test_a_row_that_passes_is_named(ground: Connection, condition: str, words: str) -> None:
    own(ground, condition)
    text = said(judged(ground))
    assert "undecided" not in text
    assert "rows while the context is" in text
    assert words in text


@pytest.mark.parametrize("condition", UNDECIDED)
def test_what_is_neither_is_undecided(ground: Connection, condition: str) -> None:
    own(ground, condition)
    verdict = judged(ground)
    assert not verdict.passed
    assert said(verdict).startswith("undecided: shop_app reads rows while the context is")
    assert "decided by seed rows" in verdict.findings[0].fix


OTHER = f"CREATE POLICY a ON shop.doc USING ({OWN}); CREATE POLICY b ON shop.doc"
JOINED = {
    f"{OTHER} USING (true)": "reads",
    f"{OTHER} AS RESTRICTIVE USING (true)": "",
    f"CREATE POLICY a ON shop.doc AS RESTRICTIVE USING ({OWN});"
    "CREATE POLICY b ON shop.doc USING (true)": "",
    f"{OTHER} TO office_app USING (true)": "",
    f"{OTHER} FOR DELETE USING (true)": "deletes",
    f"{OTHER} FOR UPDATE USING (is_public) WITH CHECK (true)": "changes",
    f"CREATE POLICY a ON shop.doc USING ({OWN}) WITH CHECK (true)": "inserts",
    f"CREATE POLICY a ON shop.doc FOR INSERT WITH CHECK ({OWN})": "",
    "CREATE POLICY a ON shop.doc AS RESTRICTIVE USING (true)": "",
    "SELECT": "",
}


@pytest.mark.parametrize(("policies", "words"), JOINED.items())
def test_policies_are_joined_as_postgresql_joins_them(
    ground: Connection, policies: str, words: str
) -> None:
    ground.execute(policies.encode())
    assert (f"shop_app {words} rows" in said(judged(ground))) if words else judged(ground).passed


@pytest.mark.parametrize("change", ["DISABLE ROW LEVEL SECURITY", "NO FORCE ROW LEVEL SECURITY"])
def test_what_binds_nobody_proves_nothing(ground: Connection, change: str) -> None:
    own(ground, OWN)
    ground.execute(f"ALTER TABLE shop.doc {change}".encode())
    if change.startswith("NO"):
        ground.execute("GRANT CREATE ON SCHEMA shop TO shop_app")
        ground.execute("ALTER TABLE shop.doc OWNER TO shop_app")
    text = said(judged(ground))
    assert "row-level security is off" in text or "no policy binds it" in text


def test_an_error_is_said(ground: Connection) -> None:
    ground.execute("INSERT INTO shop.member VALUES ('a', 1)")
    own(ground, "tenant = current_setting('app.tenant')::integer")
    assert "42704" in "\n".join(judged(ground).evidence)


def test_a_function_whose_schema_is_closed_is_no_proof(ground: Connection) -> None:
    """The policy reaches the function without USAGE, its text would not: that is no refusal."""
    ground.execute(
        "CREATE SCHEMA inner_room; CREATE FUNCTION inner_room.one() RETURNS integer"
        " LANGUAGE sql STABLE AS 'SELECT 1'"
    )
    own(ground, "tenant = inner_room.one()")
    assert "tenant = '1'" in said(judged(ground))


def test_constraints_of_the_table_prove_nothing(ground: Connection) -> None:
    ground.execute("ALTER TABLE shop.doc ADD CHECK (tenant > 100)")
    own(ground, "tenant = 7")
    assert "reads rows while the context is absent" in said(judged(ground))


def test_rows_decide_what_functions_hide(ground: Connection) -> None:
    own(ground, "shop.may(tenant)")
    assert "shop.doc: shop_app: rows made up: absent: no row, '': no row" in judged(ground).evidence
    ground.execute(
        "ALTER TABLE shop.doc NO FORCE ROW LEVEL SECURITY;"
        "INSERT INTO shop.doc (id, tenant, firm, person, kind, is_public)"
        " VALUES (1, 1, gen_random_uuid(), 'a', 'memo', true);"
        "ALTER TABLE shop.doc FORCE ROW LEVEL SECURITY"
    )
    verdict = judged(ground)
    assert verdict.passed
    assert "shop.may(tenant)" in "\n".join(verdict.evidence)


def test_in_use_tables_are_proved_without_a_lock(
    connection: Connection, superuser: Connection
) -> None:
    """Gentle: what others may be at work on is not locked where the planner's proof stands."""
    with laid_ground(connection, superuser) as laid:
        laid.execute("DROP TABLE shop.line; COMMIT; BEGIN")
        try:
            before = "SELECT pg_current_xact_id_if_assigned() IS NULL"
            for rule in ("context-required", "identity-isolated"):
                verdict = judge_rule(laid, CONTRACT, RULES[rule], avoid_locks=True)
                assert verdict.findings == ()
                assert "the planner" in "\n".join(verdict.evidence)
                assert laid.execute(before).fetchone() == (True,)
        finally:
            for end in ("ROLLBACK", "DROP SCHEMA shop, office CASCADE", "BEGIN"):
                laid.execute(end.encode())


def test_acting_for_one_only_its_own_rows_pass(ground: Connection) -> None:
    """A row that cannot be made up: its constraint asks for what nobody can guess."""
    ground.execute("ALTER TABLE shop.doc ADD CHECK (md5(person) = repeat('0', 32))")
    own(ground, OWN)
    verdict = judged(ground, "identity-isolated")
    assert verdict.findings == ()
    assert "no row passes but its own" in "\n".join(verdict.evidence)
    own_again = "ALTER POLICY own ON shop.doc USING (tenant > 0 OR tenant = shop.tenant())"
    ground.execute(own_again)
    assert "sees a row of others" in said(judged(ground, "identity-isolated"))


def test_settings_that_are_not_declared_are_absent_too(ground: Connection) -> None:
    own(ground, f"{OWN} OR coalesce(current_setting('app.admin', true), 'on') = 'on'")
    assert "absent" in said(judged(ground))
    ground.execute("SELECT set_config('app.admin', 'off', true)")
    assert "absent" in said(judged(ground))


def test_parts_are_the_largest_ones_without_a_column(ground: Connection) -> None:
    context_only = read_context_only(ground)
    own = "(tenant = (NULLIF(current_setting('a.b'::text, true), ''::text))::integer)"
    parts = parts_of(own, context_only)
    assert len(parts) == 1
    assert disjuncts_of(own, context_only, {parts[0]: PartValue(type="integer")}, KnownRows()) == ()
    value = {parts[0]: PartValue(type="integer", text="1")}
    (disjunct,) = disjuncts_of(own, context_only, value, KnownRows())
    assert "current_setting" not in disjunct
    assert parts_of("(a = random())", context_only) == ()
    assert parts_of("(a > now())", context_only) == ()
    assert parts_of("(a = (SESSION_USER)::text)", context_only) == ()
    assert [part.many for part in parts_of("(a = ANY (shop.tenants()))", context_only)] == [True]
    assert ContextPart(text="x") != ContextPart(text="x", many=True)
    with pytest.raises(UnreadableExpression):
        parts_of("(a = ", context_only)


def test_the_operators_through_which_null_is_followed_are_strict(ground: Connection) -> None:
    found = ground.execute(
        "SELECT o.oprname FROM pg_operator AS o INNER JOIN pg_proc AS p ON p.oid = o.oprcode"
        " WHERE o.oprnamespace = 'pg_catalog'::regnamespace AND NOT p.proisstrict"
    ).fetchall()
    assert {name for (name,) in found}.isdisjoint(STRICT)


def test_a_contract_without_context_is_judged(ground: Connection) -> None:
    own(ground, "owned_by = current_user")
    contract = replace(CONTRACT, context=())
    verdict = judge_rule(ground, contract, RULES["context-required"], only=frozenset({"shop.doc"}))
    assert "owned_by = " in said(verdict)
