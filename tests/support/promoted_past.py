"""Evidence that production has promoted what a project of a test has pending."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from pytest_housekeeping import __version__
from pytest_housekeeping.declarations.settings import load_config
from pytest_housekeeping.evidence import RunFacts, SourceFacts, StartFacts, stem
from pytest_housekeeping.evidence.audit import make_audit
from pytest_housekeeping.evidence.audit_file import write_audit
from pytest_housekeeping.model import Kind, Mode, Outcome, RunOutcome, StepResult
from pytest_housekeeping.plan.plan import build
from pytest_housekeeping.plan.test_discovery import TestNames
from pytest_housekeeping.promotion.repository.applied import promoted_before
from pytest_housekeeping.sql.project_files import ProjectFiles
from support.git_folders import opened
from support.staging_project import Project

FILES = (Kind.MIGRATION, Kind.VIEW, Kind.POLICY, Kind.PROMOTE)


def promote(
    project: Project,
    run: str,
    *,
    outcome: RunOutcome = RunOutcome.PROMOTED,
    segments: Iterable[int] = (),
    commit: str = "",
) -> Path:
    """Commit the project, and the evidence that production has promoted all that was pending."""
    attested = commit or project.commit(f"promoted by {run}")
    with opened(project.root) as repository:
        past = promoted_before(repository, project.root / "ops" / "audit")
        plan = build(
            load_config(project.root),
            Mode.STAGING,
            tests=TestNames(),
            sources=ProjectFiles(project.root),
            past=past,
        )
    steps = tuple(step for step in plan.steps if step.kind in FILES)
    done = set(segments) or {segment.number for segment in plan.segments}
    now = datetime.now(UTC)
    facts = StartFacts(
        run=RunFacts(id=run, mode=Mode.PROD, started_at=now, tool_version=__version__),
        source=SourceFacts(commit=attested, branch="main"),
        digest=plan.digest,
        steps=steps,
        segments=len(plan.segments),
    )
    results = [StepResult(step=s, outcome=Outcome.PASSED) for s in steps if s.segment in done]
    made = make_audit(facts, outcome=outcome, finished_at=now, results=results)
    path = write_audit(made, project.root / "ops" / "audit", stem(facts.run))
    project.commit(f"evidence of {run}")
    return path
