"""The evidence that runs of a fleet have handed back, given to git: all of it by one program."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pytest_housekeeping.errors import named
from pytest_housekeeping.evidence import Repository
from pytest_housekeeping.promotion.production.of_fleet.handed import HandedBack


@dataclass(frozen=True, kw_only=True)
class Stored:
    """The databases whose evidence git has, with what was handed back of each; and what to tell of
    the others."""

    backs: Mapping[str, HandedBack]
    told: tuple[str, ...]


def store_evidence(repository: Repository, root: Path, backs: Mapping[str, HandedBack]) -> Stored:
    """Give git the files of each database, which it must call as the run has.

    Where a file is gone or altered, none of that database is committed: its journal stays, and the
    next run of the fleet puts on record what is left. Raises EvidenceError where git takes none.
    """
    paths = list({path: None for back in backs.values() for path in back.files})
    there = [path for path in paths if (root / path).is_file()]
    oids = dict(zip(there, repository.store([root / path for path in there]), strict=True))
    altered = {
        name: [path for path, oid in back.files.items() if oids.get(path) != oid]
        for name, back in backs.items()
    }
    return Stored(
        backs={name: back for name, back in backs.items() if not altered[name]},
        told=tuple(
            f"NOT COMMITTED: the evidence of {name}: {named(lost)} is not as its run has written it"
            for name, lost in altered.items()
            if lost
        ),
    )
