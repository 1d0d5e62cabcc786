"""checks/rls.toml: what is read, and what is refused."""

from __future__ import annotations

from datetime import date

import pytest

from pytest_housekeeping.declarations.exemptions import RuleExemption
from pytest_housekeeping.declarations.identity import Claim, settings_of, strangers_of
from pytest_housekeeping.declarations.rls import DeclaredPolicy, PublicRows, parse_rls
from pytest_housekeeping.errors import MisuseError

RULES = ("rls-not-enabled", "rls-not-forced")
GOOD = """
schemas = ["venture", "Weird Schema"]
roles = ["venture_app"]
context = ["app.tenant_id"]
"""
EXEMPT = """
[[exempt]]
rule = "rls-not-enabled"
object = "venture.country"
reason = "public"
"""
PUBLIC = """
[[public]]
table = "venture.country"
reason = "names of countries"
"""
CLAIMS = "request.jwt.claims"
SUB = f'{{ setting = "{CLAIMS}", path = ["sub"] }}'
POLICY = """
[[policy]]
table = "venture.orders"
name = "own"
roles = ["venture_app"]
using = "(tenant_id = 1)"
"""


def in_context(entry: str) -> str:
    return GOOD.replace('"app.tenant_id"', f'"app.tenant_id", {entry}')


def refused(text: str) -> str:
    with pytest.raises(MisuseError) as caught:
        parse_rls(text, known_rules=RULES)
    return str(caught.value)


def test_a_contract_is_read() -> None:
    contract = parse_rls(GOOD + EXEMPT + "until = 2027-06-30\n", known_rules=RULES)
    assert contract.schemas == ("venture", "Weird Schema")
    assert contract.roles == ("venture_app",)
    assert contract.context == ("app.tenant_id",)
    assert contract.exemptions == (
        RuleExemption(
            rule="rls-not-enabled",
            object="venture.country",
            reason="public",
            until=date(2027, 6, 30),
        ),
    )


def test_an_exemption_holds_on_its_last_day() -> None:
    exemption = RuleExemption(rule="r", object="o", reason="x", until=date(2026, 6, 30))
    assert exemption.holds_on(date(2026, 6, 30))
    assert not exemption.holds_on(date(2026, 7, 1))
    assert RuleExemption(rule="r", object="o", reason="x").holds_on(date.max)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "it is empty"),
        ("schemas = [", "it is not TOML"),
        ('schemas = ["a"]\nroles = ["b"]', "has no 'context'"),
        (GOOD.replace("roles", "role"), "unknown key 'role' (did you mean 'roles'?)"),
        (GOOD.replace('["venture_app"]', '"venture_app"'), "not a list of role names"),
        (GOOD.replace('["venture_app"]', "[]"), "'roles' of the file is empty"),
        (GOOD.replace('["venture_app"]', "[7]"), "holds 7"),
        (GOOD.replace('["venture_app"]', '["a", "a"]'), "more than once"),
        (GOOD.replace("app.tenant_id", "tenant_id"), "which are written 'app.tenant_id'"),
        (GOOD + 'exempt = ["x"]', "a list of tables"),
        (GOOD + EXEMPT.replace("public", ""), "not a text"),
        (GOOD + EXEMPT.replace('reason = "public"', ""), "has no 'reason'"),
        (GOOD + EXEMPT.replace("venture.country", "venture.*"), "wildcard"),
        (GOOD + EXEMPT.replace("enabled", "enable"), "did you mean 'rls-not-enabled'?"),
        (GOOD + EXEMPT.replace("rls-not-enabled", "boundary-view"), "into boundaries.toml"),
        (GOOD + EXEMPT + EXEMPT, "repeats the exemption"),
        (GOOD + EXEMPT + 'until = "2027"', "not a day"),
        (GOOD + EXEMPT + "until = 2027-06-30T00:00:00", "not a day"),
        (GOOD + EXEMPT + "til = 2027-06-30", "did you mean 'until'?"),
        (GOOD + POLICY.replace('name = "own"', ""), "has no 'name'"),
        (in_context("7"), "holds 7, which is none of settings"),
        (in_context("{ setting = 'app.x' }"), "has no 'path'"),
        (in_context(SUB.replace("sub", "")), "is no list of keys such as ['sub']"),
        (in_context(SUB.replace('["sub"]', '"sub"')), "is no list of keys such as ['sub']"),
        (in_context(SUB.replace(CLAIMS, "claims")), "is no setting such as 'app.claims'"),
        (in_context(SUB.replace("path", "paths")), "did you mean 'path'?"),
        (in_context(SUB.replace(" }", ", many = 1 }")), "neither true nor false"),
        (in_context(f"{SUB}, {SUB}"), "more than once"),
        (in_context(f'{SUB}, "{CLAIMS}"'), "with a path, and without one"),
        (GOOD + PUBLIC.replace("reason", "because"), "has no 'reason'"),
        (GOOD + PUBLIC + 'row = "x"', "did you mean 'rows'?"),
        (GOOD + PUBLIC + PUBLIC, "repeats venture.country"),
        (GOOD + POLICY + 'command = "SELECTS"', "did you mean 'SELECT'?"),
        (GOOD + POLICY + "permissive = 1", "neither true nor false"),
        (GOOD + POLICY + 'usign = "x"', "did you mean 'using'?"),
        (GOOD + POLICY + POLICY, "repeats the policy"),
    ],
)
def test_what_is_wrong_is_said(text: str, message: str) -> None:
    assert message in refused(text)


def test_every_problem_is_said_at_once_with_the_file() -> None:
    text = refused('schemas = "x"\ncolour = 1\n' + EXEMPT.replace("enabled", "x"))
    assert text.startswith("checks/rls.toml")
    for word in ("schemas", "colour", "roles", "rls-not-x", "why:", "fix:"):
        assert word in text


def test_a_star_inside_a_quoted_name_is_a_name() -> None:
    text = GOOD + EXEMPT.replace('"venture.country"', "'venture.\"five*\"'")
    assert parse_rls(text, known_rules=RULES).exemptions[0].object == 'venture."five*"'


def test_a_declared_policy_is_read() -> None:
    text = GOOD + POLICY + 'command = "SELECT"\npermissive = false\n'
    contract = parse_rls(text, known_rules=RULES)
    assert contract.policies == (
        DeclaredPolicy(
            table_object="venture.orders",
            name="own",
            command="SELECT",
            permissive=False,
            roles=("venture_app",),
            using_expression="(tenant_id = 1)",
        ),
    )
    assert "venture.orders" in contract.policies_json()


def test_identity_in_json_is_read() -> None:
    teams = f'{{ setting = "{CLAIMS}", path = ["meta", "teams"], many = true }}'
    contract = parse_rls(in_context(f"{SUB}, {teams}") + PUBLIC, known_rules=RULES)
    assert contract.context == ("app.tenant_id", CLAIMS)
    tenant, sub, team = contract.identity
    assert tenant == Claim(setting="app.tenant_id")
    assert str(sub) == 'request.jwt.claims -> "sub"'
    assert team == Claim(setting=CLAIMS, path=("meta", "teams"), many=True)
    assert contract.public == (PublicRows(table="venture.country", reason="names of countries"),)
    assert "venture.country" in contract.public_json()


def test_identities_are_made_up_inside_the_json() -> None:
    tenant = Claim(setting="app.tenant_id")
    sub, meta = (Claim(setting=CLAIMS, path=path) for path in (("sub",), ("meta", "org")))
    teams = Claim(setting=CLAIMS, path=("meta", "teams"), many=True)
    context = (tenant, sub, meta, teams)
    identity = ((sub, 'a"b'), (meta, "7"), (teams, "007"))
    assert settings_of(context, identity) == (
        ("app.tenant_id", ""),
        (CLAIMS, '{"sub": "a\\"b", "meta": {"org": 7, "teams": ["007"]}}'),
    )
    assert settings_of(context, ()) == (("app.tenant_id", ""), (CLAIMS, ""))
    assert list(strangers_of(context)) == [
        ("{}", (("app.tenant_id", ""), (CLAIMS, "{}"))),
        ("{} with empty lists", (("app.tenant_id", ""), (CLAIMS, '{"meta": {"teams": []}}'))),
    ]
    assert list(strangers_of((tenant,))) == []
