"""What a run has seen in production, and the promotion that a plan leads to, told to a person."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_housekeeping.config import PRODUCTION
from pytest_housekeeping.evidence.report.display import byte_size, plural
from pytest_housekeeping.model import Kind, Mode, Phase, RunOutcome

if TYPE_CHECKING:
    from pytest_housekeeping.evidence.model.audit import Audit
    from pytest_housekeeping.evidence.model.batch import (
        AppliedNowRecord,
        RelationNowRecord,
        WayBackRecord,
    )


def now_told(audit: Audit) -> dict[str, str]:
    """Of each relation that the batch touches: ``about 1,200,000 rows, 210 MB, 14 writes/s``."""
    return {each.relation: _relation(each) for each in audit.production.relations}


def rows_of(audit: Audit) -> dict[str, str]:
    """Of each of them ``about 1,200,000 rows``."""
    return {each.relation: _rows(each) for each in audit.production.relations}


def pending(audit: Audit) -> list[str]:
    """The files that are not applied, and in which transaction where there are several."""
    count = audit.plan.segments
    return [
        step.path + (f" (transaction {step.segment} of {count})" if count > 1 else "")
        for step in audit.plan.steps
        if step.phase is Phase.REHEARSE and step.kind is Kind.REHEARSAL and step.path
    ]


def applied_told(applied: AppliedNowRecord) -> str:
    """``sql/migrations/0001_x.sql, 2027-01-02 03:04:05+00 by promoter, commit 0123456789ab``."""
    commit = f", commit {applied.commit[:12]}" if applied.commit else ""
    at = applied.at.partition(".")[0]
    return f"{applied.path}{f', {at}' if at else ','} by {applied.by}{commit}"


def promotion_options(audit: Audit) -> dict[str, str]:
    """What a promotion of exactly what was planned is given, by the names of a workflow's inputs.

    Empty where nothing is to be promoted, and where another tool applies the files.
    """
    if any(not each.run for each in audit.production.applied):
        return {}
    planned = audit.run.mode is Mode.PLAN and audit.run.outcome is RunOutcome.PLANNED
    if not planned or not audit.bound.digest:
        return {}
    options = {} if audit.run.target == PRODUCTION else {"target": audit.run.target}
    options |= {"plan": audit.bound.digest}
    options |= {"segments": str(audit.plan.segments)} if audit.plan.segments > 1 else {}
    options |= {"accept_drift": audit.production.drift} if audit.production.drift else {}
    return options


def promote_command(audit: Audit) -> str:
    """The command that promotes exactly what was planned; "" where nothing is to be promoted."""
    options = [
        f"--hk-{name.replace('_', '-')}={value}" for name, value in promotion_options(audit).items()
    ]
    word = f"--hk-confirm={audit.production.confirm}"
    return " ".join(("pytest --hk-mode=prod", word, *options)) if options else ""


@dataclass(frozen=True, kw_only=True, slots=True)
class PlanView:
    """What plan.html.jinja shows; ``there`` where the run was a plan, ``applied_known`` where it
    could read what is applied."""

    there: bool
    applied_known: bool
    command: str
    pending: tuple[str, ...]
    applied: tuple[AppliedNowRecord, ...]
    way_back: tuple[WayBackRecord, ...]


def plan_view(audit: Audit) -> PlanView:
    return PlanView(
        there=audit.run.mode is Mode.PLAN,
        applied_known=is_applied_known(audit),
        command=promote_command(audit),
        pending=tuple(pending(audit)),
        applied=audit.production.applied,
        way_back=() if audit.plan.records_only else audit.production.way_back,
    )


def plan_head(audit: Audit) -> list[tuple[str, str, list[str]]]:
    """For the terminal: what is applied and what is pending, each with a head and its lines."""
    if audit.run.mode is not Mode.PLAN:
        return []
    known, files = audit.production.applied, pending(audit)
    head = plural(len(known), "file")
    head += f", the last {applied_told(known[-1])}" if known else ": nothing was promoted here yet"
    applied = [("applied", head, list[str]())] if is_applied_known(audit) else []
    return [*applied, ("pending", "" if files else "nothing", files)]


def is_applied_known(audit: Audit) -> bool:
    """Whether "none" is what production said, and not that nobody could ask it."""
    return bool(audit.production.applied) or audit.run.outcome is RunOutcome.PLANNED


def _relation(now: RelationNowRecord) -> str:
    told = [_rows(now)]
    told += [byte_size(now.size)] if now.size is not None else []
    told += [f"{now.writes_per_s:,.4g} writes/s"] if now.writes_per_s is not None else []
    return ", ".join(told)


def _rows(now: RelationNowRecord) -> str:
    if now.rows is None:
        return "rows that nobody has counted"
    return f"about {plural(now.rows, 'row')}" if now.rows else "no rows"
