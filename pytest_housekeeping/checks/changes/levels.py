"""How grave a finding is: by what it does to others, and by size and traffic of the table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum

from pytest_housekeeping.checks.changes.rule import Harm
from pytest_housekeeping.config import Config
from pytest_housekeeping.model import Level
from pytest_housekeeping.postgres.relations_now import RelationNow

_MB = 1024 * 1024


class Weight(IntEnum):
    """How much a table is to others. ``SMALL`` has little in it and is hardly written to;
    ``HEAVY`` is large or hot, ``BOTH`` large and hot."""

    SMALL = 0
    USUAL = 1
    HEAVY = 2
    BOTH = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Thresholds:
    """What is small, large and hot, as ``[tool.housekeeping]`` has it."""

    small_mb: float
    large_mb: float
    hot_writes: float

    @classmethod
    def of(cls, config: Config) -> Thresholds:
        return cls(
            small_mb=config.small_table_mb,
            large_mb=config.large_table_mb,
            hot_writes=config.hot_table_writes,
        )

    def weigh(self, now: RelationNow) -> Weight:
        """What is not known of a table counts as much."""
        small = now.size is not None and now.size <= self.small_mb * _MB
        large = now.size is None or now.size > self.large_mb * _MB
        hot = now.writes_per_s is None or now.writes_per_s >= self.hot_writes
        if large and hot:
            return Weight.BOTH
        if small:
            return Weight.USUAL if hot else Weight.SMALL
        return Weight.HEAVY if large or hot else Weight.USUAL

    def slow(self, relations: Iterable[RelationNow]) -> frozenset[str]:
        """Those that are not read in a moment."""
        limit = self.small_mb * _MB
        return frozenset(e.relation for e in relations if e.size is None or e.size > limit)


def heaviest(weights: Iterable[Weight]) -> Weight:
    """The weight of several tables of which one waits for the other."""
    return max(weights, default=Weight.SMALL)


# By weight, from SMALL to BOTH.
_BY_WEIGHT: Mapping[Harm, tuple[Level, Level, Level, Level]] = {
    Harm.EVERYBODY_WAITS: (Level.NOTICE, Level.WARNING, Level.ERROR, Level.ERROR),
    Harm.WRITERS_WAIT: (Level.NOTICE, Level.WARNING, Level.WARNING, Level.ERROR),
    Harm.SLOWS: (Level.NOTICE, Level.WARNING, Level.WARNING, Level.WARNING),
    Harm.CLIENTS: (Level.WARNING,) * 4,
    Harm.DATA: (Level.ERROR,) * 4,
    Harm.STOPS: (Level.ERROR,) * 4,
    Harm.NOTE: (Level.NOTICE,) * 4,
}


def level_of(harm: Harm, weight: Weight) -> Level:
    """The level of what does this to a table of this weight."""
    return _BY_WEIGHT[harm][weight]
