"""In the process that forks the runs of a fleet: a fork for each job, as late as it is safe."""

from __future__ import annotations

import gc
import json
import os
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import pytest

from pytest_housekeeping.config import Target, fleet_of
from pytest_housekeeping.errors import HousekeepingError, ServerError
from pytest_housekeeping.model import Mode
from pytest_housekeeping.plan.test_discovery import TestNames
from pytest_housekeeping.plugin.fleet.collected import (
    ANOTHER_PLAN,
    Collections,
    fork,
    forks_behind,
)
from pytest_housekeeping.plugin.stash import COLLECTS_AHEAD
from pytest_housekeeping.postgres.connection import LentConnection
from pytest_housekeeping.promotion.production.group.proof import read_proof
from pytest_housekeeping.promotion.production.of_fleet.handed import Away, Handed, hand, hand_back
from pytest_housekeeping.promotion.production.read_project import read_ahead
from pytest_housekeeping.promotion.production.target_address import open_production, read_address
from pytest_housekeeping.promotion.run_options import RunOptions

PLACES = ("keep", "proof", "back", "reading")


class Forks:
    """Reads jobs where pytest is about to read its conftests, and goes on in a fork for each.

    Of the databases of a group those that are promoted are forked where pytest has collected, if no
    code of the project has run by then: see ``collected.py``.
    """

    def __init__(
        self,
        jobs: IO[str],
        ends: IO[str],
        *,
        session: Mapping[str, str],
        audits: Sequence[str],
    ) -> None:
        self._jobs = jobs
        self._ends = ends
        self._session = session
        self._audits = audits
        self._collections = Collections()
        self._collects = False

    @pytest.hookimpl(tryfirst=True)
    def pytest_load_initial_conftests(self, early_config: pytest.Config, args: list[str]) -> None:
        mode, first = Mode(early_config.known_args_namespace.hk_mode), True
        for line in self._jobs:
            job = json.loads(line)
            if first:
                self._read_ahead(early_config, mode, fleet_of(job["target"]["name"]))
                first = False
            self._read_proof(job["places"]["proof"])
            group = job["places"]["proof"] if mode is Mode.PROD else ""
            if self._collections.is_due(group) and (pipes := self._collections.begin(group)):
                self._collect(early_config, job, args, pipes)
                return
            code = self._collections.run(group, line)
            if code is None:
                child = fork()
                if child == 0:
                    self._collections.close()
                    self._become(job)
                    args.append(f"--hk-target={job['target']['name']}")
                    return
                _, status = os.waitpid(child, 0)
                code = os.waitstatus_to_exitcode(status)
            self._ends.write(f"{code}\n")
            self._ends.flush()
        self._collections.end()
        os._exit(0)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> None:
        if not self._collects:
            return
        job = json.loads(forks_behind(session, self._jobs, self._ends))
        self._collects = False
        self._become(job)
        session.config.option.hk_target = job["target"]["name"]
        from pytest_housekeeping.plugin.beginning import AnotherPlan, begin_behind_collection

        try:
            begin_behind_collection(session)
        except AnotherPlan:
            os._exit(ANOTHER_PLAN)

    def _read_ahead(self, config: pytest.Config, mode: Mode, fleet: str) -> None:
        """What every run reads alike is read here, of a database of which only the fleet counts."""
        inifile = os.path.relpath(config.inipath, config.rootpath) if config.inipath else ""
        options = RunOptions(
            root=config.rootpath,
            mode=mode,
            tests=TestNames(files=(), functions=(), classes=()),
            inifile=inifile,
            target=f"{fleet}/any",
        )
        read_ahead(options, self._audits)
        # A collection in the fork would touch, and so copy, every page that it has from here.
        gc.collect()
        gc.freeze()

    def _read_proof(self, place: str) -> None:
        """What was shown for a group is read here, once for all that are forked then."""
        if place and Path(place).exists():
            with suppress(HousekeepingError):
                read_proof(Path(place))

    def _collect(
        self,
        config: pytest.Config,
        job: Mapping[str, Any],
        args: list[str],
        pipes: tuple[IO[str], IO[str]],
    ) -> None:
        """Collect for the group of a job, whose database tells what is applied, and is no more
        than looked at."""
        self._let_go()
        self._jobs, self._ends = pipes
        self._collects = config.stash[COLLECTS_AHEAD] = True
        target = Target(**job["target"])
        hand(Handed(target=target, proof=Path(job["places"]["proof"])))
        args.append(f"--hk-target={target.name}")

    def _become(self, job: Mapping[str, Any]) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        self._let_go()
        keep, proof, back, reading = (
            Path(job["places"][name]) if job["places"][name] else None for name in PLACES
        )
        target = Target(**job["target"])
        given = Handed(target=target, keep=keep, proof=proof, back=back, reading=reading)
        hand(given)
        if given.back is not None:
            hand(replace(given, connection=self._reached(given.target)))

    def _let_go(self) -> None:
        for each in (self._jobs, self._ends):
            each.close()

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
