"""What the SQL files have made so far, as far as the type of an expression hangs on it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from pytest_housekeeping.sql.parse import Node, strings

T = TypeVar("T")
Name = tuple[str, str]
"""The schema of an object, and its name."""


@dataclass(kw_only=True, eq=False)
class Enum:
    """An enum type: its labels in order, as far as the files tell them, and those that were added
    since the last COMMIT, each with the place where that is written."""

    labels: list[str] = field(default_factory=list)
    added: dict[str, tuple[str, int]] = field(default_factory=dict)
    made_since_commit: bool = False


@dataclass(kw_only=True, eq=False)
class RowType:
    """The columns of a relation or a composite type. One whose type is no enum, or is not known,
    has None. ``keys`` are the types that a partitioned table is cut by."""

    columns: dict[str, Type | None] = field(default_factory=dict)
    keys: tuple[Type | None, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Type:
    """A type with an enum in it: the enum, a composite type, or an array of either.

    A domain is the type that it is over.
    """

    of: Enum | RowType
    array: bool = False

    @property
    def element(self) -> Type:
        return Type(of=self.of)


@dataclass(frozen=True, kw_only=True, slots=True)
class Routine:
    """A function: the names and types of its parameters, and what it returns."""

    names: tuple[str, ...]
    parameters: tuple[Type | None, ...]
    result: Type | None


@dataclass(kw_only=True)
class Known:
    """The types, relations and functions that the files read so far have made.

    ``path`` is the search_path of the file that is being read. What the files do not tell, such as
    what a DO block makes, is not in here, and a type that is not known decides nothing.
    """

    types: dict[Name, Type] = field(default_factory=dict)
    relations: dict[Name, RowType] = field(default_factory=dict)
    routines: dict[Name, list[Routine]] = field(default_factory=dict)
    path: tuple[str, ...] = ("public",)

    def type_of(self, type_name: Node | None) -> Type | None:
        """The type that a TypeName of a parse tree means."""
        names = strings((type_name or {}).get("names", ()))
        if (type_name or {}).get("pct_type"):
            row = self.row(names[:-1])
            return row.columns.get(names[-1]) if row else None
        found = self.find(self.types, names)
        if found is None and (row := self.row(names)) is not None:
            found = Type(of=row)
        if found is not None and (type_name or {}).get("arrayBounds"):
            return Type(of=found.of, array=True)
        return found

    def row(self, names: Sequence[str]) -> RowType | None:
        """The columns of the relation of that name, where the files tell them."""
        return self.find(self.relations, names)

    def row_of(self, relation: Node) -> RowType | None:
        """The columns of the relation that a RangeVar of a parse tree means."""
        return self.row(relation_names(relation))

    def place_for(self, names: Sequence[str]) -> Name:
        """Where an object of that name is made."""
        if len(names) > 1:
            return names[-2], names[-1]
        return next(iter(self.path), "public"), names[-1]

    def find(self, among: Mapping[Name, T], names: Sequence[str]) -> T | None:
        """The object of that name. One without a schema is the first on the search_path, or else
        the only one of its name."""
        if not names:
            return None
        if len(names) > 1:
            return among.get((names[-2], names[-1]))
        for schema in self.path:
            if (schema, names[0]) in among:
                return among[schema, names[0]]
        alike = [found for (_, name), found in among.items() if name == names[0]]
        return alike[0] if len(alike) == 1 else None

    def key_of(self, among: Mapping[Name, T], names: Sequence[str]) -> Name | None:
        """Where the object of that name stands."""
        found = self.find(among, names)
        return next((key for key, each in among.items() if each is found), None) if found else None

    def enum(self, names: Sequence[str]) -> Enum:
        """The enum of that name; one that no file has made is known from here on."""
        found = self.find(self.types, names)
        if found is not None and isinstance(found.of, Enum):
            return found.of
        enum = Enum()
        self.types[self.place_for(names)] = Type(of=enum)
        return enum

    def committed(self) -> None:
        """A transaction ended: the values that it added may be used."""
        for enum in self.enums():
            enum.added.clear()
            enum.made_since_commit = False

    def enums(self) -> Iterable[Enum]:
        """Every enum that is known."""
        return (each.of for each in self.types.values() if isinstance(each.of, Enum))


def relation_names(relation: Node) -> tuple[str, ...]:
    """The name of a RangeVar, with its schema where it has one."""
    return tuple(relation[key] for key in ("schemaname", "relname") if key in relation)
