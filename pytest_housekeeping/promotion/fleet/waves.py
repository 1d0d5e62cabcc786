"""Which databases go first: canaries, then ever more of the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from math import ceil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_housekeeping.promotion.fleet.survey import Survey

CANARY, WATCH = "canary", "verify"


@dataclass(frozen=True, kw_only=True, slots=True)
class Wave:
    """The names of databases that are begun when those of the wave before have ended."""

    name: str
    databases: tuple[str, ...]


def waves_of(groups: Sequence[Sequence[str]], canary: int, shares: Sequence[int]) -> list[Wave]:
    """The waves in order. Each group in turn gives one, so that the first ones are of all of them;
    ``shares`` are per cent of all that are in when a wave has ended, canaries among them."""
    order = [each for each in chain.from_iterable(zip_longest(*groups)) if each is not None]
    found = [Wave(name=CANARY, databases=tuple(order[:canary]))]
    done = canary
    for number, share in enumerate(shares, start=1):
        upto = max(done, ceil(len(order) * share / 100))
        found.append(Wave(name=f"wave-{number}", databases=tuple(order[done:upto])))
        done = upto
    return [wave for wave in found if wave.databases]


def budget_of(failures: int, shard: str) -> int:
    """How many databases of a share (``3/10``) may fail: all shares together have ``failures``."""
    number, divided, shares = shard.partition("/")
    if not divided:
        return failures
    return failures * int(number) // int(shares) - failures * (int(number) - 1) // int(shares)


def watch_of(found: Survey) -> Wave:
    """All that were looked for, the first of each group before the others of any."""
    first = [group.names[0] for group in found.groups]
    others = [each.database.name for each in found.seen if each.database.name not in first]
    return Wave(name=WATCH, databases=(*first, *others))
