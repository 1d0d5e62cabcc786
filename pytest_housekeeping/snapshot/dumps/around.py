"""What neither a schema dump nor the dump of the roles holds and a check may read, as SQL.

Privileges on parameters, large objects (empty, with their owner and privileges), privileges on the
row types of tables, owners of what extensions have made, the connection limit of the database; and
a materialized view, which pg_dump restores WITH NO DATA, is populated where production's is. What
is left out, and why, is told by the comparison of the fingerprints: a subscription, whose text is a
connection with its password.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, LiteralString

from psycopg import sql

from pytest_housekeeping.postgres.connection import Connection
from pytest_housekeeping.snapshot.privileges import grants_of, in_order, read_every_privilege
from pytest_housekeeping.sql.identifiers import in_quotes

_HEAD = """\
-- What neither the schema nor the roles hold, for a copy of the database that is used to prove on.
-- Run it as a superuser, in the restored database, after the schema.
SET client_min_messages = error;
"""


def dump_around(connection: Connection) -> bytes:
    """SQL that completes a restored copy, in a fixed order; any role may read it."""
    every = read_every_privilege(connection)
    lines = [
        *_parameters(connection, every),
        *_large_objects(connection, every),
        *_row_types(connection, every),
        *_owners_of_members(connection),
        *_limits(connection),
        *_grantors(connection),
        *_refreshed(connection),
    ]
    return (_HEAD + "\n".join(lines) + "\n").encode()


def _parameters(connection: Connection, every: Mapping[str, str]) -> Iterator[str]:
    for name, acl in _rows(connection, _PARAMETERS):
        # The role that made the server holds all of them, whatever stands there.
        granted = [item for item in acl if len({*item.split("=sA/")}) > 1 or "=sA/" not in item]
        on = f"PARAMETER {in_quotes(*name.split('.'))}"
        yield from _granted(on, granted, every.get("p", ""))


def _large_objects(connection: Connection, every: Mapping[str, str]) -> Iterator[str]:
    for oid, owner, acl in _rows(connection, _LARGE_OBJECTS):
        yield f"SELECT pg_catalog.lo_create({oid});"
        yield f"ALTER LARGE OBJECT {oid} OWNER TO {in_quotes(owner)};"
        if acl is not None:
            on = f"LARGE OBJECT {oid}"
            yield f"REVOKE ALL ON {on} FROM {in_quotes(owner)};"
            yield from _granted(on, acl, every.get("L", ""))


def _row_types(connection: Connection, every: Mapping[str, str]) -> Iterator[str]:
    for schema, name, owner, acl in _rows(connection, _ROW_TYPES):
        on = f"TYPE {in_quotes(schema, name)}"
        yield f"REVOKE ALL ON {on} FROM PUBLIC, {in_quotes(owner)};"
        yield from _granted(on, acl, every.get("T", ""))


def with_owners(connection: Connection, dump: bytes) -> bytes:
    """A dump of the database of that session that gives what extensions have made its owners."""
    return dump + "\n".join(("", *_owners_of_members(connection))).encode()


def _owners_of_members(connection: Connection) -> Iterator[str]:
    """Who has made an extension owns what is in it, and no dump says so. With the owner go the
    privileges: what was granted to him by another is his own by then. An extension that nothing
    needs is left out, and a stub has less in it."""
    for kind, identity, owner in _rows(connection, _OWNED_MEMBERS):
        lacking = "undefined_function OR undefined_table OR undefined_object OR invalid_schema_name"
        yield (
            f"DO $hk$ BEGIN ALTER {kind} {identity} OWNER TO {in_quotes(owner)};"
            f" EXCEPTION WHEN {lacking} THEN NULL; END $hk$;"
        )


def _limits(connection: Connection) -> Iterator[str]:
    for (limit,) in _rows(connection, _LIMIT):
        yield (
            "DO $hk$ BEGIN EXECUTE pg_catalog.format('ALTER DATABASE %I CONNECTION LIMIT"
            f" {limit}', pg_catalog.current_database()); END $hk$;"
        )


def _grantors(connection: Connection) -> Iterator[str]:
    """Before 16 whoever executes a GRANT of a role is taken down as its grantor, and one grant is
    all that there is between two roles: https://www.postgresql.org/docs/15/sql-grant.html"""
    if connection.info.server_version >= _GRANTORS_COUNT:
        return
    for role, member, grantor in _rows(connection, _MEMBERSHIPS):
        names = ", ".join(sql.Literal(name).as_string(None) for name in (role, member, grantor))
        yield (
            "UPDATE pg_catalog.pg_auth_members AS a SET grantor = g.oid"
            " FROM pg_catalog.pg_roles AS r, pg_catalog.pg_roles AS m, pg_catalog.pg_roles AS g"
            " WHERE a.roleid = r.oid"
            f" AND a.member = m.oid AND (r.rolname, m.rolname, g.rolname) = ({names});"
        )


def _refreshed(connection: Connection) -> Iterator[str]:
    """One view may read another: in the order in which they were made, and once more for those
    that were made anew. What cannot be populated without rows stays as pg_dump leaves it."""
    for schema, name in _rows(connection, _POPULATED):
        yield (
            f"DO $hk$ BEGIN REFRESH MATERIALIZED VIEW {in_quotes(schema, name)};"
            " EXCEPTION WHEN OTHERS THEN NULL; END $hk$;"
        )


def _granted(on: str, acl: Sequence[str], every: str) -> Iterator[str]:
    for grant in in_order(grants_of(acl, every)):
        grantee = in_quotes(grant.grantee) if grant.grantee else "PUBLIC"
        option = " WITH GRANT OPTION" if grant.grantable else ""
        statement = f"GRANT {grant.privileges} ON {on} TO {grantee}{option}"
        yield f"SET ROLE {in_quotes(grant.grantor)}; {statement}; RESET ROLE;"


def _rows(connection: Connection, query: LiteralString) -> list[tuple[Any, ...]]:
    return connection.execute(query).fetchall()


_PARAMETERS: LiteralString = """
SELECT parname, paracl::text[] FROM pg_catalog.pg_parameter_acl ORDER BY parname COLLATE "C"
"""

_LARGE_OBJECTS: LiteralString = """
SELECT oid, pg_catalog.pg_get_userbyid(lomowner),
    CASE WHEN lomacl <> pg_catalog.acldefault('L', lomowner) THEN lomacl::text[] END
FROM pg_catalog.pg_largeobject_metadata ORDER BY oid
"""

_ROW_TYPES: LiteralString = r"""
SELECT n.nspname, t.typname, pg_catalog.pg_get_userbyid(t.typowner), t.typacl::text[]
FROM pg_catalog.pg_type AS t
JOIN pg_catalog.pg_class AS c ON c.oid = t.typrelid AND c.relkind <> 'c'
JOIN pg_catalog.pg_namespace AS n ON n.oid = t.typnamespace
WHERE t.typtype = 'c' AND t.typacl IS NOT NULL
AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
ORDER BY n.nspname COLLATE "C", t.typname COLLATE "C"
"""

# Those of a superuser are on a copy another superuser's, to whom nothing else is granted there.
_OWNED_MEMBERS: LiteralString = """
SELECT i.type, i.identity, pg_catalog.pg_get_userbyid(o.owner)
FROM (
    SELECT 'pg_catalog.pg_proc'::pg_catalog.regclass AS class, oid, proowner AS owner
    FROM pg_catalog.pg_proc
    UNION ALL
    SELECT 'pg_catalog.pg_class'::pg_catalog.regclass, oid, relowner
    FROM pg_catalog.pg_class WHERE relkind IN ('r', 'p', 'v', 'm', 'S', 'f')
    UNION ALL
    SELECT 'pg_catalog.pg_language'::pg_catalog.regclass, oid, lanowner FROM pg_catalog.pg_language
    UNION ALL
    SELECT 'pg_catalog.pg_namespace'::pg_catalog.regclass, oid, nspowner
    FROM pg_catalog.pg_namespace
    UNION ALL
    SELECT 'pg_catalog.pg_type'::pg_catalog.regclass, oid, typowner
    FROM pg_catalog.pg_type WHERE typrelid = 0 AND typcategory <> 'A'
) AS o
JOIN pg_catalog.pg_depend AS d ON d.classid = o.class AND d.objid = o.oid AND d.deptype = 'e'
JOIN pg_catalog.pg_roles AS r ON r.oid = o.owner
CROSS JOIN LATERAL pg_catalog.pg_identify_object(o.class, o.oid, 0) AS i
WHERE NOT r.rolsuper
    AND NOT EXISTS (
        SELECT FROM pg_catalog.pg_depend AS s
        WHERE s.classid = o.class AND s.objid = o.oid AND s.deptype IN ('a', 'i')
            AND s.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND s.refobjsubid > 0
    )
ORDER BY i.type COLLATE "C", i.identity COLLATE "C"
"""

_GRANTORS_COUNT = 160000

_MEMBERSHIPS: LiteralString = """
SELECT r.rolname, m.rolname, pg_catalog.pg_get_userbyid(a.grantor)
FROM pg_catalog.pg_auth_members AS a
JOIN pg_catalog.pg_roles AS r ON r.oid = a.roleid
JOIN pg_catalog.pg_roles AS m ON m.oid = a.member
WHERE m.rolname !~ '^pg_'
ORDER BY r.rolname COLLATE "C", m.rolname COLLATE "C"
"""

_LIMIT: LiteralString = """
SELECT datconnlimit FROM pg_catalog.pg_database
WHERE datname = pg_catalog.current_database() AND datconnlimit <> -1
"""

_POPULATED: LiteralString = r"""
SELECT n.nspname, c.relname FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind = 'm' AND c.relispopulated
AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
ORDER BY c.oid
"""
