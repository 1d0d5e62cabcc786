"""A plugin: each process of a run adds the most memory that it had to the file HK_PEAKS."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest


def pytest_unconfigure(config: pytest.Config) -> None:
    """In KiB, by what the process is: the one that leads the fleet, or a run on one database."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    (peak,) = re.findall(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE)
    kind = "leads" if config.option.hk_fleet else "run"
    with Path(os.environ["HK_PEAKS"]).open("a", encoding="utf-8") as file:
        file.write(f"{kind} {peak}\n")
