"""The clone of ``--hk-twin``: where it is, and a connection to it that is none to production."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from psycopg.conninfo import make_conninfo

from pytest_housekeeping.config import Config
from pytest_housekeeping.errors import HousekeepingError, MisuseError, ProofFailed, ServerError
from pytest_housekeeping.model import CLONE, TargetIdentity
from pytest_housekeeping.plan.steps import REHEARSE
from pytest_housekeeping.postgres.connection import Connection, LentConnection, connect
from pytest_housekeeping.postgres.primary import is_standby
from pytest_housekeeping.postgres.same_server import how_they_are_one
from pytest_housekeeping.promotion.context import RunContext
from pytest_housekeeping.promotion.production.target_address import Address
from pytest_housekeeping.promotion.run_options import RunOptions
from pytest_housekeeping.server.given_refusals import leads_to
from pytest_housekeeping.server.given_url import Asked, encrypted, read_url
from pytest_housekeeping.server.pooler import refuse_pooler
from pytest_housekeeping.sql.identifiers import quoted

ASKED = Asked(
    option="--hk-twin",
    use="the batch is tried on the clone of production",
    without="nothing is measured on rows",
)
_WHY = "what is tried on the clone must never reach production"
# https://www.postgresql.org/docs/16/monitoring-stats.html#MONITORING-PG-STAT-REPLICATION-VIEW
_FED = "SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_replication"
_FIX = "give a clone on a server of its own, or leave it out: --hk-twin="


def clone_url(options: RunOptions, config: Config) -> str:
    """The URL of the clone, "" for none: of the command line, where an empty one leaves the clone
    out, else of the environment, else of the settings."""
    if options.in_place:
        return ""
    if options.twin is not None:
        return options.twin
    return os.environ.get("HK_TWIN") or config.twin


@dataclass(frozen=True, kw_only=True)
class Clone:
    """A clone that was given, and the production that it is to be one of.

    The batch runs there as the ``promoter``, with the ``settings`` of the session.
    """

    url: str = field(repr=False)
    address: Address
    production: TargetIdentity
    promoter: str
    settings: Mapping[str, str]

    def connect(self, production: Connection) -> LentConnection:
        """A connection that is proved not to lead to production; the caller closes it.

        Raises ServerError where it is none to be used, MisuseError where it leads to production or
        the role cannot be acted as, ProofFailed where that cannot be told.
        """
        given = read_url(self.url, ASKED, database=self.production.database)
        address = self.address
        if leads_to(given, address.host, address.port):
            raise _is_production(f"{address.host}:{address.port}")
        conninfo = make_conninfo("", **encrypted(given, ASKED))
        try:
            connection = connect(conninfo, settings={**self.settings, "role": self.promoter})
        except ServerError as error:
            raise self._refused(error) from None
        try:
            self._refuse_unfit(connection, production)
        except BaseException:
            connection.close()
            raise
        return connection

    def refuse_production(self, connection: Connection, production: Connection) -> None:
        """Raises MisuseError where a connection leads to production after all."""
        if how := how_they_are_one(production, connection):
            raise _is_production(how)

    def _refuse_unfit(self, connection: LentConnection, production: Connection) -> None:
        refuse_pooler(connection)
        self.refuse_production(connection, production)
        if is_standby(connection):
            raise MisuseError(
                "the clone of --hk-twin is a standby: it replays what another server writes",
                why="nothing can be tried there",
                fix="give a clone that can be written to",
            )
        row = connection.execute(_FED).fetchone()
        if row and row[0]:
            raise MisuseError(
                f"standbys or subscribers follow the clone of --hk-twin ({row[0]})",
                why="what others follow is somebody's production, and the batch locks its tables",
                fix=_FIX,
            )
        major = production.info.server_version // 10000
        if (found := connection.info.server_version // 10000) != major:
            raise MisuseError(
                f"the clone of --hk-twin is PostgreSQL {found}, production is {major}",
                why="another major version does other work for the same statement",
                fix=f"give a clone of PostgreSQL {major}",
            )

    def _refused(self, error: HousekeepingError) -> HousekeepingError:
        """The error; where the login may not act as the promoter, with what repairs it."""
        lacking = f'role "{self.promoter}" does not exist' in error.found
        if lacking or "permission denied to set role" in error.found:
            name = quoted(self.promoter)
            return MisuseError(
                f"the login of --hk-twin may not act as {name}, or there is no such role there",
                why="the batch is tried as the role that will promote it",
                fix=f"log in there as {name}, as a superuser, or: GRANT {name} TO the_login;",
            )
        return ServerError(
            f"the clone of --hk-twin: {error.found}",
            why=f"{ASKED.use}, and without it {ASKED.without}",
            fix="correct the URL, or leave the clone out: --hk-twin=",
        )


def clone_of(context: RunContext, address: Address, production: TargetIdentity) -> Clone | None:
    """The clone, where the plan has a step for it."""
    if not any(step.id == f"{REHEARSE}::{CLONE}" for step in context.plan.steps):
        return None
    return Clone(
        url=clone_url(context.options, context.config),
        address=address,
        production=production,
        promoter=context.promoter or production.user,
        settings=context.config.session,
    )


def refuse_unfit_clone(clone: Clone | None, production: Connection) -> None:
    """Before anything is done: raises what ``Clone.connect`` does, a failed proof as misuse."""
    if clone is None:
        return
    try:
        clone.connect(production).close()
    except ProofFailed as error:
        raise MisuseError(error.found, why=error.why, fix=error.fix) from None


def _is_production(how: str) -> MisuseError:
    return MisuseError(f"--hk-twin leads to production itself: {how}", why=_WHY, fix=_FIX)
