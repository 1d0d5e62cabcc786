"""How constraints, indexes and defaults are written: read on the copy for those that are new."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from psycopg import sql

from pytest_housekeeping.checks.rows.catalog import RowCatalog
from pytest_housekeeping.postgres.connection import Connection

Dependency = tuple[str, int]
"""Catalog and OID of something that an expression uses."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Operator:
    """An operator, and the types of its sides; "" for a side that takes several."""

    schema: str
    name: str
    left: str
    right: str

    def between(self, left: sql.Composable, right: sql.Composable) -> sql.Composed:
        """It with two sides, each made what the operator takes."""
        one, other = (
            sql.SQL("({})::{}").format(side, sql.SQL(type_)) if type_ else side
            for side, type_ in ((left, self.left), (right, self.right))
        )
        return sql.SQL("({} OPERATOR({}.{}) {})").format(
            one, sql.Identifier(self.schema), sql.SQL(self.name), other
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class IndexDetail:
    """The keys of an index as PostgreSQL prints them, each with the collation that it compares by.

    ``usual`` is false where a key is compared otherwise than its type usually is, or by something
    else than a B-tree. ``columns`` are those that it reads.
    """

    keys: tuple[str, ...]
    predicate: str
    nulls_equal: bool
    usual: bool
    columns: tuple[int, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class DefaultDetail:
    """The default of a column, or else that of its type; ``volatile`` where it is another for
    each row, ``sequence`` where it is the next number of one."""

    text: str
    volatile: bool
    sequence: int
    uses: tuple[Dependency, ...]


@dataclass(frozen=True, kw_only=True)
class Details:
    """What was asked for, by OID; defaults by table and column. ``lengths`` are the functions that
    fit a value to what limits its type, with the number of their arguments."""

    expressions: Mapping[int, str]
    operators: Mapping[int, tuple[Operator, ...]]
    indexes: Mapping[int, IndexDetail]
    defaults: Mapping[tuple[int, int], DefaultDetail]
    lengths: Mapping[int, tuple[str, str, int]]
    uses: Mapping[int, tuple[Dependency, ...]]


def read_details(
    connection: Connection,
    *,
    constraints: Iterable[int],
    indexes: Iterable[int],
    columns: Iterable[tuple[int, int]],
) -> Details:
    """The texts of these constraints and indexes, and what these columns are filled with."""
    given = {"constraints": list(constraints), "indexes": list(indexes)}
    added = list(columns)
    given |= {"tables": [table for table, _ in added], "numbers": [number for _, number in added]}

    operators: dict[int, list[Operator]] = {}
    for oid, *row in connection.execute(_OPERATORS.encode(), given):
        each = Operator(**dict(zip(Operator.__slots__, row, strict=True)))
        operators.setdefault(oid, []).append(each)
    uses: dict[int, list[Dependency]] = {}
    for oid, catalog, used in connection.execute(_USES.encode(), given):
        uses.setdefault(oid, []).append((catalog, used))
    return Details(
        expressions=dict(connection.execute(_EXPRESSIONS.encode(), given).fetchall()),
        operators={oid: tuple(found) for oid, found in operators.items()},
        indexes=_index_details(connection, given),
        defaults=_default_details(connection, given, uses),
        lengths={
            type_: (schema, name, arguments)
            for type_, schema, name, arguments in connection.execute(_LENGTHS)
        },
        uses={oid: tuple(found) for oid, found in uses.items()},
    )


def _index_details(
    connection: Connection, given: Mapping[str, list[int]]
) -> dict[int, IndexDetail]:
    return {
        oid: IndexDetail(
            keys=tuple(keys),
            predicate=predicate,
            nulls_equal=nulls_equal,
            usual=usual,
            columns=tuple(read),
        )
        for oid, keys, predicate, nulls_equal, usual, read in connection.execute(
            _INDEXES.encode(), given
        )
    }


def _default_details(
    connection: Connection,
    given: Mapping[str, list[int]],
    uses: Mapping[int, Sequence[Dependency]],
) -> dict[tuple[int, int], DefaultDetail]:
    return {
        (table, number): DefaultDetail(
            text=text,
            volatile=volatile,
            sequence=sequence,
            uses=tuple(uses.get(attrdef, ())),
        )
        for table, number, attrdef, text, volatile, sequence in connection.execute(
            _DEFAULTS.encode(), given
        )
    }


def changed_use(
    before: RowCatalog,
    after: RowCatalog,
    uses: Iterable[Dependency],
    changed: frozenset[str],
) -> str | None:
    """What of this the batch makes or changes, in words; None where production has it all alike.

    What the body of a function calls PostgreSQL does not note: a changed function whose name
    stands in the body of one that is used counts as used; ``changed`` are those names.
    """
    for catalog, oid in uses:
        was, now = before.identities.get((catalog, oid)), after.identities.get((catalog, oid))
        if was != now:
            return f"it uses a {_CALLED[catalog]} that the batch makes or changes"
        function = after.functions.get(oid) if catalog == "pg_proc" else None
        if function is not None and function.words & changed:
            return "it uses a function that calls one that the batch makes or changes"
    return None


def changed_functions(before: RowCatalog, after: RowCatalog) -> frozenset[str]:
    """The names of functions that are not as they were."""
    return frozenset(
        name
        for catalog in (before, after)
        for oid, function in catalog.functions.items()
        if before.identities.get(("pg_proc", oid)) != after.identities.get(("pg_proc", oid))
        for name in (function.name.lower(),)
    )


_CALLED = {
    "pg_proc": "function",
    "pg_type": "type",
    "pg_operator": "operator",
    "pg_collation": "collation",
}
_EXPRESSIONS = """
SELECT k.oid::int8, pg_catalog.pg_get_expr(k.conbin, k.conrelid)
FROM pg_catalog.pg_constraint AS k
WHERE k.oid = ANY (%(constraints)s) AND k.conbin IS NOT NULL
ORDER BY 1
"""
_OPERATORS = """
SELECT k.oid::int8, n.nspname, o.oprname,
       CASE WHEN l.typtype <> 'p' THEN pg_catalog.format_type(l.oid, -1) ELSE '' END,
       CASE WHEN r.typtype <> 'p' THEN pg_catalog.format_type(r.oid, -1) ELSE '' END
FROM pg_catalog.pg_constraint AS k,
     pg_catalog.unnest(coalesce(k.conpfeqop, k.conexclop)) WITH ORDINALITY AS u (operator, place)
JOIN pg_catalog.pg_operator AS o ON o.oid = u.operator
JOIN pg_catalog.pg_namespace AS n ON n.oid = o.oprnamespace
JOIN pg_catalog.pg_type AS l ON l.oid = o.oprleft
JOIN pg_catalog.pg_type AS r ON r.oid = o.oprright
WHERE k.oid = ANY (%(constraints)s)
ORDER BY 1, u.place
"""
# A key is compared as GROUP BY would where its operator class is the usual one of its type.
_INDEXES = """
SELECT i.indexrelid::int8,
       ARRAY(
           SELECT pg_catalog.concat(
               '(', pg_catalog.pg_get_indexdef(i.indexrelid, k.place::int4, false), ')',
               ' COLLATE ' || l.name)
           FROM pg_catalog.unnest(i.indcollation::oid[]) WITH ORDINALITY AS k (compared_by, place)
           LEFT JOIN (
               SELECT c.oid, pg_catalog.quote_ident(n.nspname) || '.'
                             || pg_catalog.quote_ident(c.collname) AS name
               FROM pg_catalog.pg_collation AS c
               JOIN pg_catalog.pg_namespace AS n ON n.oid = c.collnamespace
           ) AS l ON l.oid = k.compared_by
           WHERE k.place <= i.indnkeyatts ORDER BY k.place),
       coalesce(pg_catalog.pg_get_expr(i.indpred, i.indrelid), ''),
       coalesce((pg_catalog.to_jsonb(i) ->> 'indnullsnotdistinct')::pg_catalog.bool, false),
       a.amname = 'btree' AND NOT EXISTS (
           SELECT FROM pg_catalog.unnest(i.indclass::oid[]) WITH ORDINALITY AS k (class, place)
           JOIN pg_catalog.pg_opclass AS o ON o.oid = k.class
           WHERE k.place <= i.indnkeyatts AND NOT o.opcdefault),
       ARRAY(
           SELECT DISTINCT k.attnum::int8 FROM pg_catalog.unnest(i.indkey::int2[]) AS k (attnum)
           WHERE k.attnum > 0
           UNION
           SELECT d.refobjsubid::int8 FROM pg_catalog.pg_depend AS d
           WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
           AND d.objid = i.indexrelid AND d.refobjid = i.indrelid AND d.refobjsubid > 0
           ORDER BY 1)
FROM pg_catalog.pg_index AS i
JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid
JOIN pg_catalog.pg_am AS a ON a.oid = c.relam
WHERE i.indexrelid = ANY (%(indexes)s)
ORDER BY 1
"""
# Of PostgreSQL's own functions no dependency is kept, so their names are looked for.
_DEFAULTS = r"""
SELECT a.attrelid::int8, a.attnum, d.oid::int8, e.text,
       EXISTS (SELECT FROM pg_catalog.pg_proc AS p
               WHERE p.provolatile = 'v' AND (
                   (p.oid < 16384 AND p.proname = ANY (
                       pg_catalog.regexp_split_to_array(e.text, '[^[:alnum:]_]+')))
                   OR EXISTS (SELECT FROM pg_catalog.pg_depend AS u
                              WHERE u.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass
                              AND u.objid = d.oid AND u.refobjid = p.oid
                              AND u.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass))),
       coalesce(CASE WHEN e.text ~ '^nextval\(''[^'']+''::regclass\)(::[a-z ]+)?$' THEN (
           SELECT u.refobjid FROM pg_catalog.pg_depend AS u
           JOIN pg_catalog.pg_class AS s ON s.oid = u.refobjid AND s.relkind = 'S'
           WHERE u.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass AND u.objid = d.oid
           LIMIT 1) END, 0)::int8
FROM ROWS FROM (
    pg_catalog.unnest(%(tables)s::oid[]), pg_catalog.unnest(%(numbers)s::int2[])
) AS w (attrelid, attnum)
JOIN pg_catalog.pg_attribute AS a ON a.attrelid = w.attrelid AND a.attnum = w.attnum
JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid
LEFT JOIN pg_catalog.pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
CROSS JOIN LATERAL (
    SELECT coalesce(pg_catalog.pg_get_expr(d.adbin, d.adrelid),
                    pg_catalog.pg_get_expr(t.typdefaultbin, 0)) AS text) AS e
WHERE e.text IS NOT NULL AND a.attgenerated = ''
ORDER BY 1, 2
"""
_LENGTHS = """
SELECT k.castsource::int8, n.nspname, p.proname, p.pronargs::int4
FROM pg_catalog.pg_cast AS k
JOIN pg_catalog.pg_proc AS p ON p.oid = k.castfunc
JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
WHERE k.castsource = k.casttarget
ORDER BY 1
"""
_USES = """
SELECT d.objid::int8, c.relname::text, d.refobjid::int8
FROM pg_catalog.pg_depend AS d
JOIN pg_catalog.pg_class AS c ON c.oid = d.refclassid
WHERE c.relname IN ('pg_proc', 'pg_type', 'pg_operator', 'pg_collation') AND d.deptype = 'n'
AND ((d.classid = 'pg_catalog.pg_constraint'::pg_catalog.regclass
      AND d.objid = ANY (%(constraints)s))
     OR (d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
         AND d.objid = ANY (%(indexes)s))
     OR (d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass
         AND d.objid IN (SELECT a.oid FROM pg_catalog.pg_attrdef AS a
                         WHERE a.adrelid = ANY (%(tables)s::oid[]))))
ORDER BY 1, 2, 3
"""
