"""Runs of pytest, each in a fork of a process that has imported everything.

Each database of a fleet has a whole run of its own. To start an interpreter for each would take
longer than the run; and a process with connections or threads is not forked.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, Self

from pytest_housekeeping.child_environment import usual_environment
from pytest_housekeeping.config import Target
from pytest_housekeeping.errors import ProofFailed
from pytest_housekeeping.promotion.production.handed import Handed, hand

# What a run imports besides what the plugin itself has imported by then.
_WARM = (
    *("pytest", "pytest_html", "psycopg", "pydantic", "git", "jinja2"),
    *("pytest_housekeeping.plugin.session", "pytest_housekeeping.promotion.production.start"),
    *("pytest_housekeeping.promotion.production.planning", "pytest_housekeeping.evidence.audit"),
    "pytest_housekeeping.evidence.report.html",
)


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a run ended: its exit code (negative: the signal), and what it printed."""

    code: int
    output: str


class Runs:
    """One run at a time. Close it, or what it has started stays."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=usual_environment(),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def run(self, root: Path, arguments: Sequence[str], given: Handed, output: Path) -> Ended:
        """``pytest ARGUMENTS`` in a folder, on the database that is handed over."""
        job = {
            "cwd": str(root),
            "arguments": list(arguments),
            # What leads to a database is told to the fork that is for it, and to nobody before.
            "environment": {
                name: value
                for name, value in os.environ.items()
                if not name.startswith("PYTEST_XDIST")
            },
            "target": asdict(given.target),
            "places": {
                name: str(path) if (path := getattr(given, name)) is not None else None
                for name in ("keep", "proof", "back")
            },
            "output": str(output),
        }
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise ProofFailed("the process that forks the runs has no pipes")
        try:
            stdin.write(json.dumps(job) + "\n")
            stdin.flush()
            line = stdout.readline()
        except OSError:
            line = ""
        if not line:
            raise ProofFailed(
                "the process that forks the runs is gone",
                why="what its last run has done is in the history of its database",
                fix="run the fleet again: it goes on where it stopped",
            )
        said = output.read_text(encoding="utf-8", errors="replace") if output.exists() else ""
        return Ended(code=int(line), output=said)

    def close(self) -> None:
        """End it; what it runs comes to its end first."""
        with suppress(OSError):
            if self._process.stdin is not None:
                self._process.stdin.close()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()


def _serve(jobs: IO[str]) -> None:
    # Ctrl-C is for the run in hand, which comes to its own end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for line in jobs:
        sys.stdout.flush()
        child = os.fork()
        if child == 0:
            _become(json.loads(line))
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


def _become(job: Mapping[str, Any]) -> None:
    """Never returns: the fork ends as an interpreter ends that ran ``python -m pytest``."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    written = os.open(job["output"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (written, 1), (written, 2)):
        os.dup2(source, target)
    os.chdir(job["cwd"])
    os.environ.clear()
    os.environ.update(job["environment"])
    sys.path[:1] = [job["cwd"]]
    sys.argv = ["pytest", *job["arguments"]]
    places = {name: Path(path) for name, path in job["places"].items() if path is not None}
    hand(Handed(target=Target(**job["target"]), **places))
    import pytest

    code = pytest.main(job["arguments"])
    # As multiprocessing ends its forks; the interpreter itself has no other way to say it.
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _warm() -> None:
    for name in _WARM:
        with suppress(ImportError):
            importlib.import_module(name)
    # A collection in the fork would touch, and so copy, every page that it has from here.
    gc.collect()
    gc.freeze()


if __name__ == "__main__":
    # As a module of its own it would hand to another list than the runs read.
    sys.modules["pytest_housekeeping.plugin.fleet.runs"] = sys.modules["__main__"]
    _warm()
    _serve(sys.stdin)
