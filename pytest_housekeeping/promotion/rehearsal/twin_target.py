"""The copy of production as a target that a batch is applied to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from pytest_housekeeping.errors import ProofFailed
from pytest_housekeeping.model import Applied, Step, Verdict
from pytest_housekeeping.postgres.connection import Connection, LentConnection
from pytest_housekeeping.postgres.own_tables import history
from pytest_housekeeping.postgres.own_tables.guard import HistoryGuard
from pytest_housekeeping.postgres.transaction import Transaction
from pytest_housekeeping.promotion.context import RunContext
from pytest_housekeeping.promotion.target import PassingTarget
from pytest_housekeeping.promotion.target_connection import TargetConnection
from pytest_housekeeping.snapshot.copies.server import RESTORER
from pytest_housekeeping.snapshot.copies.twin import Twin
from pytest_housekeeping.snapshot.fingerprint import Fingerprint
from pytest_housekeeping.snapshot.fingerprint_record import SchemaRecord
from pytest_housekeeping.snapshot.reading_again.incremental import EVERYTHING
from pytest_housekeeping.snapshot.reading_again.schema_reader import SchemaReader
from pytest_housekeeping.sql.file import SqlFile

HistoryRows = Callable[[Sequence[tuple[SqlFile, Applied]], int], Sequence[history.Row]]


RecordSchema = Callable[[HistoryGuard, Connection, SchemaRecord, int], None]


class TwinTarget(PassingTarget):
    """The copy as a target: it is changed as production will be, and nothing of it is kept.

    ``copy`` gives it once it is restored. ``user`` is whom production is promoted as, ``rows`` and
    ``record`` what is put on record there.
    """

    def __init__(
        self,
        context: RunContext,
        *,
        user: str,
        copy: Callable[[], Twin | None],
        rows: HistoryRows,
        record: RecordSchema,
    ) -> None:
        super().__init__(context, TargetConnection(self._connect))
        self._copy = copy
        self.user = user
        self._rows = rows
        self._record = record
        self._schema: SchemaReader | None = None

    @property
    def twin(self) -> Twin:
        """The copy. Raises ProofFailed where none was restored."""
        twin = self._copy()
        if twin is None:
            raise ProofFailed(
                "there is no copy of production to rehearse on",
                why="what the schema decides is proved there",
                fix="run the whole plan, backup::proof included",
            )
        return twin

    def _connect(self) -> LentConnection:
        return self.twin.connect(self.user, self._context.config.session)

    def before_file(self, connection: Connection, path: str) -> None:
        """No rollback file is tried here."""

    def record_history(
        self, connection: Connection, applied: Sequence[tuple[SqlFile, Applied]], segment: int
    ) -> None:
        """Of what another tool applies, nothing will be on record."""
        if self._context.plan.theirs is None:
            self.guard.write(connection, self._rows(applied, segment))

    def record_schema(self, connection: Connection, record: SchemaRecord, segment: int) -> None:
        """As in production: the record has a table, which is made with its first row. Of that, no
        more is kept than of what schema it is."""
        if self._context.plan.theirs is None:
            unread = replace(record, read_by_nobody=True)
            self._record(self.guard, connection, unread, segment)

    def read_schema(self, connection: Connection) -> Fingerprint:
        """What has changed since the copy was restored is read, and what that concerns."""
        if self._schema is None:
            self._schema = SchemaReader(scope=EVERYTHING)
            self._schema.go_on_from(self.twin.reading)
        return self._schema.read(connection).without(f"role {RESTORER}")

    def judge_file(self, transaction: Transaction, step: Step) -> Verdict:  # noqa: ARG002
        """A promotion undoes nothing. Raises ProofFailed."""
        raise ProofFailed(f"{step.id}: this run undoes nothing", why="there is nothing to compare")
