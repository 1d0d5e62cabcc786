"""What a run says of itself, in the names that the journal and the audit share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from pytest_housekeeping.model import Finding, Mode, Outcome, Step, StepResult, TargetIdentity

JOURNAL = ".journal.jsonl"


@dataclass(frozen=True, kw_only=True, slots=True)
class RunFacts:
    """Which run this is; ``started_at`` is aware, ``actor`` and ``ci_url`` may be unknown."""

    id: str
    mode: Mode
    started_at: datetime
    tool_version: str
    actor: str = ""
    ci_url: str = ""
    reverts: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceFacts:
    """The commit that is promoted, or the ``reason`` why there is none, and the paths below
    ``sql/`` and ``checks/`` that differ from it."""

    commit: str | None = None
    branch: str | None = None
    dirty: tuple[str, ...] = ()
    reason: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """All that is known before the first step runs. ``digest`` is the plan's."""

    run: RunFacts
    source: SourceFacts
    digest: str
    steps: tuple[Step, ...]
    segments: int = 1


class Named(Protocol):
    """A run, as the facts or the audit describe it."""

    @property
    def id(self) -> str: ...
    @property
    def mode(self) -> Mode: ...
    @property
    def started_at(self) -> datetime: ...


def stem(run: Named) -> str:
    """What the names of a run's files begin with: ``<mode>_<UTC>_<run>``."""
    return f"{run.mode}_{run.started_at.astimezone(UTC):%Y%m%dT%H%M%SZ}_{run.id}"


def opening(facts: Facts) -> dict[str, Any]:
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
        },
        "source": {
            "commit": source.commit,
            "branch": source.branch,
            "dirty": bool(source.dirty),
            "dirty_paths": list(source.dirty),
        },
        "plan": {
            "digest": facts.digest,
            "segments": facts.segments,
            "steps": [planned(step) for step in facts.steps],
        },
    }


def planned(step: Step) -> dict[str, Any]:
    return {
        "id": step.id,
        "phase": step.phase.value,
        "kind": step.kind.value,
        "path": step.path,
        "sha256": step.sha256,
        "segment": step.segment,
    }


def recorded(result: StepResult) -> dict[str, Any]:
    """One entry of ``steps``; its findings are listed apart."""
    step = result.step
    return {
        "id": step.id,
        "phase": step.phase.value,
        "kind": step.kind.value,
        "segment": step.segment,
        "outcome": result.outcome.value,
        "duration_s": seconds(result.duration_s),
        "examined": result.examined,
        "message": result.message,
        "statements": result.statements,
        "rows": result.rows,
        "locks": [{"relation": lock.relation, "mode": lock.mode} for lock in result.locks],
    }


def found(finding: Finding, step: str) -> dict[str, Any]:
    return {
        "rule": finding.rule,
        "level": finding.level.value,
        "object": finding.object,
        "detail": finding.detail,
        "fix": finding.fix,
        "leak": finding.leak,
        "step": step,
    }


def where(target: TargetIdentity) -> dict[str, Any]:
    return {
        "host": target.host,
        "port": target.port,
        "database": target.database,
        "user": target.user,
        "server_version": target.server_version,
        "system_identifier": target.system_identifier,
    }


def with_gaps(
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


def seconds(duration: float) -> float:
    """To the tenth of a millisecond: shorter, and never in exponential notation."""
    return round(duration, 4)
