"""What the workflows say in their YAML: who may start them, what is pinned, where secrets go."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

from pytest_housekeeping.config import Target
from pytest_housekeeping.evidence.git.signing import why_unsigned
from pytest_housekeeping.evidence.signatures import signer_of
from pytest_housekeeping.promotion.production.target_address import required
from support.evidence_repository import new_repository
from support.fresh_copy import ROOT
from support.git_folders import forget_own_git
from support.prepared_python import LOCK
from support.signing import new_key, signer_line
from support.workflow_expressions import condition, interpolate
from support.workflow_runner import Given, load_job

WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))

STAGING = ROOT / ".github/workflows/housekeeping-staging-selfcontained.yml"


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_is_pinned_bounded_and_unprivileged(workflow: Path) -> None:
    text = workflow.read_text(encoding="utf-8")
    document = yaml.safe_load(text)

    for used in re.findall(r"uses: (.*)", text):
        assert re.fullmatch(r"[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", used)
    assert document["permissions"] == {}
    assert "concurrency" in document
    for job in document["jobs"].values():
        # ci.yml has the whole suite, on two cores
        assert job["timeout-minutes"] <= (30 if workflow.name == "ci.yml" else 20)
        assert all("${{" not in step.get("run", "") for step in job["steps"])


def test_the_job_runs_the_command_of_a_laptop() -> None:
    steps = load_job(STAGING, "staging")["steps"]

    assert "exec pytest --hk-mode=staging" in [step.get("run") for step in steps]


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_a_list_of_runs_tells_them_apart(workflow: Path) -> None:
    """By the commit or what was typed, and by who or what has started it."""
    if workflow.name.startswith("housekeeping-"):
        said = yaml.safe_load(workflow.read_text(encoding="utf-8"))["run-name"]
        told = re.findall(r"(github|inputs)\.(\w+)", said)
        assert {"sha", "to"} & {name for _, name in told}
        assert {"actor", "event_name", "ref_name"} & {name for _, name in told}


SIGN = "Sign with the repository's key"


def test_staging_proves_what_a_merge_makes() -> None:
    """A squashed commit is proved by itself, and by the same changes as a pull request."""
    triggers = yaml.safe_load(STAGING.read_text(encoding="utf-8"))[True]

    assert triggers["push"] == {**triggers["pull_request"], "branches": ["main"]}


def test_the_signing_key_reaches_one_step_and_no_pull_request() -> None:
    job = load_job(STAGING, "staging")
    holders = [step for step in job["steps"] if "secrets." in json.dumps(step)]

    assert [(step["name"], step["if"]) for step in holders] == [
        (SIGN, "github.event_name != 'pull_request'")
    ]
    names = [step["name"] for step in job["steps"]]
    assert names.index(SIGN) < names.index(PROVE)
    assert "secrets." not in json.dumps({k: v for k, v in job.items() if k != "steps"})


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="there is no ssh-keygen here")
@pytest.mark.parametrize("given", [True, False])
def test_evidence_is_signed_where_there_is_a_key(
    given: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forget_own_git(monkeypatch)
    (step,) = (each for each in load_job(STAGING, "staging")["steps"] if each["name"] == SIGN)
    key = new_key(tmp_path, "ci")
    secret = key.read_text(encoding="utf-8").rstrip("\n") if given else ""
    (tmp_path / "temp").mkdir()
    with new_repository(tmp_path / "p") as repository:
        done = subprocess.run(
            ["bash", "-e", "-c", step["run"]],
            cwd=repository.root,
            env={**os.environ, "SIGNING_KEY": secret, "RUNNER_TEMP": str(tmp_path / "temp")},
            capture_output=True,
            check=True,
        )
        assert (done.stdout, done.stderr) == (b"", b"")
        assert (why_unsigned(repository) == "") is given
        if given:
            (kept,) = (tmp_path / "temp").iterdir()
            assert kept.stat().st_mode & 0o777 == 0o600
            commit = repository.commit_evidence("log", {"a": b""}, "it", None, sign=True)
            assert signer_of(repository, commit, signer_line(key, "ci")) == "ci"


WORKFLOW = ROOT / ".github/workflows/housekeeping-prod-promotion.yml"

ROLLBACK = ROOT / ".github/workflows/housekeeping-prod-rollback.yml"

PROVE = "Prove, then commit"

UNDO = "Show, prove, then commit"


@pytest.mark.parametrize(
    ("workflow", "name", "prove"), [(WORKFLOW, "promote", PROVE), (ROLLBACK, "rollback", UNDO)]
)
def test_the_secrets_reach_the_one_step_that_needs_them(
    workflow: Path, name: str, prove: str
) -> None:
    """Through its environment: not the job's, not another step's, on no command line."""
    job = load_job(workflow, name)
    holders = [step["name"] for step in job["steps"] if "secrets." in json.dumps(step)]
    assert holders == [prove]
    assert "secrets." not in json.dumps({k: v for k, v in job.items() if k != "steps"})
    (step,) = (step for step in job["steps"] if step["name"] == prove)
    assert {name: step["env"][name] for name in required(Target())} == {
        name: f"${{{{ secrets.{name} }}}}" for name in required(Target())
    }
    assert not any("${{" in step.get("run", "") for step in job["steps"])


@pytest.mark.parametrize(("workflow", "name"), [(WORKFLOW, "promote"), (ROLLBACK, "rollback")])
def test_production_is_changed_by_hand_alone_and_one_waits_for_another(
    workflow: Path, name: str
) -> None:
    document = yaml.safe_load(workflow.read_text(encoding="utf-8"))
    # YAML 1.1 reads the key `on` as true.
    triggers = document[True]

    assert triggers.keys() == {"workflow_dispatch", "workflow_call"}
    for each in triggers.values():
        assert each["inputs"]["confirm"]["required"] is True
        assert "default" not in each["inputs"]["confirm"]
    job, concurrency = document["jobs"][name], document["concurrency"]
    assert concurrency["cancel-in-progress"] is False
    for target, place in (("", "production"), ("preprod", "preprod")):
        inputs = {"inputs": Given(target=target)}
        group = interpolate(concurrency["group"], inputs)
        assert group == f"housekeeping-database-{place}"
        assert interpolate(job["environment"], inputs) == place
    assert job["permissions"] == {"contents": "write", "pull-requests": "write"}


def test_it_uses_the_actions_of_the_staging_workflow() -> None:
    """Two versions of one action would be two things to look after."""
    staging = load_job(WORKFLOW.with_name("housekeeping-staging-selfcontained.yml"), "staging")
    jobs = (load_job(WORKFLOW, "promote"), load_job(ROLLBACK, "rollback"))
    used = {step["uses"] for job in jobs for step in job["steps"] if "uses" in step}

    assert used <= {step["uses"] for step in staging["steps"] if "uses" in step}


@pytest.mark.parametrize(("workflow", "name"), [(WORKFLOW, "promote"), (ROLLBACK, "rollback")])
def test_the_audit_is_attested_by_a_job_that_has_nothing_else(workflow: Path, name: str) -> None:
    job = load_job(workflow, "attest")
    assert job["permissions"] == {"id-token": "write", "attestations": "write"}
    assert "environment" not in job
    assert "secrets." not in json.dumps(job)
    fetched, attested = job["steps"]
    assert fetched["with"]["name"] == f"${{{{ needs.{name}.outputs.artifact }}}}"
    (kept,) = (each for each in load_job(workflow, name)["steps"] if each["name"] == KEEP)
    assert load_job(workflow, name)["outputs"]["artifact"] == kept["with"]["name"]
    # Of this run alone: the artifact has the evidence of earlier ones as well.
    run = f"${{{{ needs.{name}.outputs.run }}}}"
    assert attested["with"] == {"subject-path": f"{fetched['with']['path']}/**/*_{run}.json"}


KEEP = "Keep the report"


@pytest.mark.parametrize(
    ("private", "said", "run", "attested"),
    [
        (False, "", "1a2b", True),
        (True, "", "1a2b", False),
        (True, "true", "1a2b", True),
        (False, "true", "", False),
    ],
)
def test_an_audit_is_attested_where_that_can_be(
    private: bool, said: str, run: str, attested: bool
) -> None:
    context = {
        "github": {"event": {"repository": {"private": private}}},
        "needs": {"promote": {"outputs": {"run": run}}},
        "vars": {"HOUSEKEEPING_ATTEST": said},
    }
    assert condition(load_job(WORKFLOW, "attest")["if"], context, failed=True) is attested


def test_what_is_installed_is_locked_and_what_pyproject_asks_for() -> None:
    """Every line has its hashes, and every dependency is there in a version that is allowed."""
    text = (ROOT / LOCK).read_text(encoding="utf-8").replace("\\\n", "")
    lines = [line.split() for line in text.splitlines() if not line.startswith("#")]
    assert all(re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", line[-1]) for line in lines)
    locked = dict(line[0].lower().split("==") for line in lines)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    for asked in (*project["project"]["dependencies"], *project["dependency-groups"]["build"]):
        wanted = Requirement(asked)
        assert wanted.specifier.contains(locked[wanted.name.lower()]), asked


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_each_job_that_runs_the_tool_installs_what_is_locked(workflow: Path) -> None:
    if not workflow.name.startswith("housekeeping-"):
        return
    for job in yaml.safe_load(workflow.read_text(encoding="utf-8"))["jobs"].values():
        ran = [step.get("run", "") for step in job["steps"]]
        if any("pytest" in each for each in ran):
            installs = [each for each in ran if "pip install" in each]
            assert installs == [
                'python -m pip install --require-hashes --requirement "$REQUIREMENTS"',
                "python -m pip install --no-deps --no-build-isolation --editable .",
            ]


SECRETS = {"PGHOST": "a host", "PGPASSWORD": "x$y"}
STARTED = """#!/bin/bash
printf '%s\\0' "$@" > words
printf '%s\\0' "${PGHOST_PRE_PROD-}" "${PGPASSWORD_PRE_PROD-}" > secrets
"""


@pytest.mark.parametrize(
    ("name", "job", "kind"),
    [
        ("housekeeping-plan.yml", "plan", "target"),
        ("housekeeping-prod-promotion.yml", "promote", "target"),
        ("housekeeping-prod-rollback.yml", "rollback", "target"),
        ("housekeeping-verify.yml", "verify", "target"),
        ("housekeeping-verify.yml", "verify", "fleet"),
    ],
)
@pytest.mark.parametrize("target", ["", "pre-prod", "$(touch owned)", "a; touch owned", "a b"])
def test_a_target_is_one_word_and_has_the_secrets_by_its_own_names(
    name: str, job: str, kind: str, target: str, tmp_path: Path
) -> None:
    """What is no name of a target, or of a fleet, starts nothing."""
    steps = load_job(ROOT / ".github/workflows" / name, job)["steps"]
    (step,) = (each for each in steps if each.get("id") == job)
    assert step["env"][kind.upper()] == f"${{{{ inputs.{kind} }}}}"
    (tmp_path / "pytest").write_text(STARTED, encoding="utf-8")
    (tmp_path / "pytest").chmod(0o755)
    (tmp_path / "summary").touch()
    given = {f"{part}_PROD": value for part, value in SECRETS.items()}
    done = subprocess.run(
        ["bash", "-e", "-c", step["run"]],
        cwd=tmp_path,
        env={
            **os.environ,
            **dict.fromkeys(step["env"], ""),
            **given,
            kind.upper(): target,
            "CONFIRM": "WORD",
            "PRIVATE": "true",
            "PATH": f"{tmp_path}:{os.environ['PATH']}",
            "RUNNER_TEMP": str(tmp_path),
            "GITHUB_STEP_SUMMARY": str(tmp_path / "summary"),
        },
        capture_output=True,
    )
    assert not (tmp_path / "owned").exists()
    if target not in ("", "pre-prod"):
        assert (done.returncode != 0, (tmp_path / "words").exists()) == (True, False)
        return
    words = (tmp_path / "words").read_text(encoding="utf-8").split("\0")[:-1]
    assert [word for word in words if kind in word] == ([f"--hk-{kind}=pre-prod"] * bool(target))
    secrets = (tmp_path / "secrets").read_text(encoding="utf-8").split("\0")[:-1]
    assert secrets == (list(SECRETS.values()) if target else ["", ""])


@pytest.mark.parametrize(
    ("target", "word", "goes_on"),
    [("", "PROMOTE", True), ("", "PREPROD", False), ("preprod", "PREPROD", True)],
)
def test_the_word_of_production_is_asked_for_at_once(target: str, word: str, goes_on: bool) -> None:
    """That of another target stands in its settings, and the run asks for it."""
    confirm = load_job(WORKFLOW, "promote")["steps"][0]
    environment = {"TARGET": target, "CONFIRM": word, "PATH": os.environ["PATH"]}
    done = subprocess.run(["bash", "-e", "-c", confirm["run"]], env=environment)
    assert (done.returncode == 0) is goes_on
