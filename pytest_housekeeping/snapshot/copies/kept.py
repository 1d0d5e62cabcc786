"""A restored backup, kept as a ready data folder, and begun with where the same is to be restored.

Two dumps of one database are byte by byte equal, so their digest is a key that holds whatever a
fingerprint lacks. What is kept is a copy like any other: whoever uses it compares it as well.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256

from pytest_housekeeping.postgres.connection import Connection, connect
from pytest_housekeeping.server import Begun, Server, StagingDatabase, family_is_kept
from pytest_housekeeping.snapshot.copies.foreseen import ForeseenCopy, copy_conninfo, read_copy
from pytest_housekeeping.snapshot.copies.server import RESTORER, RestoreServer
from pytest_housekeeping.snapshot.fingerprint import Fingerprint
from pytest_housekeeping.snapshot.reading_again.incremental import Reading

# Bytes of a schema (about a hundred tables): to stop the server, pack its folder and start it again
# costs as much as to restore less.
WORTH_KEEPING = 150_000
_FAMILY = "copy"


@dataclass(frozen=True, kw_only=True)
class CopyKey:
    """All that makes a copy what it is: the texts that are restored, and what they do not hold."""

    schema: bytes
    roles: bytes
    around: bytes
    name: str
    expected: Fingerprint

    @property
    def digest(self) -> str:
        """The key; the tool, the server's build and its settings are added where it is kept."""
        known = self.expected
        facts = [RESTORER, self.name, known.superuser, known.excluded, known.digest]
        texts = [sha256(text).hexdigest() for text in (self.schema, self.roles, self.around)]
        return f"{_FAMILY}-{sha256(json.dumps([facts, texts]).encode()).hexdigest()}"

    @property
    def worth_keeping(self) -> bool:
        # A server knows itself by template1.
        return len(self.schema) >= WORTH_KEEPING and self.name != "template1"


@dataclass(frozen=True, kw_only=True)
class KeptCopy:
    """A copy that an earlier run has restored: its database, what stood in for collations, and the
    ``reading`` of all of it that was just made."""

    server: Server
    database: StagingDatabase
    conninfo: str = field(repr=False)
    stand_ins: tuple[str, ...]
    reading: Reading

    @contextmanager
    def connected(self) -> Iterator[Connection]:
        """A session in it; the database is dropped afterwards."""
        try:
            with connect(self.conninfo) as connection:
                yield connection
        finally:
            self.server.drop(self.database)


def begun_with(restore_server: RestoreServer, key: CopyKey) -> KeptCopy | None:
    """The copy of this key, where one is kept and is what was kept: the server is begun again with
    it, or has begun with it where that was foreseen. None where none is."""
    server, foreseen = restore_server.server, restore_server.foreseen
    begun = server.begun() if foreseen else Begun()
    # It is read while the server begins.
    found = foreseen if foreseen and foreseen.readings else None
    begun = begun if found else Begun()
    if found is None or begun.key != key.digest:
        found = ForeseenCopy(key=key.digest, major=restore_server.major)
        may_be_kept = key.worth_keeping and family_is_kept(key.digest)
        again = server.begin_again(found.beginning) if may_be_kept else Begun()
        if begun.key and not again.key:
            # What is restored now meets nothing of a copy of something else.
            server.begin_again()
        begun = again
    if not begun.key:
        return None
    database = server.database()
    return KeptCopy(
        server=server,
        database=database,
        conninfo=copy_conninfo(database, restore_server.major),
        stand_ins=tuple(json.loads(begun.about["stand_ins"])),
        reading=found.readings.pop(),
    )


def keep(
    restore_server: RestoreServer,
    key: CopyKey,
    database: StagingDatabase,
    conninfo: str,
    stand_ins: tuple[str, ...],
) -> Reading | None:
    """Keep a copy that has just been restored, where that is worth it. Nobody may be connected.

    That it cannot be kept costs the next run its time and this one nothing. Returns the reading of
    the copy, where it had to be read.
    """
    if not key.worth_keeping:
        return None
    reading = read_copy(conninfo)
    about = {
        "fingerprint": reading.fingerprint.digest,
        "stand_ins": json.dumps(stand_ins),
        "superuser": key.expected.superuser,
    }
    restore_server.server.keep(database, key.digest, about)
    return reading
