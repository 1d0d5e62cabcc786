"""The audit that is made for a killed run stands in the chain, and the next one behind it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from pytest_housekeeping.evidence import Repository
from pytest_housekeeping.evidence.audit_file import from_json
from pytest_housekeeping.evidence.chain import latest_digest
from pytest_housekeeping.evidence.journal import start_journal
from pytest_housekeeping.evidence.model.audit import Audit
from pytest_housekeeping.evidence.proof.prove import prove_evidence
from pytest_housekeeping.model import Mode
from pytest_housekeeping.promotion.recording.killed_runs import record_killed_runs
from support.evidence_repository import FOLDER, commit_run, commit_runs, evidence_of
from support.evidence_samples import START, facts


def killed(folder: Path, number: int, minutes: float) -> None:
    """The journal of a run of staging that began so many minutes behind the first."""
    known = facts(Mode.STAGING, run=f"{number:04x}{'d' * 4}")
    began = START + timedelta(minutes=minutes)
    folder.mkdir(parents=True, exist_ok=True)
    start_journal(folder, replace(known, run=replace(known.run, started_at=began))).close()


def recorded(repository: Repository) -> list[tuple[Audit, bytes, str]]:
    folder = repository.root / FOLDER
    found = record_killed_runs(folder, repository, prefix="", ask=lambda *_: None)
    paths = [path for _, (path, *_), _ in found]
    return [
        (from_json(path.read_bytes()), path.read_bytes(), f"{FOLDER}/{path.name}") for path in paths
    ]


@pytest.mark.parametrize("minutes", [1.5, 0.5])
def test_nothing_forks(repository: Repository, minutes: float) -> None:
    """Also where the killed run began before one that is on record."""
    newest = commit_runs(repository, [Mode.STAGING] * 2)[1][0]
    folder = repository.root / FOLDER
    killed(folder, 8, minutes)
    killed(folder, 9, minutes + 0.1)
    (first, one, at), (second, other, there) = recorded(repository)
    assert first.chain.previous == newest.chain.digest
    assert second.chain.previous == first.chain.digest
    last = latest_digest(repository, Mode.STAGING, folder, along=[one, other])
    assert last == second.chain.digest
    audit, files = evidence_of(5, Mode.STAGING, last)
    commit_run(repository, audit, {**files, at: one, there: other})
    rules = {each.rule for each in prove_evidence(repository).findings}
    assert "audit-forked" not in rules
    # What nobody has chained is told as before.
    audit, files = evidence_of(6, Mode.STAGING, newest.chain.digest)
    commit_run(repository, audit, files)
    assert "audit-forked" in {each.rule for each in prove_evidence(repository).findings}


def test_without_evidence_it_is_the_first(repository: Repository) -> None:
    killed(repository.root / FOLDER, 8, 1)
    ((audit, _, _),) = recorded(repository)
    assert audit.chain.previous is None
