"""What is in the database, read from PostgreSQL's catalog in a fixed number of queries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import LiteralString

import psycopg

from pytest_housekeeping.checks.declared_spellings import spelled_functions, spelled_types
from pytest_housekeeping.checks.out_of_force import OutOfForce, QualifiedName, read_out_of_force
from pytest_housekeeping.declarations.objects import ObjectKind, Objects
from pytest_housekeeping.errors import RuleBroken
from pytest_housekeeping.postgres.connection import Connection, rolled_back
from pytest_housekeeping.sql.identifiers import split_name


@dataclass(frozen=True, kw_only=True, slots=True)
class CatalogRelation:
    """A table, view, index or sequence. ``counted``: worth a notice when nobody declares it.

    Not counted are partitions, indexes behind constraints, and what belongs to an extension.
    """

    name: QualifiedName
    kind: str
    columns: tuple[tuple[str, str], ...] = ()
    counted: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class CatalogRoutine:
    """A function or procedure; ``signature`` is what regprocedure prints."""

    name: QualifiedName
    signature: str
    counted: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class CatalogTrigger:
    """A trigger that somebody wrote: schema, table and name."""

    name: QualifiedName
    counted: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class Catalog:
    """The objects of some schemas, and what declared types and functions mean to PostgreSQL.

    ``out_of_force`` is what is there and does no work, ``may_be_not_valid`` the constraints that
    are declared to wait for their validation. ``types`` and ``signatures`` lead from a declared
    spelling to PostgreSQL's own. A spelling that means nothing is absent; why, stands in
    ``refused`` where PostgreSQL gave a reason.
    """

    schemas: frozenset[str]
    roles: frozenset[str]
    relations: Mapping[QualifiedName, CatalogRelation]
    routines: Mapping[str, CatalogRoutine]
    triggers: Mapping[QualifiedName, CatalogTrigger]
    out_of_force: tuple[OutOfForce, ...] = ()
    may_be_not_valid: frozenset[QualifiedName] = frozenset()
    types: Mapping[str, str] = field(default_factory=dict)
    signatures: Mapping[str, str] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)


def read_catalog(connection: Connection, objects: Objects) -> Catalog:
    """Read the schemas that the declarations speak of. Only inside an open transaction.

    Nothing stays changed: it runs in a savepoint that is rolled back, with an empty search_path,
    so that names outside pg_catalog are printed with their schema. Raises RuleBroken when the
    catalog cannot be read.
    """
    try:
        with rolled_back(connection):
            connection.execute("SET LOCAL search_path = ''")
            return _read(connection, objects)
    except psycopg.Error as error:
        raise RuleBroken(
            f"the catalog could not be read: {error.diag.message_primary or error}",
            why="what exists is not known, so nothing about it is proved",
            fix="see the message of PostgreSQL",
        ) from error


def _read(connection: Connection, objects: Objects) -> Catalog:
    schemas = {"schemas": list(objects.schemas)}
    relations = [
        CatalogRelation(
            name=(schema, name), kind=kind, columns=tuple(zip(cs, ts, strict=True)), counted=counted
        )
        for schema, name, kind, cs, ts, counted in connection.execute(_RELATIONS, schemas)
    ]
    routines = [
        CatalogRoutine(name=(schema, name), signature=signature, counted=counted)
        for schema, name, signature, counted in connection.execute(_ROUTINES, schemas)
    ]
    triggers = [
        CatalogTrigger(name=(schema, table, name), counted=counted)
        for schema, table, name, counted in connection.execute(_TRIGGERS, schemas)
    ]
    types, functions = spelled_types(connection, objects), spelled_functions(connection, objects)
    return Catalog(
        schemas=_names(connection, "SELECT nspname FROM pg_catalog.pg_namespace"),
        roles=_names(connection, "SELECT rolname FROM pg_catalog.pg_roles"),
        relations={relation.name: relation for relation in relations},
        routines={routine.signature: routine for routine in routines},
        triggers={trigger.name: trigger for trigger in triggers},
        out_of_force=read_out_of_force(connection, objects.schemas),
        may_be_not_valid=frozenset(
            split_name(each.name) for each in objects.of_kind(ObjectKind.NOT_VALID)
        ),
        types=types.known,
        signatures=functions.known,
        refused={**types.refused, **functions.refused},
    )


def _names(connection: Connection, query: LiteralString) -> frozenset[str]:
    return frozenset(row[0] for row in connection.execute(query))


# Nobody declares a TOAST table (relkind t). A dependency of the type e is membership in an
# extension: https://www.postgresql.org/docs/16/catalog-pg-depend.html
_RELATIONS = """
SELECT n.nspname, c.relname, c.relkind::text,
    coalesce(a.names, '{}'), coalesce(a.types, '{}'),
    NOT c.relispartition AND k.conindid IS NULL AND e.objid IS NULL
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN LATERAL (
    SELECT pg_catalog.array_agg(attname::text ORDER BY attnum) AS names,
        pg_catalog.array_agg(pg_catalog.format_type(atttypid, atttypmod) ORDER BY attnum) AS types
    FROM pg_catalog.pg_attribute
    WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped
) AS a ON c.relkind IN ('r', 'p', 'v', 'm', 'f')
LEFT JOIN (
    SELECT DISTINCT conindid FROM pg_catalog.pg_constraint WHERE contype IN ('p', 'u', 'x')
) AS k ON k.conindid = c.oid
LEFT JOIN pg_catalog.pg_depend AS e ON e.objid = c.oid AND e.deptype = 'e'
    AND e.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
WHERE n.nspname = ANY (%(schemas)s) AND c.relkind <> 't'
ORDER BY n.nspname, c.relname
"""

_ROUTINES = """
SELECT n.nspname, p.proname, p.oid::pg_catalog.regprocedure::text, e.objid IS NULL
FROM pg_catalog.pg_proc AS p
JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
LEFT JOIN pg_catalog.pg_depend AS e ON e.objid = p.oid AND e.deptype = 'e'
    AND e.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
WHERE n.nspname = ANY (%(schemas)s)
ORDER BY 3
"""

# A trigger with a parent is the clone that a partition gets; internal ones are foreign keys.
_TRIGGERS = """
SELECT n.nspname, c.relname, t.tgname, t.tgparentid = 0
FROM pg_catalog.pg_trigger AS t
JOIN pg_catalog.pg_class AS c ON c.oid = t.tgrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = ANY (%(schemas)s) AND NOT t.tgisinternal
ORDER BY 1, 2, 3
"""
