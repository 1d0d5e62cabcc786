"""The fleet's workflow: canaries, shares side by side, the rest, and one pull request of it all."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from pytest_housekeeping.promotion.init.ci_files import GITHUB, Place, ci_files
from support.fresh_copy import ROOT, git
from support.gh_program import Gh
from support.workflow_expressions import interpolate
from support.workflow_runner import Given, load_job

WORKFLOW = ROOT / ".github/workflows/housekeeping-fleet.yml"
JOBS = ("canaries", "share", "rest")
PROVE = "Prove, then commit"
STARTED = """#!/bin/bash
printf '%s\\0' "$@" > words
printf '%s\\0' "${PGHOST_SHOPS_EU-}" "${PGDATABASE_REGISTRY-}" > secrets
"""


def step(job: str, name: str) -> dict[str, Any]:
    steps: list[dict[str, Any]] = load_job(WORKFLOW, job)["steps"]
    return next(each for each in steps if each["name"] == name)


def bash(script: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-e", "-c", script],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def words(job: str, folder: Path, **inputs: str) -> list[str]:
    """What pytest is started with."""
    prove = step(job, PROVE)
    context = {
        "inputs": Given({"fleet": "shops-eu", "confirm": "SHOPS", **inputs}),
        "secrets": Given(PGHOST_PROD="a host", PGDATABASE_REGISTRY="the list"),
        "matrix": {"share": "3"},
        "vars": Given(),
        "github": {"token": "t"},
    }
    environment = {name: interpolate(text, context) for name, text in prove["env"].items()}
    (folder / "pytest").write_text(STARTED, encoding="utf-8")
    (folder / "pytest").chmod(0o755)
    path = f"{folder}:{os.environ['PATH']}"
    done = bash(prove["run"], folder, **environment, PATH=path)
    assert done.returncode == 0, done.stderr
    assert (folder / "secrets").read_text(encoding="utf-8") == "a host\0the list\0"
    return (folder / "words").read_text(encoding="utf-8").split("\0")[:-1]


@pytest.mark.parametrize(
    ("job", "shard"),
    [("canaries", ["--hk-shard=canary"]), ("share", ["--hk-shard=3/10"]), ("rest", [])],
)
def test_each_job_has_its_part_of_the_fleet(job: str, shard: list[str], tmp_path: Path) -> None:
    start = ["--hk-mode=prod", "--hk-fleet=shops-eu", "--hk-confirm=SHOPS"]
    assert words(job, tmp_path, shares="10") == [*start, *shard]


def test_a_share_waits_for_the_canaries_and_ends_no_other() -> None:
    document = yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))
    jobs = document["jobs"]
    assert [jobs[name].get("needs") for name in JOBS] == [None, "canaries", "share"]
    assert jobs["share"]["strategy"]["fail-fast"] is False
    assert document["concurrency"]["cancel-in-progress"] is False
    for name in JOBS:
        holders = [each["name"] for each in jobs[name]["steps"] if "secrets." in json.dumps(each)]
        assert holders == [PROVE]
        place = interpolate(jobs[name]["environment"], {"inputs": Given(fleet="shops")})
        assert place == "shops"
    # But for their part of the fleet, and the counting, they are one job.
    alike = {json.dumps(step(name, PROVE)["run"]) for name in JOBS}
    assert len(alike) == 1


@pytest.mark.parametrize(
    ("shares", "listed"),
    [("1", "[1]"), ("3", "[1,2,3]"), ("0", ""), ("257", ""), ("3; touch owned", ""), ("", "")],
)
def test_the_shares_are_counted(shares: str, listed: str, tmp_path: Path) -> None:
    output = tmp_path / "output"
    script = step("canaries", "Count the shares")["run"]
    done = bash(script, tmp_path, SHARES=shares, GITHUB_OUTPUT=str(output))
    assert (done.returncode == 0) is bool(listed)
    if listed:
        assert output.read_text(encoding="utf-8") == f"list={listed}\n"
    else:
        assert "nothing was touched" in done.stdout
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize("project", ["", "services/shop"])
def test_the_evidence_of_all_jobs_is_one_pull_request(project: str, tmp_path: Path) -> None:
    """Of one project: another one may have a fleet of that name."""
    bare, clone = tmp_path / "bare.git", tmp_path / "clone"
    git(tmp_path, "init", "--quiet", "--bare", "--initial-branch=main", str(bare))
    git(tmp_path, "clone", "--quiet", str(bare), str(clone))
    identity = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    git(clone, *identity, "commit", "--quiet", "--allow-empty", "-m", "one")
    git(clone, "push", "--quiet", "origin", "HEAD:main")
    others = ("fleet_3",) if project else ()
    for name in ("fleet_1", "fleet_2", *others):
        git(clone, "checkout", "--quiet", "-B", "work", "origin/main")
        folder = clone / ("services/desk" if name in others else project)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
        git(clone, "add", ".")
        git(clone, *identity, "commit", "--quiet", "-m", name)
        git(clone, "push", "--quiet", "origin", f"HEAD:housekeeping/audit/shops-eu/{name}")
    git(clone, "checkout", "--quiet", "-B", "main", "origin/main")
    git(clone, "fetch", "--quiet")
    gh = Gh.make(tmp_path / "programs", token="t")
    opened = step("evidence", "Open the pull request of the evidence")
    context = {
        "inputs": Given(fleet="shops-eu", project=project),
        "github": {"token": "t", "run_id": "101", "run_attempt": "1"},
    }
    environment = {n: interpolate(str(v), context) for n, v in opened["env"].items()}
    environment |= {"RUNNER_TEMP": str(tmp_path), "GITHUB_REF_NAME": "main"}
    path = f"{gh.programs}:{os.environ['PATH']}"
    for _ in range(2):
        (clone / project).mkdir(parents=True, exist_ok=True)
        done = bash(opened["run"], clone / project, **environment, PATH=path)
        assert done.returncode == 0, done.stderr
        git(clone, "fetch", "--quiet")
    branch = "housekeeping/fleet/shops-eu/101-1"
    held = git(bare, "ls-tree", "-r", "--name-only", branch).split()
    assert held == [f"{project}/{each}".lstrip("/") for each in ("fleet_1", "fleet_2")]
    # The second time there is nothing that is not merged here.
    (asked,) = (each for each in gh.asked if each[:2] == ["pr", "create"])
    assert asked[asked.index("--head") + 1] == branch
    of = f"{project}: " if project else ""
    assert asked[asked.index("--title") + 1] == f"{of}Evidence of the fleet shops-eu"


def test_a_caller_is_written_where_there_is_a_fleet() -> None:
    path = ".github/workflows/housekeeping-fleet.yml"
    place = Place(paths=("sql/**",), branch="main", postgres=16)
    assert path not in ci_files(GITHUB, place)
    caller = yaml.safe_load(ci_files(GITHUB, replace(place, fleet=True))[path])
    called = yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))[True]["workflow_call"]
    (job,) = caller["jobs"].values()
    assert job["secrets"].keys() == called["secrets"].keys()
    assert job["with"].keys() == called["inputs"].keys() - {"runner", "project"}
    assert caller[True]["workflow_dispatch"]["inputs"].keys() == job["with"].keys() - {
        "requirements"
    }


@pytest.mark.parametrize("name", ["housekeeping-fleet.yml", "housekeeping-verify.yml"])
def test_who_asks_a_registry_has_its_variables(name: str) -> None:
    """Under the one name that `registry = "REGISTRY"` reads: of the environment, in each job."""
    document = yaml.safe_load((ROOT / ".github/workflows" / name).read_text(encoding="utf-8"))
    wanted = {
        f"PG{part}_REGISTRY": f"${{{{ secrets.PG{part}_REGISTRY }}}}"
        for part in ("HOST", "PORT", "DATABASE", "USER", "PASSWORD")
    }
    assert wanted.keys() < document[True]["workflow_call"]["secrets"].keys()
    steps = [
        each
        for job in document["jobs"].values()
        for each in job["steps"]
        if "--hk-fleet" in each.get("run", "")
    ]
    assert len(steps) == (3 if name == "housekeeping-fleet.yml" else 1)
    assert all(wanted.items() <= each["env"].items() for each in steps)
