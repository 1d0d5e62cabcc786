"""What a promotion asks of the database that it changes: staging, production, or a rollback."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from pytest_housekeeping.model import Applied, Kind, ProvedOn, RunOutcome, Step, Verdict
from pytest_housekeeping.postgres.connection import Connection
from pytest_housekeeping.postgres.own_tables import history
from pytest_housekeeping.postgres.own_tables.guard import HistoryGuard
from pytest_housekeeping.postgres.transaction import Transaction
from pytest_housekeeping.promotion.context import RunContext
from pytest_housekeeping.promotion.target_connection import TargetConnection
from pytest_housekeeping.snapshot.fingerprint import Fingerprint
from pytest_housekeeping.snapshot.fingerprint_record import SchemaRecord
from pytest_housekeeping.sql.file import SqlFile


@dataclass(frozen=True, kw_only=True)
class KeptFile:
    """A snapshot beside the audit, by its name from the root, and of what it was taken."""

    path: str
    sha256: str
    of: ProvedOn = ProvedOn.NOWHERE


@dataclass(frozen=True, kw_only=True)
class KeptFiles:
    """What a target leaves beside the audit: snapshots before and after, and all files of it.

    ``found`` is the schema before anything was applied, where it was read and is a real one's.
    """

    before: KeptFile | None = None
    after: KeptFile | None = None
    files: Mapping[Path, bytes] = field(default_factory=dict, repr=False)
    found: Fingerprint | None = field(default=None, repr=False)

    @property
    def after_of(self) -> ProvedOn:
        return self.after.of if self.after is not None else ProvedOn.NOWHERE


class Target(Protocol):
    """One database that a run changes or looks at. Each mode has its own.

    The engine calls these in the order in which they stand here; none of them calls back.
    """

    connection: TargetConnection

    def announcement(self) -> Sequence[str]:
        """Lines for the terminal, before anything is done."""

    def after_begin(self, connection: Connection, *, first: bool) -> None:
        """In the fresh transaction, before anything is applied in it; ``first``: in this run.

        Raises ProofFailed when the database is not as it was when the plan was made.
        """

    def before_file(self, connection: Connection, path: str) -> None:
        """In the transaction, before a file is applied."""

    def record_history(
        self, connection: Connection, applied: Sequence[tuple[SqlFile, Applied]], segment: int
    ) -> None:
        """In the transaction, before anything is verified: what was applied, on record."""

    def record_schema(self, connection: Connection, record: SchemaRecord, segment: int) -> None:
        """The same for the schema that is about to be verified."""

    def read_schema(self, connection: Connection) -> Fingerprint:
        """The schema as a connection sees it now, that of the tool's own tables included."""

    def prove_history(self, connection: Connection) -> None:
        """Before the last reading of the schema: the tool's own tables are as it left them.

        Raises ProofFailed when anything else has written to them or altered them.
        """

    def prove_history_kept(self, connection: Connection) -> None:
        """The same after COMMIT, of the rows that this run has written."""

    def judge_file(self, transaction: Transaction, step: Step) -> Verdict:
        """The verdict on a file that undoes, or may be applied again, in a savepoint that is
        rolled back."""

    def after_run(self, *, changed: bool) -> None:
        """After the last commit or rollback: keep what the evidence needs of the outcome."""

    @property
    def kept(self) -> KeptFiles:
        """The files that belong to the evidence besides audit and report."""

    @property
    def schema_changes(self) -> tuple[str, ...]:
        """What has become of the schema, an object a line, as far as it was compared."""

    def proposal(self, outcome: RunOutcome) -> str:
        """SQL for a person to complete, "" for none: a way back that no rollback file describes."""

    def close(self) -> None:
        """End what belongs to the target, in any state. Never raises."""


class PassingTarget:
    """What targets have in common of which nothing is kept: a copy, and a throwaway database."""

    kept = KeptFiles()
    schema_changes: tuple[str, ...] = ()

    def __init__(self, context: RunContext, connection: TargetConnection) -> None:
        self.connection = connection
        self.guard = HistoryGuard(
            schema=context.config.history_schema,
            applications=context.plan.contracts.roles,
            promotes=False,
        )
        self._context = context

    def announcement(self) -> Sequence[str]:
        return ()

    def after_begin(self, connection: Connection, *, first: bool) -> None:
        """Nobody else changes this database; a file may have put something beside the history."""
        self.guard.begin(connection, first=first)

    def prove_history(self, connection: Connection) -> None:
        self.guard.prove(connection)

    def prove_history_kept(self, connection: Connection) -> None:
        self.guard.prove_kept(connection)

    def after_run(self, *, changed: bool) -> None:
        pass

    def proposal(self, outcome: RunOutcome) -> str:  # noqa: ARG002
        return ""

    def close(self) -> None:
        self.connection.close()


def applied_rows(
    context: RunContext, applied: Sequence[tuple[SqlFile, Applied]]
) -> list[history.Row]:
    """The history rows of a segment's files; seeds of a throwaway database are no history."""
    commit = context.source.commit or ""
    return [
        history.row_of(file, done, run=context.run.id, commit=commit)
        for file, done in applied
        if file.kind is not Kind.SEED or not context.rules.throwaway
    ]
