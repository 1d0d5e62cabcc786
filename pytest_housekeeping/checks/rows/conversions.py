"""How files say that a column gets another type: the USING of ALTER TABLE, by table and column."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pytest_housekeeping.checks.code.sqltext.bodies import body_texts
from pytest_housekeeping.sql.parser import Node, ParseError, Unprintable, deparse, is_a, parse, walk


@dataclass(frozen=True, kw_only=True, slots=True)
class Conversion:
    """One ALTER COLUMN TYPE: the table as it is written, with its schema or "".

    ``using`` is "" where the file leaves it to PostgreSQL, None where it cannot be printed.
    ``reads`` are the columns that it names; ``casts_only`` where it is the column itself with
    casts around it.
    """

    schema: str
    table: str
    column: str
    using: str | None
    reads: frozenset[str]
    casts_only: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Altered:
    """What the files write about columns: types, and defaults set or dropped behind their back."""

    conversions: tuple[Conversion, ...]
    defaults: frozenset[str]


def altered_columns(texts: Iterable[str]) -> Altered:
    """All that these files write. A text that does not parse says nothing: its precheck has
    failed."""
    conversions: list[Conversion] = []
    defaults: set[str] = set()
    for statement in _statements(texts):
        conversions += _conversions(statement)
        defaults |= {
            command.name
            for command in walk(statement)
            if is_a(command, "AlterTableCmd") and command.subtype == "AT_ColumnDefault"
        }
    return Altered(conversions=tuple(conversions), defaults=frozenset(defaults))


def _statements(texts: Iterable[str]) -> Iterator[Node]:
    """The statements of texts, those of DO blocks too."""
    for text in texts:
        try:
            found = parse(text)
        except ParseError:
            continue
        for each in found:
            yield each.stmt
            if is_a(each.stmt, "DoStmt"):
                given = {option.defname: option.arg.sval for option in each.stmt.args}
                body = body_texts(given.get("as", ""), given.get("language", "plpgsql"))
                yield from _statements(body.statements if body else ())


def _conversions(statement: Node) -> Iterator[Conversion]:
    if not is_a(statement, "AlterTableStmt"):
        return
    relation = statement.relation
    for command in statement.cmds:
        if command.subtype != "AT_AlterColumnType":
            continue
        using = command.def_.raw_default
        yield Conversion(
            schema=relation.schemaname or "",
            table=relation.relname,
            column=command.name,
            using=_printed(using),
            reads=frozenset(_columns(using)),
            casts_only=_is_cast_of(using, command.name),
        )


def _printed(expression: Node | None) -> str | None:
    if expression is None:
        return ""
    try:
        return deparse(expression)
    except Unprintable:
        return None


def _columns(expression: Node | None) -> Iterator[str]:
    for node in walk(expression):
        if is_a(node, "ColumnRef"):
            yield from (part.sval if is_a(part, "String") else "*" for part in node.fields[-1:])


def _is_cast_of(expression: Node | None, column: str) -> bool:
    while is_a(expression, "TypeCast"):
        expression = expression.arg
    return expression is None or (
        is_a(expression, "ColumnRef")
        and is_a(expression.fields[-1], "String")
        and expression.fields[-1].sval == column
    )
