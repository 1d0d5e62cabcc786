"""What production itself says, beside what the files make: read in a session that cannot write."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import LiteralString

import psycopg

from pytest_housekeeping.config import Config
from pytest_housekeeping.errors import ProofFailed
from pytest_housekeeping.model import Kind
from pytest_housekeeping.postgres.connection import Connection
from pytest_housekeeping.postgres.tool_history.readers import has_reader, their_own
from pytest_housekeeping.promotion.init.contracts_text import Access, read_access
from pytest_housekeeping.promotion.init.made_schema import all_schemas
from pytest_housekeeping.promotion.init.objects_text import Declared, own_roles, read_declared
from pytest_housekeeping.promotion.production.other_tool.their_files import AUTO, baseline_of
from pytest_housekeeping.promotion.production.target_address import (
    closed_on_failure,
    open_production,
    read_address,
)
from pytest_housekeeping.sql.identifiers import spelt
from pytest_housekeeping.sql.layouts.read import listing
from pytest_housekeeping.sql.project_files import ProjectFiles

_ATTRIBUTES: LiteralString = """
SELECT r.rolname, pg_catalog.concat_ws(' ',
    CASE WHEN r.rolcanlogin THEN 'LOGIN' ELSE 'NOLOGIN' END,
    CASE WHEN NOT r.rolinherit THEN 'NOINHERIT' END,
    CASE WHEN r.rolsuper THEN 'SUPERUSER' END,
    CASE WHEN r.rolcreatedb THEN 'CREATEDB' END,
    CASE WHEN r.rolcreaterole THEN 'CREATEROLE' END,
    CASE WHEN r.rolreplication THEN 'REPLICATION' END,
    CASE WHEN r.rolbypassrls THEN 'BYPASSRLS' END)
FROM pg_catalog.pg_roles AS r
WHERE r.rolname !~ '^pg_'
"""


@dataclass(frozen=True, kw_only=True)
class InProduction:
    """What is there of the project's schemas, who reaches it, and how its roles are.

    ``alone`` is in production and made by no file; ``lacking`` is made by the files and not there;
    ``strangers`` are roles that reach something and that no file names.
    """

    declared: Declared
    access: Access
    attributes: Mapping[str, str]
    alone: tuple[str, ...]
    lacking: tuple[str, ...]
    strangers: tuple[str, ...]


@contextmanager
def reading_production(config: Config) -> Iterator[Connection]:
    """A transaction of production that cannot write. Raises MisuseError for an address that is not
    whole, ServerError without a connection, ProofFailed for what may not be read."""
    address = read_address(os.environ, config.target)
    connection = open_production(address, config.session)
    with closed_on_failure(connection, address):
        try:
            connection.execute("BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            yield connection
            connection.execute("ROLLBACK")
        except psycopg.errors.InsufficientPrivilege as error:
            raise ProofFailed(
                f"{address.user} may not read it: {error.diag.message_primary}",
                why="the history of the tool belongs to the role that migrates",
                fix="connect as that role, or as one that plans: PGUSER_PROD, PGPASSWORD_PROD",
            ) from None
    connection.close()


def applied_version(connection: Connection, config: Config, files: ProjectFiles) -> str:
    """The last version that the tool of the files has applied there; "" where nothing tells.

    Raises MisuseError for a history that is not that of the files.
    """
    if not has_reader(config) or their_own(connection, config) is None:
        return ""
    baseline = baseline_of(config, files, connection, AUTO)
    recorded = (baseline.recorded if baseline else None) or frozenset()
    there = [e for e in listing(config, files).of(Kind.MIGRATION) if e.path in recorded]
    return there[-1].version if there else ""


def read_production(
    connection: Connection,
    config: Config,
    *,
    schemas: Sequence[str],
    others: Sequence[str],
    roles: Sequence[str],
    made: Declared,
) -> InProduction:
    """What stands in production, beside what was ``made`` of the files in ``schemas`` with
    ``roles``; ``others`` are schemas of the server, and no part of the project."""
    theirs = their_own(connection, config) if has_reader(config) else None
    there = all_schemas(connection)
    known = [name for name in schemas if name in there]
    present = own_roles(connection, migrator=config.migrator)
    shared = [role for role in roles if role in present]
    declared = read_declared(connection, known, shared)
    left = {*schemas, *others, config.history_schema, theirs.schema if theirs else ""}
    alone = [f"schema {spelt(name)}" for name in there if name not in left]
    alone += [
        name
        for name in declared.without(made)
        # A schema of the project is on both sides, whatever stands in it.
        if not name.startswith("schema ") and (theirs is None or not theirs.owns(name))
    ]
    reaching = read_access(connection, known, present)
    return InProduction(
        declared=declared.shared(made),
        access=read_access(connection, known, shared),
        attributes=dict(connection.execute(_ATTRIBUTES).fetchall()),
        alone=tuple(alone),
        lacking=made.without(declared),
        strangers=tuple(role for role in reaching.reached if role not in roles),
    )
