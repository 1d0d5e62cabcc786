"""Two projects in one repository: each is proved by itself, and its evidence says whose it is."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from pytest_housekeeping.promotion.commands.audit import audit
from support.fresh_copy import ROOT, commit_all, git
from support.staging_project import Project, Run
from support.workflow_runner import load_job

LOG = "housekeeping/audit/staging"
STAGING = ROOT / ".github/workflows/housekeeping-staging-selfcontained.yml"


def push(top: Path) -> None:
    """As the workflow does it."""
    steps = load_job(STAGING, "staging")["steps"]
    (script,) = (each["run"] for each in steps if each["name"] == "Push the audit commit")
    subprocess.run(["bash", "-e", "-c", script], cwd=top, env=os.environ, check=True, timeout=60)


def test_each_has_its_own_evidence_on_the_branch_that_they_share(tmp_path: Path) -> None:
    top = tmp_path / "repository"
    git(tmp_path, "init", "--quiet", "--initial-branch=main", str(top))
    projects = {}
    for name, template in (("shop", "shop"), ("desk", "tenants")):
        made = Project.make(tmp_path / name, template, repository=False)
        shutil.copytree(made.root, top / "services" / name)
        projects[name] = Project(root=top / "services" / name, scratch=made.scratch)
    commit_all(top, "two projects")
    git(tmp_path, "init", "--quiet", "--bare", "bare.git")
    git(top, "remote", "add", "origin", str(tmp_path / "bare.git"))
    told: dict[str, Run] = {}
    for name, project in projects.items():
        # Both at once, each on a machine of its own: neither has what the other one has pushed.
        if told:
            git(top, "branch", "--quiet", "-D", LOG)
        run = project.run()
        assert (run.code, run.outcome) == (0, "promoted"), run.output
        assert run.output.count(f"which attests {git(top, 'rev-parse', 'HEAD')[:12]} of") == 1
        assert f" of services/{name}\n" in run.output
        told[name] = run
        push(top)
    subjects = git(top, "log", "--no-merges", "--format=%s", LOG).splitlines()
    assert {each.partition(":")[0] for each in subjects} == {"services/desk", "services/shop"}
    assert audit(top).proved
    paths = git(top, "ls-tree", "-r", "--name-only", LOG).splitlines()
    for name in projects:
        assert sum(path.startswith(f"services/{name}/ops/audit/staging_") for path in paths) == 2
    # Each chain is a project's own: the first audit of the second one follows none.
    assert [run.audit["chain"]["previous"] for run in told.values()] == [None, None]
    # What changes in one of them takes nothing from the proof of the other.
    projects["desk"].write(
        {"sql/migrations/0002_more.sql": "CREATE TABLE desk.more (id bigint);\n"}
    )
    commit_all(top, "one of them goes on")
    again = projects["shop"].run()
    assert (again.code, again.outcome) == (0, "promoted"), again.output
    assert again.audit["plan"]["digest"] == told["shop"].audit["plan"]["digest"]
    assert again.audit["chain"]["previous"] == told["shop"].audit["chain"]["digest"]
    assert git(top, "rev-list", "--count", LOG) == "4"
    assert audit(top).proved
