"""What the first databases of a fleet hand on to those behind them, in the fleet's own folder.

It saves work and proves nothing: where it is not there, a run does the work itself.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

from pytest_housekeeping.promotion.production.of_fleet.handed import handed
from pytest_housekeeping.snapshot.catalog.statements import ReadAgain


def dump_for_all(before: bytes, after: str, dump: Callable[[], bytes]) -> bytes:
    """The dump of the schema that is known to its group by the digest ``after``: taken once of all
    that had the very same dump ``before``."""
    key = f"after-{sha256(before).hexdigest()}-{after}" if before and after else ""
    known = _kept(key)
    if known is None:
        known = dump()
        _keep(key, known)
    return known


def read_again_by(plan: str) -> ReadAgain | None:
    """What is read again after the batch of a plan, if that is known."""
    known = _kept(f"again-{plan}")
    if known is None:
        return None
    catalogs, there = map(frozenset, json.loads(known))
    return ReadAgain(catalogs=catalogs, there=there)


def hand_on_read_again(plan: str, known: ReadAgain) -> None:
    """What the batch of a plan made this run read again."""
    if _kept(key := f"again-{plan}") is None:
        _keep(key, json.dumps([sorted(known.catalogs), sorted(known.there)]).encode())


def _place(key: str) -> Path | None:
    given = handed()
    return given.proof.parent / f"{key}.known" if key and given and given.proof else None


def _kept(key: str) -> bytes | None:
    place = _place(key)
    return place.read_bytes() if place is not None and place.exists() else None


def _keep(key: str, content: bytes) -> None:
    """All at once: others look for it."""
    if (place := _place(key)) is not None:
        half = place.with_suffix(f".{os.getpid()}")
        half.write_bytes(content)
        half.replace(place)
