"""The action does what it says: its steps run here, and the job of docs/ci.md fits it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.fresh_copy import ROOT, commit_all, git
from support.reference_pages import files_of, rows, section
from support.workflow_expressions import interpolate
from support.workflow_runner import Given

ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
STEPS = ACTION["runs"]["steps"]
PAGE = ROOT / "docs/ci.md"
EXAMPLE = ".github/workflows/promote-with-postgis.yml"
WORDS = '#!/bin/sh\nprintf \'%s\\0\' "$@" >> "$0.words"\n'


def ran(folder: Path, **given: str) -> dict[str, list[str]]:
    """What python and pytest are started with by the steps, in a clone; its origin has evidence."""
    source, programs = folder / "source", folder / "programs"
    for each in (source, programs):
        each.mkdir()
    (source / "file").write_text("x")
    git(source, "init", "--quiet", "--initial-branch=main")
    commit_all(source, "a file")
    # No branch: a checkout leaves it out, and without it production refuses.
    git(source, "init", "--quiet", "--bare", "../origin")
    git(source, "remote", "add", "origin", "../origin")
    git(source, "push", "--quiet", "origin", "HEAD:refs/housekeeping/audit/staging")
    for name in ("python", "pytest"):
        (programs / name).write_text(WORDS, encoding="utf-8")
        (programs / name).chmod(0o755)
    defaults = {name: str(each.get("default", "")) for name, each in ACTION["inputs"].items()}
    inputs = {"inputs": Given(defaults | given)}
    for step in STEPS:
        if "run" in step:
            assert step["shell"] == "bash"
            subprocess.run(
                ["bash", "-eo", "pipefail", "-c", step["run"]],
                cwd=source,
                check=True,
                env={**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"}
                | {name: interpolate(text, inputs) for name, text in step.get("env", {}).items()},
            )
    assert git(source, "rev-parse", "refs/heads/housekeeping/audit/staging")
    assert list(source.glob("owned")) == []
    return {
        name: (programs / f"{name}.words").read_text(encoding="utf-8").split("\0")[:-1]
        for name in ("python", "pytest")
    }


def test_it_installs_what_is_locked_and_runs_the_mode(tmp_path: Path) -> None:
    words = ran(tmp_path, mode="staging")
    lock = "requirements-housekeeping.txt"
    assert words["python"] == ["-m", "pip", "install", "--require-hashes", "--requirement", lock]
    assert words["pytest"] == ["--hk-mode=staging"]


def test_what_is_given_is_one_word_a_line(tmp_path: Path) -> None:
    evil = "$(touch owned) `touch owned`"
    words = ran(tmp_path, mode="prod", confirm=f"A {evil}", options=f"--hk-plan={evil}\n\n-x\n")
    assert words["pytest"] == [
        "--hk-mode=prod",
        f"--hk-confirm=A {evil}",
        f"--hk-plan={evil}",
        "-x",
    ]


def test_it_is_pinned_and_puts_nothing_typed_into_a_script() -> None:
    for step in STEPS:
        assert "${{" not in step.get("run", "")
    used = re.findall(r"uses: (.*)", (ROOT / "action.yml").read_text(encoding="utf-8"))
    for each in used:
        assert re.fullmatch(r"actions/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", each)
    workflow = (ROOT / ".github/workflows/housekeeping-prod-promotion.yml").read_text("utf-8")
    assert all(each in workflow for each in used)


def test_its_inputs_and_outputs_are_those_of_the_page() -> None:
    table = section(PAGE, "## A job of your own").partition("input of the action |")[2]
    assert {
        name.strip("`"): (needed, default.strip("`")) for name, needed, default, _ in rows(table)
    } == {
        name: ("yes" if each["required"] else "no", str(each.get("default", "")))
        for name, each in ACTION["inputs"].items()
    }
    outputs = [name.strip("`") for name, _ in rows(section(PAGE, "## What all of them do"))]
    assert list(ACTION["outputs"]) == outputs
    for name, each in ACTION["outputs"].items():
        assert each["value"] == f"${{{{ steps.run.outputs.{name} }}}}"


@pytest.mark.parametrize("program", ["actionlint", "zizmor"])
def test_two_others_find_nothing_in_the_job_of_the_page(program: str, tmp_path: Path) -> None:
    """The action is put beside, where actionlint knows its inputs."""
    text = files_of(PAGE)[EXAMPLE]
    if program == "actionlint":
        text = re.sub(r"OWNER/pytest-housekeeping@0{40} # a release", "./action", text)
    path = tmp_path / EXAMPLE
    path.parent.mkdir(parents=True)
    path.write_text(text, encoding="utf-8")
    (tmp_path / "action").mkdir()
    shutil.copy(ROOT / "action.yml", tmp_path / "action")
    git(tmp_path, "init", "--quiet")
    options = ["--offline", "--no-progress", "--quiet"] if program == "zizmor" else []
    done = subprocess.run(
        [Path(sys.executable).with_name(program), *options, path],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
