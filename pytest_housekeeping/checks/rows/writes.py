"""Whose rows a batch changes: what its files write to, and everything that this runs.

An empty copy shows what was written to, and not what would be, were there rows: a loop over none
does nothing. So what the locks of the copy tell is completed by what the texts say.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from pytest_housekeeping.checks.rows.catalog import RowCatalog
from pytest_housekeeping.checks.rows.written_names import (
    WrittenNames,
    written_in,
    written_in_body,
)


@dataclass(frozen=True, kw_only=True)
class Writes:
    """By OID, why the rows of a table are not those of before; ``constant`` are the tables that
    got nothing but rows which stand in a file. ``anything``: why nobody can tell for any table."""

    tables: Mapping[int, str]
    constant: frozenset[int]
    anything: str = ""

    def of(self, table: int) -> str:
        """Why the rows of a table cannot be asked for; "" where they can."""
        return self.tables.get(table) or self.anything


def written_rows(
    texts: Mapping[str, str], before: RowCatalog, after: RowCatalog, locked: Iterable[int]
) -> Writes:
    """What the files, by path, write to; ``locked`` are the tables that a statement of theirs was
    seen writing to on the copy."""
    reached = _Reached(catalogs=(before, after))
    for path, text in texts.items():
        reached.add(written_in(text), path)
    for oid in locked:
        reached.reach(oid, "a statement of the batch changes its rows first")
        reached.computed |= {oid} - reached.named
    reached.follow()
    return Writes(
        tables=reached.tables, constant=frozenset(reached.constant), anything=reached.anything
    )


@dataclass(kw_only=True)
class _Reached:
    """The tables that are written to. ``named`` are those that a text names, ``computed`` those
    that get more than constants, ``emptied`` those that TRUNCATE takes with all that refer to
    them."""

    catalogs: tuple[RowCatalog, RowCatalog]
    tables: dict[int, str] = field(default_factory=dict)
    named: set[int] = field(default_factory=set)
    computed: set[int] = field(default_factory=set)
    emptied: set[int] = field(default_factory=set)
    anything: str = ""
    _called: set[str] = field(default_factory=set)

    @property
    def constant(self) -> set[int]:
        return self.named - self.computed

    def reach(self, oid: int, why: str) -> None:
        self.tables.setdefault(oid, why)

    def add(self, found: WrittenNames, path: str) -> None:
        """What a text does, with the functions that it calls."""
        for table in found.tables:
            for oid in self._relations(table.schema, table.name):
                self.reach(oid, f"{path} changes its rows first")
                self.named.add(oid)
                self.computed |= set() if table.constant else {oid}
                self.emptied |= {oid} if table.emptied else set()
        if found.dynamic and not self.anything:
            self.anything = (
                f"{path} puts a statement together at run time, which may change rows first"
            )
        for name in found.calls - self._called:
            self._called.add(name)
            for catalog in self.catalogs:
                for function in catalog.functions.values():
                    if function.name == name:
                        self.add(written_in_body(function.source, function.language), path)

    def follow(self) -> None:
        """Partitions, foreign keys and triggers carry on what is written: until nothing more is
        reached."""
        done: set[int] = set()
        while left := self.tables.keys() - done:
            for oid in left:
                done.add(oid)
                for catalog in self.catalogs:
                    self._carry_on(oid, catalog)

    def _carry_on(self, oid: int, catalog: RowCatalog) -> None:
        for below in catalog.relations.values():
            if oid in below.parents:
                self.reach(below.oid, self.tables[oid])
                self.computed.add(below.oid)
        for key in catalog.constraints.values():
            if key.kind != "f" or key.referenced != oid or oid in self.constant:
                continue
            if key.acts or oid in self.emptied:
                self.reach(key.relation, "its rows change with those of a table of the batch")
                self.computed.add(key.relation)
                self.emptied |= (
                    {key.relation} & self.tables.keys() if oid in self.emptied else set()
                )
        for called in catalog.triggers.get(oid, ()):
            function = catalog.functions.get(called)
            if function is not None and function.name not in self._called:
                self._called.add(function.name)
                found = written_in_body(function.source, function.language)
                self.add(found, f"the trigger function {function.name}")

    def _relations(self, schema: str, name: str) -> Iterator[int]:
        """The tables of a name, or those that a view of it reads."""
        for catalog in self.catalogs:
            for relation in catalog.relations.values():
                if relation.name == name and schema in ("", relation.schema):
                    yield relation.oid
            for view in catalog.views.values():
                if view.name == name and schema in ("", view.schema):
                    yield from catalog.read_by(view)
