"""Calls that name a table, a routine, a module or a role, or hand a statement to a database."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from pytest_housekeeping.checks.code.facts import Import, ReferenceKind
from pytest_housekeeping.checks.code.readers.python.sinks import (
    POSITIONS,
    argument_of,
    is_orm_call,
    is_sqlalchemy_text,
    read_sink,
    read_statement,
)
from pytest_housekeeping.checks.code.readers.python.survey import CallSite, Survey, call_name, span
from pytest_housekeeping.checks.code.readers.python.text import static_value
from pytest_housekeeping.checks.code.sqltext.collector import Collector
from pytest_housekeeping.checks.code.vocabulary import vocabulary

_CONNECTORS = frozenset(["connect", "create_pool", "ConnectionPool", "AsyncConnectionPool"])
_NAMING_CALLS = vocabulary(
    """
    read_sql_table callproc copy_from copy_to write_database jdbc
    copy_records_to_table copy_to_table copy_from_table
    """
)
_CHOOSING_OPTIONS = (
    ("user", ReferenceKind.ROLE),
    ("role", ReferenceKind.ROLE),
    ("search_path", ReferenceKind.SCHEMA),
)


def read(survey: Survey, collector: Collector, *, imports_a_database: bool) -> set[int]:
    """Take in every call. Returns the nodes whose text has been dealt with."""
    done: set[int] = set()
    for site in survey.calls:
        done |= set(_read_call(site, survey, collector, imports_a_database))
    return done


def _read_call(
    site: CallSite, survey: Survey, collector: Collector, imports_a_database: bool
) -> Iterator[int]:
    name = call_name(site.node)
    if is_sqlalchemy_text(site.node, survey):
        yield from read_statement(site, 0, survey, collector, sure=True, how="text()")
    elif name in _NAMING_CALLS:
        yield from _named(site, name, collector)
    elif name == "import_module" and site.node.args:
        _import_module(site, collector)
    elif name in _CONNECTORS:
        _connect(site, collector)
    elif name in POSITIONS and not is_orm_call(site.node):
        if name == "read_sql" and _is_table_name(site):
            yield from _named(site, "read_sql_table", collector)
        else:
            yield from read_sink(site, survey, collector, imports_a_database=imports_a_database)


def _is_table_name(site: CallSite) -> bool:
    """pandas' read_sql takes the name of a table as well as a statement."""
    text = static_value(site.node.args[0], site.scope) if site.node.args else None
    return text is not None and text.replace(".", "").replace("_", "").isalnum()


def _named(site: CallSite, name: str, collector: Collector) -> Iterator[int]:
    position = 1 if name in ("copy_from", "copy_to", "jdbc") else 0
    argument = argument_of(site.node, position, ("table_name", "table"))
    if argument is None:
        return
    text = static_value(argument, site.scope)
    place = span(collector, argument, site.symbol)
    if text is None:
        collector.add_undecided(place, f"{name}() of a name that is made at run time")
        return
    schema = next((k.value for k in site.node.keywords if k.arg in ("schema", "schema_name")), None)
    prefix = static_value(schema, site.scope) if schema is not None else None
    if schema is not None and prefix is None and not isinstance(schema, ast.Constant):
        collector.add_undecided(place, f"{name}() of a schema that is chosen at run time")
    kind = ReferenceKind.FUNCTION if name == "callproc" else ReferenceKind.RELATION
    collector.add_dotted(f"{prefix}.{text}" if prefix else text, kind, place, how=f"{name}()")
    yield id(argument)


def _import_module(site: CallSite, collector: Collector) -> None:
    module = static_value(site.node.args[0], site.scope)
    if module and not module.startswith("."):
        line, column = site.node.lineno, site.node.col_offset + 1
        collector.imports.append(
            Import(line=line, column=column, symbol=site.symbol, module=module)
        )


def _connect(site: CallSite, collector: Collector) -> None:
    """``connect(user="governance_officer")``, and asyncpg's server_settings."""
    given = {keyword.arg: keyword.value for keyword in site.node.keywords if keyword.arg}
    settings = given.get("server_settings")
    if isinstance(settings, ast.Dict):
        for key, value in zip(settings.keys, settings.values, strict=True):
            if isinstance(key, ast.Constant):
                given[str(key.value)] = value
    for option, kind in _CHOOSING_OPTIONS:
        chosen = given.get(option)
        if chosen is None:
            continue
        text = static_value(chosen, site.scope) or ""
        place = span(collector, chosen, site.symbol)
        for part in text.split(",") if text else ():
            collector.add_name((part.strip(),), kind, place, how="connection options")
