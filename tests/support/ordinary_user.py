"""Whether a test can become an ordinary user who finds what is installed."""

from __future__ import annotations

import os
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
