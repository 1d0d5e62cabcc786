"""The real database as a promotion's target: its schema before, and what it remembers after."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from psycopg.pq import TransactionStatus

from pytest_housekeeping.errors import HousekeepingError, ProofFailed
from pytest_housekeeping.model import (
    Applied,
    Kind,
    ProvedOn,
    RunOutcome,
    Step,
    TargetIdentity,
    Verdict,
)
from pytest_housekeeping.postgres.connection import Connection, LentConnection
from pytest_housekeeping.postgres.locks.promotion import holder
from pytest_housekeeping.postgres.own_tables import history
from pytest_housekeeping.postgres.own_tables.guard import HistoryGuard
from pytest_housekeeping.postgres.transaction import Transaction
from pytest_housekeeping.promotion.context import RunContext
from pytest_housekeeping.promotion.production.backup.backup import Backup
from pytest_housekeeping.promotion.production.first_reading import FirstReading
from pytest_housekeeping.promotion.production.in_place import lock_announcement
from pytest_housekeeping.promotion.production.of_fleet.handed import handed
from pytest_housekeeping.promotion.production.of_fleet.handed_on import (
    dump_for_all,
    hand_on_read_again,
)
from pytest_housekeeping.promotion.production.other_tool.beside import applied_now
from pytest_housekeeping.promotion.production.promoted import promotion_table
from pytest_housekeeping.promotion.production.promoted.earlier_target import EarlierTarget
from pytest_housekeeping.promotion.production.statistics import KeptStatistics
from pytest_housekeeping.promotion.production.target_address import (
    Address,
    open_production,
    session_of,
)
from pytest_housekeeping.promotion.repository.target_pin import pin_content
from pytest_housekeeping.promotion.target import KeptFiles, applied_rows
from pytest_housekeeping.promotion.target_connection import TargetConnection
from pytest_housekeeping.snapshot.compare.declared_moves import split_declared
from pytest_housekeeping.snapshot.compare.difference import listed
from pytest_housekeeping.snapshot.compare.own_names import group_schema
from pytest_housekeeping.snapshot.coverage import Around
from pytest_housekeeping.snapshot.dumps.dump import dump_schema
from pytest_housekeeping.snapshot.fingerprint import Fingerprint, read_fingerprint
from pytest_housekeeping.snapshot.fingerprint_record import SchemaRecord
from pytest_housekeeping.snapshot.reading_again.incremental import EVERYTHING
from pytest_housekeeping.snapshot.reading_again.schema_reader import SchemaReader
from pytest_housekeeping.snapshot.way_back.own_ways_back import without_those_of
from pytest_housekeeping.snapshot.way_back.proposal import proposal_text, propose
from pytest_housekeeping.sql.file import SqlFile
from pytest_housekeeping.sql.folder import rollbacks_folder
from pytest_housekeeping.sql.layouts.read import text_of


class ProductionTarget:
    """The database of a target's variables, connected when the plan was made.

    ``drift`` is the schema by its digest, where it was found to be changed past the files;
    ``dump_of_both`` is told the schema of after, and may have its dump from the copy;
    ``has_shape`` says whether the tool's own tables were shown to have theirs in another database
    of this very schema.
    """

    schema_changes: tuple[str, ...] = ()
    drift: str = ""

    def __init__(
        self,
        context: RunContext,
        address: Address,
        connection: LentConnection,
        identity: TargetIdentity,
        backup: Backup,
    ) -> None:
        self.address = address
        self.backup = backup
        self.connection = TargetConnection(
            partial(open_production, address, session_of(context.config, context.rules)),
            opened=connection,
            identity=identity,
        )
        self.guard = HistoryGuard(
            schema=context.config.history_schema, applications=context.plan.contracts.roles
        )
        self.statistics = KeptStatistics(context)
        self.earlier = EarlierTarget(context)
        self._context = context
        self._fingerprint: Fingerprint | None = None
        self._schema = SchemaReader(scope=EVERYTHING)
        self.first = FirstReading(
            schema=self._schema,
            opened=partial(open_production, address, session_of(context.config, context.rules)),
            identity=identity,
            plan=context.plan.digest,
        )
        self._committed: Fingerprint | None = None
        self.dump_of_both: Callable[[Fingerprint], bytes | None] = lambda _: None
        self.has_shape: Callable[[], bool] = lambda: False

    @property
    def major(self) -> int:
        """The major version of the server."""
        return self.connection.get().info.server_version // 10000

    def fingerprint(self) -> Fingerprint:
        """The schema before anything is applied, read once. Raises ProofFailed."""
        if self._fingerprint is None:
            try:
                self._fingerprint = self.first.fingerprint(self.connection.get())
            except HousekeepingError as error:
                raise self.named(error) from None
        return self._fingerprint

    @property
    def absent_kinds(self) -> tuple[str, ...]:
        """What a dump need not look for: see `SchemaReader`."""
        return self._schema.absent_kinds

    def read_schema(self, connection: Connection) -> Fingerprint:
        """The schema as a connection sees it now, that of the tool's own tables included.

        Read in full once, before anything is locked; then what has changed.
        """
        self._committed = None
        outside = connection.info.transaction_status is TransactionStatus.IDLE
        schema = self._schema.read(connection)
        self._committed = schema if outside else None
        return schema

    def read_without_history(self, connection: Connection) -> Fingerprint:
        """The schema alone, without the tool's own tables: to compare with one made of files, or
        of a backup, which has neither them nor this server around it."""
        excluded = (self._context.config.history_schema,)
        return read_fingerprint(connection, exclude_schemas=excluded, around=Around.NOTHING)

    def named(self, error: HousekeepingError) -> HousekeepingError:
        """The error; where another promotion is in the way, who it is and since when."""
        held = holder(self.connection.get())
        if held is None:
            return error
        return ProofFailed(
            f"{error.found}; another promotion of this database holds it: {held}",
            why="two batches at once could each pass what the other breaks",
            fix="wait for it to end, and run again",
        )

    def announcement(self) -> Sequence[str]:
        return tuple(lock_announcement(self._context))

    def after_begin(self, connection: Connection, *, first: bool) -> None:
        """The schema and the history are still what was backed up and planned.

        Raises ProofFailed when somebody changed them in between. A watch has told it already.
        """
        shown = first and self.has_shape()
        if not self._context.rules.watches:
            self.guard.begin(connection, first=first, ours=first, shown=shown)
            self.statistics.note(connection)
        if first:
            now = self.prove_unmoved(connection)
            if shown and not now.is_as(self.fingerprint()):
                self.guard.prove_shape(connection)

    def prove_unmoved(self, connection: Connection) -> Fingerprint:
        """Raises ProofFailed where schema or history are not what was backed up and planned."""
        now = self.read_schema(connection)
        declared = self._context.config.may_move
        moved = split_declared(self.fingerprint(), now, declared).others
        there = applied_now(self._context, connection)
        if moved or there != [past.path for past in self._context.plan.past]:
            raise ProofFailed(
                f"the target changed after its backup: {listed(moved) or 'its history'}",
                why="the backup would not be the state before this promotion",
                fix="find out who else changes it, and run again",
            )
        return now

    def before_file(self, connection: Connection, path: str) -> None:
        """No rollback file is tried here."""

    def judge_file(self, transaction: Transaction, step: Step) -> Verdict:  # noqa: ARG002
        """A promotion undoes nothing. Raises ProofFailed."""
        raise ProofFailed(f"{step.id}: this run undoes nothing", why="there is nothing to compare")

    def record_history(
        self, connection: Connection, applied: Sequence[tuple[SqlFile, Applied]], segment: int
    ) -> None:
        """Where nothing is pending the tables stay as they are, those of an old version too."""
        if self.promotes:
            self.guard.write(connection, self.history_rows(applied, segment))

    def history_rows(
        self,
        applied: Sequence[tuple[SqlFile, Applied]],
        segment: int,  # noqa: ARG002 - a rollback's history needs it
    ) -> Sequence[history.Row]:
        """What was applied in a segment, as its history tells it."""
        return applied_rows(self._context, applied)

    def record_schema(self, connection: Connection, record: SchemaRecord, segment: int) -> None:
        """The schema that this segment leaves, on record in the database itself."""
        if self.promotes:
            promotion_table.record_segment(self._context, self.guard, connection, record, segment)

    @property
    def promotes(self) -> bool:
        """Whether this run has something to put on record."""
        rules, plan = self._context.rules, self._context.plan
        return rules.undoes or any(segment.files for segment in plan.segments)

    def prove_history(self, connection: Connection) -> None:
        """Of a rehearsed batch the shape of the tables is not asked for again under the lock: it
        was proved on the copy, and the schema, theirs included, has to be what it is there."""
        if self._context.plan.rehearses:
            self.guard.prove_rows(connection)
        else:
            self.guard.prove(connection)

    def prove_history_kept(self, connection: Connection) -> None:
        self.guard.prove_kept(connection)

    def after_run(self, *, changed: bool) -> None:
        """The schema as it is after the promotion, beside the one before it."""
        if changed:
            self.backup.take_after(self._dump_after)
            hand_on_read_again(self._context.plan.digest, self._schema.asked)
        self.backup.let_go()

    def _dump_after(self, before: bytes) -> tuple[bytes, ProvedOn]:
        """The dump, and of what. The copy's own is taken where it is the same; of a fleet, what was
        dumped of another database where the schema, as it was read behind COMMIT, and the dump of
        before are the same."""
        copied = self.dump_of_both(self._committed) if self._committed is not None else None
        if copied is not None:
            return copied, ProvedOn.TWIN
        dump = partial(dump_schema, self.address.conninfo(), server_major=self.major)
        if handed() is None or self._committed is None:
            return dump(), ProvedOn.TARGET
        database = self.connection.identity().database
        group = group_schema(self._committed, database, self._context.config.target)
        return dump_for_all(before, group, dump), ProvedOn.TARGET

    @property
    def timeline(self) -> int | None:
        """What the server writes, None if it does not tell."""
        return self.connection.identity().timeline

    @property
    def kept(self) -> KeptFiles:
        """The snapshots, and the pin where there is none yet."""
        files = dict(self.backup.files)
        config = self._context.config
        pin = config.root / config.target.pin
        if self.backup.after is not None and not pin.is_file():
            files[pin] = pin_content(self.connection.identity(), self.timeline)
        return KeptFiles(
            before=self.backup.before,
            after=self.backup.after,
            files=files,
            found=self._fingerprint,
        )

    def proposal(self, outcome: RunOutcome) -> str:
        """After a COMMIT of what was not proved: from the schema of after to that of before."""
        before, after = self.backup.schemas
        if outcome is not RunOutcome.PROMOTED_UNPROVED or not before or not after:
            return ""
        context = self._context
        files = [file for segment in context.plan.segments for file in segment.files]
        files = [file for file in files if file.kind is Kind.MIGRATION]
        own = {
            file.path: file.rollback for file in files if file.rollback in context.plan.ways_back
        }
        proposed = without_those_of(
            propose(before.decode(errors="replace"), after.decode(errors="replace")),
            (text_of(context.config, context.plan.sources, path) for path in own.values()),
        )
        return proposal_text(
            proposed,
            run=context.run.id,
            migrations=[file.path for file in files if file.path not in own],
            folder=rollbacks_folder(context.config),
        )

    def close(self) -> None:
        self.first.close()
        self.backup.close()
        self.connection.close()
