"""What `init` writes for a project's CI: callers that fit what they call."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from pytest_housekeeping import __version__
from pytest_housekeeping.config import Config, Fleet, Stub
from pytest_housekeeping.promotion.init.ci import ci_of
from support.files import write
from support.fresh_copy import ROOT, git
from support.workflow_expressions import interpolate
from support.workflow_runner import load_job

FOLDER = ROOT / ".github/workflows"
PROJECT = "services/shop"
CALLED = re.compile(r"OWNER/pytest-housekeeping/\.github/workflows/([\w.-]+)@0{40} # a release")
NAMES = sorted(path.name for path in FOLDER.glob("housekeeping-*.yml"))


def repository(root: Path, remote: str = "", *marks: str) -> Path:
    git(root.parent, "init", "--quiet", "--initial-branch=trunk", root.name)
    if remote:
        git(root, "remote", "add", "origin", remote)
    for mark in marks:
        (root / mark).mkdir()
    return root


@pytest.fixture(scope="module", params=["", PROJECT])
def project(request: pytest.FixtureRequest) -> str:
    """The folder of the project in its repository."""
    folder: str = request.param
    return folder


@pytest.fixture(scope="module")
def written(project: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository; its project has folders of its own names, and the files of its CI."""
    root = repository(tmp_path_factory.mktemp("ci") / "project", "git@github.com:a/b.git")
    (root / project).mkdir(parents=True, exist_ok=True)
    config = Config(
        root=root / project,
        sql="db",
        migrations="supabase/migrations",
        checks='our "checks"',
        audit="evidence/audit",
        server_version=18,
        fleets={"tenants": Fleet(name="tenants", env="TENANTS")},
    )
    files, why = ci_of(config, None)
    assert why == ""
    write(config.root, files)
    return root


def caller(name: str, project: str) -> str:
    """The path of the file that calls this workflow."""
    of = "-services-shop" if project else ""
    return f".github/workflows/{name.removesuffix('.yml')}{of}.yml"


def triggers(path: Path) -> tuple[dict[Any, Any], dict[str, Any]]:
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    # YAML 1.1 reads the key `on` as true.
    return document, document[True]


def test_there_is_a_caller_of_each_workflow(written: Path, project: str) -> None:
    there = {f".github/workflows/{path.name}" for path in (written / ".github/workflows").iterdir()}
    assert there == {caller(name, project) for name in NAMES}
    assert (written / project / "requirements-housekeeping.in").exists()


@pytest.mark.parametrize("name", NAMES)
def test_a_caller_gives_what_is_asked_for_and_says_where_it_is(
    name: str, written: Path, project: str
) -> None:
    path = written / caller(name, project)
    document, on = triggers(path)
    called, its = triggers(FOLDER / name)
    (job,) = document["jobs"].values()
    assert CALLED.findall(path.read_text(encoding="utf-8")) == [name]
    asked = its["workflow_call"]
    required = {each for each, facts in asked["inputs"].items() if facts["required"]}
    assert required <= job["with"].keys() <= asked["inputs"].keys()
    assert job["with"].get("project", "") == project
    assert job["secrets"] == {each: f"${{{{ secrets.{each} }}}}" for each in asked["secrets"]}
    # A job that asks for more than its caller may is refused by GitHub before anything runs.
    wanted = [pair for each in called["jobs"].values() for pair in each["permissions"].items()]
    most = {what: max(may for name, may in wanted if name == what) for what, _ in wanted}
    assert job["permissions"] == most  # "read" < "write"
    # Two that wait for one name would wait for each other.
    assert "concurrency" not in document
    assert document["permissions"] == {}
    prefix = f"{project}: " if project else ""
    assert [document[each] for each in ("name", "run-name")] == [
        prefix + called[each] for each in ("name", "run-name")
    ]
    typed = its["workflow_dispatch"] or {"inputs": {}}
    assert (on["workflow_dispatch"] or {"inputs": {}}) == typed
    for each in typed["inputs"]:
        assert job["with"][each] == f"${{{{ inputs.{each} }}}}"
    assert on.keys() == its.keys() - {"workflow_call"}
    assert on.get("schedule") == its.get("schedule")


def test_a_change_of_the_schema_starts_staging_and_a_plan(written: Path, project: str) -> None:
    schema = ["db/**", "supabase/migrations/**", 'our "checks"/**', "pyproject.toml"]
    inside = f"{project}/" if project else ""
    expected = [inside + each for each in (*schema, "requirements-housekeeping.txt")]
    itself = caller("housekeeping-staging-selfcontained.yml", project)
    document, staging = triggers(written / itself)
    _, plan = triggers(written / caller("housekeeping-plan.yml", project))
    assert plan["pull_request"]["paths"] == expected
    assert staging["pull_request"]["paths"] == [*expected, itself]
    assert staging["push"] == {**staging["pull_request"], "branches": ["trunk"]}
    assert document["jobs"]["staging"]["with"]["postgres"] == "18"


@pytest.mark.parametrize("program", ["actionlint", "zizmor"])
def test_two_others_find_nothing_in_them(program: str, written: Path, tmp_path: Path) -> None:
    """What is called is put beside, where actionlint knows its inputs and secrets."""
    root = repository(tmp_path / "project")
    shutil.copytree(written / ".github", root / ".github")
    callers = sorted((root / ".github/workflows").iterdir())
    for name in NAMES:
        shutil.copy(FOLDER / name, root / f".github/workflows/called-{name}")
    for path in callers:
        text = path.read_text(encoding="utf-8")
        if program == "actionlint":
            text = CALLED.sub(r"./.github/workflows/called-\1", text)
        path.write_text(text, encoding="utf-8")
    options = ["--offline", "--no-progress", "--quiet"] if program == "zizmor" else []
    done = subprocess.run(
        [Path(sys.executable).with_name(program), *options, *callers],
        cwd=root,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("remote", "marks", "chosen", "folder", "why"),
    [
        ("https://github.com/a/b", (), None, ".github/workflows", ""),
        ("", (".github",), None, ".github/workflows", ""),
        ("https://gitlab.example.org/a/b", (".github",), "github", ".github/workflows", ""),
        ("https://gitlab.example.org/a/b", (".github",), None, ".gitlab", ""),
        ("", (".gitlab-ci.yml",), None, ".gitlab", ""),
        ("", (), "gitlab", ".gitlab", ""),
        ("", (), None, "", "nothing here says which CI it has: init --ci=github or --ci=gitlab"),
        ("https://github.com/a/b", (), "none", "", ""),
    ],
)
def test_which_ci_it_is_the_repository_tells(
    remote: str, marks: tuple[str, ...], chosen: str | None, folder: str, why: str, tmp_path: Path
) -> None:
    root = repository(tmp_path / "project", remote, *marks)
    files, said = ci_of(Config(root=root), chosen)
    folders = {str(Path(path).parent) for path in files} - {"."}
    assert (folders, said) == ({folder} - {""}, why)


def test_where_no_workflow_can_be_is_said(tmp_path: Path) -> None:
    root = repository(tmp_path / "project", "https://github.com/a/b", "a part")
    assert ci_of(Config(root=root / "a part"), None) == (
        {},
        "the folder a part has more in its name than letters, digits, . _ - and /",
    )
    alone = tmp_path / "alone"
    alone.mkdir()
    assert ci_of(Config(root=alone), "github") == ({}, "the project is in no git repository")


@pytest.mark.parametrize(
    ("config", "superuser"),
    [
        ({}, "postgres"),
        ({"platform": "supabase", "migrator": "postgres"}, "supabase_admin"),
        ({"migrator": "postgres"}, "supabase_admin"),
    ],
)
def test_no_server_is_made_with_the_role_that_migrations_run_as(
    config: dict[str, Any], superuser: str, tmp_path: Path
) -> None:
    root = repository(tmp_path / "project")
    files, _ = ci_of(Config(root=root, **config), "github")
    caller = yaml.safe_load(files[".github/workflows/housekeeping-staging-selfcontained.yml"])
    assert caller["jobs"]["staging"]["with"]["superuser"] == superuser
    files, _ = ci_of(Config(root=root, **config), "gitlab")
    job = yaml.safe_load(files[".gitlab/housekeeping.gitlab-ci.yml"])["housekeeping staging"]
    password = job["variables"]["POSTGRES_PASSWORD"]
    assert job["variables"]["POSTGRES_USER"] == superuser
    url = f"postgresql://{superuser}:{password}@postgres:5432/postgres"
    assert job["variables"]["HK_STAGING_URL"] == url


@pytest.mark.parametrize(
    ("made", "settings", "embedded"),
    [
        ("vector", {"trusted_extensions": ("vector",)}, True),
        ("http", {"stubs": (Stub(name="http", types=("answer",)),)}, True),
        ("citext", {"trusted_extensions": ("vector",)}, False),
        # A plain container has it itself.
        ('"uuid-ossp"', {"stubs": (Stub(name="uuid-ossp", types=("answer",)),)}, False),
    ],
)
def test_what_the_embedded_server_alone_is_given_is_proved_there(
    made: str, settings: dict[str, Any], embedded: bool, tmp_path: Path
) -> None:
    root = repository(tmp_path / "project")
    write(root, {"sql/migrations/0001_a.sql": f"CREATE EXTENSION {made};"})
    files, _ = ci_of(Config(root=root, **settings), "github")
    caller = yaml.safe_load(files[".github/workflows/housekeeping-staging-selfcontained.yml"])
    assert caller["jobs"]["staging"]["with"]["embedded"] is embedded
    files, _ = ci_of(Config(root=root, **settings), "gitlab")
    job = yaml.safe_load(files[".gitlab/housekeeping.gitlab-ci.yml"])["housekeeping staging"]
    assert (job["variables"]["HK_STAGING_URL"] == "") is embedded
    job = load_job(FOLDER / "housekeeping-staging-selfcontained.yml", "staging")
    (step,) = (each for each in job["steps"] if each.get("name") == "Prove, then commit")
    job_context = {"services": {"postgres": {"ports": {"5432": 5555}}}}
    inputs = {"embedded": embedded, "superuser": ""}
    url = interpolate(step["env"]["HK_STAGING_URL"], {"inputs": inputs, "job": job_context})
    asked = "postgresql://postgres:of-this-job-16@localhost:5555/postgres"
    assert url == ("" if embedded else asked)


@pytest.mark.parametrize(("version", "extra"), [(16, ""), (17, "[contrib]"), (18, "")])
def test_the_version_is_that_of_the_tool_with_the_server_of_the_settings(
    version: int, extra: str, tmp_path: Path
) -> None:
    root = repository(tmp_path / "project")
    files, _ = ci_of(Config(root=root, server_version=version), "github")
    assert f"\npytest-housekeeping{extra}=={__version__}\n" in files["requirements-housekeeping.in"]
