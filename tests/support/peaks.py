"""A plugin: each process of a run adds the most memory that it had, and its parent, to HK_PEAKS."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest


def pytest_unconfigure(config: pytest.Config) -> None:
    """In KiB, by what the process is: the one that leads the fleet, a rehearsal, or a run on one
    database."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    (peak,) = re.findall(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE)
    kind = "rehearsal" if config.option.hk_mode == "plan" else "run"
    kind = "leads" if config.option.hk_fleet else kind
    with Path(os.environ["HK_PEAKS"]).open("a", encoding="utf-8") as file:
        file.write(f"{kind} {peak} {os.getppid()}\n")
