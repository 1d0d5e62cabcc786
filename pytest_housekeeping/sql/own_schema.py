"""Where a SQL file names the schema of the tool's own tables, which no file may do.

Statements are read as PostgreSQL's parser reads them, quotes and Unicode escapes included. The
bodies of functions and DO blocks, and string constants, which a statement may run, are read word by
word. A name that is put together at run time is in no text: the transaction itself shows what it
did (``postgres/own_tables/guard.py``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_housekeeping.sql.own_schema_words import names_in_text, place_of_name
from pytest_housekeeping.sql.parse import Statement, extents, parsed
from pytest_housekeeping.sql.problems import Problem
from pytest_housekeeping.sql.text import place

_WHY = (
    "it holds the history of what is applied: only this tool writes to it, or nobody could say what"
    " is true of the database"
)
_SCHEMA_KEYS = ("schemaname", "newschema", "local_schema")
# What follows names an object by the relation that it belongs to: trigger, rule, column ...
_OF_A_RELATION = (
    "OBJECT_TRIGGER",
    "OBJECT_RULE",
    "OBJECT_POLICY",
    "OBJECT_COLUMN",
    "OBJECT_TABCONSTRAINT",
)
_OF_SCHEMAS = ("OBJECT_SCHEMA", "ACL_TARGET_ALL_IN_SCHEMA")
_OURSELVES = ("ROLESPEC_CURRENT_USER", "ROLESPEC_CURRENT_ROLE", "ROLESPEC_SESSION_USER")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Sought:
    """The schema, and how a list of names in the statement at hand has to be read."""

    schema: str
    of_schemas: bool
    of_a_relation: bool


def own_schema_problems(text: str, *, schema: str, migrator: str) -> Iterator[Problem]:
    """Each statement of a file that names the schema, or takes all that the migrator owns."""
    low = text.lower()
    if schema not in low and "u&" not in low and "owned" not in low:
        return  # nearly every file: nothing has to be parsed
    for statement, end in extents(parsed(text), text):
        offset = statement.offset
        if statement.name in ("DropOwnedStmt", "ReassignOwnedStmt"):
            if _of_the_migrator(statement.body, migrator):
                words = "DROP" if statement.name == "DropOwnedStmt" else "REASSIGN"
                found = f"{words} OWNED takes the tables of schema {schema} with it"
                yield _problem(text, offset, found, "name the objects that are meant")
        elif _names(statement, schema):
            offset += place_of_name(text[offset:end], schema)
            yield _problem(
                text,
                offset,
                f"schema {schema} is named, which holds this tool's own tables",
                "take it out; where the project has a schema of that name, set history_schema"
                " to another one in [tool.housekeeping]",
            )


def _names(statement: Statement, schema: str) -> bool:
    body = statement.body
    printed = repr(body)
    sought = _Sought(
        schema=schema,
        of_schemas=any(word in printed for word in _OF_SCHEMAS),
        of_a_relation=any(word in printed for word in _OF_A_RELATION),
    )
    return any(_hits({statement.name: body}, sought))


def _hits(node: Any, sought: _Sought) -> Iterator[bool]:
    """One True for each place in a tree that names the schema."""
    if isinstance(node, list):
        yield _is_qualified(_strings(node), sought)
        for each in node:
            yield from _hits(each, sought)
    elif isinstance(node, dict):
        for key, value in node.items():
            if key == "ColumnRef":
                yield _is_column(_strings(value.get("fields", [])), sought)
            elif key == "String":
                yield sought.of_schemas and value.get("sval") == sought.schema
            elif isinstance(value, str):
                yield key in _SCHEMA_KEYS and value == sought.schema
            else:
                yield from _special(key, value, sought)
                yield from _hits(value, sought)


def _special(key: str, value: Any, sought: _Sought) -> Iterator[bool]:
    """What is a name of a schema by where it stands."""
    schema = sought.schema
    if key == "A_Const":
        yield names_in_text(value.get("sval", {}).get("sval", ""), schema)
    elif key == "DefElem":
        yield from _option(value, schema)
    elif key in ("VariableSetStmt", "setstmt"):
        yield value.get("name") == "search_path" and _in_path(value.get("args", []), schema)
    elif key == "FuncCall" and _strings(value.get("funcname", []))[-1:] == ("set_config",):
        yield _in_path(value.get("args", []), schema)
    elif key == "RenameStmt":
        yield value.get("renameType") == "OBJECT_SCHEMA" and schema in (
            value.get("newname"),
            value.get("subname"),
        )
    elif key == "CreateSchemaStmt":
        role = value.get("authrole", {}).get("rolename")
        yield "schemaname" not in value and role == schema
    elif key == "PublicationObjSpec":
        yield value.get("name") == schema and "SCHEMA" in value.get("pubobjtype", "")


def _option(option: dict[str, Any], schema: str) -> Iterator[bool]:
    """SCHEMA s, IN SCHEMA s, and the body of a function or a DO block."""
    name, value = option.get("defname"), option.get("arg", {})
    texts = _strings([value]) or _strings(value.get("List", {}).get("items", []))
    if name in ("schema", "schemas"):
        yield schema in texts
    elif name == "as":
        yield any(names_in_text(text, schema) for text in texts)


def _is_qualified(names: Sequence[str], sought: _Sought) -> bool:
    """schema.object, or schema.relation.object where the statement is about such a thing."""
    needed = 3 if sought.of_a_relation else 2
    return len(names) >= needed and names[0] == sought.schema


def _is_column(names: Sequence[str], sought: _Sought) -> bool:
    """schema.table.column; a table that bears the schema's name is another thing."""
    return len(names) >= 3 and names[0] == sought.schema


def _in_path(arguments: Sequence[Any], schema: str) -> bool:
    constants = [each.get("A_Const", {}).get("sval", {}).get("sval", "") for each in arguments]
    return any(part.strip().strip('"') == schema for text in constants for part in text.split(","))


def _strings(nodes: Sequence[Any]) -> tuple[str, ...]:
    """The texts of a list of nothing but String nodes."""
    if not nodes or not all(isinstance(each, dict) and "String" in each for each in nodes):
        return ()
    return tuple(each["String"].get("sval", "") for each in nodes)


def _of_the_migrator(body: Any, migrator: str) -> bool:
    roles = [each.get("RoleSpec", {}) for each in body.get("roles", [])]
    return any(
        role.get("roletype") in _OURSELVES or role.get("rolename") == migrator for role in roles
    )


def _problem(text: str, offset: int, found: str, fix: str) -> Problem:
    line, column = place(text, offset)
    return Problem(line=line, column=column, found=found, why=_WHY, fix=fix)
