"""What a server holds beside PostgreSQL's own, and how it is brought back to that."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, LiteralString

from pytest_housekeeping.server.staging_database import drop_roles

if TYPE_CHECKING:
    import psycopg

# The database that a run makes first and drops last. That it is there says that somebody is at
# work, or was killed; its comment says what the server held before.
IN_USE = "hk_twin_in_use"
_DATABASE, _ROLE, _TABLESPACE = "database", "role", "tablespace"
_RENAMING: dict[str, LiteralString] = {
    _DATABASE: "ALTER DATABASE {} RENAME TO {}",
    _ROLE: "ALTER ROLE {} RENAME TO {}",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Thing:
    """A part of a server, known by its number, so that a new name does not hide it."""

    kind: str
    number: int
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


@dataclass(frozen=True, kw_only=True, slots=True)
class ServerState:
    """Its databases, roles and tablespaces, and what belongs to none of them. A template database
    is nobody's: ``templates`` are the numbers of those."""

    things: tuple[Thing, ...]
    templates: frozenset[int] = frozenset()

    def beyond(self, before: ServerState) -> tuple[Thing, ...]:
        """What is there now and was not before, under its name of now."""
        known = set(before.things)
        return tuple(thing for thing in self.things if thing not in known)

    def as_text(self) -> str:
        """For the comment of the database `IN_USE`."""
        return json.dumps([[each.kind, each.number, each.name] for each in self.things])

    @staticmethod
    def of_text(text: str) -> ServerState:
        """Raises ValueError for what was not written by `as_text`."""
        try:
            things = tuple(Thing(kind=k, number=n, name=a) for k, n, a in json.loads(text))
        except TypeError as error:
            raise ValueError(str(error)) from None
        return ServerState(things=things)


def read_state(connection: psycopg.Connection[Any]) -> ServerState:
    """What the server holds, but for the database `IN_USE`."""
    rows = connection.execute(_STATE, {"in_use": IN_USE}).fetchall()
    return ServerState(
        things=tuple(Thing(kind=kind, number=number, name=name) for kind, number, name, _ in rows),
        templates=frozenset(number for _, number, _, template in rows if template),
    )


def put_back(
    connection: psycopg.Connection[Any], before: ServerState, restorer: str
) -> tuple[Thing, ...]:
    """Bring the server back to what it held, over a connection to the database `IN_USE`.

    Returns what stays: the role itself, of whom the connection is, and what PostgreSQL keeps.
    Raises psycopg.Error.
    """
    known = {(each.kind, each.number): each.name for each in before.things}

    def added(kind: str) -> Iterator[Thing]:
        for each in read_state(connection).things:
            if each.kind == kind and (kind, each.number) not in known:
                yield each

    for thing in added(_DATABASE):
        _drop_database(connection, thing.name)
    _rename(connection, _DATABASE, known, restorer)
    for thing in added(_TABLESPACE):
        _execute(connection, "DROP TABLESPACE {}", thing.name)
    ours = {each.name for each in added(_ROLE)} - {restorer}
    _drop(connection, ours)
    _rename(connection, _ROLE, known, restorer)
    if connection.info.user != restorer:
        _drop(connection, {each.name for each in added(_ROLE)})
    for thing in read_state(connection).beyond(before):
        _reset(connection, thing)
    return read_state(connection).beyond(before)


def _drop(connection: psycopg.Connection[Any], names: set[str]) -> None:
    for name in sorted(names):
        # Privileges on parameters and databases are of the whole server, and would keep the role:
        # https://www.postgresql.org/docs/16/sql-drop-owned.html
        _execute(connection, "DROP OWNED BY {} CASCADE", name)
    drop_roles(connection, frozenset(names))


def _drop_database(connection: psycopg.Connection[Any], name: str) -> None:
    _execute(connection, "ALTER DATABASE {} WITH IS_TEMPLATE false", name)
    _execute(connection, "DROP DATABASE {} WITH (FORCE)", name)


def _rename(
    connection: psycopg.Connection[Any],
    kind: str,
    known: dict[tuple[str, int], str],
    restorer: str,
) -> None:
    """Whatever was there before bears its name again; nobody can rename himself."""
    renamed = [
        (each.name, known[kind, each.number])
        for each in read_state(connection).things
        if each.kind == kind and known.get((kind, each.number), each.name) != each.name
    ]
    lent = kind == _ROLE and bool(renamed) and connection.info.user != restorer
    if lent:
        _execute(connection, "SET SESSION AUTHORIZATION {}", restorer)
    for now, before in renamed:
        _execute(connection, _RENAMING[kind], now, before)
    if lent:
        connection.execute("RESET SESSION AUTHORIZATION")


def _reset(connection: psycopg.Connection[Any], thing: Thing) -> None:
    if thing.kind == "settings of every role":
        connection.execute("ALTER ROLE ALL RESET ALL")
    elif thing.kind == "privileges on parameter":
        names = thing.name.split(".")
        _execute(connection, "REVOKE ALL ON PARAMETER {} FROM PUBLIC", *names, dotted=True)
    elif thing.kind == "membership":
        role, member = json.loads(thing.name)
        _execute(connection, "REVOKE {} FROM {} CASCADE", role, member)


def _execute(
    connection: psycopg.Connection[Any], text: LiteralString, *names: str, dotted: bool = False
) -> None:
    from psycopg import sql

    parts = [sql.Identifier(*names)] if dotted else [sql.Identifier(name) for name in names]
    connection.execute(sql.SQL(text).format(*parts))


_STATE: LiteralString = """
SELECT 'database', oid::bigint, datname::text, datistemplate FROM pg_catalog.pg_database
WHERE datname <> %(in_use)s
UNION ALL
SELECT 'role', oid::bigint, rolname::text, false FROM pg_catalog.pg_roles WHERE rolname !~ '^pg_'
UNION ALL
SELECT 'tablespace', oid::bigint, spcname::text, false FROM pg_catalog.pg_tablespace
WHERE spcname !~ '^pg_'
UNION ALL
SELECT 'settings of every role', 0, pg_catalog.array_to_string(setconfig, ', '), false
FROM pg_catalog.pg_db_role_setting WHERE setdatabase = 0 AND setrole = 0
UNION ALL
SELECT 'settings of role', setrole::bigint, pg_catalog.array_to_string(setconfig, ', '), false
FROM pg_catalog.pg_db_role_setting WHERE setdatabase = 0 AND setrole <> 0
UNION ALL
SELECT 'privileges on parameter', 0, parname, false FROM pg_catalog.pg_parameter_acl
UNION ALL
SELECT 'membership', m.oid::bigint,
    pg_catalog.json_build_array(r.rolname, m.rolname)::text, false
FROM pg_catalog.pg_auth_members AS a
JOIN pg_catalog.pg_roles AS r ON r.oid = a.roleid
JOIN pg_catalog.pg_roles AS m ON m.oid = a.member
WHERE m.rolname !~ '^pg_'
ORDER BY 1, 3, 2
"""
