"""An object of a fingerprint with other names in it, each as a whole identifier."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from pytest_housekeeping.snapshot.fingerprint import SchemaObject

WORD = re.compile(r'"(?:[^"]|"")*"|[\w$-]+')
_GRANT = re.compile(r"grant .+ by .+")


def with_names(entry: SchemaObject, names: Mapping[str, str]) -> SchemaObject:
    """The same, called and told by the other names."""
    if not any(name in entry.name or name in entry.text for name in names):
        return entry

    def word(found: re.Match[str]) -> str:
        return names.get(found[0], found[0])

    lines = WORD.sub(word, entry.text).split("\n")
    # The grants are the last lines, sorted by what they say.
    at = len(lines)
    while at and _GRANT.fullmatch(lines[at - 1]):
        at -= 1
    text = "\n".join([*lines[:at], *sorted(lines[at:])])
    return replace(
        entry, name=WORD.sub(word, entry.name), parent=WORD.sub(word, entry.parent), text=text
    )
