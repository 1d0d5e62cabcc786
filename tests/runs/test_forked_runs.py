"""The process that forks the runs of these tests: no answer of it is lost."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from support.forked_runs import shared_runs


def test_a_run_that_has_ended_before_its_id_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs, output = shared_runs(), tmp_path / "output"
    answer = runs._answer

    def late() -> int:
        until = time.monotonic() + 20
        while time.monotonic() < until and not (output.exists() and output.stat().st_size):
            time.sleep(0.01)
        time.sleep(0.3)
        return answer()

    with monkeypatch.context() as patched:
        patched.setattr(runs, "_answer", late)
        runs.start(tmp_path, ["--version"], os.environ, output)
    ended = runs.wait(10)
    assert (ended.code, ended.output.split()[0]) == (0, "pytest")
