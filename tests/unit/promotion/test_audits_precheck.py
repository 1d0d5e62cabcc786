"""The precheck of the evidence: what fails it, what is accepted, and what it may cost."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from pytest_housekeeping.config import Config, Target
from pytest_housekeeping.evidence import Repository
from pytest_housekeeping.model import Level, Mode
from pytest_housekeeping.promotion.context import RunContext
from pytest_housekeeping.promotion.prechecks.evidence import audits
from pytest_housekeeping.promotion.prechecks.shared import Judgement
from support.evidence_repository import commit_runs
from support.fresh_copy import commit_all, git
from support.git_folders import opened


def judged(repository: Repository | None, root: Path, *accepted: str) -> Judgement:
    config = Config(root=root, accepted_evidence_faults=accepted)
    context = SimpleNamespace(repository=repository, config=config)
    return audits(cast("RunContext", context))


def test_a_falsified_report_fails_it_until_it_is_accepted_in_the_settings(
    repository: Repository,
) -> None:
    root = repository.root
    report = next(
        path for path in commit_runs(repository, [Mode.PROD] * 2)[0][1] if path.endswith(".html")
    )
    verdict, said = judged(repository, root)
    assert (verdict.passed, verdict.examined) == (True, 2)
    assert said == "2 audits and 8 files named by them, on 1 branch"
    accepted = f"evidence-edited {report}"
    for entry in (accepted, report):
        verdict, _ = judged(repository, root, entry)
        found = [(each.rule, each.object) for each in verdict.findings]
        assert found == [("evidence-fault-gone", entry)]
        assert not verdict.passed

    (root / report).write_text("<p>all is well</p>")
    commit_all(root, "tidy up")
    verdict, _ = judged(repository, root)
    assert [(each.rule, each.object) for each in verdict.findings] == [("evidence-edited", report)]
    assert not verdict.passed
    # The last way on is told, and leads on.
    entry = f'accepted_evidence_faults = ["{accepted}"] in [tool.housekeeping]'
    assert verdict.findings[0].fix.endswith(entry)
    assert judged(repository, root, accepted)[0].passed
    verdict, _ = judged(repository, root, report)
    assert [each.rule for each in verdict.findings] == ["evidence-edited", "evidence-fault-gone"]
    assert verdict.findings[1].fix.endswith(f'write "{accepted}" there')

    # Another fault of the same file was accepted by nobody.
    git(root, "rm", "-q", report)
    commit_all(root, "tidy up more")
    verdict, _ = judged(repository, root, accepted)
    assert [(each.rule, each.object) for each in verdict.findings] == [("evidence-removed", report)]
    assert not verdict.passed


def test_an_accepted_fault_that_a_clone_cannot_see_does_not_fail_it(
    repository: Repository, tmp_path: Path
) -> None:
    root = repository.root
    path = next(
        path
        for path in commit_runs(repository, [Mode.STAGING, Mode.PROD])[0][1]
        if path.endswith(".html")
    )
    side = tmp_path / "side"
    git(root, "worktree", "add", "-q", str(side), "housekeeping/audit/staging")
    (side / path).write_text("<p>all is well</p>")
    commit_all(side, "tidy up")
    accepted = f"evidence-edited {path}"
    assert judged(repository, root, accepted)[0].passed

    # The log on which the fault lies is no branch of this clone.
    origin = root.as_uri()
    git(tmp_path, "clone", "-q", "--single-branch", "--branch=main", origin, "alone")
    # Whatever is wrong behind where its history begins.
    git(tmp_path, "clone", "-q", "--depth=1", origin, "shallow")
    expected = {"alone": "evidence-fault-gone", "shallow": "evidence-shallow"}
    for name, rule in expected.items():
        with opened(tmp_path / name) as clone:
            (report,) = (clone.root / "ops/audit").glob("*.html")
            entry = accepted if name == "alone" else f"evidence-edited ops/audit/{report.name}"
            verdict, _ = judged(clone, clone.root, entry)
        assert [(each.rule, each.level) for each in verdict.findings] == [(rule, Level.NOTICE)]
        assert verdict.passed


def test_of_what_is_accepted_of_another_target_its_own_runs_tell(repository: Repository) -> None:
    commit_runs(repository, [Mode.PROD])
    root, entry = repository.root, "evidence-edited ops/{}/audit/preprod_x.html"
    targets = {name: Target(name=name, audit=f"ops/{name}/audit") for name in ("preprod", "uat")}
    config = Config(root=root, targets=targets)
    accepted = tuple(map(entry.format, ("preprod", "nowhere")))
    config = replace(config, accepted_evidence_faults=accepted)
    context = SimpleNamespace(repository=repository, config=config)
    verdict, _ = audits(cast("RunContext", context))
    (told,) = verdict.findings
    assert (told.level, told.object) == (Level.NOTICE, entry.format("nowhere"))
    assert "if no run of any database has it then, remove it" in told.fix


def test_a_project_without_evidence_or_without_git_may_begin(
    repository: Repository, tmp_path: Path
) -> None:
    assert judged(repository, repository.root)[0].passed
    assert judged(None, tmp_path)[0].passed
    # Evidence of another project of the repository is that project's.
    other = repository.root / "services/a/ops/audit"
    other.mkdir(parents=True)
    (other / "prod_20270102T030405Z_x.json").write_text("{}")
    commit_all(repository.root, "of another project")
    assert judged(repository, repository.root)[0].passed
    assert not judged(repository, repository.root / "services/a")[0].passed


def test_its_cost_grows_with_the_number_of_audits_alone(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Processes are what is dear: their number is the same for 2 and for 12 audits."""
    started: list[str] = []
    run = repository.attempt

    def counted(*command: str, stdin: bytes | None = None) -> tuple[int, bytes, str]:
        started.append(command[0])
        return run(*command, stdin=stdin)

    monkeypatch.setattr(repository, "attempt", counted)
    counts = []
    for number in (0, 10):
        commit_runs(repository, [Mode.STAGING] * (2 + number), first=100 * number)
        started.clear()
        began = time.process_time()
        judged(repository, repository.root)
        assert time.process_time() - began < 1
        counts.append(len(started))
    # What is told names the remotes, which are asked for then.
    assert counts[0] <= counts[1] <= counts[0] + 2 <= 12
