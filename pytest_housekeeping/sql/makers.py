"""Where in a project's files each object of the schema is made, or was last changed."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

from pytest_housekeeping.model import Place
from pytest_housekeeping.sql.identifiers import PART, split_name
from pytest_housekeeping.sql.parse import Statement, parsed, strings
from pytest_housekeeping.sql.text import origin

Name = tuple[str, ...]
# What changes no object, or rows alone, is looked at nowhere.
_DDL = re.compile(r"(Create|Alter|Define|View|Index|Rename|Rule|CompositeType|Drop)\w*Stmt")
_GRANTS = ("GrantStmt", "GrantRoleStmt")
_RELATIONS = ("relation", "view", "sequence", "typevar", "table")
_QUALIFIED = ("funcname", "typeName", "domainname", "defnames")
_ON_RELATION = ("policy_name", "trigname", "rulename")
_GLOBAL = ("schemaname", "extname", "pubname", "servername", "fdwname", "trigname", "subname")
_WHOLE = ("OBJECT_TABLE", "OBJECT_VIEW", "OBJECT_MATVIEW", "OBJECT_INDEX", "OBJECT_SEQUENCE")
# "table shop.item", "POLICY own ON shop.item": what stands before a name, and between two.
_KIND = re.compile(rf"(?:[A-Za-z]+ )+(?={PART}(?:[.(]|$))")
_ON = re.compile(rf"(?:[A-Za-z]+ )*({PART}) on ({PART}(?:\.{PART})*)", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Makers:
    """``made`` by the name of an object, a column, policy or trigger behind the name of its table;
    ``granted`` holds where privileges on it were last changed. Names are as PostgreSQL stores them.
    """

    made: Mapping[Name, Place] = field(default_factory=dict)
    granted: Mapping[Name, Place] = field(default_factory=dict)

    def of(self, object_: str, *, privileges: bool = False) -> Place | None:
        """Of an object as one would type it: where it, or what it belongs to, was made or changed.

        With ``privileges`` where somebody was given or denied some, if anywhere.
        """
        for name in _candidates(object_):
            place = self.granted.get(name) if privileges else None
            if place := place or self.made.get(name):
                return place
        return None


def makers(texts: Iterable[tuple[str, str]]) -> Makers:
    """Read files, by path and text, in the order in which they are applied: the last one counts.

    A file that PostgreSQL's parser refuses makes nothing; what a DO block makes is in no name.
    """
    made: dict[Name, Place] = {}
    granted: dict[Name, Place] = {}
    for path, text in texts:
        lines = _Lines(path, text)
        for statement in parsed(text):
            found = granted if statement.name in _GRANTS else made
            there = lines.of_character(statement.offset)
            for name, at in _names(statement):
                found[name] = lines.of_byte(at) if at else there
    return Makers(made=made, granted=granted)


class _Lines:
    """The places in a text, by characters and by bytes."""

    def __init__(self, path: str, text: str) -> None:
        self._path, self._text = path, text
        lines = text.split("\n")
        self._characters = [0, *accumulate(len(line) + 1 for line in lines)]
        self._bytes = (
            self._characters
            if text.isascii()
            else [0, *accumulate(len(line.encode()) + 1 for line in lines)]
        )

    def of_character(self, offset: int) -> Place:
        line = bisect_right(self._characters, offset)
        return self._place(line, offset - self._characters[line - 1] + 1)

    def of_byte(self, offset: int) -> Place:
        line = bisect_right(self._bytes, offset)
        return self._place(line, 1)

    def _place(self, line: int, column: int) -> Place:
        path, number = origin(self._text, self._path, line)
        return Place(path=path, line=number, column=column)


def _names(statement: Statement) -> Iterator[tuple[Name, int]]:
    """The names of what a statement makes or changes, each with its byte where it has one."""
    body: Any = statement.body
    if statement.name in _GRANTS:
        yield from ((name, 0) for name in _granted(body))
        return
    if not _DDL.fullmatch(statement.name):
        return
    body = {**body.get("base", {}), **body}
    into = body.get("into", {}).get("rel")
    relations = [body[key] for key in _RELATIONS if isinstance(body.get(key), dict)]
    for each in [*relations, *([into] if into else [])]:
        yield from _of_relation(statement.name, body, _relation(each))
    if not relations:
        yield from ((name, 0) for name in _without_relation(body))


def _of_relation(kind: str, body: Any, relation: Name) -> Iterator[tuple[Name, int]]:
    """What stands on a relation is told by itself; else it is the relation, with its columns."""
    own = next((body[key] for key in _ON_RELATION if body.get(key)), "")
    if kind == "IndexStmt":
        own_name = body.get("idxname")
        yield ((*relation[:-1], own_name) if own_name else relation), 0
    elif own:
        yield (*relation, own), 0
    elif kind == "RenameStmt" and body.get("renameType") not in _WHOLE:
        yield (*relation, body["newname"]), 0
    elif kind == "RenameStmt":
        yield (*relation[:-1], body["newname"]), 0
    elif "newschema" in body:
        yield (body["newschema"], relation[-1]), 0
    else:
        yield relation, 0
        yield from _parts(relation, body)


def _parts(relation: Name, body: Any) -> Iterator[tuple[Name, int]]:
    """The columns and constraints of a CREATE or an ALTER TABLE, each in its line."""
    commands = [each.get("AlterTableCmd", {}) for each in body.get("cmds", ())]
    elements = [*body.get("tableElts", ()), *(each.get("def", {}) for each in commands)]
    for element in elements:
        column = element.get("ColumnDef", {})
        if name := column.get("colname"):
            yield (*relation, name), column.get("location", 0)
        for each in (element, *column.get("constraints", ())):
            if constraint := each.get("Constraint"):
                yield from _constraint(relation, column.get("colname", ""), constraint)
    for command in commands:
        if name := command.get("name"):
            yield (*relation, name), 0


def _constraint(relation: Name, column: str, constraint: Any) -> Iterator[tuple[Name, int]]:
    """A constraint that has a name, and the index that stands behind one."""
    name, kind = constraint.get("conname", ""), constraint.get("contype")
    if name:
        yield (*relation, name), constraint.get("location", 0)
    # https://www.postgresql.org/docs/16/sql-createtable.html: a name is chosen where none is given
    if kind == "CONSTR_PRIMARY":
        name = name or f"{relation[-1]}_pkey"
    elif kind == "CONSTR_UNIQUE":
        keys = strings(constraint.get("keys", ())) or (column,)
        name = name or "_".join([relation[-1], *keys, "key"])
    if name and kind in ("CONSTR_PRIMARY", "CONSTR_UNIQUE", "CONSTR_EXCLUSION"):
        yield (*relation[:-1], name), constraint.get("location", 0)


def _without_relation(body: Any) -> Iterator[Name]:
    """Functions, types and the like, what is dropped, and what is in no schema."""
    for key in _QUALIFIED:
        if isinstance(body.get(key), list):
            yield strings(body[key])
    for each in (*body.get("objects", ()), body.get("object"), body.get("func")):
        if each and (name := _named(each)):
            yield name
            if "newname" in body:
                yield (*name[:-1], body["newname"])
            if "newschema" in body:
                yield (body["newschema"], name[-1])
    yield from _global(body)


def _global(body: Any) -> Iterator[Name]:
    """What is in no schema: schemas, extensions, publications, servers, roles."""
    for key in _GLOBAL:
        if isinstance(body.get(key), str):
            yield (body.get("newname") or body[key],)
    role = body.get("role")
    roles = [each.get("RoleSpec", {}) for each in body.get("roles", ())]
    for each in (*([role] if role else []), *roles):
        yield (each if isinstance(each, str) else each.get("rolename", ""),)


def _granted(body: Any) -> Iterator[Name]:
    for each in body.get("objects", ()):
        if name := _named(each):
            yield name
    for each in (*body.get("granted_roles", ()), *body.get("grantee_roles", ())):
        spec = each.get("AccessPriv") or each.get("RoleSpec") or {}
        if role := spec.get("priv_name") or spec.get("rolename"):
            yield (role,)


def _named(node: Any) -> Name:
    """The name in one of the forms that the parser has for it; () where it is none of them."""
    if "RangeVar" in node:
        return _relation(node["RangeVar"])
    if "String" in node:
        return (node["String"].get("sval", ""),)
    if "List" in node:
        return strings(node["List"].get("items", ()))
    names = node.get("ObjectWithArgs", node).get("objname", ())
    if "TypeName" in node:
        names = node["TypeName"].get("names", ())
    return strings(names)


def _relation(node: Any) -> Name:
    return tuple(filter(None, (node.get("schemaname"), node.get("relname"))))


def _candidates(object_: str) -> Iterator[Name]:
    """The names to look for, the nearest first: itself, without its schema, its table."""
    kind, on = _KIND.match(object_), _ON.match(object_)
    name = object_[kind.end() if kind else 0 :]
    parts = (*split_name(on[2]), *split_name(on[1])) if on else split_name(_without_arguments(name))
    for length in range(len(parts), min(len(parts), 2) - 1, -1):
        yield parts[:length]
        # A file that leaves the schema out means the first of the search_path.
        if length > 1:
            yield parts[1:length]


def _without_arguments(name: str) -> str:
    """``f(integer)`` → ``f``; what is in quotes stays."""
    found = re.match(rf"{PART}(?:\.{PART})*", name)
    return found[0] if found else ""
