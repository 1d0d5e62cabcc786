"""Runs of pytest, each in a fork of a process that has imported everything.

Each database of a fleet has a whole run of its own. To start an interpreter for each would take
longer than the run; and a process with connections or threads is not forked. So the fork is made
where pytest knows its plugins and has read no conftest yet: what the project's own code does, it
does in the run.
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
import tempfile
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import IO, Any, Self

import pytest

from pytest_housekeeping.child_environment import usual_environment
from pytest_housekeeping.config import Config, Target, fleet_of
from pytest_housekeeping.declarations.rules import shipped_rules
from pytest_housekeeping.errors import HousekeepingError, ProofFailed, ServerError
from pytest_housekeeping.model import Mode
from pytest_housekeeping.plan.test_discovery import TestNames
from pytest_housekeeping.postgres.connection import LentConnection, expect
from pytest_housekeeping.promotion.installed_tools import installed_tools
from pytest_housekeeping.promotion.production.group.proof import read_proof
from pytest_housekeeping.promotion.production.handed import Away, Handed, hand, hand_back
from pytest_housekeeping.promotion.production.read_project import read_ahead
from pytest_housekeeping.promotion.production.target_address import open_production, read_address
from pytest_housekeeping.promotion.run_options import RunOptions
from pytest_housekeeping.snapshot.problems import BackupFailed
from pytest_housekeeping.snapshot.programs import find_pg_dump

# What a run imports besides what the plugin itself has imported by then.
_WARM = ("pytest_html", "psycopg", "pydantic", "git", "jinja2", "pdb", "encodings.utf_8_sig")
_WARM_OF_OURS = (
    *("plugin.session", "plugin.last_word", "promotion.production.start"),
    *("promotion.production.planning", "sql.parser.library", "checks.code.reading"),
    *("evidence.audit", "evidence.audit_file", "evidence.proof"),
    *("evidence.report.terminal", "evidence.report.github"),
)
_PLACES = ("keep", "proof", "back", "reading")


# What the run on the fleet tells a workflow, no run of one of its databases does.
_NOT_ITS_OWN = ("PYTEST_XDIST", "GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT", "GITHUB_ACTIONS")


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a run ended: its exit code (negative: the signal), and what it printed."""

    code: int
    output: str


class Runs:
    """One run at a time of ``pytest ARGUMENTS`` in a folder, on databases of servers of a ``major``
    version for the most part. Close it, or what it has started stays."""

    def __init__(self, settings: Config, arguments: Sequence[str], major: int) -> None:
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
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def run(self, given: Handed) -> Ended:
        """A run on the database that is handed over."""
        places = {name: str(getattr(given, name) or "") for name in _PLACES}
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


class _Forks:
    """Reads jobs where pytest is about to read its conftests, and goes on in a fork for each."""

    def __init__(self, jobs: IO[str], ends: IO[str], session: Mapping[str, str]) -> None:
        self._jobs = jobs
        self._ends = ends
        self._session = session

    @pytest.hookimpl(tryfirst=True)
    def pytest_load_initial_conftests(self, early_config: pytest.Config, args: list[str]) -> None:
        first = True
        for line in self._jobs:
            job = json.loads(line)
            if first:
                self._read_ahead(early_config, fleet_of(job["target"]["name"]))
                first = False
            self._read_proof(job["places"]["proof"])
            child = os.fork()
            if child == 0:
                self._become(job, args)
                return
            _, status = os.waitpid(child, 0)
            self._ends.write(f"{os.waitstatus_to_exitcode(status)}\n")
            self._ends.flush()
        os._exit(0)

    def _read_ahead(self, config: pytest.Config, fleet: str) -> None:
        """What every run reads alike is read here, of a database of which only the fleet counts."""
        inifile = os.path.relpath(config.inipath, config.rootpath) if config.inipath else ""
        options = RunOptions(
            root=config.rootpath,
            mode=Mode(config.known_args_namespace.hk_mode),
            tests=TestNames(files=(), functions=(), classes=()),
            inifile=inifile,
            target=f"{fleet}/any",
        )
        read_ahead(options)
        # A collection in the fork would touch, and so copy, every page that it has from here.
        gc.collect()
        gc.freeze()

    def _read_proof(self, place: str) -> None:
        """What was shown for a group is read here, once for all that are forked then."""
        if place and Path(place).exists():
            with suppress(HousekeepingError):
                read_proof(Path(place))

    def _become(self, job: Mapping[str, Any], args: list[str]) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for each in (self._jobs, self._ends):
            each.close()
        keep, proof, back, reading = (
            Path(job["places"][name]) if job["places"][name] else None for name in _PLACES
        )
        target = Target(**job["target"])
        given = Handed(target=target, keep=keep, proof=proof, back=back, reading=reading)
        hand(given)
        if given.back is not None:
            hand(replace(given, connection=self._reached(given.target)))
        args.append(f"--hk-target={given.target.name}")

    def _reached(self, target: Target) -> LentConnection | None:
        """A session that shows that the database is there; where it is not, there is no run. What
        else is wrong with it, the run tells."""
        try:
            return open_production(read_address(os.environ, target), self._session)
        except ServerError as error:
            hand_back(Away(detail=error.found))
            os._exit(0)
        except HousekeepingError:
            return None


def _main() -> None:
    """Never returns: a fork ends as an interpreter ends that ran ``python -m pytest``."""
    # Ctrl-C is for the run in hand, which comes to its own end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    jobs, ends = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    first = json.loads(jobs.readline())
    os.chdir(first["cwd"])
    os.environ.clear()
    os.environ.update(first["environment"])
    sys.path[:1] = [first["cwd"]]
    sys.argv = ["pytest", *first["arguments"]]
    _warm(first["major"])
    code = pytest.main(first["arguments"], plugins=[_Forks(jobs, ends, first["session"])])
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

    compile_ahead()
    installed_tools()
    shipped_rules()
    with suppress(BackupFailed):
        find_pg_dump(major)


if __name__ == "__main__":
    # As a module of its own it would hand to another list than the runs read.
    sys.modules["pytest_housekeeping.plugin.fleet.runs"] = sys.modules["__main__"]
    _main()
