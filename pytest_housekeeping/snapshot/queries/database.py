"""The catalog queries for what belongs to the database as a whole; the rows are as in
relations.py.
"""

from __future__ import annotations

from typing import LiteralString

from pytest_housekeeping.snapshot.queries.relations import SCHEMAS, comment, not_of_extension

CONFIDENTIAL: LiteralString = "(pass|secret|token|key|jwt|credential|auth)"
_SETTING: LiteralString = f"""CASE WHEN split_part(setting, '=', 1) LIKE '%.%'
    AND split_part(setting, '=', 1) ~* '{CONFIDENTIAL}'
    THEN split_part(setting, '=', 1) || '=[secret]' ELSE setting END"""

# Neither its name nor its encoding and locale: a restore goes into another database.
DATABASE: LiteralString = f"""
SELECT 'database', '', '', concat_ws(E'\\n',
    'owner: ' || quote_ident(pg_get_userbyid(d.datdba)),
    (SELECT string_agg(concat('set ', {_SETTING},
            ' for ' || quote_ident(nullif(pg_get_userbyid(r.setrole), 'unknown (OID=0)'))),
            E'\\n' ORDER BY pg_get_userbyid(r.setrole) COLLATE "C", setting COLLATE "C")
        FROM pg_catalog.pg_db_role_setting AS r CROSS JOIN unnest(r.setconfig) AS setting
        WHERE r.setdatabase = d.oid),
    'comment: ' || quote_literal(shobj_description(d.oid, 'pg_database'))
), 'd', coalesce(d.datacl, acldefault('d', d.datdba))::text[]
FROM pg_catalog.pg_database AS d WHERE d.datname = current_database()"""

EXTENSIONS: LiteralString = f"""
SELECT 'extension', quote_ident(e.extname), '', concat_ws(E'\\n', 'version: ' || e.extversion,
    'schema: ' || e.extnamespace::regnamespace, {comment("pg_extension", "e.oid")}),
    NULL, NULL::text[]
FROM pg_catalog.pg_extension AS e"""

DEPENDENCES: LiteralString = """
SELECT 'dependence of', i.type || ' ' || i.identity, '', string_agg(
        'on extension ' || quote_ident(e.extname), E'\\n' ORDER BY e.extname COLLATE "C"),
    NULL, NULL::text[]
FROM pg_catalog.pg_depend AS d JOIN pg_catalog.pg_extension AS e ON e.oid = d.refobjid
CROSS JOIN LATERAL pg_identify_object(d.classid, d.objid, d.objsubid) AS i
WHERE d.deptype = 'x' AND d.refclassid = 'pg_catalog.pg_extension'::regclass
    AND coalesce(i.schema, '') <> ALL (:excluded)
GROUP BY i.type, i.identity"""

LANGUAGES: LiteralString = f"""
SELECT 'language', quote_ident(l.lanname), '', concat_ws(E'\\n',
    'owner: ' || quote_ident(pg_get_userbyid(l.lanowner)),
    'definition: ' || concat_ws(', ', nullif(l.lanplcallfoid, 0)::regprocedure,
        nullif(l.laninline, 0)::regprocedure, nullif(l.lanvalidator, 0)::regprocedure,
        CASE WHEN l.lanpltrusted THEN 'trusted' END), {comment("pg_language", "l.oid")}
), 'l', coalesce(l.lanacl, acldefault('l', l.lanowner))::text[]
FROM pg_catalog.pg_language AS l
WHERE l.oid >= 16384 AND {not_of_extension("pg_catalog.pg_language", "l.oid")}"""

CASTS: LiteralString = f"""
SELECT 'cast',
    format('(%s AS %s)', format_type(c.castsource, NULL), format_type(c.casttarget, NULL)),
    '', concat_ws(E'\\n', concat_ws(', ', 'context ' || c.castcontext::text,
        'method ' || c.castmethod::text, nullif(c.castfunc, 0)::regprocedure),
        {comment("pg_cast", "c.oid")}), NULL, NULL::text[]
FROM pg_catalog.pg_cast AS c
WHERE c.oid >= 16384 AND {not_of_extension("pg_catalog.pg_cast", "c.oid")}
UNION ALL
SELECT 'transform', format('for %s language %I', format_type(t.trftype, NULL), l.lanname), '',
    concat_ws(', ', t.trffromsql::regprocedure, t.trftosql::regprocedure), NULL, NULL
FROM pg_catalog.pg_transform AS t JOIN pg_catalog.pg_language AS l ON l.oid = t.trflang
WHERE {not_of_extension("pg_catalog.pg_transform", "t.oid")}
UNION ALL
SELECT 'access method', quote_ident(a.amname), '', concat_ws(', ', a.amtype::text, a.amhandler),
    NULL, NULL
FROM pg_catalog.pg_am AS a
WHERE a.oid >= 16384 AND {not_of_extension("pg_catalog.pg_am", "a.oid")}"""

FOREIGN: LiteralString = f"""
SELECT 'foreign data wrapper', quote_ident(w.fdwname), '', concat_ws(E'\\n',
    'owner: ' || quote_ident(pg_get_userbyid(w.fdwowner)),
    'handler: ' || nullif(w.fdwhandler, 0)::regprocedure,
    'validator: ' || nullif(w.fdwvalidator, 0)::regprocedure,
    'options: ' || (SELECT string_agg(o, ', ' ORDER BY o) FROM unnest(w.fdwoptions) AS o),
    {comment("pg_foreign_data_wrapper", "w.oid")}
), 'F', coalesce(w.fdwacl, acldefault('F', w.fdwowner))::text[]
FROM pg_catalog.pg_foreign_data_wrapper AS w
WHERE {not_of_extension("pg_catalog.pg_foreign_data_wrapper", "w.oid")}
UNION ALL
SELECT 'server', quote_ident(f.srvname), '', concat_ws(E'\\n',
    'owner: ' || quote_ident(pg_get_userbyid(f.srvowner)),
    'wrapper: ' || quote_ident(w.fdwname), 'type: ' || f.srvtype, 'version: ' || f.srvversion,
    'options: ' || (SELECT string_agg(CASE WHEN o ~* '^[^=]*{CONFIDENTIAL}'
        THEN split_part(o, '=', 1) || '=[secret]' ELSE o END, ', ' ORDER BY o)
        FROM unnest(f.srvoptions) AS o),
    {comment("pg_foreign_server", "f.oid")}
), 'S', coalesce(f.srvacl, acldefault('S', f.srvowner))::text[]
FROM pg_catalog.pg_foreign_server AS f
JOIN pg_catalog.pg_foreign_data_wrapper AS w ON w.oid = f.srvfdw
WHERE {not_of_extension("pg_catalog.pg_foreign_server", "f.oid")}
UNION ALL
SELECT 'user mapping', format('for %s server %I',
    CASE u.umuser WHEN 0 THEN 'PUBLIC' ELSE quote_ident(u.usename) END, u.srvname),
    'server ' || quote_ident(u.srvname), 'its options are not told', NULL, NULL
FROM pg_catalog.pg_user_mappings AS u"""

DEFAULT_PRIVILEGES: LiteralString = f"""WITH {SCHEMAS}
SELECT 'default privileges', concat_ws(' ', 'for', quote_ident(pg_get_userbyid(d.defaclrole)),
    'in ' || s.name, 'on', CASE d.defaclobjtype WHEN 'r' THEN 'tables' WHEN 'S' THEN 'sequences'
        WHEN 'f' THEN 'functions' WHEN 'T' THEN 'types' WHEN 'n' THEN 'schemas'
        ELSE 'large objects' END),
    coalesce('schema ' || s.name, ''), '',
    CASE d.defaclobjtype WHEN 'S' THEN 's' ELSE d.defaclobjtype::text END, d.defaclacl::text[]
FROM pg_catalog.pg_default_acl AS d LEFT JOIN s ON s.oid = d.defaclnamespace
WHERE d.defaclnamespace = 0 OR s.oid IS NOT NULL"""

EVENT_TRIGGERS: LiteralString = f"""
SELECT 'event trigger', quote_ident(e.evtname), '', concat_ws(E'\\n',
    'owner: ' || quote_ident(pg_get_userbyid(e.evtowner)), 'on: ' || e.evtevent,
    'tags: ' || array_to_string(e.evttags, ', '), 'function: ' || e.evtfoid::regprocedure,
    CASE e.evtenabled WHEN 'D' THEN 'disabled' WHEN 'R' THEN 'enabled on replicas'
        WHEN 'A' THEN 'enabled always' END,
    {comment("pg_event_trigger", "e.oid")}), NULL, NULL::text[]
FROM pg_catalog.pg_event_trigger AS e
WHERE {not_of_extension("pg_catalog.pg_event_trigger", "e.oid")}"""

PUBLICATIONS: LiteralString = f"""
SELECT 'publication', quote_ident(p.pubname), '', concat_ws(E'\\n',
    'owner: ' || quote_ident(pg_get_userbyid(p.pubowner)),
    'publish: ' || concat_ws(', ', CASE WHEN p.pubinsert THEN 'insert' END,
        CASE WHEN p.pubupdate THEN 'update' END, CASE WHEN p.pubdelete THEN 'delete' END,
        CASE WHEN p.pubtruncate THEN 'truncate' END),
    CASE WHEN p.puballtables THEN 'all tables' END,
    CASE WHEN p.pubviaroot THEN 'through the root' END,
    'generated columns: ' || nullif(to_jsonb(p) ->> 'pubgencols', 'n'),
    (SELECT string_agg('tables of ' || n.pnnspid::regnamespace, E'\\n'
            ORDER BY n.pnnspid::regnamespace::text)
        FROM pg_catalog.pg_publication_namespace AS n WHERE n.pnpubid = p.oid),
    (SELECT string_agg(concat_ws(' ', 'table', r.prrelid::regclass,
            '(' || (SELECT string_agg(quote_ident(attname), ', ' ORDER BY attname)
                FROM pg_catalog.pg_attribute
                WHERE attrelid = r.prrelid AND attnum = ANY (r.prattrs::int2[])) || ')',
            'where ' || pg_get_expr(r.prqual, r.prrelid)), E'\\n'
            ORDER BY r.prrelid::regclass::text)
        FROM pg_catalog.pg_publication_rel AS r WHERE r.prpubid = p.oid),
    {comment("pg_publication", "p.oid")}), NULL, NULL::text[]
FROM pg_catalog.pg_publication AS p
WHERE {not_of_extension("pg_catalog.pg_publication", "p.oid")}"""

SECURITY_LABELS: LiteralString = """
SELECT 'security label', l.provider || ' on ' || i.type || ' ' || i.identity, '', l.label,
    NULL, NULL::text[]
FROM pg_catalog.pg_seclabel AS l
CROSS JOIN LATERAL pg_identify_object(l.classoid, l.objoid, l.objsubid) AS i"""

# PostgreSQL's own objects and those of extensions, where somebody has changed the privileges: what
# they were at first, and the owner, whom a dump does not tell. As pg_dump does, this leaves
# information_schema alone.
_CHANGED = """
SELECT 'privileges', concat_ws(' ', 'of', i.type, i.identity), '', '', {letter},
    o.{prefix}acl::text[], coalesce(first.initprivs, acldefault({letter}, o.{prefix}owner))::text[],
    pg_get_userbyid(o.{prefix}owner)::text
FROM pg_catalog.{catalog} AS o
LEFT JOIN pg_catalog.pg_init_privs AS first ON first.objoid = o.oid AND first.objsubid = 0
    AND first.classoid = 'pg_catalog.{catalog}'::regclass
CROSS JOIN LATERAL pg_identify_object('pg_catalog.{catalog}'::regclass, o.oid, 0) AS i
WHERE o.{prefix}acl IS NOT NULL AND o.{prefix}acl IS DISTINCT FROM first.initprivs
    AND ({builtin} OR first.privtype = 'e' OR EXISTS (
        SELECT FROM pg_catalog.pg_depend AS d WHERE d.objid = o.oid AND d.deptype = 'e'
            AND d.classid = 'pg_catalog.{catalog}'::regclass))"""
_KIND = "CASE o.relkind WHEN 'S' THEN 's' ELSE 'r' END::\"char\""
_BUILTIN = "o.{}namespace = 'pg_catalog'::regnamespace AND o.oid < 16384"

CHANGED_PRIVILEGES = tuple(
    _CHANGED.format(catalog=catalog, prefix=prefix, letter=letter, builtin=builtin)
    for catalog, prefix, letter, builtin in (
        ("pg_class", "rel", _KIND, _BUILTIN.format("rel")),
        ("pg_proc", "pro", "'f'", _BUILTIN.format("pro")),
        ("pg_type", "typ", "'T'", _BUILTIN.format("typ")),
        ("pg_language", "lan", "'l'", "o.oid < 16384"),
        ("pg_namespace", "nsp", "'n'", "o.nspname = 'pg_catalog'"),
    )
)
