"""What a dump of the schema leaves out: roles, memberships, and the settings of the database."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import LiteralString

from psycopg import sql

from pytest_housekeeping.postgres.connection import Connection
from pytest_housekeeping.snapshot.privileges import (
    Grant,
    describe_acl,
    grants_of,
    in_order,
    read_every_privilege,
)
from pytest_housekeeping.snapshot.queries.database import CONFIDENTIAL
from pytest_housekeeping.sql.identifiers import in_quotes, quoted

_HEAD = """\
-- Roles, memberships and the settings of the database, as the server told them.
-- Run it as a superuser, in the restored database, before the schema.
-- It holds no passwords: give the roles new ones (\\password in psql).
"""
_ATTRIBUTES = (
    "SUPERUSER",
    "INHERIT",
    "CREATEROLE",
    "CREATEDB",
    "LOGIN",
    "REPLICATION",
    "BYPASSRLS",
)
_LISTS = {
    "search_path",
    "session_preload_libraries",
    "shared_preload_libraries",
    "temp_tablespaces",
}


def dump_roles(connection: Connection) -> bytes:
    """SQL that makes the roles again, in a fixed order; any role may read it.

    Left out: passwords, PostgreSQL's own roles, the role that made the server, tablespaces, and
    the values of settings whose name says that they are secret.
    """
    parts = [_HEAD]
    for title, statements in (
        ("Roles", _roles(connection)),
        ("Memberships", _memberships(connection)),
        ("Settings", _settings(connection)),
        ("The database", _database(connection)),
    ):
        lines = list(statements)
        if lines:
            parts.append("\n".join((f"-- {title}", *lines)) + "\n")
    return "\n".join(parts).encode()


def _roles(connection: Connection) -> Iterator[str]:
    for name, *flags, limit, until, about in connection.execute(_ROLES).fetchall():
        words = [
            word if flag else f"NO{word}" for word, flag in zip(_ATTRIBUTES, flags, strict=True)
        ]
        if limit != -1:
            words.append(f"CONNECTION LIMIT {limit}")
        if until is not None:
            words.append(f"VALID UNTIL '{until}'")
        yield f"CREATE ROLE {in_quotes(name)} WITH {' '.join(words)};"
        if about is not None:
            yield f"COMMENT ON ROLE {in_quotes(name)} IS {_literal(about)};"


def _memberships(connection: Connection) -> Iterator[str]:
    """A grant comes after the one that gave its grantor the right to make it."""
    grantable: set[tuple[str, str]] = set()
    left = connection.execute(_MEMBERSHIPS).fetchall()
    while left:
        ready = [row for row in left if row[3] is not False or (row[0], row[2]) in grantable]
        for role, member, grantor, superuser, admin, inherit, may_set in ready or left:
            text = f"GRANT {in_quotes(role)} TO {in_quotes(member)}"
            if inherit is None:  # 15: a membership is one of all or nothing
                text += " WITH ADMIN OPTION" if admin else ""
            else:
                text += (
                    f" WITH ADMIN {_truth(admin)}, INHERIT {_truth(inherit)}, SET {_truth(may_set)}"
                )
                text += f" GRANTED BY {in_quotes(grantor)}" if superuser is False else ""
            yield f"{text};"
            if admin:
                grantable.add((role, member))
        left = [row for row in left if row not in ready] if ready else []


def _settings(connection: Connection) -> Iterator[str]:
    for role, here, setting in connection.execute(_SETTINGS).fetchall():
        name, _, value = setting.partition("=")
        if "." in name and re.search(CONFIDENTIAL, name, re.IGNORECASE):
            value = "[secret]"
        spelling = _elements(value) if name in _LISTS else _literal(value)
        text = f"SET {in_quotes(*name.split('.'))} TO {spelling}"
        if not here:
            yield f"ALTER ROLE {in_quotes(role)} {text};"
        elif role is None:
            yield _in_database(f"ALTER DATABASE %I {_doubled(text)}")
        else:
            owner = _doubled(in_quotes(role))
            yield _in_database(f"ALTER ROLE {owner} IN DATABASE %I {_doubled(text)}")


def _database(connection: Connection) -> Iterator[str]:
    row = connection.execute(_DATABASE).fetchone()
    if row is None:
        return
    owner, acl, default, about = row
    yield _in_database(f"ALTER DATABASE %I OWNER TO {_doubled(in_quotes(owner))}")
    if about is not None:
        yield _in_database(f"COMMENT ON DATABASE %I IS {_doubled(_literal(about))}")
    every = read_every_privilege(connection)["d"]
    if acl is None or describe_acl(tuple(acl), every) == describe_acl(tuple(default), every):
        return
    yield _in_database("REVOKE ALL ON DATABASE %I FROM PUBLIC")
    yield _in_database(f"REVOKE ALL ON DATABASE %I FROM {_doubled(in_quotes(owner))}")
    for grant in in_order(grants_of(acl, every)):
        yield from _granted_on_database(grant, owner)


def _granted_on_database(grant: Grant, owner: str) -> Iterator[str]:
    grantee = _doubled(quoted(grant.grantee)) if grant.grantee else "PUBLIC"
    option = " WITH GRANT OPTION" if grant.grantable else ""
    statement = _in_database(f"GRANT {grant.privileges} ON DATABASE %I TO {grantee}{option}")
    if grant.grantor == owner:
        yield statement
        return
    yield f"SET ROLE {quoted(grant.grantor)};"
    yield statement
    yield "RESET ROLE;"


def _in_database(statement: str) -> str:
    """A statement about the current database, whatever its name: %I stands for it."""
    text = _literal(statement)
    return (
        f"DO $hk$ BEGIN EXECUTE pg_catalog.format({text}, pg_catalog.current_database()); END $hk$;"
    )


def _doubled(text: str) -> str:
    """A text in which format() finds no specifier."""
    return text.replace("%", "%%")


def _elements(value: str) -> str:
    """A list is kept as identifiers; written as literals an empty one is possible too."""
    found = re.findall(r'"((?:[^"]|"")*)"|([^,\s]+)', value)
    return ", ".join(_literal(named.replace('""', '"') or plain) for named, plain in found) or "''"


def _truth(value: object) -> str:
    return "TRUE" if value else "FALSE"


def _literal(value: str) -> str:
    return sql.Literal(value).as_string(None)


_ROLES: LiteralString = r"""
SELECT rolname, rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolcanlogin, rolreplication,
    rolbypassrls, rolconnlimit,
    pg_catalog.to_jsonb(rolvaliduntil) #>> '{}',
    pg_catalog.shobj_description(oid, 'pg_authid')
FROM pg_catalog.pg_roles WHERE oid <> 10 AND rolname !~ '^pg_'
ORDER BY rolname COLLATE "C"
"""

_MEMBERSHIPS: LiteralString = r"""
SELECT r.rolname, m.rolname, g.rolname, g.oid = 10 OR g.rolsuper, a.admin_option,
    pg_catalog.to_jsonb(a) -> 'inherit_option', pg_catalog.to_jsonb(a) -> 'set_option'
FROM pg_catalog.pg_auth_members AS a
JOIN pg_catalog.pg_roles AS r ON r.oid = a.roleid
JOIN pg_catalog.pg_roles AS m ON m.oid = a.member
LEFT JOIN pg_catalog.pg_roles AS g ON g.oid = a.grantor
WHERE m.rolname !~ '^pg_'
ORDER BY r.rolname COLLATE "C", m.rolname COLLATE "C", g.rolname COLLATE "C"
"""

_SETTINGS: LiteralString = r"""
SELECT r.rolname, d.datname IS NOT NULL, setting
FROM pg_catalog.pg_db_role_setting AS s
LEFT JOIN pg_catalog.pg_roles AS r ON r.oid = s.setrole
LEFT JOIN pg_catalog.pg_database AS d ON d.oid = s.setdatabase
CROSS JOIN pg_catalog.unnest(s.setconfig) AS setting
WHERE (s.setdatabase = 0 OR d.datname = pg_catalog.current_database())
AND (s.setrole = 0 OR r.rolname !~ '^pg_' AND r.oid <> 10)
ORDER BY r.rolname COLLATE "C" NULLS FIRST, 2, setting COLLATE "C"
"""

_DATABASE: LiteralString = r"""
SELECT pg_catalog.pg_get_userbyid(datdba), datacl::text[],
    pg_catalog.acldefault('d', datdba)::text[],
    pg_catalog.shobj_description(oid, 'pg_database')
FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()
"""
