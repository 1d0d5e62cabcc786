"""docs/ci.md says of each workflow what stands in its YAML."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from pytest_housekeeping.config import Config
from pytest_housekeeping.promotion.init.ci import ci_of
from pytest_housekeeping.promotion.recording.github import tell_github
from support.console_blocks import blocks_of
from support.evidence_samples import failed_sample
from support.files import write
from support.fresh_copy import ROOT, git
from support.gh_program import Gh
from support.reference_pages import rows, section

PAGE = ROOT / "docs/ci.md"
TEXT = PAGE.read_text(encoding="utf-8")
FOLDER = ROOT / ".github/workflows"
EXPRESSION = r"\$\{\{.*?\}\}"
OF_A_FOLDER = r"\$\{\{ inputs\.project .*?\}\}"
MAIN = ("staging", "plan", "promote", "share", "rollback", "verify")
SECTIONS = ("## Staging", "## Plan", "## Promotion", "## Fleet", "## Rollback", "## Verify")


def workflow(name: str) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """The text of a workflow, its document, and the one job in it that runs pytest."""
    text = (FOLDER / name).read_text(encoding="utf-8")
    document = yaml.safe_load(text)
    (job,) = (each for name, each in document["jobs"].items() if name in MAIN)
    return text, document, job


def triggers(document: dict[Any, Any]) -> dict[str, Any]:
    # YAML 1.1 reads the key `on` as true.
    found = document[True]
    return found if isinstance(found, dict) else dict.fromkeys(found)


def pairs(text: str) -> dict[str, str]:
    """The first table of a text, which has two columns."""
    return {row[0]: row[1] for row in rows(text)}


def usual(text: str) -> str:
    """What an expression is where nobody has typed anything: the text at its end, if it has one."""
    text = re.sub(OF_A_FOLDER, "", text)
    return re.sub(r"\$\{\{.*'([^']*)' \}\}", r"\1", text)


def place_of(job: dict[str, Any]) -> str:
    """Of a job whose environment has no name before one is typed, that of what is typed."""
    if job.get("environment", "").endswith("}${{ inputs.fleet }}"):
        return "that of the name"
    return listed([usual(job["environment"])] if "environment" in job else [])


def listed(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "none"


def named(text: str, context: str) -> list[str]:
    return list(dict.fromkeys(re.findall(rf"\b{context}\.(\w+)", text)))


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
    group = re.sub(OF_A_FOLDER, "", document["concurrency"]["group"])
    (artifact,) = set(re.findall(r"name: (housekeeping-\w+-)\$\{\{", text))

    assert facts == {
        "file": facts["file"],
        "inputs": listed(list(inputs)),
        "secrets": listed(named(text, "secrets")),
        "variables": listed(named(text, "vars")),
        "permissions": listed([f"{what}: {may}" for what, may in job["permissions"].items()]),
        "environment": place_of(job),
        "minutes at most": str(job["timeout-minutes"]),
        "artifact": f"`{artifact}…`",
        "runs at a time": f"one (`{re.sub(EXPRESSION, '…', group)}`)",
    }


def test_the_jobs_of_a_plan_are_those_of_the_file() -> None:
    text = section(PAGE, "## Plan")
    _, document, _ = workflow(pairs(text)["file"].strip("`"))
    documented = {name.strip("`"): may for name, _, may in rows(text.partition("job |")[2])}

    assert documented == {
        name: listed([f"{what}: {may}" for what, may in job["permissions"].items()])
        for name, job in document["jobs"].items()
    }


@pytest.mark.parametrize("heading", ["## Promotion", "## Fleet", "## Rollback"])
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

    tell_github(failed_sample(), "db/ops/audit")

    lines = [line.partition("=") for line in written.read_text(encoding="utf-8").splitlines()]
    names, values = [name for name, _, _ in lines], {name: value for name, _, value in lines}
    counted = {each: values[each] for each in ("failed", "errors", "warnings", "new")}
    assert counted == {"failed": "1", "errors": "1", "warnings": "0", "new": "2"}
    assert values["audit"] == "db/ops/audit/prod_20270102T030405Z_r1.json"
    documented = rows(section(PAGE, "## What all of them do"))
    assert [name.strip("`") for name, _ in documented] == names


def test_the_inputs_of_a_call_are_those_of_the_files() -> None:
    text = section(PAGE, "## From another repository")
    table = text.partition("input of a call |")[2]
    documented = {name.strip("`"): facts for name, *facts, _ in rows(table)}
    inputs: dict[str, dict[str, Any]] = {}
    for path in FOLDER.glob("housekeeping-*.yml"):
        _, document, _ = workflow(path.name)
        typed = (triggers(document)["workflow_dispatch"] or {"inputs": {}})["inputs"]
        called = triggers(document)["workflow_call"]["inputs"]
        assert {name: called[name] for name in typed} == typed, path.name
        inputs |= {name: facts for name, facts in called.items() if name not in typed}
    assert documented == {
        name: [
            "yes" if facts["required"] else "no",
            f"`{facts['default']}`" if facts.get("default") else "",
        ]
        for name, facts in inputs.items()
    }


def test_what_is_called_is_said_by_the_command_of_the_page(tmp_path: Path) -> None:
    (command,) = (each for each in blocks_of(PAGE, ROOT) if not each.no_run)
    root = tmp_path / "project"
    root.mkdir()
    git(root, "init", "--quiet")
    files, _ = ci_of(Config(root=root), "github")
    write(root, files)
    given = {"OWNER": "a-team", "COMMIT": "0123456789abcdef" * 2 + "01234567", "TAG": "v1.2.3"}
    subprocess.run(["bash", "-euc", command.script], cwd=root, check=True, env=os.environ | given)
    for path in (root / ".github/workflows").iterdir():
        (used,) = re.findall(r"uses: (.*)", path.read_text(encoding="utf-8"))
        place = f"a-team/pytest-housekeeping/.github/workflows/{path.name}"
        assert used == f"{place}@{given['COMMIT']} # v1.2.3"


def test_the_readme_runs_workflows_that_are_there_with_inputs_that_they_take(
    tmp_path: Path,
) -> None:
    """Its commands, as they stand there, asked of a stand-in that knows the workflows' inputs."""
    inputs = {}
    for path in FOLDER.glob("housekeeping-*.yml"):
        typed = triggers(workflow(path.name)[1])["workflow_dispatch"] or {"inputs": {}}
        inputs[path.name] = {name: each["required"] for name, each in typed["inputs"].items()}
    gh = Gh.make(tmp_path / "programs", workflows=inputs)
    readme = ROOT / "README.md"
    text = section(readme, "### Run a workflow")
    blocks = [each for each in blocks_of(readme, ROOT) if "gh " in each.script]
    programs = f"{gh.programs}:{os.environ['PATH']}"
    for block in blocks:
        subprocess.run(["bash", "-euc", block.script], check=True, env={"PATH": programs})
    started = [words[2] for words in gh.asked if words[:2] == ["workflow", "run"]]
    assert sorted(started) == sorted(inputs)
    for words in gh.asked:
        for field in (word for word in words if word.startswith("confirm=")):
            if "fleet" in words[2]:
                continue  # Its word stands in the settings, and the run asks for it.
            assert f"!= {field.removeprefix('confirm=')} ]" in workflow(words[2])[0]
    looked = [words[:2] for words in gh.asked if words[0] == "run"]
    assert looked.count(["run", "list"]) == looked.count(["run", "view"]) == 2
    for secret in named(workflow("housekeeping-prod-promotion.yml")[0], "secrets"):
        assert not secret.endswith("_PROD") or f"`{secret}`" in text
    for job in (workflow(name)[2] for name in inputs):
        place = place_of(job)
        assert not place.startswith("`") or place in text
    title = workflow("housekeeping-prod-promotion.yml")[1]["name"]
    assert f"*{title}*" in text


def test_the_readme_quotes_what_a_run_says() -> None:
    text = section(ROOT / "README.md", "### Run a workflow")
    quoted = re.findall(r'"([A-Z][^"]+)"', text)
    package = ROOT / "pytest_housekeeping"
    wording = (package / "evidence/report/wording.py").read_text(encoding="utf-8")
    assert quoted
    for said in quoted:
        assert said in wording, said
