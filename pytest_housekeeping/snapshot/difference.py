"""What differs between two fingerprints, object by object."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from pytest_housekeeping.snapshot.fingerprint import Fingerprint, SchemaObject


class Change(StrEnum):
    """What became of an object."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """One object that differs; ``name`` holds its kind: ``column shop.orders.total``."""

    name: str
    change: Change
    before: str = ""
    after: str = ""

    @property
    def lines(self) -> tuple[str, ...]:
        """The lines that went (``- ``) and came (``+ ``)."""
        found = difflib.ndiff(self.before.splitlines(), self.after.splitlines())
        return tuple(line for line in found if line.startswith(("- ", "+ ")))

    def __str__(self) -> str:
        if self.change is not Change.CHANGED:
            return f"{self.change} {self.name}"
        return "\n    ".join((f"{self.change} {self.name}", *self.lines))


def diff(before: Fingerprint, after: Fingerprint) -> tuple[Difference, ...]:
    """The objects that differ, sorted by name; none when the digests are equal.

    What came or went with the object that it belongs to is not told again: of a table that was
    dropped, neither the columns nor the indexes.
    """
    old, new = _by_name(before), _by_name(after)
    removed, added = old.keys() - new.keys(), new.keys() - old.keys()
    found = [
        *(
            Difference(name=name, change=Change.REMOVED, before=old[name].text)
            for name in _without_parts(removed, old)
        ),
        *(
            Difference(name=name, change=Change.ADDED, after=new[name].text)
            for name in _without_parts(added, new)
        ),
        *(
            Difference(
                name=name, change=Change.CHANGED, before=old[name].text, after=new[name].text
            )
            for name in old.keys() & new.keys()
            if old[name].text != new[name].text
        ),
    ]
    return tuple(sorted(found, key=lambda each: (each.name, each.change)))


def _by_name(fingerprint: Fingerprint) -> dict[str, SchemaObject]:
    return {entry.name: entry for entry in fingerprint.entries}


def _without_parts(names: set[str], entries: dict[str, SchemaObject]) -> Iterable[str]:
    """Those that do not belong to an object which is among them."""
    return (name for name in names if entries[name].parent not in names)
