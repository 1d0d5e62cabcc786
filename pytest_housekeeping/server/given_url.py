"""The connection that a URL of a given server stands for: opened safely, refused in words."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_housekeeping.errors import ServerError
from pytest_housekeeping.server.binaries import OLDEST
from pytest_housekeeping.server.pooler import FIX, WHY, pooler_refuses, refuse_pooler
from pytest_housekeeping.server.staging_database import Cluster, connect
from pytest_housekeeping.sql.identifiers import quoted

if TYPE_CHECKING:
    import psycopg

_CONNECT_TIMEOUT_S = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """Which option names the server, what is done there, and what happens without it."""

    option: str
    use: str
    without: str


STAGING = Asked(
    option="--hk-staging-url",
    use="staging runs on the server",
    without="the embedded server is used",
)


def open_url(url: str, asked: Asked = STAGING) -> tuple[psycopg.Connection[Any], Cluster]:
    """A connection to the server that `url` names, and how to make more of them.

    Raises `ServerError`, without password or URL, when the URL makes no sense, when it leads off
    the machine unencrypted, and when the server cannot be reached, is too old or gives too little;
    `ProofFailed` behind a pooler.
    """
    given = read_url(url, asked)
    guard = connected(given, asked)
    try:
        refuse_old(guard.info.server_version, asked)
        _refuse_weak(guard, asked)
        return guard, cluster_of(guard, given)
    except BaseException:
        guard.close()
        raise


def read_url(url: str, asked: Asked, *, database: str = "postgres") -> dict[str, Any]:
    """The parts of the URL, as libpq names them, with a `database` where it names none.

    Raises `ServerError` where it makes no sense.
    """
    import psycopg
    from psycopg.conninfo import conninfo_to_dict

    try:
        given: dict[str, Any] = dict(conninfo_to_dict(url))
    except psycopg.ProgrammingError:
        # The message of libpq may quote the URL, password and all.
        raise ServerError(
            f"{asked.option} is no connection URL that PostgreSQL understands",
            why=f"{asked.use} that it names",
            fix="postgresql://user:password@host:port/database, special characters %-encoded",
        ) from None
    given.setdefault("connect_timeout", _CONNECT_TIMEOUT_S)
    given.setdefault("application_name", "pytest-housekeeping")
    given.setdefault("dbname", database)
    return given


def connected(given: dict[str, Any], asked: Asked) -> psycopg.Connection[Any]:
    """A connection to the server. Raises `ServerError` where it is none, or not encrypted, and
    `ProofFailed` behind a pooler."""
    import psycopg
    from psycopg.conninfo import make_conninfo

    given |= encrypted(given, asked)
    try:
        connection = connect(make_conninfo("", **given))
    except psycopg.OperationalError as error:
        raise _refused(str(error), given, asked) from None
    try:
        refuse_pooler(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def encrypted(given: Mapping[str, Any], asked: Asked) -> dict[str, Any]:
    """The same, with TLS where the connection leaves the machine.

    Raises `ServerError` where the URL asks for less.
    """
    if _on_this_machine(given):
        return dict(given)
    weak = given.get("sslmode") in ("disable", "allow", "prefer")
    if weak and not _private_network(str(given.get("hostaddr") or given.get("host"))):
        raise ServerError(
            f"{asked.option} asks for sslmode={given['sslmode']} to {given.get('host')}",
            why="a connection that leaves the machine is encrypted or refused",
            fix="sslmode=require or stronger; disable is for a private network alone",
        )
    return {"sslmode": "require", **given}


def refuse_old(server_version: int, asked: Asked = STAGING) -> None:
    if server_version // 10000 < OLDEST:
        raise ServerError(
            f"the given server is PostgreSQL {server_version // 10000}",
            why=f"PostgreSQL >= {OLDEST} is needed: its views run with security_invoker",
            fix=f"give a newer one with {asked.option}; without it, {asked.without}",
        )


def _refused(message: str, given: Mapping[str, Any], asked: Asked) -> ServerError:
    if password := given.get("password"):
        message = message.replace(str(password), "***")
    lines = "".join(f"\n    {line.strip()}" for line in message.strip().splitlines())
    fix = f"start it, or correct {asked.option}; without it, {asked.without}"
    why = f"{asked.use} that {asked.option} names"
    if "password" in message or "authentication" in message:
        fix = f"correct user and password of {asked.option}"
    if any(part in message for part in ("invalid response", "expected authentication", "timeout")):
        why = "what listens on that port does not speak PostgreSQL's protocol, or does not answer"
    if pooler_refuses(message):
        why, fix = f"a pooler stands in front of it: {WHY}", FIX
    if "does not support SSL" in message:
        why = "a connection that leaves the machine is encrypted or refused"
        fix = "switch TLS on there; in a private network, say ?sslmode=disable in the URL"
    return ServerError(f"the server of {asked.option} refused:{lines}", why=why, fix=fix)


def _on_this_machine(given: Mapping[str, Any]) -> bool:
    hosts = str(given.get("hostaddr") or given.get("host") or "").split(",")
    return all(
        host in ("", "localhost") or host[0] in "/@" or _address(host, "is_loopback")
        for host in hosts
    )


def _private_network(host: str) -> bool:
    try:
        found = {str(item[4][0]) for item in socket.getaddrinfo(host, None)}
    except OSError:
        return False
    return all(_address(address, "is_private") for address in found)


def _address(host: str, quality: str) -> bool:
    try:
        return bool(getattr(ipaddress.ip_address(host), quality))
    except ValueError:
        return False


def cluster_of(guard: psycopg.Connection[Any], given: Mapping[str, Any]) -> Cluster:
    """The server behind a connection, as it is reached again."""
    info = guard.info
    own = {"host", "hostaddr", "port", "user", "password", "dbname"}
    return Cluster(
        host=info.host,
        port=info.port,
        superuser=info.user,
        maintenance=info.dbname,
        password=info.password,
        parameters={key: value for key, value in given.items() if key not in own},
    )


def _refuse_weak(guard: psycopg.Connection[Any], asked: Asked) -> None:
    row = guard.execute(
        "SELECT rolsuper, rolcreatedb, rolcreaterole FROM pg_catalog.pg_roles"
        " WHERE rolname = current_user"
    ).fetchone()
    superuser, createdb, createrole = row or (False, False, False)
    lacks = [] if createdb else ["CREATEDB"]
    lacks += [] if createrole else ["CREATEROLE"]
    if not superuser and lacks:
        user = guard.info.user
        raise ServerError(
            f"the role {user} of {asked.option} lacks {' and '.join(lacks)}",
            why="databases are made there, and the role that migrations run as",
            fix="give the superuser of the server, or there:"
            f" ALTER ROLE {quoted(user)} {' '.join(lacks)}",
        )
