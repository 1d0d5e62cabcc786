"""The workflow of a plan as its YAML has it: which job runs when, and what each is given."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from pytest_housekeeping.config import Target
from pytest_housekeeping.promotion.production.target_address import required
from support.fresh_copy import ROOT
from support.workflow_expressions import condition, interpolate
from support.workflow_runner import Given, load_job

FOLDER = ROOT / ".github/workflows"
WORKFLOW = FOLDER / "housekeeping-plan.yml"
PROMOTION = FOLDER / "housekeeping-prod-promotion.yml"
STAGING = FOLDER / "housekeeping-staging-selfcontained.yml"
DOCUMENT = yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))
HERE = "somebody/somewhere"


def runs(event_name: str, repository: str = HERE, login: str = "somebody") -> set[str]:
    """The jobs that run for an event."""
    request = {"head": {"repo": {"full_name": repository}}, "user": {"login": login}}
    github = {
        "event_name": event_name,
        "repository": HERE,
        "event": {"pull_request": request} if event_name == "pull_request" else {},
    }
    return {
        name
        for name, job in DOCUMENT["jobs"].items()
        if condition(job["if"], {"github": github}, failed=False)
    }


def test_each_event_has_its_jobs_and_a_fork_none_with_a_secret() -> None:
    assert runs("pull_request") == {"superseded", "plan"}
    assert runs("pull_request", "a-fork/somewhere") == {"unplanned"}
    assert runs("pull_request", login="dependabot[bot]") == {"unplanned"}
    assert runs("workflow_dispatch") == {"plan"}


def test_a_plan_is_made_though_the_mark_could_not_be() -> None:
    job = DOCUMENT["jobs"]["plan"]
    github = {"event_name": "workflow_dispatch", "event": {}}
    assert job["needs"] == "superseded"
    assert condition(job["if"], {"github": github}, failed=True)


def test_what_starts_it_and_what_ends_it() -> None:
    # YAML 1.1 reads the key `on` as true.
    assert DOCUMENT[True].keys() == {"workflow_call", "workflow_dispatch", "pull_request"}
    assert DOCUMENT[True]["workflow_dispatch"]["inputs"].keys() == {"target"}
    assert DOCUMENT[True]["pull_request"] == {
        "paths": ["sql/**", "checks/**", "pyproject.toml", "requirements-housekeeping.txt"]
    }
    assert DOCUMENT["concurrency"]["cancel-in-progress"] is True
    request = {"github": {"event": {"pull_request": {"number": "5"}}}, "inputs": Given()}
    assert interpolate(DOCUMENT["concurrency"]["group"], request) == "housekeeping-plan-5"


def test_secrets_and_tokens_reach_the_one_step_that_needs_them() -> None:
    may = {name: job["permissions"] for name, job in DOCUMENT["jobs"].items()}
    assert may == {
        "superseded": {"contents": "read", "pull-requests": "write"},
        "plan": {"contents": "read", "pull-requests": "write"},
        "unplanned": {"contents": "read"},
    }
    holders = {
        word: [
            (name, step["name"])
            for name, job in DOCUMENT["jobs"].items()
            for step in job["steps"]
            if word in json.dumps(step)
        ]
        for word in ("secrets.", "github.token")
    }
    assert holders == {
        "secrets.": [("plan", "Plan")],
        "github.token": [
            ("superseded", "Mark the comment"),
            ("plan", "Continue from the evidence so far"),
            ("plan", "Tell it in the pull request"),
        ],
    }
    assert [name for name, job in DOCUMENT["jobs"].items() if "environment" in job] == ["plan"]
    environment = DOCUMENT["jobs"]["plan"]["environment"]
    for target, name in (("", "production-plan"), ("preprod", "preprod-plan")):
        assert interpolate(environment, {"inputs": Given(target=target)}) == name
    (step,) = (each for each in DOCUMENT["jobs"]["plan"]["steps"] if each.get("id") == "plan")
    assert {name: step["env"][name] for name in required(Target())} == {
        name: f"${{{{ secrets.{name} }}}}" for name in required(Target())
    }


def test_it_uses_the_actions_of_the_staging_workflow() -> None:
    known = {step.get("uses") for step in load_job(STAGING, "staging")["steps"]}
    used = {step.get("uses") for job in DOCUMENT["jobs"].values() for step in job["steps"]}
    assert used <= known


EVIL = ("a b", '"; touch owned; "', "$(touch owned)", "`touch owned`", "--hk-no-commit", "*", "'")


@pytest.mark.parametrize("evil", EVIL)
@pytest.mark.parametrize(
    ("workflow", "job", "step", "variable", "option"),
    [
        (PROMOTION, "promote", "promote", "PLAN", "--hk-plan="),
        (WORKFLOW, "plan", "plan", "PROMOTER", "--hk-as="),
    ],
)
def test_what_somebody_has_typed_is_one_word(
    workflow: Path, job: str, step: str, variable: str, option: str, evil: str, tmp_path: Path
) -> None:
    (script,) = (each for each in load_job(workflow, job)["steps"] if each.get("id") == step)
    words = _words(script["run"], tmp_path, dict.fromkeys(script["env"], "") | {variable: evil})
    assert words[-1] == f"{option}{evil}"
    assert not (tmp_path / "owned").exists()
    words = _words(script["run"], tmp_path, dict.fromkeys(script["env"], ""))
    assert not [word for word in words if word.startswith(option)]


def _words(script: str, folder: Path, given: dict[str, Any]) -> list[str]:
    """What pytest is started with by a step."""
    program = folder / "pytest"
    program.write_text('#!/bin/sh\nprintf "%s\\0" "$@" >words\n', encoding="utf-8")
    program.chmod(0o755)
    (folder / "summary").touch()
    subprocess.run(
        ["bash", "-e", "-c", script],
        cwd=folder,
        env={
            **os.environ,
            **given,
            "PATH": f"{folder}:{os.environ['PATH']}",
            "RUNNER_TEMP": str(folder),
            "GITHUB_STEP_SUMMARY": str(folder / "summary"),
        },
        check=True,
    )
    return (folder / "words").read_text(encoding="utf-8").split("\0")[:-1]
