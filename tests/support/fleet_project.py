"""A fleet to break: databases under one name, and a run on all of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from support.more_databases import beside, variables
from support.production_project import Production, Rehearsal
from support.staging_project import Run

FLEET = """[tool.housekeeping]
lint = false
[tool.housekeeping.fleet.tenants]
databases = "tenants.txt"
waves = [50, 100]
"""
NAMES = ("t1", "t2", "t3", "t4")


@contextmanager
def fleet_of(
    rehearsed: Rehearsal, place: Path, names: Sequence[str] = NAMES
) -> Iterator[Production]:
    """Databases to which nothing was promoted; the settings are not committed yet.

    There is no code of the project, so that the runs go on behind one collection.
    """
    made = rehearsed.fresh(place, first=True)
    listed = "".join(f"{name}\n" for name in names)
    files = {"pyproject.toml": FLEET, "tenants.txt": listed, "checks/test_desk.py": None}
    made.project.write(files)
    with beside(made, names):
        yield made


def run(fleet: Production, *arguments: str, mode: str = "prod", **changed: str) -> Run:
    # The runs of the databases find the plugin that watches for what is left behind.
    ways = variables(fleet, "TENANTS") | {"PYTHONPATH": fleet.environment()["PYTHONPATH"]}
    confirm = "PROMOTE" if mode == "prod" else None
    return fleet.promote(
        "--hk-fleet=tenants", "-v", *arguments, mode=mode, confirm=confirm, **ways | changed
    )


def outcomes(done: Run) -> dict[str, str]:
    """Of each item, as pytest prints it, and as pytest-xdist does."""
    alone = r"^tenants::(\S+) (PASSED|FAILED|SKIPPED)"
    found = dict(re.findall(alone, done.output, re.MULTILINE))
    beside = r"^\[gw\d+\] .*(PASSED|FAILED|SKIPPED) tenants::(\S+)"
    spread = re.findall(beside, done.output, re.MULTILINE)
    return found | {name: outcome for outcome, name in spread}
