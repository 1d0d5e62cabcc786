"""Each rule fires on its own planted defect, and is quiet on its good example."""

from __future__ import annotations

import re
from dataclasses import replace

import psycopg
import pytest

from pytest_housekeeping.checks.builtins import read_builtins, replaced_builtins
from pytest_housekeeping.checks.rules.evaluation import with_role_in_leak
from pytest_housekeeping.checks.tripwire_ground import ground_for
from pytest_housekeeping.checks.tripwires import defect, judge, plant, refused, trip_rule
from pytest_housekeeping.declarations.rls import DeclaredPolicy
from pytest_housekeeping.declarations.rules import Rule, Tripwire, fill, shipped_rules
from pytest_housekeeping.errors import RuleBroken
from pytest_housekeeping.postgres.connection import Connection, rolled_back
from pytest_housekeeping.server import StagingDatabase
from support.guarded import BOUNDARIES, CONTRACT, RULES, STAY_OUT, crossed, verify
from support.lent_database import LentDatabase

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


@EVERY
def test_a_rule_fires_on_its_tripwire(superuser: Connection, rule: Rule) -> None:
    """That nothing is left is seen by whoever lends the database to the tests."""
    verdict = trip_rule(superuser, rule)
    assert verdict.findings == ()
    assert verdict.passed
    assert "fired on" in verdict.evidence[0]


@EVERY
def test_a_rule_is_quiet_on_its_good_example(ground: Connection, rule: Rule) -> None:
    row = ground.execute("SELECT quote_ident(current_database())").fetchone()
    assert row is not None
    ground.execute(fill(rule.good, {**VALUES, "database": row[0]}).encode())
    if rule.family != "boundary":
        declared = DeclaredPolicy(
            table_object="shop.hk_tripwire_declared", name="declared", using_expression="false"
        )
        policies = (declared,) if "hk_tripwire_declared" in rule.good else ()
        assert verify(ground, rule, replace(CONTRACT, policies=policies)).findings == ()
    else:
        contract = STAY_OUT if rule.contract == "forbidden" else BOUNDARIES.contracts[1]
        assert [finding for finding in crossed(ground, contract) if finding.rule == rule.id] == []


@EVERY
def test_a_rule_that_finds_nothing_does_not_fire(superuser: Connection, rule: Rule) -> None:
    if rule.proof:
        blind = replace(rule, tripwire=replace(rule.tripwire, sql="SELECT 1 -- {table}"))
    else:
        blind = replace(
            rule, query="SELECT NULL::text AS object, NULL::text AS detail, '' AS grantee LIMIT 0"
        )
    verdict = trip_rule(superuser, blind)
    assert not verdict.passed
    assert verdict.findings[0].rule == "tripwire"
    assert verdict.findings[0].object == rule.id
    assert "did not fire" in verdict.findings[0].detail


@EVERY
def test_what_shows_a_finding_runs_where_it_was_found(superuser: Connection, rule: Rule) -> None:
    """Every name in it is there; that it is refused, or shows nothing here, is no matter."""
    laid = ground_for(rule, superuser.info.dbname)
    superuser.execute("BEGIN")
    try:
        plant(superuser, laid.sql)
        plant(superuser, defect(laid, rule))
        fired = judge(superuser, laid, rule)
        role = laid.values["source_role" if rule.family == "boundary" else "role"]
        planted = fill(rule.tripwire.object, laid.values)
        found = with_role_in_leak(fired.findings, role)
        shown = [each.leak for each in found if each.object == planted]
        assert shown
        for text in shown:
            assert "{" not in text.replace("'{}'", "")
            # The transaction that it opens and ends is this one.
            inside = text.replace("BEGIN;", "").replace("ROLLBACK;", "")
            assert inside.strip()
            state = "00000"
            try:
                with rolled_back(superuser):
                    superuser.execute(inside.encode())
            except psycopg.Error as error:
                state = error.sqlstate or ""
            assert state in ("42501", "42P17") or not state.startswith("42"), f"{state}: {text}"
    finally:
        superuser.execute("ROLLBACK")


@EVERY
def test_the_fix_of_a_rule_repairs_its_tripwire_as_it_is_printed(
    superuser: Connection, rule: Rule
) -> None:
    """As the migrating role, or as a superuser where only one may."""
    laid = ground_for(rule, superuser.info.dbname)
    planted = fill(rule.tripwire.object, laid.values)

    def still_found() -> bool:
        return planted in {each.object for each in judge(superuser, laid, rule).findings}

    superuser.execute("BEGIN")
    try:
        plant(superuser, laid.sql)
        plant(superuser, defect(laid, rule))
        fixes = {f.fix for f in judge(superuser, laid, rule).findings if f.object == planted}
        assert fixes
        for fix in sorted(fixes):
            superuser.execute("SAVEPOINT fixed")
            try:
                superuser.execute(fix.encode())
                refused = False
            except psycopg.errors.InsufficientPrivilege:
                refused = True
            # What another role has granted, REVOKE leaves alone, with a warning.
            if refused or (rule.tripwire.superuser and still_found()):
                superuser.execute("ROLLBACK TO SAVEPOINT fixed; SET LOCAL ROLE NONE")
                superuser.execute(fix.encode())
        assert not still_found(), fixes
    finally:
        superuser.execute("ROLLBACK")


def test_what_a_superuser_plants_and_what_the_migrating_role_does_act_as_these(
    superuser: Connection,
) -> None:
    """A defect that needs both: the one is refused the other's part."""
    rule = replace(
        RULES["role-bypasses-rls"],
        tripwire=Tripwire(
            sql="GRANT {tripwire_role} TO {role}",
            object="{role}",
            superuser="CREATE ROLE {tripwire_role} BYPASSRLS",
        ),
    )
    detail = trip_rule(superuser, rule).findings[0].detail
    assert "could not be planted: 42501" in detail


def test_a_rule_that_fires_on_something_else_has_not_fired(superuser: Connection) -> None:
    rule = RULES["rls-not-enabled"]
    astray = replace(rule, query="SELECT 'shop.other' AS object, 'x' AS detail")
    assert re.search(
        r"did not fire on hk_schema_\w+\.hk_tripwire; it found: shop\.other",
        trip_rule(superuser, astray).findings[0].detail,
    )


@pytest.mark.parametrize("id", ["role-may-create", "role-bypasses-rls", "boundary-table-privilege"])
def test_a_rule_that_always_fires_is_no_guard(superuser: Connection, id: str) -> None:
    rule = RULES[id]
    everything = """
    SELECT n.nspname AS object, 'x' AS detail FROM pg_namespace AS n
    UNION ALL SELECT r.rolname, 'x' FROM pg_roles AS r
    UNION ALL SELECT c.oid::regclass::text, 'x' FROM pg_class AS c
    """
    loud = replace(rule, query=everything)
    assert "without the defect as well" in trip_rule(superuser, loud).findings[0].detail


def test_a_rule_that_cannot_run_is_broken(superuser: Connection) -> None:
    for rule in (RULES["rls-not-enabled"], RULES["role-bypasses-rls"]):
        with pytest.raises(RuleBroken):
            trip_rule(superuser, replace(rule, query="SELECT nonsense"))
        assert trip_rule(superuser, rule).passed


def test_a_defect_that_cannot_be_planted_fails(superuser: Connection) -> None:
    rule = RULES["rls-not-enabled"]
    broken = replace(rule, tripwire=Tripwire(sql="CREATE NONSENSE", object="x"))
    assert "could not be planted: 42601" in trip_rule(superuser, broken).findings[0].detail
    nameless = replace(rule, tripwire=Tripwire(sql="SELECT {colour}", object="x"))
    assert "colour" in trip_rule(superuser, nameless).findings[0].detail
    assert trip_rule(superuser, rule).passed


def test_a_rule_of_another_package_is_tripped_like_any_other(superuser: Connection) -> None:
    rule = replace(
        RULES["rls-not-enabled"],
        id="name-in-upper-case",
        query="SELECT t.object, 'x' AS detail FROM hk_table AS t WHERE t.name <> lower(t.name)",
        tripwire=Tripwire(sql='CREATE TABLE {schema}."LOUD" (id int)', object='{schema}."LOUD"'),
    )
    assert trip_rule(superuser, rule).passed


def test_tripping_works_in_a_database_with_an_awkward_name(
    superuser: Connection, database: StagingDatabase
) -> None:
    name = 'Hk "staging" ä'
    superuser.execute("""CREATE DATABASE "Hk ""staging"" ä" """)
    try:
        with psycopg.connect(database.cluster.conninfo(name), autocommit=True) as awkward:
            for name_of_rule in ("setting-role", "role-owns-schema", "boundary-membership"):
                assert trip_rule(awkward, RULES[name_of_rule]).passed
    finally:
        superuser.execute("""DROP DATABASE "Hk ""staging"" ä" """)


REPLACED = {
    "pg_catalog.aclexplode": "CREATE OR REPLACE FUNCTION pg_catalog.aclexplode(acl aclitem[],"
    " OUT grantor oid, OUT grantee oid, OUT privilege_type text, OUT is_grantable boolean)"
    " RETURNS SETOF record LANGUAGE sql STABLE AS 'SELECT 0::oid, 0::oid, NULL, false LIMIT 0'",
    "pg_catalog.pg_roles": "CREATE OR REPLACE VIEW pg_catalog.pg_roles AS SELECT rolname, rolsuper,"
    " rolinherit, rolcreaterole, rolcreatedb, rolcanlogin, rolreplication, rolconnlimit,"
    " '********'::text AS rolpassword, rolvaliduntil, false AS rolbypassrls,"
    ' NULL::text[] COLLATE "C" AS rolconfig, oid FROM pg_catalog.pg_authid',
    "operator =": "UPDATE pg_catalog.pg_operator SET oprcode = 'pg_catalog.int4ne'::regproc"
    " WHERE oid = '=(int4, int4)'::regoperator",
}


@pytest.mark.parametrize("name", REPLACED)
def test_what_the_server_did_not_come_with_is_named(
    connection: Connection, superuser: Connection, lent: LentDatabase, name: str
) -> None:
    """A rule that calls it would be blind here, and fire where it is not replaced."""
    there = read_builtins(connection)
    assert replaced_builtins(there, there) == ()
    superuser.execute("BEGIN")
    try:
        superuser.execute("SET LOCAL allow_system_table_mods = on")
        superuser.execute(REPLACED[name].encode())
        assert replaced_builtins(read_builtins(superuser), there) == (name,)
    finally:
        superuser.execute("ROLLBACK")
    verdict = refused(RULES["rls-not-enabled"], (name,))
    assert verdict is not None
    assert name in verdict.findings[0].detail
    assert name in verdict.findings[0].fix


def test_what_is_owned_or_granted_otherwise_is_not_replaced(
    connection: Connection, superuser: Connection
) -> None:
    superuser.execute("BEGIN")
    try:
        superuser.execute(
            "REVOKE ALL ON FUNCTION pg_catalog.lo_create(oid) FROM PUBLIC;"
            "ALTER FUNCTION pg_catalog.textlike LEAKPROOF;"
            "ALTER FUNCTION pg_catalog.lower(text) OWNER TO hk_migrator;"
            "CREATE FUNCTION pg_catalog.hk_more() RETURNS integer LANGUAGE sql AS 'SELECT 1'"
        )
        assert replaced_builtins(read_builtins(superuser), read_builtins(connection)) == ()
    finally:
        superuser.execute("ROLLBACK")
