"""Tripwires are tried beside the run, and each says what became of it when it is asked."""

from __future__ import annotations

import threading
from contextlib import closing
from dataclasses import replace

import pytest

from pytest_housekeeping.errors import RuleBroken, ServerError
from pytest_housekeeping.postgres.connection import LentConnection, connect
from pytest_housekeeping.promotion.tripwires_ahead import TripwiresAhead
from pytest_housekeeping.server import StagingDatabase
from support.guarded import RULES

SOUND = RULES["rls-not-enabled"]
BROKEN = replace(RULES["rls-not-forced"], query="SELECT nonsense")


def test_each_is_tried_by_itself(database: StagingDatabase) -> None:
    opened: list[LentConnection] = []

    def empty() -> LentConnection:
        if not opened:
            opened.append(connect(database.superuser_conninfo))
        return opened[0]

    with closing(TripwiresAhead(empty, [BROKEN, SOUND])) as ahead:
        assert ahead.verdict(SOUND).passed
        with pytest.raises(RuleBroken, match="could not run"):
            ahead.verdict(BROKEN)
        assert len(ahead.builtins()) > 3000
    opened[0].close()


def test_a_database_that_cannot_be_had_is_said_where_it_is_asked_for() -> None:
    def none() -> LentConnection:
        raise ServerError("no room", why="the disk is full")

    with closing(TripwiresAhead(none, [SOUND])) as ahead:
        for asked in (ahead.builtins, lambda: ahead.verdict(SOUND)):
            with pytest.raises(ServerError, match="no room"):
                asked()


def test_nothing_goes_on_behind_the_end() -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slow() -> LentConnection:
        begun.set()
        go_on.wait(10)
        raise ServerError("it is over", why="the run has ended")

    ahead = TripwiresAhead(slow, list(RULES.values()))
    begun.wait(10)
    threading.Timer(0.05, go_on.set).start()
    ahead.close()
    ahead.close()
    assert not any(each.name.startswith("hk-tripwires") for each in threading.enumerate())
