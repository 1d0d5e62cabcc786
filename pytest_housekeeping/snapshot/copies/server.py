"""The server that a backup is restored in: which one, and how it is found."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from pytest_housekeeping.config import Stub
from pytest_housekeeping.errors import ServerError
from pytest_housekeeping.postgres.connection import connect
from pytest_housekeeping.server import (
    Server,
    ServerSettings,
    available_extensions,
    extension_advice,
    start,
)
from pytest_housekeeping.server.embedded import EMBEDDED, how_to_have
from pytest_housekeeping.server.given_refusals import Original
from pytest_housekeeping.server.sources import find_programs
from pytest_housekeeping.snapshot.copies.foreseen import ForeseenCopy
from pytest_housekeeping.snapshot.problems import BackupNotProved

RESTORER = "hk_proof_restorer"
WHY = "a backup that does not restore is none, so nothing is promoted"


@dataclass(frozen=True, kw_only=True)
class RestoreServer:
    """A server that boots in the background, to restore a backup in. `close` ends it.

    One that is ``given`` runs already, and holds one copy at a time; ``available`` are the
    extensions that it has. ``stubs`` may stand in the place of those that a server here lacks.
    ``foreseen`` is the kept copy that it was to begin with.
    """

    server: Server
    kind: str
    major: int
    given: bool = False
    available: frozenset[str] = frozenset()
    stubs: tuple[Stub, ...] = ()
    foreseen: ForeseenCopy | None = None

    def has(self, extensions: frozenset[str]) -> bool:
        return not self.lacking(extensions)

    def lacking(self, extensions: frozenset[str]) -> frozenset[str]:
        """Those of ``extensions`` that it does not have."""
        return extensions - self.available

    def close(self) -> None:
        self.server.stop()


def given_restore_server(url: str, original: Original) -> RestoreServer:
    """The server of the URL, for the copies of this run alone.

    Raises ServerError, and nothing is changed there, where it is none for this original.
    """
    settings = ServerSettings(url=url, version=original.major, migrator=RESTORER, original=original)
    server = start(settings)
    try:
        cluster = server.cluster()
        with connect(cluster.conninfo(cluster.maintenance)) as connection:
            query = "SELECT name::text FROM pg_catalog.pg_available_extensions"
            available = frozenset(name for (name,) in connection.execute(query).fetchall())
    except BaseException:
        server.stop()
        raise
    return RestoreServer(
        server=server, kind="given", major=original.major, given=True, available=available
    )


# A whole schema is restored, or made of its files, in one transaction.
MOST_LOCKS = 1024


def start_restore_server(
    server_major: int,
    extensions: frozenset[str] = frozenset(),
    *,
    stubs: tuple[Stub, ...] = (),
    foreseen: str = "",
) -> RestoreServer:
    """Start a server for `prove_backup` and return at once: it boots while pg_dump still runs.

    It is the oldest one that is at least as new as production and has its extensions, themselves
    before ``stubs`` of them; it begins with the kept copy whose key was ``foreseen``, where there
    is one. Raises BackupNotProved when there is none, with the remedy.
    """
    found = nearest_server(server_major, extensions, stubs=stubs)
    if found is None:
        raise _no_server(server_major, extensions)
    kind, major, given = found
    settings = ServerSettings(
        kind=kind, version=major, migrator=RESTORER, max_locks=MOST_LOCKS, stubs=given
    )
    copy = ForeseenCopy(key=foreseen, major=major) if foreseen else None
    return RestoreServer(
        server=start(settings, copy.beginning) if copy else start(settings),
        kind=kind,
        major=major,
        available=available_extensions(kind, major, given),
        stubs=stubs,
        foreseen=copy,
    )


def nearest_server(
    server_major: int, extensions: frozenset[str], *, stubs: tuple[Stub, ...]
) -> tuple[str, int, tuple[Stub, ...]] | None:
    """The oldest server of this machine that is at least as new and has the extensions, themselves
    before ``stubs`` of them: its kind, its major version, and the stubs that it needs for that."""
    marks = tuple(each for each in stubs if each.is_mark)
    for given in dict.fromkeys((marks, stubs)):
        for major, kind in _at_least(server_major):
            if extensions <= available_extensions(kind, major, given):
                return kind, major, given
    return None


def extensions_to_leave_out(
    server_major: int,
    extensions: frozenset[str],
    needed: frozenset[str],
    started: RestoreServer | None = None,
) -> frozenset[str]:
    """Those of ``extensions`` that no server of this very major version has here, where none of
    them is ``needed``; nothing where a server has all of them, and where leaving out is no help.

    Where a server was given, it is the one that counts.
    """
    if started is not None and started.given:
        lacking = started.lacking(extensions)
        return frozenset() if lacking & needed else lacking
    if started is not None and started.major == server_major and started.has(extensions):
        return frozenset()
    stubs = started.stubs if started is not None else ()
    fewest: frozenset[str] | None = None
    for major, kind in _servers():
        if major != server_major:
            continue
        lacking = extensions - available_extensions(kind, major, stubs)
        if not lacking & needed and (fewest is None or len(lacking) < len(fewest)):
            fewest = lacking
    return fewest or frozenset()


def refuse_lacking(started: RestoreServer, extensions: frozenset[str]) -> None:
    """Raises BackupNotProved where the server that was given lacks any of these."""
    lacking = sorted(started.lacking(extensions))
    if lacking:
        raise BackupNotProved(
            f"the backup needs extensions that the given server lacks: {', '.join(lacking)}",
            why=WHY,
            fix="give --hk-twin-server a server that has them, of the image that production runs",
        )


def _no_server(server_major: int, extensions: frozenset[str]) -> BackupNotProved:
    fit = list(_at_least(server_major))
    if not fit:
        return BackupNotProved(
            f"no PostgreSQL {server_major} or newer to restore the backup in; there are: "
            + ", ".join(f"{major} ({kind})" for major, kind in _servers()),
            why=WHY,
            fix=f"{how_to_have(server_major)}; or give one: --hk-twin-server=URL",
        )
    lacking = sorted(extensions - available_extensions(fit[0][1], fit[0][0]))
    return BackupNotProved(
        f"the backup needs extensions that no server here has: {', '.join(lacking)}",
        why=WHY,
        fix=extension_advice(lacking, kind=fit[0][1], version=fit[0][0])
        + "; for the copy of production: `--hk-twin-server=URL`, a server that has them",
    )


def _at_least(server_major: int) -> Iterator[tuple[int, str]]:
    """In their order, and first of all the one of that very version, where there is one: whoever is
    content with it waits for no look at the others, which asks programs."""
    if not _AHEAD:
        with suppress(ServerError):
            yield find_programs("embedded", server_major).version, "embedded"
    fit = [(major, kind) for major, kind in _servers() if major >= server_major]
    yield from sorted(fit, key=lambda each: (each[0], each[1] != "embedded"))


# Those that were found ahead, if they were.
_AHEAD: list[tuple[tuple[int, str], ...]] = []


def find_servers_ahead() -> None:
    """For all that this process forks: the machine's servers count for them as they are now."""
    _AHEAD[:] = [_servers()]


def _servers() -> tuple[tuple[int, str], ...]:
    if _AHEAD:
        return _AHEAD[0]
    found = []
    for kind, version in (*(("embedded", major) for major in EMBEDDED), ("system", 0)):
        try:
            found.append((find_programs(kind, version).version, kind))
        except ServerError:
            continue
    return tuple(found)
