"""Which throwaway server a run asks for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_housekeeping.config import Config, Stub
from pytest_housekeeping.server.data_folder import SUPERUSER
from pytest_housekeeping.sql.platforms import platform_of

if TYPE_CHECKING:
    from pytest_housekeeping.server.given_refusals import Original


@dataclass(frozen=True, kw_only=True)
class ServerSettings:
    """Which server, and what the plan needs of it. `url` holds credentials and wins over `kind`.

    One of this machine has ``stubs`` in the place of extensions that it lacks. A server that is
    given for the copy of the `original` is empty, and this run's alone. The `superuser` of one of
    this machine, and the first `database` in it, bear the names that a platform gives them.
    """

    kind: str = "embedded"
    version: int = 16
    url: str | None = field(default=None, repr=False)
    migrator: str = "hk_migrator"
    max_locks: int = 64
    keep: bool = False
    original: Original | None = None
    stubs: tuple[Stub, ...] = ()
    superuser: str = SUPERUSER
    database: str = ""


def superuser_of(config: Config) -> str:
    """How the role is called that makes a server for this project on this machine: as the platform
    calls its own, and not as the role that runs the migrations, which may be ``postgres``."""
    known = platform_of(config.platform).superuser or SUPERUSER
    return known if known != config.migrator else "hk_superuser"


def server_settings(
    config: Config,
    *,
    kind: str = "",
    version: int = 0,
    url: str | None = None,
    max_locks: int = 64,
    keep: bool = False,
) -> ServerSettings:
    """The server of a project, of another ``kind`` or ``version`` where one is named."""
    platform = platform_of(config.platform)
    return ServerSettings(
        kind=kind or config.server,
        version=version or config.server_version,
        url=url,
        migrator=config.migrator,
        max_locks=max_locks,
        keep=keep,
        stubs=config.stubs_and_marks,
        superuser=superuser_of(config),
        database=platform.database,
    )
