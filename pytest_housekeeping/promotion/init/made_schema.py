"""The schema that the files of a project make, on a throwaway server, and what they take for
granted: roles and extensions that no file makes."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import LiteralString

from pytest_housekeeping.config import Config
from pytest_housekeeping.errors import MisuseError, SqlFailed, named
from pytest_housekeeping.model import Kind
from pytest_housekeeping.plan.given_past import given_paths
from pytest_housekeeping.plan.pending import FILES
from pytest_housekeeping.postgres.connection import Connection, LentConnection, connect
from pytest_housekeeping.promotion.init.applying import apply_all
from pytest_housekeeping.promotion.init.needed import Needed, out_of_path, path_of
from pytest_housekeeping.promotion.init.objects_text import own_roles
from pytest_housekeeping.promotion.replay import run_each
from pytest_housekeeping.promotion.throwaway import Throwaway
from pytest_housekeeping.server import ServerSettings, server_settings, start
from pytest_housekeeping.server.staging_database import roles
from pytest_housekeeping.sql.bootstrap import bootstrap_texts, has_preset
from pytest_housekeeping.sql.effects import MOST_LOCKS
from pytest_housekeeping.sql.file import SqlFile
from pytest_housekeeping.sql.folder import BOOTSTRAP, bootstrap_paths, read_all
from pytest_housekeeping.sql.identifiers import quoted
from pytest_housekeeping.sql.named_extensions import extension_schemas
from pytest_housekeeping.sql.problems import Problem
from pytest_housekeeping.sql.project_files import ProjectFiles

_SHOWN = 3


def bootstrap_file(config: Config) -> str:
    """The file in which the project is given what no file of it makes."""
    return f"{config.sql}/{BOOTSTRAP}/roles_and_extensions.sql"


@dataclass(frozen=True, kw_only=True)
class MadeSchema:
    """A database with the whole schema, a superuser's connection to it, and what was lacking.

    ``schemas`` are those of the project, ``others`` what the server has from the beginning, and
    ``of_platform`` the roles of a platform.
    """

    connection: LentConnection = field(repr=False)
    needed: Needed
    files: int
    schemas: tuple[str, ...]
    others: tuple[str, ...] = ()
    of_platform: frozenset[str] = frozenset()

    def own_roles(self, migrator: str) -> tuple[str, ...]:
        """The roles that the project declares."""
        return own_roles(
            self.connection,
            migrator=migrator,
            given=sorted(self.of_platform),
            schemas=self.schemas,
        )


@contextmanager
def made_schema(config: Config, sources: ProjectFiles) -> Iterator[MadeSchema]:
    """All files of the project applied to an empty database, in their order.

    Raises MisuseError for a project without migrations and for files that can be no part of a plan,
    SqlFailed for what PostgreSQL refuses.
    """
    files = _files(config, sources)
    bootstrap = bootstrap_texts(config, sources)
    preset = int(has_preset(config, bootstrap_paths(config, sources)))
    server = start(_settings(config, len(files)))
    try:
        needed, given = Needed(layout=config.layout), tuple[str, ...]()
        of_platform = frozenset[str]()
        while True:
            throwaway = Throwaway(server, config)
            try:
                _run(throwaway, bootstrap[:preset])
                given = _schemas(throwaway, _ALL) if preset else ()
                with throwaway.superuser() as connection:
                    of_platform = roles(connection) if preset else frozenset()
                needed = _placed(config, sources, needed, given)
                _run(throwaway, _with_lacking(config, bootstrap[preset:], needed))
                inhabited = _inhabited(throwaway)
                of_superuser = apply_all(config, sources, throwaway, files)
                needed = replace(needed, superuser=of_superuser)
                given = (*given, *_left_alone(throwaway, inhabited))
                break
            except SqlFailed as error:
                config, needed = _found_out(config, sources, needed, throwaway, error)
                # The roles that the files have made are of the whole server.
                server.stop()
                server = start(_settings(config, len(files)))
        others = {*given, config.history_schema} - {"public"}
        schemas = tuple(each for each in _schemas(throwaway, _ALL) if each not in others)
        connection = connect(throwaway.database().superuser_conninfo)
        try:
            yield MadeSchema(
                connection=connection,
                needed=needed,
                files=len(files),
                schemas=schemas,
                others=tuple(sorted(others)),
                of_platform=of_platform,
            )
        finally:
            connection.close()
    finally:
        server.stop()


def _with_lacking(
    config: Config, texts: Sequence[tuple[str, str]], needed: Needed
) -> list[tuple[str, str]]:
    """What the project has under sql/bootstrap/, and what it will be given, in their order."""
    return sorted([*texts, (bootstrap_file(config), needed.bootstrap(config.migrator))])


def _left_alone(throwaway: Throwaway, before: dict[str, list[int]]) -> Iterator[str]:
    """The schemas in which the files have made nothing; where they have, it is the project's."""
    now = _inhabited(throwaway)
    return (name for name, held in before.items() if now.get(name) == held)


def _placed(
    config: Config, sources: ProjectFiles, needed: Needed, given: tuple[str, ...]
) -> Needed:
    """With the schemas in which the files make extensions, where they are there by then."""
    there = (*given, *needed.schemas, "public")
    named = extension_schemas(config, sources).items()
    return replace(needed, placed={name: schema for name, schema in named if schema in there})


def _found_out(
    config: Config,
    sources: ProjectFiles,
    needed: Needed,
    throwaway: Throwaway,
    error: SqlFailed,
) -> tuple[Config, Needed]:
    """What the files count on besides. Raises the error where it tells of nothing like that."""
    if (more := needed.with_what_lacks(error)) is not None:
        return config, more
    there = frozenset((*_schemas(throwaway, _ALL), *needed.schemas))
    if unmade := [each for each in path_of(sources, error) if each not in there]:
        return config, replace(needed, schemas=(*needed.schemas, *unmade))
    config = _with_search_path(config, throwaway, error)
    return config, replace(needed, search_path=config.session["search_path"])


def _with_search_path(config: Config, throwaway: Throwaway, error: SqlFailed) -> Config:
    """With the schema in the path that holds what a file names without one: the role that the files
    have run as had it there. Raises the error where not exactly one schema holds it."""
    name = out_of_path(error)
    with throwaway.superuser() as connection:
        found = connection.execute(_HOLDING, {"name": name}).fetchall() if name else []
    if len(found) > 1:
        raise SqlFailed(
            error.found,
            why=f"more than one schema has {name}: {', '.join(quoted(each) for (each,) in found)}",
            fix='in pyproject.toml, the path that its role has in production: search_path = "..."'
            " under [tool.housekeeping.session]",
        )
    if len(found) != 1 or "search_path" in config.session:
        raise error
    path = f"{quoted(found[0][0])}, public"
    return replace(config, session={**config.session, "search_path": path})


_HOLDING: LiteralString = """
SELECT n.nspname
FROM pg_catalog.pg_namespace AS n
WHERE n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'public')
    AND EXISTS (
        SELECT FROM pg_catalog.pg_type AS t WHERE t.typnamespace = n.oid AND t.typname = %(name)s
        UNION ALL
        SELECT FROM pg_catalog.pg_class AS c WHERE c.relnamespace = n.oid AND c.relname = %(name)s
        UNION ALL
        SELECT FROM pg_catalog.pg_collation AS l
        WHERE l.collnamespace = n.oid AND l.collname = %(name)s
        UNION ALL
        SELECT FROM pg_catalog.pg_ts_config AS t
        WHERE t.cfgnamespace = n.oid AND t.cfgname = %(name)s
    )
"""
# But for PostgreSQL's own and those of extensions.
_ALL: LiteralString = """
SELECT n.nspname
FROM pg_catalog.pg_namespace AS n
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
    AND NOT EXISTS (
        SELECT FROM pg_catalog.pg_depend AS e
        WHERE e.classid = 'pg_catalog.pg_namespace'::pg_catalog.regclass AND e.objid = n.oid
            AND e.deptype = 'e'
    )
ORDER BY n.nspname
"""
# Those in which anything stands, and what.
_INHABITED: LiteralString = """
SELECT n.nspname, pg_catalog.array_agg(held.oid ORDER BY held.oid)
FROM pg_catalog.pg_namespace AS n
INNER JOIN (
    SELECT c.relnamespace AS place, c.oid FROM pg_catalog.pg_class AS c
    UNION ALL
    SELECT p.pronamespace, p.oid FROM pg_catalog.pg_proc AS p
) AS held ON held.place = n.oid
GROUP BY n.nspname
"""


def all_schemas(connection: Connection) -> tuple[str, ...]:
    """The schemas of a database, but for PostgreSQL's own and those of extensions."""
    return tuple(name for (name,) in connection.execute(_ALL))


def _schemas(throwaway: Throwaway, query: LiteralString) -> tuple[str, ...]:
    with throwaway.superuser() as connection:
        return tuple(name for (name,) in connection.execute(query))


def _inhabited(throwaway: Throwaway) -> dict[str, list[int]]:
    with throwaway.superuser() as connection:
        return dict(connection.execute(_INHABITED).fetchall())


def _files(config: Config, sources: ProjectFiles) -> list[SqlFile]:
    if not (config.root / config.migrations_folder).is_dir():
        raise MisuseError(
            f"there is no folder {config.migrations_folder}/ with migrations",
            why="what is declared is read off the schema that they make",
            fix="put the first migration there, 0001_first.sql, or name the folder: migrations ="
            " '...' in [tool.housekeeping]",
        )
    read = read_all(config, sources, FILES)
    found, errors = read.files, read.errors
    known = given_paths(config, sources)
    problems = [
        (f"{file.path}:{each.line}:{each.column}", each)
        for kind in FILES
        for file in found[kind]
        for each in file.problems
        if file.path not in known or (each.unreadable and file.path not in config.rows_only)
    ]
    if errors or problems:
        raise MisuseError("\n".join([*(str(error) for error in errors), *_told(problems)]))
    if not found[Kind.MIGRATION]:
        raise MisuseError(
            f"{config.migrations_folder} holds no migration",
            why="what is declared is read off the schema that they make",
            fix="put the first one there, 0001_first.sql",
        )
    return [file for kind in FILES for file in found[kind]]


def _told(problems: list[tuple[str, Problem]]) -> Iterator[str]:
    """Each cause once, with its first places and how many there are."""
    places: dict[tuple[str, str, str], list[str]] = {}
    for place, each in problems:
        places.setdefault((each.found, each.why, each.fix), []).append(place)
    for (found, why, fix), all_of_it in places.items():
        yield str(MisuseError(f"{named(all_of_it, _SHOWN)}: {found}", why=why, fix=fix))


def _settings(config: Config, files: int) -> ServerSettings:
    return server_settings(
        config, url=os.environ.get("HK_STAGING_URL"), max_locks=64 + files * MOST_LOCKS
    )


def _run(throwaway: Throwaway, texts: Sequence[tuple[str, str]]) -> None:
    with throwaway.superuser() as connection:
        run_each(connection, texts, throwaway)
