"""What PostgreSQL's catalogs say of the schema of the tool's own tables; ``shape`` judges it.

Every object that belongs to the schema, or to what is in it, has a dependency on record, whatever
kind of object it is: https://www.postgresql.org/docs/16/catalog-pg-depend.html
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import nullcontext, suppress
from enum import Enum
from hashlib import sha256
from typing import Any

from psycopg import errors, sql
from psycopg.pq import TransactionStatus

from pytest_housekeeping.postgres.connection import Connection, rolled_back
from pytest_housekeeping.postgres.own_tables.tables import TABLES

Rows = Sequence[tuple[Any, ...]]


class Planned(Enum):
    """Whether PostgreSQL has planned what is asked, which takes it longer than to answer."""

    NOT = "each time"
    NOW = "for the next time"
    BEFORE = "by whoever asked before"
    FIRST = "by whoever asked before, else for the next time"


def ask(
    connection: Connection,
    schema: str,
    applications: Sequence[str],
    promoter: str = "",
    *,
    planned: Planned = Planned.NOT,
) -> tuple[Rows, ...]:
    """The rows of schema, relations, columns, objects, and grants, in this order.

    The tables are to be those of the ``promoter``, without one of whoever asks. What is ``planned``
    stays prepared in the session; whoever goes by that knows that nobody has prepared anything
    else under its names.

    Expressions are printed for a search_path of pg_catalog alone; no setting of this stays.
    """
    texts = [
        sql.SQL(each)
        .format(
            schema=sql.Literal(schema),
            tables=sql.Literal(list(TABLES)),
            applications=sql.Literal(list(applications)),
            promoter=sql.Literal(promoter) if promoter else sql.SQL("current_user"),
        )
        .as_string(connection)
        for each in (_SCHEMA, _RELATIONS, _COLUMNS, _OBJECTS, _GRANTS)
    ]
    # Several statements in one message share a transaction, with which the setting ends.
    is_idle = connection.info.transaction_status is TransactionStatus.IDLE
    for statements in _attempts(texts, planned):
        # Whoever has deallocated them, or has them already, has them asked as they stand.
        with (
            suppress(errors.InvalidSqlStatementName, errors.DuplicatePreparedStatement),
            nullcontext() if is_idle else rolled_back(connection),
        ):
            return _results(connection, statements)
    with nullcontext() if is_idle else rolled_back(connection):
        return _results(connection, texts)


def _attempts(texts: Sequence[str], planned: Planned) -> Iterator[Sequence[str]]:
    """What is tried, one after the other, before the texts are asked as they stand."""
    names = {f"hk_own_{sha256(text.encode()).hexdigest()[:16]}": text for text in texts}
    execute = [f"EXECUTE {name}" for name in names]
    if planned in {Planned.BEFORE, Planned.FIRST}:
        yield execute
    if planned in {Planned.NOW, Planned.FIRST}:
        yield [*(f"PREPARE {name} AS {text}" for name, text in names.items()), *execute]


def _results(connection: Connection, statements: Sequence[str]) -> tuple[Rows, ...]:
    cursor = connection.execute(";\n".join([_SETTINGS, *statements]).encode())
    found = []
    while cursor.nextset():
        if cursor.description:
            found.append(cursor.fetchall())
    return tuple(found)


# Few rows are looked for among those of all tables: by the indexes, whatever the planner guesses.
_SETTINGS = """
SELECT pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true),
    pg_catalog.set_config('enable_hashjoin', 'off', true),
    pg_catalog.set_config('enable_mergejoin', 'off', true)"""

_SCHEMA = """
SELECT pg_catalog.pg_get_userbyid(n.nspowner)::text,
    pg_has_role({promoter}, n.nspowner, 'USAGE'), quote_ident({promoter})
FROM pg_namespace AS n WHERE n.nspname = {schema}"""

# Name, kind, what is unusual about it (the SQL that undoes it, by words), and whose it is.
_RELATIONS = """
SELECT c.relname::text, c.relkind::text, pg_get_userbyid(c.relowner)::text,
    pg_has_role({promoter}, c.relowner, 'USAGE'),
    array_remove(ARRAY[
        CASE WHEN c.relrowsecurity THEN 'DISABLE ROW LEVEL SECURITY' END,
        CASE WHEN c.relforcerowsecurity THEN 'NO FORCE ROW LEVEL SECURITY' END,
        CASE WHEN c.relpersistence <> 'p' THEN 'SET LOGGED' END,
        CASE WHEN c.reloftype <> 0 THEN 'NOT OF' END]
        || ARRAY(SELECT format('NO INHERIT %s', i.inhparent::regclass)
            FROM pg_inherits AS i WHERE i.inhrelid = c.oid ORDER BY i.inhseqno), NULL),
    ARRAY(SELECT a.attname::text FROM pg_attribute AS a
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum)
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = {schema} AND c.relkind NOT IN ('i', 'I', 'c') ORDER BY 1"""

_COLUMNS = """
SELECT c.relname::text, a.attname::text, format_type(a.atttypid, a.atttypmod), a.attnotnull,
    coalesce(pg_get_expr(d.adbin, d.adrelid), ''), a.attidentity::text, a.attgenerated::text,
    a.attcollation NOT IN (0, t.typcollation)
FROM pg_attribute AS a
JOIN pg_class AS c ON c.oid = a.attrelid AND c.relkind = 'r' AND c.relname = ANY ({tables})
JOIN pg_namespace AS n ON n.oid = c.relnamespace AND n.nspname = {schema}
JOIN pg_type AS t ON t.oid = a.atttypid
LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attnum > 0 AND NOT a.attisdropped ORDER BY c.relname, a.attnum"""

# Left out is what a table brings by itself: its row type, TOAST, and, of 18, valid NOT NULLs. What
# goes with another object that is listed (the index of a constraint, say) is not listed again.
_OBJECTS = """
WITH RECURSIVE own AS MATERIALIZED (
    SELECT oid FROM pg_namespace WHERE nspname = {schema}
), reach AS (
    SELECT 'pg_namespace'::regclass::oid AS classid, own.oid AS objid, 0 AS objsubid FROM own
    UNION
    SELECT CASE WHEN w.oid IS NULL THEN d.classid ELSE 'pg_class'::regclass END,
        coalesce(w.ev_class, d.objid), CASE WHEN w.oid IS NULL THEN d.objsubid ELSE 0 END
    FROM reach AS r
    JOIN pg_depend AS d ON d.refclassid = r.classid AND d.refobjid = r.objid
    LEFT JOIN pg_rewrite AS w ON d.classid = 'pg_rewrite'::regclass AND w.oid = d.objid
        AND w.rulename = '_RETURN'
), known AS (
    SELECT r.*, x.type, x.identity, k.contype, i.indexrelid
    FROM reach AS r
    CROSS JOIN LATERAL pg_identify_object(r.classid, r.objid, r.objsubid) AS x
    LEFT JOIN pg_class AS c ON r.classid = 'pg_class'::regclass AND c.oid = r.objid
    LEFT JOIN pg_type AS t ON r.classid = 'pg_type'::regclass AND t.oid = r.objid
    LEFT JOIN pg_type AS e ON e.oid = t.typelem
    LEFT JOIN pg_class AS tc ON tc.oid = coalesce(nullif(t.typrelid, 0), e.typrelid)
    LEFT JOIN pg_constraint AS k ON r.classid = 'pg_constraint'::regclass AND k.oid = r.objid
    LEFT JOIN pg_class AS kc ON kc.oid = k.conrelid
    LEFT JOIN pg_index AS i ON i.indexrelid = c.oid
    WHERE r.classid NOT IN ('pg_namespace'::regclass, 'pg_default_acl'::regclass)
        AND coalesce(c.relnamespace, 0) <> 'pg_toast'::regnamespace
        AND (c.relname = ANY ({tables}) AND r.objsubid = 0 AND c.relkind = 'r'
            AND c.relnamespace IN (SELECT oid FROM own)) IS NOT TRUE
        AND (tc.relname = ANY ({tables}) AND tc.relnamespace IN (SELECT oid FROM own)) IS NOT TRUE
        AND (k.contype = 'n' AND k.convalidated AND kc.relname = ANY ({tables})
            AND kc.relnamespace IN (SELECT oid FROM own)) IS NOT TRUE
)
SELECT k.type, k.identity, CASE WHEN k.contype IS NOT NULL THEN pg_get_constraintdef(k.objid)
        WHEN k.indexrelid IS NOT NULL THEN pg_get_indexdef(k.objid)
            || CASE WHEN i.indisvalid AND i.indisready THEN '' ELSE ' (invalid)' END
        ELSE coalesce((SELECT 'inherits ' || h.inhparent::regclass FROM pg_inherits AS h
            WHERE h.inhrelid = k.objid AND k.classid = 'pg_class'::regclass
                AND (h.inhparent IN (SELECT r.objid FROM reach AS r))
            ORDER BY h.inhseqno LIMIT 1), '') END
FROM known AS k LEFT JOIN pg_index AS i ON i.indexrelid = k.indexrelid
WHERE NOT EXISTS (
    SELECT FROM pg_depend AS d
    JOIN known AS other ON other.classid = d.refclassid AND other.objid = d.refobjid
        AND (other.classid, other.objid) <> (k.classid, k.objid)
    WHERE d.classid = k.classid AND d.objid = k.objid AND d.deptype IN ('a', 'i', 'e', 'P', 'S'))
UNION
SELECT 'member of an extension', format('%s of %I', x.identity, e.extname), ''
FROM reach AS r JOIN pg_depend AS d ON d.classid = r.classid AND d.objid = r.objid
    AND d.deptype = 'e' AND d.refclassid = 'pg_extension'::regclass
JOIN pg_extension AS e ON e.oid = d.refobjid
CROSS JOIN LATERAL pg_identify_object(r.classid, r.objid, 0) AS x
WHERE r.classid = 'pg_class'::regclass
ORDER BY 1, 2"""

# Who holds what beside the owner, as the SQL that takes it away; and which application role could
# write all the same, by a role that it is a member of.
_GRANTS = """
SELECT o.kind || ' ' || o.name, CASE g.grantee WHEN 0 THEN 'PUBLIC'
        ELSE quote_ident(pg_get_userbyid(g.grantee)) END,
    string_agg(g.privilege_type || coalesce(' (' || o.attname || ')', ''), ', '
        ORDER BY o.attname, g.privilege_type),
    format('REVOKE ALL ON %s %s FROM %s CASCADE;', o.kind, o.name, CASE g.grantee WHEN 0
        THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(g.grantee)) END)
FROM (
    SELECT 'SCHEMA' AS kind, quote_ident(n.nspname) AS name, n.nspacl AS acl, n.nspowner AS owner,
        NULL AS attname
    FROM pg_namespace AS n WHERE n.nspname = {schema}
    UNION ALL
    SELECT CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END,
        format('%I.%I', n.nspname, c.relname), c.relacl, c.relowner, NULL
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname = {schema} AND c.relkind IN ('r', 'S')
        AND replace(c.relname, '_id_seq', '') = ANY ({tables})
    UNION ALL
    SELECT 'TABLE', format('%I.%I', n.nspname, c.relname), a.attacl, c.relowner, a.attname
    FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid AND c.relkind = 'r'
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname = {schema} AND a.attacl IS NOT NULL AND c.relname = ANY ({tables})
) AS o CROSS JOIN LATERAL aclexplode(o.acl) AS g
WHERE g.grantee <> o.owner
GROUP BY o.kind, o.name, g.grantee
UNION ALL
SELECT format('DEFAULT PRIVILEGES FOR ROLE %I IN SCHEMA %I', pg_get_userbyid(d.defaclrole),
        n.nspname), CASE g.grantee WHEN 0 THEN 'PUBLIC'
        ELSE quote_ident(pg_get_userbyid(g.grantee)) END,
    string_agg(g.privilege_type, ', ' ORDER BY g.privilege_type),
    format('ALTER DEFAULT PRIVILEGES FOR ROLE %I IN SCHEMA %I REVOKE ALL ON %s FROM %s;',
        pg_get_userbyid(d.defaclrole), n.nspname, CASE d.defaclobjtype WHEN 'r' THEN 'TABLES'
            WHEN 'S' THEN 'SEQUENCES' WHEN 'f' THEN 'FUNCTIONS' ELSE 'TYPES' END,
        CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(g.grantee)) END)
FROM pg_default_acl AS d JOIN pg_namespace AS n ON n.oid = d.defaclnamespace
CROSS JOIN LATERAL aclexplode(d.defaclacl) AS g
WHERE n.nspname = {schema}
GROUP BY d.defaclrole, d.defaclobjtype, n.nspname, g.grantee
UNION ALL
SELECT 'TABLE ' || format('%I.%I', n.nspname, c.relname), quote_ident(r.rolname),
    'writing, as a member of ' || string_agg(quote_ident(p.rolname), ', ' ORDER BY p.rolname),
    string_agg(format('REVOKE %I FROM %I;', p.rolname, r.rolname), ' ' ORDER BY p.rolname)
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_roles AS r ON r.rolname = ANY ({applications}) AND NOT r.rolsuper
    AND r.oid <> c.relowner
JOIN pg_auth_members AS m ON m.member = r.oid
JOIN pg_roles AS p ON p.oid = m.roleid
    AND (p.rolsuper OR p.rolname = 'pg_write_all_data' OR pg_has_role(p.oid, c.relowner, 'MEMBER')
        OR pg_has_role(p.oid, 'pg_write_all_data', 'MEMBER'))
WHERE n.nspname = {schema} AND c.relkind = 'r' AND c.relname = ANY ({tables})
GROUP BY n.nspname, c.relname, r.rolname
ORDER BY 1, 2"""
