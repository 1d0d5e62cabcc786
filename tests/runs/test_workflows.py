"""The workflows do what they say: their own steps run here, in order, in a fresh clone."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from pytest_housekeeping.config import Config
from pytest_housekeeping.promotion.init.ci import ci_of
from pytest_housekeeping.promotion.init.project_text import with_ignored
from support.files import write
from support.fresh_copy import ROOT, commit_all, fresh_repository, git
from support.git_http_server import git_over_http
from support.gitlab_job import load
from support.gitlab_job import run as run_parts
from support.postgres_service import postgres_service
from support.prepared_python import lock_installed, prepared_python
from support.reference_pages import files_of
from support.staged_project import prove
from support.wheel import build_file
from support.workflow_expressions import interpolate
from support.workflow_runner import Given, JobRun, Machine, load_job, run_job

STAGING = ROOT / ".github/workflows/housekeeping-staging-selfcontained.yml"
RELEASE = ROOT / ".github/workflows/release.yml"
EVIDENCE = "housekeeping/audit/staging"
# At the remote it is no branch: a clone does not fetch it.
KEPT = f"refs/{EVIDENCE}"
NO_KEY = {"secrets": {"EVIDENCE_SIGNING_KEY": ""}}

pytestmark = pytest.mark.xdist_group("workflows")


@dataclass(frozen=True, kw_only=True)
class Hosting:
    """A bare repository in the place of the hosted one, and a server in that of the service."""

    folder: Path
    source: Path
    bare: Path
    port: int

    def push(self) -> str:
        head = git(self.source, "rev-parse", "HEAD")
        git(self.source, "push", "--quiet", str(self.bare), "main")
        return head

    def run(self, number: int, python_bin: Path) -> JobRun:
        machine = Machine(
            folder=self.folder / f"run{number}",
            python_bin=python_bin,
            origin=self.bare.as_uri(),
            ports={"postgres": {"5432": str(self.port)}},
            contexts=NO_KEY,
        )
        return run_job(STAGING, "staging", machine, github=_github(number))

    def audits(self) -> list[dict[str, Any]]:
        """What the branch adds to main: the audits of this test's runs."""
        before = set(git(self.bare, "ls-tree", "-r", "--name-only", "main").splitlines())
        names = set(git(self.bare, "ls-tree", "-r", "--name-only", KEPT).splitlines()) - before
        assert all(name.startswith("ops/audit/staging_") for name in names)
        return [
            json.loads(git(self.bare, "show", f"{KEPT}:{name}"))
            for name in sorted(names)
            if name.endswith(".json")
        ]


def _github(number: int = 1, **event: Any) -> dict[str, Any]:
    return {
        "event_name": "pull_request" if event else "workflow_dispatch",
        "event": event,
        "repository": "somebody/somewhere",
        "server_url": "https://github.example.invalid",
        "ref": "refs/heads/main",
        "ref_name": "main",
        "actor": "somebody",
        "run_id": str(100 + number),
        "run_attempt": "1",
    }


@pytest.fixture
def python_bin(tmp_path: Path) -> Path:
    """As a runner has one after its cache was restored; of the project nothing is installed.

    That an empty one does as well is shown by the block of CONTRIBUTING.md.
    """
    return prepared_python(tmp_path / "python")


@pytest.fixture(scope="session")
def service_port() -> Iterator[int]:
    service = load_job(STAGING, "staging")["services"]["postgres"]
    assert interpolate(service["image"], {"inputs": Given()}) == "postgres:16"
    with postgres_service(service["env"]["POSTGRES_PASSWORD"]) as port:
        yield port


@pytest.fixture
def hosting(tmp_path: Path, service_port: int) -> Hosting:
    source = fresh_repository(tmp_path / "source")
    lock_installed(source)
    bare = tmp_path / "origin.git"
    git(tmp_path, "clone", "--quiet", "--bare", str(source), str(bare))
    return Hosting(folder=tmp_path, source=source, bare=bare, port=service_port)


def test_the_staging_job_promotes_and_pushes_its_evidence(
    hosting: Hosting, python_bin: Path
) -> None:
    """Behind an earlier one, of which only the evidence is there, as a branch as it was once."""
    prove(hosting.source)
    git(hosting.source, "push", "--quiet", str(hosting.bare), EVIDENCE)
    first_tip = git(hosting.bare, "rev-parse", EVIDENCE)
    head = hosting.push()

    run = hosting.run(1, python_bin)

    assert [(s.name, s.outcome, s.output) for s in run.steps if s.outcome != "success"] == []
    assert "Proved in staging" in run.summary
    (artifact,) = run.artifacts.iterdir()
    assert {path.suffix for path in artifact.iterdir()} >= {".json", ".html"}
    _assert_no_secret(run)
    assert git(run.workspace, "status", "--porcelain", "--untracked-files=no") == ""
    assert git(run.workspace, "rev-parse", "HEAD", "main") == f"{head}\n{head}"
    audits = hosting.audits()
    assert [audit["run"]["outcome"] for audit in audits] == ["promoted", "promoted"]
    assert {audit["source"]["commit"] for audit in audits} == {head}
    assert hosting.port in {audit["target"]["port"] for audit in audits}
    # One line of evidence without other ancestors; its audits name the commit that they attest.
    parents = git(hosting.bare, "rev-parse", f"{KEPT}^@")
    assert parents == first_tip
    assert git(hosting.bare, "rev-parse", "main") == head


def test_a_broken_migration_fails_the_job_and_leaves_its_evidence(
    hosting: Hosting, python_bin: Path
) -> None:
    broken = hosting.source / "sql/migrations/9999_broken.sql"
    broken.write_text("ALTER TABLE venture.no_such_table ADD COLUMN broken integer;\n")
    commit_all(hosting.source, "break a migration")
    hosting.push()

    run = hosting.run(1, python_bin)

    assert run.outcome == "failure"
    assert [s.name for s in run.steps if s.outcome == "failure"] == ["Prove, then commit"]
    assert "9999_broken.sql" in run.step("Prove, then commit").output
    assert "9999_broken.sql" in run.summary
    (artifact,) = run.artifacts.iterdir()
    assert {path.suffix for path in artifact.iterdir()} >= {".json", ".html"}
    (audit,) = hosting.audits()
    assert audit["run"]["outcome"] == "rolled_back"
    _assert_no_secret(run)


def another_repository(top: Path, wheel: Path, ci: str, folder: str = ".") -> Path:
    """The project of docs/checks.md with the files of its CI; the tool comes as a wheel, by its
    hash in the project's own lock."""
    source = top / folder
    source.mkdir(parents=True)
    git(top, "init", "--quiet", "--initial-branch=main")
    files = files_of(ROOT / "docs/checks.md")
    files[".gitignore"] = with_ignored(source, "ops/audit", Path(sys.prefix)) or ""
    files |= ci_of(Config(root=source), ci)[0]
    write(source, files)
    tool = f"pytest-housekeeping=={version('pytest-housekeeping')}"
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    lock_installed(source, f"{tool} --hash=sha256:{digest}\n")
    return top


def test_the_staging_job_of_another_repository_promotes(
    tmp_path: Path, python_bin: Path, service_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As its caller has it, of a project that is a folder there."""
    wheel = build_file(tmp_path / "wheel")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheel.parent))
    source = another_repository(tmp_path / "source", wheel, "github", "services/shop")
    head = git(source, "rev-parse", "HEAD")
    bare = tmp_path / "origin.git"
    git(tmp_path, "clone", "--quiet", "--bare", str(source), str(bare))
    name = "housekeeping-staging-selfcontained-services-shop.yml"
    calls = load_job(source / ".github/workflows" / name, "staging")
    machine = Machine(
        folder=tmp_path / "run",
        python_bin=python_bin,
        origin=bare.as_uri(),
        ports={"postgres": {"5432": str(service_port)}},
        contexts={**NO_KEY, "inputs": calls["with"]},
    )

    run = run_job(STAGING, "staging", machine, github=_github())

    own = "Install this repository, unless another one has called"
    assert run.step(own).outcome == "skipped"
    others = [(s.name, s.outcome, s.output) for s in run.steps if s.name != own]
    assert [each for each in others if each[1] != "success"] == [], others
    assert "Proved in staging" in run.summary
    assert f"attests {head[:12]} of services/shop\n" in run.step("Prove, then commit").output
    assert git(bare, "log", "--format=%s", KEPT).partition(":")[0] == "services/shop"
    (artifact,) = run.artifacts.iterdir()
    assert {path.suffix for path in artifact.iterdir()} >= {".json", ".html"}


def test_the_staging_job_of_gitlab_promotes(
    tmp_path: Path, python_bin: Path, service_port: int
) -> None:
    """In a folder of another repository, from its installation to the push of the evidence."""
    wheel = build_file(tmp_path / "wheel")
    source = another_repository(tmp_path / "source", wheel, "gitlab", "services/shop")
    bare, clone = tmp_path / "origin.git", tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", "--bare", str(source), str(bare))
    git(bare, "config", "http.receivepack", "true")
    git(bare, "config", "receive.advertisePushOptions", "true")
    (template,) = (source / ".gitlab").iterdir()
    job = load(template)["housekeeping services/shop/staging"]
    password = job["variables"]["POSTGRES_PASSWORD"]
    assert f":{password}@postgres:5432/" in job["variables"]["HK_STAGING_URL"]
    superuser = load_job(STAGING, "staging")["services"]["postgres"]["env"]["POSTGRES_PASSWORD"]
    url = f"postgresql://postgres:{superuser}@localhost:{service_port}/postgres"
    with git_over_http(bare, user="oauth2", token="a-token-of-the-project") as origin:
        git(tmp_path, "clone", "--quiet", origin, str(clone))
        environment = {
            "PATH": f"{python_bin}:/usr/local/bin:/usr/bin:/bin",
            "HOME": str(tmp_path),
            "XDG_CACHE_HOME": os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache")),
            "PIP_FIND_LINKS": str(wheel.parent),
            "GIT_TERMINAL_PROMPT": "0",
            "HOUSEKEEPING_TOKEN": "a-token-of-the-project",
            "HK_STAGING_URL": url,
            "CI_PIPELINE_SOURCE": "push",
            "CI_PROJECT_URL": origin.removesuffix(".git"),
            "CI_JOB_URL": "https://gitlab.example.invalid/a/b/-/jobs/3",
            "GITLAB_USER_LOGIN": "ada",
        }
        done = run_parts(job, clone, environment, "before_script", "script")

    assert done.returncode == 0, done.stdout
    assert "Proved in staging" in done.stdout
    assert "a-token-of-the-project" not in done.stdout
    (name,) = (
        each
        for each in git(bare, "ls-tree", "-r", "--name-only", EVIDENCE).splitlines()
        if each.startswith("services/shop/ops/audit/staging_") and each.endswith(".json")
    )
    audit = json.loads(git(bare, "show", f"{EVIDENCE}:{name}"))
    assert (audit["run"]["actor"], audit["run"]["ci_url"]) == ("ada", environment["CI_JOB_URL"])
    assert audit["source"]["commit"] == git(source, "rev-parse", "HEAD")
    assert {each["name"] for each in audit["source"]["tools"]} >= {"pytest", "psycopg", "python"}
    patterns = [each for each in job["artifacts"]["paths"] if "staging" in each]
    assert {path.suffix for each in patterns for path in clone.glob(each)} >= {".json", ".html"}


@pytest.mark.parametrize(
    ("tag", "outcome"), [(f"v{version('pytest-housekeeping')}", "success"), ("v0.0.9", "failure")]
)
def test_the_release_is_built_for_a_tag_that_agrees(
    tag: str, outcome: str, tmp_path: Path, python_bin: Path
) -> None:
    source = fresh_repository(tmp_path / "source")
    bare = tmp_path / "origin.git"
    git(tmp_path, "clone", "--quiet", "--bare", str(source), str(bare))
    machine = Machine(folder=tmp_path / "run", python_bin=python_bin, origin=bare.as_uri())

    run = run_job(RELEASE, "build", machine, github=_github() | {"ref_name": tag})

    assert run.outcome == outcome, [(step.name, step.output) for step in run.steps]
    if outcome == "success":
        (artifact,) = run.artifacts.iterdir()
        assert {path.suffix for path in artifact.iterdir()} == {".whl", ".gz"}
        assert "### Added" in run.summary
    else:
        (failed,) = (step for step in run.steps if step.outcome == "failure")
        assert failed.name == "Check the tag"
        assert list(run.artifacts.iterdir()) == []


def _assert_no_secret(run: JobRun) -> None:
    texts = [step.output for step in run.steps] + [run.summary]
    texts += [path.read_text(encoding="utf-8") for path in run.artifacts.glob("*/*.[jh]*")]
    password = load_job(STAGING, "staging")["services"]["postgres"]["env"]["POSTGRES_PASSWORD"]
    for secret in (f":{password}@", "a-token-for-the-push"):
        assert not any(secret in text for text in texts)


@pytest.mark.parametrize(
    ("repository", "user", "pushed"),
    [
        ("somebody/somewhere", "somebody", "true"),
        ("a-fork/somewhere", "somebody", "false"),
        ("somebody/somewhere", "dependabot[bot]", "false"),
    ],
)
def test_only_a_token_that_may_write_pushes(repository: str, user: str, pushed: str) -> None:
    request = {"head": {"repo": {"full_name": repository}}, "user": {"login": user}}
    may_push = load_job(STAGING, "staging")["env"]["MAY_PUSH"]

    assert interpolate(may_push, {"github": _github(pull_request=request)}) == pushed
    assert interpolate(may_push, {"github": _github()}) == "true"


@pytest.mark.parametrize(("token", "accepted"), [("right", True), ("wrong", False)])
def test_the_push_step_hands_the_token_to_git_alone(
    tmp_path: Path, token: str, accepted: bool
) -> None:
    steps = load_job(STAGING, "staging")["steps"]
    (step,) = (each for each in steps if each.get("name") == "Push the audit commit")
    source = tmp_path / "source"
    source.mkdir()
    (source / "file").write_text("evidence\n")
    git(source, "init", "--quiet", f"--initial-branch={EVIDENCE}")
    commit_all(source, "evidence")
    bare = tmp_path / "origin.git"
    git(tmp_path, "init", "--quiet", "--bare", str(bare))
    git(bare, "config", "http.receivepack", "true")
    context = {"github": {"token": token}}
    environment = {key: interpolate(str(value), context) for key, value in step["env"].items()}

    with git_over_http(bare, user="x-access-token", token="right") as url:
        git(source, "remote", "add", "origin", url)
        done = subprocess.run(
            ["bash", "-ec", step["run"]],
            cwd=source,
            env={**os.environ, **environment, "GIT_TERMINAL_PROMPT": "0", "HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
        )

    assert (done.returncode == 0) is accepted, done.stderr
    assert (git(bare, "for-each-ref", KEPT) != "") is accepted
    assert git(bare, "for-each-ref", "refs/heads") == ""
    assert token not in step["run"] + done.stdout + done.stderr
