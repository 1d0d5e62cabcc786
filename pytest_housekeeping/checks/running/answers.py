"""A question to the server, and what it says: prepared or refused, planned, and what it writes."""

from __future__ import annotations

from dataclasses import dataclass

from pytest_housekeeping.model import Level


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """One statement. ``types``: the OIDs of its parameters, as far as they are known, 0 for what
    the server infers. ``by_position``: columns are taken by their number, so any change counts."""

    text: str
    types: tuple[int, ...] = ()
    by_position: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Refusal:
    """Why the server refused. ``position`` counts characters from 1; 0: it did not tell."""

    sqlstate: str
    message: str
    position: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class NullWrite:
    """A NOT NULL column to which a statement gives nothing. ``by_trigger``: a BEFORE trigger of the
    table may fill it in."""

    table: str
    column: str
    by_trigger: bool = False

    @property
    def level(self) -> Level:
        return Level.WARNING if self.by_trigger else Level.ERROR


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What the server says of one question.

    ``refused``: it cannot be prepared. ``unplanned``: it can, and could not be executed: a missing
    privilege, an ON CONFLICT without its index. ``parameters`` and ``columns`` are what it takes
    and gives back, as a client sees it; ``types`` their OIDs, which tell apart what is called
    alike.
    """

    refused: Refusal | None = None
    unplanned: Refusal | None = None
    parameters: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    types: tuple[int, ...] = ()
    nulls: frozenset[NullWrite] = frozenset()
