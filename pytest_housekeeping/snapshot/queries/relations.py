"""The catalog queries for tables, views, sequences and what belongs to them.

Each row is an object: kind, name, the object that it goes with, its text, and, where it has
privileges, the letter of acldefault() and the ACL; at the end the OID of the relation that it is
read with. ``:among(oid)`` is where a reading is confined to some of these. Names need no schema:
the search_path is set.
"""

from __future__ import annotations

from typing import LiteralString


def not_of_extension(catalog: LiteralString, oid: LiteralString) -> LiteralString:
    """What an extension brings is described by the extension and its version.

    What comes with a type, as the constructors of a range do, is described by the type. Each half
    has an index of pg_depend: reading all of it, query by query, costs more than the queries do.
    """
    members: LiteralString = (
        "SELECT objid FROM pg_catalog.pg_depend WHERE deptype = 'e'"
        " AND refclassid = 'pg_catalog.pg_extension'::regclass"
        f" AND classid = '{catalog}'::regclass"
    )
    of_types: LiteralString = (
        "SELECT objid FROM pg_catalog.pg_depend WHERE deptype = 'i'"
        " AND classid = 'pg_catalog.pg_proc'::regclass"
    )
    if catalog == "pg_catalog.pg_proc":
        return f"{oid} NOT IN ({members} UNION ALL {of_types})"
    return f"{oid} NOT IN ({members})"


def comment(catalog: LiteralString, oid: LiteralString) -> LiteralString:
    return f"'comment: ' || quote_literal(obj_description({oid}, '{catalog}'))"


def _described(catalog: LiteralString, oid: LiteralString) -> LiteralString:
    """For many objects a join costs less than obj_description()."""
    return (
        f"LEFT JOIN pg_catalog.pg_description AS about ON about.objoid = {oid}"
        f" AND about.classoid = 'pg_catalog.{catalog}'::regclass AND about.objsubid = 0"
    )


def _sorted(options: LiteralString) -> LiteralString:
    return (
        f"CASE WHEN {options} IS NOT NULL THEN"
        f" (SELECT string_agg(o, ', ' ORDER BY o) FROM unnest({options}) AS o) END"
    )


# What REINDEX CONCURRENTLY makes beside an index, and leaves when it fails: its invalid twin.
# https://www.postgresql.org/docs/16/sql-reindex.html#SQL-REINDEX-CONCURRENTLY
NOT_OF_REINDEX: LiteralString = r"""(i.indisvalid OR c.relname !~ '_cc(new|old)\d*$' OR NOT EXISTS (
    SELECT FROM pg_catalog.pg_index AS twin
    JOIN pg_catalog.pg_class AS named ON named.oid = twin.indexrelid
    WHERE twin.indrelid = i.indrelid AND twin.indisvalid AND twin.indexrelid <> i.indexrelid
        AND starts_with(named.relname::text, regexp_replace(c.relname, '_cc(new|old)\d*$', ''))
        AND (twin.indisunique, twin.indnullsnotdistinct, twin.indkey::text, twin.indclass::text,
            twin.indcollation::text, twin.indoption::text,
            pg_get_expr(twin.indexprs, twin.indrelid), pg_get_expr(twin.indpred, twin.indrelid))
        IS NOT DISTINCT FROM (i.indisunique, i.indnullsnotdistinct, i.indkey::text,
            i.indclass::text, i.indcollation::text, i.indoption::text,
            pg_get_expr(i.indexprs, i.indrelid), pg_get_expr(i.indpred, i.indrelid))))"""

_COMMENT: LiteralString = "'comment: ' || quote_literal(about.description)"

SCHEMAS: LiteralString = """
s AS MATERIALIZED (
    SELECT oid, quote_ident(nspname) AS name FROM pg_catalog.pg_namespace
    WHERE nspname <> 'information_schema' AND nspname !~ '^pg_' AND nspname <> ALL (:excluded)
)"""

RELATION: LiteralString = f"""
WITH {SCHEMAS},
r AS MATERIALIZED (
    SELECT c.oid, s.name || '.' || quote_ident(c.relname) AS name, c.relkind, c.relispartition,
        CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view'
            WHEN 'f' THEN 'foreign table' ELSE 'table' END AS kind
    FROM pg_catalog.pg_class AS c JOIN s ON s.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND :among(c.oid)
        AND {not_of_extension("pg_catalog.pg_class", "c.oid")}
)"""

TABLES: LiteralString = f"""{RELATION}
SELECT r.kind, r.name, 'schema ' || c.relnamespace::regnamespace, concat_ws(E'\\n',
    'owner: ' || quote_ident(pg_get_userbyid(c.relowner)),
    CASE WHEN c.relpersistence = 'u' THEN 'unlogged' END,
    'access method: ' || nullif(am.amname, 'heap'),
    'tablespace: ' || quote_ident(ts.spcname),
    'of type: ' || nullif(c.reloftype, 0)::regtype,
    'options: ' || {_sorted("c.reloptions")},
    'toast options: ' || {_sorted("toast.reloptions")},
    CASE WHEN c.relrowsecurity THEN 'row security: enabled' END,
    CASE WHEN c.relforcerowsecurity THEN 'row security: forced' END,
    CASE c.relreplident WHEN 'f' THEN 'replica identity: full'
        WHEN 'n' THEN CASE WHEN c.relkind IN ('r', 'p') THEN 'replica identity: nothing' END END,
    'partition by: ' || CASE WHEN c.relkind = 'p' THEN pg_get_partkeydef(c.oid) END,
    'inherits: ' || (SELECT string_agg(inhparent::regclass::text
            || CASE WHEN inhdetachpending THEN ' (detach pending)' ELSE '' END,
            ', ' ORDER BY inhseqno)
        FROM pg_catalog.pg_inherits WHERE inhrelid = c.oid),
    'bound: ' || pg_get_expr(c.relpartbound, c.oid),
    'server: ' || quote_ident(fs.srvname),
    'foreign options: ' || {_sorted("ft.ftoptions")},
    'definition: ' || CASE WHEN c.relkind IN ('v', 'm') THEN pg_get_viewdef(c.oid) END,
    {_COMMENT}
), 'r', coalesce(c.relacl, acldefault('r', c.relowner))::text[], r.oid
FROM r
JOIN pg_catalog.pg_class AS c ON c.oid = r.oid
LEFT JOIN pg_catalog.pg_am AS am ON am.oid = c.relam
LEFT JOIN pg_catalog.pg_tablespace AS ts ON ts.oid = c.reltablespace
LEFT JOIN pg_catalog.pg_class AS toast ON toast.oid = c.reltoastrelid AND c.reltoastrelid <> 0
LEFT JOIN pg_catalog.pg_foreign_table AS ft ON ft.ftrelid = c.oid
LEFT JOIN pg_catalog.pg_foreign_server AS fs ON fs.oid = ft.ftserver
{_described("pg_class", "c.oid")}"""

# Behind the ACL stands the place of the column.
COLUMNS: LiteralString = f"""{RELATION}
SELECT 'column', r.name || '.' || quote_ident(a.attname), r.kind || ' ' || r.name, concat_ws(E'\\n',
    'type: ' || format_type(a.atttypid, a.atttypmod),
    'collation: ' || CASE WHEN a.attcollation <> t.typcollation
        THEN a.attcollation::regcollation::text END,
    CASE WHEN a.attnotnull THEN 'not null' END,
    CASE nn.convalidated WHEN false THEN 'not null is not valid' END,
    CASE WHEN nn.connoinherit THEN 'not null is not inherited' END,
    CASE a.attgenerated WHEN 's' THEN 'generated: ' WHEN 'v' THEN 'generated (virtual): '
        ELSE 'default: ' END || pg_get_expr(d.adbin, d.adrelid),
    CASE a.attidentity WHEN 'a' THEN 'identity: always' WHEN 'd' THEN 'identity: by default' END,
    'storage: ' || CASE WHEN a.attstorage <> t.typstorage THEN a.attstorage::text END,
    'compression: ' || nullif(a.attcompression::text, ''),
    'statistics: ' || CASE WHEN a.attstattarget >= 0 THEN a.attstattarget END,
    'options: ' || {_sorted("a.attoptions")},
    'foreign options: ' || {_sorted("a.attfdwoptions")},
    CASE WHEN NOT a.attislocal THEN 'inherited' END,
    {_COMMENT}
), CASE WHEN a.attacl IS NOT NULL THEN 'c' END, a.attacl::text[], a.attnum, r.oid
FROM r
JOIN pg_catalog.pg_attribute AS a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid
LEFT JOIN pg_catalog.pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
LEFT JOIN pg_catalog.pg_constraint AS nn ON nn.conrelid = a.attrelid AND nn.contype = 'n'
    AND nn.conkey = ARRAY[a.attnum]
LEFT JOIN pg_catalog.pg_description AS about ON about.objoid = a.attrelid
    AND about.classoid = 'pg_catalog.pg_class'::regclass AND about.objsubid = a.attnum
WHERE r.relkind IN ('r', 'p', 'f') OR d.adbin IS NOT NULL OR a.attacl IS NOT NULL
    OR a.attstorage <> t.typstorage OR a.attcompression <> '' OR a.attstattarget >= 0
    OR a.attoptions IS NOT NULL OR about.description IS NOT NULL"""

# Not-null constraints are told by their columns: only 18 gives them names. A partition's foreign
# keys follow from its parent's, and those to a partitioned table are named in order of creation.
CONSTRAINTS: LiteralString = f"""{RELATION}
SELECT 'constraint', quote_ident(c.conname) || ' on ' || r.name, r.kind || ' ' || r.name,
    concat_ws(E'\\n', 'definition: ' || pg_get_constraintdef(c.oid),
        CASE WHEN c.contype = 'c' AND NOT c.conislocal THEN 'inherited' END,
        'not enforced: its triggers are ' || (
            SELECT string_agg(DISTINCT tgenabled::text, ', ') FROM pg_catalog.pg_trigger
            WHERE tgconstraint = c.oid AND tgisinternal AND tgenabled <> 'O'),
        {_COMMENT}), NULL, NULL::text[], r.oid
FROM r JOIN pg_catalog.pg_constraint AS c ON c.conrelid = r.oid
{_described("pg_constraint", "c.oid")}
WHERE c.contype IN ('c', 'f', 'p', 'u', 'x') AND (c.contype <> 'f' OR c.conparentid = 0)"""

# The index of a constraint is what the constraint says, but for its options.
INDEXES: LiteralString = f"""{RELATION}
SELECT 'index', i.indexrelid::regclass::text,
    coalesce('constraint ' || quote_ident(con.conname) || ' on ' || r.name,
        r.kind || ' ' || r.name),
    concat_ws(E'\\n',
        'definition: ' || CASE WHEN con.oid IS NULL THEN pg_get_indexdef(i.indexrelid) END,
        'options: ' || CASE WHEN con.oid IS NOT NULL THEN {_sorted("c.reloptions")} END,
        CASE WHEN NOT i.indisvalid THEN 'invalid' END,
        CASE WHEN i.indisclustered THEN 'clustered' END,
        CASE WHEN i.indisreplident THEN 'replica identity' END,
        'tablespace: ' || quote_ident(ts.spcname),
        'part of: ' || inh.inhparent::regclass,
        'statistics: ' || CASE WHEN i.indexprs IS NOT NULL THEN (
            SELECT string_agg(attnum || ' ' || attstattarget, ', ' ORDER BY attnum)
            FROM pg_catalog.pg_attribute
            WHERE attrelid = i.indexrelid AND attnum > 0 AND attstattarget >= 0) END,
        {_COMMENT}), NULL, NULL::text[], r.oid
FROM r
JOIN pg_catalog.pg_index AS i ON i.indrelid = r.oid
JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid
LEFT JOIN pg_catalog.pg_tablespace AS ts ON ts.oid = c.reltablespace
LEFT JOIN pg_catalog.pg_inherits AS inh ON inh.inhrelid = i.indexrelid
LEFT JOIN pg_catalog.pg_constraint AS con ON con.conindid = i.indexrelid
    AND con.conrelid = i.indrelid AND con.contype IN ('p', 'u', 'x')
{_described("pg_class", "i.indexrelid")}
WHERE {NOT_OF_REINDEX}"""

# A partition's copy of its parent's trigger counts when it is switched on or off differently.
TRIGGERS: LiteralString = f"""{RELATION}
SELECT 'trigger', quote_ident(t.tgname) || ' on ' || r.name, r.kind || ' ' || r.name,
    concat_ws(E'\\n', 'definition: ' || pg_get_triggerdef(t.oid),
        CASE t.tgenabled WHEN 'D' THEN 'disabled' WHEN 'R' THEN 'enabled on replicas'
            WHEN 'A' THEN 'enabled always' END,
        {comment("pg_trigger", "t.oid")}), NULL, NULL::text[], r.oid
FROM r
JOIN pg_catalog.pg_trigger AS t ON t.tgrelid = r.oid AND NOT t.tgisinternal
LEFT JOIN pg_catalog.pg_trigger AS parent ON parent.oid = t.tgparentid
WHERE parent.oid IS NULL OR parent.tgenabled <> t.tgenabled"""

RULES: LiteralString = f"""{RELATION}
SELECT 'rule', quote_ident(w.rulename) || ' on ' || r.name, r.kind || ' ' || r.name,
    concat_ws(E'\\n', 'definition: ' || pg_get_ruledef(w.oid),
        CASE w.ev_enabled WHEN 'D' THEN 'disabled' WHEN 'R' THEN 'enabled on replicas'
            WHEN 'A' THEN 'enabled always' END,
        {comment("pg_rewrite", "w.oid")}), NULL, NULL::text[], r.oid
FROM r JOIN pg_catalog.pg_rewrite AS w ON w.ev_class = r.oid AND w.rulename <> '_RETURN'"""

POLICIES: LiteralString = f"""{RELATION}
SELECT 'policy', quote_ident(p.polname) || ' on ' || r.name, r.kind || ' ' || r.name,
    concat_ws(E'\\n',
        'for: ' || CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT'
            WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE' ELSE 'ALL' END,
        CASE WHEN NOT p.polpermissive THEN 'restrictive' END,
        'to: ' || (SELECT string_agg(name, ', ' ORDER BY name COLLATE "C") FROM (
            SELECT CASE role WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(role)) END
            FROM (SELECT DISTINCT unnest(p.polroles)) AS once (role)) AS roles (name)),
        'using: ' || pg_get_expr(p.polqual, p.polrelid),
        'with check: ' || pg_get_expr(p.polwithcheck, p.polrelid),
        {_COMMENT}), NULL, NULL::text[], r.oid
FROM r JOIN pg_catalog.pg_policy AS p ON p.polrelid = r.oid
{_described("pg_policy", "p.oid")}"""

SEQUENCES: LiteralString = f"""WITH {SCHEMAS}
SELECT 'sequence', c.oid::regclass::text,
    coalesce('column ' || d.refobjid::regclass || '.' || quote_ident(a.attname),
        'schema ' || s.name),
    concat_ws(E'\\n', 'owner: ' || quote_ident(pg_get_userbyid(c.relowner)),
        CASE WHEN c.relpersistence = 'u' THEN 'unlogged' END,
        format('as %s start %s increment %s minimum %s maximum %s cache %s',
            format_type(q.seqtypid, NULL), q.seqstart, q.seqincrement, q.seqmin, q.seqmax,
            q.seqcache),
        CASE WHEN q.seqcycle THEN 'cycle' END,
        CASE d.deptype WHEN 'i' THEN 'identity of: ' WHEN 'a' THEN 'owned by: ' END
            || d.refobjid::regclass || '.' || quote_ident(a.attname),
        {_COMMENT}
    ), 's', coalesce(c.relacl, acldefault('s', c.relowner))::text[], c.oid
FROM s
JOIN pg_catalog.pg_class AS c ON c.relnamespace = s.oid AND c.relkind = 'S'
JOIN pg_catalog.pg_sequence AS q ON q.seqrelid = c.oid
LEFT JOIN pg_catalog.pg_depend AS d ON d.classid = 'pg_catalog.pg_class'::regclass
    AND d.objid = c.oid AND d.deptype IN ('a', 'i') AND d.refobjsubid > 0
    AND d.refclassid = 'pg_catalog.pg_class'::regclass
LEFT JOIN pg_catalog.pg_attribute AS a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
{_described("pg_class", "c.oid")}
WHERE :among(c.oid) AND {not_of_extension("pg_catalog.pg_class", "c.oid")}"""

STATISTICS: LiteralString = f"""WITH {SCHEMAS}
SELECT 'statistics', s.name || '.' || quote_ident(x.stxname), 'table ' || x.stxrelid::regclass,
    concat_ws(E'\\n', 'owner: ' || quote_ident(pg_get_userbyid(x.stxowner)),
        'definition: ' || pg_get_statisticsobjdef(x.oid),
        'target: ' || CASE WHEN x.stxstattarget >= 0 THEN x.stxstattarget END,
        {comment("pg_statistic_ext", "x.oid")}), NULL, NULL::text[], x.stxrelid
FROM s JOIN pg_catalog.pg_statistic_ext AS x ON x.stxnamespace = s.oid
WHERE :among(x.stxrelid)"""

RELATION_QUERIES = (
    TABLES,
    COLUMNS,
    CONSTRAINTS,
    INDEXES,
    TRIGGERS,
    RULES,
    POLICIES,
    SEQUENCES,
    STATISTICS,
)
