"""What was refused shares one log: clones that add to it at once lose nothing and force nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_housekeeping.evidence import Repository, open_repository
from pytest_housekeeping.evidence.audit import with_artifacts
from pytest_housekeeping.evidence.git.shared_branch import begin_again, take_over
from pytest_housekeeping.evidence.model.audit import Artifact, Audit
from pytest_housekeeping.model import Mode, RunOutcome
from pytest_housekeeping.promotion.recording.evidence_commit import branch_of
from support.evidence_samples import failed_sample, forged, sample
from support.fresh_copy import git

LOG = "housekeeping/audit/refused"


def of_another_target(audit: Audit) -> Audit:
    return forged(audit, lambda document: document["run"].update(target="preprod"))


@pytest.mark.parametrize(
    ("audit", "branch"),
    [
        (sample(), "housekeeping/audit/prod_20270102T030405Z_r1"),
        (sample(RunOutcome.UNKNOWN), "housekeeping/audit/prod_20270102T030405Z_r1"),
        (sample(RunOutcome.REFUSED, results=()), LOG),
        (failed_sample(), LOG),
        (of_another_target(failed_sample()), "housekeeping/audit/preprod/refused"),
        (failed_sample(Mode.STAGING), "housekeeping/audit/staging"),
        (
            with_artifacts(failed_sample(), [Artifact(path="ops/incidents/x.md", sha256="0")]),
            "housekeeping/audit/prod_20270102T030405Z_r1",
        ),
    ],
    ids=["promoted", "unknown", "refused", "rolled back", "a target", "staging", "an incident"],
)
def test_the_branch_of_a_run(audit: Audit, branch: str) -> None:
    assert branch_of(audit) == branch


@pytest.fixture
def clones(tmp_path: Path) -> Iterator[tuple[Repository, Repository]]:
    git(tmp_path, "init", "-q", "--bare", "remote.git")
    for name in ("one", "other"):
        git(tmp_path, "clone", "-q", (tmp_path / "remote.git").as_uri(), name)
    one, other = (open_repository(tmp_path / name) for name in ("one", "other"))
    assert one is not None
    assert other is not None
    with one, other:
        yield one, other


def commit(repository: Repository, name: str) -> str:
    return repository.commit_evidence(LOG, {f"ops/audit/{name}": b"x"}, f"{name}\n", None)


def names(repository: Repository) -> list[str]:
    return git(repository.root, "ls-tree", "-r", "--name-only", LOG).splitlines()


def test_another_clone_was_faster(clones: tuple[Repository, Repository]) -> None:
    one, other = clones
    for repository in clones:
        assert take_over(repository, LOG) is None
    commit(one, "a.json")
    one.push("origin", LOG)
    made = commit(other, "b.json")
    with pytest.raises(Exception, match="push failed"):
        other.push("origin", LOG)
    assert begin_again(other, LOG, made=made, base=None, theirs=None)
    commit(other, "b.json")
    other.push("origin", LOG)
    assert names(other) == ["ops/audit/a.json", "ops/audit/b.json"]
    take_over(one, LOG)
    assert names(one) == names(other)


def test_what_only_this_clone_has_is_never_let_go(clones: tuple[Repository, Repository]) -> None:
    one, other = clones
    base = commit(other, "offline.json")
    commit(one, "a.json")
    one.push("origin", LOG)
    theirs = take_over(other, LOG)
    made = commit(other, "b.json")
    assert not begin_again(other, LOG, made=made, base=base, theirs=theirs)
    assert names(other) == ["ops/audit/b.json", "ops/audit/offline.json"]
