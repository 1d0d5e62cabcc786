"""The process that forks the runs of a fleet: what runs in it leaves nothing behind."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from pytest_housekeeping.config import Config, Target
from pytest_housekeeping.plugin.fleet.items import told_of
from pytest_housekeeping.plugin.fleet.runs import Ended, Runs
from pytest_housekeeping.promotion.production.of_fleet.handed import Handed, HandedBack

RUNS, MOST_KB = 8, 256


def test_it_does_not_grow(tmp_path: Path) -> None:
    """Each fork begins with what it holds, so that is what a large fleet would see."""
    given = Handed(target=Target(name="tenants/acme", env="TENANTS"))
    words = ("--hk-mode=verify", "-p", "no:cacheprovider", "-p", "no:xdist")
    with Runs(Config(root=tmp_path), words, major=16, audits=(), shared=tmp_path) as runs:
        sizes = []
        for _ in range(RUNS):
            ended = runs.run(given)
            assert ended.code == 4, ended.output  # there is no such fleet
            status = Path(f"/proc/{runs._process.pid}/status").read_text(encoding="utf-8")
            sizes += [
                int(found) for found in re.findall(r"^VmRSS:\s+(\d+) kB", status, re.MULTILINE)
            ]
    assert sizes[-1] - sizes[1] < MOST_KB, sizes


def test_a_run_that_fails_though_it_went_well_says_why() -> None:
    """A plugin of the project's, say, that fails behind COMMIT."""
    promoted = HandedBack(
        run="1", outcome="promoted", told="Promoted", plan="", digest="", audit="", files={}
    )
    refused = replace(promoted, outcome="refused", told="Refused: the lock")
    ended = Ended(code=1, output="what the plugin prints")
    assert told_of(ended, promoted).endswith("exit code 1:\nwhat the plugin prints")
    assert told_of(Ended(code=0, output="all of it"), promoted) == "Promoted"
    assert told_of(ended, refused) == "Refused: the lock"
    assert told_of(ended, None) == "what the plugin prints"
