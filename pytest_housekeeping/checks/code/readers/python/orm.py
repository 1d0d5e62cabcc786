"""Names that SQLAlchemy, Alembic, psycopg and Supabase are handed as objects of their own."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from pytest_housekeeping.checks.code.facts import ReferenceKind
from pytest_housekeeping.checks.code.readers.python.scope import NameScope
from pytest_housekeeping.checks.code.readers.python.survey import CallSite, Survey, call_name, span
from pytest_housekeeping.checks.code.readers.python.text import static_value
from pytest_housekeeping.checks.code.sqltext.collector import Collector, Span

_NAMING = {"Table", "ForeignKey", "ForeignKeyConstraint", "MetaData", "Identifier"}
# What supabase-py asks of a client that a schema was chosen for.
_OF_A_SCHEMA = {
    "table": ReferenceKind.RELATION,
    "from_": ReferenceKind.RELATION,
    "rpc": ReferenceKind.FUNCTION,
}
# SQLAlchemy's table() and what pandas and GeoPandas write to: the name, and a schema beside it.
_TABLES_WITH_SCHEMA = {"table", "to_sql", "to_postgis"}
_CHOOSING_CALLS = _TABLES_WITH_SCHEMA | {"reflect", "prepare", "to_metadata"}
_ALEMBIC_SCHEMAS = ("schema", "source_schema", "referent_schema")


def read(survey: Survey, collector: Collector, *, imports_a_database: bool) -> None:
    """Take in tables, foreign keys, metadata and composed identifiers."""
    default = metadata_schema(survey)
    for site in survey.calls:
        if site.node.keywords:
            _translated(site, collector)
            _secondary(site, collector)
            if imports_a_database:
                _with_schema(site, collector)
        if call_name(site.node) in _NAMING:
            _read_call(site, survey, collector, default)
        elif call_name(site.node) in _OF_A_SCHEMA:
            _of_a_schema(site, collector)
        _by_alembic(site, collector)
        _function_of_a_schema(site, survey, collector)


def _secondary(site: CallSite, collector: Collector) -> None:
    """``relationship("Ledger", secondary="governance.ledger")``."""
    for keyword in site.node.keywords:
        if keyword.arg == "secondary" and call_name(site.node) == "relationship":
            text = static_value(keyword.value, site.scope)
            parts = tuple(text.split(".")) if text else ()
            place = span(collector, keyword.value, site.symbol)
            collector.add_name(
                parts, ReferenceKind.RELATION, place, how="secondary=", certain=False
            )


def _with_schema(site: CallSite, collector: Collector) -> None:
    """``frame.to_sql("ledger", engine, schema="governance")``, ``metadata.reflect(schema=...)``."""
    name, given = call_name(site.node), site.node.args
    keyword = next((each for each in site.node.keywords if each.arg == "schema"), None)
    if keyword is None or name in _NAMING or name == "read_sql_table" or _is_alembic(site):
        return
    schema = static_value(keyword.value, site.scope)
    place = span(collector, keyword.value, site.symbol)
    if schema and name in _TABLES_WITH_SCHEMA and given:
        table = static_value(given[0], site.scope)
        parts = (schema, table) if table else (schema,)
        kind = ReferenceKind.RELATION if table else ReferenceKind.SCHEMA
        place = span(collector, given[0], site.symbol)
        collector.add_name(parts, kind, place, how=f"{name}(schema=)", certain=False)
    elif schema:
        collector.add_name(
            (schema,), ReferenceKind.SCHEMA, place, how=f"{name}(schema=)", certain=False
        )
    elif name in _CHOOSING_CALLS:
        _run_time_schema(site, collector)


def _run_time_schema(site: CallSite, collector: Collector) -> None:
    """``schema=`` of something that this file does not tell."""
    for keyword in site.node.keywords:
        if keyword.arg == "schema" and not isinstance(keyword.value, ast.Constant):
            place = span(collector, keyword.value, site.symbol)
            reason = f"{call_name(site.node)}() of a schema that is chosen at run time"
            collector.add_undecided(place, reason)


def metadata_schema(survey: Survey) -> str | None:
    """The schema of the declarative base, when the file has one MetaData with a schema."""
    schemas = {
        schema
        for site in survey.calls
        if call_name(site.node) == "MetaData" and (schema := _schema_in(site.node, site.scope))
    }
    return schemas.pop() if len(schemas) == 1 else None


def _read_call(site: CallSite, survey: Survey, collector: Collector, default: str | None) -> None:
    name, given = call_name(site.node), site.node.args
    first = static_value(given[0], site.scope) if given else None
    place = span(collector, site.node, site.symbol)
    if name == "Table" and len(given) > 1 and "sqlalchemy" in survey.packages:
        _table(site, first, collector, default)
    elif name == "ForeignKey" and first and _is_column(first):
        _foreign_key(first, span(collector, given[0], site.symbol), collector, default)
    elif name == "ForeignKeyConstraint" and len(given) > 1:
        for target in getattr(given[1], "elts", []):
            text = static_value(target, site.scope)
            if text and _is_column(text):
                _foreign_key(text, span(collector, target, site.symbol), collector, default)
    elif name == "MetaData":
        if schema := _schema_in(site.node, site.scope):
            collector.add_name(
                (schema,), ReferenceKind.SCHEMA, place, how="MetaData(schema=)", certain=False
            )
        else:
            _run_time_schema(site, collector)
    elif name == "Identifier" and len(given) > 1 and _is_psycopg(site.node, survey):
        parts = tuple(static_value(each, site.scope) or "" for each in given)
        collector.add_name(
            parts[:2], ReferenceKind.RELATION, place, how="Identifier()", certain=False
        )


def _table(site: CallSite, name: str | None, collector: Collector, default: str | None) -> None:
    place = span(collector, site.node, site.symbol)
    if name is None:
        collector.add_undecided(place, "Table() of a name that is made at run time")
        return
    _, metadata, *columns = site.node.args
    own = _schema_in(site.node, site.scope)
    if own is None:
        _run_time_schema(site, collector)
    schema = own or _schema_of(metadata, site.scope) or default
    names = tuple(_columns(columns, site.scope))
    collector.add_relation(schema, name, place, how="Table()", columns=names)


def _of_a_schema(site: CallSite, collector: Collector) -> None:
    """``client.schema("governance").table("ledger")``."""
    receiver = site.node.func.value if isinstance(site.node.func, ast.Attribute) else None
    if not (isinstance(receiver, ast.Call) and call_name(receiver) == "schema" and receiver.args):
        return
    schema = static_value(receiver.args[0], site.scope)
    name = static_value(site.node.args[0], site.scope) if site.node.args else None
    if schema and schema.isidentifier() and name:
        place = span(collector, site.node, site.symbol)
        kind = _OF_A_SCHEMA[call_name(site.node)]
        collector.add_name((schema, name), kind, place, how="schema()", certain=False)


def _is_alembic(site: CallSite) -> bool:
    function = site.node.func
    return (
        isinstance(function, ast.Attribute)
        and isinstance(function.value, ast.Name)
        and function.value.id == "op"
    )


def _by_alembic(site: CallSite, collector: Collector) -> None:
    """``op.add_column("ledger", ..., schema="governance")``."""
    if not _is_alembic(site):
        return
    for keyword in site.node.keywords:
        schema = (
            static_value(keyword.value, site.scope) if keyword.arg in _ALEMBIC_SCHEMAS else None
        )
        if schema:
            place = span(collector, keyword.value, site.symbol)
            collector.add_name(
                (schema,), ReferenceKind.SCHEMA, place, how=f"op.{call_name(site.node)}()"
            )


def _function_of_a_schema(site: CallSite, survey: Survey, collector: Collector) -> None:
    """``func.governance.close_books(2027)`` of SQLAlchemy."""
    function = site.node.func
    if not (isinstance(function, ast.Attribute) and isinstance(function.value, ast.Attribute)):
        return
    root = function.value.value
    if isinstance(root, ast.Name) and survey.origins.get(root.id) == "sqlalchemy.func":
        place = span(collector, site.node, site.symbol)
        parts = (function.value.attr, function.attr)
        collector.add_name(parts, ReferenceKind.FUNCTION, place, how="func", certain=False)


def _is_column(text: str) -> bool:
    """``table.column`` or ``schema.table.column``."""
    return text.count(".") in (1, 2)


def _foreign_key(text: str, place: Span, collector: Collector, default: str | None) -> None:
    *schema, table, column = text.split(".")
    collector.add_relation(
        schema[0] if schema else default, table, place, how="ForeignKey()", columns=(column,)
    )


def _translated(site: CallSite, collector: Collector) -> None:
    """``schema_translate_map={None: "governance"}``, also as ``execution_options={...}``."""
    given: list[tuple[object, ast.expr]] = []
    for keyword in site.node.keywords:
        given.append((keyword.arg, keyword.value))
        if keyword.arg == "execution_options" and isinstance(keyword.value, ast.Dict):
            keys = (getattr(key, "value", None) for key in keyword.value.keys)
            given += zip(keys, keyword.value.values, strict=True)
    for key, options in given:
        if key == "schema_translate_map" and isinstance(options, ast.Dict):
            for value in options.values:
                if isinstance(value, ast.Constant) and value.value is None:
                    continue
                place = span(collector, value, site.symbol)
                if schema := static_value(value, site.scope):
                    collector.add_name(
                        (schema,), ReferenceKind.SCHEMA, place, how="schema_translate_map"
                    )
                else:
                    collector.add_undecided(place, "the schema is chosen at run time")


def _columns(arguments: Iterable[ast.expr], scope: NameScope) -> Iterator[str]:
    for argument in arguments:
        if isinstance(argument, ast.Call) and call_name(argument) == "Column" and argument.args:
            name = static_value(argument.args[0], scope)
            yield from [name] if name else []


def _schema_of(metadata: ast.expr, scope: NameScope) -> str | None:
    value = scope.single(metadata) or metadata
    if isinstance(value, ast.Call) and call_name(value) == "MetaData":
        return _schema_in(value, scope)
    return None


def _schema_in(node: ast.Call, scope: NameScope) -> str | None:
    value = next((keyword.value for keyword in node.keywords if keyword.arg == "schema"), None)
    return static_value(value, scope) if value is not None else None


def _is_psycopg(node: ast.Call, survey: Survey) -> bool:
    """``sql.Identifier(...)``, or a bare ``Identifier`` where psycopg is imported."""
    return bool(survey.packages & {"psycopg", "psycopg2", "sql"}) or (
        isinstance(node.func, ast.Attribute)
    )
