"""A batch in the transaction of a fresh database, and the verdict on the files that undo it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pytest_housekeeping.checks.rollbacks.round_trip import prove_round_trips
from pytest_housekeeping.checks.rollbacks.round_trip_input import AppliedRepeatable, RoundTripInput
from pytest_housekeeping.config import Config
from pytest_housekeeping.model import Kind, Level, Verdict
from pytest_housekeeping.plan.rollback_files import RollbackLink
from pytest_housekeeping.postgres import connection as database
from pytest_housekeeping.postgres.connection import LentConnection
from pytest_housekeeping.postgres.transaction import Transaction, begin
from pytest_housekeeping.server import StagingDatabase
from pytest_housekeeping.snapshot.coverage import Around
from pytest_housekeeping.snapshot.fingerprint import Fingerprint, read_fingerprint
from pytest_housekeeping.sql import file as sqlfile
from pytest_housekeeping.sql.file import SqlFile
from pytest_housekeeping.sql.text import digest

EXCLUDED = ("housekeeping",)
_UNDONE = Around.DATABASE | Around.SERVER
BATCH = "rollback::batch"
TRIP = "sql/rollback/{:04}_change.sql::round-trip"


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Migrations with what undoes them; ``past`` ones were applied before, and what is ``below``
    nothing undoes. Views and policies by name, as they are and as they were (None: the batch has
    not touched them)."""

    migrations: Sequence[tuple[str, str]] = ()
    past: Sequence[tuple[str, str]] = ()
    below: Sequence[str] = ()
    views: Mapping[str, tuple[str, str | None]] = field(default_factory=dict)
    policies: Mapping[str, tuple[str, str | None]] = field(default_factory=dict)
    seed: str = ""


def prove(place: StagingDatabase, batch: Batch) -> Mapping[str, Verdict]:
    """Apply all of it in one transaction that is rolled back, and go there and back in it."""
    texts: dict[str, str] = {}
    past, new = _links(texts, batch)
    repeatables = [
        AppliedRepeatable(
            file=_known(texts, f"sql/{kind}s/{name}", kind, text), text=text, older=older
        )
        for kind, files in ((Kind.VIEW, batch.views), (Kind.POLICY, batch.policies))
        for name, (text, older) in files.items()
    ]
    with begun(place) as transaction:
        connection = transaction.connection
        for text in batch.below:
            connection.execute(text.encode())
        bottom = _fingerprint(connection)
        _apply(transaction, [each.migration for each in past], texts)
        for file in repeatables:
            before = file.text if file.older is None else file.older
            if before:
                transaction.apply(file.file, before)
        base = _fingerprint(connection)
        _apply(transaction, [each.migration for each in new], texts)
        _apply(transaction, [each.file for each in repeatables if each.older is not None], texts)
        if batch.seed:
            connection.execute(batch.seed)
        transaction.seal()
        connection.execute("SAVEPOINT there")
        verdicts = prove_round_trips(
            transaction,
            RoundTripInput(
                links=[*reversed(new), *reversed(past)],
                repeatables=repeatables,
                read_text=lambda file: texts[file.sha256],
                schema_before_batch=base,
                excluded_schemas=EXCLUDED,
                around=_UNDONE,
                schema_before_migration={each.migration.path: bottom for each in past[:1]},
            ),
        )
        connection.execute("ROLLBACK TO SAVEPOINT there")
        transaction.prove()
    return verdicts


def _links(
    texts: dict[str, str], batch: Batch
) -> tuple[Sequence[RollbackLink], Sequence[RollbackLink]]:
    """Those of the past and those of the batch; their ``texts`` go by their digests."""
    links = [
        RollbackLink(
            migration=_known(texts, f"sql/migrations/{n:04}_change.sql", Kind.MIGRATION, up),
            rollback=_known(texts, f"sql/rollback/{n:04}_change.sql", Kind.ROLLBACK, down),
            pending=n > len(batch.past),
        )
        for n, (up, down) in enumerate([*batch.past, *batch.migrations], 1)
    ]
    return links[: len(batch.past)], links[len(batch.past) :]


def _known(texts: dict[str, str], path: str, kind: Kind, text: str) -> SqlFile:
    file = sqlfile.from_text(path, kind, text, digest(f"{path} {text}".encode()))
    texts[file.sha256] = text
    return file


def _apply(transaction: Transaction, files: Sequence[SqlFile], texts: Mapping[str, str]) -> None:
    for file in files:
        transaction.apply(file, texts[file.sha256])


def _fingerprint(connection: LentConnection) -> Fingerprint:
    return read_fingerprint(connection, exclude_schemas=EXCLUDED, around=_UNDONE)


@contextmanager
def begun(place: StagingDatabase) -> Iterator[Transaction]:
    connection: LentConnection = database.connect(place.migrator_conninfo)
    try:
        yield begin(connection, Config(root=Path.cwd()))
        connection.execute("ROLLBACK")
    finally:
        connection.close()


def wrong(verdict: Verdict) -> list[str]:
    """The objects that a verdict complains of."""
    return [finding.object for finding in verdict.errors]


def told(verdicts: Mapping[str, Verdict]) -> list[str]:
    """What is destroyed, in the order in which it is."""
    return [
        f"{finding.object} {finding.detail}"
        for verdict in verdicts.values()
        for finding in verdict.findings
        if finding.level is Level.NOTICE
    ]
