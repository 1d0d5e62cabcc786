"""Which fields each kind of node has, out of the description that libpg_query comes with.

JSON and protobuf leave out what is false, 0, NULL or empty, and the kind of a node where only one
is possible. Both are put back by what is known here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any

from pytest_housekeeping.sql.parser import wire

NODE = "Node"
CONSTANT = "A_Const"
# The one node whose value JSON and protobuf spread over a field for each type.
CONSTANTS = MappingProxyType(
    {
        "ival": "Integer",
        "fval": "Float",
        "boolval": "Boolean",
        "sval": "String",
        "bsval": "BitString",
    }
)
# The number that stands for that field; a message begins to count at 1.
SPREAD = 0
_PLACES = ("stmt_len", "list_start", "list_end", "rexpr_list_start", "rexpr_list_end")
# Types in a FieldDescriptorProto, and its mark for a field that holds many.
_BOOL, _STRING, _MESSAGE, _ENUM = 8, 9, 11, 14
_REPEATED = 3
_OPEN = {"bool": False, "int": 0}
_KINDS = {_BOOL: "bool", _STRING: "text", _MESSAGE: "node", _ENUM: "enum"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Field:
    """A field: ``kind`` is bool, int, text, enum or node; ``type`` names the enum, or the one kind
    of node that it holds, or ``Node`` where it holds any. ``open`` is its value where it was left
    out, ``is_place`` that it tells where something stands, ``is_plain`` that JSON has it as it is.
    """

    name: str
    number: int
    kind: str
    type: str = ""
    many: bool = False
    open: Any = None
    is_place: bool = False
    is_plain: bool = False


@cache
def fields(tag: str) -> Mapping[str, Field]:
    """The fields of a kind of node by their names. Raises KeyError for a kind there is not."""
    if tag != CONSTANT:
        return described(tag)
    value = Field(name="val", number=SPREAD, kind="node", type=NODE)
    rest = {name: each for name, each in described(tag).items() if name not in CONSTANTS}
    return {"val": value, **rest}


@cache
def described(tag: str) -> Mapping[str, Field]:
    """The fields of a message, as protobuf has them."""
    found = (_field(data) for number, data in _parts(_index()[0][tag]) if number == 2)
    return {field.name: field for field in found}


@cache
def numbers(enum: str) -> Mapping[str, int]:
    """The names of an enum and their numbers, without the one that stands for none."""
    found = {}
    for number, data in _parts(_index()[1][enum]):
        if number == 2:
            value = dict(wire.fields(data))
            found[_text(value[1])] = int(value.get(2, 0))
    # In the enums of the tree 0 stands for none, and what C counts from 0 begins at 1.
    return {name: each for name, each in found.items() if each}


@cache
def names(enum: str) -> Mapping[int, str]:
    """The names of an enum by their numbers."""
    return {number: name for name, number in numbers(enum).items()}


def _field(data: bytes) -> Field:
    told = dict(wire.fields(data))
    number, name, many = int(told[5]), _text(told[10]), told[4] == _REPEATED
    kind = _KINDS.get(number, "int")
    held = _text(told[6]).rpartition(".")[2] if kind in ("node", "enum") else ""
    place = kind == "int" and (name.endswith("location") or name in _PLACES)
    return Field(
        name=name,
        number=int(told[3]),
        kind=kind,
        type=held,
        many=many,
        open=() if many else names(held)[1] if kind == "enum" else _OPEN.get(kind),
        is_place=place,
        is_plain=not many and not place and kind != "node",
    )


@cache
def _index() -> tuple[dict[str, bytes], dict[str, bytes]]:
    """The descriptions of the messages and of the enums by name, not yet read."""
    from pytest_housekeeping.sql.parser import library

    (file,) = (data for number, data in _parts(library.description()) if number == 1)
    messages: dict[str, bytes] = {}
    enums: dict[str, bytes] = {}
    for number, data in _parts(file):
        if number in (4, 5):
            name = next(_text(each) for place, each in wire.fields(data) if place == 1)
            (messages if number == 4 else enums)[name] = data
    return messages, enums


def _parts(data: bytes) -> Iterator[tuple[int, bytes]]:
    return ((number, part) for number, part in wire.fields(data) if isinstance(part, bytes))


def _text(value: int | bytes) -> str:
    return bytes(value).decode() if isinstance(value, bytes) else str(value)
