"""Draws the steps of a chain: what makes, changes or drops things, and the SQL that undoes it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, TypeVar

from support.ddl_model import DefaultPrivileges, Model, Schema, Thing, in_order, parts
from support.ddl_parts import Constraint, ForeignKey, Index, OfTable
from support.ddl_tables import Column, Ownership, Relation, Table, View
from support.ddl_things import DomainCheck

_T = TypeVar("_T")
# Names that have to be quoted, and one that is not: the number makes each the only one.
_FORMS = ("{0} {1}", "{0}ä{1}", "{0}.{1}", '{0}"{1}', "Über {0}{1}")
_PLAIN_ONES = 15


@dataclass(frozen=True, kw_only=True)
class Change:
    """One migration with its rollback; ``down`` is empty where it is irreversible."""

    up: str
    down: str
    irreversible: str = ""
    kind: str = ""


@dataclass(frozen=True, kw_only=True)
class Step:
    """A kind of change: to what it can be done, and doing it."""

    kind: str
    candidates: Callable[[Model], Sequence[Any]]
    make: Callable[[Builder, Any], Change]
    reversible: bool = True


STEPS: dict[str, Step] = {}


def step(
    kind: str, candidates: Callable[[Model], Sequence[_T]], *, reversible: bool = True
) -> Callable[[Callable[[Builder, _T], Change]], Callable[[Builder, _T], Change]]:
    """Register how a change of this kind is made."""

    def registered(make: Callable[[Builder, _T], Change]) -> Callable[[Builder, _T], Change]:
        STEPS[kind] = Step(kind=kind, candidates=candidates, make=make, reversible=reversible)
        return make

    return registered


def text(statements: Iterable[str]) -> str:
    return "\n".join(f"{statement};" for statement in statements)


@dataclass(kw_only=True)
class Builder:
    """The model, and what is drawn for it. ``owners`` are roles in which the owner is.

    Each change has a seed of its own: hypothesis shrinks a chain by leaving changes out, and its
    own draws would give the first kinds of each list again and again.
    """

    random: Random = field(default_factory=Random)
    owners: tuple[str, ...] = ()
    model: Model = field(default_factory=Model)

    def number(self, most: int) -> int:
        return self.random.randint(0, most)

    def flag(self) -> bool:
        return bool(self.number(1))

    def pick(self, among: Sequence[_T]) -> _T:
        return among[self.number(len(among) - 1)]

    def some(self, among: Sequence[_T], most: int) -> list[_T]:
        """One or more of them, in their order."""
        wanted = {self.number(len(among) - 1) for _ in range(1 + self.number(most - 1))}
        return [among[index] for index in sorted(wanted)]

    def name(self, stem: str) -> str:
        self.model.names += 1
        form = self.number(_PLAIN_ONES)
        pattern = _FORMS[form] if form < len(_FORMS) else "{0}_{1}"
        return pattern.format(stem, self.model.names)

    def add(self, *things: Thing) -> list[str]:
        """The things are new; what makes them."""
        said = []
        for thing in things:
            self.model.add(thing)
            self.model.things += parts(thing)
            said += thing.made()
        return said

    def create(self, kind: str, *things: Thing) -> Change:
        up = self.add(*things)
        if self.number(3) == 0 and things[-1].word not in ("", DefaultPrivileges.word):
            things[-1].comment = "made, and it's said"
            up.append(things[-1].commented())
        down = [each.dropped() for each in reversed(things)]
        return Change(up=text(up), down=text(down), kind=kind)

    def remade(self, things: Sequence[Thing]) -> list[str]:
        """What makes things again, with all that they had."""
        inside = {part for thing in things for part in parts(thing)}
        said = []
        for thing in in_order(things):
            if thing in inside:
                continue
            said += [*thing.made(), *self.model.acl_reset(thing), *thing.after()]
            if thing.comment and not isinstance(thing, Column):
                said.append(thing.commented())
        return said

    def removed(self, things: Sequence[Thing]) -> list[str]:
        """What drops them one after the other."""
        gone = set(things)
        return [each.dropped() for each in reversed(in_order(things)) if not _goes_with(each, gone)]

    def drop(self, kind: str, root: Thing) -> Change:
        doomed = self.model.dependents(root)
        if _cascades(root, doomed) and self.flag():
            up = [f"{root.dropped()} CASCADE"]
        else:
            up = self.removed(doomed)
        down = self.remade(doomed)
        self.model.remove(doomed)
        for each in doomed:
            if isinstance(each, Column):
                each.table.columns.remove(each)
        return Change(up=text(up), down=text(down), kind=kind)


def together(kind: str, changes: Sequence[Change]) -> Change:
    """Several changes as one migration."""
    return Change(
        up="\n".join(each.up for each in changes),
        down="\n".join(each.down for each in reversed(changes)),
        kind=kind,
    )


def _goes_with(thing: Thing, gone: set[Thing]) -> bool:
    """Whether PostgreSQL drops it with its table, domain or schema, without CASCADE."""
    if isinstance(thing, ForeignKey):
        return False
    whole: Thing | None = None
    if isinstance(thing, Column | OfTable):
        whole = thing.table
    elif isinstance(thing, Index):
        whole = thing.on
    elif isinstance(thing, DomainCheck):
        whole = thing.domain
    elif isinstance(thing, DefaultPrivileges):
        whole = thing.schema
    return whole in gone


def _cascades(root: Thing, doomed: Sequence[Thing]) -> bool:
    """Whether DROP ... CASCADE drops just these.

    With a function or a sequence it drops a column's default alone, not the column; with a column
    the sequence that the column owns, too.
    """
    if isinstance(root, Schema):
        return all(_home(each) is root for each in doomed)
    return isinstance(root, Table | View | Column | Constraint) and not any(
        isinstance(each, Ownership) for each in doomed
    )


def _home(thing: Thing) -> Schema | None:
    if isinstance(thing, Schema):
        return thing
    if isinstance(thing, Column | OfTable):
        return thing.table.schema
    if isinstance(thing, Index):
        return thing.on.schema
    if isinstance(thing, DomainCheck):
        return thing.domain.schema
    if isinstance(thing, Ownership):
        same = thing.sequence.schema is thing.column.table.schema
        return thing.column.table.schema if same else None
    schema: Schema | None = getattr(thing, "schema", None)
    return schema


def live(thing: Thing) -> bool:
    """Whether it may be changed: it is no part of a table that waits for its partition."""
    whole = getattr(thing, "table", getattr(thing, "on", getattr(thing, "parent", thing)))
    return not (isinstance(whole, Table) and whole.frozen)


def tables(model: Model) -> list[Table]:
    return [each for each in model.of(Table) if live(each)]


def children(model: Model, table: Table) -> list[Relation]:
    """What takes over the columns of a table: its partitions, or tables that inherit it."""
    return [each for each in model.of(Relation) if getattr(each, "parent", None) is table]


def plain(model: Model) -> list[Table]:
    """Tables without any that inherit them."""
    return [each for each in tables(model) if not each.key and not children(model, each)]


def columns(model: Model) -> list[Column]:
    return [each for each in model.of(Column) if live(each)]
