"""A small sound schema for the tests of the guards, laid in a transaction that never commits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date

from psycopg import sql

from pytest_housekeeping.checks.boundaries.verdict import verify_contract
from pytest_housekeeping.checks.rls import AskedBefore, evaluate_rules, verify_rule
from pytest_housekeeping.declarations.boundaries import App, Boundaries, Contract, Zone
from pytest_housekeeping.declarations.rls import RlsContract
from pytest_housekeeping.declarations.rules import BOUNDARY, Rule, shipped_rules
from pytest_housekeeping.model import Finding, Verdict
from pytest_housekeeping.postgres.connection import Connection
from pytest_housekeeping.sql.parse import parse

TODAY = date(2026, 6, 1)
ROLES = ("shop_app", "office_app")
RULES = {rule.id: rule for rule in shipped_rules()}
CONTRACT = RlsContract(schemas=("shop",), roles=("shop_app",), context=("app.tenant",))
STAY_OUT = Contract(name="shop stays out", type="forbidden", source="shop", target="office")
WORK = Contract(name="shop works", type="allowed", source="shop", target="shop")
BOUNDARIES = Boundaries(
    apps=(
        App(name="shop", roles=("shop_app",), schemas=("shop",)),
        App(name="office", roles=("office_app",), schemas=("office",)),
    ),
    zones=(Zone(name="archive", tables=("shop.archive",)),),
    contracts=(STAY_OUT, WORK),
)

GROUND = """
CREATE SCHEMA shop;
CREATE FUNCTION shop.tenant() RETURNS integer LANGUAGE sql STABLE SET search_path = ''
AS $$ SELECT nullif(current_setting('app.tenant', true), '')::integer $$;
CREATE TABLE shop.orders (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant integer NOT NULL DEFAULT shop.tenant(),
    note text
);
CREATE TABLE shop.line (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    orders_id integer NOT NULL REFERENCES shop.orders,
    amount numeric
);
CREATE TABLE shop.archive (tenant integer NOT NULL, note text);
INSERT INTO shop.orders (tenant, note) VALUES (1, 'a'), (1, 'b'), (2, 'c');
INSERT INTO shop.line (orders_id, amount) SELECT id, 5 FROM shop.orders;
INSERT INTO shop.archive VALUES (1, 'old'), (2, 'older');
ALTER TABLE shop.orders ENABLE ROW LEVEL SECURITY;
ALTER TABLE shop.orders FORCE ROW LEVEL SECURITY;
ALTER TABLE shop.line ENABLE ROW LEVEL SECURITY;
ALTER TABLE shop.line FORCE ROW LEVEL SECURITY;
ALTER TABLE shop.archive ENABLE ROW LEVEL SECURITY;
ALTER TABLE shop.archive FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON shop.orders TO shop_app USING (tenant = (SELECT shop.tenant()));
CREATE POLICY own ON shop.line TO shop_app USING (EXISTS (
    SELECT FROM shop.orders AS o WHERE o.id = orders_id AND o.tenant = shop.tenant()
));
CREATE POLICY own ON shop.archive TO shop_app USING (tenant = shop.tenant());
GRANT USAGE ON SCHEMA shop TO shop_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON shop.orders, shop.line TO shop_app;
GRANT SELECT ON shop.archive TO shop_app;
CREATE SCHEMA office;
CREATE TABLE office.paper (id integer PRIMARY KEY, title text);
CREATE SEQUENCE office.number;
CREATE FUNCTION office.stamp() RETURNS integer LANGUAGE sql AS 'SELECT 1';
GRANT USAGE ON SCHEMA office TO office_app;
GRANT SELECT ON office.paper TO office_app;
"""


@contextmanager
def laid_ground(
    connection: Connection,
    superuser: Connection,
    ground: str = GROUND,
    roles: Sequence[str] = ROLES,
) -> Iterator[Connection]:
    """The ground, the roles beside it; both are gone afterwards."""
    row = connection.execute("SELECT current_user").fetchone()
    migrator = sql.Identifier(row[0] if row else "")
    for role in roles:
        name = sql.Identifier(role)
        superuser.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(name))
        superuser.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(name))
        superuser.execute(sql.SQL("GRANT {} TO {}").format(name, migrator))
    connection.execute("BEGIN")
    connection.execute(ground.encode())
    try:
        yield connection
    finally:
        connection.execute("ROLLBACK")
        for role in roles:
            superuser.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))


def verify(connection: Connection, rule: str | Rule, contract: RlsContract = CONTRACT) -> Verdict:
    """The verdict; each fix in it is SQL, or a comment of it."""
    verdict = verify_rule(
        connection, contract, RULES[rule] if isinstance(rule, str) else rule, today=TODAY
    )
    for each in verdict.findings:
        parse(each.fix)
    return verdict


def judged(connection: Connection, contract: RlsContract, rules: Iterable[Rule]) -> list[Finding]:
    """What these rules find, but for those of boundaries, by one look at the catalog."""
    own = [rule for rule in rules if rule.family != BOUNDARY]
    read = [rule for rule in own if not rule.proof]
    seen = evaluate_rules(connection, contract, read) if len(read) > 1 else {}
    before = AskedBefore(evaluations=seen)
    verdicts = (verify_rule(connection, contract, rule, today=TODAY, before=before) for rule in own)
    return [finding for verdict in verdicts for finding in verdict.findings]


def found(connection: Connection, rule: str) -> list[str]:
    """The objects on which a rule of row-level security fires."""
    return [finding.object for finding in verify(connection, rule).findings]


def crossed(connection: Connection, contract: Contract = STAY_OUT) -> list[Finding]:
    """What the boundary rules find for one contract."""
    verdict = verify_contract(connection, BOUNDARIES, contract, shipped_rules())
    return list(verdict.findings)
