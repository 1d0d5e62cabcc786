"""Calls that hand text to a database, and what that text names."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from pytest_housekeeping.checks.code.facts import Import, ReferenceKind
from pytest_housekeeping.checks.code.readers.python.text import Assignments, call_name, template
from pytest_housekeeping.checks.code.readers.python.walk import Site, Survey, span
from pytest_housekeeping.checks.code.sqltext.collector import Collector
from pytest_housekeeping.checks.code.sqltext.template import Hole, static, visible
from pytest_housekeeping.checks.code.vocabulary import vocabulary

# The position of the statement among the arguments.
_SINKS = {
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
# Of these a text that is no SQL means nothing, unless what is called is plainly a database.
_SHARED = frozenset(
    [
        "copy",
        "fetch",
        "stream",
        "prepare",
        "raw",
        "scalar",
        "scalars",
        "mogrify",
        "fetch_all",
        "fetch_one",
    ]
)
_RECEIVERS = vocabulary(
    """
    cur cursor curs c conn connection con cnx db database session engine pool tx trx transaction
    pg postgres client dbapi_connection dbapi_conn read_session write_session
    """
)
_BUILDERS = vocabulary(
    """
    select insert update delete union union_all exists func where values returning join filter
    order_by limit group_by on_conflict_do_nothing on_conflict_do_update create drop scalar
    delete_stmt with_only_columns options filter_by offset having select_from distinct
    CreateTable DropTable CreateSchema DDL
    """
)
_CONNECTORS = frozenset(["connect", "create_pool", "ConnectionPool", "AsyncConnectionPool"])


def read(survey: Survey, collector: Collector, *, database: bool) -> set[int]:
    """Take in every call. Returns the nodes whose text has been dealt with."""
    done: set[int] = set()
    for site in survey.calls:
        if isinstance(site.node, ast.Call):
            done |= set(_call(site, site.node, survey, collector, database=database))
    return done


def take(site: Site, collector: Collector, *, how: str, sink: bool) -> bool:
    """Take in one text. False when it is not made of text at all."""
    if isinstance(site.node, ast.Constant) and not sink and len(str(site.node.value)) < _SHORTEST:
        return False
    text = template(site.node, site.scope)
    if text is None:
        return False
    if all(isinstance(part, Hole) for part in text):
        return False
    collector.sql(text, span(collector, site.node, site.symbol), how=how, sink=sink)
    return True


_SHORTEST = 6


def _call(
    site: Site, node: ast.Call, survey: Survey, collector: Collector, *, database: bool
) -> Iterator[int]:
    name = call_name(node)
    if _is_sqlalchemy_text(node, survey):
        yield from _sink(site, node, 0, survey, collector, sure=True, how="text()")
    elif name in ("read_sql_table", "callproc", "copy_from", "copy_to"):
        yield from _named(site, node, name, collector)
    elif name == "import_module" and node.args:
        _import_module(site, node, collector)
    elif name in _CONNECTORS:
        _connect(site, node, collector)
    elif name in _SINKS and not _is_orm(node):
        receiver = _receiver(node)
        known = receiver in _RECEIVERS or receiver.endswith(_ENDINGS)
        sure = (known or database) if name not in _SHARED else (known and database)
        if name == "read_sql" and _is_table_name(site, node):
            yield from _named(site, node, "read_sql_table", collector)
        else:
            yield from _sink(
                site, node, _SINKS[name], survey, collector, sure=sure, how=f"{name}()", known=known
            )


_ENDINGS = ("_cur", "_cursor", "_conn", "_connection", "_db", "_session", "_engine", "_pool")


def _sink(
    site: Site,
    node: ast.Call,
    position: int,
    survey: Survey,
    collector: Collector,
    *,
    sure: bool,
    how: str,
    known: bool = False,
) -> Iterator[int]:
    argument = _argument(node, position, ("query", "sql", "statement", "operation", "command"))
    if argument is None or isinstance(argument, ast.Starred):
        if sure and node.args:
            collector.undecided(span(collector, node, site.symbol), f"{how} of something unknown")
        return
    taken = False
    for text in _texts(argument, site):
        if isinstance(text, ast.Call) and _is_sqlalchemy_text(text, survey):
            taken = True  # it is a call of its own
            continue
        inner = Site(text, site.scope, survey.symbols.get(id(text), site.symbol))
        asked = sure or (known and _starts_like_sql(inner))
        if not asked and not _is_sql(inner):
            continue
        if take(inner, collector, how=how, sink=asked):
            yield id(text)
            taken = True
        elif sure and not _is_orm_value(text, site):
            taken = False
            break
    else:
        taken = taken or _is_orm_value(argument, site) or not sure
    if not taken and sure:
        collector.undecided(
            span(collector, argument, site.symbol),
            f"{how} of a statement that is made elsewhere: {ast.unparse(argument)[:60]}",
        )


def _texts(argument: ast.expr, site: Site) -> Iterable[ast.expr]:
    """The expressions that the argument may be: of a name, what it was given."""
    if isinstance(argument, ast.IfExp):
        return [argument.body, argument.orelse]
    if isinstance(argument, (ast.Name, ast.Attribute, ast.Subscript)):
        assigned = site.scope.resolve(argument)
        if assigned is None or not assigned.values:
            return [argument]
        if any(operation == "+=" for operation, _ in assigned.values):
            return [argument]
        return list(_given(assigned, site))
    return [argument]


def _given(assigned: Assignments, site: Site) -> Iterator[ast.expr]:
    for operation, value in assigned.values:
        if operation == "each":
            known = site.scope.resolve(value)
            items = (known.single if known else None) or value
            if isinstance(items, (ast.List, ast.Tuple, ast.Set)):
                yield from items.elts
            else:
                yield value
        elif isinstance(value, ast.IfExp):
            yield from (value.body, value.orelse)
        elif isinstance(value, (ast.Name, ast.Attribute)):
            known = site.scope.resolve(value)
            yield (known.single if known else None) or value
        else:
            yield value


def _starts_like_sql(site: Site) -> bool:
    from pytest_housekeeping.checks.code.sqltext import parse as sqltext

    return sqltext.starts_like_sql(visible(template(site.node, site.scope) or ()))


def _is_sql(site: Site) -> bool:
    from pytest_housekeeping.checks.code.sqltext import parse as sqltext

    text = template(site.node, site.scope)
    return text is not None and bool(sqltext.read(text, sink=False))


def _argument(node: ast.Call, position: int, names: Iterable[str]) -> ast.expr | None:
    if len(node.args) > position:
        return node.args[position]
    return next((k.value for k in node.keywords if k.arg and k.arg in names), None)


def _receiver(node: ast.Call) -> str:
    """``cur`` of ``self.cur.execute`` and of ``conn.cursor().execute``, the last name before."""
    value = node.func.value if isinstance(node.func, ast.Attribute) else None
    if isinstance(value, ast.Call):
        return call_name(value).lower()
    if isinstance(value, ast.Attribute):
        return value.attr.lower().lstrip("_")
    return value.id.lower().lstrip("_") if isinstance(value, ast.Name) else ""


def _is_orm(node: ast.Call) -> bool:
    first = node.args[0] if node.args else None
    return isinstance(first, ast.Call) and call_name(first) in _BUILDERS


def _is_orm_value(node: ast.expr, site: Site) -> bool:
    """A statement that SQLAlchemy builds out of classes and tables: those are read elsewhere."""
    if isinstance(node, (ast.Name, ast.Attribute)):
        assigned = site.scope.resolve(node)
        values = [value for _, value in assigned.values] if assigned else []
        return bool(values) and all(
            isinstance(value, ast.Call) and _is_orm_value(value, site) for value in values
        )
    return isinstance(node, ast.Call) and call_name(node) in _BUILDERS


def _is_sqlalchemy_text(node: ast.Call, survey: Survey) -> bool:
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


def _is_table_name(site: Site, node: ast.Call) -> bool:
    text = static(template(node.args[0], site.scope)) if node.args else None
    return text is not None and text.replace(".", "").replace("_", "").isalnum()


def _named(site: Site, node: ast.Call, name: str, collector: Collector) -> Iterator[int]:
    argument = _argument(
        node, 1 if name in ("copy_from", "copy_to") else 0, ("table_name", "table")
    )
    if argument is None:
        return
    text = static(template(argument, site.scope))
    place = span(collector, argument, site.symbol)
    if text is None:
        collector.undecided(place, f"{name}() of a name that is made at run time")
        return
    schema = next((k.value for k in node.keywords if k.arg == "schema"), None)
    prefix = static(template(schema, site.scope)) if schema is not None else None
    kind = ReferenceKind.FUNCTION if name == "callproc" else ReferenceKind.RELATION
    collector.dotted(f"{prefix}.{text}" if prefix else text, kind, place, how=f"{name}()")
    yield id(argument)


def _import_module(site: Site, node: ast.Call, collector: Collector) -> None:
    module = static(template(node.args[0], site.scope))
    if module and not module.startswith("."):
        collector.imports.append(
            Import(line=node.lineno, column=node.col_offset + 1, symbol=site.symbol, module=module)
        )


def _connect(site: Site, node: ast.Call, collector: Collector) -> None:
    """``connect(user="governance_officer")``, and asyncpg's server_settings."""
    given = {keyword.arg: keyword.value for keyword in node.keywords if keyword.arg}
    settings = given.get("server_settings")
    if isinstance(settings, ast.Dict):
        for key, value in zip(settings.keys, settings.values, strict=True):
            if isinstance(key, ast.Constant):
                given[str(key.value)] = value
    for option, kind in (
        ("user", ReferenceKind.ROLE),
        ("role", ReferenceKind.ROLE),
        ("search_path", ReferenceKind.SCHEMA),
    ):
        chosen = given.get(option)
        if chosen is None:
            continue
        text = static(template(chosen, site.scope)) or ""
        for part in text.split(",") if text else ():
            place = span(collector, chosen, site.symbol)
            collector.name((part.strip(),), kind, place, how="connection options")
