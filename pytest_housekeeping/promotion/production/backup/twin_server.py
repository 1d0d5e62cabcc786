"""Where production is copied to: a server of this machine, or the one of ``--hk-twin-server``."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import LiteralString

from pytest_housekeeping.config import Config
from pytest_housekeeping.declarations.connection_url import passwords_in
from pytest_housekeeping.model import TargetIdentity
from pytest_housekeeping.postgres.connection import Connection, connect
from pytest_housekeeping.promotion.production.backup.known_copies import foreseen_copy
from pytest_housekeeping.promotion.production.target_address import Address
from pytest_housekeeping.promotion.run_options import RunOptions
from pytest_housekeeping.promotion.throwaway import Throwaway
from pytest_housekeeping.server import (
    Server,
    ServerSettings,
    StagingDatabase,
    server_settings,
    start,
)
from pytest_housekeeping.server.embedded import nearest_embedded
from pytest_housekeeping.server.given_refusals import Original
from pytest_housekeeping.server.given_roles import derived_password
from pytest_housekeeping.server.staging_database import hand_over
from pytest_housekeeping.snapshot.copies.server import (
    MOST_LOCKS,
    RestoreServer,
    given_restore_server,
    nearest_server,
    start_restore_server,
)

_EXTENSIONS: LiteralString = "SELECT extname::text FROM pg_catalog.pg_extension"


def new_restore_server(
    options: RunOptions,
    config: Config,
    address: Address,
    identity: TargetIdentity,
    production: Connection,
) -> RestoreServer:
    """The server for the copies of this run; one of this machine begins with the kept copy that
    ``production`` makes foresee.

    Raises ServerError where one was given that is none for it, production itself, say;
    BackupNotProved where this machine has none.
    """
    major = int(identity.server_version.split(".")[0].split()[0])
    url = _url(options)
    if not url:
        foreseen = foreseen_copy(production, config.history_schema)
        return start_restore_server(major, stubs=config.stubs_and_marks, foreseen=foreseen)
    original = Original(
        host=address.host,
        port=address.port,
        database=identity.database,
        system_identifier=identity.system_identifier,
        major=major,
    )
    return given_restore_server(url, original)


def secrets_of(options: RunOptions, address: Address) -> tuple[str, ...]:
    """The passwords of a run on production, which stand in nothing that it writes."""
    urls = (_url(options), options.twin, os.environ.get("HK_TWIN"))
    return address.password, *(each for url in urls for each in passwords_in(url))


def new_replay_server(config: Config, server: tuple[str, int]) -> Server:
    """For files that make something of nothing, on a server that `replay_server` has found."""
    return start(replay_settings(config, server))


def replay_settings(config: Config, server: tuple[str, int]) -> ServerSettings:
    """Of such a server: it holds as much in one transaction as that of the copy."""
    kind, version = server
    return server_settings(config, kind=kind, version=version, max_locks=MOST_LOCKS)


def replay_server(config: Config, connection: Connection) -> tuple[str, int]:
    """As old as production where there is such a server, else the oldest that is newer; of those
    the first with the extensions that production has. Its kind and its major version."""
    major = connection.info.server_version // 10000
    extensions = frozenset(name for (name,) in connection.execute(_EXTENSIONS).fetchall())
    found = nearest_server(major, extensions, stubs=config.stubs_and_marks)
    if config.server == "embedded" and found is not None:
        return found[:2]
    return config.server, nearest_embedded(major)


class LentThrowaway(Throwaway):
    """The throwaway database of a precheck, on the server that was given for the copy.

    That one holds one thing at a time: before the copy is made there, this is gone.
    """

    def __init__(self, lender: RestoreServer, config: Config) -> None:
        super().__init__(lender.server, config)

    def database(self) -> StagingDatabase:
        if self._database is None:
            database, migrator = self.server.database(), self._config.migrator
            password = derived_password(database.cluster, migrator)
            with connect(database.superuser_conninfo) as superuser:
                hand_over(superuser, database.name, migrator, password)
            self._database = replace(database, migrator=migrator, migrator_password=password)
        return self._database

    def done(self) -> None:
        database, self._database = self._database, None
        self.bootstrapped = False
        if database is not None:
            self.server.drop(database)

    def stop(self) -> None:
        """Whoever lends it ends it."""


def throwaway_of(lender: RestoreServer | None, server: Server | None, config: Config) -> Throwaway:
    """The throwaway database of the prechecks: on the ``server``, or lent where one was given."""
    if lender is not None and lender.given:
        return LentThrowaway(lender, config)
    return Throwaway(server, config)


def _url(options: RunOptions) -> str | None:
    return options.twin_server or os.environ.get("HK_TWIN_SERVER")
