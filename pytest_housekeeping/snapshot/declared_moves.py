"""What has moved between two fingerprints as the project declares, and what otherwise."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from pytest_housekeeping.declarations.may_move import LOGINS, PARTITIONS
from pytest_housekeeping.snapshot.difference import Change, Difference, diff
from pytest_housekeeping.snapshot.fingerprint import Fingerprint, SchemaObject

_POWERS = re.compile(r"^(SUPERUSER|CREATEROLE|CREATEDB|REPLICATION|BYPASSRLS)$", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Moves:
    """What differs: as declared, with the reasons, and otherwise."""

    others: tuple[Difference, ...]
    declared: tuple[tuple[Difference, str], ...]

    @property
    def told(self) -> str:
        """What moved as it may, for a message; "" for nothing."""
        said = (f"{each} ({reason})" for each, reason in self.declared)
        return f"; moved as declared: {'; '.join(said)}" if self.declared else ""


def split_declared(before: Fingerprint, after: Fingerprint, may_move: Mapping[str, str]) -> Moves:
    """The differences between both, apart by whether ``may_move`` (name: reason) declares them."""
    differences = diff(before, after)
    if not differences or not may_move:
        return Moves(others=differences, declared=())
    entries = {entry.name: entry for each in (before, after) for entry in each.entries}
    others, declared = [], []
    for each in differences:
        name = next((name for name in may_move if _covers(name, each, entries)), None)
        if name is None:
            others.append(each)
        else:
            declared.append((each, may_move[name]))
    return Moves(others=tuple(others), declared=tuple(declared))


def _covers(declared: str, difference: Difference, entries: Mapping[str, SchemaObject]) -> bool:
    if declared.startswith(PARTITIONS):
        return difference.change is not Change.CHANGED and _is_partition(
            difference.name, declared.removeprefix(PARTITIONS), entries
        )
    if declared.startswith(LOGINS):
        return difference.change is not Change.CHANGED and _is_login(
            difference.name, declared.removeprefix(LOGINS), entries
        )
    if difference.name == declared:
        return True
    # Another version of an extension has other members.
    parent = entries[difference.name].parent if difference.change is Change.CHANGED else ""
    return parent == declared and declared.startswith("extension ")


def _is_partition(name: str, parent: str, entries: Mapping[str, SchemaObject]) -> bool:
    """A partition of the table, or one of a partition of it."""
    for _ in range(len(entries)):
        entry = entries.get(name)
        if entry is None or not re.search(r"^bound: ", entry.text, re.MULTILINE):
            return False
        inherits = re.search(r"^inherits: (.+)$", entry.text, re.MULTILINE)
        if inherits is None or inherits[1] == parent:
            return inherits is not None
        name = f"table {inherits[1]}"
    return False


def _is_login(name: str, group: str, entries: Mapping[str, SchemaObject]) -> bool:
    """A role that is a member of that one alone, and may do nothing by itself."""
    if not name.startswith("role "):
        return False
    start = f"membership of {name.removeprefix('role ')} in "
    groups = [each.removeprefix(start) for each in entries if each.startswith(start)]
    return groups == [group] and not _POWERS.search(entries[name].text)
