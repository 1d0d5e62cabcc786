"""What a run tells machines: reports, annotations, the hook, one object; however it ends."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from support.staging_project import Project

PLACE = "sql/migrations/0003_broken.sql"
# One that fails, and one of a plugin whose hook gives up in the hardest way there is.
CONFTEST = """
import json
import pathlib
import sys


class Another:
    def pytest_housekeeping_finished(self):
        sys.exit("not today")


def pytest_configure(config):
    config.pluginmanager.register(Another(), "another")


def pytest_unconfigure():
    print("as late as a plugin can")


def pytest_housekeeping_finished(finished, config):
    with (config.rootpath / "heard.jsonl").open("a") as file:
        file.write(json.dumps(finished.model_dump(mode="json")) + "\\n")
"""


def heard(project: Project) -> list[dict[str, Any]]:
    text = (project.root / "heard.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def test_a_file_that_fails_is_told_at_its_line_in_every_form(tmp_path: Path) -> None:
    broken = "SELECT 1;\nALTER TABLE nowhere.at_all ADD COLUMN x int;\n"
    project = Project.make(tmp_path, files={PLACE: broken, "conftest.py": CONFTEST})
    (project.root / "out").mkdir()
    (project.root / "out/housekeeping.sarif").write_text("of an earlier run", encoding="utf-8")
    run = project.run("--hk-json", "--hk-reports=out", GITHUB_ACTIONS="true")

    told = run.told
    assert json.loads(run.output.splitlines()[-1]) == told
    assert (run.code, told["exit_code"], told["outcome"]) == (1, 1, "rolled_back"), run.output
    (finding,) = (each for each in told["findings"] if each["level"] == "error")
    assert finding["place"] == {"path": PLACE, "line": 2, "column": 1}
    assert finding["rule"] == "step-failed"
    assert told["evidence"]["audit"] == run.audit_path.relative_to(project.root).as_posix()  # type: ignore[union-attr]
    assert told["next"] == {
        "command": "pytest --hk-mode=staging",
        "needs_person": False,
        "steps": ["Repair what is listed here, from the first one on, and run again."],
    }
    assert f"::error file={PLACE},line=2,col=1,title=step-failed::" in run.output

    out = project.root / "out"
    sarif = json.loads((out / "housekeeping.sarif").read_text(encoding="utf-8"))["runs"][0]
    (result,) = (each for each in sarif["results"] if each["level"] == "error")
    assert result["partialFingerprints"]["housekeeping/v1"] == finding["fingerprint"]
    quality = json.loads((out / "codequality.json").read_text(encoding="utf-8"))
    assert finding["fingerprint"] in [each["fingerprint"] for each in quality]
    suite = ET.parse(out / "junit.xml").getroot()[0]
    properties = {
        each.get("name"): each.get("value") for each in suite.iterfind("properties/property")
    }
    assert properties["housekeeping.run"] == told["run"]["id"]
    assert properties["housekeeping.outcome"] == "rolled_back"
    failed = [case for case in suite.iter("testcase") if case.find("failure") is not None]
    kinds = [
        {each.get("name"): each.get("value") for each in case.iter("property")} for case in failed
    ]
    assert [each["housekeeping.kind"] for each in kinds] == ["migration"]
    assert [each["housekeeping.outcome"] for each in kinds] == ["failed"]

    # Each implementation of the hook is called, once, with the same; what one raises is said.
    (document,) = heard(project)
    assert document == {**told, "said": document["said"]}
    assert told["said"][-1].endswith("of another failed: SystemExit: not today")
    assert "of another failed: SystemExit: not today" in run.output


@pytest.mark.parametrize(
    ("files", "code", "outcome", "said"),
    [
        pytest.param(
            {"checks/test_shop.py": "def test_it():\n    raise KeyboardInterrupt\n"},
            2,
            "rolled_back",
            "The run was interrupted",
            id="interrupted",
        ),
        pytest.param(
            {"checks/test_shop.py": "import nothing_of_that_name\n"},
            2,
            "refused",
            "checks/test_shop.py:1: cannot be collected: ModuleNotFoundError",
            id="fails at collection",
        ),
        pytest.param(
            {"sql/views/ä.sql": "SELECT 1;\n"},
            4,
            "refused",
            "the name does not fit",
            id="refused",
        ),
    ],
)
def test_however_it_ends_it_is_told_once(
    tmp_path: Path, files: dict[str, str], code: int, outcome: str, said: str
) -> None:
    project = Project.make(tmp_path, files={**files, "conftest.py": CONFTEST})
    run = project.run("--hk-json", "--hk-reports=out", GITHUB_ACTIONS="true")

    assert (run.code, run.told["exit_code"]) == (code, code), run.output
    assert run.told["outcome"] == outcome
    assert said in run.told["message"]
    assert run.told["run"]["id"] == run.audit["run"]["id"]
    assert [each["exit_code"] for each in heard(project)] == [code]
    placed = [each for each in run.told["findings"] if each["level"] == "error" and each["place"]]
    assert run.output.count("::error file=") == len(placed)
    assert bool(placed) is (outcome == "refused")
    sarif = json.loads((project.root / "out/housekeeping.sarif").read_text(encoding="utf-8"))
    assert sarif["runs"][0]["invocations"][0]["executionSuccessful"] is False


def test_what_goes_wrong_with_telling_takes_nothing_from_what_is_true(tmp_path: Path) -> None:
    broken = (
        "import pytest_housekeeping.promotion.recording.reports\n"
        "pytest_housekeeping.promotion.recording.reports.told_by = lambda *_: 1 / 0\n"
    )
    project = Project.make(tmp_path, files={"conftest.py": CONFTEST + broken})
    run = project.run("--hk-json")

    assert (run.code, run.outcome) == (1, "promoted"), run.output
    assert "Proved in staging" in run.output
    assert "THE REPORTS ARE NOT COMPLETE: ZeroDivisionError: division by zero" in run.output
    assert (run.told["exit_code"], run.told["outcome"]) == (1, "promoted")
    assert "THE REPORTS ARE NOT COMPLETE" in run.told["message"]
    assert [each["exit_code"] for each in heard(project)] == [1]
