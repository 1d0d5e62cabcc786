"""A name that no file has made where one needs it: how a throwaway server comes to have it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection

from pytest_housekeeping.config import Config
from pytest_housekeeping.errors import HousekeepingError, SqlFailed
from pytest_housekeeping.sql.folder import BOOTSTRAP
from pytest_housekeeping.sql.identifiers import quoted
from pytest_housekeeping.sql.platforms import platform_making, setting_of

# Behind the file that `init` writes, whose roles, schemas and extensions it may need.
_FILE = "there_already.sql"
# No such table, function, type or other object, column, schema.
_STATES = ("42P01", "42883", "42704", "42703", "3F000")
_SCHEMA = re.compile(r'(?:schema "(\w+)"|"(\w+)\.\w+"|function (\w+)\.\w+\(.*\)) does not exist')
_RELATION = re.compile(r'relation "((?:[^"]|"")+)" does not exist')


def not_there(error: HousekeepingError, kind: str, config: Config) -> HousekeepingError:
    """The error, where it is of that with the ways on. `kind` is that of the server: a copy of
    production has what production has."""
    if not isinstance(error, SqlFailed) or error.sqlstate not in _STATES:
        return error
    if kind == "twin" or error.fix:
        return error
    relation = _RELATION.search(error.found)
    schema = _SCHEMA.search(error.found)
    way = platform_way(config, [name for name in (schema.groups() if schema else ()) if name])
    only = f" --table={_pattern(relation[1])}" if relation else ""
    return SqlFailed(
        error.found,
        sqlstate=error.sqlstate,
        why="nothing that runs before makes it, and an empty database has nothing else",
        fix=f"{way}a slip in a name, or in the order of the files, is corrected there. What"
        " production has and no file makes (made by hand, by an extension, by another project) goes"
        f" into {config.sql}/{BOOTSTRAP}/{_FILE}, which staging runs before the migrations:"
        f"\n  SET ROLE {quoted(config.migrator)};"
        f"\n  -- and what prints: pg_dump --schema-only --no-owner --no-privileges{only} DATABASE"
        "\nor as its first line CREATE EXTENSION. What stands on something that a migration makes"
        " (a column of its table) is a migration of its own, before this one",
    )


def platform_way(config: Config, names: Collection[str]) -> str:
    """Before the other ways: the setting for a platform whose preset makes a role or a schema of
    one of these names; "" where there is none, or one is set."""
    platform = "" if config.platform else platform_making(names)
    return f"where production is {platform}: {setting_of(platform)} makes it; " if platform else ""


def _pattern(relation: str) -> str:
    """What pg_dump takes for this name alone."""
    return shlex.quote(quoted(*relation.split(".")))
