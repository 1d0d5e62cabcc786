"""Classes that are mapped to tables: SQLAlchemy's declarative classes and Django's models."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping

from pytest_housekeeping.checks.code.facts import ReferenceKind
from pytest_housekeeping.checks.code.readers.python.orm import metadata_schema
from pytest_housekeeping.checks.code.readers.python.scope import NameScope
from pytest_housekeeping.checks.code.readers.python.survey import (
    ClassSite,
    Survey,
    call_name,
    span,
)
from pytest_housekeeping.checks.code.readers.python.text import static_value
from pytest_housekeeping.checks.code.sqltext.collector import Collector

_COLUMNS = {"Column", "mapped_column"}


def read(survey: Survey, collector: Collector) -> None:
    """Take in every class that says which table it is mapped to."""
    default = metadata_schema(survey)
    for site in survey.classes:
        _mapped_class(site, collector, _base_schema(site, survey) or default)
        _named_elsewhere(site, survey, collector)
        _django_model(site, collector)
        _pony_entity(site, collector)


def _base_schema(site: ClassSite, survey: Survey) -> str | None:
    """The schema in the ``__table_args__`` of a class of this file that it is derived from."""
    bases = {base.id for base in site.node.bases if isinstance(base, ast.Name)} - {site.node.name}
    for other in survey.classes:
        if other.node.name in bases:
            given = dict(_assignments(other.node.body))
            if schema := _argument_schema(given.get("__table_args__"), other.scope):
                return schema
    return None


def _mapped_class(site: ClassSite, collector: Collector, default: str | None) -> None:
    """``__tablename__`` and ``__table_args__`` of a mapped class."""
    given = dict(_assignments(site.node.body))
    if "__tablename__" not in given:
        return
    place = span(collector, given["__tablename__"], site.symbol)
    table = static_value(given["__tablename__"], site.scope)
    if table is None:
        collector.add_undecided(place, "__tablename__ is made at run time")
        return
    schema = _argument_schema(given.get("__table_args__"), site.scope) or default
    columns = tuple(_mapped_columns(site.node.body, site.scope))
    collector.add_relation(schema, table, place, how="__tablename__", columns=columns)


def _named_elsewhere(site: ClassSite, survey: Survey, collector: Collector) -> None:
    """The schema of a class without ``__tablename__``: SQLModel's, or a base of other files."""
    given = dict(_assignments(site.node.body))
    is_base = any(_is_base(site.node.name, other.node) for other in survey.classes)
    if "__tablename__" in given or "__table_args__" not in given or is_base:
        return
    if schema := _argument_schema(given["__table_args__"], site.scope):
        place = span(collector, given["__table_args__"], site.symbol)
        collector.add_name(
            (schema,), ReferenceKind.SCHEMA, place, how="__table_args__", certain=False
        )


def _is_base(name: str, node: ast.ClassDef) -> bool:
    return any(isinstance(base, ast.Name) and base.id == name for base in node.bases)


def _django_model(site: ClassSite, collector: Collector) -> None:
    """``db_table`` and ``app_label`` in the Meta of a Django model."""
    classes = (each for each in site.node.body if isinstance(each, ast.ClassDef))
    meta = next((each for each in classes if each.name == "Meta"), None)
    if meta is None:
        return
    given = dict(_assignments(meta.body))
    if "db_table" in given:
        place = span(collector, given["db_table"], site.symbol)
        text = static_value(given["db_table"], site.scope)
        if text is None:
            collector.add_undecided(place, "db_table is made at run time")
        else:
            # Django quotes the whole: the known way to a schema is a quoted dot in the name.
            parts = tuple(text.strip('"').split('"."'))
            collector.add_name(parts, ReferenceKind.RELATION, place, how="db_table")
    elif "schema" in given:
        _of_schema(site, given, collector)
    elif "app_label" in given:
        label = static_value(given["app_label"], site.scope)
        if label:
            place = span(collector, given["app_label"], site.symbol)
            # What Django calls a table that is given no name of its own.
            name = f"{label}_{site.node.name.lower()}"
            collector.add_name(
                (name,), ReferenceKind.RELATION, place, how="app_label", certain=False
            )


def _of_schema(site: ClassSite, given: Mapping[str, ast.expr], collector: Collector) -> None:
    """``schema`` in the Meta of peewee and Tortoise, with ``table_name`` or ``table``."""
    place = span(collector, given["schema"], site.symbol)
    schema = static_value(given["schema"], site.scope)
    named = given.get("table_name", given.get("table"))
    table = static_value(named, site.scope) if named is not None else site.node.name.lower()
    if schema is None or table is None:
        collector.add_undecided(place, "the schema or table of the Meta is made at run time")
    else:
        collector.add_name(
            (schema, table), ReferenceKind.RELATION, place, how="Meta.schema", certain=False
        )


def _pony_entity(site: ClassSite, collector: Collector) -> None:
    """``_table_`` of Pony: a name, or a schema and a name."""
    value = dict(_assignments(site.node.body)).get("_table_")
    if value is not None:
        texts = [static_value(each, site.scope) for each in getattr(value, "elts", [value])]
        place = span(collector, value, site.symbol)
        if None in texts:
            collector.add_undecided(place, "_table_ is made at run time")
        else:
            parts = tuple(text for text in texts if text)
            collector.add_name(parts, ReferenceKind.RELATION, place, how="_table_", certain=False)


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
            first = static_value(value.args[0], scope) if value.args else None
            yield first or target


def _argument_schema(arguments: ast.expr | None, scope: NameScope) -> str | None:
    """``{"schema": ...}``, alone or at the end of a tuple, by a name or as ``dict()``."""
    if isinstance(arguments, ast.Name):
        arguments = scope.single(arguments)
    if isinstance(arguments, ast.Tuple) and arguments.elts:
        arguments = arguments.elts[-1]
    if isinstance(arguments, ast.Call):
        given = {keyword.arg: keyword.value for keyword in arguments.keywords}
        return static_value(given["schema"], scope) if "schema" in given else None
    if isinstance(arguments, ast.Dict):
        for key, value in zip(arguments.keys, arguments.values, strict=True):
            if isinstance(key, ast.Constant) and key.value == "schema":
                return static_value(value, scope)
    return None
