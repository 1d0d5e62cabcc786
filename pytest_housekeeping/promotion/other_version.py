"""Errors of SQL that another version, or another build, of PostgreSQL would accept."""

from __future__ import annotations

import re

from pytest_housekeeping.declarations.pinned_settings import known_since
from pytest_housekeeping.errors import HousekeepingError, SqlFailed
from pytest_housekeeping.server.embedded import how_to_have

_SETTING = re.compile(r'unrecognized configuration parameter "(\w+)"')
_METHOD = re.compile(r"compression method \w+ not supported")
_ICU = "ICU is not supported in this build"
# Of its class is also what the server finds where all have read it: a modifier of a type.
_SYNTAX = re.compile(r"\A[^\n]*syntax error")
# A statement that a function or a DO block puts together is parsed by the server alone.
_WITHIN = "\n  context: "
_BUILT_WITH_IT = (
    'server = "system" in [tool.housekeeping], for a PostgreSQL of this machine that is built with'
    " it, as those of the distributions are; or a server that is given: --hk-staging-url, and"
    " --hk-twin-server for the copy of production"
)


def explain_other_version(error: HousekeepingError) -> SqlFailed | None:
    """The error, saying which server would accept the statement; None where none is known to."""
    if (setting := _SETTING.search(error.found)) and (since := known_since(setting[1])):
        return SqlFailed(
            error.found,
            why=f"PostgreSQL knows it since version {since}, and this server is older",
            fix=f"server_version = {since} in [tool.housekeeping] ({how_to_have(since)}); where"
            " production is older as well, it cannot have run this file: take the line out",
        )
    if isinstance(error, SqlFailed) and _SYNTAX.search(error.found) and _WITHIN not in error.found:
        return SqlFailed(
            error.found,
            sqlstate=error.sqlstate,
            why="the parser of a newer PostgreSQL has read it, and this server's does not",
            fix="server_version = 17 or 18 in [tool.housekeeping], whichever production has"
            f" ({how_to_have(17)})",
        )
    if _METHOD.search(error.found):
        return SqlFailed(
            error.found,
            why="of the PostgreSQLs of wheels 17 alone is built with it",
            fix=f"server_version = 17 in [tool.housekeeping] ({how_to_have(17)}); {_BUILT_WITH_IT}",
        )
    if _ICU in error.found:
        return SqlFailed(
            error.found,
            why="no PostgreSQL of a wheel is built with ICU, which its collations need",
            fix=_BUILT_WITH_IT,
        )
    return None
