"""The nightly watch keeps one issue: it is opened, brought up to date, and closed."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from support.fresh_copy import ROOT
from support.gh_program import Gh
from support.workflow_expressions import condition, interpolate
from support.workflow_runner import Given, load_job

VERIFY = ROOT / ".github/workflows/housekeeping-verify.yml"
KEEP = "Keep one issue of what is found"
PAGE = "https://github.example.invalid/somebody/somewhere/actions/runs/"


def step() -> dict[str, Any]:
    steps: list[dict[str, Any]] = load_job(VERIFY, "verify")["steps"]
    return next(each for each in steps if each["name"] == KEEP)


def night(gh: Gh, number: int, title: str) -> None:
    """What the step does behind a run that found this, or nothing."""
    folder = gh.programs.parent
    (folder / "summary.md").write_text(f"## {title or 'Verified'}\n", encoding="utf-8")
    told = Given(title=title) if title else Given()
    context = {
        "github": {"repository": "somebody/somewhere", "token": "of-the-job"},
        "steps": {"verify": {"outcome": "failure" if title else "success", "outputs": told}},
        "inputs": Given(),
    }
    keep = step()
    assert condition(keep["if"], context, failed=bool(title))
    environment = {name: interpolate(text, context) for name, text in keep["env"].items()}
    subprocess.run(
        ["bash", "-e", "-c", keep["run"]],
        env={
            "PATH": f"{gh.programs}:{os.environ['PATH']}",
            "RUNNER_TEMP": str(folder),
            "GITHUB_STEP_SUMMARY": str(folder / "page.md"),
            "GITHUB_SERVER_URL": "https://github.example.invalid",
            "GITHUB_REPOSITORY": "somebody/somewhere",
            "GITHUB_RUN_ID": str(number),
            **environment,
        },
        cwd=folder,
        check=True,
    )


def test_one_issue_is_opened_kept_up_to_date_and_closed(tmp_path: Path) -> None:
    gh = Gh.make(tmp_path / "programs", token="of-the-job")
    night(gh, 1, "")
    assert gh.issues == []
    for number, title in ((2, "one promise"), (3, "two; $(touch owned)")):
        night(gh, number, title)
        (issue,) = gh.issues
        assert issue == {
            "title": title,
            "body": f"## {title}\n\nFound by {PAGE}{number}\n",
            "open": True,
            "label": "housekeeping-verify",
        }
    for number in (4, 5):
        night(gh, number, "")
        (issue,) = gh.issues
        assert (issue["open"], issue["comment"]) == (False, f"Nothing is found any more: {PAGE}4")
    night(gh, 6, "three")
    assert [each["open"] for each in gh.issues] == [False, True]
    assert list(tmp_path.glob("owned")) == []
    closed = [words for words in gh.asked if words[:2] == ["issue", "close"]]
    assert len(closed) == 1
    lists = [words for words in gh.asked if words[:2] == ["issue", "list"]]
    assert all("--app" in words and "github-actions" in words for words in lists)


@pytest.mark.parametrize(("outcome", "kept"), [("skipped", False), ("failure", True)])
def test_of_a_night_that_did_not_begin_no_issue_says_that_all_is_well(
    outcome: str, kept: bool
) -> None:
    context = {"steps": {"verify": {"outcome": outcome, "outputs": Given()}}}
    assert condition(step()["if"], context, failed=True) is kept


def test_nobody_is_asked_at_night() -> None:
    """The environment of the promotion has reviewers; this one is its own."""
    job = load_job(VERIFY, "verify")
    for target, environment in (("", "production-verify"), ("preprod", "preprod-verify")):
        assert interpolate(job["environment"], {"inputs": Given(target=target)}) == environment


def test_each_target_has_an_issue_of_its_own() -> None:
    label = step()["env"]["LABEL"]
    assert interpolate(label, {"inputs": Given(target="preprod")}) == "housekeeping-verify-preprod"
