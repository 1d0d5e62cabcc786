"""The throwaway database of a run: staging's target, and where production's files are replayed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import LiteralString, TypeVar

from pytest_housekeeping.config import Config
from pytest_housekeeping.errors import HousekeepingError, ProofFailed, SqlFailed
from pytest_housekeeping.postgres.connection import LentConnection, connect
from pytest_housekeeping.promotion.not_there import not_there, platform_way
from pytest_housekeeping.promotion.other_version import explain_other_version
from pytest_housekeeping.promotion.untrusted import untrusted_extension
from pytest_housekeeping.server import Server, StagingDatabase, extension_advice
from pytest_housekeeping.sql.identifiers import quoted
from pytest_housekeeping.sql.named_extensions import named_extensions
from pytest_housekeeping.sql.named_roles import named_roles
from pytest_housekeeping.sql.project_files import ProjectFiles

Result = TypeVar("Result")

_EXTENSION = re.compile(r'extension "([^"]+)" is not available')
_STUB = re.compile(r"extension \S+ is a stub here|type modifier is not allowed for type")
# undefined_function, an operator as well; undefined_object, a type or an operator class.
_UNKNOWN = ("42883", "42704")
_INSUFFICIENT = "42501"
_POLICY = "row-level security policy"
_AVAILABLE: LiteralString = "SELECT name::text FROM pg_catalog.pg_available_extensions"
_ROLE = re.compile(r'role "((?:[^"]|"")+)" does not exist')
_PRIVILEGED = re.compile(
    r"(?:[Mm]ust be|[Oo]nly) superuser|[Oo]nly roles with the (?:SUPERUSER|BYPASSRLS|REPLICATION)"
    r"|is a system (?:trigger|catalog)"
    r"|permission denied (?:to (?:create (?:event|tablespace|\")|set param|COPY)|for table pg_)"
    r"|permission denied for (?:language|foreign-data wrapper)"
)
# As 16 says it, and as 15 does.
_MEMBER = re.compile(r'must be (?:able to SET ROLE|member of role) "((?:[^"]|"")+)"')
# Who gets an object has to have this right, whoever gives it to him.
_GIVEN = re.compile(
    r'permission denied for schema "?([^"\s]+).*?^>.*?\bOWNER\s+TO\s+("(?:[^"]|"")+"|\w+)',
    re.DOTALL | re.MULTILINE | re.IGNORECASE,
)
_ROLES: LiteralString = "SELECT rolname::text FROM pg_catalog.pg_roles"


def advised(
    error: HousekeepingError, kind: str, config: Config, database: StagingDatabase
) -> HousekeepingError:
    """The error; where an extension cannot be made, with what would make it, or with the servers
    that have it and all others that the files make and that of the database lacks; where a role is
    missing, with all that the files name and that server lacks; where a name is not known, with
    where to make it."""
    if unknown := _ROLE.search(error.found):
        return _lacking_roles(error, unknown[1].replace('""', '"'), config, database)
    if (told := untrusted_extension(error, kind, config)) or (
        told := _of_the_server(error, config)
    ):
        return told
    lacking = _EXTENSION.search(error.found)
    if lacking is None:
        return _beyond_a_stub(not_there(error, kind, config), config)
    named = named_extensions(config, ProjectFiles(config.root))
    missing = sorted({lacking[1], *(named - _names(database, _AVAILABLE))})
    found = error.found
    if len(missing) > 1:
        found += f"\n  of all that the files make, this server lacks: {', '.join(missing)}"
    advice = extension_advice(missing, kind=kind, version=config.server_version)
    return SqlFailed(found, why="this server cannot make it", fix=advice)


def _of_the_server(error: HousekeepingError, config: Config) -> SqlFailed | None:
    """What this server is refused for, with the way out; None for another error."""
    if member := _MEMBER.search(error.found):
        role = quoted(member[1].replace('""', '"'))
        return SqlFailed(
            error.found,
            why=f"{config.migrator}, as which migrations run in staging, is no member of it, as the"
            " role of the real server is",
            fix=f"GRANT {role} TO {quoted(config.migrator)}; in {config.sql}/bootstrap/roles.sql,"
            " which staging runs as superuser; python -m pytest_housekeeping init writes such a"
            " file as well",
        )
    if superuser_alone(error):
        return _beyond_the_migrator(
            error, config, "a superuser alone may do this, and {migrator} is none", ""
        )
    if given := _GIVEN.search(error.found):
        schema, role = quoted(given[1]), given[2]
        return _beyond_the_migrator(
            error,
            config,
            f"{role}, who gets it, may make nothing in the schema {schema}, and {{migrator}} is no"
            " superuser, of whom that is not asked",
            f"where {role} may in production: GRANT CREATE ON SCHEMA {schema} TO {role}; in"
            f" {config.sql}/bootstrap/roles.sql, behind the line that makes the role (CREATE ROLE"
            f" {role}; GRANT {role} TO {quoted(config.migrator)};); otherwise, ",
        )
    if _lacks_a_right(error):
        return _beyond_the_migrator(
            error,
            config,
            "{migrator} has not the right to it",
            f"where production's role has it, give it to {quoted(config.migrator)} in"
            f" {config.sql}/bootstrap/roles.sql; where another one has done it there, ",
        )
    return explain_other_version(error)


def superuser_alone(error: HousekeepingError) -> bool:
    """Whether it says that nobody else may do what was asked."""
    return _PRIVILEGED.search(error.found) is not None


def _lacks_a_right(error: HousekeepingError) -> bool:
    """A policy that refuses a row is none."""
    return (
        isinstance(error, SqlFailed)
        and error.sqlstate == _INSUFFICIENT
        and not error.fix
        and _POLICY not in error.found
    )


def _beyond_the_migrator(
    error: HousekeepingError, config: Config, why: str, first: str
) -> SqlFailed:
    if error.found.startswith(f"{config.sql}/bootstrap/"):
        return SqlFailed(
            error.found,
            why="staging runs the file as superuser, and behind a SET ROLE as that role, which has"
            " not the right to it",
            fix="write the statement above the line SET ROLE, or behind a line RESET ROLE",
        )
    return SqlFailed(
        error.found,
        why=why.format(migrator=f"{config.migrator}, as which migrations run in staging,"),
        fix=f"{first}of a file that production has already, let it run as a superuser here as well:"
        ' under [tool.housekeeping.as_superuser]: "PATH" = "REASON"; of a new one, write what it'
        f" makes into a file under {config.sql}/bootstrap/, which staging runs as superuser",
    )


def _lacking_roles(
    error: HousekeepingError, name: str, config: Config, database: StagingDatabase
) -> HousekeepingError:
    there = _names(database, _ROLES)
    if name in there:
        return error  # it is another server that lacks it
    missing = sorted({name, *(named_roles(config, ProjectFiles(config.root)) - there)})
    found = error.found
    if len(missing) > 1:
        found += f"\n  of all that the files name, this server lacks: {', '.join(missing)}"
    made = "".join(
        f"\n    CREATE ROLE {quoted(each)}; GRANT {quoted(each)} TO {quoted(config.migrator)};"
        for each in missing
    )
    return SqlFailed(
        found,
        why="roles belong to the server: production has them already, and an empty one has none",
        fix=f"{platform_way(config, missing)}make them as they are there, in"
        f" {config.sql}/bootstrap/roles.sql, which staging runs as superuser; python -m"
        f" pytest_housekeeping init writes such a file as well:{made}",
    )


def _beyond_a_stub(error: HousekeepingError, config: Config) -> HousekeepingError:
    """Where a name is not known, or a function has no body, a stub may have too little."""
    stubs = ", ".join(stub.name for stub in config.stubs)
    if not stubs or not isinstance(error, SqlFailed):
        return error
    if error.sqlstate not in _UNKNOWN and not _STUB.search(error.found):
        return error
    return SqlFailed(
        error.found,
        sqlstate=error.sqlstate,
        why=f"of {stubs} nothing but what [tool.housekeeping.stubs] declares may be here",
        fix="where it is of that extension, declare it there, with a body if it is called; or give"
        " a server that has the extension, --hk-staging-url, and --hk-twin-server for the copy of"
        f" production{error.fix and f'. Otherwise, {error.fix}'}",
    )


def _names(database: StagingDatabase, query: LiteralString) -> frozenset[str]:
    with closing(connect(database.superuser_conninfo)) as connection:
        return frozenset(name for (name,) in connection.execute(query).fetchall())


class Throwaway:
    """A server that ends with the run, and the one database of it that the run works in."""

    def __init__(self, server: Server | None, config: Config) -> None:
        """Without a server where the run only looks at the plan."""
        self._booting = server
        self._config = config
        self._database: StagingDatabase | None = None
        self._empty: StagingDatabase | None = None
        self._in_empty: LentConnection | None = None
        self.bootstrapped = False

    @property
    def server(self) -> Server:
        """The server. Raises ProofFailed where none was started."""
        if self._booting is None:
            raise ProofFailed("no server was started", why="the run only looks at the plan")
        return self._booting

    @property
    def kind(self) -> str:
        """embedded, system, or given by a URL: for staging, or for the copy of production."""
        settings = self.server.settings
        if settings.original is not None:
            return "twin"
        return "given" if settings.url else self._config.server

    @property
    def keeps(self) -> bool:
        """Whether it outlives the run: ``--hk-keep``."""
        return self._booting is not None and self._booting.settings.keep

    def database(self) -> StagingDatabase:
        """The database; the first call waits until the server is ready. Raises ServerError."""
        if self._database is None:
            self._database = self.server.database()
        return self._database

    def migrator(self) -> LentConnection:
        """A connection as the role that migrations run as."""
        return connect(self.database().migrator_conninfo, settings=self._config.session)

    @contextmanager
    def superuser(self) -> Iterator[LentConnection]:
        """A connection for ``sql/bootstrap/``."""
        with self.server.bootstrap_lock():
            connection = connect(self.database().superuser_conninfo, settings=self._config.session)
            try:
                yield connection
            finally:
                connection.close()

    def in_empty_database(self) -> LentConnection:
        """A superuser's connection to a database in which nothing is, the same each time."""
        if self._in_empty is None:
            self._empty = self.server.database()
            self._in_empty = connect(self._empty.superuser_conninfo, settings=self._config.session)
        return self._in_empty

    def advised(self, error: HousekeepingError) -> HousekeepingError:
        """The error; where an extension is missing, with the servers that would have it."""
        if self._booting is None:
            return error
        return advised(error, self.kind, self._config, self.database())

    def lent(self, precheck: Callable[[], Result]) -> Result:
        """What the precheck says that works in the database; then it is `done` with it."""
        try:
            return precheck()
        finally:
            self.done()

    def done(self) -> None:
        """The database is needed no more; it goes with its server, at the end."""

    def how_to_connect(self) -> str:
        """For ``--hk-keep``: the command that opens the database, and the one that removes it."""
        self._drop_empty()
        return self.server.describe() if self.keeps and self._database is not None else ""

    def stop(self) -> None:
        """End the server. May be called again. Raises ServerError for what it had to leave."""
        self._drop_empty()
        if self._booting is not None:
            self._booting.stop()

    def _drop_empty(self) -> None:
        """It is nobody's to look at: also a server that is kept goes on without it."""
        connection, self._in_empty = self._in_empty, None
        database, self._empty = self._empty, None
        if connection is not None:
            connection.close()
        if database is not None and self.keeps:
            self.server.drop(database)
