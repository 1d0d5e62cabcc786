"""A project that is a folder of its repository, in the workflows: its things are its own."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.fresh_copy import ROOT, git
from support.reference_pages import rows, section
from support.workflow_expressions import interpolate
from support.workflow_runner import Given, load_job

FOLDER = ROOT / ".github/workflows"
WORKFLOWS = sorted(FOLDER.glob("housekeeping-*.yml"))
WORK = "${{ inputs.project || '.' }}"
LOGS = {
    "staging": ("housekeeping-staging-selfcontained.yml", "refs/housekeeping/audit/staging"),
    "verify": ("housekeeping-verify.yml", "refs/heads/housekeeping/audit/verify"),
}


def document(name: str) -> dict[Any, Any]:
    loaded: dict[Any, Any] = yaml.safe_load((FOLDER / name).read_text(encoding="utf-8"))
    return loaded


def places(name: str, **inputs: str) -> list[str]:
    """The group and the environments of a workflow, with these inputs."""
    loaded = document(name)
    event = {"pull_request": {"number": "5", "head": {"repo": {"full_name": "a/team"}}}}
    github = {"event_name": "pull_request", "repository": "a/team", "event": event}
    context = {"inputs": Given(inputs), "github": github}
    environments = [job.get("environment") for job in loaded["jobs"].values()]
    texts = [loaded["concurrency"]["group"], *dict.fromkeys(filter(None, environments))]
    return [interpolate(each, context) for each in texts]


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_every_script_runs_in_the_folder_once_that_is_there(workflow: Path) -> None:
    for job in document(workflow.name)["jobs"].values():
        steps = job["steps"]
        if not any("run" in step for step in steps):
            continue
        assert job["defaults"]["run"]["working-directory"] == WORK
        names = [step["name"] for step in steps]
        for step in steps[: names.index("Check out")]:
            assert step["working-directory"] == "."
        assert not any("working-directory" in s for s in steps[names.index("Check out") :])
        for kept in (step["with"]["path"] for step in steps if step["name"] == "Keep the report"):
            assert all(each.startswith(f"{WORK}/") for each in kept.splitlines())


@pytest.mark.parametrize(
    ("name", "inputs"),
    [
        ("housekeeping-staging-selfcontained.yml", {}),
        ("housekeeping-plan.yml", {}),
        ("housekeeping-prod-promotion.yml", {"target": "preprod"}),
        ("housekeeping-prod-rollback.yml", {}),
        ("housekeeping-fleet.yml", {"fleet": "shops"}),
        ("housekeeping-verify.yml", {}),
    ],
)
def test_no_two_projects_wait_for_each_other_or_share_a_password(
    name: str, inputs: dict[str, str]
) -> None:
    """What cancels or waits is told apart by the group, what is secret by the environment."""
    of_the_root = places(name, **inputs)
    of_two = [places(name, project=each, **inputs) for each in ("services/shop", "services/desk")]
    for alone, *others in zip(of_the_root, *of_two, strict=True):
        assert len({alone, *others}) == 3
    assert all(each.startswith("services/shop/") for each in of_two[0][1:])


def test_the_page_names_the_places_of_a_project() -> None:
    promotion = "housekeeping-prod-promotion.yml"
    (keep,) = (
        step
        for step in load_job(FOLDER / "housekeeping-verify.yml", "verify")["steps"]
        if "LABEL" in step.get("env", {})
    )
    found = {
        name: places(f"housekeeping-{name}.yml", project="services/shop")[-1]
        for name in ("prod-promotion", "plan", "verify")
    }
    context = {"inputs": Given(project="services/shop")}
    found["label"] = interpolate(keep["env"]["LABEL"], context)
    found["target"] = places(promotion, project="services/shop", target="preprod")[-1]
    table = section(ROOT / "docs/ci.md", "## Several projects of one repository")
    told = "".join(text for row in rows(table) for text in row)
    assert [each for each in found.values() if f"`{each}`" not in told] == []
    with_target = {"inputs": Given(project="services/shop", target="preprod")}
    assert interpolate(keep["env"]["LABEL"], with_target) not in {
        interpolate(keep["env"]["LABEL"], {"inputs": Given(project=each)})
        for each in ("services/shop", "services/shop-preprod", "preprod", "")
    }


def clones(folder: Path, log: str, there: str, *, first: bool) -> tuple[Path, list[Path]]:
    """A remote, and two clones of it that have each added to a log at once."""
    bare, made = folder / "bare.git", []
    git(folder, "init", "--quiet", "--bare", str(bare))
    if not first:
        add(folder / "before", bare, log, "before")
        git(folder / "before", "push", "--quiet", "origin", f"{log}:{there}")
    for name in ("shop", "desk"):
        made.append(folder / name)
        add(folder / name, bare, log, name, "" if first else there)
    return bare, made


def add(clone: Path, bare: Path, log: str, name: str, there: str = "") -> None:
    git(clone.parent, "clone", "--quiet", str(bare), str(clone))
    git(clone, "checkout", "--quiet", "--orphan", "log")
    if there:
        git(clone, "fetch", "--quiet", "origin", f"+{there}:refs/remotes/origin/{log}")
        git(clone, "reset", "--quiet", "--hard", f"origin/{log}")
    (clone / name).mkdir()
    (clone / name / "audit.json").write_text(name, encoding="utf-8")
    git(clone, "add", ".")
    git(clone, "-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "-qm", name)
    git(clone, "branch", "--force", log)


def pushed(
    clone: Path, name: str, what: str = "Push the audit commit", **environment: str
) -> subprocess.CompletedProcess[str]:
    job = load_job(FOLDER / name, "staging" if "staging" in name else "verify")
    (step,) = (each for each in job["steps"] if each["name"] == what)
    return subprocess.run(
        ["bash", "-e", "-c", step["run"]],
        cwd=clone,
        env={**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
        | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("log", LOGS)
@pytest.mark.parametrize("first", [True, False])
def test_what_two_projects_prove_at_once_is_one_log(log: str, first: bool, tmp_path: Path) -> None:
    name, there = LOGS[log]
    branch = f"housekeeping/audit/{log}"
    bare, two = clones(tmp_path, branch, there, first=first)
    for clone in two:
        done = pushed(clone, name)
        assert done.returncode == 0, done.stderr
    held = git(bare, "ls-tree", "-r", "--name-only", there).split()
    assert held == sorted(["desk/audit.json", "shop/audit.json", *["before/audit.json"][first:]])
    # Each file was brought by the commit that its own run has made, and perhaps signed.
    for clone in two:
        brought = git(bare, "log", "--format=%s", there, "--", f"{clone.name}/audit.json")
        assert brought == clone.name


def test_a_push_that_is_refused_for_something_else_ends(tmp_path: Path) -> None:
    name, there = LOGS["staging"]
    bare, (clone, _) = clones(tmp_path, "housekeeping/audit/staging", there, first=False)
    hook = bare / "hooks/pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho no >&2\nexit 1\n", encoding="utf-8")
    hook.chmod(0o755)
    done = pushed(clone, name)
    assert (done.returncode, len(re.findall("pre-receive hook declined", done.stderr))) == (1, 1)


@pytest.mark.parametrize(("fails", "ends"), [(0, 0), (1, 0), (2, 1)])
def test_what_is_thinned_is_what_the_others_have_pushed_by_then(
    fails: int, ends: int, tmp_path: Path
) -> None:
    name, there = LOGS["staging"]
    bare, two = clones(tmp_path, "housekeeping/audit/staging", there, first=False)
    for clone in two:
        assert pushed(clone, name).returncode == 0
    program, seen = tmp_path / "programs/python", tmp_path / "seen"
    program.parent.mkdir()
    program.write_text(
        "#!/bin/sh\ngit rev-parse origin/housekeeping/audit/staging >> ../seen\n"
        f"[ $(wc -l < ../seen) -gt {fails} ]\n",
        encoding="utf-8",
    )
    program.chmod(0o755)
    path = f"{program.parent}:{os.environ['PATH']}"
    done = pushed(two[0], name, "Thin what was superseded", PATH=path)
    assert done.returncode == ends, done.stderr
    tip = git(bare, "rev-parse", there)
    assert seen.read_text(encoding="utf-8").split() == [tip] * min(fails + 1, 2)
