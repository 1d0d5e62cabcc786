"""The catalog queries for PostgreSQL's own objects, and for what was put among them.

The rows are as in relations.py. No dump holds any of it, and nothing of it is like another
major version's. The objects that a server was made with have OIDs below 16384:
https://www.postgresql.org/docs/16/system-catalog-initial-data.html#SYSTEM-CATALOG-OID-ASSIGNMENT
"""

from __future__ import annotations

from typing import LiteralString

from pytest_housekeeping.snapshot.queries.relations import comment

_SYSTEM: LiteralString = """
s AS MATERIALIZED (
    SELECT oid, quote_ident(nspname) AS name FROM pg_catalog.pg_namespace
    WHERE nspname = 'information_schema' OR nspname ~ '^pg_' AND nspname !~ '^pg_(toast|temp)'
)"""

SCHEMAS_OF_SYSTEM: LiteralString = f"""WITH {_SYSTEM}
SELECT 'system', 'schema ' || s.name, '', 'owner: ' || quote_ident(pg_get_userbyid(n.nspowner)),
    CASE WHEN s.name <> 'pg_catalog' THEN 'n' END,
    coalesce(n.nspacl, acldefault('n', n.nspowner))::text[]
FROM s JOIN pg_catalog.pg_namespace AS n ON n.oid = s.oid"""

LANGUAGES_OF_SYSTEM: LiteralString = f"""
SELECT 'system', 'language ' || quote_ident(l.lanname), '', concat_ws(E'\\n',
    'owner: ' || quote_ident(pg_get_userbyid(l.lanowner)),
    CASE WHEN l.lanpltrusted THEN 'trusted' END,
    'definition: ' || concat_ws(', ', nullif(l.lanplcallfoid, 0)::regprocedure,
        nullif(l.laninline, 0)::regprocedure, nullif(l.lanvalidator, 0)::regprocedure),
    {comment("pg_language", "l.oid")}), NULL, NULL::text[]
FROM pg_catalog.pg_language AS l
UNION ALL
SELECT 'system', 'access method ' || quote_ident(a.amname), '',
    concat_ws(E'\\n', 'handler: ' || a.amhandler, {comment("pg_am", "a.oid")}), NULL, NULL
FROM pg_catalog.pg_am AS a"""

# A relation of PostgreSQL's that is not as it was made. Its views' options were made with it.
_RELATIONS: LiteralString = f"""WITH {_SYSTEM}
SELECT 'system', 'relation ' || s.name || '.' || quote_ident(c.relname), '', concat_ws(E'\\n',
    'owner: ' || quote_ident(pg_get_userbyid(c.relowner)),
    'options: ' || array_to_string(c.reloptions, ', '),
    CASE WHEN c.relrowsecurity THEN 'row security: enabled' END,
    CASE WHEN c.relforcerowsecurity THEN 'row security: forced' END), NULL, NULL::text[]
FROM s JOIN pg_catalog.pg_class AS c ON c.relnamespace = s.oid AND c.oid < 16384
WHERE c.relowner <> 10 OR c.relrowsecurity OR c.relforcerowsecurity OR c.reloptions IS NOT NULL"""

# The privileges of schemas, relations, functions and types of pg_catalog are told elsewhere. What
# nobody changed has what initdb gave it: in information_schema each view is open to everybody.
_PRIVILEGES: LiteralString = f"""WITH {_SYSTEM}
SELECT 'system', concat_ws(' ', 'privileges of', i.type, i.identity), '', '', o.letter, o.acl,
    coalesce(first.initprivs, o.given, acldefault(o.letter::"char", o.owner))::text[],
    pg_get_userbyid(o.owner)::text
FROM (
    SELECT 'pg_catalog.pg_class'::regclass AS catalog, c.oid, 0 AS place, 'r' AS letter,
        c.relacl AS acl, c.relowner AS owner, CASE WHEN c.relacl IS NOT NULL THEN
            acldefault('r', c.relowner) || makeaclitem(0, c.relowner, 'SELECT', false) END AS given
    FROM s JOIN pg_catalog.pg_class AS c ON c.relnamespace = s.oid AND c.oid < 16384
    WHERE s.name <> 'pg_catalog'
    UNION ALL
    SELECT 'pg_catalog.pg_class'::regclass, a.attrelid, a.attnum, 'c', a.attacl, 10, NULL
    FROM pg_catalog.pg_attribute AS a WHERE a.attrelid < 16384 AND a.attnum > 0
    UNION ALL
    SELECT 'pg_catalog.pg_proc'::regclass, p.oid, 0, 'f', p.proacl, p.proowner, NULL
    FROM s JOIN pg_catalog.pg_proc AS p ON p.pronamespace = s.oid AND p.oid < 16384
    WHERE s.name <> 'pg_catalog'
    UNION ALL
    SELECT 'pg_catalog.pg_type'::regclass, t.oid, 0, 'T', t.typacl, t.typowner, NULL
    FROM s JOIN pg_catalog.pg_type AS t ON t.typnamespace = s.oid AND t.oid < 16384
    WHERE s.name <> 'pg_catalog'
) AS o
LEFT JOIN pg_catalog.pg_init_privs AS first ON first.objoid = o.oid AND first.objsubid = o.place
    AND first.classoid = o.catalog
CROSS JOIN LATERAL pg_identify_object(o.catalog, o.oid, o.place) AS i
WHERE o.acl IS DISTINCT FROM coalesce(first.initprivs, o.given)"""

# What somebody has made in a schema of PostgreSQL's, or on one of its relations. At the end of each
# row stands the object: its catalog and its OID.
ADDED: LiteralString = f"""WITH {_SYSTEM},
o AS (
    SELECT 'pg_catalog.pg_proc'::regclass AS catalog, p.oid, p.proowner AS owner, 'f' AS letter,
        coalesce(p.proacl, acldefault('f', p.proowner))::text[] AS acl,
        CASE WHEN p.prokind <> 'a' THEN pg_get_functiondef(p.oid) END AS told
    FROM s JOIN pg_catalog.pg_proc AS p ON p.pronamespace = s.oid AND p.oid >= 16384
    UNION ALL
    SELECT 'pg_catalog.pg_class'::regclass, c.oid, c.relowner, 'r',
        coalesce(c.relacl, acldefault('r', c.relowner))::text[], concat_ws(E'\\n',
        'columns: ' || (SELECT string_agg(concat_ws(' ', quote_ident(attname),
                format_type(atttypid, atttypmod), attacl), ', ' ORDER BY attnum)
            FROM pg_catalog.pg_attribute
            WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped),
        CASE WHEN c.relrowsecurity THEN 'row security: enabled' END,
        CASE WHEN c.relforcerowsecurity THEN 'row security: forced' END,
        CASE WHEN c.relkind IN ('v', 'm') THEN pg_get_viewdef(c.oid) END)
    FROM s JOIN pg_catalog.pg_class AS c ON c.relnamespace = s.oid AND c.oid >= 16384
    UNION ALL
    SELECT 'pg_catalog.pg_type'::regclass, t.oid, t.typowner, 'T',
        coalesce(t.typacl, acldefault('T', t.typowner))::text[], NULL
    FROM s JOIN pg_catalog.pg_type AS t ON t.typnamespace = s.oid AND t.oid >= 16384
    UNION ALL
    SELECT 'pg_catalog.pg_operator'::regclass, x.oid, x.oprowner, NULL, NULL,
        concat_ws(' ', x.oprcode, x.oprrest, x.oprjoin)
    FROM s JOIN pg_catalog.pg_operator AS x ON x.oprnamespace = s.oid AND x.oid >= 16384
    UNION ALL
    SELECT 'pg_catalog.pg_opclass'::regclass, x.oid, x.opcowner, NULL, NULL,
        concat_ws(' ', x.opcintype::regtype, CASE WHEN x.opcdefault THEN 'default' END)
    FROM s JOIN pg_catalog.pg_opclass AS x ON x.opcnamespace = s.oid AND x.oid >= 16384
    UNION ALL
    SELECT 'pg_catalog.pg_collation'::regclass, x.oid, x.collowner, NULL, NULL,
        concat_ws(' ', x.collprovider::text, x.collcollate, x.collctype)
    FROM s JOIN pg_catalog.pg_collation AS x ON x.collnamespace = s.oid AND x.oid >= 16384
    UNION ALL
    SELECT 'pg_catalog.pg_trigger'::regclass, t.oid, c.relowner, NULL, NULL,
        concat_ws(' ', pg_get_triggerdef(t.oid), t.tgenabled)
    FROM s JOIN pg_catalog.pg_class AS c ON c.relnamespace = s.oid
    JOIN pg_catalog.pg_trigger AS t ON t.tgrelid = c.oid AND NOT t.tgisinternal
    UNION ALL
    SELECT 'pg_catalog.pg_policy'::regclass, p.oid, c.relowner, NULL, NULL,
        concat_ws(' ', p.polcmd, p.polpermissive, p.polroles::regrole[]::text,
            pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid))
    FROM s JOIN pg_catalog.pg_class AS c ON c.relnamespace = s.oid
    JOIN pg_catalog.pg_policy AS p ON p.polrelid = c.oid
)
SELECT 'system', i.type || ' ' || i.identity, '', concat_ws(E'\\n',
    'owner: ' || quote_ident(pg_get_userbyid(o.owner)), 'definition: ' || o.told), o.letter, o.acl,
    o.catalog::oid, o.oid
FROM o CROSS JOIN LATERAL pg_identify_object(o.catalog, o.oid, 0) AS i
WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_depend AS d
    WHERE d.classid = o.catalog AND d.objid = o.oid AND d.deptype IN ('e', 'i'))"""

# As one digest a catalog, of whatever a statement can change there, the privileges aside. Behind it
# stands which rows were written since the server was made, to have names for a difference: these
# lines do not count, for a row is written too by what is taken back afterwards.
_DIGEST = """
SELECT 'digest of system', '{words}', '', concat_ws(E'\\n', 'sum: ' || sum(o.hash),
    string_agg('written: ' || o.name || ', ' || to_hex(o.hash),
        E'\\n' ORDER BY o.name COLLATE "C")),
    NULL, NULL::text[]
FROM (
    SELECT hash_record_extended(ROW({columns}), 0) AS hash,
        CASE WHEN {written} THEN {name} END AS name
    FROM pg_catalog.{catalog} AS o WHERE {which}
) AS o"""
# initdb makes PL/pgSQL last, and before it the views; that extension may be dropped, and made anew.
_MADE = """coalesce((SELECT xmin::text::bigint FROM pg_catalog.pg_language
            WHERE oid < 16384 AND lanname = 'plpgsql'),
            (SELECT max(xmin::text::bigint) FROM pg_catalog.pg_rewrite WHERE oid < 16384))"""
_FUNCTION = """o.proname, o.proowner, o.prolang, o.procost, o.prorows, o.provariadic,
        o.prosupport::oid, o.prokind, o.prosecdef, o.proleakproof, o.proisstrict, o.proretset,
        o.provolatile, o.proparallel, o.pronargdefaults, o.prorettype, o.proargtypes,
        o.proallargtypes, o.proargmodes, o.prosrc, o.probin, o.proconfig, o.prosqlbody::text"""
_TYPE = """o.typname, o.typowner, o.typlen, o.typbyval, o.typtype, o.typcategory,
        o.typispreferred, o.typisdefined, o.typrelid, o.typelem, o.typinput::oid,
        o.typoutput::oid, o.typreceive::oid, o.typsend::oid, o.typstorage, o.typnotnull,
        o.typbasetype, o.typcollation, o.typdefault"""
_OPERATOR = """o.oprname, o.oprowner, o.oprkind, o.oprcanmerge, o.oprcanhash, o.oprresult,
        o.oprcom, o.oprnegate, o.oprcode::oid, o.oprrest::oid, o.oprjoin::oid"""
_VIEW = "o.ev_enabled, o.ev_class, o.ev_action::text"
_NAMELESS = {"pg_ts_config_map": "o.mapcfg::regconfig::text"}
_KEYS = {"pg_ts_config_map": "o.mapcfg, o.maptokentype, o.mapseqno"}
_OWN = "o.oid < 16384"
_OWN_FUNCTIONS = f"""({_OWN} OR o.pronamespace = 'pg_catalog'::regnamespace AND o.proname IN
        ('plpgsql_call_handler', 'plpgsql_inline_handler', 'plpgsql_validator'))"""
_SUMMED = (
    ("pg_proc", "functions", _FUNCTION, _OWN_FUNCTIONS),
    ("pg_type", "types", _TYPE, _OWN),
    ("pg_rewrite", "views", _VIEW, _OWN),
    ("pg_operator", "operators", _OPERATOR, _OWN),
    ("pg_opclass", "operator classes", "o::text", _OWN),
    ("pg_opfamily", "operator families", "o::text", _OWN),
    # What is added to a family of PostgreSQL's has an OID of its own; none is ever altered.
    ("pg_amop", "operators of operator families", "o.oid", "o.amopfamily < 16384"),
    ("pg_amproc", "functions of operator families", "o.oid", "o.amprocfamily < 16384"),
    ("pg_cast", "casts", "o::text", _OWN),
    # A new release of the system's library brings other versions of its collations.
    ("pg_collation", "collations", "(to_jsonb(o) - 'collversion')::text", _OWN),
    ("pg_ts_config", "text search configurations", "o::text", _OWN),
    (
        *("pg_ts_config_map", "text search mappings"),
        *("o.mapcfg, o.maptokentype, o.mapseqno, o.mapdict", "o.mapcfg < 16384"),
    ),
    ("pg_ts_dict", "text search dictionaries", "o::text", _OWN),
)


def _digest(catalog: str, words: str, columns: str, which: str) -> str:
    described = f"pg_describe_object('pg_catalog.{catalog}'::regclass, o.oid, 0)"
    return _DIGEST.format(
        words=words,
        catalog=catalog,
        columns=columns,
        which=which,
        name=_NAMELESS.get(catalog, described),
        written=f"o.xmin::text::bigint > {_MADE}",
    )


def _versions(catalog: str, which: str) -> str:
    key = _KEYS.get(catalog, "o.oid")
    return (
        "(SELECT concat_ws(':', count(*),"
        f" bit_xor(hash_record_extended(ROW({key}, o.xmin, o.ctid), 0)))"
        f" FROM pg_catalog.{catalog} AS o WHERE {which})"
    )


DIGESTS = tuple(_digest(*each) for each in _SUMMED)
# Which versions of rows these are, by their writers and places, and of which server since when. No
# row where this transaction may have written some, or another one does before the next statement.
VERSIONS = f"""
SELECT concat_ws(' ', version(), pg_postmaster_start_time(), {_MADE},
    {", ".join(_versions(catalog, which) for catalog, _, _, which in _SUMMED)})
WHERE pg_current_xact_id_if_assigned() IS NULL
    AND current_setting('transaction_isolation') = 'repeatable read'"""

SYSTEM_QUERIES = (
    *(_RELATIONS, _PRIVILEGES),
    # A conversion is printed with the name of its function.
    _digest("pg_conversion", "conversions", "o::text", _OWN),
)
