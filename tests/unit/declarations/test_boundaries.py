"""checks/boundaries.toml: what is read, and what is refused."""

from __future__ import annotations

import pytest

from pytest_housekeeping.declarations.boundaries import App, Contract, Zone, parse_boundaries
from pytest_housekeeping.errors import MisuseError

GOOD = """
[apps.venture]
roles = ["venture_app"]
schemas = ["venture"]
code = ["venture/**"]

[apps.engineering]
roles = ["engineering_app"]
schemas = ["engineering"]

[zones.governance]
schemas = ["governance"]
tables = ["public.audit_log"]

[[contract]]
name = "out"
type = "forbidden"
source = "venture"
target = "governance"
"""
MORE = """
[[contract]]
name = "{name}"
type = "{type}"
source = "{source}"
target = "{target}"
"""


def contract(
    name: str = "in",
    type: str = "allowed",
    source: str = "venture",
    target: str = "venture",
) -> str:
    return GOOD + MORE.format(name=name, type=type, source=source, target=target)


def test_boundaries_are_read() -> None:
    boundaries = parse_boundaries(contract())
    venture = App(
        name="venture", roles=("venture_app",), schemas=("venture",), code=("venture/**",)
    )
    governance = Zone(name="governance", schemas=("governance",), tables=("public.audit_log",))
    out = Contract(name="out", type="forbidden", source="venture", target="governance")
    assert boundaries.apps[0] == venture
    assert boundaries.zones == (governance,)
    assert boundaries.contracts[0] == out
    assert boundaries.source(out) == venture
    assert boundaries.target(out) == governance
    assert boundaries.target(boundaries.contracts[1]) == venture


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "it is empty"),
        ("[apps", "it is not TOML"),
        ("[app.x]", "unknown key 'app' (did you mean 'apps'?)"),
        ("apps = 1", "a table for each name"),
        ("apps.venture = 1", "is not a table"),
        ('[apps.x]\nroles = ["r"]', "[apps.x] has no 'schemas'"),
        ('[apps.x]\nrole = ["r"]\nschemas = ["s"]', "did you mean 'roles'?"),
        ("[zones.x]", "neither schemas nor tables"),
        ('[zones.x]\ntables = ["audit"]', "written 'schema.table'"),
        ("contract = 1", "a list of tables"),
        (contract(target="ventur"), "did you mean 'venture'?"),
        (contract(source="ventur"), "did you mean 'venture'?"),
        (contract(source="governance"), "which has no role"),
        (contract(type="forbiden"), "did you mean 'forbidden'?"),
        (contract(name="out"), "two contracts have the name 'out'"),
        (contract(target="governance"), "contradicts 'out'"),
        (contract(type="forbidden", target="governance"), "repeats 'out'"),
        (contract(type="forbidden"), "forbids 'venture' its own part"),
        (GOOD + '[zones.venture]\nschemas = ["x"]', "as an app and as a zone"),
        (GOOD + '[zones.x]\nschemas = ["venture"]', "belongs to 'venture' and to 'x'"),
        (GOOD + '[apps.x]\nroles = ["venture_app"]\nschemas = ["x"]', "role 'venture_app'"),
        (GOOD + '[[contract]]\nname = "x"\ntype = "allowed"\nsource = "venture"', "no 'target'"),
        (GOOD + "colour = 1", "unknown key 'colour'"),
    ],
)
def test_what_is_wrong_is_said(text: str, message: str) -> None:
    with pytest.raises(MisuseError) as caught:
        parse_boundaries(text)
    assert message in str(caught.value)
    assert str(caught.value).startswith("checks/boundaries.toml")
