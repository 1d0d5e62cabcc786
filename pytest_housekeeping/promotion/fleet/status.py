"""``status --hk-fleet``: what the databases of a fleet have, two lines a group."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from pytest_housekeeping.declarations.fleets import chosen_fleet
from pytest_housekeeping.declarations.settings import load_config
from pytest_housekeeping.promotion.fleet.survey import Survey, survey, told_of


@dataclass(frozen=True, kw_only=True)
class FleetStatus:
    """What the command prints, and whether all is well."""

    lines: tuple[str, ...]
    good: bool


def fleet_status(root: Path, name: str) -> FleetStatus:
    """Look at all databases of a fleet. Nothing is written anywhere.

    Raises MisuseError for a fleet or a list that cannot be used.
    """
    base = load_config(root)
    fleet = chosen_fleet(base.fleets, name)
    config = replace(load_config(root, target=f"{name}/any"), audit=base.audit)
    found = survey(config, fleet)
    return FleetStatus(lines=tuple(told_of(found)), good=not any(_open(found)))


def _open(found: Survey) -> Iterator[object]:
    """What somebody has to do something about: pending files are the next promotion's."""
    yield from (*found.away, *found.wrong)
