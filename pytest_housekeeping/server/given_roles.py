"""Roles on a server that is shared: the migrator's, and those that runs made and must drop."""

from __future__ import annotations

import hashlib
import hmac
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from pytest_housekeeping.errors import ServerError
from pytest_housekeeping.server.staging_database import (
    Cluster,
    connect,
    drop_roles,
    ensure_role,
    set_password,
)
from pytest_housekeeping.sql.identifiers import quoted

if TYPE_CHECKING:
    import psycopg

_OURS = "made by pytest-housekeeping for staging"
_DEMANDED = """
SELECT oid::bigint, rolsuper, rolbypassrls, NOT rolcanlogin, NOT rolcreaterole
FROM pg_catalog.pg_roles WHERE rolname = %s
"""
# The role that initdb has made: a superuser for good, and never dropped.
_MAKER = 10
_MARKED = """
SELECT rolname FROM pg_catalog.pg_roles
WHERE pg_catalog.shobj_description(oid, 'pg_authid') = %s
ORDER BY rolname
"""
# From PostgreSQL 16 on, who creates a role administers it; up to 15 only rights show the maker.
_MADE = """
SELECT r.rolname FROM pg_catalog.pg_roles AS r
WHERE EXISTS (
    SELECT FROM pg_catalog.pg_shdepend AS d JOIN pg_catalog.pg_database AS b
    ON b.oid = d.dbid
    OR (d.dbid = 0 AND d.classid = 'pg_catalog.pg_database'::regclass AND d.objid = b.oid)
    WHERE b.datname = %(database)s
    AND d.refclassid = 'pg_catalog.pg_authid'::regclass AND d.refobjid = r.oid
) OR EXISTS (
    SELECT FROM pg_catalog.pg_auth_members AS m JOIN pg_catalog.pg_roles AS a ON a.oid = m.member
    WHERE m.roleid = r.oid AND a.rolname = %(migrator)s AND m.admin_option
)
ORDER BY r.rolname
"""


def derived_password(cluster: Cluster, migrator: str) -> str:
    """The migrator's password: all runs with the same superuser's password come to the same.

    "" where the superuser needs none: then the server trusts whoever reaches it.
    """
    if not cluster.password:
        return ""
    text = f"pytest-housekeeping staging {migrator}"
    return hmac.new(cluster.password.encode(), text.encode(), hashlib.sha256).hexdigest()


def ready_migrator(
    guard: psycopg.Connection[Any], cluster: Cluster, migrator: str, *, shared: bool
) -> None:
    """Afterwards `migrator` exists in its production shape, and this run can log in as it.

    A role that no run made is used as it is, or refused with `ServerError`; never altered.
    `shared` says that other runs use it at this moment, so that its password stays.
    """
    from psycopg import sql

    role, password = sql.Identifier(migrator), derived_password(cluster, migrator)
    if ensure_role(guard, migrator):
        mark_roles(guard, frozenset({migrator}))
    ours = migrator in marked_roles(guard)
    superuser = guard.info.parameter_status("is_superuser") == "on"
    if ours and superuser and not shared:
        # The bootstrap of a run that was killed may have given it more, as a platform does.
        guard.execute(sql.SQL("ALTER ROLE {} NOBYPASSRLS NOCREATEDB NOREPLICATION").format(role))
    if ours and password and not shared:
        set_password(guard, migrator, password)
    _refuse_unfit(guard, cluster, migrator, password, ours=ours)
    if not superuser:
        # To give a database away, one must be able to become its new owner.
        guard.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(role))


def mark_roles(guard: psycopg.Connection[Any], names: frozenset[str]) -> None:
    """Say on each role that a staging run made it: the last run drops those, and no others."""
    from psycopg import errors, sql

    for name in sorted(names):
        with suppress(errors.InsufficientPrivilege, errors.UndefinedObject):
            guard.execute(
                sql.SQL("COMMENT ON ROLE {} IS {}").format(sql.Identifier(name), sql.Literal(_OURS))
            )


def marked_roles(guard: psycopg.Connection[Any]) -> frozenset[str]:
    return frozenset(name for (name,) in guard.execute(_MARKED, (_OURS,)))


def roles_made(guard: psycopg.Connection[Any], database: str, migrator: str) -> frozenset[str]:
    """Roles with rights in `database`, or administered by `migrator`."""
    rows = guard.execute(_MADE, {"database": database, "migrator": migrator})
    return frozenset(name for (name,) in rows)


def drop_marked(guard: psycopg.Connection[Any], *, but: frozenset[str] = frozenset()) -> None:
    drop_roles(guard, marked_roles(guard) - but)


def _refuse_unfit(
    guard: psycopg.Connection[Any], cluster: Cluster, migrator: str, password: str, *, ours: bool
) -> None:
    """`ours` may have BYPASSRLS: another run's platform gives it that at this moment."""
    import psycopg

    row = guard.execute(_DEMANDED, (migrator,)).fetchone() or (0,)
    if row[0] == _MAKER:
        raise _refused_maker(migrator)
    names = ("SUPERUSER", "BYPASSRLS", "NOLOGIN", "NOCREATEROLE")
    wrong = [name for name, is_so in zip(names, row[1:], strict=True) if is_so]
    wrong = [name for name in wrong if not (ours and name == "BYPASSRLS")]
    found = f"the role {migrator} of the given server is {', '.join(wrong)}"
    if not wrong:
        conninfo = cluster.conninfo(cluster.maintenance, user=migrator, password=password)
        try:
            connect(conninfo).close()
        except psycopg.OperationalError:
            found = f"the given server does not let the role {migrator} in"
        else:
            return
    raise ServerError(
        found,
        why="migrations run as a role that is shaped like production's and logs in by itself; "
        "this one was not made by a staging run with these credentials",
        fix=f"drop it there (DROP ROLE {quoted(migrator)}), or name another role: "
        "`migrator` in [tool.housekeeping]",
    )


def _refused_maker(migrator: str) -> ServerError:
    """The given server's first superuser bears the migrator's name, as on a plain image that is
    given to a project of Supabase, whose ``postgres`` is none."""
    other = "supabase_admin" if migrator != "supabase_admin" else "postgres"
    return ServerError(
        f"the role {migrator} of the given server is the superuser that the server was made with",
        why=f"migrations run as {migrator}, which is no superuser in production, and this one can"
        " never be less",
        fix=f"have the server made with another superuser. A container of postgres: POSTGRES_USER="
        f"{other} in its environment, and {other} in the place of the user in the URL, with"
        f" /postgres as its database. Elsewhere: initdb --username={other}. Or leave the URL out:"
        " the embedded server has the names that are asked for",
    )


def lend_password(
    superuser: psycopg.Connection[Any], cluster: Cluster, role: str
) -> tuple[str, bool]:
    """A password with which `role` can log in, and whether it has to be taken back.

    "" where the server trusts whoever reaches it. Raises `ServerError` for a role that has a
    password of its own: it is not changed.
    """
    password = derived_password(cluster, role)
    if not password:
        return "", False
    row = superuser.execute(
        "SELECT rolpassword IS NULL FROM pg_catalog.pg_authid WHERE rolname = %s", (role,)
    ).fetchone()
    if row is None or not row[0]:
        raise ServerError(
            f"the role {role} of the given server "
            + ("is not there" if row is None else "has a password of its own"),
            why="an application's tests log in as it, and no password that is set is changed",
            fix="use a server of its own for staging, or the embedded one",
        )
    set_password(superuser, role, password)
    return password, True


def take_password_back(conninfo: str, role: str) -> None:
    """The role is without a password again, as it was."""
    from psycopg import OperationalError, sql

    with suppress(OperationalError), connect(conninfo) as superuser:
        superuser.execute(sql.SQL("ALTER ROLE {} PASSWORD NULL").format(sql.Identifier(role)))
