"""docs/python.md names relations that a rule may read: they are there, with these columns."""

from __future__ import annotations

import re
from dataclasses import replace

import psycopg

from pytest_housekeeping.checks.rules.evaluation import evaluate
from pytest_housekeeping.checks.rules.scope import RuleScope
from pytest_housekeeping.declarations import parse_rule
from support.fresh_copy import ROOT
from support.reference_pages import files_of, rows, section

PAGE = ROOT / "docs/python.md"
RULE = "acme-rules/acme_rules/rules/acme-no-primary-key.sql"
Database = psycopg.Connection[tuple[object, ...]]


def test_every_relation_of_the_page_has_its_columns(connection: Database) -> None:
    """Read on an empty schema: PostgreSQL names a column that is not there."""
    rule = parse_rule(files_of(PAGE)[RULE], "acme-no-primary-key", "acme")
    scope = RuleScope(schemas=("acme",), roles=("pg_monitor",), context=("app.tenant_id",))
    connection.execute("CREATE SCHEMA acme; CREATE TABLE acme.one (); BEGIN")
    relations = list(rows(section(PAGE, "## Rules of your own", "### The query")))
    assert len(relations) == 8

    for name, _, columns in relations:
        listed = ", ".join(re.findall(r"`(\w+)`", columns))
        looked_at = f"SELECT {listed} FROM {name.strip('`')}"
        query = f"SELECT '' AS object, '' AS detail FROM ({looked_at}) AS r WHERE false"
        assert evaluate(connection, scope, replace(rule, query=query)).rows == ()
