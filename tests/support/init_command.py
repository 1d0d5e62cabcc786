"""``python -m pytest_housekeeping …`` in a project, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def command(root: Path, *arguments: str) -> tuple[int, str]:
    """Its exit code, and what it said."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest_housekeeping", *arguments],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout + done.stderr
