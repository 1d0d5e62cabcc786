"""The stand-in for GitHub's runner: what it knows it does as GitHub, the rest it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from support.fresh_copy import commit_all, git
from support.workflow_actions import UnknownStep
from support.workflow_expressions import UnknownExpression, condition, evaluate, interpolate
from support.workflow_runner import JobRun, Machine, run_job

CONTEXT = {"github": {"event": {"name": "push"}, "n": 3.0}, "env": {"GO": "true"}}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("'it''s'", "it's"),
        ("github.event.name", "push"),
        ("github['event'].name == 'PUSH'", True),
        ("github.event.name != 'push'", False),
        ("!(github.event.name == 'pull' || false) && env.GO == 'true'", True),
        ("false && github.nowhere.to.be.found", False),
        ("github.event.name == 'push' && 'yes' || 'no'", "yes"),
        ("null", None),
        ("format('{1} of {0}', github.event.name, 'one')", "one of push"),
    ],
)
def test_an_expression_has_the_value_that_github_gives_it(text: str, value: object) -> None:
    assert evaluate(text, CONTEXT) == value


@pytest.mark.parametrize(
    "text", ["github.nowhere", "hashFiles('x')", "toJSON()", "1 ==", "a b", "'open", "'1' == 1"]
)
def test_what_is_not_known_is_an_error(text: str) -> None:
    with pytest.raises(UnknownExpression):
        evaluate(text, {**CONTEXT, "a": "1"})


def test_values_become_text_as_in_a_workflow() -> None:
    text = "${{ true }} ${{ null }} ${{ github.n }} ${{ env.GO }}"

    assert interpolate(text, CONTEXT) == "true  3 true"


@pytest.mark.parametrize(
    ("text", "after_success", "after_failure"),
    [
        ("env.GO == 'true'", True, False),
        ("always() && env.GO == 'true'", True, True),
        ("${{ failure() }}", False, True),
        ("success()", True, False),
        ("always() && env.GO == 'false'", False, False),
        ("!cancelled()", True, True),
    ],
)
def test_a_condition_asks_for_success_unless_it_says_otherwise(
    text: str, after_success: bool, after_failure: bool
) -> None:
    assert condition(text, CONTEXT, failed=False) is after_success
    assert condition(text, CONTEXT, failed=True) is after_failure


CHECKOUT = """
      - uses: actions/checkout@0
        with: {persist-credentials: false}
"""


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    source = tmp_path / "source"
    source.mkdir()
    (source / "file.txt").write_text("here\n")
    git(source, "init", "--quiet", "--initial-branch=main")
    commit_all(source, "a file")
    return Machine(folder=tmp_path / "run", python_bin=tmp_path / "bin", origin=source.as_uri())


def _run(machine: Machine, steps: str, **github: Any) -> JobRun:
    workflow = machine.folder.parent / "workflow.yml"
    workflow.write_text(f"jobs:\n  job:\n    env: {{WHO: 'me'}}\n    steps:{CHECKOUT}{steps}")
    return run_job(workflow, "job", machine, github=github)


def test_steps_run_in_the_clone_with_their_environment(machine: Machine) -> None:
    run = _run(
        machine,
        """
      - name: look
        env: {RUN: "${{ github.run_id }}"}
        run: |
          cat file.txt; echo "$WHO $RUN $CI"; echo done >> "$GITHUB_STEP_SUMMARY"
""",
        run_id="7",
    )

    assert run.outcome == "success"
    assert run.step("look").output == "here\nme 7 true\n"
    assert run.summary == "done\n"


def test_after_a_failure_only_the_steps_that_ask_for_it_run(machine: Machine) -> None:
    run = _run(
        machine,
        """
      - {name: fail, run: "false; echo never"}
      - {name: next, run: echo next}
      - {name: always, if: always(), run: echo always}
      - name: keep
        if: failure()
        uses: actions/upload-artifact@0
        with: {name: kept, path: "*.txt"}
      - name: nothing to keep
        if: always()
        uses: actions/upload-artifact@0
        with: {name: none, path: "*.nothing", if-no-files-found: error}
""",
    )

    outcomes = {step.name: step.outcome for step in run.steps[1:]}
    assert outcomes == {
        "fail": "failure",
        "next": "skipped",
        "always": "success",
        "keep": "success",
        "nothing to keep": "failure",
    }
    assert run.step("fail").output == ""
    assert (run.artifacts / "kept/file.txt").read_text() == "here\n"


@pytest.mark.parametrize(
    "step",
    [
        "{uses: somebody/action@0}",
        "{run: 'true', continue-on-error: true}",
        "{run: 'echo A=b >> $GITHUB_ENV'}",
        "{uses: actions/upload-artifact@0, with: {name: a, path: b, overwrite: true}}",
        "{uses: actions/checkout@0}",
    ],
)
def test_a_step_that_is_not_known_stops_the_test(machine: Machine, step: str) -> None:
    with pytest.raises(UnknownStep):
        _run(machine, f"      - {step}\n")


def test_a_job_that_runs_over_its_time_is_ended_with_what_it_started(machine: Machine) -> None:
    workflow = machine.folder.parent / "workflow.yml"
    workflow.write_text(
        "jobs: {job: {timeout-minutes: 0.01, steps: [{name: hang, run: sleep 60 & sleep 60}]}}"
    )

    run = run_job(workflow, "job", machine, github={})

    assert run.step("hang").outcome == "failure"
    assert "timeout-minutes are over" in run.step("hang").output
