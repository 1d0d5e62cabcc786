"""What code names without a statement that could be prepared: mappers, builders, TRUNCATE."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from pytest_housekeeping.checks.code.facts import CodeReference, Name, ReferenceKind
from pytest_housekeeping.checks.code.resolve.by_name import NEEDS_NAMES
from pytest_housekeeping.checks.code.resolve.catalog import DependencyGraph
from pytest_housekeeping.checks.code.resolve.statements import can_be_asked, statement_node
from pytest_housekeeping.postgres.connection import Connection


@dataclass(frozen=True, kw_only=True, slots=True)
class MappedColumn:
    """A column of a table that code names. ``required``: NOT NULL, and nothing fills it in."""

    type: str
    required: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class NamedState:
    """What the names of a reference mean on one schema.

    ``missing`` are those that mean nothing there; without a ``role`` nothing means anything.
    ``table`` and ``columns``: of a mapped table, all that it has. ``written``: the role may insert
    into it. ``by_trigger``: a BEFORE trigger may fill in what is left out.
    """

    missing: tuple[str, ...] = ()
    role: bool = True
    table: str = ""
    columns: Mapping[str, MappedColumn] = field(default_factory=dict)
    written: bool = False
    by_trigger: bool = False


def is_named(reference: CodeReference) -> bool:
    """Whether it is looked up: what has to be there, and is not asked as a statement."""
    if reference.foreign or not reference.names:
        return False
    if reference.kind is ReferenceKind.STATEMENT:
        dynamic = not reference.exact and can_be_asked(reference.text)
        return dynamic or statement_node(reference.text) in NEEDS_NAMES
    return reference.kind in (ReferenceKind.RELATION, ReferenceKind.FUNCTION)


def look_up(
    connection: Connection,
    references: Iterable[CodeReference],
    graph: DependencyGraph,
    path: tuple[str, ...],
    role: str,
) -> dict[CodeReference, NamedState]:
    """What the names of these references mean for a role, whose search_path this is."""
    tables = _Tables(connection, role)
    return {each: _state(each, graph, path, tables) for each in references if each.names}


def _state(
    reference: CodeReference, graph: DependencyGraph, path: tuple[str, ...], tables: _Tables
) -> NamedState:
    missing = tuple(_missing(reference.names, graph, path))
    (name, *_), relation = reference.names, ReferenceKind.RELATION
    oid = graph.relation(name.parts, path) if reference.kind is relation else None
    if oid is None or not name.columns:
        return NamedState(missing=missing)
    return tables.state(oid, missing)


def _missing(names: Iterable[Name], graph: DependencyGraph, path: tuple[str, ...]) -> Iterator[str]:
    for name in names:
        written = ".".join(name.parts)
        if name.kind is ReferenceKind.FUNCTION:
            if not graph.routine(name.parts, path):
                yield f"function {written}"
        elif name.kind is ReferenceKind.RELATION:
            oid = graph.relation(name.parts, path)
            if oid is None:
                yield f"relation {written}"
            elif there := graph.columns.get(oid):
                standing = set(there.values())
                yield from (
                    f"column {each} of {written}" for each in name.columns if each not in standing
                )


class _Tables:
    """The columns of mapped tables, each table read once."""

    def __init__(self, connection: Connection, role: str) -> None:
        self._connection = connection
        self._role = role
        self._known: dict[int, NamedState] = {}

    def state(self, oid: int, missing: tuple[str, ...]) -> NamedState:
        if oid not in self._known:
            rows = self._connection.execute(_COLUMNS, {"table": oid, "role": self._role})
            found = rows.fetchall()
            self._known[oid] = NamedState(
                table=found[0][0] if found else "",
                columns={row[3]: MappedColumn(type=row[4], required=row[5]) for row in found},
                written=bool(found and found[0][1]),
                by_trigger=bool(found and found[0][2]),
            )
        return replace(self._known[oid], missing=missing)


_COLUMNS = """
SELECT pg_catalog.format('%%I.%%I', n.nspname, c.relname),
    c.relkind IN ('r', 'p', 'f')
        AND pg_catalog.has_any_column_privilege(%(role)s::name, c.oid, 'INSERT'),
    EXISTS (SELECT FROM pg_catalog.pg_trigger AS g WHERE g.tgrelid = c.oid
        AND NOT g.tgisinternal AND g.tgenabled <> 'D' AND g.tgtype::int & 7 = 7),
    a.attname::text, pg_catalog.format_type(a.atttypid, a.atttypmod),
    a.attgenerated = '' AND (a.attnotnull OR t.typnotnull) AND NOT a.atthasdef
        AND a.attidentity = '' AND t.typdefault IS NULL
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid
WHERE c.oid = %(table)s::bigint::oid
ORDER BY a.attnum
"""
