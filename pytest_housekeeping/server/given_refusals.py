"""What a server that is given for the copy must not be: production, of another version, in use."""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_housekeeping.errors import ServerError, named
from pytest_housekeeping.server.given_url import Asked
from pytest_housekeeping.server.server_state import ServerState
from pytest_housekeeping.server.staging_database import PREFIX
from pytest_housekeeping.sql.identifiers import quoted

if TYPE_CHECKING:
    import psycopg

TWIN = Asked(
    option="--hk-twin-server",
    use="the copy of production is made on the server",
    without="a PostgreSQL of this machine is used",
)
WHY_EMPTY = (
    "the roles of the copy are those of production, and its superuser is called as there: nobody"
    " else can use the server meanwhile"
)
_FIX_EMPTY = "give a server that was made for this and can be thrown away, a fresh container, say"
# What a run itself makes there, besides the copy, which bears production's name.
_OURS = re.compile(rf"{PREFIX}[0-9a-f]{{8}}|hk_result|hk_before|hk_seeded|hk_steps_aside")


@dataclass(frozen=True, kw_only=True, slots=True)
class Original:
    """What the copy is of: where it is, and how its server is known."""

    host: str
    port: int
    database: str
    system_identifier: str
    major: int


def refuse_address(given: Mapping[str, Any], original: Original) -> None:
    """Raises ServerError where the URL leads to where production is; nobody was asked then."""
    if leads_to(given, original.host, original.port):
        raise _is_production(f"{original.host}:{original.port}")


def leads_to(given: Mapping[str, Any], host: str, port: int) -> bool:
    """Whether any of the addresses of a URL is this one, by another name of the host perhaps."""
    hosts = str(given.get("hostaddr") or given.get("host") or "").split(",")
    ports = str(given.get("port") or "5432").split(",")
    ports = ports * len(hosts) if len(ports) == 1 else ports
    return any(
        given_port == str(port) and _same_host(given_host, host)
        for given_host, given_port in zip(hosts, ports, strict=False)
    )


def refuse_unfit(connection: psycopg.Connection[Any], original: Original) -> None:
    """Raises ServerError for production itself, a standby, another major version, and a login that
    is not the superuser by whom the server was made."""
    superuser = connection.info.parameter_status("is_superuser") == "on"
    row = connection.execute(
        "SELECT system_identifier::text, pg_catalog.pg_is_in_recovery(),"
        " pg_catalog.pg_get_userbyid(10), current_user"
        " FROM pg_catalog.pg_control_system()"
    ).fetchone()
    identifier, standby, maker, user = row or ("", False, "", "")
    if identifier == original.system_identifier:
        raise _is_production(f"the system identifier is {identifier} in both")
    if standby:
        raise ServerError(
            f"the server of {TWIN.option} is a standby",
            why="nothing can be made there",
            fix=_FIX_EMPTY,
        )
    if (found := connection.info.server_version // 10000) != original.major:
        raise ServerError(
            f"the server of {TWIN.option} is PostgreSQL {found}, production is {original.major}",
            why="what is proved on another major version is not proved for this one",
            fix=f"give one of PostgreSQL {original.major}",
        )
    if not superuser:
        raise ServerError(
            f"the role {user} of {TWIN.option} is no superuser",
            why="the copy has all that production has, superusers and their objects too",
            fix=f"log in as {maker}, by whom that server was made",
        )


def refuse_full(connection: psycopg.Connection[Any], state: ServerState) -> None:
    """Raises ServerError for a server that holds more than a fresh one does: databases, roles,
    tablespaces, settings of every role, tables."""
    maintenance = {"postgres", connection.info.dbname}
    found = [
        str(each)
        for each in state.things
        if not (
            (each.kind == "database" and each.number in state.templates)
            or (each.kind == "database" and each.name in maintenance)
            or (each.kind in ("role", "settings of role") and each.number == 10)
        )
    ]
    row = connection.execute(_INSIDE).fetchone() or (0, None)
    if row[0]:
        found.append(f"{row[0]} relations in database {connection.info.dbname}")
    if found:
        raise ServerError(
            f"the server of {TWIN.option} is not empty: {named(found, 5)}",
            why=WHY_EMPTY,
            fix=_FIX_EMPTY,
        )
    if row[1]:
        raise ServerError(
            f"the server of {TWIN.option} keeps the password of {row[1]} as MD5",
            why="PostgreSQL forgets such a one when the role is renamed, as the copy asks for",
            fix="set it anew there: SET password_encryption = 'scram-sha-256';"
            f" ALTER ROLE {quoted(row[1])} PASSWORD '...'",
        )


def refuse_unexplained(now: ServerState, before: ServerState, database: str) -> None:
    """Raises ServerError for databases that are neither of before a run nor made by one: nothing is
    cleared then."""
    known = {(each.kind, each.number) for each in before.things}
    strange = [
        each
        for each in now.things
        if each.kind == "database"
        and (each.kind, each.number) not in known
        and each.name != database
        and not _OURS.fullmatch(each.name)
    ]
    if strange:
        raise ServerError(
            f"the server of {TWIN.option} has leftovers of a killed run, and besides them"
            f" {', '.join(map(str, strange))}",
            why="what no run has made is not dropped by one",
            fix=_FIX_EMPTY,
        )


def _is_production(how: str) -> ServerError:
    return ServerError(
        f"{TWIN.option} leads to production itself: {how}",
        why="what is tried on the copy must never reach production",
        fix=_FIX_EMPTY,
    )


def _same_host(one: str, other: str) -> bool:
    return one == other or bool(_addresses(one) & _addresses(other))


def _addresses(host: str) -> frozenset[str]:
    if host == "" or host[0] in "/@":
        return frozenset()
    try:
        return frozenset(str(item[4][0]) for item in socket.getaddrinfo(host, None))
    except OSError:
        return frozenset()


_INSIDE = """
SELECT (SELECT pg_catalog.count(*) FROM pg_catalog.pg_class AS c
    WHERE c.oid >= 16384 AND c.relkind IN ('r', 'p', 'm', 'f')
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend AS d
        WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid
        AND d.deptype = 'e')),
    (SELECT rolname FROM pg_catalog.pg_authid WHERE oid = 10 AND rolpassword LIKE 'md5%')
"""
