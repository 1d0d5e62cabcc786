"""Production as the target of a rollback: what must be there again before the COMMIT."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from pytest_housekeeping.checks.rollbacks.data_loss import table_of
from pytest_housekeeping.errors import ProofFailed
from pytest_housekeeping.model import Applied, Finding, Kind, Level, RunOutcome, Step, Verdict
from pytest_housekeeping.plan.rollback_plan import RollbackWork
from pytest_housekeeping.postgres.connection import Connection
from pytest_housekeeping.postgres.own_tables import history
from pytest_housekeeping.postgres.own_tables.history import Row
from pytest_housekeeping.postgres.transaction import Transaction
from pytest_housekeeping.promotion.context import RunContext
from pytest_housekeeping.promotion.production.target import ProductionTarget
from pytest_housekeeping.promotion.repository.kept_schema import kept_schema
from pytest_housekeeping.promotion.rollback.backup_copy import BackupCopy
from pytest_housekeeping.promotion.rollback.selection import Reverted
from pytest_housekeeping.promotion.target import KeptFiles
from pytest_housekeeping.snapshot.compare.difference import Change, Difference, diff
from pytest_housekeeping.snapshot.copies.twin import without_copy_alone
from pytest_housekeeping.snapshot.dumps.dump import dump_schema
from pytest_housekeeping.snapshot.dumps.roles import dump_roles
from pytest_housekeeping.snapshot.fingerprint import Fingerprint
from pytest_housekeeping.snapshot.fingerprint_record import SchemaRecord
from pytest_housekeeping.snapshot.way_back.own_ways_back import without_those_of
from pytest_housekeeping.snapshot.way_back.proposal import proposal_text, propose
from pytest_housekeeping.sql.file import SqlFile
from pytest_housekeeping.sql.folder import rollbacks_folder
from pytest_housekeeping.sql.path_names import whole_of

# The schema of now was expected, and the backup's was found.
_WORDS = {Change.REMOVED: "is there, and was not", Change.ADDED: "is gone, and was there"}

Proofs = Mapping[str, tuple[str, tuple[str, ...]]]


class RollbackTarget:
    """Production, and the backup of before the promotion, restored to compare with.

    ``proofs`` are the rollback files that staging has tried: by path, the audit's name and what
    the file destroyed there.
    """

    def __init__(
        self,
        context: RunContext,
        production: ProductionTarget,
        reverted: Reverted,
        work: RollbackWork,
        proofs: Proofs,
    ) -> None:
        self.production = production
        self.connection = production.connection
        self.reverted = reverted
        self.work = work
        self.proofs = proofs
        self._context = context
        self._changes: tuple[Difference, ...] = ()
        server = production.backup.restore_server
        given = server if server is not None and server.given else None
        self._copy = BackupCopy(given=given, stubs=context.config.stubs_and_marks)
        self._schema_before = b""

    @property
    def kept(self) -> KeptFiles:
        return self.production.kept

    @property
    def schema_changes(self) -> tuple[str, ...]:
        return tuple(f"{change.change} {change.name}" for change in self._changes)

    def announcement(self) -> Sequence[str]:
        """What will be undone, in which order, and what goes with it: before anything is."""
        audits = self.reverted.audits
        lines = ["this rollback undoes, the newest first:"]
        for run in self.reverted.runs:
            audit, commit = audits[run], (audits[run].source.commit or "")[:12]
            lines.append(
                f"  promotion {run} of {audit.run.finished_at:%Y-%m-%d %H:%M} UTC, by"
                f" {audit.run.actor or 'somebody unnamed'}, commit {commit}"
            )
        lines += [f"    {self._described(file)}" for file in self._context.plan.files]
        lines += [f"    {path}: NO ROLLBACK FILE, nothing will run" for path in self.work.missing]
        lines += ["  and destroys:", *(f"    {each}" for each in self._losses())]
        return [*lines, *self.production.announcement()]

    def after_begin(self, connection: Connection, *, first: bool) -> None:
        self.production.after_begin(connection, first=first)

    def before_file(self, connection: Connection, path: str) -> None:
        """Nothing has to be read for the way back: the backup is the way back."""

    def judge_file(self, transaction: Transaction, step: Step) -> Verdict:  # noqa: ARG002
        """Inside the transaction: the schema is the backup's, or differs as it was accepted to."""
        # The backup may be of before the history, or hold what an earlier version made of it.
        now = self.production.read_without_history(transaction.connection)
        faults, proof = self._copy.compare(now, self.production.backup.twin)
        self._changes = diff(
            without_copy_alone(self.production.fingerprint()),
            without_copy_alone(self.read_schema(transaction.connection)),
        )
        accepted = self._context.options.accepted_drift == now.digest
        findings = tuple(
            Finding(
                rule="rollback-differs",
                # PostgreSQL adds a column at the end, where a rollback file brings one back.
                level=Level.NOTICE if accepted or fault.is_column_order else Level.ERROR,
                object=fault.name,
                detail=_told(fault),
                fix="let a rollback file bring it back, or, if the schema may stay like this:"
                f" --hk-accept-drift={now.digest}",
            )
            for fault in faults
        )
        said = "the schema is the one of before the promotion"
        if findings:
            said = f"{len(findings)} objects differ from the backup" + ", as accepted" * accepted
        evidence = (said, *(f"limit of the proof: {limit}" for limit in proof.limits))
        return Verdict(examined=max(1, proof.objects), findings=findings, evidence=evidence)

    def record_history(
        self, connection: Connection, applied: Sequence[tuple[SqlFile, Applied]], segment: int
    ) -> None:
        self.production.guard.write(connection, self.history_rows(applied, segment))

    def history_rows(
        self, applied: Sequence[tuple[SqlFile, Applied]], segment: int
    ) -> Sequence[Row]:
        """What was taken back, on record: of views and policies, when their older text is back."""
        context = self._context
        commit = context.source.commit or ""
        rows = [
            replace(history.row_of(file, done, run=context.run.id, commit=commit), path=row.path)
            for file, done in applied
            if file in self.work.rollbacks
            # Of a migration that ran in parts, each of them is taken back.
            for row in self.reverted.rows
            if row.kind == Kind.MIGRATION and whole_of(row.path) == file.undoes
        ]
        dropped = {file.path for file, _ in applied}
        back = {file.path for file in self.work.restored}
        rows += [
            Row(run=context.run.id, path=row.path, kind=Kind.ROLLBACK, sha256="", commit=commit)
            for row in self.reverted.rows
            if row.kind != Kind.MIGRATION
            and (
                context.is_last(segment)
                # The rows of a seed stay where their table does, and it is pending again.
                if row.path in back or row.kind == Kind.SEED
                else row.path in dropped
            )
        ]
        return rows

    def record_schema(self, connection: Connection, record: SchemaRecord, segment: int) -> None:
        self.production.record_schema(connection, record, segment)

    def read_schema(self, connection: Connection) -> Fingerprint:
        return self.production.read_schema(connection)

    def prove_history(self, connection: Connection) -> None:
        self.production.prove_history(connection)

    def prove_history_kept(self, connection: Connection) -> None:
        self.production.prove_history_kept(connection)

    def after_run(self, *, changed: bool) -> None:
        self.production.after_run(changed=changed)

    def proposal(self, outcome: RunOutcome) -> str:  # noqa: ARG002
        """Made of the backup and of the schema as it is, where rollback files are missing."""
        if not self.work.missing or not self._schema_before:
            return ""
        production = self.production
        now = dump_schema(production.address.conninfo(), server_major=production.major)
        before = self._schema_before.decode(errors="replace")
        proposed = without_those_of(
            propose(before, now.decode(errors="replace")),
            (self._context.files.text(file) for file in self.work.rollbacks),
        )
        return proposal_text(
            proposed,
            run=self.reverted.run,
            migrations=self.work.missing,
            folder=rollbacks_folder(self._context.config),
        )

    def close(self) -> None:
        self._copy.close()
        self.production.close()

    # -- for the prechecks ---------------------------------------------------------------------

    def restore_backup(self) -> str:
        """The schema of before the promotion, restored on a server of its own, to compare with.

        Raises EvidenceError for a backup that is gone or edited, BackupNotProved for one that does
        not restore.
        """
        kept, repository = self.reverted.audit.snapshot.before, self._context.repository
        if kept is None or repository is None:
            raise ProofFailed(
                f"run {self.reverted.run} kept no backup of before it",
                why="nobody could say whether the schema has come back to what it was",
                fix="write a migration that takes it back, and promote that",
            )
        schema, roles = kept_schema(self._context.config, repository, kept)
        self._schema_before = schema
        now = self.production.fingerprint()
        roles = dump_roles(self.connection.get()) if roles is None else roles
        history_schema = self._context.config.history_schema
        self._copy.restore(schema, roles, now, (history_schema,))
        return f"{kept.path} is as the audit attests, and restores"

    def destroyed(self) -> Iterator[tuple[str, str]]:
        """What goes, as staging has seen it, with how many rows production has in it now."""
        names = list(dict.fromkeys(n for _, lost in self.proofs.values() for n in lost))
        tables = [table_of(name) for name in names]
        estimates = dict(self.connection.get().execute(_ROWS, (tables,)).fetchall())
        for name, table in zip(names, tables, strict=True):
            rows = estimates.get(table)
            known = f"about {rows:,}" if rows is not None else "nobody has counted the"
            yield name, f" ({known} rows in its table)"

    def _described(self, file: SqlFile) -> str:
        if file in self.work.drops:
            return f"{file.path}: what it makes is dropped"
        if file in self.work.restored:
            return f"{file.path}: back to its earlier text"
        return f"{file.path}: undoes {file.undoes}"

    def _losses(self) -> Iterator[str]:
        for file in self.work.rollbacks:
            if file.path not in self.proofs:
                yield f"what is not known: no staging run has tried {file.path} as it is"
        known = list(self.destroyed())
        yield from (f"{name}{about}" for name, about in known)
        if not known and len(self.proofs) == len(self.work.rollbacks):
            yield "nothing, as staging has seen"


# Neither reads a row: what ANALYZE has counted, else what the statistics of use add up to.
_ROWS = """
SELECT t.name, CASE WHEN c.reltuples >= 0 THEN c.reltuples::int8
                    ELSE nullif(pg_catalog.pg_stat_get_live_tuples(c.oid), 0) END
FROM pg_catalog.unnest(%s::text[]) AS t (name)
JOIN pg_catalog.pg_class AS c ON c.oid = pg_catalog.to_regclass(t.name)"""


def _told(fault: Difference) -> str:
    if fault.change in _WORDS:
        return f"{_WORDS[fault.change]} in the backup of before the promotion"
    return f"is not as in the backup: now → backup: {fault.told}"
