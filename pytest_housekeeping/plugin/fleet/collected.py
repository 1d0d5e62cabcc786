"""Runs that begin behind a collection: forked from a process that has collected for their group.

What pytest does up to there is the same for databases with one plan: its settings, its plugins'
beginning, their fixtures, the items. Such a process connects to one database of the group to know
the plan, and lets go of it before anything is forked. Where code of the project has run by then, or
a thread or a connection is left, nothing is shared: the runs are forked before all that.
"""

from __future__ import annotations

import atexit
import gc
import os
import stat
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import pytest

from pytest_housekeeping.errors import HousekeepingError
from pytest_housekeeping.plugin.import_ahead import wait_for_imports
from pytest_housekeeping.plugin.stash import CODE_WATCH, PROMOTION

# How an exit says that the database has another plan than its group had: nothing was begun.
ANOTHER_PLAN = 113
# How it says that nothing may be shared: in its group it is not tried again, as it is where the
# database that was to tell the plan was away.
_UNFIT = 114
# So many groups of a fleet have such a process; the runs of further ones are forked without.
_MOST = 4
_READY = "ready\n"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Collection:
    """The process, and the pipes to it and from it."""

    pid: int
    jobs: IO[str]
    ends: IO[str]

    def is_ready(self) -> bool:
        return self.ends.readline() == _READY

    def run(self, job: str) -> int | None:
        """The exit code of a run; None where the process itself is gone."""
        with suppress(OSError):
            self.jobs.write(job)
            self.jobs.flush()
        line = self.ends.readline()
        return int(line) if line else None

    def close(self) -> None:
        for each in (self.jobs, self.ends):
            with suppress(OSError):
                each.close()

    def end(self) -> int:
        """How it has ended, once nobody asks it for anything any more."""
        self.close()
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


class Collections:
    """Those of one process that forks, by group. A group in which that was of no use has none."""

    def __init__(self) -> None:
        self._of: dict[str, _Collection | None] = {}
        self._tried: set[str] = set()

    def is_due(self, group: str) -> bool:
        """Whether one is to be made for the next database of a group; "" is none."""
        return bool(group) and group not in self._of and len(self._of) < _MOST

    def begin(self, group: str) -> tuple[IO[str], IO[str]] | None:
        """Make it. In the new process, where it reads jobs and where it says how they ended."""
        there, jobs = os.pipe()
        ends, here = os.pipe()
        pid = fork()
        if pid == 0:
            self.close()
            for each in (jobs, ends):
                os.close(each)
            return os.fdopen(there), os.fdopen(here, "w")
        for each in (there, here):
            os.close(each)
        made = _Collection(pid=pid, jobs=os.fdopen(jobs, "w"), ends=os.fdopen(ends))
        if made.is_ready():
            self._of[group] = made
            return None
        if made.end() == _UNFIT or group in self._tried:
            self._of[group] = None
        self._tried.add(group)
        _forget_output()
        return None

    def run(self, group: str, job: str) -> int | None:
        """The exit code of a run behind the collection of its group; None where there was none."""
        collection = self._of.get(group)
        if collection is None:
            return None
        code = collection.run(job)
        if code is not None and code != ANOTHER_PLAN:
            return code
        self._of[group] = None
        ended = collection.end()
        if code is None:
            # What it had forked is gone from here as well: how that ended, its history tells.
            return ended or 1
        # Databases of this group differ in more than their schema: no more is tried in vain.
        _forget_output()
        return None

    def close(self) -> None:
        """In a fork: the pipes are not its own."""
        for each in filter(None, self._of.values()):
            each.close()

    def end(self) -> None:
        """In the process that has made them."""
        for each in filter(None, self._of.values()):
            each.end()


def forks_behind(session: pytest.Session, jobs: IO[str], ends: IO[str]) -> str:
    """Be the process that has collected: returns in forks alone, in each with its job."""
    run = session.config.stash[PROMOTION].run
    with suppress(HousekeepingError):
        # What it asks of git is remembered, and is the same for all of them. Each judges by itself.
        run.prechecks["evidence"]()
    run.close()
    if not is_fit(session):
        os._exit(_UNFIT)
    session.config.stash[CODE_WATCH].settle()
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None:
        reporter._tw.flush()
    # A collection in the fork would touch, and so copy, every page that it has from here.
    gc.collect()
    gc.freeze()
    ends.write(_READY)
    ends.flush()
    for job in jobs:
        child = fork()
        if child == 0:
            return job
        _, status = os.waitpid(child, 0)
        ends.write(f"{os.waitstatus_to_exitcode(status)}\n")
        ends.flush()
    os._exit(0)


def fork() -> int:
    """As ``os.fork``. What this process does at its own end is not for the new one to do."""
    pid = os.fork()
    if pid == 0:
        atexit._clear()
    return pid


def is_fit(session: pytest.Session) -> bool:
    """Whether all is collected, nothing but pytest and installed packages has run for it, and no
    thread and no connection is left of that. What is imported ahead comes to its end first."""
    wait_for_imports()
    failed = session.testsfailed or session.shouldfail or session.shouldstop
    own_code = any(True for _ in session.config.stash[CODE_WATCH].files())
    return not (failed or own_code or threading.active_count() > 1 or any(_sockets()))


def _sockets() -> Iterator[int]:
    """What is connected to something, besides what the process was started with."""
    for number in [int(each.name) for each in Path("/dev/fd").iterdir()]:
        with suppress(OSError):
            if number > 2 and stat.S_ISSOCK(os.fstat(number).st_mode):
                yield number


def _forget_output() -> None:
    """What was printed for nothing is not taken for that of the run that follows."""
    with suppress(OSError):
        os.lseek(1, 0, os.SEEK_SET)
        os.ftruncate(1, 0)
