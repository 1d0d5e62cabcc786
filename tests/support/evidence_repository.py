"""A repository with the evidence of many runs, as runs commit it, without a database."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from pytest_housekeeping.evidence import Repository, SourceFacts, StartFacts, stem
from pytest_housekeeping.evidence.audit import make_audit, with_artifacts
from pytest_housekeeping.evidence.audit_file import to_json
from pytest_housekeeping.evidence.model.audit import Artifact, Audit
from pytest_housekeeping.model import Mode, RunOutcome
from support.evidence_samples import START, TARGET, facts, passed
from support.fresh_copy import commit_all, git
from support.git_folders import opened

FOLDER = "ops/audit"
LOGS = {mode: f"housekeeping/audit/{mode}" for mode in (Mode.STAGING, Mode.VERIFY)}


def evidence_of(
    number: int, mode: Mode, previous: str | None, *, root: str = "", folder: str = FOLDER
) -> tuple[Audit, dict[str, bytes]]:
    """The sealed audit of one run and its files, by path from the repository's root."""
    began = START + timedelta(minutes=number)
    known = facts(mode, run=f"{number:04x}{'e' * 4}")
    known = StartFacts(
        run=replace(known.run, started_at=began),
        source=SourceFacts(commit="c" * 40, branch="main"),
        digest=known.digest,
        steps=known.steps,
    )
    name, stamp = stem(known.run), f"{began:%Y%m%dT%H%M%SZ}"
    snapshots = {
        f"{folder}/prod_schema_{when}_{stamp}.sql": f"-- {when} {number}\nCREATE SCHEMA s;\n"
        for when in ("before", "after")
        if mode is Mode.PROD
    }
    others = {f"{folder}/{name}.html": f"<!doctype html><p>run {number}</p>\n"}
    if mode is Mode.PROD:
        others[f"{folder}/prod_roles_before_{stamp}.sql"] = f"CREATE ROLE r{number};\n"
    kept = [_artifact(path, text) for path, text in snapshots.items()]
    audit = make_audit(
        known,
        outcome=RunOutcome.PROMOTED,
        finished_at=began + timedelta(seconds=2.5),
        results=[passed(step) for step in known.steps],
        target=TARGET,
        before=kept[0] if kept else None,
        after=kept[1] if kept else None,
        previous=previous,
    )
    audit = with_artifacts(audit, [_artifact(path, text) for path, text in sorted(others.items())])
    files = {**snapshots, **others, f"{folder}/{name}.json": to_json(audit)}
    return audit, {f"{root}{path}": text.encode() for path, text in files.items()}


def message_of(audit: Audit) -> str:
    """What the commit of a run says, as ``promotion.publication`` writes it."""
    run = audit.run
    return (
        f"{run.mode} {run.outcome}: 4 steps\n\n"
        f"Run {run.id}, plan {audit.plan.digest[:12]}, audit {audit.chain.digest}\n"
    )


def new_repository(folder: Path) -> Repository:
    """A repository with a commit on main; to be closed."""
    folder.mkdir(parents=True)
    git(folder, "init", "--quiet", "--initial-branch=main")
    (folder / "README.md").write_text("a project\n")
    commit_all(folder, "first")
    return opened(folder)


def commit_run(repository: Repository, audit: Audit, files: Mapping[str, bytes]) -> str:
    """Commit it where its mode belongs; the branch."""
    branch = LOGS.get(audit.run.mode, f"housekeeping/audit/{stem(audit.run)}")
    attests = None if audit.run.mode in LOGS else repository.head()
    repository.commit_evidence(branch, files, message_of(audit), attests)
    return branch


def commit_runs(
    repository: Repository, modes: list[Mode], *, first: int = 0, merge: bool = True
) -> list[tuple[Audit, dict[str, bytes]]]:
    """A run of each mode in turn, chained; a promotion's branch is merged and deleted."""
    runs = []
    previous: dict[Mode, str] = {}
    for number, mode in enumerate(modes, start=first):
        audit, files = evidence_of(number, mode, previous.get(mode))
        previous[mode] = audit.chain.digest
        branch = commit_run(repository, audit, files)
        if merge and mode not in LOGS:
            git(repository.root, "merge", "--quiet", "--no-ff", "-m", f"Merge {branch}", branch)
            git(repository.root, "branch", "--quiet", "-D", branch)
        runs.append((audit, files))
    return runs


def _artifact(path: str, text: str) -> Artifact:
    return Artifact(path=path, sha256=hashlib.sha256(text.encode()).hexdigest())
