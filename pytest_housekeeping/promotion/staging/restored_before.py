"""The last result that was restored lately, of which a later one need restore but what is other.

What a rehearsal does with its copy (`snapshot.copies.changed_part`), with the dump of an earlier
run in the place of the copy's. A part has no rows: where a table that it has holds some, all of the
result is restored.
"""

from __future__ import annotations

import base64
import re
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path

from pytest_housekeeping.checks.json_cache import read_entries, write_entries
from pytest_housekeeping.promotion.kept_verdicts import Recent, moment_of, to_the_minute
from pytest_housekeeping.server import Server
from pytest_housekeeping.snapshot.copies.changed_part import changed_part
from pytest_housekeeping.snapshot.copies.proof import BackupProof, prove_part_beside
from pytest_housekeeping.snapshot.copies.restore import restored_beside
from pytest_housekeeping.snapshot.coverage import Around
from pytest_housekeeping.snapshot.fingerprint import Fingerprint, SchemaObject
from pytest_housekeeping.snapshot.fingerprint_record import SchemaRecord, from_record
from pytest_housekeeping.snapshot.problems import BackupNotProved, SnapshotError

# What is smaller is restored in less time than it takes to keep it.
WORTH_KEEPING = 200_000
_OPENING = rb"^--\n-- (?:Data for )?Name: [^\n]*; Type: %b; Schema: [^\n]*\n--\n\n"
_DATA = re.compile(
    rb"(%bCOPY [^\n]* FROM stdin;\n)((?:.*\n)*?)\\\.\n+" % (_OPENING % b"TABLE DATA"), re.MULTILINE
)
_POSITION = re.compile(
    rb"%bSELECT pg_catalog\.setval\([^\n]*\);\n+" % (_OPENING % b"SEQUENCE SET"), re.MULTILINE
)
_ROWS = re.compile(
    rb"^-- Data for Name: ([^\n]*); Type: TABLE DATA; Schema: ([^\n;]*); [^\n]*\n--\n\nCOPY ",
    re.MULTILINE,
)
_TABLE = re.compile(rb"^-- Name: ([^\n]*); Type: TABLE; Schema: ([^\n;]*);", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Restored:
    """A dump that was restored, its schema, and since when all of that was shown."""

    dump: bytes
    schema: Fingerprint
    since: str

    def proves(self, server: Server, dump: bytes, expected: Fingerprint) -> BackupProof | None:
        """That another dump restores, by the part in which it is another; None where that does not
        show it, and all of it has to be restored."""
        if [*_around(self.schema)] != [*_around(expected)]:
            return None
        text = _without_rows(dump)
        part = changed_part(self.dump, text)
        if part is None or {*_ROWS.findall(text)} & {*_TABLE.findall(part.text)}:
            return None
        major = expected.server_major
        with suppress(BackupNotProved), restored_beside(server, major, part.text, expected) as copy:
            return prove_part_beside(copy, part, self.schema, expected)
        return None


@dataclass(frozen=True, kw_only=True)
class RestoredBefore:
    """Where it is kept; ``key`` is the digest of all but the result that its proof depends on."""

    folder: Path
    key: str
    recent: Recent

    def read(self) -> Restored | None:
        """None where nothing is kept, or what is has another form or is too old."""
        with suppress(KeyError, TypeError, ValueError, zlib.error, SnapshotError):
            entry = read_entries(self._file)[self.key]
            if self.recent.holds(moment_of(entry["since"])):
                return Restored(
                    dump=zlib.decompress(base64.b64decode(entry["dump"])),
                    schema=from_record(entry["schema"]),
                    since=str(entry["since"]),
                )
        return None

    def keep(self, dump: bytes, schema: Fingerprint, since: str | datetime) -> None:
        """Keep a result that was restored without a limit of the proof, if that is worth it."""
        if len(dump) < WORTH_KEEPING:
            return
        packed = base64.b64encode(zlib.compress(_without_rows(dump), 1)).decode()
        said = since if isinstance(since, str) else to_the_minute(since)
        entry = {"since": said, "dump": packed, "schema": SchemaRecord(fingerprint=schema).packed}
        write_entries(self._file, {}, {self.key: entry})

    @property
    def _file(self) -> Path:
        return self.folder / f"{self.key}.json"


def _without_rows(dump: bytes) -> bytes:
    """The dump without where sequences stand and without data, but for the digest of what rows a
    table has: a part has none of it."""

    def told(data: re.Match[bytes]) -> bytes:
        rows = sha256(data[2]).hexdigest().encode()
        return b"%b%b\n\\.\n\n" % (data[1], rows) if data[2] else b""

    return _POSITION.sub(b"", _DATA.sub(told, dump))


def _around(schema: Fingerprint) -> Iterator[SchemaObject]:
    """What no dump of the database holds: roles, their settings, the database itself."""
    dumped = {each.name for each in schema.with_no_more(Around.NOTHING).without("database").entries}
    return (each for each in schema.entries if each.name not in dumped)
