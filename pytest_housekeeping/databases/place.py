"""A server with its templates and clones, as one process of a run uses it."""

from __future__ import annotations

from contextlib import closing, nullcontext, suppress
from typing import TYPE_CHECKING, Any, Protocol

from pytest_housekeeping.databases.clones import Clones, clone, drop, is_plain, shut
from pytest_housekeeping.databases.content import Content, State
from pytest_housekeeping.databases.roles import Roles, are_alike, drop_new, put_back, read_roles
from pytest_housekeeping.errors import HousekeepingError, ServerError
from pytest_housekeeping.server.staging_database import Cluster, connect, database_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from pytest_housekeeping.databases.template import TemplateMaker
    from pytest_housekeeping.server import StagingDatabase


# What CREATE DATABASE copies where it is told nothing else.
# https://www.postgresql.org/docs/16/manage-ag-templatedbs.html
EMPTY = "template1"


class Ground(Protocol):
    """A server that all workers of a run share, or one has for itself.

    ``names`` is what the name of each database begins with that this process makes there. On a
    ``shared`` one others may make roles at the same time.
    """

    kind: str
    names: str
    shared: bool

    @property
    def cluster(self) -> Cluster: ...
    @property
    def password(self) -> str: ...
    def alone(self) -> AbstractContextManager[dict[str, Any]]: ...
    def marking_roles(self) -> AbstractContextManager[None]: ...
    def template_name(self, key: str) -> str: ...
    def close(self, last: Callable[[dict[str, Any]], bool]) -> None: ...


class Place:
    """Templates that are made when a test first asks, and clones of them."""

    def __init__(self, content: Content, ground: Ground) -> None:
        self._content, self._ground = content, ground
        cluster = ground.cluster
        self._maker: TemplateMaker | None = None
        self._lasting = 0
        with ground.alone() as known:
            self._superuser = connect(cluster.conninfo(cluster.maintenance))
            if "roles" not in known:
                self._note_roles(known)
            self._roles = Roles(*known["roles"])
        self.clones = Clones(cluster, self._superuser, ground.names, content.config.migrator)

    @property
    def cluster(self) -> Cluster:
        return self._ground.cluster

    @property
    def password(self) -> str:
        return self._ground.password

    def template(self, state: State, *, asked_by: str) -> str:
        """The template of this state, made if no process of the run has done it.

        Raises HousekeepingError; in full once for all that ask, with who was told so later on.
        """
        with self._ground.alone() as known:
            failures = known.setdefault("failures", {})
            if state.key in failures:
                first, found = failures[state.key]
                raise HousekeepingError(f"{found.splitlines()[0]}\n  told in full by {first}")
            try:
                name = self._template(state, known)
                self._roles = Roles(*known["roles"])
                return name
            except HousekeepingError as error:
                failures[state.key] = [asked_by, error.found]
                raise

    def clone(self, template: str, *, upcoming: int = 0, lasts: bool = False) -> str:
        """The name of a fresh clone; one that ``lasts`` is used by several tests.

        Raises ServerError where none can be made.
        """
        from psycopg import errors

        self._lasting += lasts
        try:
            return self.clones.take(template, upcoming)
        except (errors.DiskFull, errors.IoError, errors.OutOfMemory) as error:
            raise ServerError(
                f"no room for another test database: {str(error).splitlines()[0]}",
                why=f"each is a copy of its template, on the server in {self.cluster.host}",
                fix="make room there, run fewer workers at once (-n), or give a server with room:"
                " HK_TEST_URL=postgresql://…",
            ) from None

    def take_back(self, name: str, *, lasted: bool = False) -> tuple[str, ...]:
        """A test is done with the clone; what was changed of roles is put back, and told.

        New roles go with the databases in which they own something, where nobody else may need
        them: on a server of this process alone, when no database of several tests is there.
        """
        self._lasting -= lasted
        self.clones.put_away(name)
        return self.settle_roles()

    def settle_roles(self) -> tuple[str, ...]:
        """The same of a database that goes on."""
        if are_alike(self._superuser, self._roles):
            return ()
        if not self._ground.shared and not self._lasting and drop_new(self._superuser, self._roles):
            self.clones.drop_behind()
            drop_new(self._superuser, self._roles)
        return put_back(self._superuser, self._roles)

    def maker(self) -> TemplateMaker:
        """What applies files. Raises SqlFileError for files that cannot be read."""
        if self._maker is None:
            from pytest_housekeeping.databases.template import TemplateMaker

            self._maker = TemplateMaker(self._content, self._ground.kind)
        return self._maker

    def staging_database(self, name: str) -> StagingDatabase:
        return database_of(self.cluster, name, self._content.config.migrator, self.password)

    def close(self) -> None:
        """Leave the server; what was made for this process alone is dropped, if it goes on.

        A server that is down has nothing to drop, and of a given one the next run clears the rest.
        """
        import psycopg

        left = self.clones.close()
        with suppress(psycopg.Error), closing(self._superuser):
            try:
                for name in left:
                    drop(self._superuser, name)
            finally:
                self._ground.close(self._last)

    def _last(self, known: dict[str, Any]) -> bool:
        """Nothing but the templates is left; whether the roles are those of then."""
        kept = list(known["templates"].values())
        for (name,) in self._superuser.execute(_DATABASES, (kept,)).fetchall():
            drop(self._superuser, name)
        return are_alike(self._superuser, Roles(*known["roles"]))

    def _template(self, state: State, known: dict[str, Any]) -> str:
        templates: dict[str, str] = known.setdefault("templates", {})
        if state.key in templates:
            return templates[state.key]
        maker, base = self.maker(), State(at=state.at)
        name = self._ground.template_name(state.key)
        seeded = bool(state.seeds)
        source = self._template(base, known) if seeded else EMPTY
        plain, owner = is_plain(self._superuser, source), self._content.config.migrator
        clone(self._superuser, source, name, owner=owner, plain=plain)
        database = self.staging_database(name)
        try:
            with nullcontext() if seeded else self._ground.marking_roles():
                if seeded:
                    maker.seed(database, state.seeds)
                else:
                    maker.bootstrap(database)
                    maker.apply(database, state)
            shut(self._superuser, name)
        except BaseException:
            with suppress(Exception):
                drop(self._superuser, name)
            raise
        templates[state.key] = name
        known["unkept"] = True
        self._note_roles(known)
        return name

    def _note_roles(self, known: dict[str, Any]) -> None:
        found = read_roles(self._superuser)
        known["roles"] = [found.sum, found.rows]


_DATABASES = """
SELECT datname FROM pg_catalog.pg_database
WHERE datname <> ALL (%s) AND datname <> pg_catalog.current_database() AND NOT datistemplate
ORDER BY datname
"""
