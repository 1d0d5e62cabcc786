"""The connection that ``--hk-staging-url`` stands for: opened safely, refused in words."""

from __future__ import annotations

import ipaddress
import socket
from typing import TYPE_CHECKING, Any

from pytest_housekeeping.errors import ServerError
from pytest_housekeeping.server.binaries import OLDEST
from pytest_housekeeping.server.staging_database import Cluster, connect
from pytest_housekeeping.sql.identifiers import quoted

if TYPE_CHECKING:
    import psycopg

_CONNECT_TIMEOUT_S = 10


def open_url(url: str) -> tuple[psycopg.Connection[Any], Cluster]:
    """A connection to the server that `url` names, and how to make more of them.

    Raises `ServerError`, without password or URL, when the URL makes no sense, when it leads off
    the machine unencrypted, and when the server cannot be reached, is too old or gives too little.
    """
    import psycopg
    from psycopg.conninfo import conninfo_to_dict, make_conninfo

    try:
        given: dict[str, Any] = dict(conninfo_to_dict(url))
    except psycopg.ProgrammingError:
        # The message of libpq may quote the URL, password and all.
        raise ServerError(
            "--hk-staging-url is no connection URL that PostgreSQL understands",
            fix="postgresql://user:password@host:port/database, special characters %-encoded",
        ) from None
    given.setdefault("connect_timeout", _CONNECT_TIMEOUT_S)
    given.setdefault("application_name", "pytest-housekeeping")
    given.setdefault("dbname", "postgres")
    if not _on_this_machine(given):
        _insist_on_tls(given)
    try:
        guard = connect(make_conninfo("", **given))
    except psycopg.OperationalError as error:
        raise _refused(str(error), given) from None
    try:
        refuse_old(guard.info.server_version)
        _refuse_weak(guard)
        return guard, _cluster(guard, given)
    except BaseException:
        guard.close()
        raise


def refuse_old(server_version: int) -> None:
    if server_version // 10000 < OLDEST:
        raise ServerError(
            f"the given server is PostgreSQL {server_version // 10000}",
            why=f"staging needs PostgreSQL >= {OLDEST}: its views run with security_invoker",
            fix="give a newer one with --hk-staging-url, or leave it away for the embedded one",
        )


def _refused(message: str, given: dict[str, Any]) -> ServerError:
    if password := given.get("password"):
        message = message.replace(str(password), "***")
    lines = "".join(f"\n    {line.strip()}" for line in message.strip().splitlines())
    fix = "start it, or correct --hk-staging-url; without it, the embedded server is used"
    why = "staging runs on the server that --hk-staging-url names"
    if "password" in message or "authentication" in message:
        fix = "correct user and password of --hk-staging-url (or PGPASSWORD, or the password file)"
    if any(part in message for part in ("invalid response", "expected authentication", "timeout")):
        why = "what listens on that port does not speak PostgreSQL's protocol, or does not answer"
    if "does not support SSL" in message:
        why = "a connection that leaves the machine is encrypted or refused"
        fix = "switch TLS on there; in a private network, say ?sslmode=disable in the URL"
    return ServerError(f"the server of --hk-staging-url refused:{lines}", why=why, fix=fix)


def _on_this_machine(given: dict[str, Any]) -> bool:
    hosts = str(given.get("hostaddr") or given.get("host") or "").split(",")
    return all(
        host in ("", "localhost") or host[0] in "/@" or _address(host, "is_loopback")
        for host in hosts
    )


def _insist_on_tls(given: dict[str, Any]) -> None:
    weak = given.get("sslmode") in ("disable", "allow", "prefer")
    given.setdefault("sslmode", "require")
    if weak and not _private_network(str(given.get("hostaddr") or given.get("host"))):
        raise ServerError(
            f"--hk-staging-url asks for sslmode={given['sslmode']} to {given.get('host')}",
            why="a connection that leaves the machine is encrypted or refused",
            fix="sslmode=require or stronger; disable is for a private network alone",
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


def _cluster(guard: psycopg.Connection[Any], given: dict[str, Any]) -> Cluster:
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


def _refuse_weak(guard: psycopg.Connection[Any]) -> None:
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
            f"the role {user} of --hk-staging-url lacks {' and '.join(lacks)}",
            why="staging makes a database of its own and the role that migrations run as",
            fix="give the superuser of the server, or there:"
            f" ALTER ROLE {quoted(user)} {' '.join(lacks)}",
        )
