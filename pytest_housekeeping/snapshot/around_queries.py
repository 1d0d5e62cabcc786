"""The catalog queries for what a schema dump leaves out of the database; the rows are as in
relation_queries.
"""

from __future__ import annotations

from typing import LiteralString

from pytest_housekeeping.snapshot.relation_queries import RELATION

DATABASE_LIMITS: LiteralString = """
SELECT 'limits of database', '', 'database', concat_ws(E'\\n',
    'connection limit: ' || nullif(d.datconnlimit, -1),
    CASE WHEN NOT d.datallowconn THEN 'no connections' END,
    CASE WHEN d.datistemplate THEN 'a template' END), NULL, NULL::text[]
FROM pg_catalog.pg_database AS d WHERE d.datname = current_database()
    AND (d.datconnlimit <> -1 OR NOT d.datallowconn OR d.datistemplate)"""

# The triggers of a partition's foreign key, whose names are OIDs; what is out of the ordinary of an
# index; what is read of a materialized view.
STATES: LiteralString = f"""{RELATION}
SELECT 'state of', 'constraint ' || quote_ident(c.conname) || ' on ' || r.name,
    r.kind || ' ' || r.name, 'not enforced: its triggers are ' || off.states, NULL, NULL::text[]
FROM r JOIN pg_catalog.pg_constraint AS c
    ON c.conrelid = r.oid AND c.contype = 'f' AND c.conparentid <> 0
JOIN (
    SELECT tgconstraint, string_agg(DISTINCT tgenabled::text, ', ') AS states
    FROM pg_catalog.pg_trigger WHERE tgisinternal AND tgenabled <> 'O' GROUP BY 1
) AS off ON off.tgconstraint = c.oid
UNION ALL
SELECT 'state of', 'index ' || i.indexrelid::regclass, 'index ' || i.indexrelid::regclass,
    concat_ws(E'\\n', CASE WHEN NOT i.indisready THEN 'not ready' END,
        CASE WHEN NOT i.indislive THEN 'being dropped' END,
        CASE WHEN i.indimmediate = (c.condeferrable IS TRUE) THEN
            CASE WHEN i.indimmediate THEN 'checked at once, whatever its constraint says'
            ELSE 'not checked at once, whatever its constraint says' END END), NULL, NULL
FROM r JOIN pg_catalog.pg_index AS i ON i.indrelid = r.oid
LEFT JOIN pg_catalog.pg_constraint AS c ON c.conindid = i.indexrelid AND c.conrelid = i.indrelid
    AND c.contype IN ('p', 'u', 'x')
WHERE NOT i.indisready OR NOT i.indislive OR i.indimmediate = (c.condeferrable IS TRUE)
UNION ALL
SELECT 'state of', r.kind || ' ' || r.name, r.kind || ' ' || r.name, 'not populated', NULL, NULL
FROM r JOIN pg_catalog.pg_class AS c ON c.oid = r.oid WHERE NOT c.relispopulated
UNION ALL
SELECT 'row type', 'of ' || r.kind || ' ' || r.name, r.kind || ' ' || r.name,
    'owner: ' || quote_ident(pg_get_userbyid(t.typowner)), 'T', t.typacl::text[]
FROM r JOIN pg_catalog.pg_type AS t ON t.typrelid = r.oid AND t.typtype = 'c'
WHERE t.typacl IS NOT NULL"""

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
# who may read them.
LARGE_OBJECTS: LiteralString = """
SELECT 'large objects', 'of ' || quote_ident(pg_get_userbyid(lomowner)), '',
    string_agg(DISTINCT coalesce((SELECT string_agg(a, ' ' ORDER BY a COLLATE "C")
        FROM unnest(lomacl::text[]) AS a), 'nothing granted'), E'\\n'), NULL, NULL::text[]
FROM pg_catalog.pg_largeobject_metadata GROUP BY lomowner"""

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

AROUND_QUERIES = (
    DATABASE_LIMITS,
    STATES,
    EXTENSION_MEMBERS,
    LARGE_OBJECTS,
    SUBSCRIPTIONS,
)
