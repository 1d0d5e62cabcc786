"""The examples of the hook: what they send, to a server that takes it as the real one would."""

from __future__ import annotations

import importlib.util
import urllib.error
from dataclasses import replace
from types import ModuleType
from typing import Any

import pytest

from pytest_housekeeping.evidence.finished import EvidenceTold, Finished, finished
from pytest_housekeeping.evidence.places import Places
from pytest_housekeeping.evidence.remarks import remarks_of
from pytest_housekeeping.model import Mode, Outcome, RunOutcome, StepResult
from support.evidence_samples import RLS, facts, sample
from support.fresh_copy import ROOT
from support.http_stand_in import Asked, stand_in

TOKEN = "a-token-of-this-test"


def example(name: str) -> ModuleType:
    path = ROOT / "examples/notifications" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"notifications_{name}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def ended(outcome: RunOutcome, code: int, mode: Mode = Mode.PROD, **changes: Any) -> Finished:
    audit = sample(outcome, mode, **changes)
    remarks = remarks_of(audit, Places(audit, texts=list, text_of=lambda _: None))
    evidence = EvidenceTold(audit="ops/audit/a.json", digest="d" * 64)
    return finished(audit, remarks, exit_code=code, evidence=evidence)


def many(name: str) -> tuple[StepResult, ...]:
    found = tuple(replace(RLS, object=f"{name}{n}") for n in range(10_000))
    step = facts().steps[2]
    return (StepResult(step=step, outcome=Outcome.FAILED, examined=1, findings=found),)


def slack(asked: Asked) -> tuple[int, Any]:
    """As an incoming webhook: a fallback text, and sections of at most 3,000 characters."""
    body = asked.body
    sections = [each["text"] for each in body["blocks"] if each["type"] == "section"]
    good = isinstance(body["text"], str) and all(
        each["type"] == "mrkdwn" and 0 < len(each["text"]) <= 3000 for each in sections
    )
    return (200, "ok") if good and sections else (400, "invalid_blocks")


def test_slack_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with stand_in(slack) as server:
        monkeypatch.setenv("SLACK_WEBHOOK_URL", f"{server.url}/services/T/B/x")
        hook = example("slack").pytest_housekeeping_finished
        hook(ended(RunOutcome.PROMOTED, 0))
        hook(ended(RunOutcome.ROLLED_BACK, 1, results=many("<!channel> & \x1b[31m" + "ü" * 200)))
        hook(ended(RunOutcome.PROMOTED, 0, Mode.STAGING))
    good, bad = (asked.body for asked in server.asked)
    text = good["blocks"][0]["text"]["text"]
    assert good["text"] == "prod: Promoted"
    assert text.startswith(":white_check_mark: *prod: Promoted*\n")
    assert "venture on db.example.org" in text
    assert text.endswith("<https://ci.example.org/runs/1|the run>")
    # Names of a database mention nobody and link nowhere.
    assert "<!channel>" not in str(bad)
    assert "rls-not-forced: &lt;!channel&gt; &amp; " in bad["blocks"][0]["text"]["text"]
    assert "and 9995 more" in bad["blocks"][0]["text"]["text"]


def test_what_slack_refuses_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with stand_in(lambda _: (403, "invalid_token")) as server:
        monkeypatch.setenv("SLACK_WEBHOOK_URL", server.url)
        with pytest.raises(urllib.error.HTTPError, match="403") as caught:
            example("slack").pytest_housekeeping_finished(ended(RunOutcome.PROMOTED, 0))
        caught.value.close()


def github(asked: Asked) -> tuple[int, Any]:
    """The two requests of GitHub's API for deployments, with what it requires of each."""
    if asked.headers.get("authorization") != f"Bearer {TOKEN}":
        return 401, {"message": "Bad credentials"}
    body = asked.body
    if len(body.get("description", "")) > 140:
        return 422, {"message": "description is too long"}
    if asked.path == "/repos/acme/shop/deployments":
        return (201, {"id": 4711}) if body["ref"] else (422, {"message": "No ref found"})
    states = ("error", "failure", "inactive", "in_progress", "queued", "pending", "success")
    good = asked.path == "/repos/acme/shop/deployments/4711/statuses" and body["state"] in states
    return (201, {"id": 1}) if good else (404, {"message": "Not Found"})


@pytest.mark.parametrize(
    ("outcome", "code", "state"),
    [
        (RunOutcome.PROMOTED, 0, "success"),
        (RunOutcome.NOTHING_TO_PROMOTE, 0, "success"),
        (RunOutcome.ROLLED_BACK, 1, "failure"),
        (RunOutcome.PROMOTED_UNPROVED, 1, "failure"),
        (RunOutcome.UNKNOWN, 1, "error"),
    ],
)
def test_github_shows_a_deployment(
    monkeypatch: pytest.MonkeyPatch, outcome: RunOutcome, code: int, state: str
) -> None:
    with stand_in(github) as server:
        for name, value in {
            "GITHUB_TOKEN": TOKEN,
            "GITHUB_REPOSITORY": "acme/shop",
            "GITHUB_API_URL": server.url,
        }.items():
            monkeypatch.setenv(name, value)
        hook = example("github_deployment").pytest_housekeeping_finished
        hook(ended(outcome, code))
        hook(ended(outcome, code, Mode.STAGING))
    made, status = (asked.body for asked in server.asked)
    assert (made["ref"], made["environment"]) == ("c" * 40, "production")
    # GitHub would merge the default branch into it, and wait for checks.
    assert (made["auto_merge"], made["required_contexts"]) == (False, [])
    assert (status["state"], status["log_url"]) == (state, "https://ci.example.org/runs/1")


@pytest.mark.parametrize("name", ["slack", "github_deployment"])
def test_without_its_settings_an_example_sends_nothing(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    for variable in ("SLACK_WEBHOOK_URL", "GITHUB_TOKEN", "GITHUB_REPOSITORY"):
        monkeypatch.delenv(variable, raising=False)
    example(name).pytest_housekeeping_finished(ended(RunOutcome.PROMOTED, 0))
