"""``python -m pytest_housekeeping adopt-drift``: the migration of what was made by hand."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pytest_housekeeping.config import Config
from pytest_housekeeping.declarations.settings import load_config
from pytest_housekeeping.errors import HousekeepingError, ProofFailed
from pytest_housekeeping.errors import named as listed_names
from pytest_housekeeping.evidence import Repository
from pytest_housekeeping.model import Kind, TargetIdentity
from pytest_housekeeping.plan.pending import FILES, pending_files
from pytest_housekeeping.postgres.connection import LentConnection
from pytest_housekeeping.postgres.own_tables import history
from pytest_housekeeping.postgres.primary import identified
from pytest_housekeeping.promotion.commands.own_repository import own_repository
from pytest_housekeeping.promotion.production.of_fleet.databases import located
from pytest_housekeeping.promotion.production.prechecks.adoption import (
    Drift,
    LeftSchema,
    drift_since,
    left_schema,
    named,
    unlike_with,
)
from pytest_housekeeping.promotion.production.promoted.promotion_table import last_promotion
from pytest_housekeeping.promotion.production.target_address import (
    Address,
    closed_on_failure,
    open_production,
    read_address,
)
from pytest_housekeeping.promotion.repository.applied import applied_files
from pytest_housekeeping.promotion.repository.target_pin import misplaced, read_pin
from pytest_housekeeping.snapshot.compare.difference import Difference
from pytest_housekeeping.snapshot.dumps.dump import dump_schema
from pytest_housekeeping.snapshot.fingerprint import Fingerprint, read_fingerprint
from pytest_housekeeping.snapshot.way_back.inverse import Proposed
from pytest_housekeeping.snapshot.way_back.proposal import propose
from pytest_housekeeping.sql.folder import read_all
from pytest_housekeeping.sql.identifiers import quoted
from pytest_housekeeping.sql.layouts.new import new_migration
from pytest_housekeeping.sql.project_files import ProjectFiles
from pytest_housekeeping.whole_file import write_whole

_NAME = "adopt_drift"
_SHOWN = 5
_READ_ONLY = "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY"
_BY_HAND = (
    "write the migration by hand, and have it recorded in the same way: --hk-baseline=VERSION of"
    " --hk-mode=prod proves it; or undo the change in production"
)


@dataclass(frozen=True, kw_only=True)
class _Production:
    """Production as it is: connected to, and read."""

    address: Address
    connection: LentConnection
    identity: TargetIdentity
    schema: Fingerprint


def adopt_drift(root: Path, *, target: str) -> Iterator[str]:
    """Write the file that makes of the schema which the last promotion left what production has.

    It is shown to do so on a throwaway copy before it is written. Nothing is changed in production,
    which is only read. Yields what is told. Raises ProofFailed, by name, for what no file can make
    faithfully.
    """
    sources = ProjectFiles(root)
    config = located(load_config(root, sources, target=target))
    address = read_address(os.environ, config.target)
    with own_repository(root) as repository:
        connection = open_production(address, config.session)
        with closed_on_failure(connection, address):
            identity = identified(connection)
            _refuse_misplaced(config, sources, repository, identity)
            connection.execute(_READ_ONLY)
            _refuse_pending(config, sources, connection)
            left = left_schema(config, repository, connection)
            production = _Production(
                address=address,
                connection=connection,
                identity=identity,
                # An earlier version recorded the schema without that of its own tables.
                schema=read_fingerprint(connection, exclude_schemas=left.fingerprint.excluded),
            )
            drift = drift_since(left, production.schema, config)
            if not (drift.schema or drift.around):
                yield f"nothing to adopt: production is as run {left.run} left it"
            else:
                yield from _adopted(config, sources, production, left, drift)
        connection.close()


def _refuse_pending(config: Config, sources: ProjectFiles, connection: LentConnection) -> None:
    """Raises ProofFailed where migrations are pending: the file would come behind them, and what is
    recorded up to it is not there."""
    applied = applied_files(history.applied(connection, config.history_schema))
    known = [(each.path, each.sha256) for each in applied]
    found = read_all(config, sources, FILES, applied=known).files
    pending = pending_files(found, applied, (Kind.MIGRATION,))
    last = last_promotion(connection, config.history_schema)
    if pending and last is not None:
        raise ProofFailed(
            f"not applied there: {listed_names([file.path for file in pending], _SHOWN)}",
            why="what is adopted is recorded as applied with all that comes before it",
            fix="undo what was made by hand; or adopt it where none is pending, git switch --create"
            f" adopted {last.commit[:12]}, and give these numbers behind it",
        )


def _adopted(
    config: Config, sources: ProjectFiles, production: _Production, left: LeftSchema, drift: Drift
) -> Iterator[str]:
    _refuse_unwritable(drift.around, "is around the schema, and no dump tells how it came about")
    _refuse_unwritable(
        [each for each in drift.schema if _is_of(config.history_schema, each.name)],
        "is this tool's own, and no file may name it",
    )
    text = _text(production, left, drift)
    ((path, whole),) = new_migration(config, sources, _NAME, up=text).items()
    try:
        unlike = unlike_with(
            left,
            [(path, text)],
            now=production.schema,
            connection=production.connection,
            role=production.identity.user,
            config=config,
        )
    except HousekeepingError as error:
        raise _refused(f"\n  what was proposed does not run: {error.found}", drift) from None
    if unlike:
        raise _refused(f"; it would leave:{named(unlike)}", drift)
    write_whole(config.root / path, whole)
    number = path.partition(_NAME)[0].rpartition("/")[2].strip("V_").replace("-", "")
    yield f"written: {path}, for {len(drift.schema)} objects that were changed by hand:"
    yield from (f"  {each}" for each in drift.schema)
    yield f"proved: of the schema that run {left.run} left it makes what production has"
    yield "next: look at it, commit it, and prove it: pytest --hk-mode=staging"
    yield f"then it is recorded as applied, and not run: {config.target.promotion}"
    yield f"  --hk-baseline={number}"


def _text(production: _Production, left: LeftSchema, drift: Drift) -> str:
    major = production.schema.server_major
    now = dump_schema(production.address.conninfo(), server_major=major)
    proposed = [
        each
        for each in propose(now.decode(errors="replace"), left.dump.decode(errors="replace"))
        if each.sql and not _is_own(each.sql, production.identity.user)
    ]
    unknown = [each.sql for each in proposed if each.sql.startswith("--")]
    if unknown:
        raise _refused("\n  no statement is known for:\n" + "\n".join(unknown), drift)
    return _file(proposed, left.run, drift.schema)


def _file(proposed: Sequence[Proposed], run: str, differences: Sequence[Difference]) -> str:
    """The migration: what it is for, and its statements."""
    head = [
        f"-- What was made by hand in production until {datetime.now(UTC):%Y-%m-%d}, since run",
        f"-- {run}. There it is recorded as applied and never run: --hk-baseline.",
        "--",
        *(f"-- {line}" for each in differences for line in str(each).splitlines()),
    ]
    return "\n".join(head) + "\n" + "".join(f"\n{each.sql};\n" for each in proposed)


def _is_of(schema: str, name: str) -> bool:
    """Whether an object is a schema, or stands in it."""
    words = name.split(" ")
    return any(word == schema or word.startswith(f"{schema}.") for word in words)


def _is_own(statement: str, role: str) -> bool:
    """The owner of what the file makes is who runs it, and called otherwise in staging."""
    return statement.startswith("ALTER ") and statement.rstrip(";").endswith(
        f" OWNER TO {quoted(role)}"
    )


def _refuse_misplaced(
    config: Config, sources: ProjectFiles, repository: Repository, identity: TargetIdentity
) -> None:
    pin = read_pin(config, sources, repository)
    for said, fix in misplaced(pin, identity, identity.timeline, config.target) if pin else ():
        raise ProofFailed(said, why="it would be another database's change", fix=fix)


def _refuse_unwritable(differences: Sequence[Difference], why: str) -> None:
    if differences:
        raise ProofFailed(
            f"no file can make:{named(differences)}", why=f"what is named {why}", fix=_BY_HAND
        )


def _refused(found: str, drift: Drift) -> ProofFailed:
    return ProofFailed(
        f"no file was written for what was made by hand:{named(drift.schema)}{found}",
        why="a file that makes something else than production has would be recorded as applied",
        fix=_BY_HAND,
    )
