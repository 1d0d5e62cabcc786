"""What has moved between two fingerprints as the project declares, and what otherwise."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from pytest_housekeeping.declarations.may_move import LOGINS, PARTITIONS, SCHEMAS
from pytest_housekeeping.snapshot.compare.alike_schemas import alike_schemas
from pytest_housekeeping.snapshot.compare.difference import Change, Difference, diff
from pytest_housekeeping.snapshot.compare.roles_elsewhere import (
    Memberships,
    has_powers,
    roles_of_elsewhere,
)
from pytest_housekeeping.snapshot.fingerprint import Fingerprint, SchemaObject

_BOUND = re.compile(r"^bound: ", re.MULTILINE)
_INHERITS = re.compile(r"^inherits: (.+)$", re.MULTILINE)
# What a partition, its columns, constraints and indexes lose.
_DETACHED = re.compile(r"- (inherited$|(inherits|bound|part of): )")


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
    old = {entry.name: entry for entry in before.entries}
    new = {entry.name: entry for entry in after.entries}
    entries = old | new
    alike = {Change.REMOVED: _alike(may_move, old), Change.ADDED: _alike(may_move, new)}
    memberships = Memberships.of(entries)
    elsewhere = roles_of_elsewhere(differences, entries, memberships)
    others, declared = [], []
    for each in differences:
        if {each.name, f"role {memberships.group(each.name)}"} & elsewhere:
            continue
        name = alike.get(each.change, {}).get(each.name) or next(
            (n for n in may_move if _covers(n, each, entries, old, memberships)), None
        )
        if name is None:
            others.append(each)
        else:
            declared.append((each, may_move[name]))
    return Moves(others=tuple(others), declared=tuple(declared))


def without_declared(schema: Fingerprint, may_move: Mapping[str, str]) -> Fingerprint:
    """The schema without what comes, goes and changes as ``may_move`` declares, as far as that can
    be told of one state: what is left is equal where nothing else has moved."""
    if not may_move:
        return schema
    entries = {entry.name: entry for entry in schema.entries}
    memberships = Memberships.of(entries)

    alike = _alike(may_move, entries)

    def moves(entry: SchemaObject) -> bool:
        name: str | None = entry.name
        while name in entries:
            if name in alike or any(
                _may_come(declared, name, entries, memberships) for declared in may_move
            ):
                return True
            name = entries[name].parent
        return False

    return replace(schema, entries=tuple(each for each in schema.entries if not moves(each)))


def _alike(may_move: Mapping[str, str], entries: Mapping[str, SchemaObject]) -> Mapping[str, str]:
    """The schemas that may come and go, by what declares them."""
    likes = (name for name in may_move if name.startswith(SCHEMAS))
    return {
        schema: name
        for name in likes
        for schema in alike_schemas(name.removeprefix(SCHEMAS), entries)
    }


def without_alike(
    differences: Iterable[Difference], there: Fingerprint, may_move: Mapping[str, str]
) -> tuple[Difference, ...]:
    """The differences but for whole schemas that are there as ``may_move`` lets them come."""
    alike = _alike(may_move, {entry.name: entry for entry in there.entries})
    return tuple(
        each for each in differences if each.change is not Change.ADDED or each.name not in alike
    )


def _may_come(
    declared: str, name: str, entries: Mapping[str, SchemaObject], memberships: Memberships
) -> bool:
    if declared.startswith(PARTITIONS):
        return _is_partition(name, declared.removeprefix(PARTITIONS), entries)
    if declared.startswith(LOGINS):
        return _goes_with_login(name, declared.removeprefix(LOGINS), entries, memberships)
    return name == declared


def _covers(
    declared: str,
    difference: Difference,
    entries: Mapping[str, SchemaObject],
    old: Mapping[str, SchemaObject],
    memberships: Memberships,
) -> bool:
    if declared.startswith(PARTITIONS):
        parent = declared.removeprefix(PARTITIONS)
        if difference.change is not Change.CHANGED and _is_partition(
            difference.name, parent, entries
        ):
            return True
        return _is_of_detaching(difference, parent, entries, old)
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
        if entry is None or not _BOUND.search(entry.text):
            return False
        inherits = _INHERITS.search(entry.text)
        if inherits is None or inherits[1] == parent:
            return inherits is not None
        name = f"table {inherits[1]}"
    return False


def _is_of_detaching(
    difference: Difference,
    parent: str,
    entries: Mapping[str, SchemaObject],
    old: Mapping[str, SchemaObject],
) -> bool:
    """All that has changed is that a partition of the table stands by itself now.

    Its foreign keys, which its parent's told, are told as its own then.
    """
    name = difference.name
    while name in entries and not name.startswith("table "):
        name = entries[name].parent
    if name not in entries or _BOUND.search(entries[name].text):
        return False
    if not _is_partition(name, parent, old):
        return False
    if difference.change is Change.CHANGED:
        lines = difference.lines
        return bool(lines) and all(map(_DETACHED.match, lines))
    above = _INHERITS.search(old[name].text)
    return (
        above is not None
        and difference.change is Change.ADDED
        and difference.after.startswith("definition: FOREIGN KEY ")
        and any(
            each.parent == f"table {above[1]}" and each.text == difference.after
            for each in old.values()
            if each.name.startswith("constraint ")
        )
    )


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
