"""The catalog queries for everything but relations; the rows are as in relations.py.

Those of functions and types can be confined to some, and their rows end with the OID; of the other
kinds there are few.
"""

from __future__ import annotations

from typing import LiteralString

from pytest_housekeeping.snapshot.queries.relations import SCHEMAS, comment, not_of_extension

NAMESPACES: LiteralString = f"""WITH {SCHEMAS}
SELECT 'schema', s.name, '', concat_ws(E'\\n',
    'owner: ' || quote_ident(pg_get_userbyid(n.nspowner)), {comment("pg_namespace", "n.oid")}
), 'n', coalesce(n.nspacl, acldefault('n', n.nspowner))::text[]
FROM s JOIN pg_catalog.pg_namespace AS n ON n.oid = s.oid"""

FUNCTIONS: LiteralString = f"""WITH {SCHEMAS}
SELECT CASE p.prokind WHEN 'p' THEN 'procedure' ELSE 'function' END, p.oid::regprocedure::text,
    'schema ' || s.name, concat_ws(E'\\n',
    'owner: ' || quote_ident(pg_get_userbyid(p.proowner)),
    'definition: ' || pg_get_functiondef(p.oid), {comment("pg_proc", "p.oid")}
), 'f', coalesce(p.proacl, acldefault('f', p.proowner))::text[], p.oid
FROM s JOIN pg_catalog.pg_proc AS p ON p.pronamespace = s.oid AND p.prokind <> 'a'
WHERE :among(p.oid) AND {not_of_extension("pg_catalog.pg_proc", "p.oid")}"""

AGGREGATES: LiteralString = f"""WITH {SCHEMAS}
SELECT 'aggregate', p.oid::regprocedure::text, 'schema ' || s.name, concat_ws(E'\\n',
    'owner: ' || quote_ident(pg_get_userbyid(p.proowner)),
    'arguments: ' || pg_get_function_arguments(p.oid),
    'returns: ' || pg_get_function_result(p.oid),
    'parallel: ' || p.proparallel::text,
    'definition: ' || (
        SELECT string_agg(key || '=' || value, ', ' ORDER BY key) FROM jsonb_each_text(to_jsonb(
            (SELECT row_to_json(f) FROM (SELECT a.aggkind, a.aggnumdirectargs, a.aggtransfn,
                a.aggfinalfn, a.aggcombinefn, a.aggserialfn, a.aggdeserialfn, a.aggmtransfn,
                a.aggminvtransfn, a.aggmfinalfn, a.aggfinalextra, a.aggmfinalextra,
                a.aggfinalmodify, a.aggmfinalmodify, a.aggsortop::regoperator,
                a.aggtranstype::regtype, a.aggtransspace, a.aggmtranstype::regtype,
                a.aggmtransspace, a.agginitval, a.aggminitval) AS f)))),
    {comment("pg_proc", "p.oid")}
), 'f', coalesce(p.proacl, acldefault('f', p.proowner))::text[], p.oid
FROM s
JOIN pg_catalog.pg_proc AS p ON p.pronamespace = s.oid
JOIN pg_catalog.pg_aggregate AS a ON a.aggfnoid = p.oid
WHERE :among(p.oid) AND {not_of_extension("pg_catalog.pg_proc", "p.oid")}"""

TYPES: LiteralString = f"""WITH {SCHEMAS}
SELECT CASE t.typtype WHEN 'd' THEN 'domain' ELSE 'type' END,
    s.name || '.' || quote_ident(t.typname), 'schema ' || s.name, concat_ws(E'\\n',
    'owner: ' || quote_ident(pg_get_userbyid(t.typowner)),
    'enum: ' || (SELECT string_agg(quote_literal(enumlabel), ', ' ORDER BY enumsortorder)
        FROM pg_catalog.pg_enum WHERE enumtypid = t.oid),
    'of: ' || (SELECT string_agg(quote_ident(attname) || ' ' || format_type(atttypid, atttypmod)
            || coalesce(' collate ' || nullif(attcollation, 0)::regcollation, '')
            || coalesce(' -- ' || quote_literal(col_description(attrelid, attnum)), ''),
            ', ' ORDER BY attnum)
        FROM pg_catalog.pg_attribute
        WHERE attrelid = t.typrelid AND attnum > 0 AND NOT attisdropped),
    'range: ' || (SELECT concat_ws(', ', rngsubtype::regtype, opc.opcname,
            nullif(rngcollation, 0)::regcollation, nullif(rngcanonical, 0)::regprocedure,
            nullif(rngsubdiff, 0)::regprocedure, rngmultitypid::regtype)
        FROM pg_catalog.pg_range JOIN pg_catalog.pg_opclass AS opc ON opc.oid = rngsubopc
        WHERE rngtypid = t.oid),
    CASE WHEN t.typtype = 'd' THEN concat_ws(E'\\n',
        'base: ' || format_type(t.typbasetype, t.typtypmod),
        'collation: ' || CASE WHEN t.typcollation <> base.typcollation
            THEN t.typcollation::regcollation::text END,
        CASE WHEN t.typnotnull THEN 'not null' END, 'default: ' || t.typdefault) END,
    CASE WHEN t.typtype = 'b' THEN concat_ws(', ', 'base type', t.typinput, t.typoutput,
        t.typreceive, t.typsend, t.typmodin, t.typmodout, t.typanalyze, t.typlen, t.typbyval,
        t.typalign, t.typstorage, t.typcategory, t.typispreferred, t.typdelim,
        nullif(t.typelem, 0)::regtype, t.typdefault, t.typcollation) END,
    CASE WHEN NOT t.typisdefined THEN 'a shell' END,
    {comment("pg_type", "t.oid")}, 'comment: ' || quote_literal(obj_description(
        nullif(t.typrelid, 0), 'pg_class'))
), 'T', coalesce(t.typacl, acldefault('T', t.typowner))::text[], t.oid
FROM s
JOIN pg_catalog.pg_type AS t ON t.typnamespace = s.oid
LEFT JOIN pg_catalog.pg_type AS base ON base.oid = t.typbasetype
LEFT JOIN pg_catalog.pg_class AS c ON c.oid = t.typrelid
WHERE (t.typtype IN ('e', 'd', 'r', 'b', 'p') OR c.relkind = 'c') AND :among(t.oid)
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_type AS e WHERE e.typarray = t.oid)
    AND {not_of_extension("pg_catalog.pg_type", "t.oid")}"""

DOMAIN_CONSTRAINTS: LiteralString = f"""WITH {SCHEMAS}
SELECT 'constraint', quote_ident(c.conname) || ' on ' || c.contypid::regtype,
    'domain ' || c.contypid::regtype, concat_ws(E'\\n',
    'definition: ' || pg_get_constraintdef(c.oid), {comment("pg_constraint", "c.oid")}
), NULL, NULL::text[], t.oid
FROM s JOIN pg_catalog.pg_type AS t ON t.typnamespace = s.oid AND t.typtype = 'd'
JOIN pg_catalog.pg_constraint AS c ON c.contypid = t.oid AND c.contype = 'c'
WHERE :among(t.oid) AND {not_of_extension("pg_catalog.pg_type", "t.oid")}"""

OPERATORS: LiteralString = f"""WITH {SCHEMAS}
SELECT 'operator', o.oid::regoperator::text, 'schema ' || s.name, concat_ws(E'\\n',
    'owner: ' || quote_ident(pg_get_userbyid(o.oprowner)),
    'definition: ' || concat_ws(', ', o.oprcode, o.oprresult::regtype,
        'commutator ' || nullif(o.oprcom, 0)::regoperator,
        'negator ' || nullif(o.oprnegate, 0)::regoperator,
        'restrict ' || nullif(o.oprrest, 0)::regprocedure,
        'join ' || nullif(o.oprjoin, 0)::regprocedure,
        CASE WHEN o.oprcanmerge THEN 'merges' END, CASE WHEN o.oprcanhash THEN 'hashes' END),
    {comment("pg_operator", "o.oid")}), NULL, NULL::text[]
FROM s JOIN pg_catalog.pg_operator AS o ON o.oprnamespace = s.oid
WHERE {not_of_extension("pg_catalog.pg_operator", "o.oid")}"""

OPERATOR_CLASSES: LiteralString = f"""WITH {SCHEMAS}
SELECT 'operator class', s.name || '.' || quote_ident(o.opcname) || ' using ' || am.amname,
    'schema ' || s.name, concat_ws(E'\\n',
    'owner: ' || quote_ident(pg_get_userbyid(o.opcowner)),
    'definition: ' || concat_ws(', ', 'for ' || o.opcintype::regtype,
        'family ' || f.opfnamespace::regnamespace || '.' || quote_ident(f.opfname),
        CASE WHEN o.opcdefault THEN 'default' END,
        'storage ' || nullif(o.opckeytype, 0)::regtype),
    {comment("pg_opclass", "o.oid")}), NULL, NULL::text[]
FROM s JOIN pg_catalog.pg_opclass AS o ON o.opcnamespace = s.oid
JOIN pg_catalog.pg_opfamily AS f ON f.oid = o.opcfamily
JOIN pg_catalog.pg_am AS am ON am.oid = o.opcmethod
WHERE {not_of_extension("pg_catalog.pg_opclass", "o.oid")}"""

OPERATOR_FAMILIES: LiteralString = f"""WITH {SCHEMAS}
SELECT 'operator family', s.name || '.' || quote_ident(f.opfname) || ' using ' || am.amname,
    'schema ' || s.name, concat_ws(E'\\n',
    'owner: ' || quote_ident(pg_get_userbyid(f.opfowner)),
    (SELECT string_agg(concat_ws(' ', 'operator', amopstrategy, amopopr::regoperator,
            CASE WHEN amopsortfamily <> 0 THEN 'for order by' END), E'\\n'
            ORDER BY amopstrategy, amopopr::regoperator::text)
        FROM pg_catalog.pg_amop WHERE amopfamily = f.oid),
    (SELECT string_agg(concat_ws(' ', 'function', amprocnum, amproclefttype::regtype,
            amprocrighttype::regtype, amproc::regprocedure), E'\\n'
            ORDER BY amprocnum, amproclefttype::regtype::text, amprocrighttype::regtype::text)
        FROM pg_catalog.pg_amproc WHERE amprocfamily = f.oid),
    {comment("pg_opfamily", "f.oid")}), NULL, NULL::text[]
FROM s JOIN pg_catalog.pg_opfamily AS f ON f.opfnamespace = s.oid
JOIN pg_catalog.pg_am AS am ON am.oid = f.opfmethod
WHERE {not_of_extension("pg_catalog.pg_opfamily", "f.oid")}"""

# 15 keeps an ICU locale in colliculocale, 17 in colllocale: read by name, whichever is there.
COLLATIONS: LiteralString = f"""WITH {SCHEMAS}
SELECT 'collation', s.name || '.' || quote_ident(c.collname), 'schema ' || s.name,
    concat_ws(E'\\n', 'owner: ' || quote_ident(pg_get_userbyid(c.collowner)),
    'definition: ' || concat_ws(', ', 'provider ' || c.collprovider::text,
        CASE WHEN NOT c.collisdeterministic THEN 'nondeterministic' END,
        nullif(c.collcollate, ''), nullif(c.collctype, ''),
        coalesce(j ->> 'colllocale', j ->> 'colliculocale'), 'rules ' || (j ->> 'collicurules')),
    {comment("pg_collation", "c.oid")}), NULL, NULL::text[]
FROM s JOIN pg_catalog.pg_collation AS c ON c.collnamespace = s.oid
CROSS JOIN LATERAL to_jsonb(c) AS j
WHERE {not_of_extension("pg_catalog.pg_collation", "c.oid")}"""

TEXT_SEARCH: LiteralString = f"""WITH {SCHEMAS}
SELECT 'text search configuration', c.oid::regconfig::text, 'schema ' || s.name,
    concat_ws(E'\\n', 'owner: ' || quote_ident(pg_get_userbyid(c.cfgowner)),
    'parser: ' || p.prsnamespace::regnamespace || '.' || quote_ident(p.prsname),
    (SELECT string_agg(format('map %s to %s', kinds.alias, m.mapdict::regdictionary), E'\\n'
            ORDER BY kinds.alias, m.mapseqno)
        FROM pg_catalog.pg_ts_config_map AS m
        JOIN ts_token_type(c.cfgparser) AS kinds ON kinds.tokid = m.maptokentype
        WHERE m.mapcfg = c.oid), {comment("pg_ts_config", "c.oid")}), NULL, NULL::text[]
FROM s JOIN pg_catalog.pg_ts_config AS c ON c.cfgnamespace = s.oid
JOIN pg_catalog.pg_ts_parser AS p ON p.oid = c.cfgparser
WHERE {not_of_extension("pg_catalog.pg_ts_config", "c.oid")}
UNION ALL
SELECT 'text search dictionary', d.oid::regdictionary::text, 'schema ' || s.name,
    concat_ws(E'\\n', 'owner: ' || quote_ident(pg_get_userbyid(d.dictowner)),
    'template: ' || t.tmplnamespace::regnamespace || '.' || quote_ident(t.tmplname),
    'options: ' || d.dictinitoption, {comment("pg_ts_dict", "d.oid")}), NULL, NULL::text[]
FROM s JOIN pg_catalog.pg_ts_dict AS d ON d.dictnamespace = s.oid
JOIN pg_catalog.pg_ts_template AS t ON t.oid = d.dicttemplate
WHERE {not_of_extension("pg_catalog.pg_ts_dict", "d.oid")}
UNION ALL
SELECT 'text search parser', s.name || '.' || quote_ident(p.prsname), 'schema ' || s.name,
    concat_ws(', ', p.prsstart, p.prstoken, p.prsend, p.prsheadline, p.prslextype), NULL, NULL
FROM s JOIN pg_catalog.pg_ts_parser AS p ON p.prsnamespace = s.oid
WHERE {not_of_extension("pg_catalog.pg_ts_parser", "p.oid")}
UNION ALL
SELECT 'text search template', s.name || '.' || quote_ident(t.tmplname), 'schema ' || s.name,
    concat_ws(', ', t.tmplinit, t.tmpllexize), NULL, NULL
FROM s JOIN pg_catalog.pg_ts_template AS t ON t.tmplnamespace = s.oid
WHERE {not_of_extension("pg_catalog.pg_ts_template", "t.oid")}"""

CONVERSIONS: LiteralString = f"""WITH {SCHEMAS}
SELECT 'conversion', s.name || '.' || quote_ident(c.conname), 'schema ' || s.name,
    concat_ws(E'\\n', 'owner: ' || quote_ident(pg_get_userbyid(c.conowner)),
    'definition: ' || concat_ws(', ', pg_encoding_to_char(c.conforencoding),
        pg_encoding_to_char(c.contoencoding), c.conproc, CASE WHEN c.condefault THEN 'default' END),
    {comment("pg_conversion", "c.oid")}), NULL, NULL::text[]
FROM s JOIN pg_catalog.pg_conversion AS c ON c.connamespace = s.oid
WHERE {not_of_extension("pg_catalog.pg_conversion", "c.oid")}"""

FUNCTION_QUERIES = (FUNCTIONS, AGGREGATES)
TYPE_QUERIES = (TYPES, DOMAIN_CONSTRAINTS)
