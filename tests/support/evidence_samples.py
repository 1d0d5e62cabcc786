"""A run to make records of: the same facts for the tests of audit, journal and report."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from pytest_housekeeping.evidence import RunFacts, SourceFacts, StartFacts
from pytest_housekeeping.evidence.audit import make_audit
from pytest_housekeeping.evidence.audit_file import to_json
from pytest_housekeeping.evidence.chain import digest
from pytest_housekeeping.evidence.model.audit import Audit
from pytest_housekeeping.model import (
    Finding,
    Kind,
    Level,
    Lock,
    LockConflict,
    Mode,
    Outcome,
    Phase,
    RunOutcome,
    ServerMessage,
    Step,
    StepResult,
    TargetIdentity,
)
from pytest_housekeeping.postgres.batch_facts import (
    CHANGED,
    DROPPED,
    MADE,
    AccessChange,
    BatchFacts,
    Coverage,
    Destroyed,
    IndexBuild,
    ObjectChange,
    StepMessage,
    TableScan,
    TakenLock,
)

START = datetime(2027, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
TARGET = TargetIdentity(
    host="db.example.org",
    port=5432,
    database="venture",
    user="promoter",
    server_version="16.4",
    system_identifier="7301234567890123456",
)
RLS = Finding(
    rule="rls-not-forced",
    level=Level.ERROR,
    object="venture.orders",
    detail="the owner bypasses its policies",
    fix="ALTER TABLE venture.orders FORCE ROW LEVEL SECURITY;",
)
NOTICE = Finding(
    rule="undeclared", level=Level.NOTICE, object="venture.tmp", detail="stands in no objects.toml"
)
CONFLICT = LockConflict(
    step="sql/migrations/0001_x.sql::apply",
    number=1,
    at=START,
    found="canceling statement due to lock timeout",
    in_the_way=("process 4711 nightly of bob, since 02:10: SELECT <b>1</b> \x1b[31m",),
)
# What a batch does, with what a page and a terminal would obey in it.
DOES = BatchFacts(
    segment=1,
    changes=(
        ObjectChange(
            object="venture.orders.total",
            kind="column",
            change=CHANGED,
            before="type: integer\nnot null",
            after="type: bigint\nnot null",
            rewrites=True,
            lock="AccessExclusiveLock",
        ),
        ObjectChange(
            object='venture."<b>"',
            kind="view",
            change=MADE,
            after="definition: SELECT\n::error::x\x1b[31m",
        ),
    ),
    locks=(
        TakenLock(
            relation="venture.orders", mode="AccessShareLock", step="sql/migrations/0001_x.sql"
        ),
        TakenLock(
            relation="venture.orders", mode="AccessExclusiveLock", step="sql/migrations/0002_x.sql"
        ),
        TakenLock(relation="venture.person", mode="RowExclusiveLock", step=""),
        TakenLock(
            relation="venture.country", mode="AccessShareLock", step="sql/migrations/0001_x.sql"
        ),
    ),
    rewritten=("venture.orders",),
    scans=(TableScan(relation="venture.orders", count=2, step="sql/migrations/0002_x.sql"),),
    indexes=(IndexBuild(index="venture.orders_pkey", table="venture.orders", rebuilt=True),),
    destroyed=(
        Destroyed(
            kind="column", object="venture.person.note", how=DROPPED, relation="venture.person"
        ),
    ),
    access=(
        AccessChange(
            role="app", relation="venture.orders", commands="SELECT", before="", after="all rows"
        ),
    ),
    messages=(
        StepMessage(
            step="sql/migrations/0001_x.sql",
            message=ServerMessage(level="NOTICE", text="drop cascades to view v\nand more"),
        ),
    ),
    coverage=Coverage(measured=3, parsed=1, unjudged=("sql/migrations/0003_x.sql",)),
)


def steps(segments: int = 1) -> tuple[Step, ...]:
    apply = tuple(
        Step(
            id=f"sql/migrations/000{number}_x.sql::apply",
            phase=Phase.APPLY,
            kind=Kind.MIGRATION,
            path=f"sql/migrations/000{number}_x.sql",
            sha256=f"{number}" * 64,
            segment=number,
        )
        for number in range(1, segments + 1)
    )
    return (
        Step(id="precheck::server", phase=Phase.PRECHECK, kind=Kind.PRECHECK),
        *apply,
        Step(
            id="checks/rls.toml::rls-not-forced",
            phase=Phase.VERIFY,
            kind=Kind.RLS,
            segment=segments,
        ),
        Step(id="promote", phase=Phase.PROMOTE, kind=Kind.PROMOTE, segment=segments),
    )


def facts(mode: Mode = Mode.PROD, segments: int = 1, run: str = "r1") -> StartFacts:
    return StartFacts(
        run=RunFacts(
            id=run,
            mode=mode,
            started_at=START,
            tool_version="0.1.0",
            actor="ada",
            ci_url="https://ci.example.org/runs/1",
        ),
        source=SourceFacts(commit="c" * 40, branch="main"),
        digest="d" * 64,
        steps=steps(segments),
        segments=segments,
    )


def passed(step: Step, **changes: Any) -> StepResult:
    result = StepResult(step=step, outcome=Outcome.PASSED, duration_s=0.0123456, examined=3)
    return replace(result, **changes)


def sample(
    outcome: RunOutcome = RunOutcome.PROMOTED,
    mode: Mode = Mode.PROD,
    results: tuple[StepResult, ...] | None = None,
    **changes: Any,
) -> Audit:
    known = facts(mode, run=changes.pop("run", "r1"))
    if results is None:
        lock = Lock(relation="venture.orders", mode="AccessExclusiveLock")
        results = tuple(passed(step) for step in known.steps)
        results = (
            results[0],
            replace(results[1], locks=(lock,), statements=4, rows=12),
            *results[2:],
        )
    options: dict[str, Any] = {
        "outcome": outcome,
        "finished_at": START + timedelta(seconds=2.5),
        "results": results,
        "target": TARGET,
    }
    return make_audit(known, **{**options, **changes})


def failed_sample(mode: Mode = Mode.PROD, **changes: Any) -> Audit:
    """Nothing passed vacuously: the rule fired, so promote never ran."""
    known = facts(mode)
    precheck, apply, check, _ = known.steps
    results = (
        passed(precheck),
        passed(apply),
        StepResult(
            step=check,
            outcome=Outcome.FAILED,
            duration_s=0.2,
            examined=14,
            message="1 of 14 tables breaks rls-not-forced",
            findings=(RLS, NOTICE),
        ),
    )
    return sample(RunOutcome.ROLLED_BACK, mode, results, **changes)


def forged(audit: Audit, edit: Callable[[dict[str, Any]], None]) -> Audit:
    """The audit as somebody has edited it, with the digest of what it says now."""
    document = json.loads(to_json(audit))
    edit(document)
    edited = Audit.model_validate_json(json.dumps(document))
    chain = edited.chain.model_copy(update={"digest": digest(edited)})
    return edited.model_copy(update={"chain": chain})
