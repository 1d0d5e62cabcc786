"""The catalog queries for what a schema dump leaves out of the database; the rows are as in
relations.py.
"""

from __future__ import annotations

from typing import LiteralString

from pytest_housekeeping.snapshot.queries.relations import NOT_OF_REINDEX, SCHEMAS

# UTF8 can hold whatever a file says, so it is what goes without saying.
DATABASE_LIMITS: LiteralString = """
SELECT 'limits of database', '', 'database', concat_ws(E'\\n',
    'connection limit: ' || nullif(d.datconnlimit, -1),
    CASE WHEN NOT d.datallowconn THEN 'no connections' END,
    CASE WHEN d.datistemplate THEN 'a template' END), NULL, NULL::text[]
FROM pg_catalog.pg_database AS d WHERE d.datname = current_database()
    AND (d.datconnlimit <> -1 OR NOT d.datallowconn OR d.datistemplate)
UNION ALL SELECT 'encoding of database', '', '', pg_encoding_to_char(d.encoding),
    NULL, NULL::text[]
FROM pg_catalog.pg_database AS d WHERE d.datname = current_database()
    AND pg_encoding_to_char(d.encoding) <> 'UTF8'"""

# There are few of these, so each catalog is searched for them before it is joined with others.
_NAMED: LiteralString = f"""WITH {SCHEMAS},
n AS NOT MATERIALIZED (
    SELECT c.oid, c.relkind, c.relname, s.name || '.' || quote_ident(c.relname) AS name,
        CASE c.relkind WHEN 'v' THEN 'view ' WHEN 'm' THEN 'materialized view '
            WHEN 'f' THEN 'foreign table ' ELSE 'table ' END
            || s.name || '.' || quote_ident(c.relname) AS object
    FROM s JOIN pg_catalog.pg_class AS c ON c.relnamespace = s.oid
)"""

# The triggers of a partition's foreign key, whose names are OIDs; what is out of the ordinary of an
# index; what is read of a materialized view. Who else may declare columns of a table's row type.
RELATION_STATES: LiteralString = f"""{_NAMED}
SELECT 'state of', 'constraint ' || quote_ident(c.conname) || ' on ' || n.name, n.object,
    'not enforced: its triggers are ' || string_agg(DISTINCT t.tgenabled::text, ', '),
    NULL, NULL::text[], n.oid
FROM pg_catalog.pg_trigger AS t
JOIN pg_catalog.pg_constraint AS c
    ON c.oid = t.tgconstraint AND c.contype = 'f' AND c.conparentid <> 0
JOIN n ON n.oid = c.conrelid
WHERE t.tgisinternal AND t.tgenabled <> 'O' AND :among(n.oid)
GROUP BY c.conname, n.name, n.object, n.oid
UNION ALL
SELECT 'state of', 'index ' || c.name, 'index ' || c.name, concat_ws(E'\\n',
    CASE WHEN NOT i.indisready THEN 'not ready' END,
    CASE WHEN NOT i.indislive THEN 'being dropped' END,
    CASE WHEN NOT i.indimmediate THEN 'not checked at once' END), NULL, NULL, i.indrelid
FROM pg_catalog.pg_index AS i JOIN n AS c ON c.oid = i.indexrelid
WHERE (NOT i.indisready OR NOT i.indislive OR NOT i.indimmediate) AND :among(i.indrelid)
    AND {NOT_OF_REINDEX}
UNION ALL
SELECT 'state of', n.object, n.object, 'not populated', NULL, NULL, n.oid
FROM n JOIN pg_catalog.pg_class AS c ON c.oid = n.oid
WHERE c.relkind = 'm' AND NOT c.relispopulated AND :among(n.oid)
UNION ALL
SELECT 'row type', 'of ' || n.object, n.object,
    'owner: ' || quote_ident(pg_get_userbyid(t.typowner)), 'T', t.typacl::text[], n.oid
FROM pg_catalog.pg_type AS t JOIN n ON n.oid = t.typrelid AND n.relkind <> 'c'
WHERE t.typacl IS NOT NULL AND t.typtype = 'c' AND :among(n.oid)"""

# Of an extension the dump tells no more than the name, and of what it has made nothing.
EXTENSION_MEMBERS: LiteralString = """
SELECT 'state of', 'extension ' || quote_ident(e.extname), 'extension ' || quote_ident(e.extname),
    'owner: ' || quote_ident(pg_get_userbyid(e.extowner)), NULL, NULL::text[]
FROM pg_catalog.pg_extension AS e
UNION ALL
SELECT 'members of', 'extension ' || quote_ident(e.extname),
    'extension ' || quote_ident(e.extname),
    string_agg(member.text, E'\\n' ORDER BY member.text COLLATE "C"), NULL, NULL
FROM pg_catalog.pg_extension AS e
JOIN pg_catalog.pg_depend AS d ON d.refobjid = e.oid AND d.deptype = 'e'
    AND d.refclassid = 'pg_catalog.pg_extension'::regclass
JOIN LATERAL (
    SELECT concat_ws(' ', 'function', p.oid::regprocedure, 'of',
        quote_ident(pg_get_userbyid(p.proowner)),
        left(md5(ROW(p.prolang, p.procost, p.prorows, p.prosupport, p.prokind, p.prosecdef,
            p.proleakproof, p.proisstrict, p.proretset, p.provolatile, p.proparallel, p.prosrc,
            p.probin, pg_get_function_sqlbody(p.oid), p.proconfig)::text), 8))
    FROM pg_catalog.pg_proc AS p
    WHERE p.oid = d.objid AND d.classid = 'pg_catalog.pg_proc'::regclass AND p.oid >= 16384
    UNION ALL
    SELECT concat_ws(' ', 'relation', c.oid::regclass, 'of',
        quote_ident(pg_get_userbyid(c.relowner)),
        CASE WHEN c.relrowsecurity THEN 'row security: enabled' END,
        CASE WHEN c.relforcerowsecurity THEN 'row security: forced' END)
    FROM pg_catalog.pg_class AS c
    WHERE c.oid = d.objid AND d.classid = 'pg_catalog.pg_class'::regclass
    UNION ALL
    SELECT concat_ws(' ', 'type', t.oid::regtype, 'of', quote_ident(pg_get_userbyid(t.typowner)))
    FROM pg_catalog.pg_type AS t
    WHERE t.oid = d.objid AND d.classid = 'pg_catalog.pg_type'::regclass
) AS member (text) ON true
GROUP BY e.extname"""

# An application makes and drops large objects as it does rows: what counts is whose they are, and
# else may read them. There may be millions, and few ways in which they are granted.
LARGE_OBJECTS: LiteralString = """
SELECT 'large objects', 'of ' || quote_ident(pg_get_userbyid(o.owner)), '',
    string_agg(DISTINCT g.granted, E'\\n'), NULL, NULL::text[]
FROM (
    SELECT DISTINCT lomowner AS owner, lomacl::text[] AS acl
    FROM pg_catalog.pg_largeobject_metadata WHERE lomacl <> acldefault('L', lomowner)
) AS o
CROSS JOIN LATERAL (
    SELECT coalesce(string_agg(a, ' ' ORDER BY a COLLATE "C"), 'nothing granted')
    FROM unnest(o.acl) AS a
) AS g (granted)
GROUP BY o.owner"""

# The columns that 15 lacks are those of the outer row there, which are null. How to connect is for
# superusers alone.
SUBSCRIPTIONS: LiteralString = """
SELECT 'subscription', quote_ident(s.subname), '', concat_ws(E'\\n',
    'owner: ' || quote_ident(pg_get_userbyid(s.subowner)),
    CASE WHEN NOT s.subenabled THEN 'disabled' END,
    'publications: ' || array_to_string(s.subpublications, ', '),
    'slot: ' || quote_ident(s.subslotname), 'synchronous commit: ' || s.subsynccommit,
    'options: ' || concat_ws(', ', CASE WHEN s.subbinary THEN 'binary' END,
        'stream ' || s.substream::text, CASE WHEN s.subdisableonerr THEN 'disable on error' END,
        newer.options),
    'comment: ' || quote_literal(obj_description(s.oid, 'pg_subscription'))), NULL, NULL::text[]
FROM pg_catalog.pg_subscription AS s
CROSS JOIN (SELECT NULL::text AS suborigin, NULL::boolean AS subpasswordrequired,
    NULL::boolean AS subrunasowner, NULL::boolean AS subfailover) AS lacking
CROSS JOIN LATERAL (
    SELECT concat_ws(', ', 'origin ' || suborigin,
        CASE WHEN NOT subpasswordrequired THEN 'no password required' END,
        CASE WHEN subrunasowner THEN 'as its owner' END, CASE WHEN subfailover THEN 'failover' END)
    FROM pg_catalog.pg_subscription AS same WHERE same.oid = s.oid
) AS newer (options)
WHERE s.subdbid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())"""
