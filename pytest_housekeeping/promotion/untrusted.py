"""An extension that the migrator may not make, or that is there before its file: the ways on."""

from __future__ import annotations

import re

from pytest_housekeeping.config import Config
from pytest_housekeeping.errors import HousekeepingError, SqlFailed
from pytest_housekeeping.sql.identifiers import quoted

DENIED = re.compile(r'permission denied to create extension "([^"]+)"')
_THERE = re.compile(r'extension "([^"]+)" already exists')


def untrusted_extension(error: HousekeepingError, kind: str, config: Config) -> SqlFailed | None:
    """What the error is about, with the ways on; None for another error.

    `kind` is that of the server, as in `extension_advice`.
    """
    if denied := DENIED.search(error.found):
        return SqlFailed(
            error.found,
            why="a superuser alone may make it, and the role that migrations run as is none",
            fix=_ways(denied[1], kind, config),
        )
    if there := _THERE.search(error.found):
        name = there[1]
        own = f"no file under {config.sql}/bootstrap/ that makes it"
        if config.platform:
            own += f" ({config.platform}.sql there takes the place of the platform's preset)"
        elif name not in config.trusted_extensions:
            own += f', and trusted_extensions = ["{name}"] in [tool.housekeeping]'
        return SqlFailed(
            error.found,
            why="what runs before the migrations, as superuser, has made it already",
            fix=f"in the file CREATE EXTENSION IF NOT EXISTS; or, where it stays as it is, {own}",
        )
    return None


def _ways(name: str, kind: str, config: Config) -> str:
    if name in config.trusted_extensions:
        line = (
            f"a line 'trusted = true' in {name}.control of that server, in the folder extension of"
        )
        line += " what pg_config --sharedir prints there"
        url = "; or without its URL: the embedded server lets the migrator make it"
        return line + (url if kind == "given" else '; or server = "embedded"')
    made = "where production's role may make it itself, as at most providers:"
    made += f' trusted_extensions = ["{name}"] in [tool.housekeeping]'
    if kind != "embedded":
        made += f", and a line 'trusted = true' in {name}.control of this server"
    return (
        f"{made}; where it is there already: CREATE EXTENSION {quoted(name)}; in a file under"
        f" {config.sql}/bootstrap/, which runs as superuser, and in the migration"
        " CREATE EXTENSION IF NOT EXISTS"
    )
