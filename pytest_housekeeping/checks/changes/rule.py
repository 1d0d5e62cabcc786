"""A rule on what a batch changes: what it is called, what it says, and the function that judges."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_housekeeping.checks.changes.subject import Subject


class Harm(StrEnum):
    """What a change does to others, and so how grave it is; ``levels.level_of`` has the table."""

    EVERYBODY_WAITS = "readers and writers wait"
    WRITERS_WAIT = "writers wait"
    SLOWS = "it costs more than it has to"
    CLIENTS = "running clients break"
    DATA = "data are gone"
    STOPS = "writing stops"
    NOTE = "to be known"


@dataclass(frozen=True, kw_only=True, slots=True)
class Hit:
    """One place where a rule fires: the object as one would type it, and what was found there.

    ``relations`` are those whose size and traffic count, by their names before the segment, the
    one that is changed first. ``step`` did it, as far as that is known; ``harm`` is another one
    than the rule's. ``values`` go into the fix.
    """

    object: str
    said: str
    relations: tuple[str, ...] = ()
    step: str = ""
    harm: Harm | None = None
    values: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class ChangeRule:
    """One rule. ``bad`` and ``good`` are what a batch of these files does to the tables of the
    examples; a file may begin with a header. ``known_as`` is what others call it. One that is
    ``of_partition`` is about the partition itself; what others find of each is told of the whole.

    The fix may name ``{object}``, ``{table}`` and whatever a hit has values for.
    """

    id: str
    title: str
    harm: Harm
    condition: str
    effect: str
    fix: str
    page: str
    bad: tuple[str, ...]
    good: tuple[str, ...]
    judge: Callable[[Subject], Iterator[Hit]]
    known_as: tuple[str, ...] = ()
    of_partition: bool = False
