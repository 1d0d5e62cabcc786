"""No rule looks at more rows than in proportion to the tables: counted, not timed.

PostgreSQL tells for each node of a plan how many rows it has made and thrown away. From 20 tables
to 40 twice as many may be added as from 10 to 20; a look at everything for each table adds four
times as many. Where there are none at all it plans in another way. What grows by itself is not yet
much beside all the rest: so no node may grow faster either, and what reads bodies is asked of more
tables, where PostgreSQL comes to join all functions of an owner with all its tables. And a table
may cost so many rows and no more: a look at all of PostgreSQL's own types or functions for each
policy is in proportion, and dear.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, zip_longest
from typing import Any

from pytest_housekeeping.checks.rls.tables_query import POLICIES, TABLES
from pytest_housekeeping.checks.rules.evaluation import PLANNING, rule_query
from pytest_housekeeping.checks.rules.scope import boundary_scope, rls_scope, scoped_query
from pytest_housekeeping.declarations.rules import BOUNDARY, Rule
from pytest_housekeeping.postgres.connection import Connection, rolled_back
from support.guarded import BOUNDARIES, CONTRACT, RULES, STAY_OUT

SIZES = (10, 20, 40)
MANY = (22, 44, 88)
BODIES = ("trigger-as-owner", "notify-tells-rows", "definer-runs-text")
MOST = 2.6
# So few rows of a node are no matter.
FEW = 1_000
# Rows that a table, its functions and its trigger may cost, in both schemas together.
MOST_EACH = 3_000
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
CREATE POLICY fills ON {schema}.t{n} FOR SELECT TO CURRENT_USER USING (true);
CREATE FUNCTION {schema}.g{n}(a text, b integer, c text) RETURNS SETOF text LANGUAGE plpgsql
SECURITY DEFINER SET search_path = '' AS $$ BEGIN
    RETURN QUERY EXECUTE format('SELECT mail FROM {schema}.t{n} WHERE mail = %L', a);
END $$;
CREATE FUNCTION {schema}.h{n}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = '' AS $$ BEGIN
    PERFORM pg_notify('changed', NEW.id::text);
    UPDATE {schema}.t{n} SET mail = mail WHERE tenant = shop.tenant() AND up = NEW.id;
    RETURN NEW;
END $$;
CREATE TRIGGER told AFTER INSERT ON {schema}.t{n} FOR EACH ROW EXECUTE FUNCTION {schema}.h{n}();
"""
Query = Callable[[Connection], bytes]


@dataclass(frozen=True, kw_only=True)
class _Looked:
    """Rows that a query looks at: in all, and in each node of its plan."""

    rows: int
    nodes: tuple[int, ...]

    def faster_than(self, some: _Looked) -> bool:
        """Whether a node has grown faster than the tables: the largest is held against the largest,
        the second against the second, for a larger schema may be planned in another way."""
        return any(
            after > max(MOST * before, FEW)
            for before, after in zip_longest(some.nodes, self.nodes, fillvalue=0)
        )


def _of_rule(rule: Rule) -> Query:
    boundary = rule.family == BOUNDARY
    scope = boundary_scope(BOUNDARIES, STAY_OUT) if boundary else rls_scope(CONTRACT)
    return lambda connection: rule_query(connection, scope, rule)


QUERIES: Mapping[str, Query] = {
    **{name: _of_rule(rule) for name, rule in RULES.items()},
    "the tables of the proofs": lambda connection: scoped_query(
        connection, rls_scope(CONTRACT), TABLES, extra=POLICIES
    ),
}


def test_each_query_looks_at_rows_in_proportion_to_the_tables(ground: Connection) -> None:
    """Statistics that come meanwhile change a plan, and what is counted with it: whatever looks at
    everything for each table does so again, by statistics that are new."""
    growing: Mapping[str, tuple[int, ...]] = dict.fromkeys(QUERIES, ())
    for attempt in range(8):
        with rolled_back(ground):
            if attempt:
                ground.execute("ANALYZE")
            growing = _growing(ground, growing)
        if not growing:
            break
    assert growing == {}


def test_each_body_is_looked_at_in_proportion(ground: Connection) -> None:
    growing: Mapping[str, tuple[int, ...]] = dict.fromkeys(BODIES, ())
    for _ in range(4):
        with rolled_back(ground):
            growing = _growing(ground, growing, MANY)
        if not growing:
            break
    assert growing == {}


def _growing(
    ground: Connection, names: Iterable[str], sizes: Sequence[int] = SIZES
) -> Mapping[str, tuple[int, ...]]:
    counted: dict[str, list[_Looked]] = {name: [] for name in names}
    for there, size in pairwise((0, *sizes)):
        for n in range(there, size):
            for schema, role in (("shop", "shop_app"), ("office", "office_app")):
                ground.execute(TABLE.format(n=n, schema=schema, role=role).encode())
        for name, looked in counted.items():
            looked.append(_looked(ground, QUERIES[name](ground)))
    return {
        name: tuple(each.rows for each in looked)
        for name, looked in counted.items()
        if _grows(*looked, tables=sizes[-1] - sizes[-2])
    }


def _grows(few: _Looked, some: _Looked, many: _Looked, *, tables: int) -> bool:
    added = many.rows - some.rows
    return (
        some.rows <= few.rows
        or added > MOST * (some.rows - few.rows)
        or added > MOST_EACH * tables
        or many.faster_than(some)
    )


def _looked(connection: Connection, query: bytes) -> _Looked:
    with rolled_back(connection):
        connection.execute(f"{PLANNING} SET LOCAL search_path = '';".encode())
        explain = b"EXPLAIN (ANALYZE, TIMING OFF, BUFFERS OFF, FORMAT JSON) " + query
        row = connection.execute(explain).fetchone()
    assert row is not None
    each = sorted(_rows_of(row[0][0]["Plan"]), reverse=True)
    return _Looked(rows=sum(each), nodes=tuple(each))


def _rows_of(node: Mapping[str, Any]) -> Iterator[int]:
    """Made and thrown away by a node, and by each below it."""
    each = node["Actual Rows"] + sum(
        value for key, value in node.items() if key.startswith("Rows Removed by")
    )
    yield int(each * node["Actual Loops"])
    for child in node.get("Plans", ()):
        yield from _rows_of(child)
