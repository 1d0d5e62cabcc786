"""Steps of a chain that drop things, and those that grant and revoke."""

from __future__ import annotations

from collections.abc import Callable

from support.ddl_build import Builder, Change, live, step, text
from support.ddl_model import PUBLIC, ROLES, Acl, DefaultPrivileges, Model, Schema, Thing, grants
from support.ddl_parts import Check, ForeignKey, Index, Policy, Statistics, Trigger, Unique
from support.ddl_tables import Column, Ownership, Partition, Table, View
from support.ddl_things import Composite, Domain, DomainCheck, Enum, Function, Sequence_

_COLUMN_PRIVILEGES = ("SELECT", "INSERT", "UPDATE", "REFERENCES")


def _droppable(*kinds: type[Thing]) -> Callable[[Model], list[Thing]]:
    def found(model: Model) -> list[Thing]:
        return [
            each
            for each in model.things
            if isinstance(each, kinds)
            and not (isinstance(each, Column) and each is each.table.key)
            and all(live(doomed) for doomed in model.dependents(each))
        ]

    return found


def _drops(kind: str, *kinds: type[Thing]) -> None:
    @step(f"drop of {kind}", _droppable(*kinds))
    def dropped(b: Builder, thing: Thing) -> Change:
        return b.drop(f"drop of {kind}", thing)


_drops("schema", Schema)
_drops("table", Table)
_drops("partition", Partition)
_drops("column", Column)
_drops("check", Check, DomainCheck)
_drops("key", Unique, ForeignKey)
_drops("index", Index)
_drops("view", View)
_drops("routine", Function)
_drops("type", Enum, Domain, Composite)
_drops("sequence", Sequence_, Ownership)
_drops("trigger or policy", Trigger, Policy)
_drops("statistics", Statistics)
_drops("default privileges", DefaultPrivileges)


@step("data lost", _droppable(Column), reversible=False)
def data_lost(b: Builder, column: Thing) -> Change:
    """The column could be made again, its values could not."""
    dropped = b.drop("", column)
    reason = "the values of the column are gone with it"
    return Change(up=dropped.up, down="", irreversible=reason, kind="data lost")


def _grantable(model: Model) -> list[tuple[Thing, str]]:
    """Things with a role that has not yet all their privileges."""
    return [
        (each, role)
        for each in model.things
        if each.grant_on and live(each)
        for role in (*ROLES, PUBLIC)
        if set(each.privileges) - each.acl.get(role, set())
    ]


@step("grant", _grantable)
def grant(b: Builder, pair: tuple[Thing, str]) -> Change:
    thing, role = pair
    held = thing.acl.get(role, set())
    new = set(b.some([e for e in thing.privileges if e not in held], 3))
    thing.acl[role] = held | new
    target = f"{thing.grant_on} {thing.said}"
    down = [f"REVOKE {', '.join(sorted(new))} ON {target} FROM {role}"]
    down += _of_columns(thing, role)
    return Change(up=text(grants({role: new}, target)), down=text(down), kind="grant")


def _of_columns(thing: Thing, role: str) -> list[str]:
    """A REVOKE on a table revokes the same privileges on its columns."""
    if not isinstance(thing, Table):
        return []
    return [
        statement
        for column in thing.columns
        for statement in grants(_of_role(column.acl, role), thing.said, f" ({column.ref})")
    ]


def _of_role(acl: Acl, role: str) -> Acl:
    return {role: acl[role]} if role in acl else {}


def _granted(model: Model) -> list[tuple[Thing, str]]:
    return [
        (each, role)
        for each in model.things
        if each.grant_on and live(each)
        for role in (*ROLES, PUBLIC)
        if each.acl.get(role)
    ]


@step("revoke", _granted)
def revoke(b: Builder, pair: tuple[Thing, str]) -> Change:
    thing, role = pair
    gone = set(b.some(sorted(thing.acl[role]), 2))
    target = f"{thing.grant_on} {thing.said}"
    down = [*grants({role: gone}, target), *_of_columns(thing, role)]
    thing.acl[role] = thing.acl[role] - gone
    for column in thing.columns if isinstance(thing, Table) else ():
        if role in column.acl:
            column.acl[role] = column.acl[role] - gone
    up = f"REVOKE {', '.join(sorted(gone))} ON {target} FROM {role}"
    return Change(up=text([up]), down=text(down), kind="revoke")


@step("column grant", lambda model: [e for e in model.of(Column) if live(e)])
def column_grant(b: Builder, column: Column) -> Change:
    role = b.pick(ROLES)
    held = column.acl.get(role, set())
    left = [each for each in _COLUMN_PRIVILEGES if each not in held]
    new = set(b.some(left, 2)) if left else set(held)
    column.acl[role] = held | new
    target = column.table.said
    up = grants({role: new}, target, f" ({column.ref})")
    back = ", ".join(f"{each} ({column.ref})" for each in sorted(new))
    down = [
        f"REVOKE {back} ON {target} FROM {role}",
        *grants({role: held}, target, f" ({column.ref})"),
    ]
    return Change(up=text(up), down=text(down), kind="column grant")
