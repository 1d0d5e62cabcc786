"""The items of a fleet: each group, the rows of each database, each database in its wave."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_housekeeping.config import Config, Target
from pytest_housekeeping.errors import HousekeepingError, ServerError
from pytest_housekeeping.evidence.fleet_record import AWAY, FAILED, LEFT, PASSED
from pytest_housekeeping.evidence.report.display import plural
from pytest_housekeeping.evidence.run_outcomes import PROVED
from pytest_housekeeping.model import Level, Mode
from pytest_housekeeping.plugin.fleet.runs import Ended, Runs
from pytest_housekeeping.plugin.items import told_of_no_room
from pytest_housekeeping.promotion.fleet.rows import rows_of
from pytest_housekeeping.promotion.fleet.survey import Group, Seen, reading_in
from pytest_housekeeping.promotion.fleet.work import Result, Work
from pytest_housekeeping.promotion.production.group.proof import read_proof
from pytest_housekeeping.promotion.production.of_fleet.handed import (
    Away,
    Handed,
    HandedBack,
    handed_back,
)

WORK = pytest.StashKey[Work]()
SETTINGS = pytest.StashKey[Config]()
RUNS = pytest.StashKey[Runs]()
ARGUMENTS = pytest.StashKey[tuple[str, ...]]()
# How much of what a run has printed is shown of one that has failed.
_SHOWN = 4000


class NotPassed(Exception):
    """An item came to a result, and the result is not a pass."""


class FleetItem(pytest.Item):
    """One thing to be done with a fleet. It waits for all items of the stages before its own."""

    stage = 0

    @property
    def work(self) -> Work:
        return self.config.stash[WORK]

    def runtest(self) -> None:
        work, began = self.work, time.monotonic()
        earlier = (each for each in self.session.items if isinstance(each, FleetItem))
        work.wait_for(each.nodeid for each in earlier if each.stage < self.stage)
        if why := self.held_up():
            work.put(Result(item=self.nodeid, how=LEFT, detail=why))
            pytest.skip(f"not begun: {why}")
        try:
            work.begin(self.nodeid)
            result = self.done()
        except ServerError as error:
            result = Result(item=self.nodeid, how=AWAY, detail=error.found)
        except HousekeepingError as error:
            result = Result(item=self.nodeid, how=FAILED, detail=str(error))
        except OSError as error:
            result = Result(item=self.nodeid, how=FAILED, detail=told_of_no_room(error))
        except BaseException:
            work.put(Result(item=self.nodeid, how=FAILED, detail="interrupted"))
            raise
        work.put(replace(result, seconds=round(time.monotonic() - began, 3)))
        told = {"outcome": result.outcome, "run": result.run, "audit": result.audit}
        self.user_properties += [
            (f"housekeeping.{key}", said) for key, said in told.items() if said
        ]
        if result.how == PASSED:
            self.add_report_section("call", "fleet", result.detail)
        if result.how == AWAY:
            pytest.skip(f"away: {result.detail}")
        if result.how == FAILED:
            raise NotPassed(result.detail)

    def held_up(self) -> str:
        """Why it is not begun; "" where it is: what changes nothing is told of all."""
        return ""

    def done(self) -> Result:
        """Do it. Raises ServerError for a database that is away."""
        raise NotImplementedError

    def repr_failure(
        self,
        excinfo: pytest.ExceptionInfo[BaseException],
        style: Any = None,
    ) -> Any:
        if isinstance(excinfo.value, NotPassed):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        return self.config.rootpath, None, f"{self.nodeid} "


class GroupItem(FleetItem):
    """A group: the rehearsal on one of it has shown what its schema decides."""

    def __init__(self, *, group: Group, failed: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.group = group
        self.failed = failed

    def done(self) -> Result:
        if self.failed:
            return Result(item=self.nodeid, how=FAILED, detail=self.failed)
        said = plural(len(self.group.members), "database")
        if self.group.pending:
            proof = read_proof(self.work.proof_of(self.group))
            said += f", rehearsed on {proof.shown_on}: {len(proof.results)} steps"
            said = "\n".join([said, *proof.refused])
        return Result(item=self.nodeid, how=PASSED, detail=said)


class RowsItem(FleetItem):
    """The rows of one database: what they would refuse of the batch."""

    stage = 1

    def __init__(self, *, seen: Seen, proof: Path, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.seen = seen
        self.proof = proof

    def done(self) -> Result:
        work, database = self.work, self.seen.database
        settings, proof = self.config.stash[SETTINGS], read_proof(self.proof)
        verdict = rows_of(settings, work.fleet, database, proof)
        errors = [str(each) for each in verdict.findings if each.level is Level.ERROR]
        if errors or not verdict.passed:
            said = "\n".join(errors) or "nothing was examined"
            return Result(item=self.nodeid, how=FAILED, detail=said)
        return Result(item=self.nodeid, how=PASSED, detail=f"{verdict.examined} {verdict.unit}")


class DatabaseItem(FleetItem):
    """One database: a whole run of its own, by the proof of its group."""

    def __init__(self, *, seen: Seen, stage: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.seen = seen
        self.stage = stage

    def held_up(self) -> str:
        return self.work.stopped() or self.work.refused(self.seen.database.name)

    def done(self) -> Result:
        work, config, database = self.work, self.config.stash[SETTINGS], self.seen.database
        target, back = database.target(work.fleet, config.audit), work.back_of(database.name)
        ended = self.config.stash[RUNS].run(self.handed(target, back))
        reading_in(work.folder, database).unlink(missing_ok=True)
        left = handed_back(back)
        # Away is not failed: it is found before anything is begun.
        if isinstance(left, Away):
            return Result(item=self.nodeid, how=AWAY, detail=left.detail)
        good = ended.code == 0 and left is not None
        return Result(
            item=self.nodeid,
            how=PASSED if good else FAILED,
            detail=told_of(ended, left),
            run=left.run if left else "",
            outcome=left.outcome if left else "",
            audit=left.audit if left else "",
            digest=left.digest if left else "",
        )

    def handed(self, target: Target, back: Path) -> Handed:
        """What its run is handed."""
        proof = self.work.shown_for(self.seen.database.name)
        reading = reading_in(self.work.folder, self.seen.database)
        return Handed(target=target, proof=proof, back=back, reading=reading)


def told_of(ended: Ended, left: HandedBack | None) -> str:
    """What is said of a run. One that has come to no record, or has failed though it went well,
    has printed why."""
    printed = ended.output[-_SHOWN:]
    if left is None:
        return printed
    if ended.code and left.outcome in PROVED:
        return f"{left.told}; its run ended with exit code {ended.code}:\n{printed}"
    return left.told


class WatchedItem(DatabaseItem):
    """One database, looked at: the first of a group on a copy of it, the others by what that has
    shown, and whatever the rows decide in each of them. Nothing waits for its verdict."""

    def held_up(self) -> str:
        return ""

    def handed(self, target: Target, back: Path) -> Handed:
        given = super().handed(target, back)
        return replace(given, keep=given.proof)


def items_of(
    session: pytest.Session, work: Work, failed: dict[str, str], mode: Mode
) -> Iterator[FleetItem]:
    """All items, in the order of their stages. ``failed`` says of a group why its rehearsal did."""
    seen = {each.database.name: each for each in work.survey.seen}

    def made(kind: type[FleetItem], place: str, name: str, **own: Any) -> FleetItem:
        return kind.from_parent(session, name=name, nodeid=work.item(place, name), **own)

    if mode is Mode.VERIFY:
        first = {group.names[0] for group in work.survey.groups}
        for wave in work.waves:
            for name in wave.databases:
                stage = 0 if name in first else 1
                yield made(WatchedItem, wave.name, name, seen=seen[name], stage=stage)
        return
    for group in work.survey.groups:
        why = failed.get(group.name, "")
        yield made(GroupItem, "groups", group.name, group=group, failed=why)
    for group in work.survey.behind:
        for member in group.members if group.name not in failed else ():
            proof = work.proof_of(group)
            yield made(RowsItem, "rows", member.database.name, seen=member, proof=proof)
    for stage, wave in enumerate(work.waves if mode is Mode.PROD else (), start=2):
        for name in wave.databases:
            yield made(DatabaseItem, wave.name, name, seen=seen[name], stage=stage)
