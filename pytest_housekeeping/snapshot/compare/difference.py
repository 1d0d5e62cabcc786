"""What differs between two fingerprints, object by object, before and after."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from pytest_housekeeping.snapshot.column_order import NAME as COLUMN_ORDER
from pytest_housekeeping.snapshot.column_order import same_order
from pytest_housekeeping.snapshot.compare.changed_lines import before_and_after, shortened
from pytest_housekeeping.snapshot.coverage import OF_THE_MAJOR, since
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
    def is_column_order(self) -> bool:
        """Whether the columns of a table are the same and stand in another order."""
        return self.name.startswith(COLUMN_ORDER)

    @property
    def lines(self) -> tuple[str, ...]:
        """The lines that went (``- ``) and came (``+ ``)."""
        found = difflib.ndiff(self.before.splitlines(), self.after.splitlines())
        return tuple(line for line in found if line.startswith(("- ", "+ ")))

    @property
    def told(self) -> str:
        """Before and after in a few words: ``not null → null``; of what came or went, what it is.

        Longer definitions follow in lines of their own, those that went and those that came.
        """
        if self.change is Change.CHANGED:
            return before_and_after(self.before, self.after)
        return shortened(self.before or self.after)

    def __str__(self) -> str:
        """``column shop.orders.total: not null → null``, or ``added table shop.new (owner: …)``."""
        if self.change is Change.CHANGED:
            return f"{self.name}: {self.told}"
        return f"{self.change} {self.name}" + (f" ({self.told})" if self.told else "")


def diff(
    before: Fingerprint, after: Fingerprint, *, through_schemas: bool = False
) -> tuple[Difference, ...]:
    """The objects that differ, sorted by name; none when the digests are equal.

    What came or went with the object that it belongs to is not told again: of a table that was
    dropped, neither the columns nor the indexes; of a column that came, not the order of columns.
    Of a schema that came or went, what it holds is told ``through_schemas`` alone.
    """
    if before is after:
        return ()
    old, new = _by_name(before), _by_name(after)
    removed, added = old.keys() - new.keys(), new.keys() - old.keys()
    found = [
        *(
            Difference(name=name, change=Change.REMOVED, before=_whole(old[name]))
            for name in _without_parts(removed, old, through_schemas)
        ),
        *(
            Difference(name=name, change=Change.ADDED, after=_whole(new[name]))
            for name in _without_parts(added, new, through_schemas)
        ),
        *(
            Difference(
                name=name, change=Change.CHANGED, before=_whole(old[name]), after=_whole(new[name])
            )
            for name in old.keys() & new.keys()
            if old[name].text != new[name].text and not _follows(old[name], new[name])
        ),
    ]
    return tuple(sorted(found, key=lambda each: (each.name, each.change)))


def listed(differences: Sequence[Difference], shown: int = 10) -> str:
    """What differs, for a message, before and after; no more than ``shown`` of them."""
    more = len(differences) - shown
    parts = [str(each) for each in differences[:shown]]
    return "; ".join(parts + [f"and {more} more"] * (more > 0))


def in_common(before: Fingerprint, after: Fingerprint) -> tuple[Fingerprint, Fingerprint, str]:
    """Both without what one of them does not hold, and in words what that is.

    An earlier version of the reading held less; another major version has other objects of its own.
    """
    kinds = since(min(before.version, after.version))
    said = "what an earlier version did not read: " + ", ".join(kinds) if kinds else ""
    if before.server_major != after.server_major:
        kinds += OF_THE_MAJOR
        other = f"PostgreSQL's own objects, of {before.server_major} and {after.server_major}"
        said = f"{said}; {other}" if said else other
    return before.without(*kinds), after.without(*kinds), said


def _by_name(fingerprint: Fingerprint) -> dict[str, SchemaObject]:
    return {entry.name: entry for entry in fingerprint.entries}


def _whole(entry: SchemaObject) -> str:
    return f"{entry.text}\n{entry.parts}" if entry.parts else entry.text


def _follows(before: SchemaObject, after: SchemaObject) -> bool:
    """An order of columns that has changed by the columns alone that came or went."""
    return before.name.startswith(COLUMN_ORDER) and same_order(before.text, after.text)


def _without_parts(
    names: set[str], entries: dict[str, SchemaObject], through_schemas: bool
) -> Iterable[str]:
    """Those that do not belong to an object which is among them."""
    for name in names:
        parent = entries[name].parent
        if parent not in names or (through_schemas and parent.startswith("schema ")):
            yield name
