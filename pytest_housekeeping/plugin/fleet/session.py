"""A run on a fleet: looked at, rehearsed once a group, then item by item, and put on record."""

from __future__ import annotations

import shutil
from argparse import Namespace
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_housekeeping.config import Config, Fleet
from pytest_housekeeping.declarations.fleets import chosen_fleet
from pytest_housekeeping.declarations.settings import load_config
from pytest_housekeeping.errors import HousekeepingError, MisuseError
from pytest_housekeeping.model import Mode
from pytest_housekeeping.plugin.fleet.arguments import passed_on, refuse_unfit, shard_of
from pytest_housekeeping.plugin.fleet.ending import FleetEnding
from pytest_housekeeping.plugin.fleet.items import (
    ARGUMENTS,
    RUNS,
    SETTINGS,
    WORK,
    items_of,
)
from pytest_housekeeping.plugin.fleet.runs import Runs
from pytest_housekeeping.plugin.machines import prepare
from pytest_housekeeping.plugin.selection import report_collected
from pytest_housekeeping.promotion.fleet.survey import Group, survey
from pytest_housekeeping.promotion.fleet.waves import CANARY, watch_of, waves_of
from pytest_housekeeping.promotion.fleet.work import Work, read_work
from pytest_housekeeping.promotion.fleet.work_folder import hold, new_folder
from pytest_housekeeping.promotion.production.group.proof import read_proof
from pytest_housekeeping.promotion.production.of_fleet.handed import Handed

_GROUPS_AT = "hk_fleet_folder"
# What a rehearsal, which is a plan, has no use for.
_OF_A_CHANGE = ("--hk-segments", "--hk-accept-drift")


def activate(config: pytest.Config) -> None:
    """Look at the fleet, rehearse, and register what makes items of it.

    Raises pytest.UsageError (exit code 4) for whatever makes a run on it impossible.
    """
    mode = Mode(config.option.hk_mode)
    try:
        settings = load_config(config.rootpath)
        fleet = chosen_fleet(settings.fleets, config.option.hk_fleet)
        of_fleet = load_config(config.rootpath, target=f"{fleet.name}/any")
        settings = replace(of_fleet, audit=settings.audit)
        refuse_unfit(config, mode, fleet)
        folder = getattr(config, "workerinput", {}).get(_GROUPS_AT)
        if folder is not None:
            hold(Path(folder))
            work = read_work(Path(folder))
        else:
            prepare(config)
            work = _begun(settings, fleet, config.option, mode)
        config.stash[SETTINGS], config.stash[WORK] = settings, work
        config.stash[ARGUMENTS] = tuple(passed_on(config))
        session = FleetSession(config, settings, work, mode, leads=folder is None)
        config.pluginmanager.register(session, "housekeeping-fleet")
        if session.leads and not config.option.collectonly:
            said = session.told
            ending = FleetEnding(config, settings, work, mode, failed=session.failed, said=said)
            ending.prepare()
            config.pluginmanager.register(ending, "housekeeping-fleet-ending")
    except HousekeepingError as error:
        raise pytest.UsageError(str(error)) from None
    except OSError as error:
        raise pytest.UsageError(str(_no_folder(error))) from None


def _no_folder(error: OSError) -> MisuseError:
    return MisuseError(
        f"what the processes of a run on a fleet share cannot be written: {error}",
        why="nothing was begun",
        fix="make room there, or set TMPDIR to a folder with room that you may write to",
    )


def _begun(settings: Config, fleet: Fleet, option: Namespace, mode: Mode) -> Work:
    watches, shard = mode is Mode.VERIFY, option.hk_shard
    folder = new_folder()
    try:
        found = survey(
            settings,
            fleet,
            shard=shard_of(shard, mode),
            watches=watches,
            keep=folder,
            accepted=option.hk_accept_drift,
        )
        groups = [group.names for group in found.behind]
        waves = waves_of(groups, fleet.canary, fleet.waves) if groups else []
        if shard == CANARY:
            del waves[1:]
        work = Work(
            folder=folder,
            fleet=fleet,
            survey=found,
            waves=(watch_of(found),) if watches else tuple(waves),
            shard=shard or "",
        )
        work.save()
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return work


class FleetSession:
    """The hooks of a run on a fleet. It ``leads`` unless it is a worker of pytest-xdist."""

    def __init__(
        self,
        config: pytest.Config,
        settings: Config,
        work: Work,
        mode: Mode,
        *,
        leads: bool,
    ) -> None:
        self.config = config
        self.settings = settings
        self.work = work
        self.mode = mode
        self.failed: dict[str, str] = {}
        self.leads = leads
        self.told: list[str] = []
        if leads:
            self._rehearse()
            if getattr(config.option, "numprocesses", None):
                # An item at a time: those of a wave go to whoever is free.
                config.option.maxschedchunk = 1
        else:
            self.failed = dict(_failed(work))

    def _rehearse(self) -> None:
        """Each group once, on one of it, before anything is begun; as many at once as there are
        processes for the databases behind them."""
        if self.config.option.collectonly or self.mode is Mode.VERIFY:
            return
        words = ("--hk-mode=plan", *self.config.stash[ARGUMENTS])
        arguments = [word for word in words if not word.startswith(_OF_A_CHANGE)]
        behind = self.work.survey.behind
        waiting, early = iter(behind), dict[str, str]()

        def rehearse() -> None:
            with self._runs(arguments) as runs:
                for group in waiting:
                    early[group.name] = self._rehearsed(runs, group)

        processes = getattr(self.config.option, "numprocesses", None) or 1
        with ThreadPoolExecutor(max_workers=processes) as pool:
            begun = [pool.submit(rehearse) for _ in behind[:processes]]
            try:
                for each in begun:
                    each.result()
            finally:
                # Where one has no end, or Ctrl-C was pressed, none of these is begun any more.
                deque(waiting, maxlen=0)
        told = ((group.name, early[group.name]) for group in behind)
        self.told += [f"{name}: {why}" for name, why in told if why]

    def _runs(self, arguments: Sequence[str]) -> Runs:
        found, fleet = self.work.survey, self.work.fleet
        major = max((group.members[0].major for group in found.groups), default=0)
        targets = (each.database.target(fleet, self.settings.audit) for each in found.seen)
        audits = [target.audit for target in targets]
        shared = self.work.folder
        return Runs(self.settings, arguments, major=major, audits=audits, shared=shared)

    def _rehearsed(self, runs: Runs, group: Group) -> str:
        """Why it is too early for what was rehearsed; "" where it is not."""
        database = group.members[0].database
        target = database.target(self.work.fleet, self.settings.audit)
        given = Handed(target=target, keep=self.work.proof_of(group))
        ended = runs.run(given)
        place = self.work.proof_of(group)
        said = early = ""
        if ended.code != 0 or not place.exists():
            said = f"the rehearsal on {target.name} has failed:\n{ended.output[-4000:]}"
        else:
            early = read_proof(place).too_early
            said = early * (self.mode is Mode.PROD)
        if said:
            self.failed[group.name] = said
            self.work.failure_of(group).write_text(said, encoding="utf-8")
        return early

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """A worker of pytest-xdist finds the work where this one has put it."""
        node.workerinput[_GROUPS_AT] = str(self.work.folder)

    def pytest_ignore_collect(self, collection_path: Path) -> bool:
        """Nothing on the disk is collected: the items are the databases."""
        return collection_path != self.config.rootpath

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(
        self, session: pytest.Session, items: list[pytest.Item]
    ) -> None:
        items[:] = items_of(session, self.work, self.failed, self.mode)
        report_collected(session, items)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection_finish(self, session: pytest.Session) -> Iterator[None]:
        """Behind whatever shuffles: an item waits for those of the stages before its own."""
        session.items.sort(key=lambda item: getattr(item, "stage", 0))
        return (yield)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> None:
        """The runs of this process are forked from one that is made when they are needed."""
        if session.items and self.mode is not Mode.PLAN and not self.config.option.collectonly:
            words = [f"--hk-mode={self.mode.value}", *self.config.stash[ARGUMENTS]]
            if self.mode is Mode.PROD:
                words.append(f"--hk-confirm={self.work.fleet.confirm}")
            self.config.stash[RUNS] = self._runs(words)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self) -> Iterator[None]:
        """A run that Ctrl-C has met comes to its end first: the record tells of it."""
        if RUNS in self.config.stash:
            self.config.stash[RUNS].close()
        return (yield)

    def pytest_unconfigure(self) -> None:
        if self.leads:
            shutil.rmtree(self.work.folder, ignore_errors=True)


def _failed(work: Work) -> Iterator[tuple[str, str]]:
    for group in work.survey.groups:
        place = work.failure_of(group)
        if place.exists():
            yield group.name, place.read_text(encoding="utf-8")
