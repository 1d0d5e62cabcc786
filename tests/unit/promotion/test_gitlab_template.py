"""GitLab's jobs do what they say: their scripts run here, against stand-ins and a real remote."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from pytest_housekeeping.config import Config, Fleet
from pytest_housekeeping.model import Mode
from pytest_housekeeping.promotion.init.ci import ci_of
from pytest_housekeeping.promotion.init.ci_files import GITLAB, Place, ci_files
from pytest_housekeeping.promotion.recording.reports import CODE_QUALITY, JUNIT
from pytest_housekeeping.promotion.run_facts import new_run
from support.files import write
from support.fresh_copy import ROOT, commit_all, git
from support.git_http_server import git_over_http
from support.gitlab_job import Programs, load, run, script_of
from support.reference_pages import rows, section

TOKEN = "a-token-of-the-project"
PYTHON = Path(sys.executable).parent
TEMPLATE = ".gitlab/housekeeping.gitlab-ci.yml"
NAMES = ("staging", "plan", "promotion", "fleet", "rollback", "verify", "fleet-verify")


@dataclass(frozen=True, kw_only=True)
class Pipeline:
    """A project with its template, its clone in a runner, and the programs of that."""

    folder: Path
    clone: Path
    bare: Path
    url: str
    jobs: dict[str, Any]
    programs: Programs
    project: str

    def job(self, name: str) -> dict[str, Any]:
        job: dict[str, Any] = self.jobs["housekeeping " + f"{self.project}/{name}".lstrip("/")]
        return job

    def run(self, name: str, **variables: str) -> subprocess.CompletedProcess[str]:
        environment = {
            "PATH": f"{self.programs.folder}:{PYTHON}:{os.environ['PATH']}",
            "HOME": str(self.folder),
            "TMPDIR": str(self.folder / "tmp"),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "CI_PROJECT_URL": self.url.removesuffix(".git"),
            "CI_PROJECT_ID": "7",
            "CI_PROJECT_VISIBILITY": "private",
            "CI_API_V4_URL": "https://gitlab.example.invalid/api/v4",
            "CI_DEFAULT_BRANCH": "main",
            "CI_COMMIT_SHA": git(self.clone, "rev-parse", "HEAD"),
            "CI_PIPELINE_SOURCE": "push",
            "CI_JOB_URL": "https://gitlab.example.invalid/a/b/-/jobs/3",
            "HOUSEKEEPING_TOKEN": TOKEN,
        }
        folder = self.clone / self.project
        done = run(self.job(name), folder, environment | variables, "script")
        assert TOKEN not in done.stdout
        return done

    def evidence(self, branch: str) -> None:
        """What a run of pytest would have committed."""
        git(self.clone, "branch", "--force", branch)

    @property
    def gitlab(self) -> dict[str, Any]:
        state = (self.programs.folder / "gitlab.json").read_text(encoding="utf-8")
        known: dict[str, Any] = json.loads(state)
        return known

    def branches(self) -> set[str]:
        """With what is no branch: staging's log, by its whole name."""
        listed = git(self.bare, "for-each-ref", "--format=%(refname)").split()
        return {name.removeprefix("refs/heads/") for name in listed}


FOLDER = "services/shop"
anywhere = pytest.mark.parametrize("project", ["", FOLDER], indirect=True)


@pytest.fixture
def project(request: pytest.FixtureRequest) -> str:
    """The folder of the project in its repository."""
    folder: str = getattr(request, "param", "")
    return folder


def files_in(root: Path, project: str) -> dict[str, str]:
    """By their paths from the root of the repository."""
    (root / project).mkdir(parents=True, exist_ok=True)
    git(root, "init", "--quiet")
    fleets = {"tenants": Fleet(name="tenants", env="TENANTS")}
    config = Config(root=root / project, sql="db", server_version=18, fleets=fleets)
    made, why = ci_of(config, "gitlab")
    assert why == ""
    return {os.path.normpath(Path(project, path)): text for path, text in made.items()}


@pytest.fixture
def files(project: str, tmp_path: Path) -> dict[str, str]:
    return files_in(tmp_path / "written", project)


@pytest.fixture
def pipeline(project: str, tmp_path: Path, files: dict[str, str]) -> Any:
    clone, bare = tmp_path / "clone", tmp_path / "origin.git"
    write(clone, files)
    git(clone, "init", "--quiet", "--initial-branch=main")
    commit_all(clone, "the project")
    git(tmp_path, "clone", "--quiet", "--bare", str(clone), str(bare))
    git(bare, "config", "http.receivepack", "true")
    git(bare, "config", "receive.advertisePushOptions", "true")
    (tmp_path / "tmp").mkdir()
    with git_over_http(bare, user="oauth2", token=TOKEN) as url:
        git(clone, "remote", "add", "origin", url)
        yield Pipeline(
            folder=tmp_path,
            clone=clone,
            bare=bare,
            url=url,
            jobs=load(next((clone / ".gitlab").iterdir())),
            programs=Programs.make(tmp_path / "programs", token=TOKEN),
            project=project,
        )


def test_the_pipeline_includes_what_is_written(files: dict[str, str]) -> None:
    (included,) = yaml.safe_load(files[".gitlab-ci.yml"])["include"]
    assert included["local"] == TEMPLATE in files


def test_the_jobs_are_bounded_wait_for_each_other_and_start_when_they_should(
    pipeline: Pipeline,
) -> None:
    jobs = {name.removeprefix("housekeeping "): job for name, job in pipeline.jobs.items()}
    assert tuple(jobs) == NAMES
    for job in jobs.values():
        assert job["timeout"] == "20 minutes"
        assert job["artifacts"]["when"] == "always"
        assert job["artifacts"]["access"] == "developer"
        assert "--require-hashes" in job["before_script"][0]
    database = "housekeeping-database-production"
    assert jobs["promotion"]["resource_group"] == jobs["rollback"]["resource_group"] == database
    for name in ("promotion", "rollback", "verify"):
        (rule,) = jobs[name]["rules"]
        assert rule == {
            "if": f'$HOUSEKEEPING == "{name}" && $CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH'
        }
    for name in ("fleet", "fleet-verify"):
        (rule,) = jobs[name]["rules"]
        start = f'$HOUSEKEEPING == "{name}" && $FLEET && '
        assert rule == {"if": f"{start}$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH"}
    assert jobs["fleet"]["resource_group"] == "housekeeping-database-$FLEET"
    environments = [job.get("environment") for job in jobs.values()]
    assert environments == [
        None,
        {"name": "production-plan", "action": "access"},
        "production",
        "$FLEET",
        "production",
        {"name": "production-verify", "action": "access"},
        {"name": "$FLEET-verify", "action": "access"},
    ]
    assert jobs["plan"]["rules"][0]["when"] == "manual"
    assert jobs["staging"]["services"][0]["name"] == "postgres:18"
    assert jobs["staging"]["rules"][0]["changes"][:2] == ["db/**", "checks/**"]


def test_two_projects_have_no_name_in_common(tmp_path: Path) -> None:
    """But for the log that they share, for which they wait."""
    names, conditions, places = [], [], []
    for project in ("", FOLDER):
        files = files_in(tmp_path / f"of{project}", project)
        (path,) = (each for each in files if each.startswith(".gitlab/"))
        assert f"  - local: {path}\n" in files[".gitlab-ci.yml"]
        assert f"{project}/requirements-housekeeping.in".lstrip("/") in files
        (tmp_path / "ci.yml").write_text(files[path], encoding="utf-8")
        names += [path, *re.findall(r"^([^\s#].*):$", files[path], re.MULTILINE)]
        for job in load(tmp_path / "ci.yml").values():
            conditions += re.findall(r"\$HOUSEKEEPING == (\S+)", job["rules"][-1]["if"])
            places.append((job.get("environment"), job.get("resource_group")))
            kept = [*job["artifacts"]["paths"], *job["artifacts"].get("reports", {}).values()]
            assert all(each.startswith(project) for each in kept)
            (changes,) = [rule["changes"] for rule in job["rules"] if "changes" in rule] or [[]]
            assert all(each.startswith((project, ".gitlab/")) for each in changes)
    assert len({*names}) == len(names) == 18
    assert len({*conditions}) == len(conditions) == 14
    ours, theirs = ([str(each) for each in part] for part in (places[:7], places[7:]))
    shared = "(None, 'housekeeping-audit-staging')"
    assert {*ours} & {*theirs} == {shared}
    assert [each.count(FOLDER) for each in theirs] == [0, 1, 2, 2, 2, 1, 2]


@anywhere
@pytest.mark.parametrize("name", NAMES)
def test_shellcheck_finds_nothing(name: str, pipeline: Pipeline) -> None:
    text = script_of(pipeline.job(name), "before_script", "script")
    done = subprocess.run(
        [PYTHON / "shellcheck", "--shell=bash", "-"], input=text, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout


def test_what_every_job_begins_with_brings_the_evidence(pipeline: Pipeline) -> None:
    """Behind the installation, which needs what was locked."""
    git(pipeline.bare, "branch", "housekeeping/audit/staging", "main")
    job = dict(pipeline.jobs["housekeeping staging"])
    job["before_script"] = job["before_script"][1:]
    environment = {"PATH": os.environ["PATH"], "HOUSEKEEPING_TOKEN": TOKEN}
    environment["CI_PROJECT_URL"] = pipeline.url.removesuffix(".git")
    done = run(job, pipeline.clone, environment, "before_script")
    assert done.returncode == 0, done.stdout
    assert "housekeeping/audit/staging" in git(pipeline.clone, "branch")


@pytest.mark.parametrize("code", [0, 1])
def test_staging_pushes_its_evidence_however_it_ended(code: int, pipeline: Pipeline) -> None:
    branch = "housekeeping/audit/staging"
    pipeline.evidence(branch)
    pipeline.programs.pytest_says(code=code)
    done = pipeline.run("staging")
    assert done.returncode == code, done.stdout
    assert f"refs/{branch}" in pipeline.branches()
    assert branch not in pipeline.branches()
    folder = "housekeeping-reports"
    assert pipeline.programs.words() == ["--hk-mode=staging", f"--hk-reports={folder}"]
    reports = pipeline.jobs["housekeeping staging"]["artifacts"]["reports"]
    assert reports == {
        "codequality": f"{folder}/{CODE_QUALITY}",
        "junit": f"{folder}/{JUNIT}",
    }
    assert TOKEN not in pipeline.programs.environment()
    assert "HK_STAGING_URL=postgresql://postgres:of-this-job@postgres:5432/postgres" in (
        pipeline.programs.environment()
    )


def test_without_a_token_the_artifact_is_the_evidence(pipeline: Pipeline) -> None:
    pipeline.programs.pytest_says()
    done = pipeline.run("staging", HOUSEKEEPING_TOKEN="")
    assert (done.returncode, pipeline.branches()) == (0, {"main"})
    assert "the artifact is the evidence" in done.stdout


def test_a_key_signs_what_no_merge_request_has_run(pipeline: Pipeline) -> None:
    key = pipeline.folder / "key"
    key.write_text("a key\n")
    pipeline.programs.pytest_says()
    for source, signs in (("merge_request_event", False), ("push", True)):
        pipeline.run(
            "staging",
            HOUSEKEEPING_TOKEN="",
            EVIDENCE_SIGNING_KEY=str(key),
            CI_PIPELINE_SOURCE=source,
        )
        found = subprocess.run(["git", "config", "user.signingkey"], cwd=pipeline.clone)
        assert (found.returncode == 0) is signs
    kept = Path(git(pipeline.clone, "config", "user.signingkey"))
    assert (kept.read_text(), kept.stat().st_mode & 0o777) == ("a key\n", 0o600)


EVIL = '"; touch owned; $(touch owned) --hk-no-commit'


@pytest.mark.parametrize(
    ("name", "word", "given", "words"),
    [
        (
            "promotion",
            "PROMOTE",
            {"PLAN": EVIL, "SEGMENTS": "3", "EMERGENCY": "a reason"},
            ["--hk-mode=prod", f"--hk-plan={EVIL}", "--hk-segments=3", "--hk-emergency=a reason"],
        ),
        (
            "promotion",
            "PROMOTE",
            {"BASELINE": "0003", "ACCEPT_DRIFT": "ab"},
            ["--hk-mode=prod", "--hk-baseline=0003", "--hk-accept-drift=ab"],
        ),
        (
            "rollback",
            "ROLLBACK",
            {"TO": EVIL, "ACCEPT_DRIFT": "ab"},
            ["--hk-mode=rollback", f"--hk-to={EVIL}", "--hk-accept-drift=ab"],
        ),
    ],
)
@pytest.mark.parametrize("code", [0, 1])
def test_what_is_typed_is_one_word_and_the_evidence_a_merge_request(
    name: str, word: str, given: dict[str, str], words: list[str], code: int, pipeline: Pipeline
) -> None:
    branch = "housekeeping/audit/prod_x"
    pipeline.evidence(branch)
    pipeline.programs.pytest_says(code=code, summary="## Done\n", branch=branch, title="Done: it")
    done = pipeline.run(name, CONFIRM=word, **given)
    assert done.returncode == code, done.stdout
    mode, *others = words
    assert pipeline.programs.words() == [mode, f"--hk-confirm={word}", *others]
    assert list(pipeline.clone.glob("owned")) == []
    assert branch in pipeline.branches()
    assert pipeline.gitlab["merge_requests"] == [
        {
            "source_branch": branch,
            "target_branch": "main",
            "title": "Done: it",
            "description": "## Done\n",
        }
    ]


@anywhere
def test_a_merge_request_says_of_which_project_it_is(pipeline: Pipeline) -> None:
    branch = "housekeeping/audit/prod_x"
    pipeline.evidence(branch)
    pipeline.programs.pytest_says(summary="", branch=branch, title="Done: it")
    assert pipeline.run("promotion", CONFIRM="PROMOTE").returncode == 0
    (asked,) = pipeline.gitlab["merge_requests"]
    assert asked["title"] == ("services/shop: Done: it" if pipeline.project else "Done: it")


def test_a_fleet_is_promoted_and_watched_by_its_name(pipeline: Pipeline) -> None:
    """With the variables of its environment under the names that the tool asks for."""
    branch = "housekeeping/audit/shops-eu/fleet_x"
    pipeline.evidence(branch)
    given = {"PGHOST_PROD": "a host", "PGPASSWORD_PROD": "x$y", "PGHOST_REGISTRY": "the list"}
    pipeline.programs.pytest_says(summary="## Done\n", branch=branch, title="Done: all")
    done = pipeline.run("fleet", FLEET="shops-eu", CONFIRM=EVIL, SEGMENTS="2", **given)
    assert done.returncode == 0, done.stdout
    assert pipeline.programs.words() == [
        *("--hk-mode=prod", "--hk-fleet=shops-eu", f"--hk-confirm={EVIL}", "--hk-segments=2"),
    ]
    lines = pipeline.programs.environment().splitlines()
    told = {"PGHOST_SHOPS_EU=a host", "PGPASSWORD_SHOPS_EU=x$y", "PGHOST_REGISTRY=the list"}
    assert told <= {*lines}
    assert branch in pipeline.branches()
    assert [each["source_branch"] for each in pipeline.gitlab["merge_requests"]] == [branch]

    pipeline.evidence("housekeeping/audit/verify")
    pipeline.programs.pytest_says(code=1, summary="", branch="x", title="1 of 2 not verified")
    done = pipeline.run("fleet-verify", FLEET="shops-eu", **given)
    assert done.returncode == 1, done.stdout
    assert pipeline.programs.words() == ["--hk-mode=verify", "--hk-fleet=shops-eu"]
    assert "PGHOST_SHOPS_EU=a host" in pipeline.programs.environment().splitlines()
    assert TOKEN not in pipeline.programs.environment()
    (issue,) = pipeline.gitlab["issues"]
    assert issue["labels"] == "housekeeping-verify-shops-eu"
    assert list(pipeline.clone.glob("owned")) == []


@pytest.mark.parametrize("name", ["fleet", "fleet-verify"])
@pytest.mark.parametrize("fleet", ["$(touch owned)", "a; touch owned", "a b"])
def test_what_is_no_name_of_a_fleet_starts_nothing(
    name: str, fleet: str, pipeline: Pipeline
) -> None:
    pipeline.programs.pytest_says()
    assert pipeline.run(name, FLEET=fleet, CONFIRM="X").returncode != 0
    assert not (pipeline.programs.folder / "pytest.words").exists()
    assert list(pipeline.clone.glob("owned")) == []


def test_a_project_without_a_fleet_has_no_jobs_for_one() -> None:
    place = Place(paths=("sql/**",), branch="main", postgres=16)
    bare = ci_files(GITLAB, place)[TEMPLATE]
    assert "fleet" not in bare.replace("--hk-fleet", "")


@pytest.mark.parametrize("word", ["promote", "", "PROMOTE ", "ROLLBACK", '" ] || true; [ "'])
def test_another_word_touches_nothing(word: str, pipeline: Pipeline) -> None:
    pipeline.programs.pytest_says()
    done = pipeline.run("promotion", CONFIRM=word)
    assert (done.returncode, "nothing was touched" in done.stdout) == (1, True)
    done = pipeline.run("rollback", CONFIRM="PROMOTE")
    assert (done.returncode, "nothing was touched" in done.stdout) == (1, True)
    assert not (pipeline.programs.folder / "pytest.words").exists()


@anywhere
def test_one_issue_is_opened_kept_up_to_date_and_closed(pipeline: Pipeline) -> None:
    branch = "housekeeping/audit/verify"
    pipeline.evidence(branch)
    for code, title in ((0, ""), (1, "one promise"), (1, "two"), (0, ""), (1, "three"), (1, "")):
        told = {"title": title} if title else {}
        pipeline.programs.pytest_says(code=code, summary=f"## {title}\n", branch=branch, **told)
        done = pipeline.run("verify")
        assert done.returncode == code, done.stdout
    issues = pipeline.gitlab["issues"]
    of, end = ("services/shop: ", "-services-shop") if pipeline.project else ("", "")
    assert [(each["title"], each["state"]) for each in issues] == [
        (f"{of}two", "closed"),
        (f"{of}Production could not be verified", "opened"),
    ]
    page = "https://gitlab.example.invalid/a/b/-/jobs/3"
    assert issues[0]["description"] == f"## two\n\nFound by {page}\n"
    assert {each["labels"] for each in issues} == {f"housekeeping-verify{end}"}
    assert branch in pipeline.branches()
    assert TOKEN not in pipeline.programs.environment()


@anywhere
@pytest.mark.parametrize(("visibility", "shown"), [("private", True), ("public", False)])
def test_a_plan_is_told_as_far_as_everybody_may_read_it(
    visibility: str, shown: bool, pipeline: Pipeline
) -> None:
    """The commands that tell it are the package's own."""
    pipeline.programs.pytest_says(code=1)
    text = (pipeline.programs.folder / "pytest").read_text(encoding="utf-8")
    said = text.replace("env >", "echo a-host-of-production; env >")
    (pipeline.programs.folder / "pytest").write_text(said, encoding="utf-8")
    done = pipeline.run("plan", CI_PROJECT_VISIBILITY=visibility, PROMOTER_PROD="a role")
    assert done.returncode == 1, done.stdout
    assert pipeline.programs.words() == ["--hk-mode=plan", "--hk-as=a role"]
    assert ("a-host-of-production" in done.stdout) is shown
    (kept,) = (pipeline.clone / pipeline.project / "housekeeping-plan").iterdir()
    assert (f"made: `{FOLDER}`" in kept.read_text("utf-8")) is bool(pipeline.project)
    assert "a-host-of-production" not in kept.read_text(encoding="utf-8")
    assert TOKEN not in pipeline.programs.environment()


def test_the_page_says_what_starts_each_job_and_where_its_secrets_are(pipeline: Pipeline) -> None:
    text = section(ROOT / "docs/ci.md", "## GitLab")
    told = {name.strip("`"): (starts, where.strip("`")) for name, starts, where in rows(text)}
    assert told.keys() == pipeline.jobs.keys()
    for name, (starts, where) in told.items():
        job = pipeline.jobs[name]
        place = job.get("environment", "none")
        assert where == (place["name"] if isinstance(place, dict) else place)
        conditions = " ".join(rule["if"] for rule in job["rules"])
        assert f"HOUSEKEEPING={name.removeprefix('housekeeping ')}`" in starts
        assert ("merge request" in starts) is ("merge_request_event" in conditions)
    script = "\n".join(script_of(job, "script") for job in pipeline.jobs.values())
    for typed in (
        "PLAN",
        "SEGMENTS",
        "BASELINE",
        "ACCEPT_DRIFT",
        "EMERGENCY",
        "TO",
        "CONFIRM",
        "FLEET",
    ):
        assert f"${{{typed}:" in script
        assert f"`{typed}" in text


@pytest.mark.parametrize(
    ("given", "actor", "page"),
    [
        ({"GITLAB_USER_LOGIN": "ada", "CI_JOB_URL": "https://a/b"}, "ada", "https://a/b"),
        ({"GITLAB_USER_LOGIN": "ada", "GITHUB_ACTOR": "bob"}, "bob", ""),
        # Started by bob, and started again by cyd.
        ({"GITHUB_ACTOR": "bob", "GITHUB_TRIGGERING_ACTOR": "cyd"}, "cyd", ""),
    ],
)
def test_a_run_says_who_started_it_and_where(
    given: dict[str, str], actor: str, page: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (
        "GITHUB_ACTOR",
        "GITHUB_TRIGGERING_ACTOR",
        "GITHUB_SERVER_URL",
        "GITLAB_USER_LOGIN",
        "CI_JOB_URL",
    ):
        monkeypatch.delenv(name, raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    run = new_run(Mode.STAGING)
    assert (run.actor, run.ci_url) == (actor, page)
