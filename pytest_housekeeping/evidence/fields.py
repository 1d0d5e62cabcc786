"""The JSON fields that the journal and the audit share, each written in one place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pytest_housekeeping.evidence.bound import Bound
from pytest_housekeeping.evidence.compared_findings import Compared
from pytest_housekeeping.evidence.production_now import ProductionNow
from pytest_housekeeping.evidence.run_facts import StartFacts
from pytest_housekeeping.model import (
    Finding,
    LockConflict,
    Outcome,
    Step,
    StepResult,
    TargetIdentity,
)

if TYPE_CHECKING:
    from pytest_housekeeping.postgres.batch_facts import BatchFacts
    from pytest_housekeeping.postgres.clone_facts import CloneFacts


def start_fields(facts: StartFacts) -> dict[str, Any]:
    """The parts ``run``, ``source`` and ``plan`` of an audit, as far as they are known."""
    run, source = facts.run, facts.source
    return {
        "run": {
            "id": run.id,
            "mode": run.mode.value,
            "started_at": run.started_at.astimezone(UTC).isoformat(),
            "tool_version": run.tool_version,
            "actor": run.actor,
            "ci_url": run.ci_url,
            "reverts": run.reverts,
            "emergency": run.emergency,
            "target": run.target,
        },
        "source": {
            "commit": source.commit,
            "branch": source.branch,
            "dirty": bool(source.dirty),
            "dirty_paths": list(source.dirty),
            "url": source.url,
            "change_url": source.change_url,
            "code": [{"path": file.path, "sha256": file.sha256} for file in source.code],
            "tools": [{"name": tool.name, "version": tool.version} for tool in source.tools],
        },
        "plan": {
            "digest": facts.digest,
            "segments": facts.segments,
            "steps": [planned_step_fields(step) for step in facts.steps],
        },
    }


def planned_step_fields(step: Step) -> dict[str, Any]:
    """One entry of ``plan.steps``."""
    return {
        "id": step.id,
        "phase": step.phase.value,
        "kind": step.kind.value,
        "path": step.path,
        "sha256": step.sha256,
        "segment": step.segment,
    }


def step_fields(result: StepResult) -> dict[str, Any]:
    """One entry of ``steps``; its findings are listed apart."""
    step = result.step
    return {
        "id": step.id,
        "phase": step.phase.value,
        "kind": step.kind.value,
        "segment": step.segment,
        "outcome": result.outcome.value,
        "duration_s": rounded_s(result.duration_s),
        "examined": result.examined,
        "message": result.message,
        "statements": result.statements,
        "rows": result.rows,
        "locks": [{"relation": lock.relation, "mode": lock.mode} for lock in result.locks],
        "proved_on": step.proved_on.value,
        "coverage": list(result.coverage),
        "shown_at": result.shown_at,
        "exempted": [asdict(each) for each in result.exempted],
    }


def finding_fields(finding: Finding, step: str) -> dict[str, Any]:
    """One entry of ``findings``, with the id of the step that saw it."""
    return {
        "rule": finding.rule,
        "level": finding.level.value,
        "object": finding.object,
        "detail": finding.detail,
        "fix": finding.fix,
        "leak": finding.leak,
        "role": finding.role,
        "because": finding.because,
        "step": step,
    }


def compared_fields(compared: Compared) -> dict[str, Any]:
    """The ``compared``; what it says of each finding stands there."""
    known = asdict(compared)
    known.pop("since")
    return known


def conflict_fields(conflict: LockConflict) -> dict[str, Any]:
    """One entry of ``lock_conflicts``."""
    return {
        "step": conflict.step,
        "number": conflict.number,
        "at": conflict.at.astimezone(UTC).isoformat(),
        "found": conflict.found,
        "in_the_way": list(conflict.in_the_way),
    }


def change_fields(facts: BatchFacts) -> list[dict[str, Any]]:
    """The entries of ``changes`` that a segment brings."""
    return [{"segment": facts.segment, **asdict(change)} for change in facts.changes]


def batch_fields(facts: BatchFacts) -> dict[str, Any]:
    """One entry of ``batch``."""
    known = asdict(facts)
    known.pop("changes")
    said = ({"step": each.step, **asdict(each.message)} for each in facts.messages)
    return {**known, "messages": list(said)}


def production_fields(now: ProductionNow) -> dict[str, Any]:
    """The ``production``."""
    return {**asdict(now), "looked_s": rounded_s(now.looked_s)}


def clone_fields(facts: CloneFacts) -> dict[str, Any]:
    """The ``clone``, where there was one."""
    known = asdict(facts)
    known["deferred_s"] = rounded_s(facts.deferred_s)
    for file in known["files"]:
        for each in (file, *file["statements"]):
            each["duration_s"] = rounded_s(each["duration_s"])
    return known


def bound_fields(bound: Bound) -> dict[str, Any]:
    """The ``bound``."""
    return {
        "digest": bound.digest,
        "planned": bound.planned,
        "second_person": bound.second_person.value,
        "approvals": [
            {
                "approver": each.approver,
                "commit": each.commit,
                "at": each.at.astimezone(UTC).isoformat(),
            }
            for each in bound.approvals
        ],
        "schema_before": bound.schema_before,
        "schema_after": bound.schema_after,
    }


def target_fields(target: TargetIdentity) -> dict[str, Any]:
    """The ``target``."""
    return {
        "host": target.host,
        "port": target.port,
        "database": target.database,
        "user": target.user,
        "server_version": target.server_version,
        "system_identifier": target.system_identifier,
        "timeline": target.timeline,
    }


def with_skipped_steps(
    plan: Sequence[dict[str, Any]], steps: Sequence[dict[str, Any]], reason: str
) -> list[dict[str, Any]]:
    """The recorded steps in the order of the plan; a planned one without a record is skipped."""
    position = {step["id"]: number for number, step in enumerate(plan)}
    known = {step["id"] for step in steps}
    missing = [
        {
            "id": step["id"],
            "phase": step["phase"],
            "kind": step["kind"],
            "segment": step["segment"],
            "outcome": Outcome.SKIPPED.value,
            "duration_s": 0.0,
            "message": reason,
        }
        for step in plan
        if step["id"] not in known
    ]
    return sorted([*steps, *missing], key=lambda step: position.get(step["id"], len(plan)))


def end_fields(began: datetime, ended: datetime) -> dict[str, Any]:
    """When a run ended, and what it took; a clock may go back while it lasts."""
    ended = max(began, ended)
    return {
        "finished_at": ended.astimezone(UTC).isoformat(),
        "duration_s": rounded_s((ended - began).total_seconds()),
    }


def rounded_s(seconds: float) -> float:
    """Seconds to the tenth of a millisecond: shorter, and never in exponential notation."""
    return round(seconds, 4)
