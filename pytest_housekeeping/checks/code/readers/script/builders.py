"""Tables, schemas and functions that query builders name: Supabase, Knex, Kysely, Drizzle."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_housekeeping.checks.code.facts import ReferenceKind
from pytest_housekeeping.checks.code.readers.script.chains import (
    KNEX,
    SCHEMA_METHODS,
    TABLE_METHODS,
    is_builder_chain,
    is_database,
    names_a_table,
    receiver,
    root_of,
    schema_around,
)
from pytest_housekeeping.checks.code.readers.script.mappers import is_drizzle_member
from pytest_housekeeping.checks.code.readers.script.script_file import ScriptFile
from pytest_housekeeping.checks.code.readers.script.tables import (
    add_run_time_name,
    add_table,
    is_name,
)
from pytest_housekeeping.checks.code.readers.script.tree import (
    arguments,
    callee,
    pairs,
    tagged,
    words,
)
from pytest_housekeeping.checks.code.vocabulary import vocabulary
from pytest_housekeeping.sql.identifiers import split_name

if TYPE_CHECKING:
    from tree_sitter import Node

_JOINS = vocabulary(
    """
    join innerJoin leftJoin rightJoin fullJoin outerJoin crossJoin leftOuterJoin rightOuterJoin
    fullOuterJoin innerJoinLateral leftJoinLateral
    """
)
# Array.from, Buffer.from, Observable.from, path.join: methods of the same name, no database.
_NO_DATABASES = vocabulary(
    """
    array buffer object set map uint8array int32array float64array readable observable promise
    date string path typedarray stream rx of url moment dayjs
    """
)
_RUN_TIME_TYPES = ("identifier", "template_string", "binary_expression", "member_expression")
_DRIZZLE_QUERIES = (".select(", ".selectDistinct(", ".with(")


def read(file: ScriptFile) -> None:
    """Take in every call that names a table, a schema or a function."""
    for call in file.nodes.get("call", ()):
        given = arguments(call)
        if not given or tagged(call) is not None:
            continue
        base, name = callee(call)
        if base is None:
            _knex(file, call, name, given[0])
        elif is_drizzle_member(file, base, name):
            continue
        elif name == "rpc":
            _rpc(file, call, base, given[0])
        elif name in SCHEMA_METHODS:
            _schema(file, call, base, name, given[0])
        elif name in TABLE_METHODS or name in _JOINS:
            _table(file, call, base, name, given[0])


def _knex(file: ScriptFile, call: Node, name: str, argument: Node) -> None:
    """``knex("governance.ledger")`` and ``knex({ l: "governance.ledger" })``."""
    if name not in KNEX:
        return
    schema = schema_around(file, call)
    if argument.type not in ("object", "arrow_function"):
        if file.static_value(argument) is not None:
            add_table(file, argument, schema, how=f"{name}()", certain=schema is not None)
        elif name in ("knex", "trx"):
            add_run_time_name(file, argument, name)
    elif name in ("knex", "trx"):
        for _, value in pairs(argument):
            # A name with a schema, but not the options of knex({ client: "pg" }).
            text = file.static_value(value) if value.type == "string" else None
            if text is not None and ("." in text or schema):
                add_table(file, value, schema, how=f"{name}()", certain=False)


def _schema(file: ScriptFile, call: Node, base: Node, name: str, argument: Node) -> None:
    text = file.static_value(argument)
    # Sequelize: Order.schema("governance") is called on a class.
    of_class = text is not None and base.type == "identifier" and words(base)[:1].isupper()
    if name != "withSchema" and not is_database(base) and not of_class:
        return
    if text is not None:
        if not names_a_table(call, base):
            place = file.span(argument)
            file.collector.add_name(
                (text,), ReferenceKind.SCHEMA, place, how=f"{name}()", certain=False
            )
    elif not argument.type.endswith("function"):
        reason = f"{name}() of a schema that is chosen at run time"
        file.collector.add_undecided(file.span(argument), reason)


def _table(file: ScriptFile, call: Node, base: Node, name: str, argument: Node) -> None:
    if receiver(root_of(base)) in _NO_DATABASES or argument.type.endswith("function"):
        return
    schema = schema_around(file, call)
    built = schema is not None or is_database(root_of(base)) or is_builder_chain(base)
    if name in _JOINS and not built:
        return
    for item in _items(argument):
        text = file.static_value(item)
        if text is not None:
            certain = schema is not None or (built and "." in text)
            add_table(file, item, schema, how=f"{name}()", certain=certain)
        elif built and item.type in _RUN_TIME_TYPES and not _is_table_object(file, item, base):
            add_run_time_name(file, item, name)


def _items(argument: Node) -> list[Node]:
    """Several tables at once, as a list or with an alias each."""
    if argument.type == "array":
        return argument.named_children
    if argument.type == "object":
        return [value for _, value in pairs(argument)]
    return [argument]


def _rpc(file: ScriptFile, call: Node, base: Node, argument: Node) -> None:
    """Supabase: ``client.schema("governance").rpc("close_books")``."""
    schema = schema_around(file, call)
    known = is_database(root_of(base)) or schema is not None
    text = file.static_value(argument)
    if text is None:
        if known:
            add_run_time_name(file, argument, "rpc")
    elif is_name(text) and (known or "." in text):
        parts = split_name(f"{schema}.{text}" if schema else text)
        place, certain = file.span(argument), schema is not None
        file.collector.add_name(parts, ReferenceKind.FUNCTION, place, how="rpc()", certain=certain)


def _is_table_object(file: ScriptFile, item: Node, base: Node) -> bool:
    """Drizzle: ``db.select().from(orders)`` names a table that is declared as an object."""
    value = file.names.single(item)
    if value is not None and value.type == "call_expression":
        return True
    return any(name in words(base) for name in _DRIZZLE_QUERIES)
