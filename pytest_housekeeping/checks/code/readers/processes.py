"""Many files read by processes of their own: parsing keeps one core busy, and there are more."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pytest_housekeeping.child_environment import usual_environment

# Below this a process takes longer to start than it saves.
MANY = 80
PROCESSES = 2
_WORKER = "pytest_housekeeping.checks.code.readers.worker"
# Where this package is imported from: the worker must be of the same version.
_PACKAGES = Path(__file__).resolve().parents[4]


def read_by_processes(root: Path, paths: Sequence[tuple[str, str]]) -> dict[str, list[Any]]:
    """The encoded facts of each file that was answered. ``paths``: with their suffixes.

    What a process could not answer is left out: the caller reads it himself.
    """
    shares = [paths[number::PROCESSES] for number in range(PROCESSES)]
    running = [_start(root, share) for share in shares]
    found: dict[str, list[Any]] = {}
    for share, process in zip(shares, running, strict=True):
        output, _ = process.communicate()
        try:
            answers = json.loads(output) if process.returncode == 0 else []
        except ValueError:
            answers = []
        if len(answers) == len(share):
            found |= {path: answer for (path, _), answer in zip(share, answers, strict=True)}
    return found


def _start(root: Path, share: Sequence[tuple[str, str]]) -> subprocess.Popen[bytes]:
    inherited = [os.environ["PYTHONPATH"]] if os.environ.get("PYTHONPATH") else []
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", _WORKER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=usual_environment() | {"PYTHONPATH": os.pathsep.join([str(_PACKAGES), *inherited])},
    )
    if process.stdin is not None:
        process.stdin.write(json.dumps({"root": str(root), "files": share}).encode())
        process.stdin.close()
        # communicate() would flush it, and a closed stream cannot be flushed.
        process.stdin = None
    return process
