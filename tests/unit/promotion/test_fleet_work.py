"""What the processes of a fleet know of each other: no result is lost, none waits for the dead."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_housekeeping.config import Fleet, Target
from pytest_housekeeping.evidence.fleet_record import AWAY, FAILED, LEFT, PASSED
from pytest_housekeeping.promotion.fleet.survey import Group, Seen, Survey
from pytest_housekeeping.promotion.fleet.waves import CANARY, Wave, budget_of
from pytest_housekeeping.promotion.fleet.work import Result, Work, _Known
from pytest_housekeeping.promotion.production.of_fleet.databases import FleetDatabase
from pytest_housekeeping.promotion.production.of_fleet.handed import (
    _HANDED,
    Away,
    Handed,
    hand,
    hand_back,
    handed_back,
)
from support.little_room import room_for


@pytest.fixture
def work(tmp_path: Path) -> Work:
    fleet = Fleet(name="f", env="F", failures=1)
    nothing = Survey(groups=(), away=(), wrong=(), archived=())
    return Work(folder=tmp_path, fleet=fleet, survey=nothing, waves=())


def test_a_result_is_found_again(work: Work) -> None:
    assert work.result("f::rows::a") is None
    work.begin("f::rows::a")
    assert work.result("f::rows::a") is None
    work.put(Result(item="f::rows::a", how=PASSED, run="1234"))
    found = work.result("f::rows::a")
    assert found is not None
    assert (found.how, found.run) == (PASSED, "1234")
    work.wait_for(["f::rows::a"])


def test_each_process_reads_what_others_have_added(work: Work) -> None:
    """Also behind a line that somebody could not write to its end."""
    other = replace(work, _known=_Known())
    work.put(Result(item="f::rows::a", how=PASSED))
    assert other.results().keys() == {"f::rows::a"}
    with (work.folder / "ended").open("ab") as file:
        file.write(b'\n{"item": "f::rows::b", "ho')
    assert other.result("f::rows::b") is None
    other.put(Result(item="f::rows::c", how=AWAY))
    assert work.results().keys() == other.results().keys() == {"f::rows::a", "f::rows::c"}


def test_one_whose_process_is_gone_has_failed(work: Work) -> None:
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    work.begin("f::wave-1::a")
    begun = next(work.folder.glob("*.begun"))
    begun.unlink()
    begun.symlink_to(str(done.pid))
    found = work.result("f::wave-1::a")
    assert found is not None
    assert found.how == FAILED
    work.wait_for(["f::wave-1::a"])
    # As any failure it counts for all processes.
    assert replace(work, _known=_Known()).results().keys() == {"f::wave-1::a"}


@pytest.mark.parametrize("room", [0, 20, 60])
def test_nobody_waits_for_a_result_for_which_there_was_no_room(work: Work, room: int) -> None:
    """Not this process, which knows it, and no other, which is told that it has ended."""
    other = replace(work, _known=_Known())
    with room_for(room):
        work.begin("f::wave-1::a")
        work.put(Result(item="f::wave-1::a", how=PASSED))
        work.wait_for(["f::wave-1::a"])
        assert work.results()["f::wave-1::a"].how == PASSED
        other.wait_for(["f::wave-1::a"])
    found = other.results()["f::wave-1::a"]
    assert found.how == FAILED
    assert "without a result" in found.detail
    assert "TMPDIR" in found.detail
    # With room again nothing of the half line is in the way.
    work.put(Result(item="f::wave-1::b", how=PASSED))
    assert replace(work, _known=_Known()).results()["f::wave-1::b"].how == PASSED


def test_what_a_run_hands_back_is_there_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    back = tmp_path / "a.back"
    hand(Handed(target=Target(), back=back))
    try:
        with room_for(10), pytest.raises(OSError, match="File too large"):
            hand_back(Away(detail="it is away"))
        assert [*tmp_path.iterdir()] == []
        assert handed_back(back) is None
        hand_back(Away(detail="it is away"))
        assert handed_back(back) == Away(detail="it is away")
    finally:
        _HANDED.clear()


def test_the_budget_of_failures(work: Work) -> None:
    assert work.stopped() == ""
    work.put(Result(item="f::wave-1::a", how=FAILED))
    work.put(Result(item="f::wave-1::b", how=AWAY))
    work.put(Result(item="f::wave-1::c", how=LEFT))
    assert work.stopped() == ""
    work.put(Result(item="f::wave-1::d", how=FAILED))
    assert work.stopped().startswith("2 failed, and failures = 1")


def test_a_share_has_its_part_of_the_budget(work: Work) -> None:
    """What all of them may lose together is what the fleet may."""
    share = replace(work, fleet=replace(work.fleet, failures=5), shard="2/3", _known=_Known())
    share.put(Result(item="f::wave-1::a", how=FAILED))
    share.put(Result(item="f::wave-1::b", how=FAILED))
    assert share.stopped() == ""
    share.put(Result(item="f::wave-1::c", how=FAILED))
    assert share.stopped() == (
        "3 failed, and failures = 5, of which the share 2/3 has 2: f::wave-1::a"
    )


@pytest.mark.parametrize("failures", [0, 1, 5, 10, 97])
@pytest.mark.parametrize("shares", [1, 2, 3, 10, 256])
def test_the_parts_of_the_budget_are_the_budget(failures: int, shares: int) -> None:
    parts = [budget_of(failures, f"{n}/{shares}") for n in range(1, shares + 1)]
    assert sum(parts) == failures
    assert max(parts) - min(parts) <= 1
    assert budget_of(failures, "") == budget_of(failures, CANARY) == failures


def test_a_database_whose_rows_refuse_counts_once_and_is_not_begun(work: Work) -> None:
    work.put(Result(item="f::rows::a", how=FAILED))
    work.put(Result(item="f::wave-1::a", how=FAILED))
    assert work.stopped() == ""
    assert work.refused("a") == "its rows would refuse it"
    assert work.refused("b") == ""


@pytest.mark.parametrize("place", ["canary", "rows"])
def test_a_canary_that_fails_stops_all(work: Work, place: str) -> None:
    work = replace(work, waves=(Wave(name="canary", databases=("a",)),))
    work.put(Result(item=f"f::{place}::a", how=FAILED))
    assert work.stopped() == f"a canary failed: f::{place}::a"


def test_the_databases_of_a_group_that_was_not_rehearsed_have_failed(work: Work) -> None:
    seen = [Seen(database=FleetDatabase(name=name, database=name)) for name in ("a", "b")]
    group = Group(number=1, members=tuple(seen), pending=("0001.sql",))
    work = replace(work, survey=replace(work.survey, groups=(group,)))
    assert work.refused("a") == ""
    work.failure_of(group).write_text("why", encoding="utf-8")
    assert work.refused("a") == "group-1 was not rehearsed"
    # With -k the item of the group may be none of those that run.
    assert work.stopped() == ""
    work.put(Result(item="f::groups::group-1", how=FAILED))
    assert work.stopped() == "2 failed, and failures = 1: f::groups::group-1"
    assert replace(work, fleet=replace(work.fleet, failures=2)).stopped() == ""
