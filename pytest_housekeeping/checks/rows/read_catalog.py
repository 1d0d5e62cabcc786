"""What `catalog` holds, read of a database: on the copy, before a batch and after it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from pytest_housekeeping.checks.rows.catalog import (
    Column,
    Constraint,
    Function,
    Index,
    Relation,
    RowCatalog,
    Type,
    View,
)
from pytest_housekeeping.postgres.connection import Connection, rolled_back


@contextmanager
def plainly_printed(connection: Connection) -> Iterator[None]:
    """Within it everything is printed with its schema, but for what is PostgreSQL's own.

    Only inside an open transaction.
    """
    with rolled_back(connection):
        connection.execute("SET LOCAL search_path = pg_catalog")
        yield


def read_row_catalog(connection: Connection, *, excluded: Sequence[str]) -> RowCatalog:
    """What stands in the database, without the schemas that are ``excluded``.

    Only inside an open transaction.
    """
    with plainly_printed(connection):
        return _read(connection, excluded)


def _read(connection: Connection, excluded: Sequence[str]) -> RowCatalog:
    given = {"excluded": list(excluded)}
    columns: dict[int, dict[int, Column]] = {}
    for relation, *row in connection.execute(_COLUMNS.encode(), given):
        found = Column(**dict(zip(_COLUMN, row, strict=True)))
        columns.setdefault(relation, {})[found.number] = found
    relations = [
        Relation(
            **dict(zip(_RELATION, row, strict=True)),
            parents=tuple(parents),
            primary_key=tuple(key),
            columns=columns.get(row[0], {}),
        )
        for *row, parents, key in connection.execute(_RELATIONS.encode(), given)
    ]
    constraints = [
        Constraint(
            **dict(zip(_CONSTRAINT, row, strict=True)),
            columns=tuple(own),
            referenced_columns=tuple(other),
        )
        for *row, own, other in connection.execute(_constraints(connection).encode())
    ]
    indexes = [
        Index(**dict(zip(Index.__slots__, row, strict=True)))
        for row in connection.execute(_INDEXES.encode(), given)
    ]
    types = [
        Type(**dict(zip(Type.__slots__, row, strict=True)))
        for row in connection.execute(_TYPES.encode())
    ]
    return RowCatalog(
        relations={each.oid: each for each in relations},
        constraints={each.oid: each for each in constraints},
        indexes={each.oid: each for each in indexes},
        types={each.oid: each for each in types},
        identities={
            (catalog, oid): text for catalog, oid, text in connection.execute(_IDENTITIES.encode())
        },
        functions={
            oid: Function(name=name, language=language, source=source)
            for oid, name, language, source in connection.execute(_FUNCTIONS)
        },
        triggers={oid: tuple(called) for oid, called in connection.execute(_TRIGGERS)},
        views={
            oid: View(oid=oid, schema=schema, name=name, reads=tuple(reads))
            for oid, schema, name, reads in connection.execute(_VIEWS)
        },
        sequences=frozenset(oid for (oid,) in connection.execute(_SEQUENCES)),
    )


def _constraints(connection: Connection) -> str:
    """The query; what may be left unenforced or be of a period is known since PostgreSQL 18.

    https://www.postgresql.org/docs/18/catalog-pg-constraint.html
    """
    if connection.info.server_version >= 180000:
        return _CONSTRAINTS.format(enforced="k.conenforced", period="k.conperiod")
    return _CONSTRAINTS.format(enforced="true", period="false")


_RELATION = ("oid", "schema", "name", "kind", "file", "partition", "bound")
_COLUMN = tuple(Column.__slots__)
_CONSTRAINT = (
    *("oid", "name", "kind", "relation", "domain", "holds", "referenced", "full", "acts"),
    *("index", "parent", "period"),
)
_OURS = """
n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND NOT n.nspname = ANY (%(excluded)s)
"""
_RELATIONS = f"""
SELECT c.oid::int8, n.nspname, c.relname, c.relkind::text, c.relfilenode::int8, c.relispartition,
       coalesce(CASE WHEN c.relispartition
                THEN pg_catalog.pg_get_partition_constraintdef(c.oid) END, ''),
       ARRAY(SELECT i.inhparent::int8 FROM pg_catalog.pg_inherits AS i
             WHERE i.inhrelid = c.oid ORDER BY i.inhseqno),
       ARRAY(SELECT k.attnum::int8 FROM pg_catalog.pg_index AS i,
                    pg_catalog.unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, place)
             WHERE i.indrelid = c.oid AND i.indisprimary AND k.place <= i.indnkeyatts
             ORDER BY k.place)
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'm') AND c.relpersistence <> 't' AND {_OURS}
ORDER BY n.nspname, c.relname
"""
# A NOT NULL that is not validated sets attnotnull as well, since PostgreSQL 18:
# https://www.postgresql.org/docs/18/catalog-pg-attribute.html
_COLUMNS = f"""
SELECT a.attrelid::int8, a.attnum, a.attname, a.atttypid::int8, a.atttypmod,
       pg_catalog.format_type(a.atttypid, a.atttypmod),
       a.attnotnull AND NOT EXISTS (
           SELECT FROM pg_catalog.pg_constraint AS k
           WHERE k.conrelid = a.attrelid AND k.contype = 'n' AND k.conkey[1] = a.attnum
           AND NOT k.convalidated),
       a.attidentity <> '',
       CASE WHEN a.atthasmissing THEN (a.attmissingval::text::text[])[1] END,
       CASE WHEN a.attgenerated <> '' THEN pg_catalog.pg_get_expr(d.adbin, d.adrelid) END,
       a.attgenerated = 'v'
FROM pg_catalog.pg_attribute AS a
JOIN pg_catalog.pg_class AS c ON c.oid = a.attrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE c.relkind IN ('r', 'p', 'm') AND c.relpersistence <> 't'
AND a.attnum > 0 AND NOT a.attisdropped AND {_OURS}
ORDER BY a.attrelid, a.attnum
"""
_CONSTRAINTS = """
SELECT k.oid::int8, k.conname, k.contype::text, k.conrelid::int8, k.contypid::int8,
       k.convalidated AND {enforced},
       k.confrelid::int8, k.confmatchtype = 'f',
       k.confdeltype IN ('c', 'n', 'd') OR k.confupdtype IN ('c', 'n', 'd'),
       k.conindid::int8, k.conparentid::int8,
       {period},
       coalesce(k.conkey, '{{}}')::int8[], coalesce(k.confkey, '{{}}')::int8[]
FROM pg_catalog.pg_constraint AS k
WHERE k.contype IN ('c', 'f', 'x', 'p', 'u') AND k.oid >= 16384
ORDER BY k.oid
"""
_INDEXES = f"""
SELECT c.oid::int8, i.indrelid::int8, c.relname, i.indisunique, i.indisvalid AND i.indisready,
       i.indexprs IS NOT NULL OR i.indpred IS NOT NULL
FROM pg_catalog.pg_index AS i
JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind = 'i' AND {_OURS}
ORDER BY c.oid
"""
_TYPES = """
SELECT t.oid::int8, pg_catalog.format_type(t.oid, -1), t.typtype::text, t.typcategory::text,
       t.typbasetype::int8, t.typtypmod, t.typnotnull,
       CASE WHEN t.typcategory = 'A' THEN t.typelem ELSE 0 END::int8
FROM pg_catalog.pg_type AS t
WHERE t.typtype IN ('b', 'd', 'e', 'r', 'm')
AND NOT EXISTS (SELECT FROM pg_catalog.pg_type AS e WHERE e.oid = t.typelem AND e.typtype = 'c')
ORDER BY t.oid
"""
# What a type is for an expression: an enum its labels. A domain's own constraints are asked for by
# themselves, and a table's row type is the table.
_IDENTITIES = """
SELECT 'pg_proc', p.oid::int8, pg_catalog.concat_ws(
           ' ', n.nspname, p.proname, pg_catalog.pg_get_function_identity_arguments(p.oid),
           pg_catalog.md5(pg_catalog.concat_ws(' ', p.prosrc, p.probin, p.proconfig,
               p.provolatile, p.proisstrict, p.prosecdef, p.proowner, p.prolang,
               p.prorettype, p.prosqlbody::text)))
FROM pg_catalog.pg_proc AS p
JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
WHERE p.oid >= 16384
UNION ALL
SELECT 'pg_type', t.oid::int8, pg_catalog.concat_ws(
           ' ', n.nspname, t.typname,
           ARRAY(SELECT e.enumlabel FROM pg_catalog.pg_enum AS e
                 WHERE e.enumtypid = t.oid ORDER BY e.enumsortorder)::text)
FROM pg_catalog.pg_type AS t
JOIN pg_catalog.pg_namespace AS n ON n.oid = t.typnamespace
WHERE t.oid >= 16384 AND t.typtype IN ('d', 'e', 'r', 'm')
UNION ALL
SELECT 'pg_operator', o.oid::int8, pg_catalog.concat_ws(
           ' ', n.nspname, o.oprname, o.oprleft, o.oprright, o.oprcode)
FROM pg_catalog.pg_operator AS o
JOIN pg_catalog.pg_namespace AS n ON n.oid = o.oprnamespace
WHERE o.oid >= 16384
UNION ALL
SELECT 'pg_collation', l.oid::int8, pg_catalog.concat_ws(' ', n.nspname, l.collname)
FROM pg_catalog.pg_collation AS l
JOIN pg_catalog.pg_namespace AS n ON n.oid = l.collnamespace
WHERE l.oid >= 16384
ORDER BY 1, 2
"""
_FUNCTIONS = """
SELECT p.oid::int8, p.proname, l.lanname,
       coalesce(pg_catalog.pg_get_function_sqlbody(p.oid), p.prosrc)
FROM pg_catalog.pg_proc AS p
JOIN pg_catalog.pg_language AS l ON l.oid = p.prolang
WHERE p.oid >= 16384
ORDER BY 1
"""
_TRIGGERS = """
SELECT t.tgrelid::int8, pg_catalog.array_agg(t.tgfoid::int8 ORDER BY t.tgname)
FROM pg_catalog.pg_trigger AS t
WHERE NOT t.tgisinternal
GROUP BY t.tgrelid
ORDER BY 1
"""
_VIEWS = """
SELECT c.oid::int8, n.nspname, c.relname, ARRAY(
           SELECT DISTINCT d.refobjid::int8 FROM pg_catalog.pg_rewrite AS r
           JOIN pg_catalog.pg_depend AS d
           ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND d.objid = r.oid
           WHERE r.ev_class = c.oid AND d.refobjid <> c.oid
           AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
           ORDER BY 1)
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind = 'v' AND c.oid >= 16384
ORDER BY 1
"""
_SEQUENCES = "SELECT s.seqrelid::int8 FROM pg_catalog.pg_sequence AS s ORDER BY 1"
