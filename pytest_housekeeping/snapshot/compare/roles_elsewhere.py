"""Roles that came or went for another database of the server, and who is a member of whom."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pytest_housekeeping.snapshot.compare.difference import Change, Difference
from pytest_housekeeping.snapshot.fingerprint import SchemaObject
from pytest_housekeeping.sql.identifiers import unquoted

_POWERS = re.compile(r"^(SUPERUSER|CREATEROLE|CREATEDB|REPLICATION|BYPASSRLS)$", re.MULTILINE)
_MEMBERSHIP, _ROLE = "membership of ", "role "


@dataclass(frozen=True, kw_only=True)
class Memberships:
    """Member and group of each entry that is a membership, and the groups of each role."""

    ends: Mapping[str, tuple[str, str]]
    groups: Mapping[str, tuple[str, ...]]

    @classmethod
    def of(cls, entries: Mapping[str, SchemaObject]) -> Memberships:
        """Those among the entries; each goes with its member (``role NAME``)."""
        ends: dict[str, tuple[str, str]] = {}
        groups: dict[str, tuple[str, ...]] = {}
        for name, entry in entries.items():
            if name.startswith(_MEMBERSHIP):
                member = entry.parent.removeprefix(_ROLE)
                group = name.removeprefix(f"{_MEMBERSHIP}{member} in ")
                ends[name] = member, group
                groups[entry.parent] = (*groups.get(entry.parent, ()), group)
        return cls(ends=ends, groups=groups)

    def member(self, name: str) -> str:
        """Who is a member, by the membership; "" for any other entry."""
        return self.ends.get(name, ("", ""))[0]

    def group(self, name: str) -> str:
        """Of whom, by the membership; "" for any other entry."""
        return self.ends.get(name, ("", ""))[1]

    def groups_of(self, role: str) -> tuple[str, ...]:
        """What ``role NAME`` is a member of, directly."""
        return self.groups.get(role, ())


def has_powers(role: SchemaObject) -> bool:
    """Whether it may do something that no privilege on an object gives."""
    return _POWERS.search(role.text) is not None


def roles_of_elsewhere(
    differences: Sequence[Difference],
    entries: Mapping[str, SchemaObject],
    memberships: Memberships,
) -> frozenset[str]:
    """The roles (``role NAME``) that came or went and have no way into this database.

    Such a role may do what everybody may: it has no powers, is a member of none but its like, and
    nothing in the database or around it names it, be it an owner, a grant, a policy or the text of
    a function. Who is a member of one gains nothing by it.
    """
    found = {
        each.name
        for each in differences
        if each.name.startswith(_ROLE)
        and each.change is not Change.CHANGED
        and not has_powers(entries[each.name])
    }
    # Few are left of the many that a vault may have made, before all texts are looked through.
    found = _members_of_none_but(found, memberships)
    if not found:
        return frozenset()
    said = "\n".join(_said(entry, found) for entry in entries.values()).lower()
    unnamed = {role for role in found if not _is_named(role.removeprefix(_ROLE), said)}
    return frozenset(_members_of_none_but(unnamed, memberships))


def _members_of_none_but(roles: set[str], memberships: Memberships) -> set[str]:
    while bound := {
        role
        for role in roles
        if any(f"{_ROLE}{group}" not in roles for group in memberships.groups_of(role))
    }:
        roles = roles - bound
    return roles


def _said(entry: SchemaObject, roles: set[str]) -> str:
    """What may name a role: not what is of the role itself. Memberships have been followed."""
    if entry.name.startswith(_MEMBERSHIP):
        return ""
    own = entry.name in roles or entry.parent in roles
    return entry.text if own else f"{entry.name}\n{entry.text}"


def _is_named(role: str, said: str) -> bool:
    """Whether the text has the name as a whole word, quoted or not."""
    return any(
        name in said and re.search(rf"(?<!\w){re.escape(name)}(?!\w)", said)
        for name in {unquoted(role).lower(), role.lower()}
    )
