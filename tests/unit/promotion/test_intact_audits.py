"""Of several contents of a production audit the intact one counts, on whatever branch."""

from __future__ import annotations

import json

import pytest

from pytest_housekeeping.errors import EvidenceError
from pytest_housekeeping.evidence import Repository
from pytest_housekeeping.evidence.chain import latest_digest
from pytest_housekeeping.evidence.model.audit import Audit
from pytest_housekeeping.model import Mode
from pytest_housekeeping.promotion.prechecks.own_tables import audits_of
from pytest_housekeeping.promotion.repository.applied import promoted_before
from support.evidence_repository import FOLDER, commit_runs
from support.evidence_samples import TARGET
from support.fresh_copy import commit_all, git

STALE = "housekeeping/audit/stale"


def edited(repository: Repository) -> tuple[Audit, str]:
    """The audit of a promotion, and its path: who ran it was changed in the work tree."""
    audit, files = commit_runs(repository, [Mode.PROD])[0]
    path = next(path for path in files if path.endswith(".json"))
    document = json.loads(files[path])
    document["run"]["actor"] = "eve"
    (repository.root / path).write_text(json.dumps(document))
    return audit, path


def test_an_edited_one_on_a_stale_branch_is_passed_over(repository: Repository) -> None:
    audit, _ = edited(repository)
    git(repository.root, "switch", "-qc", STALE)
    commit_all(repository.root, "tidy up")
    git(repository.root, "switch", "-q", "main")
    assert audits_of(repository, FOLDER, TARGET)[0] == [audit]
    assert promoted_before(repository, repository.root / FOLDER)


def test_one_that_is_intact_nowhere_is_refused_by_its_branch_until_it_is_accepted(
    repository: Repository,
) -> None:
    audit, path = edited(repository)
    commit_all(repository.root, "tidy up")
    git(repository.root, "branch", STALE)
    folder = repository.root / FOLDER
    words = rf"{path} \(on HEAD, {STALE}\) was edited"
    with pytest.raises(EvidenceError, match=words) as refused:
        audits_of(repository, FOLDER, TARGET)
    assert f'accepted_evidence_faults = ["audit-edited {path}"]' in refused.value.fix
    for accepted in ((), (path,), (f"evidence-removed {path}",)):
        with pytest.raises(EvidenceError, match=words):
            promoted_before(repository, folder, accepted)
    accepted = (f"audit-edited {path}",)
    assert promoted_before(repository, folder, accepted) == ()
    assert audits_of(repository, FOLDER, TARGET, accepted) == ([], frozenset({audit.run.id}))


def test_what_is_no_audit_any_more_keeps_no_other_from_being_read(repository: Repository) -> None:
    audit, path = edited(repository)
    _, files = commit_runs(repository, [Mode.PROD], first=1)[0]
    broken = next(path for path in files if path.endswith(".json"))
    git(repository.root, "checkout", "-q", "--", path)
    (repository.root / broken).write_text("{")
    commit_all(repository.root, "tidy up")
    assert audits_of(repository, FOLDER, TARGET) == ([audit], frozenset({audit.run.id}))
    folder = repository.root / FOLDER
    assert latest_digest(repository, Mode.PROD, folder) == audit.chain.digest
