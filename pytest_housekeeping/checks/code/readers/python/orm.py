"""Tables that SQLAlchemy, Django and psycopg.sql name as objects of Python."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from pytest_housekeeping.checks.code.facts import ReferenceKind
from pytest_housekeeping.checks.code.readers.python.text import NameScope, call_name, template
from pytest_housekeeping.checks.code.readers.python.walk import Site, Survey, span
from pytest_housekeeping.checks.code.sqltext.collector import Collector, Span
from pytest_housekeeping.checks.code.sqltext.template import static

_NAMING = {"Table", "ForeignKey", "ForeignKeyConstraint", "MetaData", "Identifier"}
_COLUMNS = {"Column", "mapped_column"}


def read(survey: Survey, collector: Collector) -> None:
    """Take in tables, mapped classes, foreign keys, models and composed identifiers."""
    default = _metadata_schema(survey)
    for site in survey.calls:
        if isinstance(site.node, ast.Call):
            _call(site, site.node, survey, collector, default)
    for node, scope, symbol in survey.classes:
        _mapped(node, scope, symbol, collector, default)
        _model(node, scope, symbol, collector)


def _call(
    site: Site, node: ast.Call, survey: Survey, collector: Collector, default: str | None
) -> None:
    name = call_name(node)
    if node.keywords:
        _translated(site, node, collector)
    if name not in _NAMING:
        return
    first = static(template(node.args[0], site.scope)) if node.args else None
    place = span(collector, node, site.symbol)
    if name == "Table" and len(node.args) > 1 and "sqlalchemy" in survey.roots:
        if first is None:
            collector.undecided(place, "Table() of a name that is made at run time")
            return
        schema = _keyword(node, "schema", site.scope)
        schema = schema or _schema_of(node.args[1], site.scope) or default
        columns = tuple(_columns(node.args[2:], site.scope))
        collector.name(
            tuple(part for part in (schema, first) if part),
            ReferenceKind.RELATION,
            place,
            how="Table()",
            columns=columns,
        )
    elif name == "ForeignKey" and first and first.count(".") in (1, 2):
        _foreign_key(first, span(collector, node.args[0], site.symbol), collector, default)
    elif name == "ForeignKeyConstraint" and len(node.args) > 1:
        _foreign_keys(site, node.args[1], collector, default)
    elif name == "MetaData" and (schema := _keyword(node, "schema", site.scope)):
        collector.name(
            (schema,), ReferenceKind.SCHEMA, place, how="MetaData(schema=)", certain=False
        )
    elif name == "Identifier" and len(node.args) > 1 and _is_psycopg(node, survey):
        parts = tuple(static(template(each, site.scope)) or "" for each in node.args)
        collector.name(parts[:2], ReferenceKind.RELATION, place, how="Identifier()", certain=False)


def _foreign_keys(site: Site, targets: ast.expr, collector: Collector, default: str | None) -> None:
    for target in getattr(targets, "elts", []):
        text = static(template(target, site.scope))
        if text and text.count(".") in (1, 2):
            _foreign_key(text, span(collector, target, site.symbol), collector, default)


def _translated(site: Site, node: ast.Call, collector: Collector) -> None:
    """``execution_options(schema_translate_map={None: "governance"})``."""
    for keyword in node.keywords:
        if keyword.arg == "schema_translate_map" and isinstance(keyword.value, ast.Dict):
            for value in keyword.value.values:
                place = span(collector, value, site.symbol)
                if isinstance(value, ast.Constant) and value.value is None:
                    continue
                if schema := static(template(value, site.scope)):
                    collector.name(
                        (schema,), ReferenceKind.SCHEMA, place, how="schema_translate_map"
                    )
                else:
                    collector.undecided(place, "the schema is chosen at run time")


def _foreign_key(text: str, place: Span, collector: Collector, default: str | None) -> None:
    *table, column = text.split(".")
    collector.name(
        (default, *table) if len(table) == 1 and default else tuple(table),
        ReferenceKind.RELATION,
        place,
        how="ForeignKey()",
        columns=(column,),
    )


def _mapped(
    node: ast.ClassDef, scope: NameScope, symbol: str, collector: Collector, default: str | None
) -> None:
    """``__tablename__`` and ``__table_args__`` of a mapped class."""
    given = dict(_assignments(node.body))
    if "__tablename__" not in given:
        return
    value = given["__tablename__"]
    place = span(collector, value, symbol)
    table = static(template(value, scope))
    if table is None:
        collector.undecided(place, "__tablename__ is made at run time")
        return
    schema = _argument_schema(given.get("__table_args__"), scope) or default
    columns = tuple(_mapped_columns(node.body, scope))
    collector.name(
        tuple(part for part in (schema, table) if part),
        ReferenceKind.RELATION,
        place,
        how="__tablename__",
        columns=columns,
    )


def _model(node: ast.ClassDef, scope: NameScope, symbol: str, collector: Collector) -> None:
    """``db_table`` and ``app_label`` in the Meta of a Django model."""
    meta = next(
        (each for each in node.body if isinstance(each, ast.ClassDef) and each.name == "Meta"), None
    )
    if meta is None:
        return
    given = dict(_assignments(meta.body))
    if "db_table" in given:
        place = span(collector, given["db_table"], symbol)
        text = static(template(given["db_table"], scope))
        if text is None:
            collector.undecided(place, "db_table is made at run time")
        else:
            # Django quotes the whole: the known way to a schema is a quoted dot in the name.
            parts = tuple(text.strip('"').split('"."'))
            collector.name(parts, ReferenceKind.RELATION, place, how="db_table")
    elif "app_label" in given:
        label = static(template(given["app_label"], scope))
        if label:
            place = span(collector, given["app_label"], symbol)
            name = f"{label}_{node.name.lower()}"
            collector.name((name,), ReferenceKind.RELATION, place, how="app_label", certain=False)


def _assignments(body: Iterable[ast.stmt]) -> Iterator[tuple[str, ast.expr]]:
    for statement in body:
        if isinstance(statement, ast.Assign):
            for target in statement.targets:
                if isinstance(target, ast.Name):
                    yield target.id, statement.value
        elif (
            isinstance(statement, ast.AnnAssign)
            and statement.value is not None
            and isinstance(statement.target, ast.Name)
        ):
            yield statement.target.id, statement.value


def _mapped_columns(body: Iterable[ast.stmt], scope: NameScope) -> Iterator[str]:
    for target, value in _assignments(body):
        if isinstance(value, ast.Call) and call_name(value) in _COLUMNS:
            first = static(template(value.args[0], scope)) if value.args else None
            yield first or target


def _columns(arguments: Iterable[ast.expr], scope: NameScope) -> Iterator[str]:
    for argument in arguments:
        if isinstance(argument, ast.Call) and call_name(argument) == "Column" and argument.args:
            name = static(template(argument.args[0], scope))
            yield from [name] if name else []


def _argument_schema(value: ast.expr | None, scope: NameScope) -> str | None:
    if isinstance(value, ast.Tuple) and value.elts:
        value = value.elts[-1]
    if isinstance(value, ast.Dict):
        for key, each in zip(value.keys, value.values, strict=True):
            if isinstance(key, ast.Constant) and key.value == "schema":
                return static(template(each, scope))
    return None


def _metadata_schema(survey: Survey) -> str | None:
    """The schema of the declarative base, when the file has one MetaData with a schema."""
    schemas = {
        schema
        for site in survey.calls
        if isinstance(site.node, ast.Call) and call_name(site.node) == "MetaData"
        if (schema := _keyword(site.node, "schema", site.scope))
    }
    return schemas.pop() if len(schemas) == 1 else None


def _schema_of(metadata: ast.expr, scope: NameScope) -> str | None:
    assigned = scope.resolve(metadata)
    value = assigned.single if assigned else metadata
    if isinstance(value, ast.Call) and call_name(value) == "MetaData":
        return _keyword(value, "schema", scope)
    return None


def _keyword(node: ast.Call, name: str, scope: NameScope) -> str | None:
    value = next((keyword.value for keyword in node.keywords if keyword.arg == name), None)
    return static(template(value, scope)) if value is not None else None


def _is_psycopg(node: ast.Call, survey: Survey) -> bool:
    return bool(survey.roots & {"psycopg", "psycopg2", "sql"}) or (
        isinstance(node.func, ast.Attribute)
    )
