"""The objects of the database by name, and what views and functions read in their turn."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pytest_housekeeping.checks.code.facts import ReferenceKind
from pytest_housekeeping.checks.code.resolve.resolution import ReachedObject
from pytest_housekeeping.checks.code.resolve.search_path import split_path
from pytest_housekeeping.checks.code.sqltext.bodies import read_body
from pytest_housekeeping.postgres.connection import Connection

Node = tuple[bool, int]
"""A relation (True) or a routine, and its OID."""


@dataclass(frozen=True, kw_only=True)
class DependencyGraph:
    """Read once for a state of the schema; what is behind a view is found without a query.

    ``names``: of objects outside PostgreSQL's own schemas. ``edges``: what a view or function
    depends on. ``bodies``: source, language and own search_path of the functions that are kept as
    text, of which PostgreSQL keeps no dependencies.
    """

    names: Mapping[Node, tuple[str, str]]
    relations: Mapping[tuple[str, str], int]
    routines: Mapping[tuple[str, str], tuple[int, ...]]
    edges: Mapping[Node, tuple[Node, ...]]
    columns: Mapping[int, Mapping[int, str]]
    schemas: frozenset[str]
    bodies: Mapping[int, tuple[str, str, str | None]]
    _followed: dict[Node, tuple[Node, ...]] = field(default_factory=dict)

    def relation(self, parts: Sequence[str], path: Sequence[str]) -> int | None:
        """The relation that a name means on a search_path."""
        for schema in parts[-2:-1] or ("pg_catalog", *path):
            if (oid := self.relations.get((schema, parts[-1]))) is not None:
                return oid
        return None

    def routine(self, parts: Sequence[str], path: Sequence[str]) -> tuple[int, ...]:
        """The functions that a name may mean: which one, only the server knows."""
        for schema in parts[-2:-1] or path:
            if found := self.routines.get((schema, parts[-1])):
                return found
        return ()

    def reached(
        self, node: Node, *, columns: tuple[str, ...] = (), through: str = ""
    ) -> ReachedObject:
        """The object behind a node."""
        schema, name = self.names[node]
        kind = ReferenceKind.RELATION if node[0] else ReferenceKind.FUNCTION
        return ReachedObject(kind=kind, schema=schema, name=name, columns=columns, through=through)

    def reached_behind(self, node: Node, path: Sequence[str]) -> Iterator[ReachedObject]:
        """The objects that a view or function reads in its turn."""
        for following, through in self.behind(node, path):
            yield self.reached(following, through=through)

    def behind(self, start: Node, path: Sequence[str]) -> Iterator[tuple[Node, str]]:
        """All that ``start`` reads, directly or not, each once, with the name of ``start``."""
        seen = {start}
        stack = [start]
        while stack:
            at = stack.pop()
            for following in self._next(at, path):
                if following not in seen:
                    seen.add(following)
                    stack.append(following)
                    yield following, ".".join(self.names[start])

    def _next(self, node: Node, path: Sequence[str]) -> tuple[Node, ...]:
        if node not in self._followed:
            found = [*self.edges.get(node, ()), *self._body(node, path)]
            self._followed[node] = tuple(each for each in found if each in self.names)
        return self._followed[node]

    def _body(self, node: Node, path: Sequence[str]) -> Iterator[Node]:
        """What the text of a function names, by its own search_path where it sets one, and by that
        which its statements set on the way."""
        if node[0] or node[1] not in self.bodies:
            return
        source, language, own_path = self.bodies[node[1]]
        names = read_body(source, language).names
        schemas = split_path(own_path) if own_path is not None else path
        chosen = [parts[0] for parts, kind in names if kind is ReferenceKind.SCHEMA]
        for found in (schemas, (*chosen, *schemas)) if chosen else (schemas,):
            for parts, kind in names:
                if kind is ReferenceKind.RELATION:
                    oid = self.relation(parts, found)
                    yield from [(True, oid)] if oid is not None else []
                elif kind is ReferenceKind.FUNCTION:
                    yield from ((False, oid) for oid in self.routine(parts, found))


def read_dependency_graph(connection: Connection) -> DependencyGraph:
    """Read the catalog: four queries, whatever the number of references."""
    names: dict[Node, tuple[str, str]] = {}
    relations: dict[tuple[str, str], int] = {}
    columns: dict[int, dict[int, str]] = {}
    schemas = {row[0] for row in connection.execute("SELECT nspname FROM pg_catalog.pg_namespace")}
    for schema, name, oid, system, attributes, numbers in connection.execute(_RELATIONS):
        relations[schema, name] = oid
        if not system:
            names[True, oid] = (schema, name)
            columns[oid] = dict(zip(numbers, attributes, strict=True))
    routines: dict[tuple[str, str], tuple[int, ...]] = {}
    bodies: dict[int, tuple[str, str, str | None]] = {}
    for schema, name, oid, source, language, path in connection.execute(_ROUTINES):
        names[False, oid] = (schema, name)
        routines[schema, name] = (*routines.get((schema, name), ()), oid)
        if source:
            bodies[oid] = (source, language, path)
    edges: dict[Node, list[Node]] = {}
    for from_relation, source_oid, to_relation, target_oid in connection.execute(_EDGES):
        edges.setdefault((from_relation, source_oid), []).append((to_relation, target_oid))
    return DependencyGraph(
        names=names,
        relations=relations,
        routines=routines,
        edges={node: tuple(each) for node, each in edges.items()},
        columns=columns,
        schemas=frozenset(schemas),
        bodies=bodies,
    )


# PostgreSQL's own relations are known by name only: they are nobody's.
_RELATIONS = """
SELECT n.nspname, c.relname, c.oid::bigint,
    n.nspname IN ('pg_catalog', 'information_schema'),
    coalesce(a.names, '{}'), coalesce(a.numbers, '{}')
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN LATERAL (
    SELECT pg_catalog.array_agg(attname::text) AS names, pg_catalog.array_agg(attnum) AS numbers
    FROM pg_catalog.pg_attribute
    WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped
) AS a ON n.nspname NOT IN ('pg_catalog', 'information_schema')
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND n.nspname <> 'pg_toast'
ORDER BY c.oid
"""
# A body that is not text (prosqlbody) has dependencies and need not be read. The temporary schema
# holds the function that asks the server.
_ROUTINES = """
SELECT n.nspname, p.proname, p.oid::bigint,
    CASE WHEN p.prosqlbody IS NULL AND l.lanname IN ('sql', 'plpgsql') THEN p.prosrc END,
    l.lanname,
    (SELECT pg_catalog.substr(c.setting, 13) FROM pg_catalog.unnest(p.proconfig) AS c (setting)
     WHERE c.setting LIKE 'search_path=%')
FROM pg_catalog.pg_proc AS p
JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
JOIN pg_catalog.pg_language AS l ON l.oid = p.prolang
WHERE n.nspname NOT IN ('pg_catalog', 'information_schema')
    AND n.oid <> pg_catalog.pg_my_temp_schema()
ORDER BY p.oid
"""
# What views (by their rule) and functions depend on. OIDs from 16384 on are not PostgreSQL's own:
# https://www.postgresql.org/docs/16/system-catalog-initial-data.html
_EDGES = """
SELECT r.ev_class IS NOT NULL, coalesce(r.ev_class, d.objid)::bigint,
    d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass, d.refobjid::bigint
FROM pg_catalog.pg_depend AS d
LEFT JOIN pg_catalog.pg_rewrite AS r
    ON r.oid = d.objid AND d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass
WHERE d.deptype = 'n'
    AND (r.oid IS NOT NULL OR d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass)
    AND d.refclassid IN ('pg_catalog.pg_class'::pg_catalog.regclass,
                         'pg_catalog.pg_proc'::pg_catalog.regclass)
    AND d.refobjid >= 16384
GROUP BY 1, 2, 3, 4
ORDER BY 1, 2, 3, 4
"""
