"""What is in the database, read from PostgreSQL's catalog in a fixed number of queries."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, LiteralString

import psycopg

from pytest_housekeeping.declarations.objects import ObjectKind, Objects
from pytest_housekeeping.errors import RuleBroken
from pytest_housekeeping.postgres.connection import Connection, rolled_back
from pytest_housekeeping.sql.parse import SyntaxRefused, parse

Name = tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Relation:
    """A table, view, index or sequence. ``counted``: worth a notice when nobody declares it.

    Not counted are partitions, indexes behind constraints, and what belongs to an extension.
    """

    name: Name
    kind: str
    columns: tuple[tuple[str, str], ...] = ()
    counted: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class Routine:
    """A function or procedure; ``signature`` is what regprocedure prints."""

    name: Name
    signature: str
    counted: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class Trigger:
    """A trigger that somebody wrote: schema, table and name."""

    name: Name
    counted: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class Catalog:
    """The objects of some schemas, and what declared types and functions mean to PostgreSQL.

    ``types`` and ``signatures`` lead from a declared spelling to PostgreSQL's own. A spelling that
    means nothing is absent; why, stands in ``refused`` where PostgreSQL gave a reason.
    """

    schemas: frozenset[str]
    roles: frozenset[str]
    relations: Mapping[Name, Relation]
    routines: Mapping[str, Routine]
    triggers: Mapping[Name, Trigger]
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
        Relation(
            name=(schema, name), kind=kind, columns=tuple(zip(cs, ts, strict=True)), counted=counted
        )
        for schema, name, kind, cs, ts, counted in connection.execute(_RELATIONS, schemas)
    ]
    routines = [
        Routine(name=(schema, name), signature=signature, counted=counted)
        for schema, name, signature, counted in connection.execute(_ROUTINES, schemas)
    ]
    triggers = [
        Trigger(name=(schema, table, name), counted=counted)
        for schema, table, name, counted in connection.execute(_TRIGGERS, schemas)
    ]
    types, types_refused = _types(connection, objects)
    signatures, functions_refused = _signatures(connection, objects)
    return Catalog(
        schemas=_names(connection, "SELECT nspname FROM pg_catalog.pg_namespace"),
        roles=_names(connection, "SELECT rolname FROM pg_catalog.pg_roles"),
        relations={relation.name: relation for relation in relations},
        routines={routine.signature: routine for routine in routines},
        triggers={trigger.name: trigger for trigger in triggers},
        types=types,
        signatures=signatures,
        refused=types_refused | functions_refused,
    )


def _names(connection: Connection, query: LiteralString) -> frozenset[str]:
    return frozenset(row[0] for row in connection.execute(query))


def _types(connection: Connection, objects: Objects) -> tuple[dict[str, str], dict[str, str]]:
    tables = objects.of_kind(ObjectKind.TABLE)
    spellings = sorted({spelling for table in tables for _, spelling in table.columns})
    refused = {s: "this is not how a type is written" for s in spellings if not _is_type(s)}
    usable = [spelling for spelling in spellings if spelling not in refused]
    return _resolve(connection, usable, _format_types, refused)


def _signatures(connection: Connection, objects: Objects) -> tuple[dict[str, str], dict[str, str]]:
    names = [declared.name for declared in objects.of_kind(ObjectKind.FUNCTION)]
    return _resolve(connection, names, _format_functions, {})


def _resolve(
    connection: Connection, spellings: Sequence[str], resolve: Any, refused: dict[str, str]
) -> tuple[dict[str, str], dict[str, str]]:
    """All at once; where PostgreSQL refuses one, one by one, to know which."""
    if not spellings:
        return {}, refused
    try:
        with rolled_back(connection):
            return resolve(connection, spellings), refused
    except psycopg.Error as error:
        if len(spellings) == 1:
            return {}, refused | {spellings[0]: str(error.diag.message_primary or error)}
    known: dict[str, str] = {}
    for spelling in spellings:
        found, refused = _resolve(connection, [spelling], resolve, refused)
        known |= found
    return known, refused


def _format_types(connection: Connection, spellings: Sequence[str]) -> dict[str, str]:
    """``numeric(12,2)`` as PostgreSQL prints it.

    to_regtype() drops the modifier, which the row description of a cast still tells. Of a domain
    that description tells the base type, and a domain takes no modifier.
    """
    casts = ", ".join(f"NULL::{spelling}" for spelling in spellings)
    described = connection.execute(f"SELECT {casts} WHERE false".encode()).pgresult
    modifiers = [described.fmod(n) if described else -1 for n in range(len(spellings))]
    rows = connection.execute(_FORMAT_TYPES, {"spellings": spellings, "modifiers": modifiers})
    return {spelling: printed for spelling, printed in rows if printed is not None}


def _format_functions(connection: Connection, names: Sequence[str]) -> dict[str, str]:
    rows = connection.execute(
        "SELECT name, pg_catalog.to_regprocedure(name)::text"
        " FROM pg_catalog.unnest(%s::text[]) AS declared (name)",
        [list(names)],
    )
    return {name: printed for name, printed in rows if printed is not None}


def _is_type(spelling: str) -> bool:
    """Whether the text is one type and nothing else, as it becomes part of a statement."""
    if "--" in spelling or "/*" in spelling:
        return False
    try:
        statements = parse(f"SELECT NULL::{spelling}")
    except SyntaxRefused:
        return False
    if len(statements) != 1 or statements[0].name != "SelectStmt":
        return False
    body = dict(statements[0].body)
    target = body.pop("targetList", [])
    if len(target) != 1 or body.keys() - {"limitOption", "op"}:
        return False
    result = target[0]["ResTarget"]
    cast = result.get("val", {}).get("TypeCast", {})
    null = cast.get("arg", {}).get("A_Const", {}).get("isnull", False)
    return "name" not in result and bool(null) and "SubLink" not in json.dumps(cast)


_FORMAT_TYPES = """
SELECT declared.spelling, pg_catalog.format_type(
    pg_catalog.to_regtype(declared.spelling)::oid,
    CASE WHEN t.typtype = 'd' THEN NULL ELSE declared.modifier END)
FROM ROWS FROM (
    pg_catalog.unnest(%(spellings)s::text[]), pg_catalog.unnest(%(modifiers)s::integer[])
) AS declared (spelling, modifier)
JOIN pg_catalog.pg_type AS t ON t.oid = pg_catalog.to_regtype(declared.spelling)
"""

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

_TRIGGERS = """
SELECT n.nspname, c.relname, t.tgname, t.tgparentid = 0
FROM pg_catalog.pg_trigger AS t
JOIN pg_catalog.pg_class AS c ON c.oid = t.tgrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = ANY (%(schemas)s) AND NOT t.tgisinternal
ORDER BY 1, 2, 3
"""
