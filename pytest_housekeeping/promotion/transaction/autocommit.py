"""A file that no transaction can hold: run by itself, and finished where it was interrupted."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import psycopg
from psycopg import sql

from pytest_housekeeping.errors import LeftBehind, SqlFailed
from pytest_housekeeping.postgres.connection import Connection
from pytest_housekeeping.postgres.statement_errors import explain
from pytest_housekeeping.sql.file import SqlFile
from pytest_housekeeping.sql.parse import SyntaxRefused, parse, placeless

_INVALID = """
SELECT pg_catalog.format('%I.%I', n.nspname, c.relname)
FROM pg_catalog.pg_index AS i
JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE NOT i.indisvalid ORDER BY 1
"""
_EXISTING = """
SELECT n.nspname::text, c.relname::text, i.indisvalid, pg_catalog.pg_get_indexdef(i.indexrelid)
FROM pg_catalog.pg_index AS i
JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE i.indrelid = pg_catalog.to_regclass(%(table)s) AND c.relname = %(index)s
"""


def apply(connection: Connection, file: SqlFile, text: str) -> tuple[str, ...]:
    """Run the file in autocommit, and say what an earlier, interrupted run had left to do.

    CREATE INDEX CONCURRENTLY that is interrupted leaves an invalid index behind, which is dropped
    first; one that was finished and not recorded any more is recognised:
    https://www.postgresql.org/docs/16/sql-createindex.html#SQL-CREATEINDEX-CONCURRENTLY

    Raises LeftBehind when an invalid index stands afterwards, or nobody can say because the
    connection is lost, and SqlFailed when PostgreSQL refuses the statement and nothing stands.
    """
    said = _resume(connection, text)
    if said == _FINISHED:
        return (said,)
    before = _invalid(connection)
    try:
        connection.execute(text.encode())
    except psycopg.Error as error:
        raise _failed(connection, explain(file.path, text, error), before) from None
    broken = _invalid(connection) - before
    if broken:
        raise LeftBehind(
            f"{file.path} left invalid: {', '.join(sorted(broken))}",
            why="an invalid index is kept up to date at every write and used by no query",
            fix="run again: what is invalid is dropped first",
        )
    return (said,) if said else ()


def unfinished_indexes(files: Iterable[str]) -> frozenset[str]:
    """The names of the indexes that files outside of a transaction make, without their schema.

    An interrupted run may have left them behind, invalid; theirs is no change past the files.
    """
    bodies = (_index_statement(text) for text in files)
    return frozenset(str(body["idxname"]) for body in bodies if body and "idxname" in body)


def _failed(connection: Connection, failed: SqlFailed, before: set[str]) -> SqlFailed:
    """The refusal, with what stands of it: a build that was begun is not undone by failing."""
    if connection.closed:
        why = "the connection was lost: an invalid index may stand"
    else:
        left = sorted(_invalid(connection) - before)
        if not left:
            return failed
        why = f"it left {', '.join(left)} behind, invalid"
    fix = "correct the cause and run again: what is invalid is dropped first"
    return LeftBehind(failed.found, why=why, fix=fix, sqlstate=failed.sqlstate)


_FINISHED = "an earlier run had finished it without recording it"


def _resume(connection: Connection, text: str) -> str:
    """What is left of an interrupted run of a CREATE INDEX CONCURRENTLY."""
    body = _index_statement(text)
    if body is None or "idxname" not in body:
        return ""
    relation = body["relation"]
    table = sql.Identifier(
        *(relation[key] for key in ("schemaname", "relname") if relation.get(key))
    ).as_string(connection)
    row = connection.execute(_EXISTING, {"table": table, "index": body["idxname"]}).fetchone()
    if row is None:
        return ""
    schema, name, valid, definition = row
    if valid:
        existing = _index_statement(definition)
        same = existing is not None and _shape(existing, schema) == _shape(body, schema)
        return _FINISHED if same else ""
    connection.execute(sql.SQL("DROP INDEX CONCURRENTLY {}").format(sql.Identifier(schema, name)))
    return f"dropped the invalid index {schema}.{name} of an interrupted run"


def _index_statement(text: str) -> Mapping[str, Any] | None:
    try:
        statements = parse(text)
    except SyntaxRefused:
        return None
    if len(statements) != 1 or statements[0].name != "IndexStmt":
        return None
    return statements[0].body


def _shape(body: Mapping[str, Any], schema: str) -> str:
    """An index without where it was written, how it is built, and the schema left unsaid."""
    kept = {key: body[key] for key in body if key not in ("concurrent", "if_not_exists")}
    kept["accessMethod"] = kept.get("accessMethod") or "btree"
    kept["relation"] = {**kept["relation"], "schemaname": schema}
    return json.dumps(placeless(kept), sort_keys=True)


def _invalid(connection: Connection) -> set[str]:
    return {name for (name,) in connection.execute(_INVALID).fetchall()}
