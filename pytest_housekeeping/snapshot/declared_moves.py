"""What has moved between two fingerprints as the project declares, and what otherwise."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from pytest_housekeeping.declarations.may_move import LOGINS, PARTITIONS
from pytest_housekeeping.snapshot.difference import Change, Difference, diff
from pytest_housekeeping.snapshot.fingerprint import Fingerprint, SchemaObject
from pytest_housekeeping.snapshot.roles_elsewhere import (
    Memberships,
    has_powers,
    roles_of_elsewhere,
)


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
    """The differences between both, apart by whether ``may_move`` (name: reason) declares them.

    Roles that have no way into this database came or went for another one, and are left out.
    """
    differences = diff(before, after)
    if not differences:
        return Moves(others=(), declared=())
    entries = {entry.name: entry for each in (before, after) for entry in each.entries}
    memberships = Memberships.of(entries)
    elsewhere = roles_of_elsewhere(differences, entries, memberships)
    others, declared = [], []
    for each in differences:
        if {each.name, f"role {memberships.group(each.name)}"} & elsewhere:
            continue
        name = next((name for name in may_move if _covers(name, each, entries, memberships)), None)
        if name is None:
            others.append(each)
        else:
            declared.append((each, may_move[name]))
    return Moves(others=tuple(others), declared=tuple(declared))


def _covers(
    declared: str,
    difference: Difference,
    entries: Mapping[str, SchemaObject],
    memberships: Memberships,
) -> bool:
    if declared.startswith(PARTITIONS):
        parent = declared.removeprefix(PARTITIONS)
        return difference.change is not Change.CHANGED and _is_partition(
            difference.name, parent, entries
        )
    if declared.startswith(LOGINS):
        group = declared.removeprefix(LOGINS)
        return difference.change is not Change.CHANGED and _goes_with_login(
            difference.name, group, entries, memberships
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


def _goes_with_login(
    name: str, group: str, entries: Mapping[str, SchemaObject], memberships: Memberships
) -> bool:
    """A role that is a member of that one alone, and may do nothing by itself; or that its maker
    is a member of it, as since 16 whoever makes a role without being a superuser is:
    https://www.postgresql.org/docs/16/role-attributes.html#ROLE-CREATION
    """
    if login := memberships.group(name):
        # Whoever may make anybody a member of the group gains nothing by one of its members.
        granted = entries.get(f"membership of {memberships.member(name)} in {group}")
        return (
            granted is not None
            and re.search(r", ADMIN, ", granted.text) is not None
            and _goes_with_login(f"role {login}", group, entries, memberships)
        )
    return (
        name.startswith("role ")
        and memberships.groups_of(name) == (group,)
        and not has_powers(entries[name])
    )
