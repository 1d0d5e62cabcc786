"""Chains of calls such as ``db.schema("x").from("y")``: what they begin with, and their schema."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_housekeeping.checks.code.readers.script.script_file import ScriptFile
from pytest_housekeeping.checks.code.readers.script.tree import (
    arguments,
    callee,
    unwrapped,
    words,
)
from pytest_housekeeping.checks.code.vocabulary import vocabulary

if TYPE_CHECKING:
    from tree_sitter import Node

SCHEMA_METHODS = frozenset(["schema", "withSchema"])
TABLE_METHODS = vocabulary(
    """
    from table into selectFrom insertInto updateTable deleteFrom replaceInto mergeInto
    createTable alterTable dropTable truncateTable using
    """
)
KNEX = frozenset(["knex", "trx", "db", "tx", "kx"])
_BUILDER_STARTS = SCHEMA_METHODS | {"selectFrom", "insertInto", "updateTable", "deleteFrom"}
_DATABASES = vocabulary(
    """
    pool client db conn connection pg knex sequelize prisma sql tx trx session manager
    datasource queryrunner entitymanager database supabase kysely sb cursor transaction t
    pgclient pgpool pgp admin
    """
)
_DATABASE_ENDINGS = ("client", "pool", "connection", "conn", "db")


def receiver(base: Node | None) -> str:
    """The last name of what a method is called on, in lower case."""
    if base is None:
        return ""
    base = unwrapped(base)
    if base.type == "call_expression":
        return callee(base)[1].lower()
    if base.type == "member_expression":
        name = base.child_by_field_name("property")
        return words(name).lower().lstrip("_#") if name is not None else ""
    return words(base).lower().lstrip("_") if base.type == "identifier" else ""


def is_database(base: Node | None) -> bool:
    """Whether a name is what people call a database, a pool or a transaction."""
    name = receiver(base)
    return name in _DATABASES or name.endswith(_DATABASE_ENDINGS)


def root_of(base: Node) -> Node:
    """The innermost object of a chain of calls."""
    at = unwrapped(base)
    while at.type == "call_expression":
        inner, _ = callee(at)
        function = at.child_by_field_name("function")
        if inner is None:
            return function if function is not None else at
        at = unwrapped(inner)
    return at


def is_builder_chain(base: Node) -> bool:
    """Whether a chain began as a query builder: it has chosen a schema or named a table."""
    at: Node | None = unwrapped(base)
    while at is not None and at.type == "call_expression":
        inner, name = callee(at)
        if name in _BUILDER_STARTS or (inner is None and name in KNEX):
            return True
        at = unwrapped(inner) if inner is not None else None
    return False


def names_a_table(call: Node, base: Node) -> bool:
    """Whether the chain names a table as well: its finding says more than the schema's."""
    member = call.parent
    if member is not None and member.type == "member_expression" and member.parent is not None:
        following = callee(member.parent)[1]
        if following in TABLE_METHODS or following == "rpc":
            return True
    return is_builder_chain(base)


def schema_around(file: ScriptFile, call: Node) -> str | None:
    """The schema that the chain chooses, before or behind the call."""
    chosen = _chosen_before(file, call) or _chosen_behind(call)
    return file.static_value(chosen) if chosen is not None else None


def _chosen_before(file: ScriptFile, call: Node) -> Node | None:
    """``db.schema("x").from(...)``, also where a name stands for the first part of the chain."""
    at: Node | None = call
    while at is not None and at.type == "call_expression":
        if at != call and (chosen := _chosen(at)) is not None:
            return chosen
        base, _ = callee(at)
        at = unwrapped(base) if base is not None else None
    value = file.names.single(at) if at is not None and at.type == "identifier" else None
    return _chosen(value) if value is not None and value != call else None


def _chosen_behind(call: Node) -> Node | None:
    """``db.from(...).withSchema("x")``."""
    member = call.parent
    while member is not None and member.type == "member_expression" and member.parent is not None:
        if (chosen := _chosen(member.parent)) is not None:
            return chosen
        member = member.parent.parent
    return None


def _chosen(node: Node) -> Node | None:
    """What a call chooses as the schema."""
    if node.type != "call_expression" or callee(node)[1] not in SCHEMA_METHODS:
        return None
    return next(iter(arguments(node)), None)
