"""A node of a parse tree, read out of JSON when it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any, TypeGuard, overload

from pytest_housekeeping.sql.parser import schema
from pytest_housekeeping.sql.parser.schema import CONSTANT, CONSTANTS, NODE, Field

_LIST = "List"


class Node:
    """A node: ``tag`` is its kind in PostgreSQL (``SelectStmt``), the rest are its fields by name.

    A field that the text left open is None (a node, a text), ``()`` (a list), False, 0, or the name
    that PostgreSQL counts as 0 (an enum: they are names, ``"AEXPR_OP"``). Another name than one of
    its fields raises AttributeError. ``def`` is read as ``def_``. A list in the place of one node
    is a tuple; so is an empty item of a list None. Constants have their value, a node, in ``val``.
    Places are in characters from 0, and -1 where there is none. Nodes are equal whatever their
    places, and are never changed.
    """

    __slots__ = ("_places", "_raw", "_values", "tag")

    tag: str
    # JSON that was not yet read, and what the bytes of its text are in characters.
    _raw: Mapping[str, Any] | None
    _places: Sequence[int] | None
    _values: Mapping[str, Any]

    def __init__(self, tag: str, /, **values: Any) -> None:
        _fill(self, tag, None, None, _named(tag, values))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        name = _name(name)
        values = _values(self)
        if name in values:
            return values[name]
        field = schema.fields(self.tag).get(name)
        if field is None:
            raise AttributeError(f"{self.tag} has no field {name}")
        return field.open

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"a {self.tag} is not changed: see changed")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Node):
            return NotImplemented
        return self is other or (self.tag == other.tag and _telling(self) == _telling(other))

    def __hash__(self) -> int:
        return hash((self.tag, *sorted(_telling(self).items(), key=itemgetter(0))))

    def __repr__(self) -> str:
        told = ", ".join(f"{name}={value!r}" for name, value in fields(self))
        return f"{self.tag}({told})"


def node_of(tag: str, raw: Mapping[str, Any], places: Sequence[int] | None) -> Node:
    """A node out of JSON. ``places``: the character that each byte of the text belongs to."""
    node = Node.__new__(Node)
    _fill(node, tag, raw, places, {})
    return node


def changed(node: Node, **values: Any) -> Node:
    """The node with other values in some of its fields."""
    other = Node.__new__(Node)
    _fill(other, node.tag, None, None, {**_values(node), **_named(node.tag, values)})
    return other


def fields(node: Node) -> Iterable[tuple[str, Any]]:
    """The fields that are not left open, with their values."""
    return _values(node).items()


def children(item: Any) -> Iterator[Node]:
    """The nodes right below a node, or in a tuple of nodes."""
    for value in _values(item).values() if isinstance(item, Node) else item or ():
        if isinstance(value, Node):
            yield value
        elif isinstance(value, tuple):
            yield from children(value)


def is_a(item: object, *tags: str) -> TypeGuard[Node]:
    """Whether something that stands in a tree is a node of one of these kinds."""
    return isinstance(item, Node) and item.tag in tags


def walk(item: Any) -> Iterator[Node]:
    """A node, or the nodes of a tuple, and all below: each before what is below it."""
    stack: list[Any] = [item]
    while stack:
        each = stack.pop()
        if isinstance(each, Node):
            yield each
        stack.extend(reversed(tuple(children(each))))


@overload
def mapped(item: Node, change: Callable[[Node], Any]) -> Node: ...


@overload
def mapped(item: tuple[Any, ...], change: Callable[[Node], Any]) -> tuple[Any, ...]: ...


def mapped(item: Any, change: Callable[[Node], Any]) -> Any:
    """A node with each node right below it changed; of a tuple, each of its nodes."""
    if isinstance(item, tuple):
        return tuple(
            change(each) if isinstance(each, Node) else mapped(each, change) for each in item
        )
    if not isinstance(item, Node):
        return item
    values = {
        name: change(value) if isinstance(value, Node) else mapped(value, change)
        for name, value in fields(item)
        if isinstance(value, Node | tuple)
    }
    return changed(item, **values)


def _fill(
    node: Node,
    tag: str,
    raw: Mapping[str, Any] | None,
    places: Sequence[int] | None,
    values: Mapping[str, Any],
) -> None:
    _put_tag(node, tag)
    _put_raw(node, raw)
    _put_places(node, places)
    _put_values(node, values)


# How a slot is filled in spite of __setattr__.
_put_tag, _put_raw, _put_places, _put_values = (
    vars(Node)[name].__set__ for name in ("tag", "_raw", "_places", "_values")
)


def _values(node: Node) -> Mapping[str, Any]:
    """What stands in the fields of a node. The nodes below it are not read yet."""
    raw = node._raw
    if raw is None:
        return node._values
    known, places = schema.fields(node.tag), node._places
    if node.tag == CONSTANT:
        raw = dict(_unspread(key, value) for key, value in raw.items())
    values = {
        name: value
        if (field := known[name]).is_plain
        else tuple([_one(field, each, places) for each in value])
        if field.many
        else _one(field, value, places)
        for name, value in raw.items()
    }
    _put_values(node, values)
    _put_raw(node, None)
    return values


def _one(field: Field, raw: Any, places: Sequence[int] | None) -> Any:
    if field.kind != "node":
        return places[raw] if places and field.is_place and raw >= 0 else raw
    if field.type != NODE:
        return node_of(field.type, raw, places)
    # Any kind of node: its kind is the one key. DISTINCT without columns has none.
    for tag, below in raw.items():
        if tag == _LIST:
            items = schema.fields(_LIST)["items"]
            return tuple([_one(items, each, places) for each in below.get("items", ())])
        return node_of(tag, below, places)
    return None


def _unspread(key: str, value: Any) -> tuple[str, Any]:
    return ("val", {CONSTANTS[key]: value}) if key in CONSTANTS else (key, value)


def _telling(node: Node) -> Mapping[str, Any]:
    """What makes it differ from another node of its kind."""
    known = schema.fields(node.tag)
    return {
        name: value
        for name, value in _values(node).items()
        if not (field := known[name]).is_place and value != field.open
    }


def _named(tag: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Values by the names that PostgreSQL has for their fields."""
    named = {_name(name): value for name, value in values.items()}
    for name in named.keys() - schema.fields(tag).keys():
        raise TypeError(f"{tag} has no field {name}")
    return named


def _name(name: str) -> str:
    """``def`` for ``def_``, as Python keeps the word for itself."""
    return name.removesuffix("_")
