"""A fingerprint as the text that a promotion leaves on record."""

from __future__ import annotations

import base64
import json
import zlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pytest_housekeeping.snapshot.coverage import VERSION
from pytest_housekeeping.snapshot.fingerprint import Fingerprint, SchemaObject, in_order
from pytest_housekeeping.snapshot.problems import SnapshotError

# What is packed begins with it, and no JSON does.
_PACKED = "zlib:"
_FAST = 1


@dataclass(frozen=True, kw_only=True)
class SchemaRecord:
    """A fingerprint as a database keeps it; ``read_by_nobody`` where none goes on from there."""

    fingerprint: Fingerprint
    read_by_nobody: bool = False

    @cached_property
    def packed(self) -> str:
        """Its text, packed, for it is a few megabytes: made when it is first asked for."""
        if self.read_by_nobody:
            return ""
        data = zlib.compress(to_json(self.fingerprint).encode(), _FAST)
        return _PACKED + base64.b64encode(data).decode()

    def make_ready(self, *, packed: bool) -> None:
        """Work out what somebody would wait for later."""
        _ = self.fingerprint.digest, self.packed if packed else ""


def from_record(text: str) -> Fingerprint:
    """What was kept, packed or as an earlier version kept it. Raises SnapshotError as `from_json`
    does."""
    if not text.startswith(_PACKED):
        return from_json(text)
    try:
        data = zlib.decompress(base64.b64decode(text.removeprefix(_PACKED), validate=True))
        return from_json(data.decode())
    except (ValueError, zlib.error) as error:
        raise _unreadable(error) from None


def to_json(fingerprint: Fingerprint) -> str:
    """A stable text: one line an object, so that git shows what changed."""
    quoted = json.encoder.encode_basestring
    lines = [
        f"[{', '.join(map(quoted, (e.name, e.parent, e.text, *([e.parts] if e.parts else ()))))}]"
        for e in fingerprint.entries
    ]
    head = {
        "format": fingerprint.version,
        "digest": fingerprint.digest,
        "server_major": fingerprint.server_major,
        "superuser": fingerprint.superuser,
        "excluded": list(fingerprint.excluded),
    }
    fields = "".join(f"{json.dumps(k)}: {json.dumps(v)},\n" for k, v in head.items())
    return "{\n" + fields + '"objects": [\n' + ",\n".join(lines) + "\n]\n}\n"


def from_json(text: str) -> Fingerprint:
    """What `to_json` wrote. Raises SnapshotError when it was changed, and for what a newer version
    of the tool wrote."""
    try:
        known: Any = json.loads(text)
        version = int(known["format"])
        if version > VERSION:
            raise _newer(version)
        if version < 1:
            raise ValueError(f"format {version}")
        fingerprint = Fingerprint(
            entries=in_order(
                SchemaObject(name=name, parent=parent, text=text, parts="".join(parts))
                for name, parent, text, *parts in known["objects"]
            ),
            version=version,
            server_major=int(known["server_major"]),
            superuser=str(known["superuser"]),
            excluded=tuple(known["excluded"]),
        )
        whole = known["digest"] == fingerprint.digest
    except (KeyError, TypeError, ValueError) as error:
        raise _unreadable(error) from None
    if not whole:
        raise SnapshotError(
            "the recorded fingerprint does not add up to its digest",
            why="somebody has changed the record of the schema",
            fix="restore the file from git",
        )
    return fingerprint


def _newer(version: int) -> SnapshotError:
    return SnapshotError(
        f"the fingerprint on record is of format {version}, and this version of pytest-housekeeping"
        f" reads those up to {VERSION}: a newer one has written it",
        why="what that one has read of the schema, this one does not know how to read",
        fix="install the version that has promoted last, as requirements-housekeeping.txt of its"
        " commit has it",
    )


def _unreadable(error: Exception) -> SnapshotError:
    return SnapshotError(
        f"this is no fingerprint that can be read: {error}",
        why="the schema cannot be compared with it",
        fix="restore the file from git",
    )
