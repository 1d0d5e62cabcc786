"""No rule looks at more rows than in proportion to the tables: counted, not timed.

PostgreSQL tells for each node of a plan how many rows it has made and thrown away. From 20 tables
to 40 twice as many may be added as from 10 to 20; a look at everything for each table adds four
times as many. Where there are none at all it plans in another way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import pairwise
from typing import Any

import pytest

from pytest_housekeeping.checks.rls.tables_query import POLICIES, TABLES
from pytest_housekeeping.checks.rules import boundary_scope, rls_scope, scoped_query
from pytest_housekeeping.checks.rules.evaluation import PLANNING, rule_query
from pytest_housekeeping.declarations.rules import BOUNDARY, Rule
from pytest_housekeeping.postgres.connection import Connection, rolled_back
from support.guarded import BOUNDARIES, CONTRACT, RULES, STAY_OUT, laid_ground

SIZES = (10, 20, 40)
MOST = 2.6
TABLE = """
CREATE TABLE {schema}.t{n} (id integer PRIMARY KEY, tenant integer NOT NULL, mail text, up integer);
CREATE INDEX t{n}_idx ON {schema}.t{n} (tenant, mail);
CREATE UNIQUE INDEX t{n}_key ON {schema}.t{n} (tenant, id);
ALTER TABLE {schema}.t{n} ADD FOREIGN KEY (tenant, up) REFERENCES {schema}.t{n} (tenant, id);
ALTER TABLE {schema}.t{n} ENABLE ROW LEVEL SECURITY;
ALTER TABLE {schema}.t{n} FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON {schema}.t{n} TO {role} USING (tenant = (SELECT shop.tenant()));
CREATE POLICY kept ON {schema}.t{n} AS RESTRICTIVE FOR DELETE TO {role} USING (mail <> 'kept');
GRANT SELECT, INSERT, UPDATE, DELETE ON {schema}.t{n} TO {role};
CREATE VIEW {schema}.v{n} WITH (security_invoker) AS SELECT id FROM {schema}.t{n};
CREATE FUNCTION {schema}.f{n}() RETURNS bigint LANGUAGE sql STABLE SET search_path = ''
AS 'SELECT count(*) FROM {schema}.t{n}';
"""
Query = Callable[[Connection], bytes]


def _of_rule(rule: Rule) -> Query:
    boundary = rule.family == BOUNDARY
    scope = boundary_scope(BOUNDARIES, STAY_OUT) if boundary else rls_scope(CONTRACT)
    return lambda connection: rule_query(connection, scope, rule)


QUERIES: Mapping[str, Query] = {
    **{name: _of_rule(rule) for name, rule in RULES.items() if not rule.proof},
    "the tables of the proofs": lambda connection: scoped_query(
        connection, rls_scope(CONTRACT), TABLES, extra=POLICIES
    ),
}


@pytest.fixture
def ground(connection: Connection, superuser: Connection) -> Iterator[Connection]:
    with laid_ground(connection, superuser) as laid:
        yield laid


def test_each_query_looks_at_rows_in_proportion_to_the_tables(ground: Connection) -> None:
    """Statistics that come meanwhile change a plan, and what is counted with it: whatever looks at
    everything for each table does so again."""
    growing: Mapping[str, tuple[int, ...]] = dict.fromkeys(QUERIES, ())
    for _ in range(4):
        with rolled_back(ground):
            growing = _growing(ground, growing)
        if not growing:
            break
    assert growing == {}


def _growing(ground: Connection, names: Iterable[str]) -> Mapping[str, tuple[int, ...]]:
    counted: dict[str, list[int]] = {name: [] for name in names}
    for there, size in pairwise((0, *SIZES)):
        for n in range(there, size):
            for schema, role in (("shop", "shop_app"), ("office", "office_app")):
                ground.execute(TABLE.format(n=n, schema=schema, role=role).encode())
        for name, rows in counted.items():
            rows.append(_rows(ground, QUERIES[name](ground)))
    return {
        name: (few, some, many)
        for name, (few, some, many) in counted.items()
        if some <= few or many - some > MOST * (some - few)
    }


def _rows(connection: Connection, query: bytes) -> int:
    with rolled_back(connection):
        connection.execute(f"{PLANNING} SET LOCAL search_path = '';".encode())
        explain = b"EXPLAIN (ANALYZE, TIMING OFF, BUFFERS OFF, FORMAT JSON) " + query
        row = connection.execute(explain).fetchone()
    assert row is not None
    return _rows_of(row[0][0]["Plan"])


def _rows_of(node: Mapping[str, Any]) -> int:
    """Made and thrown away by a node and all below it."""
    each = node["Actual Rows"] + sum(
        value for key, value in node.items() if key.startswith("Rows Removed by")
    )
    below = sum(_rows_of(child) for child in node.get("Plans", ()))
    return int(each * node["Actual Loops"]) + below
