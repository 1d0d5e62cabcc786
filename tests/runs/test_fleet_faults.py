"""A fleet whose processes are all killed, at any moment: taken up again, never twice, never half.

``HK_FAULTS`` is the number of kills, or ``all``: fifty. Without it a few are tried.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from support.fleet_campaign import SETTINGS, FleetCampaign, FleetFigures
from support.fleet_project import NAMES, fleet_of
from support.forked_runs import ForkedRuns
from support.production_project import Rehearsal

FAULTS = os.environ.get("HK_FAULTS", "")
SEED = int(os.environ.get("HK_FAULTS_SEED", "18"))


@pytest.mark.parametrize(
    "kills",
    [
        3,
        pytest.param(
            int(FAULTS) if FAULTS.isdecimal() else 50,
            marks=pytest.mark.skipif(not FAULTS, reason="tox -e faults kills fifty times"),
        ),
    ],
    ids=["few", "many"],
)
def test_a_killed_fleet_goes_on_where_it_stopped(
    rehearsed: Rehearsal,
    runs: ForkedRuns,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
    kills: int,
) -> None:
    figures = FleetFigures()
    names = NAMES[:3] if FAULTS else NAMES[:2]
    with fleet_of(rehearsed, tmp_path, names) as fleet:
        fleet.change({"pyproject.toml": SETTINGS})
        campaign = FleetCampaign(
            fleet=fleet, names=names, runs=runs, random=Random(SEED), figures=figures
        )
        campaign.go(kills)
    record_property("faults", json.dumps(vars(figures)))
    assert figures.troubles == []
    assert figures.killed == kills
