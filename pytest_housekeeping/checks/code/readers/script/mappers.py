"""Tables that mappers declare as objects: Drizzle, TypeORM and Sequelize."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from pytest_housekeeping.checks.code.facts import ReferenceKind
from pytest_housekeeping.checks.code.readers.script.chains import is_database
from pytest_housekeeping.checks.code.readers.script.script_file import ScriptFile
from pytest_housekeeping.checks.code.readers.script.tables import add_table
from pytest_housekeeping.checks.code.readers.script.tree import (
    arguments,
    callee,
    pairs,
    tagged,
    unwrapped,
    words,
)
from pytest_housekeeping.checks.code.sqltext.template import Hole, join

if TYPE_CHECKING:
    from tree_sitter import Node

_DRIZZLE_TABLES = {"pgTable", "pgView", "pgMaterializedView", "pgSequence"}
_NAMED_BESIDE = {"tableName", "name", "modelName", "sequelize"}
_DRIZZLE_MEMBERS = {"table", "view", "materializedView", "sequence"}


def read(file: ScriptFile) -> None:
    """Take in every declaration of a table or schema. What it declares is ``done``."""
    for call in file.nodes.get("call", ()):
        given = arguments(call)
        if given and tagged(call) is None:
            _declaration(file, call, given)
        _massive(file, call)
    for node in file.nodes.get("object", ()):
        _sequelize(file, node)
        _settings(file, node)
    for node in file.nodes.get("array", ()) if file.collector.runs_commands else ():
        _arguments(file, node)
    for node in (*file.nodes.get("field", ()), *file.nodes.get("method", ())):
        _objection(file, node)


def _settings(file: ScriptFile, node: Node) -> None:
    """``{ sql_table: "governance.ledger" }``, and ``{ schema: "governance", table: "ledger" }``."""
    options = dict(pairs(node))
    for key, value in options.items():
        text = file.static_value(value)
        if text is None or (key == "schema" and not file.has_mapper):
            continue
        if key == "schema" and "table" in options:
            add_table(file, options["table"], text, how="schema and table", certain=False)
        elif key != "schema" or not options.keys() & _NAMED_BESIDE:
            file.collector.add_setting(key, text, file.span(value))


def _arguments(file: ScriptFile, node: Node) -> None:
    """``spawn("pg_dump", ["-t", "governance.ledger"])``."""
    parts = [
        file.template(each) or (Hole(expression=words(each)[:60]),) for each in node.named_children
    ]
    spaced = itertools.chain.from_iterable((part, (" ",)) for part in parts)
    file.collector.add_arguments(join(*spaced), file.span(node))


def _massive(file: ScriptFile, call: Node) -> None:
    """Massive: ``db.governance.ledger.find()`` and ``db.governance.close_books()``."""
    names: list[Node] = []
    at = call.child_by_field_name("function")
    while at is not None and at.type == "member_expression":
        if (name := at.child_by_field_name("property")) is not None:
            names.insert(0, name)
        at = at.child_by_field_name("object")
    if at is None or not is_database(at):
        return
    # Where the database has no such object, it is something else: client.auth.admin.listUsers().
    for count, kind in ((2, ReferenceKind.FUNCTION), (3, ReferenceKind.RELATION)):
        if len(names) == count:
            parts = tuple(words(each) for each in names[:2])
            file.collector.add_name(parts, kind, file.span(names[0]), how="db", certain=False)


def is_drizzle_member(file: ScriptFile, base: Node, name: str) -> bool:
    """Whether ``name`` declares something in a schema of Drizzle's."""
    return name in _DRIZZLE_MEMBERS and _drizzle_schema(file, base) is not None


def _declaration(file: ScriptFile, call: Node, given: list[Node]) -> None:
    base, name = callee(call)
    columns = given[1] if len(given) > 1 else None
    if base is not None:
        if name in _DRIZZLE_MEMBERS and (schema := _drizzle_schema(file, base)) is not None:
            how = f"pgSchema().{name}()"
            add_table(file, given[0], schema, how=how, certain=True, columns=columns)
    elif name in _DRIZZLE_TABLES:
        add_table(file, given[0], None, how=f"{name}()", certain=True, columns=columns)
    elif name == "pgSchema":
        place, text = file.span(given[0]), file.static_value(given[0])
        if text is None:
            file.collector.add_undecided(place, "pgSchema() of a name that is made at run time")
        else:
            file.collector.add_name(
                (text,), ReferenceKind.SCHEMA, place, how="pgSchema()", certain=False
            )
    elif name in ("Entity", "ViewEntity", "JoinTable"):
        _entity(file, given)


def _drizzle_schema(file: ScriptFile, base: Node) -> str | None:
    """The schema of ``pgSchema("governance")``, also by way of a name."""
    value = file.names.single(base) if base.type == "identifier" else unwrapped(base)
    if value is None or value.type != "call_expression" or callee(value)[1] != "pgSchema":
        return None
    given = arguments(value)
    return file.static_value(given[0]) if given else None


def _entity(file: ScriptFile, given: list[Node]) -> None:
    """TypeORM: ``@Entity("ledger", { schema: "governance" })``."""
    options = dict(pairs(given[-1]))
    name = given[0] if given[0].type == "string" else options.get("name")
    schema = file.static_value(options["schema"]) if "schema" in options else None
    if name is not None:
        add_table(file, name, schema, how="@Entity()", certain=True)


def _objection(file: ScriptFile, node: Node) -> None:
    """Objection: ``static tableName = "governance.ledger"``, and the getter of that name."""
    name = node.child_by_field_name("name") or node.child_by_field_name("property")
    if name is None or words(name) != "tableName":
        return
    value = node.child_by_field_name("value")
    body = node.child_by_field_name("body")
    for statement in body.named_children if body is not None else ():
        if statement.type == "return_statement" and statement.named_children:
            value = statement.named_children[0]
    if value is not None:
        add_table(file, unwrapped(value), None, how="tableName", certain=False)


def _sequelize(file: ScriptFile, node: Node) -> None:
    """Sequelize: ``{ tableName: "ledger", schema: "governance" }``."""
    options = dict(pairs(node))
    if "tableName" in options:
        schema = file.static_value(options["schema"]) if "schema" in options else None
        certain = schema is not None
        add_table(file, options["tableName"], schema, how="tableName", certain=certain)
    elif "schema" in options and options.keys() & {"modelName", "sequelize"}:
        text = file.static_value(options["schema"])
        if text is not None:
            place = file.span(options["schema"])
            file.collector.add_name(
                (text,), ReferenceKind.SCHEMA, place, how="a model's schema", certain=False
            )
