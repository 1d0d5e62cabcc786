"""What statements do to the names of what there is: ALTER TYPE, RENAME, SET SCHEMA and DROP."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from typing import Any

from pytest_housekeeping.sql.enums.known import Known, Name, relation_names
from pytest_housekeeping.sql.parse import Node, strings

_Objects = MutableMapping[Name, Any]


def rename(known: Known, name: str, body: Node, place: tuple[str, int]) -> None:
    """Keep ``known`` true behind a statement. ``place`` is the file and the offset of it."""
    if name == "AlterEnumStmt":
        _alter_enum(known, body, place)
    elif name == "RenameStmt" and body.get("renameType") == "OBJECT_SCHEMA":
        _move_all(known, body["subname"], body["newname"])
    elif name == "RenameStmt" and body.get("renameType") in ("OBJECT_COLUMN", "OBJECT_ATTRIBUTE"):
        _rename_column(known, body)
    elif name == "RenameStmt":
        for among, names in _meant(known, body):
            _move(known, among, names, new_name=body["newname"])
    elif name == "AlterObjectSchemaStmt":
        for among, names in _meant(known, body):
            _move(known, among, names, new_schema=body["newschema"])
    elif name == "DropStmt":
        _drop(known, body)


def _alter_enum(known: Known, body: Node, place: tuple[str, int]) -> None:
    enum, new, old = known.enum(strings(body["typeName"])), body["newVal"], body.get("oldVal")
    if old is not None:
        enum.labels = [new if label == old else label for label in enum.labels]
        if old in enum.added:
            enum.added[new] = enum.added.pop(old)
        return
    if new in enum.labels and body.get("skipIfNewValExists"):
        return
    neighbour = body.get("newValNeighbor")
    at = len(enum.labels)
    if neighbour in enum.labels:
        at = enum.labels.index(neighbour) + bool(body.get("newValIsAfter"))
    enum.labels.insert(at, new)
    enum.added[new] = place


def _meant(known: Known, body: Node) -> Iterator[tuple[_Objects, tuple[str, ...]]]:
    """What a RenameStmt or AlterObjectSchemaStmt is about: where it stands, and its name."""
    if "relation" in body:
        yield known.relations, relation_names(body["relation"])
    named = body.get("object", {})
    names = strings(named.get("List", {}).get("items", ()))
    names = names or strings(named.get("ObjectWithArgs", {}).get("objname", ()))
    names = names or strings(named.get("TypeName", {}).get("names", ()))
    if names:
        yield from ((among, names) for among in _all(known))


def _all(known: Known) -> tuple[_Objects, ...]:
    return known.types, known.relations, known.routines


def _move(
    known: Known,
    among: _Objects,
    names: tuple[str, ...],
    *,
    new_name: str = "",
    new_schema: str = "",
) -> None:
    key = known.key_of(among, names)
    if key is not None:
        among[new_schema or key[0], new_name or key[1]] = among.pop(key)


def _move_all(known: Known, old: str, new: str) -> None:
    for among in _all(known):
        for key in [each for each in among if each[0] == old]:
            among[new, key[1]] = among.pop(key)


def _rename_column(known: Known, body: Node) -> None:
    row = known.row_of(body["relation"])
    if row is not None:
        old, new = body["subname"], body["newname"]
        columns = [(new if name == old else name, type_) for name, type_ in row.columns.items()]
        row.columns = dict(columns)


def _drop(known: Known, body: Node) -> None:
    for each in body["objects"]:
        if body.get("removeType") == "OBJECT_SCHEMA":
            for among in _all(known):
                for inside in [key for key in among if key[0] == each["String"]["sval"]]:
                    del among[inside]
            continue
        for among, names in _meant(known, {"object": each}):
            if (key := known.key_of(among, names)) is not None:
                del among[key]
