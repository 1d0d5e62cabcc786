"""What a cancelled run of a workflow does to pytest: nothing runs on behind GitHub's back."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.fresh_copy import ROOT

WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
# It says that it is there, and how it was ended.
ENDED = """#!/usr/bin/env python3
import pathlib, signal, sys
here = pathlib.Path(sys.argv[0]).parent
def handle(number, frame):
    (here / "ended").write_text(str(number))
    sys.exit(1)
signal.signal(signal.SIGINT, handle)
(here / "begun").touch()
signal.pause()
"""


def _steps() -> Iterator[Any]:
    """The steps that start pytest: of each workflow, and of the action."""
    for path in (*WORKFLOWS, ROOT / "action.yml"):
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        for name, job in (document.get("jobs") or {"action": document["runs"]}).items():
            for step in job["steps"]:
                if "--hk-mode" in step.get("run", ""):
                    yield pytest.param(step, id=f"{path.stem}-{name}")


STEPS = list(_steps())


def test_every_workflow_has_such_a_step() -> None:
    assert len(STEPS) == 9


@pytest.mark.parametrize("step", STEPS)
def test_a_run_that_is_cancelled_reaches_pytest(step: dict[str, Any], tmp_path: Path) -> None:
    """GitHub sends SIGINT to the first process of a step alone, and kills all of it later. Then
    the run rolls back and writes its record, which a shell in front of it would keep from it."""
    (tmp_path / "pytest").write_text(ENDED, encoding="utf-8")
    (tmp_path / "pytest").chmod(0o755)
    (tmp_path / "script.sh").write_text(step["run"], encoding="utf-8")
    process = subprocess.Popen(
        ["bash", "-e", "script.sh"],
        cwd=tmp_path,
        env={
            **os.environ,
            **dict.fromkeys(step["env"], ""),
            "PRIVATE": "true",
            "FLEET": "tenants",
            "PATH": f"{tmp_path}:{os.environ['PATH']}",
            "RUNNER_TEMP": str(tmp_path),
        },
        start_new_session=True,
    )
    try:
        while not (tmp_path / "begun").exists():
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=10) == 1
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    assert (tmp_path / "ended").read_text(encoding="utf-8") == str(signal.SIGINT.value)


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_who_waits_is_pushed_out_by_nobody(workflow: Path) -> None:
    """By default one run waits, and whoever comes after it takes its place."""
    waits = yaml.safe_load(workflow.read_text(encoding="utf-8"))["concurrency"]
    if waits["cancel-in-progress"] is False:
        assert waits["queue"] == "max"
