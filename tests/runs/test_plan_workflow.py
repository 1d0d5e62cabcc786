"""The workflow of a plan does what it says: one comment, brought up to date; nothing for a fork."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pytest_housekeeping.sandbox import DATABASE, Sandbox
from pytest_housekeeping.sandbox import start as start_sandbox
from pytest_housekeeping.sandbox import stop as stop_sandbox
from support.fresh_copy import ROOT, commit_all, fresh_repository, git
from support.github_api import GitHub
from support.prepared_python import lock_installed, prepared_python
from support.workflow_runner import JobRun, Machine, run_job

WORKFLOW = ROOT / ".github/workflows/housekeeping-plan.yml"
TOKEN, REPOSITORY, NUMBER = "a-token-for-the-comment", "somebody/somewhere", 5
PLAN, TELL, MARK = "Plan", "Tell it in the pull request", "Mark the comment"
PASSWORD = "a-password-of-planner"
PAGE = ROOT / "docs/plan.md"
BROKEN = "DROP TABLE venture.nothing;\n"

pytestmark = pytest.mark.xdist_group("workflows")


@dataclass(frozen=True, kw_only=True)
class PullRequest:
    """A pull request of the sample project, a sandbox in the role of production."""

    folder: Path
    source: Path
    first: str
    bare: Path
    production: Sandbox
    python_bin: Path
    github: GitHub

    def push(self) -> str:
        head = git(self.source, "rev-parse", "HEAD")
        git(self.source, "push", "--quiet", "--force", str(self.bare), "main")
        self.github.at(head)
        return head

    def run(self, job: str, *, private: bool, of: str | None = None) -> JobRun:
        """A job of the workflow, of a pull request unless ``of`` is ""."""
        head = git(self.source, "rev-parse", "HEAD")
        number = len(list(self.folder.glob("run*")))
        machine = Machine(
            folder=self.folder / f"run{number}",
            python_bin=self.python_bin,
            origin=self.bare.as_uri(),
            contexts={
                "secrets": {**self.address, "HK_TWIN": ""} if job == "plan" else {},
                "vars": {
                    "PGSSLMODE_PROD": "",
                    "PGSSLROOTCERT_PROD": "",
                    "PROMOTER_PROD": self.production.user,
                },
            },
            programs=self.github.programs,
        )
        request = {"number": NUMBER, "head": {"sha": head if of is None else of}}
        event: dict[str, Any] = {"repository": {"private": private}, "pull_request": request}
        if of == "":
            event["pull_request"] = {"number": "", "head": {"sha": ""}}
        return run_job(WORKFLOW, job, machine, github=_github(event, head))

    @property
    def address(self) -> dict[str, str]:
        """Of the role that docs/plan.md lets plan, and that may do nothing else."""
        lines = self.production.exports().splitlines()
        found = dict(line.removeprefix("export ").split("=", 1) for line in lines)
        return found | {"PGUSER_PROD": "planner", "PGPASSWORD_PROD": PASSWORD}


def _github(event: dict[str, Any], sha: str) -> dict[str, Any]:
    return {
        "event_name": "pull_request",
        "event": event,
        "repository": REPOSITORY,
        "server_url": "https://github.example.invalid",
        "sha": sha,
        "ref_name": "main",
        "actor": "somebody",
        "run_id": "101",
        "run_attempt": "1",
        "token": TOKEN,
    }


@pytest.fixture
def pull_request(prepared: PullRequest) -> PullRequest:
    """The same for each test, whatever another one has committed."""
    git(prepared.source, "reset", "--quiet", "--hard", prepared.first)
    git(prepared.source, "clean", "-d", "--force", "--quiet")
    return prepared


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PullRequest]:
    folder = tmp_path_factory.mktemp("plan")
    source, bare = fresh_repository(folder / "source"), folder / "origin.git"
    lock_installed(source)
    git(folder, "clone", "--quiet", "--bare", str(source), str(bare))
    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setenv("XDG_STATE_HOME", str(folder / "state"))
        production, _ = start_sandbox(source)
        stack.callback(stop_sandbox)
        make_planner(production)
        yield PullRequest(
            folder=folder,
            source=source,
            first=git(source, "rev-parse", "HEAD"),
            bare=bare,
            production=production,
            python_bin=prepared_python(folder / "python"),
            github=GitHub.make(
                folder / "programs", repository=REPOSITORY, number=NUMBER, token=TOKEN
            ),
        )


def make_planner(production: Sandbox) -> None:
    """As the page says, and with a password."""
    text = PAGE.read_text(encoding="utf-8").partition("\n### A role that plans\n")[2]
    block = text.partition("```sql\n")[2].partition("```")[0]
    assert "CREATE ROLE planner" in block
    statements = f"{block}ALTER ROLE planner PASSWORD '{PASSWORD}';"
    command = [*shlex.split(production.superuser()), "-q", "-v", "ON_ERROR_STOP=1"]
    subprocess.run(command, input=statements, text=True, check=True)


def test_one_comment_is_posted_superseded_and_brought_up_to_date(
    pull_request: PullRequest,
) -> None:
    """A private repository, then a commit that cannot be promoted, when it has become public."""
    github, address = pull_request.github, pull_request.address
    others = github.others
    first = pull_request.push()
    assert_well(pull_request.run("superseded", private=True))
    assert github.comments == [], "nothing to mark"

    posted = pull_request.run("plan", private=True)
    assert_well(posted)
    (comment,) = github.comments
    assert github.changes == ["POST"]
    for said in (
        f"<!-- pytest-housekeeping: plan of {first} -->\n\n## ✅ Planned\n",
        f"{address['PGHOST_PROD']}:{address['PGPORT_PROD']}/{DATABASE}",
        "gh workflow run housekeeping-prod-promotion.yml -f confirm=PROMOTE -f plan=",
        "### Pending\n\n- `sql/migrations/0001_",
        "[the run](https://github.example.invalid/somebody/somewhere/actions/runs/101)",
    ):
        assert said in comment
    assert comment.startswith(posted.summary), "the page of the run has it too"
    assert "Planned. The batch ran on a copy" in posted.step(PLAN).output
    (artifact,) = posted.artifacts.iterdir()
    assert {path.suffix for path in artifact.iterdir()} == {".json", ".html"}
    assert_no_secret(pull_request, posted)

    (pull_request.source / "sql/migrations/9999_broken.sql").write_text(BROKEN)
    commit_all(pull_request.source, "break it")
    second = pull_request.push()
    assert_well(pull_request.run("superseded", private=False))
    (comment,) = github.comments
    assert github.changes == ["POST", "PATCH"]
    assert f"**Superseded.** This is the plan of `{first[:12]}`" in comment
    assert f"is at `{second[:12]}` now" in comment

    failed = pull_request.run("plan", private=False)
    assert [step.name for step in failed.steps if step.outcome == "failure"] == [PLAN]
    (comment,) = github.comments
    assert github.changes == ["POST", "PATCH", "PATCH"]
    for said in (
        f"<!-- pytest-housekeeping: plan of {second} -->\n\n## ❌ Cannot be promoted like this\n",
        "`sql/migrations/9999_broken.sql::rehearse`\n\n```text\nsql/migrations/9999_broken.sql:1:",
    ):
        assert said in comment
    assert "Superseded" not in comment
    assert "--hk-plan" not in comment
    assert github.others == others
    _nothing_of_production(pull_request, failed, comment, read_identifier(posted))


def _nothing_of_production(
    pull_request: PullRequest, failed: JobRun, comment: str, system: str
) -> None:
    """What everybody may read: the log, the page of the run, the comment. There is no artifact."""
    assert list(failed.artifacts.iterdir()) == []
    read = "\n".join([comment, failed.summary, *(step.output for step in failed.steps)])
    address = pull_request.address
    for secret in (*address.values(), system, 'table "nothing" does not exist'):
        assert not re.search(rf"(?<![\w.]){re.escape(secret)}(?![\w.])", read), secret
    assert "The repository is public: what the run prints is not shown" in failed.step(PLAN).output
    assert_no_secret(pull_request, failed)


def read_identifier(run: JobRun) -> str:
    (file,) = run.artifacts.glob("*/*.json")
    identifier: str = json.loads(file.read_text(encoding="utf-8"))["target"]["system_identifier"]
    assert len(identifier) > 10
    return identifier


def test_started_by_hand_it_is_told_on_the_page_of_the_run(pull_request: PullRequest) -> None:
    before = pull_request.github.comments
    shutil.rmtree(pull_request.source / "sql")
    commit_all(pull_request.source, "nothing to plan")
    pull_request.push()
    run = pull_request.run("plan", private=True, of="")
    assert [step.name for step in run.steps if step.outcome == "failure"] == [PLAN]
    assert "## ❌" in run.summary
    assert pull_request.github.comments == before


def test_of_a_fork_nothing_is_asked_and_it_is_said(pull_request: PullRequest) -> None:
    """No secret, no token and no address is in the job's reach; the API is not asked."""
    (pull_request.source / "sql/migrations/9998_of_a_fork.sql").write_text("SELECT 1;\n")
    commit_all(pull_request.source, "of a fork")
    pull_request.push()
    asked = pull_request.github.changes, pull_request.github.comments
    run = pull_request.run("unplanned", private=False)
    assert_well(run)
    for said in (
        "## ⚪ Not planned",
        "nobody has looked at what this would do there",
        "No promotion is on record in this repository: all of it would be pending.",
        "- `sql/migrations/9998_of_a_fork.sql: not applied`\n",
    ):
        assert said in run.summary
    assert "✅" not in run.summary
    assert (pull_request.github.changes, pull_request.github.comments) == asked


def assert_well(run: JobRun) -> None:
    assert [(s.name, s.outcome, s.output) for s in run.steps if s.outcome == "failure"] == []


def assert_no_secret(pull_request: PullRequest, run: JobRun) -> None:
    texts = [step.output for step in run.steps] + [run.summary, *pull_request.github.comments]
    texts += [path.read_text(encoding="utf-8") for path in run.artifacts.glob("*/*")]
    for secret in (PASSWORD, TOKEN):
        assert not any(secret in text for text in texts)
