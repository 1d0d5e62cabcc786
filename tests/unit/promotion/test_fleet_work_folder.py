"""The folder of a run on a fleet goes with the run, and where that was killed, with the next."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from pytest_housekeeping.promotion.fleet.work_folder import new_folder

_RUN = """import os, sys
from pytest_housekeeping.promotion.fleet.work_folder import new_folder
print(new_folder(), flush=True)
if os.fork():
    os.kill(os.getpid(), 9)
sys.stdin.read()
"""


def test_what_a_killed_run_has_left_is_cleared_when_none_of_its_processes_lives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    other = tmp_path / "hk-fleet-of-somebody"
    other.mkdir()
    mine = new_folder()
    with subprocess.Popen(
        [sys.executable, "-c", _RUN],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    ) as killed:
        assert killed.stdin is not None
        assert killed.stdout is not None
        left = Path(killed.stdout.readline().strip())
        assert killed.wait() == -signal.SIGKILL
        # A process that it has forked is still at work.
        new_folder()
        assert left.is_dir()
        killed.stdin.close()
        killed.stdout.read()
    new_folder()
    assert not left.exists()
    assert mine.is_dir()
    assert other.is_dir()
