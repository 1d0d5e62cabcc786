"""A production in a sandbox for the benchmarks that promote, and pytest as a promotion wants it."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from side_by_side import Command, plain_environment

# What a promotion refuses to run with, and what only a person at work wants.
_OFF = (
    *("cacheprovider", "hypothesispytest", "randomly", "rerunfailures"),
    *("repeat", "pytest_repeat", "pytest_order"),
)


@contextmanager
def production(folder: Path, clone: Path) -> Iterator[dict[str, str]]:
    """A sandbox beside any that the user may have, and the variables that lead to it."""
    sandbox = [sys.executable, "-m", "pytest_housekeeping", "sandbox"]
    # Which sandbox runs is written down in the user's state: its own, else another's would be used.
    own = plain_environment() | {
        "XDG_CACHE_HOME": str(folder / "cache"),
        "XDG_STATE_HOME": str(folder / "state"),
    }
    exports = subprocess.run(
        sandbox, cwd=clone, env=own, check=True, stdout=subprocess.PIPE, text=True
    ).stdout
    try:
        words = (word for word in shlex.split(exports) if "=" in word)
        yield dict(word.split("=", 1) for word in words)
    finally:
        subprocess.run([*sandbox, "--stop"], cwd=clone, env=own, check=True, capture_output=True)


def pytest_in(folder: Path, *options: str, environment: dict[str, str]) -> Command:
    """pytest in a folder, without the plugins that a promotion refuses or nobody needs."""
    switched_off = [word for name in _OFF for word in ("-p", f"no:{name}")]
    arguments = [sys.executable, "-m", "pytest", "-q", *switched_off, *options]
    return Command(arguments=arguments, folder=folder, environment=environment)
