"""The statements in the text of a function's body, each with its variables as parameters."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pytest_housekeeping.sql.identifiers import DOTTED, stored_name
from pytest_housekeeping.sql.parse import SyntaxRefused, extents, nodes_of, parse
from pytest_housekeeping.sql.parser import ParseError, parse_plpgsql, scan

_TAG = "$hk_body$"
_RETURNS = ("RETURNS void", "RETURNS text", "RETURNS SETOF record", "RETURNS trigger", "")
_DYNAMIC = {"PLpgSQL_stmt_dynexecute", "PLpgSQL_stmt_dynfors"}
# How PL/pgSQL parses an expression: a whole statement, what stands behind SELECT, an assignment.
_STATEMENT, _EXPRESSION = 0, 2
_ASSIGNMENT = re.compile(r"\s*([^:=]+?)\s*(?::=|=)(.*)", re.DOTALL)
_ATOMIC = re.compile(r"\s*BEGIN\s+ATOMIC\b(.*)\bEND\s*", re.DOTALL | re.IGNORECASE)
_RETURN = re.compile(r"\s*RETURN\b(.*)", re.DOTALL | re.IGNORECASE)
# What a body may name without declaring it.
_GIVEN = (
    *("found", "sqlstate", "sqlerrm", "tg_name", "tg_when", "tg_level", "tg_op", "tg_relid"),
    *("tg_relname", "tg_table_name", "tg_table_schema", "tg_nargs", "tg_argv", "tg_event"),
    "tg_tag",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Variable:
    """A name in a body. ``type``: as it is written, or its OID behind a #; "" where nobody says.
    ``number``: of an argument, which may be written ``$1`` as well."""

    name: str
    type: str = ""
    number: int = 0
    is_row: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class BodyStatement:
    """One statement of a body, in whose ``text`` a variable is ``$n``; ``parameters`` are their
    types, as they are written. ``line`` counts from the first line of the body."""

    line: int
    text: str
    parameters: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Body:
    """What was read of a body. ``undecided``: how many places of it are known at run time only."""

    statements: tuple[BodyStatement, ...] = ()
    undecided: int = 0


def read_sql_body(source: str, function: str, arguments: tuple[Variable, ...]) -> Body:
    """The body of an SQL function: a text, or what the server prints of BEGIN ATOMIC."""
    if atomic := _ATOMIC.fullmatch(source):
        source = atomic[1]
    elif returned := _RETURN.fullmatch(source):
        source = f"SELECT {returned[1]}"
    names = _Names(function=function, known={each.name: each for each in arguments})
    try:
        statements = parse(source)
    except SyntaxRefused:
        return Body(undecided=1)
    found = []
    for statement, end in extents(statements, source):
        line = source.count("\n", 0, statement.offset) + 1
        text = source[statement.offset : end].rstrip().rstrip(";")
        found.append(_with_parameters(text, line, names, arguments))
    return _body(found)


def read_plpgsql_body(
    source: str, function: str, arguments: tuple[Variable, ...], rows: Mapping[str, str]
) -> Body:
    """The body of a PL/pgSQL function. ``rows``: the row types of NEW and OLD in a trigger."""
    plain, declared = _without_types(source)
    tree = _tree(plain, arguments)
    if tree is None or "#variable_conflict" in source:
        return Body(undecided=1)
    known = {each.name: each for each in arguments}
    known |= {
        name: Variable(name=name) for name in (*_GIVEN, *_names_in(tree)) if name not in known
    }
    known |= declared
    known |= {name: Variable(name=name, type=row, is_row=True) for name, row in rows.items()}
    labels = {value for key, value in nodes_of(tree) if key == "label"}
    names = _Names(function=function, known=known, labels=frozenset(labels))
    found: list[BodyStatement | None] = []
    dynamic = 0
    for line, key, value in _with_lines(tree, 1):
        dynamic += key in _DYNAMIC
        if key == "PLpgSQL_expr" and (text := _text_of(value)):
            found.append(_with_parameters(text, line, names, arguments))
    return _body(found, dynamic)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Names:
    function: str
    known: Mapping[str, Variable]
    labels: frozenset[str] = field(default_factory=frozenset)

    def variable(self, parts: tuple[str, ...]) -> tuple[Variable, tuple[str, ...]] | None:
        """The variable that a dotted name begins with, and what of the name is left."""
        if len(parts) > 1 and (parts[0] == self.function or parts[0] in self.labels):
            parts = parts[1:]
        found = self.known.get(parts[0])
        if found is None or (len(parts) > 1 and not (found.is_row or not found.type)):
            return None
        return found, parts[1:]


def _body(found: list[BodyStatement | None], dynamic: int = 0) -> Body:
    statements = tuple(each for each in found if each is not None)
    return Body(statements=statements, undecided=dynamic + found.count(None))


def _with_parameters(
    text: str, line: int, names: _Names, arguments: tuple[Variable, ...]
) -> BodyStatement | None:
    """The statement with ``$n`` for each variable; None where PostgreSQL does not parse it."""
    try:
        statements = parse(text)
    except SyntaxRefused:
        return None
    raw = text.encode()
    parameters = [each.type for each in arguments if each.number]
    numbers: dict[tuple[str, tuple[str, ...]], int] = {
        (each.name, ()): each.number for each in arguments if each.number
    }
    out: list[bytes] = []
    end = 0
    for location, parts, starred in sorted(_columns(statements)):
        match = DOTTED.match(raw[location:].decode(errors="ignore"))
        found = names.variable(parts) if parts else None
        if found is None or match is None or location < end:
            continue
        variable, rest = found
        whole = variable.is_row or not rest
        key = (variable.name, () if whole else rest)
        if key not in numbers:
            parameters.append(variable.type if whole else "")
            numbers[key] = len(parameters)
        written = f"${numbers[key]}"
        if variable.is_row and (rest or starred):
            tail = "".join(f'."{part}"' for part in rest)
            written = f"({written}){tail}"
        elif starred:
            return None
        out += [raw[end:location], written.encode()]
        end = location + len(match[0].encode())
    out.append(raw[end:])
    return BodyStatement(line=line, text=b"".join(out).decode(), parameters=tuple(parameters))


def _columns(statements: Any) -> Iterator[tuple[int, tuple[str, ...], bool]]:
    """Place in bytes, parts and whether it ends in a star, of what may name a column."""
    for statement in statements:
        for key, value in nodes_of(statement.body):
            if key == "ColumnRef":
                fields = value.get("fields", ())
                parts = tuple(each["String"]["sval"] for each in fields if "String" in each)
                starred = any("A_Star" in each for each in fields)
                yield value.get("location", 0), parts, starred


def _text_of(expression: Any) -> str:
    mode, query = expression.get("parseMode", 0), str(expression.get("query", ""))
    if mode == _STATEMENT:
        return query
    if mode == _EXPRESSION:
        return f"SELECT {query}"
    assigned = _ASSIGNMENT.fullmatch(query)
    return f"SELECT {assigned[1]}, {assigned[2]}" if assigned else ""


def _tree(source: str, arguments: tuple[Variable, ...]) -> Any:
    """The parse tree, or None. A body fits only some return types, which are tried in turn."""
    header = ", ".join(f'"{each.name}" text' for each in arguments)
    for returns in _RETURNS:
        out = "" if returns else ", OUT hk_out text"
        given = f"{header}{out}" if header else out.removeprefix(", ")
        text = f"CREATE FUNCTION f({given}) {returns} LANGUAGE plpgsql AS {_TAG}{source}{_TAG}"
        try:
            return parse_plpgsql(text)
        except (ParseError, ValueError):
            continue
    return None


def _without_types(source: str) -> tuple[str, dict[str, Variable]]:
    """The body with types of the catalog written as others, which the parser cannot look up; and
    the variables that have them."""
    try:
        words = [each for each in scan(source) if "COMMENT" not in each.name]
    except ParseError:
        return source, {}
    texts = [source[each.start : each.end] for each in words]
    out: list[str] = []
    end = 0
    declared: dict[str, Variable] = {}
    declaring = begins = False
    for place, text in enumerate(texts):
        word = text.lower()
        if word == "declare":
            declaring = begins = True
        elif word == "begin" and begins:
            declaring = begins = False
        elif declaring and begins and word != ";":
            begins = False
            constant = texts[place + 1].lower() == "constant" if texts[place + 1 :] else False
            first = place + 1 + constant
            last = _end_of_type(texts, first)
            written = "".join(texts[first:last])
            if "." in written or "%" in written:
                is_row = "." in written and "%" not in written
                is_row |= written.lower().endswith("%rowtype")
                name = stored_name(text)
                declared[name] = Variable(name=name, type=written, is_row=is_row)
                stand_in = "record" if is_row else "text"
                out += [source[end : words[first].start], stand_in]
                end = words[last - 1].end
        elif declaring and word == ";":
            begins = True
    return "".join([*out, source[end:]]), declared


def _end_of_type(texts: list[str], first: int) -> int:
    last = first + 1
    while texts[last : last + 1] and texts[last] in (".", "%"):
        last += 2
    return min(last, len(texts))


def _names_in(tree: Any) -> Iterator[str]:
    for key, value in nodes_of(tree):
        if key in ("PLpgSQL_var", "PLpgSQL_rec"):
            yield value.get("refname", "")


def _with_lines(node: Any, line: int) -> Iterator[tuple[int, str, Any]]:
    """Every node with the line of the statement that it stands in."""
    if isinstance(node, list):
        for item in node:
            yield from _with_lines(item, line)
    elif isinstance(node, dict):
        own = node.get("lineno", line)
        for key, value in node.items():
            yield own, key, value
            yield from _with_lines(value, own if key != "datums" else line)
