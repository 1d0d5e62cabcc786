"""What the things of a model schema have in common, and how they depend on each other."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, TypeAlias, TypeVar

from psycopg import sql

Acl: TypeAlias = dict[str, set[str]]
_Kind = TypeVar("_Kind", bound="Thing")

ROLES = ("app_one", "app_two")
PUBLIC = "PUBLIC"
_PLAIN = re.compile(r"[a-z][a-z0-9_]*")


def quoted(name: str) -> str:
    """A name as a person types it. Names of the model end in a number: none is a reserved word."""
    return name if _PLAIN.fullmatch(name) else sql.Identifier(name).as_string(None)


def literal(text: str) -> str:
    return sql.Literal(text).as_string(None)


@dataclass(eq=False, kw_only=True)
class Thing:
    """A thing of the schema. It refers to others as objects: what is renamed is found again.

    ``word`` is its kind in COMMENT, ALTER and DROP; ``grant_on`` that in GRANT, where it has
    privileges, and ``builtin`` are those that PostgreSQL gives to everybody.
    """

    name: str
    comment: str = ""
    owner: str = ""
    acl: Acl = field(default_factory=dict)

    word: ClassVar[str] = ""
    grant_on: ClassVar[str] = ""
    privileges: ClassVar[tuple[str, ...]] = ()
    builtin: ClassVar[tuple[str, ...]] = ()
    defaults_on: ClassVar[str] = ""

    @property
    def said(self) -> str:
        """As in COMMENT ON and DROP."""
        return quoted(self.name)

    @property
    def ref(self) -> str:
        """As in an expression."""
        return self.said

    def needs(self) -> Sequence[Thing]:
        """The things to which this one refers itself."""
        return ()

    def made(self) -> list[str]:
        raise NotImplementedError

    def dropped(self) -> str:
        return f"DROP {self.word} {self.said}"

    def renamed(self, name: str) -> str:
        return f"ALTER {self.word} {self.said} RENAME TO {quoted(name)}"

    def commented(self) -> str:
        comment = literal(self.comment) if self.comment else "NULL"
        return f"COMMENT ON {self.word} {self.said} IS {comment}"

    def after(self) -> list[str]:
        """What is said once the privileges of the thing itself are as they were."""
        return []


@dataclass(frozen=True)
class Expr:
    """SQL text with places ({0}, {1}) for the things to which it refers."""

    text: str
    args: tuple[Thing, ...] = ()

    @property
    def sql(self) -> str:
        return self.text.format(*(each.ref for each in self.args))


@dataclass(eq=False, kw_only=True)
class Schema(Thing):
    word = "SCHEMA"
    grant_on = "SCHEMA"
    privileges = ("USAGE", "CREATE")

    def made(self) -> list[str]:
        return [f"CREATE SCHEMA {self.said}"]


@dataclass(eq=False, kw_only=True)
class InSchema(Thing):
    schema: Schema

    @property
    def said(self) -> str:
        return f"{self.schema.said}.{quoted(self.name)}"

    def needs(self) -> Sequence[Thing]:
        return (self.schema,)


@dataclass(eq=False, kw_only=True)
class DefaultPrivileges(Thing):
    """What is granted on each new thing, or taken from everybody; in all schemas when in none."""

    schema: Schema | None
    on: str
    privilege: str
    role: str
    word = "DEFAULT PRIVILEGES"

    def needs(self) -> Sequence[Thing]:
        return (self.schema,) if self.schema else ()

    def made(self) -> list[str]:
        return [self._altered(granting=self.role != PUBLIC)]

    def dropped(self) -> str:
        return self._altered(granting=self.role == PUBLIC)

    def _altered(self, *, granting: bool) -> str:
        place = f" IN SCHEMA {self.schema.said}" if self.schema else ""
        verb, to = ("GRANT", "TO") if granting else ("REVOKE", "FROM")
        return (
            f"ALTER DEFAULT PRIVILEGES{place} {verb} {self.privilege} ON {self.on} {to} {self.role}"
        )


@dataclass(kw_only=True)
class Model:
    """The things that there are at one moment of a chain."""

    things: list[Thing] = field(default_factory=list)
    names: int = 0

    def of(self, kind: type[_Kind]) -> list[_Kind]:
        return [thing for thing in self.things if isinstance(thing, kind)]

    def defaults(self, on: str, schema: Schema | None) -> list[DefaultPrivileges]:
        return [
            each
            for each in self.of(DefaultPrivileges)
            if each.on == on and (each.schema is None or each.schema is schema)
        ]

    def first_acl(self, on: str, schema: Schema | None, builtin: Iterable[str] = ()) -> Acl:
        """The privileges of a new thing beside its owner's."""
        acl: Acl = {PUBLIC: set(builtin)} if builtin else {}
        for each in self.defaults(on, schema):
            if each.role == PUBLIC:
                acl.pop(PUBLIC, None)
            else:
                acl.setdefault(each.role, set()).add(each.privilege)
        return acl

    def add(self, thing: Thing) -> None:
        """The thing is new: it has the privileges that new ones have."""
        schema = thing.schema if isinstance(thing, InSchema) else None
        if thing.grant_on:
            thing.acl = self.first_acl(thing.defaults_on, schema, thing.builtin)
        self.things.append(thing)

    def dependents(self, *roots: Thing) -> list[Thing]:
        """The roots and all that refers to them, directly or not, as one would make them."""
        found = set(roots)
        size = 0
        while size != len(found):
            size = len(found)
            found |= {each for each in self.things if not found.isdisjoint(each.needs())}
        return in_order([each for each in self.things if each in found])

    def remove(self, things: Iterable[Thing]) -> None:
        gone = set(things)
        self.things = [each for each in self.things if each not in gone]

    def acl_reset(self, thing: Thing) -> list[str]:
        """The privileges of a thing just made again: whatever new things get, it has its own."""
        schema = thing.schema if isinstance(thing, InSchema) else None
        if not thing.grant_on or (
            thing.acl == self.first_acl(thing.defaults_on, schema, thing.builtin)
            and not self.defaults(thing.defaults_on, schema)
        ):
            return []
        target = f"{thing.grant_on} {thing.said}"
        return [
            f"REVOKE ALL ON {target} FROM {', '.join((PUBLIC, *ROLES))}",
            *grants(thing.acl, target),
        ]


def grants(acl: Acl, target: str, columns: str = "") -> list[str]:
    return [
        f"GRANT {', '.join(f'{each}{columns}' for each in sorted(held))} ON {target} TO {role}"
        for role, held in sorted(acl.items())
        if held
    ]


def in_order(things: Sequence[Thing]) -> list[Thing]:
    """The same with each behind those that it needs."""
    left, ordered, known = list(things), [], set(things)
    while left:
        ready = [each for each in left if known.isdisjoint(_wanted(each, known))]
        if not ready:
            raise AssertionError(f"they need each other: {[each.said for each in left]}")
        ordered += ready
        known -= set(ready)
        left = [each for each in left if each in known]
    return ordered


def _wanted(thing: Thing, known: set[Thing]) -> set[Thing]:
    """What has to be there before: of a table also what its columns need."""
    wanted = set(thing.needs())
    for part in parts(thing):
        if part in known:
            wanted |= set(part.needs()) - {thing, *parts(thing)}
    return wanted


def parts(thing: Thing) -> Sequence[Thing]:
    """The columns of a table, which are made with it."""
    columns: Sequence[Thing] = getattr(thing, "columns", ()) if thing.word == "TABLE" else ()
    return columns
