"""What the spellings of objects.toml mean to PostgreSQL: ``int`` is integer, ``f(int)`` a function.

PostgreSQL itself is asked: to_regtype() and to_regprocedure() parse a name as it would
(https://www.postgresql.org/docs/16/functions-info.html#FUNCTIONS-INFO-CATALOG).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import psycopg

from pytest_housekeeping.declarations.objects import ObjectKind, Objects
from pytest_housekeeping.postgres.connection import Connection, rolled_back
from pytest_housekeeping.sql.parse import parsed

Resolver = Callable[[Connection, Sequence[str]], dict[str, str]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Spellings:
    """``known``: PostgreSQL's own spelling by the declared one. ``refused``: why it is none."""

    known: Mapping[str, str] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)


def spelled_types(connection: Connection, objects: Objects) -> Spellings:
    """The declared column types as format_type() prints them."""
    tables = objects.of_kind(ObjectKind.TABLE)
    spellings = sorted({spelling for table in tables for _, spelling in table.columns})
    refused = {s: "this is not how a type is written" for s in spellings if not _is_type(s)}
    usable = [spelling for spelling in spellings if spelling not in refused]
    found = _resolve(connection, usable, _format_types)
    return Spellings(known=found.known, refused=refused | dict(found.refused))


def spelled_functions(connection: Connection, objects: Objects) -> Spellings:
    """The declared functions as regprocedure prints them."""
    names = [declared.name for declared in objects.of_kind(ObjectKind.FUNCTION)]
    return _resolve(connection, names, _format_functions)


def _resolve(connection: Connection, spellings: Sequence[str], resolve: Resolver) -> Spellings:
    """All at once; where PostgreSQL refuses one, one by one, to know which."""
    if not spellings:
        return Spellings()
    try:
        with rolled_back(connection):
            return Spellings(known=resolve(connection, spellings))
    except psycopg.Error as error:
        if len(spellings) == 1:
            return Spellings(refused={spellings[0]: str(error.diag.message_primary or error)})
    each = [_resolve(connection, [spelling], resolve) for spelling in spellings]
    return Spellings(
        known={declared: own for one in each for declared, own in one.known.items()},
        refused={declared: why for one in each for declared, why in one.refused.items()},
    )


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
    statements = parsed(f"SELECT NULL::{spelling}")
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
