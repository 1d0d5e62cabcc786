"""The forms of issues are well-formed: of one that is not, a hosting service shows nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from pytest_housekeeping.model import Mode, RunOutcome
from support.fresh_copy import ROOT

FORMS = sorted((ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml"))
_KINDS = {"markdown", "textarea", "input", "dropdown", "checkboxes"}


def form(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return document


@pytest.mark.parametrize(
    "path", [each for each in FORMS if each.name != "config.yml"], ids=lambda path: path.name
)
def test_a_form_is_well_formed(path: Path) -> None:
    document = form(path)

    assert document.keys() == {"name", "description", "labels", "body"}
    asked = [part for part in document["body"] if part["type"] != "markdown"]
    assert {part["type"] for part in document["body"]} <= _KINDS
    assert len({part["id"] for part in asked}) == len(asked) > 0
    assert all(part["attributes"]["label"] for part in asked)
    assert any(part.get("validations", {}).get("required") for part in asked)


def test_a_bug_is_asked_for_the_modes_and_outcomes_that_there_are() -> None:
    choices = {
        part["id"]: part["attributes"]["options"]
        for part in form(ROOT / ".github/ISSUE_TEMPLATE/bug.yml")["body"]
        if part["type"] == "dropdown"
    }

    assert choices["mode"] == [*(str(mode) for mode in Mode), "none"]
    assert choices["outcome"] == [*(str(each) for each in RunOutcome), "there is no audit"]


def test_no_way_of_reporting_leads_past_the_forms() -> None:
    assert form(ROOT / ".github/ISSUE_TEMPLATE/config.yml") == {"blank_issues_enabled": False}
