"""Where a target is: its variables, ``PG*_PROD``, and a connection that nobody can listen to."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import psycopg
from psycopg.conninfo import make_conninfo

from pytest_housekeeping.config import Config, Target
from pytest_housekeeping.errors import MisuseError, ProofFailed, ServerError
from pytest_housekeeping.plan.modes import ModeRules
from pytest_housekeeping.postgres.connection import LentConnection, connect
from pytest_housekeeping.postgres.locks.exclusive import exclusive_holders
from pytest_housekeeping.postgres.primary import is_standby
from pytest_housekeeping.server.pooler import refuse_pooler

PATIENCE = "30s"
_PARTS = ("PGHOST", "PGPORT", "PGDATABASE", "PGUSER", "PGPASSWORD")
_OPTIONAL = ("PGSSLMODE", "PGSSLROOTCERT")
# https://www.postgresql.org/docs/16/libpq-ssl.html#LIBPQ-SSL-PROTECTION
_ENCRYPTED = ("require", "verify-ca", "verify-full")
_MODES = ("disable", "allow", "prefer", *_ENCRYPTED)


@dataclass(frozen=True, kw_only=True)
class Address:
    """Host, port, database and user of a target; the password shows in no repr."""

    host: str
    port: int
    database: str
    user: str
    sslmode: str
    password: str = field(repr=False)
    sslrootcert: str = ""

    @property
    def leaves_the_machine(self) -> bool:
        return not is_local(self.host)

    def conninfo(self) -> str:
        """For libpq. It holds the password: never show it."""
        certificate = {"sslrootcert": self.sslrootcert} if self.sslrootcert else {}
        return make_conninfo(
            "",
            host=self.host,
            port=self.port,
            dbname=self.database,
            user=self.user,
            password=self.password,
            sslmode=self.sslmode,
            **certificate,
        )


def required(target: Target) -> tuple[str, ...]:
    """The variables that say where a target is, as far as no list of databases does."""
    listed = {"PGDATABASE": target.database, "PGHOST": target.host, "PGPORT": target.port}
    return tuple(target.variable(part) for part in _PARTS if not listed.get(part))


def read_address(environment: Mapping[str, str], target: Target) -> Address:
    """The address of a target from the environment.

    Raises MisuseError naming every variable that is missing or wrong, all at once.
    """
    missing = [name for name in required(target) if not environment.get(name)]
    if missing:
        raise MisuseError(
            f"not set: {', '.join(missing)}",
            why=f"{target.name} is reached through the environment alone, never through a file",
            fix="export them; in a workflow, pass the secrets of the same names through env",
        )
    given = {part: environment.get(target.variable(part), "") for part in (*_PARTS, *_OPTIONAL)}
    listed = {
        "PGDATABASE": target.database,
        "PGHOST": target.host,
        "PGPORT": str(target.port or ""),
    }
    given |= {part: value for part, value in listed.items() if value}
    host, certificate = given["PGHOST"], given["PGSSLROOTCERT"]
    default = "verify-full" if certificate else "prefer" if is_local(host) else "require"
    mode = given["PGSSLMODE"] or default
    problems = [*_problems(target, host, given["PGPORT"], mode)]
    if problems:
        raise MisuseError(
            "; ".join(problems),
            why="data and credentials could be read or changed on the way, or go elsewhere",
            fix="one host and its port; sslmode require at least, verify-full with"
            f" {target.variable('PGSSLROOTCERT')} is better",
        )
    return Address(
        host=host,
        port=int(given["PGPORT"]),
        database=given["PGDATABASE"],
        user=given["PGUSER"],
        password=given["PGPASSWORD"],
        sslmode=mode,
        sslrootcert=certificate,
    )


def _problems(target: Target, host: str, port: str, mode: str) -> Iterator[str]:
    """What is wrong with where a connection would go, and how."""
    if "," in host:
        said = f"the list's host of {target.name}" if target.host else target.variable("PGHOST")
        yield (
            f"{said} = {host!r} names several servers, and each connection of"
            " a run could lead to another one of them"
        )
    if not port.isdecimal() or not 0 < int(port) < 65536:
        yield f"{target.variable('PGPORT')} = {port!r} is no port"
    sslmode = target.variable("PGSSLMODE")
    if mode not in _MODES:
        yield f"{sslmode} = {mode!r} is none of {', '.join(_MODES)}"
    elif not is_local(host) and mode not in _ENCRYPTED:
        yield (
            f"{sslmode} = {mode!r}: {host} is not this machine, and a connection that leaves"
            " it is encrypted or refused"
        )


def open_production(address: Address, settings: Mapping[str, str] | None = None) -> LentConnection:
    """Connect, and refuse what is not the server itself or not encrypted on its way.

    ``settings`` are those of the session that the project has chosen.

    Raises ServerError when there is no connection, ProofFailed when it is not a safe one.
    """
    connection = connect(address.conninfo(), settings=settings)
    with _closed_on_failure(connection, address):
        if address.leaves_the_machine and not connection.pgconn.ssl_in_use:
            raise ProofFailed(
                f"the connection to {address.host} is not encrypted",
                why="data and credentials could be read or changed on the way",
                fix="enable TLS on the server",
            )
        refuse_pooler(connection)
        _refuse_standby(connection, address)
    return connection


def session_of(config: Config, rules: ModeRules) -> dict[str, str]:
    """The settings of a session in production: what the project has chosen, and where nothing may
    be changed, that nothing can be."""
    reads = {"default_transaction_read_only": "on"} if rules.plans else {}
    return {**config.session, **reads}


@contextmanager
def closed_on_failure(connection: LentConnection, address: Address) -> Iterator[None]:
    """What is prepared on a connection fails: it is closed, and a loss is told as a ServerError.

    Nobody is waited for without end: before a run has begun no sign of life says for whom. Raises
    ProofFailed with who it is.
    """
    with _closed_on_failure(connection, address):
        connection.execute(f"SET lock_timeout = '{PATIENCE}'".encode())
        try:
            yield
        except psycopg.errors.LockNotAvailable as error:
            held = "; ".join(exclusive_holders(connection)) or "nobody holds it any more"
            raise ProofFailed(
                f"{error.diag.message_primary}, after {PATIENCE}: {held}",
                why="what is applied cannot be read; nothing was begun, and nothing was changed",
                fix="let it end, and run again",
            ) from None
        connection.execute("RESET lock_timeout")


@contextmanager
def _closed_on_failure(connection: LentConnection, address: Address) -> Iterator[None]:
    try:
        yield
    except psycopg.Error as error:
        connection.close()
        raise _lost(address, error) from None
    except BaseException:
        connection.close()
        raise


def _lost(address: Address, error: psycopg.Error) -> ServerError:
    """The server went away before the run had begun."""
    reason = error.diag.message_primary or str(error).strip() or type(error).__name__
    return ServerError(
        f"database {address.database!r} on {address.host!r} does not answer: {reason}",
        why="nothing was begun, and nothing was changed",
        fix="check that the server stays up, and run again",
    )


def _refuse_standby(connection: LentConnection, address: Address) -> None:
    """A standby has the identifier, the schema and the history of production, and is not it."""
    if is_standby(connection):
        raise ProofFailed(
            f"{address.host}:{address.port} is a standby: it replays what another server writes",
            why="nothing can be written there, and what it shows is production's of a moment ago",
            fix="give the primary's own host and port in the variables of its address",
        )


def is_local(host: str) -> bool:
    """A socket folder, or a loopback address; a name is local only as ``localhost``."""
    if host.startswith(("/", "@")) or host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
