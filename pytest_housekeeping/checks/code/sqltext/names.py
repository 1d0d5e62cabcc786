"""What one statement names, from PostgreSQL's own parse tree."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from pytest_housekeeping.checks.code.facts import ReferenceKind

_NO_NAMES = {
    "TransactionStmt",
    "VariableShowStmt",
    "ListenStmt",
    "UnlistenStmt",
    "NotifyStmt",
    "FetchStmt",
    "ClosePortalStmt",
    "DiscardStmt",
    "DeallocateStmt",
    "ExecuteStmt",
    "CheckPointStmt",
    "LoadStmt",
    "ConstraintsSetStmt",
}
_DOTTED = re.compile(r'(?:"(?:[^"]|"")+"|[\w$]+)(?:\s*\.\s*(?:"(?:[^"]|"")+"|[\w$]+))*')
_MAKERS = {"CreateStmt", "CreateTableAsStmt", "ViewStmt", "CreateForeignTableStmt"}
_SETTING_FUNCTIONS = {"set_config"}
_NAMING_FUNCTIONS = {"nextval", "currval", "setval", "to_regclass", "pg_get_serial_sequence"}
_NAMING_TYPES = {"regclass"}


@dataclass(frozen=True, slots=True)
class WrittenName:
    """A name: its identifiers, how it is written, how often the same stands ``before`` it."""

    parts: tuple[str, ...]
    kind: ReferenceKind
    slice: str = ""
    before: int = 0


@dataclass(slots=True)
class StatementNames:
    """What a statement names, makes, and where in it parameters stand in the place of a value."""

    names: list[WrittenName] = field(default_factory=list)
    makes: list[str] = field(default_factory=list)
    ctes: set[str] = field(default_factory=set)
    identifiers: set[str] = field(default_factory=set)
    loose_parameters: set[int] = field(default_factory=set)
    dynamic: bool = False


def named(name: str, body: Any, text: str) -> StatementNames:
    """All that the statement names. Names of its own CTEs are left out."""
    found = StatementNames()
    if name in _NO_NAMES:
        return found
    reader = _Reader(text, found)
    reader.statement(name, body)
    found.names = [
        spelt
        for spelt in found.names
        if not (
            spelt.kind is ReferenceKind.RELATION
            and len(spelt.parts) == 1
            and spelt.parts[0] in found.ctes
        )
    ]
    return found


class _Reader:
    def __init__(self, text: str, found: StatementNames) -> None:
        self._text = text
        self._raw = None if text.isascii() else text.encode()
        self._found = found

    def statement(self, name: str, body: Any) -> None:
        special = getattr(self, f"_{name}", None)
        if special is not None:
            special(body)
        if name in _MAKERS:
            self._made(body)
        self._walk(name, body, loose=False)

    def _made(self, body: Any) -> None:
        relation = body.get("relation") or body.get("view") or body.get("into", {}).get("rel")
        if not relation and "base" in body:
            relation = body["base"].get("relation")
        if relation:
            self._found.makes.append(relation["relname"])

    def _VariableSetStmt(self, body: Any) -> None:  # noqa: N802
        if body.get("name") in ("search_path", "role", "session_authorization"):
            kind = ReferenceKind.SCHEMA if body["name"] == "search_path" else ReferenceKind.ROLE
            for argument in body.get("args", []):
                constant = argument.get("A_Const", {})
                value = constant.get("sval", {}).get("sval", "")
                if not value and "ParamRef" in str(argument):
                    self._found.dynamic = True
                at = self._offset(constant.get("location", 0))
                for part in value.split(",") if kind is ReferenceKind.SCHEMA else [value]:
                    if part.strip() and part.strip() != "$user":
                        self._add((part.strip().strip('"'),), kind, at)

    def _DropStmt(self, body: Any) -> None:  # noqa: N802
        kinds = {"OBJECT_TABLE", "OBJECT_VIEW", "OBJECT_MATVIEW", "OBJECT_INDEX", "OBJECT_SEQUENCE"}
        for entry in body.get("objects", []):
            if body.get("removeType") in kinds:
                self._add(
                    _strings(entry.get("List", {}).get("items", [])), ReferenceKind.RELATION, None
                )
            elif body.get("removeType") == "OBJECT_SCHEMA":
                self._add(_strings([entry]), ReferenceKind.SCHEMA, None)

    def _CreateSchemaStmt(self, body: Any) -> None:  # noqa: N802
        if "schemaname" in body:
            self._add((body["schemaname"],), ReferenceKind.SCHEMA, None)

    def _CreateFunctionStmt(self, body: Any) -> None:  # noqa: N802
        name = _strings(body.get("funcname", []))
        self._found.makes.append(name[-1])
        if len(name) > 1:
            self._add(name, ReferenceKind.FUNCTION, None)
        self._body(body)

    def _DoStmt(self, body: Any) -> None:  # noqa: N802
        self._body(body)

    def _body(self, body: Any) -> None:
        from pytest_housekeeping.checks.code.sqltext.bodies import read_body

        source, language = _routine_source(body)
        names, dynamic = read_body(source, language)
        for parts, kind in names:
            self._add(parts, kind, None)
        self._found.dynamic |= dynamic

    def _walk(self, key: str, node: Any, *, loose: bool) -> None:
        """``loose``: a parameter here would stand for a whole clause and not for one value."""
        if isinstance(node, list):
            for item in node:
                self._walk(key, item, loose=loose)
            return
        if "relname" in node:
            self._relation(node)
        for child, value in node.items():
            if child in _LEAVES or not isinstance(value, (dict, list)):
                continue
            if child == "ParamRef" and loose:
                self._found.loose_parameters.add(node[child].get("number", 0))
            if child in _VISITS and isinstance(value, dict):
                _VISITS[child](self, value)
            if child not in _LAST:
                self._walk(child, value, loose=_is_loose(key, child, loose=loose))

    def _relation(self, node: Any) -> None:
        parts = tuple(part for part in (node.get("schemaname"), node["relname"]) if part)
        self._add(parts, ReferenceKind.RELATION, self._offset(node.get("location", 0)))
        if alias := node.get("alias", {}).get("aliasname"):
            self._found.identifiers.add(alias)

    def _function(self, node: Any) -> None:
        parts = _strings(node.get("funcname", []))
        if not parts:
            return
        at = self._offset(node.get("location", 0))
        arguments = [_constant(argument) for argument in node.get("args", [])]
        if parts[-1] in _SETTING_FUNCTIONS:
            self._set_config(arguments, at)
        elif parts[-1] in _NAMING_FUNCTIONS and arguments and arguments[0]:
            self._add(_identifiers(arguments[0]), ReferenceKind.RELATION, None)
        if parts[0] != "pg_catalog":
            self._add(parts, ReferenceKind.FUNCTION, at)

    def _set_config(self, arguments: list[str | None], at: int) -> None:
        if not arguments or arguments[0] not in ("search_path", "role"):
            return
        if len(arguments) < 2 or arguments[1] is None:
            self._found.dynamic = True
            return
        kind = ReferenceKind.SCHEMA if arguments[0] == "search_path" else ReferenceKind.ROLE
        for part in arguments[1].split(","):
            if part.strip() and part.strip() != "$user":
                self._add((part.strip().strip('"'),), kind, at)

    def _cast(self, node: Any) -> None:
        kind = _strings(node.get("typeName", {}).get("names", []))
        value = _constant(node.get("arg", {}))
        if kind and kind[-1] in _NAMING_TYPES and value and not value.isdigit():
            self._add(_identifiers(value), ReferenceKind.RELATION, None)

    def _cte(self, node: Any) -> None:
        self._found.ctes.add(node.get("ctename", ""))

    def _column(self, node: Any) -> None:
        self._found.identifiers.update(_strings(node.get("fields", [])))

    def _target(self, node: Any) -> None:
        if "name" in node:
            self._found.identifiers.add(node["name"])

    def _add(self, parts: tuple[str, ...], kind: ReferenceKind, at: int | None) -> None:
        if not parts or not all(parts):
            return
        parts = parts[-2:] if len(parts) > 2 else parts
        if at is None:
            spot = re.search(r"\W*".join(map(re.escape, parts)), self._text)
            at = spot.start() if spot else 0
            written = spot[0] if spot else ""
        else:
            match = _DOTTED.match(self._text, at)
            written = match[0] if match else ""
        before = self._text.count(written, 0, at) if written else 0
        self._found.names.append(WrittenName(parts, kind, written, before))

    def _offset(self, location: int) -> int:
        return location if self._raw is None else len(self._raw[:location].decode(errors="ignore"))


_VISITS: dict[str, Any] = {
    "FuncCall": _Reader._function,
    "funccall": _Reader._function,
    "TypeCast": _Reader._cast,
    "CommonTableExpr": _Reader._cte,
    "ColumnRef": _Reader._column,
    "ResTarget": _Reader._target,
}
_LAST = {"ColumnRef", "ParamRef"}
_LEAVES = {"A_Const", "String", "Integer", "typeName", "A_Star"}
# Places where a parameter is no single value: a whole condition, a sort key, an output column.
_LOOSE_KEYS = {
    "whereClause",
    "havingClause",
    "quals",
    "sortClause",
    "groupClause",
    "targetList",
    "returningList",
    "returningClause",
}
_TRANSPARENT = {"ResTarget", "SortBy", "node", "BoolExpr", "args", "val", "exprs"}
_SETTING_STATEMENTS = {"UpdateStmt", "onConflictClause", "MergeWhenClause"}


def _is_loose(key: str, child: str, *, loose: bool) -> bool:
    if child == "targetList" and key in _SETTING_STATEMENTS:
        return False
    return child in _LOOSE_KEYS or (loose and child in _TRANSPARENT)


def _constant(node: Any) -> str | None:
    inner = node.get("TypeCast", {}).get("arg")
    constant = inner or node
    value = constant.get("A_Const", {}).get("sval", {}).get("sval")
    return str(value) if value is not None else None


def _strings(nodes: Any) -> tuple[str, ...]:
    return tuple(
        node["String"]["sval"] for node in nodes if isinstance(node, dict) and "String" in node
    )


def _identifiers(text: str) -> tuple[str, ...]:
    from pytest_housekeeping.sql.identifiers import split_name

    return split_name(text)


def _routine_source(body: Any) -> tuple[str, str]:
    source, language = "", "plpgsql"
    for option in [*body.get("args", []), *body.get("options", [])]:
        element = option.get("DefElem", {})
        value = element.get("arg", {})
        if element.get("defname") == "as":
            items = value.get("List", {}).get("items", [value])
            source = "".join(_strings(items))
        elif element.get("defname") == "language":
            language = "".join(_strings([value]))
    return source, language
