"""Whether a test can become an ordinary user who finds what is installed, or mount as root."""

from __future__ import annotations

import os
import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest

from pytest_housekeeping.server.os_account import server_account


def _why_not() -> str:
    if os.geteuid() != 0:
        return "needs to become another user"
    if not server_account().reaches(Path(sysconfig.get_path("purelib"))):
        return "this environment is closed to other users (chmod 755 .tox)"
    return ""


become_ordinary = pytest.mark.skipif(bool(_why_not()), reason=_why_not() or "it can")


def has_room_for_namespaces() -> bool:
    """Whether what is mounted can be seen by one process alone."""
    command = ["unshare", "--mount", "true"]
    return bool(shutil.which("unshare")) and subprocess.run(command, check=False).returncode == 0
