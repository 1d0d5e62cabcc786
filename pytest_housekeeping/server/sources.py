"""Where a server's programs come from: a source of servers is a module beside this one."""

from __future__ import annotations

from pytest_housekeeping.config import Stub
from pytest_housekeeping.errors import ServerError
from pytest_housekeeping.server.binaries import Programs
from pytest_housekeeping.server.embedded import find_embedded
from pytest_housekeeping.server.system import find_system


def find_programs(kind: str, version: int, stubs: tuple[Stub, ...] = ()) -> Programs:
    """The programs that `kind` stands for: "embedded", of `version`, with `stubs` in the place of
    extensions that it lacks; or "system", as it is.

    Raises `ServerError` naming what was looked at and the three ways out.
    """
    if kind == "embedded":
        return find_embedded(version, stubs)
    if kind == "system":
        return find_system()
    raise ServerError(
        f"server = {kind!r} is no kind of server",
        why="staging has to know which PostgreSQL to run",
        fix='server = "embedded" or server = "system" in [tool.housekeeping]',
    )
