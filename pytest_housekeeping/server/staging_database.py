"""The staging database: made and dropped by pytest-postgresql, shaped like a production one."""

from __future__ import annotations

import secrets
import shlex
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pytest_housekeeping.server.libpq import without_libpq_variables

if TYPE_CHECKING:
    import psycopg

PREFIX = "hk_staging_"
_CONNECT_TIMEOUT_S = 10


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """A server as its superuser reaches it. `parameters` are the rest of the conninfo."""

    host: str
    port: int
    superuser: str
    maintenance: str
    password: str = field(default="", repr=False)
    parameters: Mapping[str, Any] = field(default_factory=dict, repr=False)
    programs: str = ""

    def conninfo(self, database: str, *, user: str = "", password: str = "") -> str:
        """The conninfo of `user`, or of the superuser. It may hold a password: never show it."""
        from psycopg.conninfo import make_conninfo

        given = dict(self.parameters)
        secret = password if user else self.password
        return make_conninfo(
            "",
            **given,
            host=self.host,
            port=self.port,
            dbname=database,
            user=user or self.superuser,
            **({"password": secret} if secret else {}),
        )


@dataclass(frozen=True, kw_only=True)
class StagingDatabase:
    """A database of this run alone, owned by `migrator`."""

    host: str
    port: int
    name: str
    migrator: str
    superuser: str
    cluster: Cluster = field(repr=False)
    migrator_password: str = field(default="", repr=False)

    @property
    def migrator_conninfo(self) -> str:
        """For the role that migrations run as. It may hold a password: never show it."""
        return self.cluster.conninfo(self.name, user=self.migrator, password=self.migrator_password)

    @property
    def superuser_conninfo(self) -> str:
        """For ``sql/bootstrap/`` alone. It may hold a password: never show it."""
        return self.cluster.conninfo(self.name)

    def describe(self) -> str:
        """The command that opens it, without a password."""
        bundled = (
            shutil.which("psql", path=self.cluster.programs) if self.cluster.programs else None
        )
        psql = bundled if bundled and not shutil.which("psql") else "psql"
        user = self.superuser if self.cluster.password else self.migrator
        return shlex.join(
            (psql, "-h", self.host, "-p", str(self.port), "-U", user, "-d", self.name)
        )


def random_name() -> str:
    """A name that no other run has; its eight hex digits are a positive ``int4``."""
    return f"{PREFIX}{1 + secrets.randbelow(2**31 - 1):08x}"


def connect(conninfo: str) -> psycopg.Connection[tuple[Any, ...]]:
    """A superuser's connection in autocommit. Raises psycopg.OperationalError."""
    import psycopg

    with without_libpq_variables():
        return psycopg.connect(conninfo, autocommit=True)


def create_database(
    cluster: Cluster, name: str, migrator: str, password: str = "", *, by_files: bool = False
) -> StagingDatabase:
    """Make the database `name`, and `migrator` its owner (and the role, where it is missing).

    ``by_files`` copies the files of the template as they are: with fsync off that takes a quarter
    of what the write-ahead log takes for every page of the system catalogs.
    """
    janitor = _janitor(cluster, name, by_files=by_files)
    janitor.init()
    try:
        with connect(cluster.conninfo(name)) as connection:
            hand_over(connection, name, migrator)
    except BaseException:
        janitor.drop()
        raise
    return database_of(cluster, name, migrator, password)


def hand_over(
    connection: psycopg.Connection[Any], name: str, migrator: str, password: str = ""
) -> None:
    """The database becomes the migrator's, whose role is made where it is missing."""
    from psycopg import sql

    if ensure_role(connection, migrator) and password:
        set_password(connection, migrator, password)
    connection.execute(
        sql.SQL("ALTER DATABASE {} OWNER TO {}").format(
            sql.Identifier(name), sql.Identifier(migrator)
        )
    )


def database_of(cluster: Cluster, name: str, migrator: str, password: str = "") -> StagingDatabase:
    """The database `name`, which is there, and owned by `migrator`."""
    return StagingDatabase(
        host=cluster.host,
        port=cluster.port,
        name=name,
        migrator=migrator,
        superuser=cluster.superuser,
        cluster=cluster,
        migrator_password=password,
    )


def drop_database(cluster: Cluster, name: str) -> None:
    """Drop the database `name`, whoever is still connected to it; nothing when it is gone."""
    _janitor(cluster, name).drop()


def ensure_role(connection: psycopg.Connection[Any], migrator: str) -> bool:
    """Make the role that migrations run as, as production has it; whether it was missing."""
    from psycopg import errors, sql

    if migrator in roles(connection):
        return False
    statement = sql.SQL(
        "CREATE ROLE {} LOGIN CREATEROLE NOCREATEDB NOSUPERUSER NOBYPASSRLS NOREPLICATION"
    )
    with suppress(errors.DuplicateObject, errors.UniqueViolation):
        connection.execute(statement.format(sql.Identifier(migrator)))
        return True
    return False


def rename_superuser(cluster: Cluster, name: str) -> None:
    """Give the superuser that made the server another name; nobody renames the role of a session
    of its own, so that another superuser does."""
    from psycopg import sql

    helper, named = sql.Identifier(f"{PREFIX}renames"), sql.Identifier(name)
    with connect(cluster.conninfo(cluster.maintenance)) as connection:
        connection.execute(sql.SQL("CREATE ROLE {} SUPERUSER LOGIN").format(helper))
    with connect(cluster.conninfo(cluster.maintenance, user=f"{PREFIX}renames")) as connection:
        renaming = sql.SQL("ALTER ROLE {} RENAME TO {}")
        connection.execute(renaming.format(sql.Identifier(cluster.superuser), named))
    with connect(cluster.conninfo(cluster.maintenance, user=name)) as connection:
        connection.execute(sql.SQL("DROP ROLE {}").format(helper))


def set_password(connection: psycopg.Connection[Any], role: str, password: str) -> None:
    """Only the verifier is sent, so that no log of the server holds the password."""
    from psycopg import sql

    verifier = connection.pgconn.encrypt_password(
        password.encode(), role.encode(), b"scram-sha-256"
    )
    connection.execute(
        sql.SQL("ALTER ROLE {} PASSWORD {}").format(
            sql.Identifier(role), sql.Literal(verifier.decode())
        )
    )


def roles(connection: psycopg.Connection[Any]) -> frozenset[str]:
    """The roles of the server, without PostgreSQL's own."""
    rows = connection.execute(
        "SELECT rolname FROM pg_catalog.pg_roles WHERE rolname !~ '^pg_' ORDER BY rolname"
    )
    return frozenset(name for (name,) in rows)


def drop_roles(connection: psycopg.Connection[Any], names: frozenset[str]) -> frozenset[str]:
    """Drop the roles that nothing depends on; those that stay are returned."""
    from psycopg import errors, sql

    left = set(names)
    while left:
        before = len(left)
        for name in sorted(left):
            with suppress(errors.DependentObjectsStillExist, errors.InsufficientPrivilege):
                connection.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(name)))
                left.discard(name)
        # A role may have depended on another that is gone now: granted by it, say.
        if len(left) == before:
            break
    return frozenset(left)


def _janitor(cluster: Cluster, name: str, *, by_files: bool = False) -> Any:
    from psycopg import sql
    from pytest_postgresql.janitor import DatabaseJanitor

    class Janitor(DatabaseJanitor):
        """Connects as the given server wants it (TLS, options), and fails at once if it cannot."""

        @contextmanager
        def cursor(self, dbname: str | None = None) -> Iterator[psycopg.Cursor[Any]]:
            with connect(cluster.conninfo(dbname or cluster.maintenance)) as connection:
                yield connection.cursor()

        def _build_create_database_sql(self) -> sql.Composed:
            asked = super()._build_create_database_sql()
            return asked + sql.SQL(" STRATEGY file_copy") if by_files else asked

    return Janitor(
        user=cluster.superuser,
        host=cluster.host,
        port=cluster.port,
        dbname=name,
        maintenance_dbname=cluster.maintenance,
        connection_timeout=_CONNECT_TIMEOUT_S,
    )
