"""What a run has seen in production beside its schema: facts for the record and the reports."""

from __future__ import annotations

from dataclasses import dataclass

from pytest_housekeeping.config import Config
from pytest_housekeeping.postgres.relations_now import RelationNow


@dataclass(frozen=True, kw_only=True, slots=True)
class AppliedNow:
    """A file that stands: when it was applied, as which role, by which run, of which commit."""

    path: str
    kind: str
    run: str
    commit: str
    at: str
    by: str


@dataclass(frozen=True, kw_only=True, slots=True)
class WayBack:
    """How a pending migration can be undone: ``how`` is proved, unproved, none or irreversible."""

    path: str
    how: str
    said: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ProductionNow:
    """What is in the relations that a batch touches, written to for ``looked_s`` seconds; what is
    applied; the way back; the schema that a promotion has to accept as ``drift``; and the word that
    one is confirmed with. ``begins`` is the option of what the target comes after, and of what that
    does: a promotion begins there."""

    looked_s: float = 0.0
    relations: tuple[RelationNow, ...] = ()
    applied: tuple[AppliedNow, ...] = ()
    way_back: tuple[WayBack, ...] = ()
    drift: str = ""
    confirm: str = "PROMOTE"
    begins: str = ""


def promoted_first(config: Config) -> ProductionNow:
    """What staging knows of production: where what it has proved goes first, and by which word."""
    first = config.first_in_row
    begins = "" if first is config.target else first.everywhere.strip()
    return ProductionNow(confirm=first.confirm, begins=begins)
