"""Everything that can go wrong on the way to production, at every message: all, or nothing.

``HK_FAULTS=all`` (``tox -e faults``) strikes at every message in every way; a number strikes at so
many of them, evenly spread; ``behind``, at those from COMMIT on. Without it, a sample runs.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.fault_campaign import WAYS, Campaign, Figures, Whole, undisturbed
from support.fault_proxy import Fault
from support.forked_runs import ForkedRuns
from support.production_project import Rehearsal

SLICES = 40
CHAIN = 10
FAULTS = os.environ.get("HK_FAULTS", "")


@pytest.fixture(scope="session")
def whole(
    rehearsed: Rehearsal, runs: ForkedRuns, tmp_path_factory: pytest.TempPathFactory
) -> Whole:
    place = tmp_path_factory.mktemp("whole")
    return undisturbed(rehearsed, runs, place)


@pytest.fixture
def figures(record_property: Callable[[str, object], None]) -> Iterator[Figures]:
    made = Figures()
    yield made
    record_property("faults", json.dumps(vars(made)))


def test_what_is_planned_ahead_is_there_in_the_transaction(whole: Whole) -> None:
    """Nobody waits for PostgreSQL to read the statements of a fingerprint once more."""
    prepared = [at for at, each in enumerate(whole.messages, 1) if "PREPARE hk_" in each.text]
    assert prepared
    assert not [at for at in prepared if whole.begin < at < whole.commit]


@pytest.mark.parametrize("way", WAYS)
def test_a_fault_leaves_all_or_nothing(
    rehearsed: Rehearsal,
    runs: ForkedRuns,
    whole: Whole,
    figures: Figures,
    tmp_path: Path,
    way: str,
) -> None:
    """On the way to the batch or in it, when COMMIT is sent, and when it is answered."""
    commit = whole.commit
    halfway = whole.begin // 2 if list(WAYS).index(way) % 2 else (whole.begin + commit) // 2
    points = [halfway, commit, commit + 1]
    assert [str(whole.messages[at - 1]) for at in points[1:]] == [
        "2->Q 'COMMIT'",
        "2<-C 'COMMIT'",
    ]
    campaign = Campaign(rehearsed=rehearsed, runs=runs, whole=whole, place=tmp_path, chain=3)
    campaign.go([(at, way) for at in points], figures)
    assert figures.troubles == []
    assert (figures.tried, figures.not_reached) == (len(points), 0)


@pytest.mark.parametrize("way", ["before", "terminated", "killed", "interrupted"])
def test_a_fault_leaves_a_rollback_done_or_not_begun(
    rehearsed: Rehearsal,
    runs: ForkedRuns,
    undoing: Whole,
    figures: Figures,
    tmp_path: Path,
    way: str,
) -> None:
    """The same promise, in the other direction: the promotion is in place, or it is not."""
    commit = undoing.commit
    points = [(undoing.begin + commit) // 2, commit, commit + 1]
    campaign = Campaign(rehearsed=rehearsed, runs=runs, whole=undoing, place=tmp_path, chain=3)
    campaign.go([(at, way) for at in points], figures)
    assert figures.troubles == []
    assert (figures.tried, figures.not_reached) == (len(points), 0)


@pytest.mark.parametrize("journey", ["whole", "undoing"])
def test_an_attempt_that_is_interrupted_before_it_has_a_plan_is_on_record(
    request: pytest.FixtureRequest,
    rehearsed: Rehearsal,
    runs: ForkedRuns,
    tmp_path: Path,
    journey: str,
) -> None:
    whole: Whole = request.getfixturevalue(journey)
    production = rehearsed.fresh(tmp_path, stem=whole.stem)
    before = production.project.audits()
    campaign = Campaign(rehearsed=rehearsed, runs=runs, whole=whole, place=tmp_path, chain=1)
    ended, struck = campaign.strike(production, Fault(at=3, how="interrupt"))
    assert (struck, ended.code) == (True, 2), ended.output
    assert "interrupted before it had a plan: nothing was changed" in ended.output
    (path,) = set(production.project.audits()) - set(before)
    run = json.loads(path.read_bytes())["run"]
    assert (run["outcome"], run["mode"]) == ("refused", "rollback" if whole.undo else "prod")
    assert "interrupted" in run["message"]


def test_a_staging_run_leaves_a_killed_promotion_to_the_next_promotion(
    rehearsed: Rehearsal, runs: ForkedRuns, whole: Whole, tmp_path: Path
) -> None:
    """Only a run against the same server can ask it what became of the COMMIT."""
    production = rehearsed.fresh(tmp_path)
    campaign = Campaign(rehearsed=rehearsed, runs=runs, whole=whole, place=tmp_path, chain=1)
    campaign.strike(production, Fault(at=whole.commit, how="kill"))
    (journal,) = (production.root / "ops" / "audit").glob("*.journal.jsonl")
    assert production.stage().code == 0
    assert journal.exists()
    run = production.promote()
    assert (run.code, journal.exists()) == (0, False), run.output
    audit = json.loads((journal.parent / f"{journal.name.partition('.')[0]}.json").read_bytes())
    # Killed with its COMMIT, it cannot have looked behind it.
    is_in = audit["run"]["outcome"] == "promoted_unproved"
    assert is_in is (run.outcome == "nothing_to_promote")
    assert is_in or audit["run"]["outcome"] == "rolled_back"


@pytest.mark.skipif(not FAULTS, reason="HK_FAULTS is not set: tox -e faults runs all of it")
@pytest.mark.parametrize("number", range(SLICES))
@pytest.mark.parametrize("journey", ["whole", "undoing"])
def test_every_message(
    request: pytest.FixtureRequest,
    rehearsed: Rehearsal,
    runs: ForkedRuns,
    journey: str,
    figures: Figures,
    tmp_path: Path,
    number: int,
) -> None:
    whole: Whole = request.getfixturevalue(journey)
    first = whole.commit if FAULTS == "behind" else 1
    cases = [(at, way) for at in range(first, len(whole.messages) + 1) for way in WAYS]
    step = max(1.0, len(cases) / int(FAULTS)) if FAULTS.isdecimal() else 1.0
    chosen = [cases[int(place * step)] for place in range(int(len(cases) / step))]
    campaign = Campaign(rehearsed=rehearsed, runs=runs, whole=whole, place=tmp_path, chain=CHAIN)
    campaign.go(chosen[number::SLICES], figures)
    assert figures.troubles == []
