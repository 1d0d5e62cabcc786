"""Tripwires are tried beside the run, and each says what became of it when it is asked."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_housekeeping.declarations.rules import Rule
from pytest_housekeeping.errors import RuleBroken, ServerError
from pytest_housekeeping.model import Kind, Phase, Step
from pytest_housekeeping.postgres.connection import Connection, LentConnection, connect
from pytest_housekeeping.promotion.judging import Checks
from pytest_housekeeping.promotion.kept_verdicts import KeptVerdicts, Recent
from pytest_housekeeping.promotion.tripwires_ahead import TripwiresAhead
from pytest_housekeeping.server import StagingDatabase
from support.guarded import RULES

SOUND = RULES["rls-not-enabled"]
BROKEN = replace(RULES["rls-not-forced"], query="SELECT nonsense")


def test_each_is_tried_by_itself(database: StagingDatabase) -> None:
    empty = cache(lambda: connect(database.superuser_conninfo))
    with closing(TripwiresAhead(empty, [BROKEN, SOUND])) as ahead:
        assert ahead.verdict(SOUND).passed
        with pytest.raises(RuleBroken, match="could not run"):
            ahead.verdict(BROKEN)
    empty().close()


def test_where_something_of_postgresql_s_own_was_replaced_none_is_believed(
    database: StagingDatabase,
) -> None:
    untouched = cache(lambda: connect(database.superuser_conninfo))
    with (
        closing(TripwiresAhead(untouched, [SOUND])) as ahead,
        connect(database.superuser_conninfo) as own,
    ):
        assert ahead.verdict(SOUND).passed
        own.execute("BEGIN")
        own.execute(
            "CREATE OR REPLACE FUNCTION pg_catalog.pg_get_viewdef(oid) RETURNS text"
            " LANGUAGE sql AS 'SELECT NULL::text'"
        )
        ahead.compare(own)
        assert ahead.compared
        assert "pg_catalog.pg_get_viewdef" in ahead.verdict(SOUND).findings[0].detail
        own.execute("ROLLBACK")
    untouched().close()


def test_those_that_fire_are_kept_for_the_next_run_if_all_of_them_do(
    database: StagingDatabase, tmp_path: Path
) -> None:
    def tried(rules: Sequence[Rule]) -> Sequence[str]:
        """One run: when each was shown."""
        recent = Recent(now=datetime.now(UTC), days=1)
        kept = KeptVerdicts(folder=tmp_path, key="of-these", recent=recent)
        empty = cache(lambda: connect(database.superuser_conninfo))
        ahead = TripwiresAhead(empty, rules, kept)
        ahead._thread.shutdown()  # what closes them early keeps nothing
        empty().close()
        return [ahead.verdict(rule).shown_at for rule in rules if rule != BROKEN]

    assert tried([SOUND, BROKEN]) == [""]
    assert tried([SOUND]) == [""]
    assert tried([SOUND]) != [""]


def test_a_database_that_cannot_be_had_is_said_where_it_is_asked_for() -> None:
    def none() -> LentConnection:
        raise ServerError("no room", why="the disk is full")

    with (
        closing(TripwiresAhead(none, [SOUND])) as ahead,
        pytest.raises(ServerError, match="no room"),
    ):
        ahead.verdict(SOUND)


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


def test_of_the_run_s_own_transaction_only_the_first_asks_anything(
    database: StagingDatabase,
) -> None:
    rules = [SOUND, RULES["rls-not-forced"]]
    steps = [_tripwire(rule) for rule in rules]
    contracts = SimpleNamespace(code_contracts={}, rules=rules)
    context: Any = SimpleNamespace(plan=SimpleNamespace(contracts=contracts, steps=steps))
    empty = cache(lambda: connect(database.superuser_conninfo))
    throwaway: Any = SimpleNamespace(kind="given", in_empty_database=empty, database=None)
    asked = list[str]()

    @contextmanager
    def connected(step: Step) -> Iterator[Connection]:
        asked.append(step.id)
        with connect(database.superuser_conninfo) as own:
            yield own

    checks = Checks(context, throwaway)
    with closing(checks):
        assert all(checks.judge(step, connected(step)).passed for step in steps)
    assert asked == [steps[0].id]
    empty().close()


def _tripwire(rule: Rule) -> Step:
    return Step(
        id=f"tripwire::{rule.id}",
        phase=Phase.TRIPWIRE,
        kind=Kind.TRIPWIRE,
        name=rule.id,
    )
