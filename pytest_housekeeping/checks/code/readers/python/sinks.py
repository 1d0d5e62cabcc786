"""Sinks: calls that hand a statement to a database, and which texts the statement may be."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from pytest_housekeeping.checks.code.readers.python.scope import Assignments
from pytest_housekeeping.checks.code.readers.python.survey import (
    CallSite,
    Survey,
    TextSite,
    call_name,
    span,
)
from pytest_housekeeping.checks.code.readers.python.text import template
from pytest_housekeeping.checks.code.sqltext.collector import Collector
from pytest_housekeeping.checks.code.sqltext.parse import parse_template
from pytest_housekeeping.checks.code.sqltext.recognize import starts_like_sql
from pytest_housekeeping.checks.code.sqltext.template import Hole, visible_text
from pytest_housekeeping.checks.code.vocabulary import vocabulary

# The position of the statement among the arguments.
POSITIONS = {
    "execute": 0,
    "executemany": 0,
    "executescript": 0,
    "execute_async": 0,
    "exec_driver_sql": 0,
    "mogrify": 0,
    "copy": 0,
    "copy_expert": 0,
    "read_sql": 0,
    "read_sql_query": 0,
    "fetch": 0,
    "fetchrow": 0,
    "fetchval": 0,
    "fetch_all": 0,
    "fetch_one": 0,
    "stream": 0,
    "prepare": 0,
    "raw": 0,
    "RawSQL": 0,
    "execute_values": 1,
    "execute_batch": 1,
    "scalar": 0,
    "scalars": 0,
}
# Names that other things bear as well: sure only where what is called is plainly a database.
_AMBIGUOUS = vocabulary("copy fetch stream prepare raw scalar scalars mogrify fetch_all fetch_one")
_RECEIVERS = vocabulary(
    """
    cur cursor curs c conn connection con cnx db database session engine pool tx trx transaction
    pg postgres client dbapi_connection dbapi_conn read_session write_session
    """
)
_RECEIVER_ENDINGS = (
    "_cur",
    "_cursor",
    "_conn",
    "_connection",
    "_db",
    "_session",
    "_engine",
    "_pool",
)
_BUILDERS = vocabulary(
    """
    select insert update delete union union_all exists func where values returning join filter
    order_by limit group_by on_conflict_do_nothing on_conflict_do_update create drop scalar
    delete_stmt with_only_columns options filter_by offset having select_from distinct
    CreateTable DropTable CreateSchema DDL
    """
)
_STATEMENT_KEYWORDS = ("query", "sql", "statement", "operation", "command")
# A constant shorter than this is taken for SQL only where a database gets it.
_SHORTEST = 6


def read_sink(
    site: CallSite, survey: Survey, collector: Collector, *, imports_a_database: bool
) -> Iterator[int]:
    """Take in the statement of one call. Yields the nodes whose text has been dealt with."""
    name = call_name(site.node)
    receiver = _receiver(site.node)
    known = receiver in _RECEIVERS or receiver.endswith(_RECEIVER_ENDINGS)
    sure = known and imports_a_database if name in _AMBIGUOUS else known or imports_a_database
    position, how = POSITIONS[name], f"{name}()"
    yield from read_statement(site, position, survey, collector, sure=sure, known=known, how=how)


def read_statement(
    site: CallSite,
    position: int,
    survey: Survey,
    collector: Collector,
    *,
    sure: bool,
    how: str,
    known: bool = False,
) -> Iterator[int]:
    """Take in the statement at a position of the arguments.

    ``sure``: a database gets it, so that what cannot be followed is undecided. ``known``: what is
    called has the name of a database, so that a text which begins like SQL is taken for SQL.
    """
    argument = argument_of(site.node, position, _STATEMENT_KEYWORDS)
    if argument is None or isinstance(argument, ast.Starred):
        if sure and site.node.args:
            reason = f"{how} of something unknown"
            collector.add_undecided(span(collector, site.node, site.symbol), reason)
        return
    taken = False
    for text in _texts(argument, site):
        if isinstance(text, ast.Call) and is_sqlalchemy_text(text, survey):
            taken = True  # it is a call of its own
            continue
        inner = TextSite(text, site.scope, survey.symbols.get(id(text), site.symbol))
        sink = sure or (known and _starts_like_sql(inner))
        if not sink and not _is_sql(inner):
            continue
        if add_text(inner, collector, how=how, sink=sink):
            yield id(text)
            taken = True
        elif sure and not _is_built_by_orm(text, site):
            taken = False
            break
    else:
        taken = taken or _is_built_by_orm(argument, site) or not sure
    if not taken and sure:
        collector.add_undecided(
            span(collector, argument, site.symbol),
            f"{how} of a statement that is made elsewhere: {ast.unparse(argument)[:60]}",
        )


def add_text(site: TextSite, collector: Collector, *, how: str, sink: bool) -> bool:
    """Add one text to the facts. False when the node makes no text."""
    if isinstance(site.node, ast.Constant) and not sink and len(str(site.node.value)) < _SHORTEST:
        return False
    text = template(site.node, site.scope)
    if text is None or all(isinstance(part, Hole) for part in text):
        return False
    collector.add_text(text, span(collector, site.node, site.symbol), how=how, sink=sink)
    return True


def argument_of(node: ast.Call, position: int, names: Iterable[str]) -> ast.expr | None:
    """An argument by its position, or by one of its names."""
    if len(node.args) > position:
        return node.args[position]
    return next((k.value for k in node.keywords if k.arg and k.arg in names), None)


def is_orm_call(node: ast.Call) -> bool:
    """``execute(select(Order))``: the statement is built by SQLAlchemy."""
    first = node.args[0] if node.args else None
    return isinstance(first, ast.Call) and call_name(first) in _BUILDERS


def is_sqlalchemy_text(node: ast.Call, survey: Survey) -> bool:
    """A call of SQLAlchemy's ``text()``, however it was imported."""
    if isinstance(node.func, ast.Name):
        origin = survey.origins.get(node.func.id, "")
        return origin.startswith(("sqlalchemy", "sqlmodel")) and origin.endswith(".text")
    if (
        isinstance(node.func, ast.Attribute)
        and node.func.attr == "text"
        and isinstance(node.func.value, ast.Name)
    ):
        return survey.origins.get(node.func.value.id, "").startswith("sqlalchemy")
    return False


def _texts(argument: ast.expr, site: CallSite) -> Iterable[ast.expr]:
    """The expressions that the argument may be; for a name, the values that it was given."""
    if isinstance(argument, ast.IfExp):
        return [argument.body, argument.orelse]
    if isinstance(argument, (ast.Name, ast.Attribute, ast.Subscript)):
        assignments = site.scope.resolve(argument)
        if assignments is None or not assignments.values:
            return [argument]
        if any(operation == "+=" for operation, _ in assignments.values):
            return [argument]
        return list(_given(assignments, site))
    return [argument]


def _given(assignments: Assignments, site: CallSite) -> Iterator[ast.expr]:
    for operation, value in assignments.values:
        if operation == "each":
            items = site.scope.single(value) or value
            if isinstance(items, (ast.List, ast.Tuple, ast.Set)):
                yield from items.elts
            else:
                yield value
        elif isinstance(value, ast.IfExp):
            yield from (value.body, value.orelse)
        elif isinstance(value, (ast.Name, ast.Attribute)):
            yield site.scope.single(value) or value
        else:
            yield value


def _starts_like_sql(site: TextSite) -> bool:
    return starts_like_sql(visible_text(template(site.node, site.scope) or ()))


def _is_sql(site: TextSite) -> bool:
    text = template(site.node, site.scope)
    return text is not None and bool(parse_template(text, sink=False))


def _receiver(node: ast.Call) -> str:
    """The last name before the call: ``cur`` of ``self.cur.execute``, in lower case."""
    value = node.func.value if isinstance(node.func, ast.Attribute) else None
    if isinstance(value, ast.Call):
        return call_name(value).lower()
    if isinstance(value, ast.Attribute):
        return value.attr.lower().lstrip("_")
    return value.id.lower().lstrip("_") if isinstance(value, ast.Name) else ""


def _is_built_by_orm(node: ast.expr, site: CallSite) -> bool:
    """A statement that SQLAlchemy builds out of classes and tables: those are read elsewhere."""
    if isinstance(node, (ast.Name, ast.Attribute)):
        assignments = site.scope.resolve(node)
        values = [value for _, value in assignments.values] if assignments else []
        return bool(values) and all(
            isinstance(value, ast.Call) and _is_built_by_orm(value, site) for value in values
        )
    return isinstance(node, ast.Call) and call_name(node) in _BUILDERS
