"""What one statement names, from PostgreSQL's own parse tree."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pytest_housekeeping.checks.code.facts import ReferenceKind
from pytest_housekeeping.checks.code.sqltext.written import WrittenName, find_name
from pytest_housekeeping.sql.identifiers import split_name

_NAMELESS = {
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
_MAKERS = {"CreateStmt", "CreateTableAsStmt", "ViewStmt", "CreateForeignTableStmt"}
_DROPPED_RELATIONS = {
    "OBJECT_TABLE",
    "OBJECT_VIEW",
    "OBJECT_MATVIEW",
    "OBJECT_INDEX",
    "OBJECT_SEQUENCE",
}
_CHOOSING_SETTINGS = {"search_path", "role", "session_authorization"}
# Functions and types that take the name of a relation as text.
_NAMING_FUNCTIONS = {"nextval", "currval", "setval", "to_regclass", "pg_get_serial_sequence"}
_NAMING_TYPES = {"regclass"}


@dataclass(slots=True)
class StatementNames:
    """What a statement names and makes. Names of its own WITH queries are left out.

    ``bodies``: source and language of the routine bodies in it, which are not read here.
    ``identifiers``: columns, aliases and output names. ``loose_parameters``: the numbers of those
    that would stand for a whole clause and not for one value. ``dynamic``: it chooses a schema or
    role that is known at run time only.
    """

    names: list[WrittenName] = field(default_factory=list)
    makes: list[str] = field(default_factory=list)
    bodies: list[tuple[str, str]] = field(default_factory=list)
    ctes: set[str] = field(default_factory=set)
    identifiers: set[str] = field(default_factory=set)
    loose_parameters: set[int] = field(default_factory=set)
    dynamic: bool = False


def names_in(node_name: str, body: Any, text: str) -> StatementNames:
    """All that one statement names. ``text`` is the whole text that it was parsed from."""
    found = StatementNames()
    if node_name in _NAMELESS:
        return found
    _StatementReader(text, found).read(node_name, body)
    found.names = [name for name in found.names if not _is_cte(name, found.ctes)]
    return found


def _is_cte(name: WrittenName, ctes: set[str]) -> bool:
    return name.kind is ReferenceKind.RELATION and len(name.parts) == 1 and name.parts[0] in ctes


class _StatementReader:
    """One walk through a parse tree; methods that are called like a node read it first."""

    def __init__(self, text: str, found: StatementNames) -> None:
        self._text = text
        self._bytes = None if text.isascii() else text.encode()
        self._found = found

    def read(self, node_name: str, body: Any) -> None:
        special = getattr(self, f"_{node_name}", None)
        if special is not None:
            special(body)
        if node_name in _MAKERS:
            self._made(body)
        self._walk(node_name, body, loose=False)

    def _made(self, body: Any) -> None:
        relation = body.get("relation") or body.get("view") or body.get("into", {}).get("rel")
        if not relation and "base" in body:
            relation = body["base"].get("relation")
        if relation:
            self._found.makes.append(relation["relname"])

    def _VariableSetStmt(self, body: Any) -> None:  # noqa: N802
        setting = body.get("name")
        if setting not in _CHOOSING_SETTINGS:
            return
        for argument in body.get("args", []):
            constant = argument.get("A_Const", {})
            value = constant.get("sval", {}).get("sval", "")
            if not value and "ParamRef" in str(argument):
                self._found.dynamic = True
            self._chosen(setting, value, self._offset(constant.get("location", 0)))

    def _DropStmt(self, body: Any) -> None:  # noqa: N802
        for entry in body.get("objects", []):
            if body.get("removeType") in _DROPPED_RELATIONS:
                items = entry.get("List", {}).get("items", [])
                self._add(_strings(items), ReferenceKind.RELATION)
            elif body.get("removeType") == "OBJECT_SCHEMA":
                self._add(_strings([entry]), ReferenceKind.SCHEMA)

    def _CreateSchemaStmt(self, body: Any) -> None:  # noqa: N802
        if "schemaname" in body:
            self._add((body["schemaname"],), ReferenceKind.SCHEMA)

    def _ImportForeignSchemaStmt(self, _: Any) -> None:  # noqa: N802
        # Which tables there are, only the other server knows; it may be this one.
        self._found.dynamic = True

    def _GrantStmt(self, body: Any) -> None:  # noqa: N802
        if (
            body.get("objtype") == "OBJECT_SCHEMA"
            or body.get("targtype") == "ACL_TARGET_ALL_IN_SCHEMA"
        ):
            self._schemas(body.get("objects", []))

    def _AlterDefaultPrivilegesStmt(self, body: Any) -> None:  # noqa: N802
        for option in body.get("options", []):
            if option["DefElem"].get("defname") == "schemas":
                self._schemas(option["DefElem"]["arg"]["List"]["items"])

    def _CommentStmt(self, body: Any) -> None:  # noqa: N802
        items = body.get("object", {}).get("List", {}).get("items", [])
        if body.get("objtype") in _DROPPED_RELATIONS:
            self._add(_strings(items), ReferenceKind.RELATION)
        elif body.get("objtype") == "OBJECT_COLUMN":
            self._add(_strings(items)[:-1], ReferenceKind.RELATION)

    def _schemas(self, nodes: Any) -> None:
        for name in _strings(nodes):
            self._add((name,), ReferenceKind.SCHEMA)

    def _CreateFunctionStmt(self, body: Any) -> None:  # noqa: N802
        name = _strings(body.get("funcname", []))
        self._found.makes.append(name[-1])
        if len(name) > 1:
            self._add(name, ReferenceKind.FUNCTION)
        self._found.bodies.append(_routine_body(body))

    def _DoStmt(self, body: Any) -> None:  # noqa: N802
        self._found.bodies.append(_routine_body(body))

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
        if parts[-1] == "set_config":
            self._set_config(arguments, at)
        elif parts[-1] in _NAMING_FUNCTIONS and arguments and arguments[0]:
            self._add(split_name(arguments[0]), ReferenceKind.RELATION)
        if parts[0] != "pg_catalog":
            self._add(parts, ReferenceKind.FUNCTION, at)

    def _set_config(self, arguments: list[str | None], at: int) -> None:
        setting = arguments[0] if arguments else None
        if setting not in ("search_path", "role"):
            return
        value = arguments[1] if len(arguments) > 1 else None
        if value is None:
            self._found.dynamic = True
        else:
            self._chosen(setting, value, at)

    def _chosen(self, setting: str, value: str, at: int) -> None:
        """The schemas of a search_path, or a role."""
        is_path = setting == "search_path"
        kind = ReferenceKind.SCHEMA if is_path else ReferenceKind.ROLE
        for part in value.split(",") if is_path else [value]:
            if part.strip() and part.strip() != "$user":
                self._add((part.strip().strip('"'),), kind, at)

    def _cast(self, node: Any) -> None:
        type_name = _strings(node.get("typeName", {}).get("names", []))
        value = _constant(node.get("arg", {}))
        if type_name and type_name[-1] in _NAMING_TYPES and value and not value.isdigit():
            self._add(split_name(value), ReferenceKind.RELATION)

    def _cte(self, node: Any) -> None:
        self._found.ctes.add(node.get("ctename", ""))

    def _column(self, node: Any) -> None:
        self._found.identifiers.update(_strings(node.get("fields", [])))

    def _target(self, node: Any) -> None:
        if "name" in node:
            self._found.identifiers.add(node["name"])

    def _add(self, parts: tuple[str, ...], kind: ReferenceKind, at: int | None = None) -> None:
        if parts and all(parts):
            # A name of three parts begins with the database.
            self._found.names.append(find_name(self._text, parts[-2:], kind, at))

    def _offset(self, location: int) -> int:
        """The parser counts bytes; a text counts characters."""
        if self._bytes is None:
            return location
        return len(self._bytes[:location].decode(errors="ignore"))


_VISITS: dict[str, Any] = {
    "FuncCall": _StatementReader._function,
    "funccall": _StatementReader._function,
    "TypeCast": _StatementReader._cast,
    "CommonTableExpr": _StatementReader._cte,
    "ColumnRef": _StatementReader._column,
    "ResTarget": _StatementReader._target,
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
# In SET a parameter of the target list is the value of a column.
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


def _routine_body(body: Any) -> tuple[str, str]:
    """Source and language of CREATE FUNCTION or DO; DO without a language is PL/pgSQL."""
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
