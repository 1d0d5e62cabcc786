"""The throwaway database as a promotion's target, and the rollback files proved on it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pytest_housekeeping.model import Applied, Finding, Kind, Level, Step, Verdict
from pytest_housekeeping.plan.rollback_files import NEEDED
from pytest_housekeeping.postgres.connection import Connection
from pytest_housekeeping.postgres.transaction import Transaction
from pytest_housekeeping.promotion.context import RunContext
from pytest_housekeeping.promotion.target import PassingTarget, applied_rows
from pytest_housekeeping.promotion.target_connection import TargetConnection
from pytest_housekeeping.promotion.throwaway import Throwaway
from pytest_housekeeping.sql.file import SqlFile

if TYPE_CHECKING:
    from pytest_housekeeping.checks.rollbacks.round_trip_input import RoundTripInput
    from pytest_housekeeping.promotion.kept_verdicts import KeptVerdicts
    from pytest_housekeeping.snapshot.coverage import Around
    from pytest_housekeeping.snapshot.fingerprint import Fingerprint
    from pytest_housekeeping.snapshot.fingerprint_record import SchemaRecord
    from pytest_housekeeping.snapshot.reading_again.schema_reader import SchemaReader


class StagingTarget(PassingTarget):
    """The database that a staging run makes and drops.

    Where rollback files have to lead back to a schema, it is read at that moment: before the
    batch, and before each migration at which the way back ends.
    """

    def __init__(self, context: RunContext, throwaway: Throwaway) -> None:
        super().__init__(context, TargetConnection(throwaway.migrator))
        self._throwaway = throwaway
        self._schema_before_batch: Fingerprint | None = None
        self._schema_before_migration: dict[str, Fingerprint] = {}
        self._schema: Fingerprint | None = None
        self._reader: SchemaReader | None = None
        self._round_trips: tuple[str, Mapping[str, Verdict]] | None = None
        self._repeatables: tuple[str, Mapping[str, Verdict]] | None = None

    def before_batch(self) -> None:
        """History was replayed: what the rollback files of the whole batch must lead back to."""
        if self._context.plan.rollbacks.whole_batch:
            before = self._without_history(self.connection.get(), once=True)
            self._schema_before_batch = before

    def before_file(self, connection: Connection, path: str) -> None:
        if path in self._context.plan.rollbacks.ends:
            self._schema_before_migration[path] = self._without_history(connection)

    @property
    def schemas_before(self) -> Mapping[str, Fingerprint]:
        """The schema before each migration at which the way back ends, as far as it is known."""
        return self._schema_before_migration

    def know_before(self, schemas: Mapping[str, Fingerprint]) -> None:
        """The same as an earlier run has read it, where that is what has replayed the past."""
        self._schema_before_migration.update(schemas)

    def judge_file(self, transaction: Transaction, step: Step) -> Verdict:
        """Whether a rollback file undoes its migration, or a view or policy file can be applied
        again; tried for all of them at once."""
        if step.name == NEEDED:
            return _without_rollback(self._context.files.of(step))
        if step.kind is Kind.REPEATABLE:
            if self._repeatables is None or self._repeatables[0] != transaction.xid:
                self._repeatables = (transaction.xid, self._judge_repeatables(transaction))
            return self._repeatables[1][step.path]
        if self._round_trips is None or self._round_trips[0] != transaction.xid:
            self._round_trips = (transaction.xid, self._judge_round_trips(transaction))
        verdict = self._round_trips[1].get(step.id)
        if verdict is not None:
            return verdict
        from pytest_housekeeping.checks.rollbacks.round_trip_verdicts import unprovable_rollback

        return unprovable_rollback(self._context.plan.rollbacks, step)

    def _judge_round_trips(self, transaction: Transaction) -> Mapping[str, Verdict]:
        """Tried, unless a run of this machine has shown them of the same texts and schemas."""
        from pytest_housekeeping.promotion.staging.known_round_trips import known_round_trips

        given, context = self._round_trip_input(), self._context

        def prove() -> Mapping[str, Verdict]:
            from pytest_housekeeping.checks.rollbacks.round_trip import prove_round_trips

            return prove_round_trips(transaction, given)

        return self._known_or_proved(
            lambda schema: known_round_trips(context, given, schema), prove
        )

    def _judge_repeatables(self, transaction: Transaction) -> Mapping[str, Verdict]:
        from pytest_housekeeping.promotion.staging.known_round_trips import known_repeatables

        context, files, plan = self._context, self._context.files, self._context.plan
        asked = [files.of(step) for step in plan.steps if step.kind is Kind.REPEATABLE]
        texts = [(file.path, files.text(file)) for file in asked]

        def prove() -> Mapping[str, Verdict]:
            from pytest_housekeeping.checks.repeatables import prove_repeatables

            return prove_repeatables(transaction, asked, files.text, self.read_schema)

        return self._known_or_proved(
            lambda schema: known_repeatables(context, texts, schema), prove
        )

    def _known_or_proved(
        self,
        known_on: Callable[[Fingerprint], KeptVerdicts],
        prove: Callable[[], Mapping[str, Verdict]],
    ) -> Mapping[str, Verdict]:
        """Of a server that was given, nobody here knows what was done to it."""
        sealed = self._schema
        known = known_on(sealed) if sealed and self._throwaway.kind != "given" else None
        if known and (verdicts := known.read()):
            return verdicts
        try:
            verdicts = prove()
        finally:
            self._schema = sealed
        if known:
            known.keep(verdicts, at=datetime.now(UTC))
        return verdicts

    def record_history(
        self,
        connection: Connection,
        applied: Sequence[tuple[SqlFile, Applied]],
        segment: int,  # noqa: ARG002 - a rollback's history needs it
    ) -> None:
        self.guard.write(connection, applied_rows(self._context, applied))

    def record_schema(self, connection: Connection, record: SchemaRecord, segment: int) -> None:
        """Nobody compares the next run with a database that is dropped."""

    def read_schema(self, connection: Connection) -> Fingerprint:
        """In full once; then what has changed, in this segment or the next."""
        from pytest_housekeeping.snapshot.catalog.statements import Scope
        from pytest_housekeeping.snapshot.reading_again.schema_reader import SchemaReader

        if self._reader is None:
            self._reader = SchemaReader(scope=Scope(excluded=(), around=self._around))
        self._schema = self._reader.read(connection)
        return self._schema

    def schema_read(self) -> Fingerprint | None:
        """The schema as it was read last."""
        return self._schema

    def _without_history(self, connection: Connection, *, once: bool = False) -> Fingerprint:
        """What a rollback file leads back to: what was recorded in between stays."""
        excluded = (self._context.config.history_schema,)
        return self._read(connection, excluded, once=once).with_no_more(self._undone)

    def _read(
        self, connection: Connection, excluded: tuple[str, ...], *, once: bool
    ) -> Fingerprint:
        from pytest_housekeeping.snapshot.fingerprint import read_fingerprint

        return read_fingerprint(
            connection, exclude_schemas=excluded, around=self._around, once=once
        )

    @property
    def _around(self) -> Around:
        """Roles of a server that was given are made by other runs at the same time."""
        from pytest_housekeeping.snapshot.coverage import Around

        return Around.ALL & ~Around.SERVER if self._throwaway.kind == "given" else Around.ALL

    @property
    def _undone(self) -> Around:
        """What a rollback file has to undo; nobody but a superuser changes PostgreSQL's own."""
        from pytest_housekeeping.snapshot.coverage import Around

        return self._around & ~Around.SYSTEM

    def _round_trip_input(self) -> RoundTripInput:
        from pytest_housekeeping.checks.rollbacks.round_trip_input import (
            AppliedRepeatable,
            RoundTripInput,
        )

        context, plan = self._context, self._context.plan
        pending = {file.path for segment in plan.segments for file in segment.files}
        before = {past.path: past for past in plan.past}
        repeatables = []
        for file in plan.repeatables:
            older = before.get(file.path)
            text = context.applied(older).text if older else ""
            touched = text if file.path in pending else None
            repeatables.append(
                AppliedRepeatable(file=file, text=context.files.text(file), older=touched)
            )
        return RoundTripInput(
            links=plan.rollbacks.links,
            repeatables=repeatables,
            read_text=context.files.text,
            schema_before_batch=self._schema_before_batch,
            excluded_schemas=(context.config.history_schema,),
            around=self._undone,
            schema_before_migration=self._schema_before_migration,
        )


def _without_rollback(file: SqlFile) -> Verdict:
    """The verdict on a migration that has no rollback file where the settings ask for one."""
    if file.irreversible:
        said = (f"irreversible: {file.irreversible}",)
        return Verdict(examined=1, unit="migrations", evidence=said)
    finding = Finding(
        rule="rollback-missing",
        level=Level.ERROR,
        object=file.path,
        detail="has no rollback file, and require_rollback asks for one",
        fix=f"write {file.rollback}, or say in the migration: -- hk: irreversible, REASON",
    )
    return Verdict(examined=1, unit="migrations", findings=(finding,))
