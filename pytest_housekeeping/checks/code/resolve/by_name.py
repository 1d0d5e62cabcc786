"""References looked up by name, where the server cannot be asked: DDL, mappers, hints, options."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pytest_housekeeping.checks.code.facts import CodeReference, Name, ReferenceKind
from pytest_housekeeping.checks.code.resolve.catalog import DependencyGraph, Node
from pytest_housekeeping.checks.code.resolve.resolution import (
    ReachedObject,
    Rejection,
    Resolution,
)
from pytest_housekeeping.checks.code.resolve.statements import statement_node
from pytest_housekeeping.postgres.connection import Connection

# Names that must be there for these to work; CREATE, DROP IF EXISTS and the like may do without.
NEEDS_NAMES = {"TruncateStmt", "CopyStmt", "LockStmt", "CallStmt", "RefreshMatViewStmt"}
# What SET ROLE and connection options take in the place of a role's name.
_NO_ROLES = {"none", "default", "current_user", "session_user"}


class NameLookup:
    """Looks names up in the catalog, as a role with this search_path would.

    ``made``: the names of relations that the code itself creates.
    """

    def __init__(
        self,
        connection: Connection,
        graph: DependencyGraph,
        path: Sequence[str],
        made: frozenset[str],
    ) -> None:
        self._connection = connection
        self._graph = graph
        self._path = path
        self._made = made

    def resolve(self, reference: CodeReference) -> Resolution:
        """What the names of a reference mean, and whether one that it needs is not there."""
        reached: list[ReachedObject] = []
        rejected: Rejection | None = None
        for name in reference.names:
            reached += list(self.objects(name)) or list(self._about_to_be(reference, name))
            if name.kind is ReferenceKind.RELATION:
                rejected = rejected or self._missing(reference, name)
        return Resolution(reached=tuple(dict.fromkeys(reached)), rejected=rejected)

    def chosen(self, reference: CodeReference) -> Iterator[ReachedObject]:
        """Roles and schemas that a statement chooses, and relations in a text that it hands to a
        function to run: PostgreSQL keeps no dependencies of them."""
        for name in reference.names:
            qualified = name.kind is ReferenceKind.RELATION and len(name.parts) > 1
            if qualified or name.kind in (ReferenceKind.SCHEMA, ReferenceKind.ROLE):
                yield from self.objects(name)

    def objects(self, name: Name) -> Iterator[ReachedObject]:
        """Every object that a name may mean, and what stands behind views and functions."""
        if name.kind is ReferenceKind.SCHEMA and name.parts[0] in self._graph.schemas:
            yield ReachedObject(kind=ReferenceKind.SCHEMA, schema=name.parts[0])
        elif name.kind is ReferenceKind.ROLE and name.parts[0] not in _NO_ROLES:
            yield from self._role(name.parts[0])
        for node in self._nodes(name):
            if node in self._graph.names:
                yield self._graph.reached(node, columns=name.columns if node[0] else ())
                yield from self._graph.reached_behind(node, self._path)

    def is_made_here(self, reference: CodeReference) -> bool:
        """Whether it speaks of a table that the same code makes, such as a temporary one."""
        return any(name.parts[-1] in self._made for name in reference.names)

    def _role(self, role: str) -> Iterator[ReachedObject]:
        """A role, and the schemas in which it may read or write something."""
        yield ReachedObject(kind=ReferenceKind.ROLE, schema="", name=role)
        rows = self._connection.execute(_OF_ROLE, {"role": role})
        for (schema,) in rows.fetchall():
            yield ReachedObject(kind=ReferenceKind.SCHEMA, schema=schema, through=f"role {role}")

    def _nodes(self, name: Name) -> list[Node]:
        if name.kind is ReferenceKind.RELATION:
            oid = self._graph.relation(name.parts, self._path)
            return [(True, oid)] if oid is not None else []
        if name.kind is ReferenceKind.FUNCTION:
            return [(False, each) for each in self._graph.routine(name.parts, self._path)]
        return []

    def _about_to_be(self, reference: CodeReference, name: Name) -> Iterator[ReachedObject]:
        """An object that the statement itself makes, in a schema that exists."""
        if len(name.parts) > 1 and name.parts[-1] in reference.makes:
            schema = name.parts[-2]
            if schema in self._graph.schemas:
                yield ReachedObject(kind=name.kind, schema=schema, name=name.parts[-1])

    def _missing(self, reference: CodeReference, name: Name) -> Rejection | None:
        """Why a name is a fault: it is not there, and the code cannot work without it."""
        is_statement = reference.kind is ReferenceKind.STATEMENT
        if is_statement and statement_node(reference.text) not in NEEDS_NAMES:
            return None
        if name.parts[-1] in self._made:
            return None
        oid = self._graph.relation(name.parts, self._path)
        written = ".".join(name.parts)
        if oid is None:
            return Rejection(sqlstate="42P01", message=f'relation "{written}" does not exist')
        there = set(self._graph.columns.get(oid, {}).values())
        for column in name.columns:
            if there and column not in there:
                return Rejection(
                    sqlstate="42703",
                    message=f'column "{column}" of relation "{written}" does not exist',
                )
        return None


_OF_ROLE = """
SELECT n.nspname
FROM pg_catalog.pg_roles AS r
CROSS JOIN pg_catalog.pg_namespace AS n
WHERE r.rolname = %(role)s
    AND n.nspname NOT IN ('pg_catalog', 'information_schema')
    AND n.nspname NOT LIKE 'pg\\_%%'
    AND pg_catalog.has_schema_privilege(r.oid, n.oid, 'USAGE')
    AND EXISTS (
        SELECT FROM pg_catalog.pg_class AS c
        WHERE c.relnamespace = n.oid AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
            AND pg_catalog.has_table_privilege(r.oid, c.oid, 'SELECT, INSERT, UPDATE, DELETE')
    )
ORDER BY n.nspname
"""
