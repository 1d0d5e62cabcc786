"""The precheck of the tool's own tables: their shape, their rows, and what the evidence attests."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_housekeeping.config import Config
from pytest_housekeeping.errors import named
from pytest_housekeeping.evidence import Repository
from pytest_housekeeping.evidence.git.objects import fetch_fix
from pytest_housekeeping.evidence.plain_audit import plain_audit, target_of
from pytest_housekeeping.evidence.run_outcomes import CHANGED
from pytest_housekeeping.model import Finding, Kind, Level, Mode, Outcome, Phase, TargetIdentity
from pytest_housekeeping.plan.pending import FILES
from pytest_housekeeping.postgres.connection import Connection
from pytest_housekeeping.postgres.own_tables import history
from pytest_housekeeping.postgres.own_tables.catalog import Planned
from pytest_housekeeping.postgres.own_tables.guard import content_faults
from pytest_housekeeping.postgres.own_tables.shape import misfits
from pytest_housekeeping.promotion.context import RunContext
from pytest_housekeeping.promotion.prechecks.shared import error
from pytest_housekeeping.promotion.repository.applied import committed_segments
from pytest_housekeeping.promotion.repository.intact_audits import intact_audits
from pytest_housekeeping.promotion.repository.other_names import Database, otherwise_named
from pytest_housekeeping.sql.layouts.undone import migration_key, undone_by

if TYPE_CHECKING:
    from pytest_housekeeping.evidence.model.audit import Audit

_SHOWN = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class Attested:
    """A file that an audit says was applied to this database, or taken back from it."""

    run: str
    path: str
    sha256: str


def shape_findings(
    context: RunContext, connection: Connection, planned: Planned = Planned.NOT
) -> list[Finding]:
    """What is not as the tool has made it, with the SQL that repairs it."""
    return [
        error(each.rule, each.object, each.said, each.fix)
        for each in misfits(
            connection,
            context.config.history_schema,
            applications=context.plan.contracts.roles,
            promoter=context.promoter,
            planned=planned,
        )
    ]


def own_table_findings(
    context: RunContext,
    connection: Connection,
    identity: TargetIdentity,
    *,
    has_shape: bool,
) -> list[Finding]:
    """All that is wrong with shape and rows, and what the evidence says and the history does not.
    That it ``has_shape`` somebody else has shown.

    A run that no audit here knows is only said: its pull request may not be merged yet. Raises
    EvidenceError for an audit of this database that was altered.
    """
    schema = context.config.history_schema
    found = [] if has_shape else shape_findings(context, connection, Planned.NOW)
    found += (
        error(
            "history-chain",
            fault.row,
            fault.said,
            f"find out who has changed {schema}.history and {schema}.promotion, and bring their"
            " rows back from a backup",
        )
        for fault in content_faults(connection, schema)
    )
    if context.repository is not None:
        found += evidence_findings(context.config, context.repository, connection, identity)
    return found


def evidence_findings(
    config: Config, repository: Repository, connection: Connection, identity: TargetIdentity
) -> list[Finding]:
    """What the evidence says of this database and its history does not, and the other way round.

    Raises EvidenceError for an audit of this database that was altered.
    """
    schema = config.history_schema
    rows = history.recorded(connection, schema)
    place = repository.relative(config.root / config.audit)
    accepted = config.accepted_evidence_faults
    audits, runs = audits_of(repository, place, identity, accepted)
    unknown = tuple(dict.fromkeys(row.run for row in rows if row.run not in runs))
    here = Database(target=config.target, identity=identity, runs=unknown)
    place = f"{identity.host}:{identity.port}/{identity.database}"
    named = [
        error("wrong-target", place, said, fix)
        for told in otherwise_named(config, repository, [here]).values()
        for said, fix in told
    ]
    return [*_missing(schema, audits, rows), *(named or _unattested(unknown, repository))]


def audits_of(
    repository: Repository, folder: str, identity: TargetIdentity, accepted: Iterable[str] = ()
) -> tuple[list[Audit], frozenset[str]]:
    """The audits of what changed this database, and the runs of all that tried to.

    Raises EvidenceError for one that was altered and that ``accepted`` does not name.
    A file that cannot be read is left to the proof of the evidence, which names it.
    """
    found = list(repository.changes_on_record(folder))
    runs: set[str] = set()
    changed = []
    for name, data in found:
        known = plain_audit(data)
        if known is None or target_of(known) != (identity.system_identifier, identity.database):
            continue
        runs.add(str(known["run"].get("id")))
        if known["run"].get("outcome") in CHANGED:
            changed.append((name, data))
    return list(intact_audits(repository, changed, accepted)) if changed else [], frozenset(runs)


def attested_by(audit: Audit) -> Iterator[Attested]:
    """The files that a run has applied, or taken back, in segments whose COMMIT was answered."""
    planned = {step.id: step for step in audit.plan.steps}
    segments = committed_segments(audit)
    for step in audit.steps:
        plan = planned.get(step.id)
        if (
            plan is None
            or step.segment not in segments
            or step.outcome is not Outcome.PASSED
            or step.phase is not Phase.APPLY
        ):
            continue
        if audit.run.mode is not Mode.ROLLBACK:
            if step.kind in FILES:
                yield Attested(run=audit.run.id, path=plan.path, sha256=plan.sha256)
        elif step.kind is Kind.ROLLBACK and undone_by(plan.path) != plan.path:
            yield Attested(run=audit.run.id, path=migration_key(plan.path), sha256=plan.sha256)


def _missing(
    schema: str, audits: Sequence[Audit], rows: Sequence[history.Row]
) -> Iterator[Finding]:
    """A run whose files are not in the history, by its name."""
    there = {(row.run, migration_key(row.path), row.sha256) for row in rows}
    for audit in audits:
        lost = [
            each.path
            for each in attested_by(audit)
            if (each.run, migration_key(each.path), each.sha256) not in there
        ]
        if lost:
            yield error(
                "history-missing",
                f"run {audit.run.id}",
                f"the evidence of {audit.run.finished_at:%Y-%m-%d %H:%M} UTC says that it applied"
                f" or took back {named(lost, _SHOWN)} here, and the history has no such"
                " row with that sha256",
                f"bring schema {schema} back from a backup; it may bear another name now. Where the"
                " whole database was set back to an earlier moment: python -m pytest_housekeeping"
                " docs evidence says what to do",
            )


def _unattested(unknown: Sequence[str], repository: Repository) -> Iterator[Finding]:
    fetch = fetch_fix(repository) if unknown else ""
    for run in unknown:
        yield Finding(
            rule="history-unattested",
            level=Level.NOTICE,
            object=f"run {run}",
            detail="has rows in the history, and no audit here tells of it",
            fix=f"merge the pull request of its audit, or fetch it: {fetch}",
        )
