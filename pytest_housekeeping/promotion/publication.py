"""Where the evidence of a run goes: a branch in git, its remote, and GitHub's own files."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_housekeeping.errors import EvidenceError, HousekeepingError
from pytest_housekeeping.evidence.records import stem
from pytest_housekeeping.plan.modes import rules_of

if TYPE_CHECKING:
    from pytest_housekeeping.evidence.audit_model import Audit
    from pytest_housekeeping.evidence.git import Repository
    from pytest_housekeeping.promotion.context import RunContext

REMOTE = "origin"


def branch_of(audit: Audit) -> str:
    """One log for what changes nothing real; what does is a branch of its own, to merge."""
    if rules_of(audit.run.mode).logged:
        return f"housekeeping/audit/{audit.run.mode}"
    return f"housekeeping/audit/{stem(audit.run)}"


def publish(
    context: RunContext, audit: Audit, files: Mapping[Path, bytes], *, partial: bool
) -> Iterator[str]:
    """Commit the files and, where they are no log, push them. Yields what to tell.

    Raises EvidenceError when the commit cannot be made. A push that fails is told with the
    command that repeats it: the files and the branch are there, and the outcome is what it is.
    """
    repository, commit = context.repository, context.source.commit
    why_not = _why_not_committed(context, partial=partial)
    if why_not or repository is None or commit is None:
        yield f"not committed: {why_not}"
        return
    branch = branch_of(audit)
    # The log has no ancestors: runs of branches that diverge meet on it and never merge.
    logged = rules_of(audit.run.mode).logged
    attests = None if logged else commit
    named = {repository.relative(path): content for path, content in files.items()}
    made = repository.commit_evidence(branch, named, _message(audit, commit), attests=attests)
    yield f"committed: {made[:12]} on {branch}, which attests {commit[:12]}"
    if not logged:
        yield from _push(repository, branch)


def tell_github(audit: Audit) -> None:
    """The step summary and the outputs, where a workflow runs. Raises EvidenceError."""
    from pytest_housekeeping.evidence.report.html import step_summary, title

    outputs = {
        "run": audit.run.id,
        "outcome": audit.run.outcome.value,
        "branch": branch_of(audit),
        "title": " ".join(title(audit).split()),
    }
    for variable, text in (
        ("GITHUB_STEP_SUMMARY", step_summary(audit)),
        ("GITHUB_OUTPUT", "".join(f"{name}={value}\n" for name, value in outputs.items())),
    ):
        path = os.environ.get(variable)
        if path:
            try:
                with Path(path).open("a", encoding="utf-8") as file:
                    file.write(text)
            except OSError as error:
                raise EvidenceError(
                    f"the file of {variable} cannot be written: {error.strerror}",
                    why="the page of the workflow run would say nothing of the outcome",
                ) from None


def _push(repository: Repository, branch: str) -> Iterator[str]:
    if not repository.has_remote(REMOTE):
        yield f"not pushed: there is no remote {REMOTE!r}"
        return
    try:
        repository.push(REMOTE, branch)
    except HousekeepingError as error:
        yield f"NOT PUSHED: {error.found}"
        yield f"  the branch is there; push it: git push {REMOTE} {branch}"
    else:
        yield f"pushed: {branch} to {REMOTE}"


def _message(audit: Audit, commit: str) -> str:
    run = audit.run
    return (
        f"{run.mode} {run.outcome}: {len(audit.steps)} steps on {commit[:12]}\n\n"
        f"Run {run.id}, plan {audit.plan.digest[:12]}, audit {audit.chain.digest}\n"
    )


def _why_not_committed(context: RunContext, *, partial: bool) -> str:
    if not context.options.commit:
        return "--hk-no-commit"
    if context.options.write_baseline:
        return "checks/baseline.toml was written: look at it, commit it, and run again"
    if context.source.commit is None:
        return context.source.reason
    if context.source.dirty:
        dirty = ", ".join(context.source.dirty[:5])
        return f"uncommitted changes, and an audit attests a commit: {dirty}"
    if partial:
        return "only part of the plan was run"
    return ""
