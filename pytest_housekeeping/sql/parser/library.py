"""PostgreSQL's own parser, libpg_query, as the C library that the package postgast carries.

Only its shared library and the description of its messages are used. postgast's own objects are
left aside: protobuf gives up at 100 levels, which are 50 operators or 30 sub-selects.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from ctypes import POINTER, Structure, c_char_p, c_int, c_size_t, c_void_p
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

from pytest_housekeeping.sql.parser.errors import ParseError
from pytest_housekeeping.sql.parser.stack import with_stack

T = TypeVar("T")

_LIBRARY = "libpg_query.dylib" if sys.platform == "darwin" else "libpg_query.so"
_DESCRIPTION = "pg_query.desc"

# The tree is written without a look at the stack. Of all SQL a chain of operators goes deepest: two
# bytes of text, such as "+a", take up to 124 bytes of stack. So a long text gets a stack that holds
# it even if it were nothing else; what it does not use costs nothing.
_SHORT, _STACK, _LARGEST_STACK = 60_000, 128, 2**30


class _Error(Structure):
    _fields_ = (
        ("message", c_char_p),
        ("funcname", c_char_p),
        ("filename", c_char_p),
        ("lineno", c_int),
        ("cursorpos", c_int),
        ("context", c_char_p),
    )


class _Bytes(Structure):
    _fields_ = (("len", c_size_t), ("data", c_void_p))


class _Place(Structure):
    _fields_ = (("start", c_int), ("length", c_int))


class _Parsed(Structure):
    _fields_ = (("value", c_char_p), ("warnings", c_char_p), ("error", POINTER(_Error)))


class _Scanned(Structure):
    _fields_ = (("value", _Bytes), ("warnings", c_char_p), ("error", POINTER(_Error)))


class _Split(Structure):
    _fields_ = (
        ("value", POINTER(POINTER(_Place))),
        ("count", c_int),
        ("warnings", c_char_p),
        ("error", POINTER(_Error)),
    )


class _Text(Structure):
    _fields_ = (("value", c_char_p), ("error", POINTER(_Error)))


# What a function takes, what it gives, and what frees that.
_FUNCTIONS: dict[str, tuple[Any, Any, str]] = {
    "pg_query_parse": (c_char_p, _Parsed, "pg_query_free_parse_result"),
    "pg_query_scan": (c_char_p, _Scanned, "pg_query_free_scan_result"),
    "pg_query_split_with_parser": (c_char_p, _Split, "pg_query_free_split_result"),
    "pg_query_parse_plpgsql": (c_char_p, _Text, "pg_query_free_plpgsql_parse_result"),
    "pg_query_deparse_protobuf": (_Bytes, _Text, "pg_query_free_deparse_result"),
}


def parsed(text: str) -> str:
    """The parse tree of a text as JSON, with places in bytes."""
    data = _encoded(text)

    def ask() -> bytes:
        return _ask("pg_query_parse", data, lambda result: bytes(result.value))

    if len(data) < _SHORT:
        return ask().decode()
    return with_stack(min(_STACK * len(data), _LARGEST_STACK), ask).decode()


def scanned(text: str) -> bytes:
    """The tokens of a text, a protobuf message ScanResult."""
    return _ask(
        "pg_query_scan",
        _encoded(text),
        lambda result: ctypes.string_at(result.value.data, result.value.len),
    )


def split(text: str) -> tuple[bytes, ...]:
    """The statements of a text, each without its semicolon."""
    data = _encoded(text)

    def pieces(result: Any) -> tuple[bytes, ...]:
        places = [result.value[number].contents for number in range(result.count)]
        return tuple(data[place.start : place.start + place.length] for place in places)

    return _ask("pg_query_split_with_parser", data, pieces)


def parsed_plpgsql(text: str) -> str:
    """The tree of a PL/pgSQL function as JSON; see plpgsql.py for what may be asked."""
    return _ask(
        "pg_query_parse_plpgsql", _encoded(text), lambda result: bytes(result.value)
    ).decode()


def deparsed(message: bytes) -> str:
    """SQL for a parse tree, a protobuf message ParseResult."""
    buffer = ctypes.create_string_buffer(message, len(message))
    argument = _Bytes(len(message), ctypes.cast(buffer, c_void_p))
    return _ask("pg_query_deparse_protobuf", argument, lambda result: bytes(result.value)).decode()


def description() -> bytes:
    """What messages there are, a protobuf message FileDescriptorSet."""
    return (_folder() / _DESCRIPTION).read_bytes()


def _encoded(text: str) -> bytes:
    """In UTF-8. For the library, and for PostgreSQL, a text would end at its first NUL."""
    try:
        data = text.encode()
    except UnicodeEncodeError as error:
        raise ParseError("a lone surrogate is no character", error.start) from None
    if b"\0" in data:
        raise ParseError("a NUL byte cannot stand in SQL", text.index("\0"))
    return data


def _ask(name: str, argument: bytes | _Bytes, taken: Callable[[Any], T]) -> T:
    function, free = _functions()[name]
    result = function(argument)
    try:
        if result.error:
            error = result.error.contents
            # It counts characters from 1; 0 is no place at all.
            place = error.cursorpos - 1 if error.cursorpos > 0 else None
            raise ParseError(error.message.decode(errors="replace"), place)
        return taken(result)
    finally:
        free(result)


@cache
def _functions() -> dict[str, tuple[Any, Any]]:
    library = ctypes.CDLL(str(_folder() / _LIBRARY))
    found = {}
    for name, (takes, gives, free_name) in _FUNCTIONS.items():
        function, free = getattr(library, name), getattr(library, free_name)
        function.argtypes, function.restype = [takes], gives
        free.argtypes, free.restype = [gives], None
        found[name] = (function, free)
    return found


@cache
def _folder() -> Path:
    """Where postgast is installed. It is not imported: that takes longer than any parse."""
    spec = find_spec("postgast")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("No module named 'postgast'", name="postgast")
    return Path(next(iter(spec.submodule_search_locations)))
