"""What an interrupted run of a file that no transaction can hold has left, and how it is finished.

https://www.postgresql.org/docs/16/sql-createindex.html#SQL-CREATEINDEX-CONCURRENTLY
https://www.postgresql.org/docs/16/sql-reindex.html#SQL-REINDEX-CONCURRENTLY
https://www.postgresql.org/docs/16/sql-altertable.html#SQL-ALTERTABLE-DETACH-PARTITION
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from psycopg import sql

from pytest_housekeeping.postgres.connection import Connection
from pytest_housekeeping.snapshot.compare.difference import Change, Difference
from pytest_housekeeping.sql.identifiers import split_name
from pytest_housekeeping.sql.parse import parsed, placeless

FINISHED = "an earlier run had finished it without recording it"
_Body = Mapping[str, Any]
_DEFINITION = "definition: "
_INVALID = "invalid"

_INDEX = """
SELECT n.nspname::text, c.relname::text, i.indisvalid, pg_catalog.pg_get_indexdef(i.indexrelid)
FROM pg_catalog.pg_index AS i
JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE i.indrelid = pg_catalog.to_regclass(%(table)s) AND c.relname = %(index)s
"""
# A rebuilt index stands beside the old one until both have changed names.
_TWINS = """
SELECT n.nspname::text, twin.relname::text
FROM pg_catalog.pg_index AS i
JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid
JOIN pg_catalog.pg_index AS t ON t.indrelid = i.indrelid AND NOT t.indisvalid
JOIN pg_catalog.pg_class AS twin ON twin.oid = t.indexrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = twin.relnamespace
WHERE pg_catalog.to_regclass(%(name)s) IN (i.indexrelid, i.indrelid)
AND pg_catalog.regexp_replace(twin.relname, '_cc(new|old)[0-9]*$', '') = c.relname
AND twin.relname <> c.relname
ORDER BY 1, 2
"""
_DETACHED = """
SELECT i.inhdetachpending
FROM (SELECT pg_catalog.to_regclass(%(parent)s) AS parent,
             pg_catalog.to_regclass(%(part)s) AS part) AS named
LEFT JOIN pg_catalog.pg_inherits AS i ON i.inhparent = named.parent AND i.inhrelid = named.part
WHERE named.parent IS NOT NULL AND named.part IS NOT NULL
"""


def resume(connection: Connection, text: str) -> str:
    """Clear away what an interrupted run of this text has left, and say so.

    FINISHED, and what ends with it, says that nothing of it is left to do.
    Raises psycopg.Error where that is refused.
    """
    name, body = _statement(text)
    act = _RESUMED.get(name)
    return act(connection, body) if act else ""


def left_by(texts: Iterable[str], difference: Difference) -> bool:
    """Whether it is an index that one of these texts, interrupted, has left so, or has made without
    that being recorded."""
    if not difference.name.startswith("index "):
        return False
    schema, index = (["", *split_name(difference.name.removeprefix("index "))])[-2:]
    return any(_leaves(*_statement(text), schema, index, difference) for text in texts)


def not_cleared(text: str, indexes: Collection[str]) -> list[str]:
    """Of invalid indexes that a run of this text has left, those that its next one does not drop:
    a name that PostgreSQL has made up is another one the next time."""
    name, body = _statement(text)
    if name != "IndexStmt" or "idxname" in body:
        return []
    return sorted(indexes)


def _leaves(name: str, body: _Body, schema: str, index: str, difference: Difference) -> bool:
    invalid = _INVALID in difference.after.splitlines()
    if name == "IndexStmt" and body.get("idxname") == index:
        if invalid or difference.change is not Change.ADDED:
            return invalid
        made = difference.after.removeprefix(_DEFINITION).splitlines()[0]
        return _is_same(body, made, schema)
    if name == "DropStmt" and body.get("removeType") == "OBJECT_INDEX":
        # One that is not there may bear another name now: nobody can say who dropped it.
        return _dropped(body)[-1:] == [index] and invalid
    return False


def _made(connection: Connection, body: _Body) -> str:
    if "idxname" not in body:
        return ""
    found = {"table": _named(connection, body["relation"]), "index": body["idxname"]}
    row = connection.execute(_INDEX, found).fetchone()
    if row is None:
        return ""
    schema, name, valid, definition = row
    if valid:
        return FINISHED if _is_same(body, definition, schema) else ""
    return _drop(connection, schema, name)


def _rebuilt(connection: Connection, body: _Body) -> str:
    if not body.get("relation"):
        return ""
    name = _named(connection, body["relation"])
    twins = connection.execute(_TWINS, {"name": name}).fetchall()
    return "; ".join(_drop(connection, schema, twin) for schema, twin in twins)


def _detached(connection: Connection, body: _Body) -> str:
    command = body["cmds"][0]["AlterTableCmd"]
    if command.get("subtype") != "AT_DetachPartition":
        return ""
    parent = _named(connection, body["relation"])
    part = _named(connection, command["def"]["PartitionCmd"]["name"])
    row = connection.execute(_DETACHED, {"parent": parent, "part": part}).fetchone()
    if row is None or row[0] is False:
        return ""
    if row[0] is None:
        return FINISHED
    connection.execute(f"ALTER TABLE {parent} DETACH PARTITION {part} FINALIZE".encode())
    return f"what an interrupted run had begun is done by FINALIZE: {FINISHED}"


_RESUMED: dict[str, Callable[[Connection, _Body], str]] = {
    "IndexStmt": _made,
    "ReindexStmt": _rebuilt,
    "AlterTableStmt": _detached,
}


def _drop(connection: Connection, schema: str, name: str) -> str:
    connection.execute(sql.SQL("DROP INDEX CONCURRENTLY {}").format(sql.Identifier(schema, name)))
    return f"dropped the invalid index {schema}.{name} of an interrupted run"


def _statement(text: str) -> tuple[str, _Body]:
    """The one statement of a text; "" where it holds another number of them."""
    statements = parsed(text)
    return (statements[0].name, statements[0].body) if len(statements) == 1 else ("", {})


def _named(connection: Connection, relation: _Body) -> str:
    parts = (relation[key] for key in ("schemaname", "relname") if relation.get(key))
    return sql.Identifier(*parts).as_string(connection)


def _dropped(body: _Body) -> list[str]:
    (first, *_) = body["objects"]
    return [str(each["String"]["sval"]) for each in first["List"]["items"]]


def _is_same(body: _Body, definition: str, schema: str) -> bool:
    name, existing = _statement(definition)
    return name == "IndexStmt" and _shape(existing, schema) == _shape(body, schema)


def _shape(body: _Body, schema: str) -> str:
    """An index without where it was written, how it is built, and the schema left unsaid."""
    kept = {key: body[key] for key in body if key not in ("concurrent", "if_not_exists")}
    kept["accessMethod"] = kept.get("accessMethod") or "btree"
    kept["relation"] = {**kept["relation"], "schemaname": schema}
    return json.dumps(placeless(kept), sort_keys=True)
