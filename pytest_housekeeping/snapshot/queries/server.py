"""The catalog queries for what all databases of a server share; the rows are as in
relations.py.

Whoever reads may read all of it: passwords and the connections of subscriptions are no part of it.
"""

from __future__ import annotations

from typing import LiteralString

from pytest_housekeeping.snapshot.queries.database import CONFIDENTIAL

_ATTRIBUTES: LiteralString = ", ".join(
    f"CASE WHEN r.{column} THEN '{word}' ELSE 'NO{word}' END"
    for column, word in (
        ("rolsuper", "SUPERUSER"),
        ("rolinherit", "INHERIT"),
        ("rolcreaterole", "CREATEROLE"),
        ("rolcreatedb", "CREATEDB"),
        ("rolcanlogin", "LOGIN"),
        ("rolreplication", "REPLICATION"),
        ("rolbypassrls", "BYPASSRLS"),
    )
)

# Those that PostgreSQL brings cannot be altered; who is a member of them is told below. How long
# and how often a role may log in stands apart: that is daily operation, what it may do is not.
ROLES: LiteralString = f"""
SELECT 'role', quote_ident(r.rolname), '', concat_ws(E'\\n', {_ATTRIBUTES},
    'comment: ' || quote_literal(shobj_description(r.oid, 'pg_authid'))), NULL, NULL::text[]
FROM pg_catalog.pg_roles AS r WHERE r.rolname !~ '^pg_'
UNION ALL
SELECT 'limits of role', quote_ident(r.rolname), 'role ' || quote_ident(r.rolname),
    concat_ws(E'\\n', 'connection limit: ' || nullif(r.rolconnlimit, -1),
        'valid until: ' || r.rolvaliduntil), NULL, NULL
FROM pg_catalog.pg_roles AS r
WHERE r.rolname !~ '^pg_' AND (r.rolconnlimit <> -1 OR r.rolvaliduntil IS NOT NULL)"""

# The options stand in the catalog since 16; before, a membership is one of all or nothing.
MEMBERSHIPS: LiteralString = """
SELECT 'membership', format('of %I in %I', m.rolname, r.rolname), 'role ' || quote_ident(m.rolname),
    string_agg(concat_ws(', ', 'by ' || quote_ident(pg_get_userbyid(a.grantor)),
        CASE WHEN a.admin_option THEN 'ADMIN' ELSE 'NO ADMIN' END,
        CASE WHEN o.inherit THEN 'INHERIT' ELSE 'NO INHERIT' END,
        CASE WHEN o.set THEN 'SET' ELSE 'NO SET' END),
        E'\\n' ORDER BY pg_get_userbyid(a.grantor) COLLATE "C"), NULL, NULL::text[]
FROM pg_catalog.pg_auth_members AS a
JOIN pg_catalog.pg_roles AS r ON r.oid = a.roleid
JOIN pg_catalog.pg_roles AS m ON m.oid = a.member
CROSS JOIN LATERAL to_jsonb(a) AS j
CROSS JOIN LATERAL (SELECT coalesce((j ->> 'inherit_option')::boolean, m.rolinherit) AS inherit,
    coalesce((j ->> 'set_option')::boolean, true) AS set) AS o
WHERE NOT (r.rolname ~ '^pg_' AND m.rolname ~ '^pg_')
GROUP BY r.rolname, m.rolname"""

# Those of the database alone belong to the database.
SETTINGS: LiteralString = f"""
SELECT 'settings of', coalesce('role ' || quote_ident(r.rolname), 'all roles'),
    coalesce('role ' || quote_ident(r.rolname), ''),
    string_agg(CASE WHEN split_part(setting, '=', 1) ~* '{CONFIDENTIAL}' AND setting LIKE '%.%=%'
        THEN split_part(setting, '=', 1) || '=[secret]' ELSE setting END,
        E'\\n' ORDER BY setting COLLATE "C"), NULL, NULL::text[]
FROM pg_catalog.pg_db_role_setting AS s CROSS JOIN unnest(s.setconfig) AS setting
LEFT JOIN pg_catalog.pg_roles AS r ON r.oid = s.setrole
WHERE s.setdatabase = 0 AND (s.setrole = 0 OR r.oid IS NOT NULL)
GROUP BY r.rolname"""

PARAMETERS: LiteralString = """
SELECT 'parameter', p.parname, '', '', 'p', p.paracl::text[]
FROM pg_catalog.pg_parameter_acl AS p"""

TABLESPACES: LiteralString = """
SELECT 'tablespace', quote_ident(t.spcname), '', concat_ws(E'\\n',
    'owner: ' || quote_ident(pg_get_userbyid(t.spcowner)),
    'options: ' || (SELECT string_agg(o, ', ' ORDER BY o) FROM unnest(t.spcoptions) AS o),
    'comment: ' || quote_literal(shobj_description(t.oid, 'pg_tablespace'))),
    't', coalesce(t.spcacl, acldefault('t', t.spcowner))::text[]
FROM pg_catalog.pg_tablespace AS t"""

# Those of subscriptions are made by them, and bear an OID as their name.
ORIGINS: LiteralString = r"""
SELECT 'replication origin', quote_ident(roname), '', '', NULL, NULL::text[]
FROM pg_catalog.pg_replication_origin WHERE roname !~ '^pg_\d+(_\d+)?$'"""

# A module that provides labels may read from one whom to show what: of a role that is masked, say.
SHARED_LABELS: LiteralString = """
SELECT 'shared label', l.provider || ' on ' || i.type || ' ' || i.identity,
    CASE WHEN i.type = 'role' THEN 'role ' || i.identity ELSE '' END, l.label, NULL, NULL::text[]
FROM pg_catalog.pg_shseclabel AS l
CROSS JOIN LATERAL pg_identify_object(l.classoid, l.objoid, 0) AS i
WHERE l.classoid <> 'pg_catalog.pg_database'::regclass OR l.objoid = (
    SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())"""

SERVER_QUERIES = (ROLES, MEMBERSHIPS, SETTINGS, PARAMETERS, TABLESPACES, ORIGINS, SHARED_LABELS)
