"""What a fleet hands to the run of one of its databases, in the process that it was forked for.

It never comes from the environment or the command line: a proof that anybody could hand in would
be none.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pytest_housekeeping.config import Target
from pytest_housekeeping.postgres.connection import LentConnection
from pytest_housekeeping.whole_file import put_whole

_HANDED: list[Handed] = []


@dataclass(frozen=True, kw_only=True)
class Handed:
    """The ``target`` as the list of databases has it. The run of a plan writes what it has shown
    into ``keep``; a promotion is made by the ``proof`` of its group. Evidence is not committed by
    the run: what there is goes into ``back``, and the fleet commits all of it at once.

    In ``reading`` is the schema as it was read when the fleet was looked at; ``connection`` is the
    one that has shown that the database is there."""

    target: Target
    keep: Path | None = None
    proof: Path | None = None
    back: Path | None = None
    reading: Path | None = None
    connection: LentConnection | None = field(default=None, repr=False)


@dataclass(frozen=True, kw_only=True)
class HandedBack:
    """The run of one database: how it ended and what it says of it, its audit, and the files of its
    evidence by their paths from the root of the project: those that lie there as git will call
    their contents, and the contents of those that are for a commit alone."""

    run: str
    outcome: str
    told: str
    plan: str
    digest: str
    audit: str
    files: Mapping[str, str]
    contents: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Away:
    """There is no run: the database could not be reached, and ``detail`` says why."""

    detail: str


def hand(what: Handed) -> None:
    """For the one run that this process is for."""
    _HANDED[:] = [what]


def handed() -> Handed | None:
    """What this process was handed; None in any other."""
    return _HANDED[0] if _HANDED else None


def shown_connection() -> LentConnection | None:
    """The one that was made before there was a run, if it still stands."""
    given = handed()
    found = given.connection if given is not None else None
    return found if found is not None and not found.closed else None


def hand_back(what: HandedBack | Away) -> None:
    """Give the fleet what there is of a run, all or nothing of it. Nothing where this is none of a
    fleet. Raises OSError."""
    given = handed()
    if given is not None and given.back is not None:
        put_whole(given.back, pickle.dumps(what))


def handed_back(path: Path) -> HandedBack | Away | None:
    """What a run has given; None where it has come to no evidence."""
    if not path.exists():
        return None
    found = pickle.loads(path.read_bytes())  # noqa: S301 - written by a fork of this very run
    return found if isinstance(found, HandedBack | Away) else None
