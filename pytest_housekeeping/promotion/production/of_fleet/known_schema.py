"""A schema as the look at a fleet has read it: read again of it is only what has changed since."""

from __future__ import annotations

import pickle
import zlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pytest_housekeeping.model import TargetIdentity
from pytest_housekeeping.promotion.production.of_fleet.handed import handed
from pytest_housekeeping.snapshot.reading_again.incremental import Reading
from pytest_housekeeping.whole_file import put_whole


@dataclass(frozen=True, kw_only=True)
class KnownSchema:
    """``reading`` is of `EVERYTHING` of the database that ``identity`` names."""

    reading: Reading
    identity: TargetIdentity

    def keep(self, place: Path) -> None:
        """Where there is no room for it, all is read again."""
        with suppress(OSError):
            put_whole(place, zlib.compress(pickle.dumps(self), 1))


def known_reading(identity: TargetIdentity) -> Reading | None:
    """What the fleet has read of this database, if this run is one of a fleet.

    None where the timeline is not told, or is another one: what a copy of a server writes next may
    look like what the server itself has written.
    """
    given = handed()
    if given is None or given.reading is None or not given.reading.exists():
        return None
    # By the fleet, in a folder that is the owner's alone.
    found = pickle.loads(zlib.decompress(given.reading.read_bytes()))  # noqa: S301
    if not isinstance(found, KnownSchema) or identity.timeline is None:
        return None
    return found.reading if found.identity == identity else None
