"""What an index keeps of an audit: who, what and when, without its steps."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_housekeeping.evidence.schema_states import SchemaStates
from pytest_housekeeping.model import Kind, Level, Outcome, Phase

if TYPE_CHECKING:
    from pytest_housekeeping.evidence.model.audit import Audit

_FILES = (Kind.MIGRATION, Kind.VIEW, Kind.POLICY, Kind.SEED, Kind.ROLLBACK)
# Of the steps that did not pass, and of the objects that were changed past the files.
_SHOWN = 20
_STRONGEST = "AccessExclusiveLock"
_DRIFT = f"{Phase.PRECHECK}::drift"


@dataclass(frozen=True, kw_only=True, slots=True)
class EntryFile:
    """A file of the plan, how its step ended, and whether a COMMIT behind it was answered."""

    path: str
    kind: str
    sha256: str
    outcome: str
    is_in: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class EntryObject:
    """An object that the batch makes, changes or drops, in the database or on the copy alone."""

    object: str
    kind: str
    change: str
    is_in: bool

    @property
    def told(self) -> str:
        where = "" if self.is_in else " (on the copy)"
        return f"{self.change} {self.kind} {self.object}{where}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Kept:
    """A file beside the audit, by its path from the project's folder."""

    path: str
    sha256: str


@dataclass(frozen=True, kw_only=True, slots=True)
class EntryTarget:
    """The database: its name in the settings, and where and what the run has found it to be."""

    name: str
    host: str
    port: int
    database: str
    server_version: str
    system_identifier: str

    @property
    def named(self) -> str:
        return f"{self.name}: {self.database} on {self.host}:{self.port}"

    @property
    def identity(self) -> tuple[str, str]:
        """What is the same of it under whatever address."""
        return self.system_identifier, self.database


@dataclass(frozen=True, kw_only=True, slots=True)
class Drift:
    """What the run said of changes past the files since the promotion before it: what its step
    said, how that ended, and the objects."""

    outcome: str = ""
    said: str = ""
    objects: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class RunEntry:
    """A run, as its audit tells it. Moments are ISO 8601 in UTC; what is empty is not known."""

    run: str
    mode: str
    outcome: str
    started_at: str
    finished_at: str
    actor: str
    ci_url: str
    tool_version: str
    message: str
    emergency: str
    reverts: str
    commit: str
    branch: str
    target: EntryTarget | None
    plan: str
    bound: str
    second_person: str
    approvers: tuple[str, ...]
    files: tuple[EntryFile, ...]
    objects: tuple[EntryObject, ...]
    tests: tuple[tuple[str, int], ...]
    failed: tuple[str, ...]
    findings: tuple[tuple[str, int], ...]
    risk: tuple[str, ...]
    way_back: tuple[str, ...]
    proved_by: tuple[str, ...]
    schema: SchemaStates
    drift: Drift
    before: Kept | None
    after: Kept | None
    report: str
    changed: bool
    opens_review: bool


def entry_of(audit: Audit, proved_by: tuple[str, ...]) -> RunEntry:
    """What an index tells of a run; ``proved_by`` are the audits that its plan was proved by."""
    run, bound, snapshot = audit.run, audit.bound, audit.snapshot
    inside = audit.segments_in
    names = tuple(each.approver for each in bound.approvals)
    # `promoted` of staging has changed a throwaway server.
    changes = run.mode in ("prod", "rollback") and run.outcome.startswith("promoted")
    return RunEntry(
        run=run.id,
        mode=run.mode,
        outcome=run.outcome,
        started_at=f"{run.started_at:%Y-%m-%dT%H:%M:%SZ}",
        finished_at=f"{run.finished_at:%Y-%m-%dT%H:%M:%SZ}",
        actor=run.actor,
        ci_url=run.ci_url,
        tool_version=run.tool_version,
        message=run.message,
        emergency=run.emergency,
        reverts=run.reverts,
        commit=audit.source.commit or "",
        branch=audit.source.branch or "",
        target=_target(audit),
        plan=audit.plan.digest,
        bound=bound.digest,
        second_person=bound.second_person,
        approvers=names,
        files=tuple(_files(audit, inside)),
        objects=tuple(
            EntryObject(
                object=each.object, kind=each.kind, change=each.change, is_in=each.segment in inside
            )
            for each in audit.changes
        ),
        tests=tuple(sorted(Counter(str(step.outcome) for step in audit.steps).items())),
        failed=tuple(s.id for s in audit.steps if s.outcome is Outcome.FAILED)[:_SHOWN],
        findings=tuple(sorted(Counter(str(each.level) for each in audit.findings).items())),
        risk=tuple(_risk(audit)),
        way_back=audit.way_back,
        proved_by=proved_by,
        schema=SchemaStates(**snapshot.fingerprint.model_dump()),
        drift=_drift(audit),
        before=Kept(**snapshot.before.model_dump()) if snapshot.before else None,
        after=Kept(**snapshot.after.model_dump()) if snapshot.after else None,
        report=next((each.path for each in audit.artifacts if each.path.endswith(".html")), ""),
        changed=changes,
        opens_review=audit.opens_review,
    )


def _target(audit: Audit) -> EntryTarget | None:
    target = audit.target
    if target is None:
        return None
    return EntryTarget(
        name=audit.run.target,
        host=target.host,
        port=target.port,
        database=target.database,
        server_version=target.server_version,
        system_identifier=target.system_identifier,
    )


def _files(audit: Audit, inside: frozenset[int]) -> list[EntryFile]:
    """Each file of the batch once: of its steps, the one that counts most is the last."""
    outcomes = {step.id: step.outcome for step in audit.steps}
    found: dict[str, EntryFile] = {}
    for step in audit.plan.steps:
        # What rehearsals, proofs and round trips do with a file is no application of it.
        if step.path and step.kind in _FILES and step.phase in (Phase.APPLY, Phase.SEED):
            found[step.path] = EntryFile(
                path=step.path,
                kind=step.kind,
                sha256=step.sha256,
                outcome=outcomes.get(step.id, Outcome.SKIPPED),
                is_in=step.segment in inside,
            )
    return list(found.values())


def _risk(audit: Audit) -> list[str]:
    """What the rehearsal has seen that others would notice, a line each."""
    told = []
    for batch in audit.batch:
        told += [f"{gone.how} {gone.kind} {gone.object}" for gone in batch.destroyed]
        told += [f"{name} rewritten" for name in batch.rewritten]
        strong = sorted({lock.relation for lock in batch.locks if lock.mode == _STRONGEST})
        told += [f"locked for readers and writers: {', '.join(strong[:_SHOWN])}"] if strong else []
    told += [f"strong locks held for {audit.run.locks_held_s} s"] if audit.run.locks_held_s else []
    graver = Counter(each.level for each in audit.findings if each.level is not Level.NOTICE)
    return told + [f"findings: {count} {level}" for level, count in sorted(graver.items())]


def _drift(audit: Audit) -> Drift:
    step = next((each for each in audit.steps if each.id == _DRIFT), None)
    if step is None:
        return Drift()
    objects = [f"{each.object}: {each.detail}" for each in audit.findings if each.rule == "drift"]
    return Drift(outcome=step.outcome, said=step.message, objects=tuple(objects))
