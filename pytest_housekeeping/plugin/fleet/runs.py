"""Runs of pytest, each in a fork of a process that has imported everything.

Each database of a fleet has a whole run of its own. To start an interpreter for each would take
longer than the run; and a process with connections or threads is not forked. So the fork is made
where pytest knows its plugins and has read no conftest yet: what the project's own code does, it
does in the run. Where there is none, it is made behind the collection (``collected.py``).
"""

from __future__ import annotations

import atexit
import importlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import pytest

from pytest_housekeeping.child_environment import usual_environment
from pytest_housekeeping.config import Config
from pytest_housekeeping.declarations.rules import shipped_rules
from pytest_housekeeping.errors import ProofFailed
from pytest_housekeeping.plugin.fleet.forks import PLACES, Forks
from pytest_housekeeping.postgres.connection import expect
from pytest_housekeeping.promotion.fleet.work_folder import hold
from pytest_housekeeping.promotion.installed_tools import installed_tools
from pytest_housekeeping.promotion.production.of_fleet.handed import Handed
from pytest_housekeeping.server.kept_folders import this_tool
from pytest_housekeeping.snapshot.copies.server import find_servers_ahead
from pytest_housekeeping.snapshot.dumps.programs import find_pg_dump_ahead

# What a run imports besides what the plugin itself has imported by then.
_WARM = ("pytest_html", "psycopg", "pydantic", "git", "jinja2", "pdb", "encodings.utf_8_sig")
_WARM_OF_OURS = (
    *("plugin.beginning", "plugin.last_word", "promotion.production.start"),
    *("promotion.production.planning", "sql.parser.library", "checks.code.reading"),
    *("evidence.audit", "evidence.audit_file", "evidence.proof.prove"),
    *("evidence.report.terminal", "evidence.report.github"),
)


# What the run on the fleet tells a workflow, no run of one of its databases does.
_NOT_ITS_OWN = ("PYTEST_XDIST", "GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT", "GITHUB_ACTIONS")


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a run ended: its exit code (negative: the signal), and what it printed."""

    code: int
    output: str


class Runs:
    """One run at a time of ``pytest ARGUMENTS`` in a folder, on databases of servers of a ``major``
    version for the most part, whose ``audits`` lie in these folders. ``shared`` is the folder of
    the fleet. Close it, or what it has started stays."""

    def __init__(
        self,
        settings: Config,
        arguments: Sequence[str],
        *,
        major: int,
        audits: Sequence[str],
        shared: Path,
    ) -> None:
        self._output = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - closed with the process
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._output,
            text=True,
            env=usual_environment(),
        )
        # What leads to the databases is told here alone: it is in no process's first environment.
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith(_NOT_ITS_OWN)
        }
        with suppress(OSError):
            self._tell(
                cwd=str(settings.root),
                arguments=list(arguments),
                environment=environment,
                session=dict(settings.session),
                major=major,
                audits=list(audits),
                shared=str(shared),
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def run(self, given: Handed) -> Ended:
        """A run on the database that is handed over."""
        places = {name: str(getattr(given, name) or "") for name in PLACES}
        line, stdout = "", self._process.stdout
        # The process and its forks write where this one is in the file.
        self._output.seek(0)
        self._output.truncate()
        with suppress(OSError):
            self._tell(target=asdict(given.target), places=places)
            line = stdout.readline() if stdout is not None else ""
        self._output.seek(0)
        said = self._output.read().decode(errors="replace")
        if not line:
            raise ProofFailed(
                f"the process that forks the runs is gone: {said}",
                why="what its last run has done is in the history of its database",
                fix="run the fleet again: it goes on where it stopped",
            )
        return Ended(code=int(line), output=said)

    def close(self) -> None:
        """End it; what it runs comes to its end first."""
        with suppress(OSError):
            if self._process.stdin is not None:
                self._process.stdin.close()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._output.close()

    def _tell(self, **what: object) -> None:
        if self._process.stdin is not None:
            self._process.stdin.write(json.dumps(what) + "\n")
            self._process.stdin.flush()


def _main() -> None:
    """Never returns: a fork ends as an interpreter ends that ran ``python -m pytest``."""
    # Ctrl-C is for the run in hand, which comes to its own end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    jobs, ends = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    first = json.loads(jobs.readline())
    # What it runs comes to its own end, also where the fleet was killed.
    hold(Path(first["shared"]))
    os.chdir(first["cwd"])
    os.environ.clear()
    os.environ.update(first["environment"])
    sys.path[:1] = [first["cwd"]]
    sys.argv = ["pytest", *first["arguments"]]
    _warm(first["major"])
    forks = Forks(jobs, ends, session=first["session"], audits=first["audits"])
    code = pytest.main(first["arguments"], plugins=[forks])
    # As multiprocessing ends its forks; the interpreter itself has no other way to say it.
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _warm(major: int) -> None:
    """Import, and find out, what is the same for all."""
    expect(major)
    for name in (*_WARM, *(f"pytest_housekeeping.{name}" for name in _WARM_OF_OURS)):
        with suppress(ImportError):
            importlib.import_module(name)
    from pytest_housekeeping.evidence.report.html import compile_ahead

    compile_ahead(rehearses=True)
    installed_tools()
    this_tool()
    shipped_rules()
    find_pg_dump_ahead(major)
    find_servers_ahead()


if __name__ == "__main__":
    # As a module of its own it would hand to another list than the runs read.
    sys.modules["pytest_housekeeping.plugin.fleet.runs"] = sys.modules["__main__"]
    _main()
