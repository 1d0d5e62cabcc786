"""A fingerprint as the text that a promotion leaves on record."""

from __future__ import annotations

import json
from typing import Any

from pytest_housekeeping.snapshot.coverage import VERSION
from pytest_housekeeping.snapshot.fingerprint import Fingerprint, SchemaObject
from pytest_housekeeping.snapshot.problems import SnapshotError


def to_json(fingerprint: Fingerprint) -> str:
    """A stable text: one line an object, so that git shows what changed."""
    lines = [
        json.dumps([e.name, e.parent, e.text, *([e.parts] if e.parts else [])], ensure_ascii=False)
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
    """What `to_json` wrote. Raises SnapshotError when it was changed or is of another format."""
    try:
        known: Any = json.loads(text)
        if known["format"] not in range(1, VERSION + 1):
            raise ValueError(f"format {known['format']}")
        fingerprint = Fingerprint(
            entries=tuple(
                SchemaObject(name=name, parent=parent, text=text, parts="".join(parts))
                for name, parent, text, *parts in known["objects"]
            ),
            version=int(known["format"]),
            server_major=int(known["server_major"]),
            superuser=str(known["superuser"]),
            excluded=tuple(known["excluded"]),
        )
        whole = known["digest"] == fingerprint.digest
    except (KeyError, TypeError, ValueError) as error:
        raise SnapshotError(
            f"this is no fingerprint that can be read: {error}",
            why="the schema cannot be compared with it",
            fix="restore the file from git",
        ) from None
    if not whole:
        raise SnapshotError(
            "the recorded fingerprint does not add up to its digest",
            why="somebody has changed the record of the schema",
            fix="restore the file from git",
        )
    return fingerprint
