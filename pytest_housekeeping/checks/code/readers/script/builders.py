"""Tables that query builders and mappers of TypeScript name: Supabase, Knex, Kysely, Drizzle."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from pytest_housekeeping.checks.code.facts import ReferenceKind
from pytest_housekeeping.checks.code.readers.script.tree import (
    arguments,
    callee,
    pairs,
    tagged,
    unwrapped,
    words,
)
from pytest_housekeeping.checks.code.readers.script.walk import ScriptFile, is_database, receiver
from pytest_housekeeping.checks.code.vocabulary import vocabulary
from pytest_housekeeping.sql.identifiers import split_name

if TYPE_CHECKING:
    from tree_sitter import Node

_SCHEMA_METHODS = {"schema", "withSchema"}
_TABLE_METHODS = vocabulary(
    """
    from table into selectFrom insertInto updateTable deleteFrom replaceInto mergeInto
    createTable alterTable dropTable truncateTable using
    """
)
_JOINS = vocabulary(
    """
    join innerJoin leftJoin rightJoin fullJoin outerJoin crossJoin leftOuterJoin rightOuterJoin
    fullOuterJoin innerJoinLateral leftJoinLateral
    """
)
_KNEX = {"knex", "trx", "db", "tx", "kx"}
_STRANGERS = vocabulary(
    """
    array buffer object set map uint8array int32array float64array readable observable promise
    date string path typedarray stream rx of url moment dayjs
    """
)
_NAME = re.compile(
    r'\s*((?:"[^"]+"|[\w$]+)(?:\.(?:"[^"]+"|[\w$]+))?)(?:\s+(?:as\s+)?\w+)?\s*', re.IGNORECASE
)
_DRIZZLE = {"pgTable", "pgView", "pgMaterializedView", "pgSequence"}
_SCHEMA_MEMBERS = {"table", "view", "materializedView", "sequence"}


def read(source: ScriptFile) -> None:
    """Take in every call that names a table, a schema or a function."""
    for call in source.nodes.get("call", ()):
        if tagged(call) is None:
            _call(source, call)
    for call in [*source.nodes.get("call", ()), *source.nodes.get("new", ())]:
        _options(source, call)
    for node in source.nodes.get("object", ()):
        _object(source, node)


def _call(source: ScriptFile, call: Node) -> None:
    base, name = callee(call)
    given = arguments(call)
    if not given:
        return
    if base is None:
        _function(source, call, name, given)
    elif name in _SCHEMA_MEMBERS and (schema := _drizzle_schema(source, base)) is not None:
        _table(source, given[0], schema, how=f"pgSchema().{name}()", certain=True, columns=given)
    elif name == "rpc":
        _rpc(source, call, base, given[0])
    elif name in _SCHEMA_METHODS and (text := source.static(given[0])) is not None:
        if (name == "withSchema" or is_database(base)) and not _names_a_table(call, base):
            place = source.span(given[0])
            source.collector.name(
                (text,), ReferenceKind.SCHEMA, place, how=f"{name}()", certain=False
            )
    elif name in _SCHEMA_METHODS and (name == "withSchema" or is_database(base)):
        if not arguments(call)[0].type.endswith("function"):
            reason = f"{name}() of a schema that is chosen at run time"
            source.collector.undecided(source.span(given[0]), reason)
    elif name in _TABLE_METHODS or name in _JOINS:
        _method(source, call, base, name, given[0])


def _function(source: ScriptFile, call: Node, name: str, given: list[Node]) -> None:
    if name in _DRIZZLE:
        _table(source, given[0], None, how=f"{name}()", certain=True, columns=given)
    elif name == "pgSchema" and (text := source.static(given[0])) is not None:
        place = source.span(given[0])
        source.collector.name((text,), ReferenceKind.SCHEMA, place, how="pgSchema()", certain=False)
    elif name in _KNEX and given[0].type not in ("object", "arrow_function"):
        schema = _schema_around(source, call)
        if source.static(given[0]) is not None:
            _table(source, given[0], schema, how=f"{name}()", certain=schema is not None)
        elif name in ("knex", "trx"):
            _at_run_time(source, given[0], name)
    elif name in ("knex", "trx"):
        for _, value in pairs(given[0]):
            if source.static(value) is not None and value.type == "string":
                _alias(source, call, value, name)
    elif name == "Entity":
        _entity(source, given)


def _alias(source: ScriptFile, call: Node, value: Node, name: str) -> None:
    """``knex({ l: "governance.ledger" })``, but not the options of ``knex({ client: "pg" })``."""
    if "." in (source.static(value) or "") or _schema_around(source, call):
        _table(source, value, _schema_around(source, call), how=f"{name}()", certain=False)


def _entity(source: ScriptFile, given: list[Node]) -> None:
    options = dict(pairs(given[-1]))
    name = given[0] if given[0].type == "string" else options.get("name")
    schema = source.static(options["schema"]) if "schema" in options else None
    if name is not None:
        _table(source, name, schema, how="@Entity()", certain=True)


def _method(source: ScriptFile, call: Node, base: Node, name: str, argument: Node) -> None:
    if receiver(_root(base)) in _STRANGERS or argument.type.endswith("function"):
        return
    schema = _schema_around(source, call)
    built = schema is not None or is_database(_root(base)) or _is_builder_chain(base)
    if name in _JOINS and not built:
        return
    items = [argument]
    if argument.type == "array":
        items = argument.named_children
    elif argument.type == "object":
        items = [value for _, value in pairs(argument)]
    for item in items:
        if source.static(item) is not None:
            text = source.static(item) or ""
            certain = schema is not None or (built and "." in text)
            _table(source, item, schema, how=f"{name}()", certain=certain)
        elif (
            built
            and not _is_table_object(source, item, base)
            and item.type
            in ("identifier", "template_string", "binary_expression", "member_expression")
        ):
            _at_run_time(source, item, name)


def _rpc(source: ScriptFile, call: Node, base: Node, argument: Node) -> None:
    schema = _schema_around(source, call)
    text = source.static(argument)
    if text is not None and _NAME.fullmatch(text):
        if is_database(_root(base)) or schema is not None or "." in text:
            parts = split_name(f"{schema}.{text}" if schema else text)
            source.collector.name(
                parts,
                ReferenceKind.FUNCTION,
                source.span(argument),
                how="rpc()",
                certain=schema is not None,
            )
    elif text is None and (schema is not None or is_database(_root(base))):
        _at_run_time(source, argument, "rpc")


def _table(
    source: ScriptFile,
    node: Node,
    schema: str | None,
    *,
    how: str,
    certain: bool,
    columns: list[Node] | None = None,
) -> None:
    text = source.static(node)
    if text is None:
        _at_run_time(source, node, how)
        return
    match = _NAME.fullmatch(text)
    if match is None:
        return
    parts = split_name(match[1]) if '"' in text else tuple(match[1].split("."))
    if schema is not None and len(parts) == 1:
        parts = (schema, *parts)
    named = tuple(_columns(source, columns[1])) if columns and len(columns) > 1 else ()
    place = source.span(node)
    source.done.add(node.id)
    source.collector.name(
        parts, ReferenceKind.RELATION, place, how=how, certain=certain, columns=named
    )


def _columns(source: ScriptFile, node: Node) -> Iterator[str]:
    """``id: integer("id").primaryKey()`` names its column, ``id: integer()`` by its key."""
    for key, value in pairs(node):
        at = unwrapped(value)
        while at.type == "call_expression":
            base, _ = callee(at)
            if base is None:
                given = arguments(at)
                text = source.static(given[0]) if given and given[0].type == "string" else None
                yield text or key
            at = base if base is not None else source.tree.root_node


def _options(source: ScriptFile, call: Node) -> None:
    """Roles and schemas among the options of a connection."""
    base, name = callee(call)
    if name not in (
        "createClient",
        "Pool",
        "Client",
        "postgres",
        "knex",
        "PrismaClient",
        "Sequelize",
    ):
        return
    del base
    for argument in arguments(call):
        for path, value in _leaves(argument):
            text = source.static(value)
            if not text:
                continue
            place = source.span(value)
            if path[-1] == "user":
                source.collector.name((text,), ReferenceKind.ROLE, place, how="connection options")
            elif path[-1] in ("searchPath", "search_path") or path == ("db", "schema"):
                source.collector.name(
                    (text,), ReferenceKind.SCHEMA, place, how="connection options"
                )


def _leaves(node: Node, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Node]]:
    for key, value in pairs(node):
        if value.type == "object":
            yield from _leaves(value, (*path, key))
        elif value.type == "array":
            yield from (((*path, key), each) for each in value.named_children)
        else:
            yield (*path, key), value


def _object(source: ScriptFile, node: Node) -> None:
    """Sequelize: ``{ tableName: "ledger", schema: "governance" }``."""
    options = dict(pairs(node))
    if "tableName" in options:
        schema = source.static(options["schema"]) if "schema" in options else None
        _table(source, options["tableName"], schema, how="tableName", certain=schema is not None)


def _schema_around(source: ScriptFile, call: Node) -> str | None:
    """The schema that the chain chooses, before or behind the call."""
    at: Node | None = call
    while at is not None and at.type == "call_expression":
        base, name = callee(at)
        if name in _SCHEMA_METHODS and arguments(at) and at != call:
            return source.static(arguments(at)[0])
        at = unwrapped(base) if base is not None else None
    if at is not None and at.type == "identifier":
        value = source.names.single(at)
        if value is not None and value.type == "call_expression" and value != call:
            base, name = callee(value)
            if name in _SCHEMA_METHODS and arguments(value):
                return source.static(arguments(value)[0])
    member = call.parent
    while member is not None and member.type == "member_expression" and member.parent is not None:
        base, name = callee(member.parent)
        if name in _SCHEMA_METHODS and arguments(member.parent):
            return source.static(arguments(member.parent)[0])
        member = member.parent.parent
    return None


def _names_a_table(call: Node, base: Node) -> bool:
    """Whether the chain itself goes on to name a table, or has done so: that says it better."""
    member = call.parent
    if member is not None and member.type == "member_expression" and member.parent is not None:
        following = callee(member.parent)[1]
        if following in _TABLE_METHODS or following == "rpc":
            return True
    return _is_builder_chain(base)


def _drizzle_schema(source: ScriptFile, base: Node) -> str | None:
    value = source.names.single(base) if base.type == "identifier" else unwrapped(base)
    if value is None or value.type != "call_expression" or callee(value)[1] != "pgSchema":
        return None
    given = arguments(value)
    return source.static(given[0]) if given else None


def _root(base: Node) -> Node:
    """The innermost object of a chain of calls."""
    at = unwrapped(base)
    while at.type == "call_expression":
        inner, _ = callee(at)
        function = at.child_by_field_name("function")
        if inner is None:
            return function if function is not None else at
        at = unwrapped(inner)
    return at


def _is_builder_chain(base: Node) -> bool:
    at: Node | None = unwrapped(base)
    while at is not None and at.type == "call_expression":
        inner, name = callee(at)
        if name in _SCHEMA_METHODS | {"selectFrom", "insertInto", "updateTable", "deleteFrom"}:
            return True
        if inner is None and name in _KNEX:
            return True
        at = unwrapped(inner) if inner is not None else None
    return False


def _is_table_object(source: ScriptFile, item: Node, base: Node) -> bool:
    """Drizzle: ``db.select().from(orders)`` names a table that is declared as an object."""
    value = source.names.single(item)
    if value is not None and value.type == "call_expression":
        return True
    return any(name in words(base) for name in (".select(", ".selectDistinct(", ".with("))


def _at_run_time(source: ScriptFile, node: Node, how: str) -> None:
    name = " ".join(words(node).split())[:60]
    source.collector.undecided(
        source.span(node), f"{how.removesuffix('()')}() of a name that is made at run time: {name}"
    )
