"""docs/ci.md says of each workflow what stands in its YAML."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from pytest_housekeeping.promotion.github import tell_github
from support.evidence_samples import sample
from support.fresh_copy import ROOT
from support.reference_pages import files_of, rows, section

PAGE = ROOT / "docs/ci.md"
TEXT = PAGE.read_text(encoding="utf-8")
FOLDER = ROOT / ".github/workflows"
EXPRESSION = r"\$\{\{.*?\}\}"
SECTIONS = ("## Staging", "## Plan", "## Promotion", "## Rollback", "## Verify")


def workflow(name: str) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """The text of a workflow, its document, and the one job in it that is not beside another."""
    text = (FOLDER / name).read_text(encoding="utf-8")
    document = yaml.safe_load(text)
    jobs = document["jobs"]
    (job,) = jobs.values() if len(jobs) == 1 else (jobs["plan"],)
    return text, document, job


def triggers(document: dict[Any, Any]) -> dict[str, Any]:
    # YAML 1.1 reads the key `on` as true.
    found = document[True]
    return found if isinstance(found, dict) else dict.fromkeys(found)


def pairs(text: str) -> dict[str, str]:
    """The first table of a text, which has two columns."""
    return {row[0]: row[1] for row in rows(text)}


def listed(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "none"


def named(text: str, context: str) -> list[str]:
    return list(dict.fromkeys(re.findall(rf"\$\{{\{{ {context}\.(\w+)", text)))


def test_every_workflow_of_a_user_has_its_section() -> None:
    documented = {name.strip("[`").partition("`")[0]: runs for name, runs, _ in rows(TEXT)}
    there = {path.name for path in FOLDER.glob("housekeeping-*.yml")}

    assert documented.keys() == there
    for name, runs in documented.items():
        text, _, _ = workflow(name)
        assert runs.strip("`") in text


def test_the_triggers_are_those_of_the_file() -> None:
    for name, _, when in rows(TEXT):
        _, document, _ = workflow(name.strip("[`").partition("`")[0])
        assert set(re.findall(r"`(\w+)`", when)) == triggers(document).keys()


@pytest.mark.parametrize("heading", SECTIONS)
def test_the_facts_of_a_workflow_are_those_of_the_file(heading: str) -> None:
    facts = pairs(section(PAGE, heading))
    text, document, job = workflow(facts["file"].strip("`"))
    inputs = (triggers(document).get("workflow_dispatch") or {}).get("inputs", {})
    (artifact,) = re.findall(r"name: (housekeeping-\w+-)\$\{\{", text)

    assert facts == {
        "file": facts["file"],
        "inputs": listed(list(inputs)),
        "secrets": listed(named(text, "secrets")),
        "variables": listed(named(text, "vars")),
        "permissions": listed([f"{what}: {may}" for what, may in job["permissions"].items()]),
        "environment": listed([job["environment"]] if "environment" in job else []),
        "minutes at most": str(job["timeout-minutes"]),
        "artifact": f"`{artifact}…`",
        "runs at a time": f"one (`{re.sub(EXPRESSION, '…', document['concurrency']['group'])}`)",
    }


def test_the_jobs_of_a_plan_are_those_of_the_file() -> None:
    text = section(PAGE, "## Plan")
    _, document, _ = workflow(pairs(text)["file"].strip("`"))
    documented = {name.strip("`"): may for name, _, may in rows(text.partition("job |")[2])}

    assert documented == {
        name: listed([f"{what}: {may}" for what, may in job["permissions"].items()])
        for name, job in document["jobs"].items()
    }


@pytest.mark.parametrize("heading", ["## Promotion", "## Rollback"])
def test_the_inputs_of_a_workflow_are_those_of_the_file(heading: str) -> None:
    text = section(PAGE, heading)
    facts = pairs(text)
    _, document, _ = workflow(facts["file"].strip("`"))
    inputs = triggers(document)["workflow_dispatch"]["inputs"]
    documented = {name.strip("`"): needed for name, needed, _ in rows(text.partition("input |")[2])}

    assert documented == {n: "yes" if i["required"] else "no" for n, i in inputs.items()}


def test_the_outputs_are_those_that_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = tmp_path / "output"
    monkeypatch.setenv("GITHUB_OUTPUT", str(written))
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary"))

    tell_github(sample())

    names = [line.partition("=")[0] for line in written.read_text(encoding="utf-8").splitlines()]
    documented = rows(section(PAGE, "## What all of them do"))
    assert [name.strip("`") for name, _ in documented] == names


def test_the_version_of_the_page_is_this_one() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

    requirement = files_of(PAGE)["requirements.txt"].strip()
    assert requirement == f"{project['name']}=={project['version']}"


def test_the_readme_runs_workflows_that_are_there_with_inputs_that_they_take() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    text = readme.partition("### Run a workflow")[2].partition("\n## ")[0]
    commands = re.findall(r"^\$ gh workflow run (\S+)(.*)$", text, re.MULTILINE)
    assert {name for name, _ in commands} == {path.name for path in FOLDER.glob("housekeeping-*")}
    for name, given in commands:
        source, document, _ = workflow(name)
        inputs = triggers(document)["workflow_dispatch"] or {}
        fields = dict(re.findall(r"-f (\w+)=(\S+)", given))
        required = {n for n, each in inputs.get("inputs", {}).items() if each["required"]}
        assert required <= fields.keys() <= inputs.get("inputs", {}).keys(), name
        if "confirm" in fields:
            assert f"--hk-confirm={fields['confirm']}" in source or fields["confirm"] in source
    for secret in named(workflow("housekeeping-prod-promotion.yml")[0], "secrets"):
        assert not secret.endswith("_PROD") or f"`{secret}`" in text
    shown = re.findall(r"--workflow (\S+)", text)
    assert all((FOLDER / name).is_file() for name in shown)


def test_the_readme_quotes_what_a_run_says() -> None:
    text = section(ROOT / "README.md", "### Run a workflow")
    quoted = re.findall(r'"([A-Z][^"]+)"', text)
    package = ROOT / "pytest_housekeeping"
    wording = (package / "evidence/report/wording.py").read_text(encoding="utf-8")
    assert quoted
    for said in quoted:
        assert said in wording, said
