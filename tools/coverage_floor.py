"""The floor of the coverage, and every floor that this repository has had: it only rises."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

_CHANGED = re.compile(r"^\+fail_under = (\d+)$", re.MULTILINE)


def floor(root: Path) -> int:
    """``fail_under`` of ``pyproject.toml``, in percent, as it is on disk."""
    settings = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    return int(settings["tool"]["coverage"]["report"]["fail_under"])


def earlier_floors(root: Path) -> tuple[int, ...]:
    """Those of the commits that HEAD is made of, the newest first; none where there is no git.

    Of a shallow clone, only those of the commits that are there.
    """
    command = ["git", "log", "--patch", "--unified=0", "--no-color", "--no-ext-diff"]
    try:
        log = subprocess.run(
            [*command, "-G^fail_under = ", "--", "pyproject.toml"],
            cwd=root,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return ()
    return tuple(int(number) for number in _CHANGED.findall(log.stdout))
