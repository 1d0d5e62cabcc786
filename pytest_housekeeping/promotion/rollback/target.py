"""A promotion undone: production as a rollback meets it, and what has to hold before its COMMIT."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_housekeeping.checks.rollbacks import table_of
from pytest_housekeeping.declarations.settings import load_config
from pytest_housekeeping.errors import ProofFailed
from pytest_housekeeping.evidence.git import open_repository
from pytest_housekeeping.model import Applied, Finding, Kind, Level, Step, Verdict
from pytest_housekeeping.plan.rollback_files import DESTROYS, migration_of, rollback_of
from pytest_housekeeping.plan.rollback_plan import Work, build_undo, files_by_step
from pytest_housekeeping.plan.test_discovery import TestNames
from pytest_housekeeping.postgres import history
from pytest_housekeeping.postgres.connection import Connection, locate
from pytest_housekeeping.postgres.history import Row
from pytest_housekeeping.promotion.applied import proved_rollbacks
from pytest_housekeeping.promotion.context import source_of
from pytest_housekeeping.promotion.prechecks import Judgement
from pytest_housekeeping.promotion.production.target import Production, past_of, refuse_unattested
from pytest_housekeeping.promotion.production.target_address import (
    closed_on_failure,
    open_production,
    read_address,
)
from pytest_housekeeping.promotion.rollback.selection import Reverted, backup_of, find_reverted
from pytest_housekeeping.promotion.rollback.work import contracts_of, gather_work
from pytest_housekeeping.snapshot import open_bench
from pytest_housekeeping.snapshot.difference import Change, Difference, diff
from pytest_housekeeping.snapshot.dump import dump_schema
from pytest_housekeeping.snapshot.proof import compare
from pytest_housekeeping.snapshot.proposal import proposal_text, propose
from pytest_housekeeping.snapshot.restore import Copy, restored
from pytest_housekeeping.snapshot.roles import dump_roles
from pytest_housekeeping.sql import file as sqlfile
from pytest_housekeeping.sql.file import SqlFile

if TYPE_CHECKING:
    from pytest_housekeeping.declarations.rules import Rule
    from pytest_housekeeping.evidence.audit_model import Audit

# The schema of now was expected, and the backup's was found.
_WORDS = {Change.REMOVED: "is there, and was not", Change.ADDED: "is gone, and was there"}


@dataclass(kw_only=True)
class Rollback(Production):
    """The surroundings of a rollback, with the backup of before restored, to compare with."""

    reverted: Reverted
    work: Work
    texts: Mapping[str, str]
    proofs: Mapping[str, tuple[str, tuple[str, ...]]]
    changes: tuple[Difference, ...] = ()
    _by_step: dict[str, SqlFile] = field(default_factory=dict)
    _open: ExitStack = field(default_factory=ExitStack)
    _copy: Copy | None = None
    _before: bytes = b""

    def __post_init__(self) -> None:
        self._by_step = files_by_step(self.plan)

    @property
    def reverts(self) -> str:
        return self.reverted.run

    def file(self, step: Step) -> SqlFile:
        return self._by_step[step.id]

    def text(self, file: SqlFile) -> str:
        known = self.texts.get(file.sha256)
        return super().text(file) if known is None else known

    @property
    def today(self) -> date:
        """The day on which the schema that is gone back to was promoted: its exemptions held."""
        return self.reverted.audit.run.started_at.date()

    @property
    def reverted_audits(self) -> tuple[Audit, ...]:
        return tuple(self.reverted.audits[run] for run in self.reverted.runs)

    @property
    def schema_changes(self) -> tuple[str, ...]:
        return tuple(f"{change.change} {change.name}" for change in self.changes)

    def proposal(self) -> str:
        """Made of the backup and of the schema as it is, where rollback files are missing."""
        if not self.work.missing or not self._before:
            return ""
        now = dump_schema(self.address.conninfo(), server_major=self.major)
        proposed = propose(self._before.decode(errors="replace"), now.decode(errors="replace"))
        return proposal_text(
            proposed,
            run=self.reverted.run,
            migrations=self.work.missing,
            folder=f"{self.config.sql}/{sqlfile.FOLDERS[Kind.ROLLBACK]}",
        )

    def close(self) -> None:
        self._open.close()
        super().close()

    def announcement(self) -> list[str]:
        """What will be undone, in which order, and what goes with it: before anything is."""
        audits = self.reverted.audits
        lines = ["this rollback undoes, the newest first:"]
        for run in self.reverted.runs:
            audit, commit = audits[run], (audits[run].source.commit or "")[:12]
            lines.append(
                f"  promotion {run} of {audit.run.finished_at:%Y-%m-%d %H:%M} UTC, by"
                f" {audit.run.actor or 'somebody unnamed'}, commit {commit}"
            )
        lines += [f"    {self._said(file)}" for file in self.plan.files]
        lines += [f"    {path}: NO ROLLBACK FILE, nothing will run" for path in self.work.missing]
        lines += ["  and destroys:", *(f"    {each}" for each in self._losses())]
        return lines

    def _said(self, file: SqlFile) -> str:
        if file in self.work.drops:
            return f"{file.path}: what it makes is dropped"
        if file in self.work.restored:
            return f"{file.path}: back to its earlier text"
        return f"{file.path}: undoes {migration_of(file.path)}"

    def _losses(self) -> Iterator[str]:
        for file in self.work.rollbacks:
            if file.path not in self.proofs:
                yield f"what is not known: no staging run has tried {file.path} as it is"
        known = list(self.destroyed())
        yield from (f"{name}{about}" for name, about in known)
        if not known and len(self.proofs) == len(self.work.rollbacks):
            yield "nothing, as staging has seen"

    def destroyed(self) -> Iterator[tuple[str, str]]:
        """What goes, as staging has seen it, with how many rows production has in it now."""
        names = list(dict.fromkeys(n for _, lost in self.proofs.values() for n in lost))
        tables = [table_of(name) for name in names]
        rows = self.migrator().execute(_ROWS, (tables,)).fetchall()
        estimates = dict(rows)
        for name, table in zip(names, tables, strict=True):
            rows_now = estimates.get(table)
            known = f"about {rows_now:,}" if rows_now is not None else "nobody has counted the"
            yield name, f" ({known} rows in its table)"

    def precheck(self, name: str) -> tuple[Verdict, str]:
        check = _CHECKS.get(name)
        return check(self) if check else super().precheck(name)

    # -- what is proved ----------------------------------------------------------------------

    def restore_backup(self) -> str:
        """The schema of before the promotion, restored on a server of its own, to compare with.

        Raises EvidenceError for a backup that is gone or edited, BackupNotProved for one that does
        not restore.
        """
        kept = self.reverted.audit.snapshot.before
        if kept is None or self.repository is None:
            raise ProofFailed(
                f"run {self.reverted.run} kept no backup of before it",
                why="nobody could say whether the schema has come back to what it was",
            )
        schema, roles = backup_of(self.config, self.repository, kept)
        self._before = schema
        now = self.fingerprint()
        extensions = frozenset(
            entry.name.removeprefix("extension ")
            for entry in now.entries
            if entry.name.startswith("extension ")
        )
        bench = open_bench(self.major, extensions)
        self._open.callback(bench.close)
        roles = dump_roles(self.migrator()) if roles is None else roles
        self._copy = self._open.enter_context(restored(bench, schema, roles, now))
        return f"{kept.path} is as the audit attests, and restores"

    def judge_undone(self, connection: Connection) -> Verdict:
        """Inside the transaction: the schema is the backup's, or differs as it was accepted to."""
        if self._copy is None:
            raise ProofFailed("the backup was not restored", why="there is nothing to compare with")
        now = self.read_fingerprint(connection)
        faults, proof = compare(self._copy, now)
        self.changes = diff(self.fingerprint(), now)
        accepted = self.accepted_drift == now.digest
        findings = tuple(
            Finding(
                rule="rollback-differs",
                level=Level.NOTICE if accepted else Level.ERROR,
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

    def before_commit(
        self, connection: Connection, applied: Sequence[tuple[SqlFile, Applied]], segment: int
    ) -> None:
        """What was taken back, on record: of views and policies, when their older text is back."""
        commit = self.source.commit or ""
        rows = [
            replace(
                history.row_of(file, done, run=self.run_id, commit=commit),
                path=migration_of(file.path),
            )
            for file, done in applied
            if file in self.work.rollbacks
        ]
        dropped = {file.path for file, _ in applied}
        back = {file.path for file in self.work.restored}
        rows += [
            Row(run=self.run_id, path=row.path, kind=Kind.ROLLBACK, sha256="", commit=commit)
            for row in self.reverted.rows
            if row.kind != Kind.MIGRATION
            and (self.is_last(segment) if row.path in back else row.path in dropped)
        ]
        history.record(connection, self.config.history_schema, rows)
        self.remember(connection, segment)


# Neither reads a row: what ANALYZE has counted, else what the statistics of use add up to.
_ROWS = """
SELECT t.name, CASE WHEN c.reltuples >= 0 THEN c.reltuples::int8
                    ELSE nullif(pg_catalog.pg_stat_get_live_tuples(c.oid), 0) END
FROM pg_catalog.unnest(%s::text[]) AS t (name)
JOIN pg_catalog.pg_class AS c ON c.oid = pg_catalog.to_regclass(t.name)"""


def _promotion(around: Rollback) -> Judgement:
    """Each migration has a file that undoes it, and the backup of before is whole and restores."""
    findings = tuple(
        Finding(
            rule="rollback-missing",
            level=Level.ERROR,
            object=path,
            detail=f"has no {rollback_of(path)}, and nothing is undone by guessing",
            fix="review and complete the proposal beside the incident report, commit it under this"
            " name, prove it in staging, and run again",
        )
        for path in around.work.missing
    )
    said = around.restore_backup()
    verdict = Verdict(examined=len(around.reverted.rows), unit="files", findings=findings)
    return verdict, f"undoes {', '.join(around.reverted.runs)}; {said}"


def _evidence(around: Rollback) -> Judgement:
    """A committed staging audit has seen each rollback file undo its migration, on data."""
    unproved = [file for file in around.work.rollbacks if file.path not in around.proofs]
    required = around.config.require_staging_evidence
    findings = [
        Finding(
            rule="rollback-unproved",
            level=Level.ERROR if required else Level.WARNING,
            object=file.path,
            detail="no committed staging audit has seen it undo its migration as it is now",
            fix="run pytest --hk-mode=staging on this commit",
        )
        for file in unproved
    ]
    findings += [
        Finding(rule=DESTROYS, level=Level.NOTICE, object=name, detail=f"is destroyed{about}")
        for name, about in around.destroyed()
    ]
    audits = sorted({name for name, _ in around.proofs.values()})
    verdict = Verdict(
        examined=max(1, len(around.work.rollbacks)), unit="files", findings=tuple(findings)
    )
    return verdict, f"proved by {', '.join(audits)}" if audits else "nothing was tried in staging"


_CHECKS: dict[str, Callable[[Rollback], Judgement]] = {
    "promotion": _promotion,
    "evidence": _evidence,
}


def _told(fault: Difference) -> str:
    if fault.change in _WORDS:
        return f"{_WORDS[fault.change]} in the backup of before the promotion"
    return "\n    ".join(("is not as in the backup (- now, + backup)", *fault.lines))


def prepare_rollback(
    root: Path,
    *,
    to: str,
    tests: TestNames,
    rules: Iterable[Rule] = (),
    segments: int | None = None,
    accepted_drift: str | None = None,
    commit: bool = True,
    look_only: bool = False,
) -> Rollback:
    """Connect, find what is to be undone, and plan it. Nothing is changed.

    Raises MisuseError, and says why, where ``to`` names nothing that could be undone, and for what
    is uncommitted; EvidenceError for an audit or a backup that cannot be trusted.
    """
    config = load_config(root)
    address = read_address(os.environ)
    repository = open_repository(root)
    source = source_of(config, repository)
    refuse_unattested(source)
    connection = open_production(address)
    with closed_on_failure(connection, address):
        target = locate(connection)
        rows = history.recorded(connection, config.history_schema)
        reverted = find_reverted(config, repository, rows, to, target)
        work, texts = gather_work(config, repository, connection, reverted)
        contracts, verify = contracts_of(config, repository, reverted, tests, rules)
        plan = build_undo(
            config, work, past=past_of(history.in_effect(rows)), contracts=contracts, verify=verify
        )
        proofs = proved_rollbacks(repository, config.root / config.audit, work.rollbacks)
        major = connection.info.server_version // 10000
        bench = None if look_only else open_bench(major)
    return Rollback(
        config=config,
        plan=plan,
        source=source,
        repository=repository,
        commit=commit,
        secrets=(address.password,),
        bench=bench,
        address=address,
        acknowledged_segments=segments,
        accepted_drift=accepted_drift,
        reverted=reverted,
        work=work,
        texts=texts,
        proofs=proofs,
        _migrator=connection,
        _target=target,
    )
