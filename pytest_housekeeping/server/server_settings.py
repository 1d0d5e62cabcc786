"""Which throwaway server a run asks for."""

from __future__ import annotations

from dataclasses import dataclass, field

from pytest_housekeeping.config import Stub
from pytest_housekeeping.server.given_refusals import Original


@dataclass(frozen=True, kw_only=True)
class ServerSettings:
    """Which server, and what the plan needs of it. `url` holds credentials and wins over `kind`.

    One of this machine has ``stubs`` in the place of extensions that it lacks. A server that is
    given for the copy of the `original` is empty, and this run's alone.
    """

    kind: str = "embedded"
    version: int = 16
    url: str | None = field(default=None, repr=False)
    migrator: str = "hk_migrator"
    max_locks: int = 64
    keep: bool = False
    original: Original | None = None
    stubs: tuple[Stub, ...] = ()
