"""Make the audit, the record of a run. Importing this module imports pydantic."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from pytest_housekeeping.errors import EvidenceError
from pytest_housekeeping.evidence import fields
from pytest_housekeeping.evidence.bound import Bound
from pytest_housekeeping.evidence.chain import digest
from pytest_housekeeping.evidence.compared_findings import compared
from pytest_housekeeping.evidence.kinds import causes_of, kinds_of
from pytest_housekeeping.evidence.model.audit import (
    Artifact,
    Audit,
    Chain,
    first_fault,
)
from pytest_housekeeping.evidence.model.findings import FindingKindRecord
from pytest_housekeeping.evidence.plain_audit import SCHEMA_VERSION
from pytest_housekeeping.evidence.production_now import ProductionNow
from pytest_housekeeping.evidence.run_facts import StartFacts
from pytest_housekeeping.evidence.schema_states import SchemaStates
from pytest_housekeeping.evidence.secrets import Secrets
from pytest_housekeeping.model import (
    LockConflict,
    ProvedOn,
    RunOutcome,
    StepResult,
    TargetIdentity,
)

if TYPE_CHECKING:
    from pytest_housekeeping.postgres.batch_facts import BatchFacts
    from pytest_housekeeping.postgres.clone_facts import CloneFacts


def make_audit(
    facts: StartFacts,
    *,
    outcome: RunOutcome,
    finished_at: datetime,
    results: Sequence[StepResult],
    target: TargetIdentity | None = None,
    message: str = "",
    locks_held_s: float = 0.0,
    conflicts: Sequence[LockConflict] = (),
    bound: Bound | None = None,
    batch: Sequence[BatchFacts] = (),
    production: ProductionNow | None = None,
    clone: CloneFacts | None = None,
    before: Artifact | None = None,
    after: Artifact | None = None,
    after_of: ProvedOn = ProvedOn.NOWHERE,
    schema: SchemaStates | None = None,
    previous: str | None = None,
    earlier: tuple[Iterable[Mapping[str, Any]], str] = ((), ""),
    secrets: Secrets | None = None,
) -> Audit:
    """The sealed audit of a run. A planned step without a result is recorded as skipped.

    ``previous`` is the digest of the audit before; ``before`` and ``after`` are the snapshots, the
    latter ``after_of`` production or its copy, ``schema`` their digests; ``batch`` is what each
    segment was seen to do, ``production`` what it meets, ``clone`` what all of it did where there
    are rows; ``earlier`` the audits to hold the findings against, the newest first, and why there
    are none.
    Raises EvidenceError as ``seal`` does.
    """
    document = fields.start_fields(facts)
    document["run"] |= {
        "outcome": outcome.value,
        **fields.end_fields(facts.run.started_at, finished_at),
        "message": message,
        "locks_held_s": fields.rounded_s(locks_held_s),
    }
    document["target"] = fields.target_fields(target) if target else None
    document["steps"] = [fields.step_fields(result) for result in results]
    document["changes"] = [each for done in batch for each in fields.change_fields(done)]
    document["production"] = fields.production_fields(production or ProductionNow())
    document["clone"] = fields.clone_fields(clone) if clone else None
    document["batch"] = [fields.batch_fields(done) for done in batch]
    _add_findings(document, results, earlier)
    document["lock_conflicts"] = [fields.conflict_fields(each) for each in conflicts]
    document["bound"] = fields.bound_fields(bound) if bound else {}
    document["snapshot"] = _snapshot_fields(before, after, after_of, schema or SchemaStates())
    return seal(document | {"chain": {"previous": previous}}, secrets=secrets)


def _snapshot_fields(
    before: Artifact | None, after: Artifact | None, after_of: ProvedOn, schema: SchemaStates
) -> dict[str, Any]:
    return {
        "before": before.model_dump() if before else None,
        "after": after.model_dump() if after else None,
        "after_of": after_of.value,
        "fingerprint": asdict(schema),
    }


def _add_findings(
    document: dict[str, Any],
    results: Sequence[StepResult],
    earlier: tuple[Iterable[Mapping[str, Any]], str],
) -> None:
    """What the steps have found, and since when each of it has stood."""
    document["findings"] = [
        fields.finding_fields(finding, result.step.id)
        for result in results
        for finding in result.findings
    ]
    held = compared(document, *earlier)
    for finding, since in zip(document["findings"], held.since, strict=True):
        finding["since"] = since
    document["compared"] = fields.compared_fields(held)


def with_artifacts(audit: Audit, artifacts: Sequence[Artifact]) -> Audit:
    """The audit with the files that were written for its run, sealed again.

    The report is made from the audit, so what the audit says of it comes last.
    """
    named = audit.model_copy(update={"artifacts": tuple(artifacts)})
    chain = Chain(previous=audit.chain.previous, digest=digest(named))
    return named.model_copy(update={"chain": chain})


def seal(
    document: dict[str, Any],
    *,
    secrets: Secrets | None = None,
    reason: str = "no record: the step was never run",
) -> Audit:
    """Complete, redact and validate a document that has all but its digest, and digest it.

    ``reason`` is the message of the planned steps that have no record. Raises EvidenceError for a
    document that is no audit.
    """
    document = {"schema_version": SCHEMA_VERSION, **document}
    steps = fields.with_skipped_steps(document["plan"]["steps"], document["steps"], reason)
    document = _writable({**document, "steps": steps}, secrets or Secrets())
    try:
        audit = Audit.model_validate(document)
    except ValidationError as error:
        raise EvidenceError(
            f"the audit cannot be made: {first_fault(error)}",
            why="a record with a hole in it is no evidence",
            fix="report this with the journal of the run",
        ) from None
    audit = _put_together(audit)
    chain = Chain(previous=audit.chain.previous, digest=digest(audit))
    return audit.model_copy(update={"chain": chain})


def _put_together(audit: Audit) -> Audit:
    """With what each finding follows from, and the kinds of them."""
    causes = causes_of(audit.findings)
    findings = tuple(
        each.model_copy(update={"because": cause})
        for each, cause in zip(audit.findings, causes, strict=True)
    )
    kinds = tuple(
        FindingKindRecord(
            rule=kind.rule, level=kind.level, count=len(kind.findings), below=len(kind.below)
        )
        for kind in kinds_of(findings)
    )
    return audit.model_copy(update={"findings": findings, "finding_kinds": kinds})


def _writable(document: dict[str, Any], secrets: Secrets) -> dict[str, Any]:
    """The document without secrets, and without lone surrogates, which UTF-8 cannot hold."""
    text = json.dumps(document, ensure_ascii=False)
    if secrets.find(text):
        document = secrets.redact_all(document)
    try:
        text.encode()
    except UnicodeEncodeError:
        clean = json.dumps(document, ensure_ascii=False).encode(errors="replace")
        document = json.loads(clean)
    return document
