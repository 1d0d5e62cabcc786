"""PostgreSQL's own parser: the only place that knows which package it comes from."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from pytest_housekeeping.sql.parser import plpgsql, schema, wire
from pytest_housekeeping.sql.parser.errors import ParseError, Unprintable
from pytest_housekeeping.sql.parser.node import (
    Node,
    changed,
    children,
    fields,
    is_a,
    mapped,
    node_of,
    walk,
)
from pytest_housekeeping.sql.parser.printing import deparse

__all__ = [
    "Node",
    "ParseError",
    "Token",
    "Unprintable",
    "changed",
    "children",
    "deparse",
    "fields",
    "is_a",
    "mapped",
    "parse",
    "parse_json",
    "parse_plpgsql",
    "read_json",
    "scan",
    "split",
    "walk",
]

_TOO_DEEP = "the text is nested too deeply to be read"


@dataclass(frozen=True, kw_only=True, slots=True)
class Token:
    """A token: where it starts and ends (characters from 0), PostgreSQL's name for it, and what
    kind of keyword it is."""

    start: int
    end: int
    name: str
    kind: str


def parse(text: str) -> tuple[Node, ...]:
    """The statements of a text as nodes RawStmt: ``stmt``, ``stmt_location``, ``stmt_len``.

    Raises ParseError.
    """
    printed = parse_json(text)
    places = _places(text)
    return tuple([_statement(raw, places) for raw in read_json(printed)])


def parse_json(text: str) -> str:
    """The tree of a text as JSON, as libpg_query writes it: places are in bytes, and what is
    false, 0, NULL or empty is left out. Raises ParseError."""
    from pytest_housekeeping.sql.parser import library

    return library.parsed(text)


def read_json(printed: str) -> list[dict[str, Any]]:
    """What ``parse_json`` gave, read: the statements. Raises ParseError."""
    try:
        found: list[dict[str, Any]] = json.loads(printed).get("stmts", [])
    except RecursionError:
        raise ParseError(_TOO_DEEP) from None
    return found


def parse_plpgsql(text: str) -> list[dict[str, Any]]:
    """The PL/pgSQL of each CREATE FUNCTION and DO of a text, as libpg_query writes it.

    Raises ParseError.
    """
    return plpgsql.parsed(text, parse(text))


def split(text: str) -> tuple[str, ...]:
    """The statements of a text, without white space around them. Raises ParseError."""
    from pytest_housekeeping.sql.parser import library

    return tuple(piece.decode().strip() for piece in library.split(text))


def scan(text: str) -> tuple[Token, ...]:
    """The tokens of a text, comments among them. Raises ParseError."""
    from pytest_housekeeping.sql.parser import library

    scanned = library.scanned(text)
    places = _places(text)
    tokens, kinds = schema.names("Token"), schema.names("KeywordKind")
    found = []
    for number, data in wire.fields(scanned):
        if number == 2 and isinstance(data, bytes):
            told = wire.numbers(data)
            start, end = told.get(1, 0), told.get(2, 0)
            found.append(
                Token(
                    start=places[start] if places else start,
                    end=places[end] if places else end,
                    name=tokens.get(told.get(4, 0), "UNKNOWN"),
                    kind=kinds.get(told.get(5, 0), "NO_KEYWORD"),
                )
            )
    return tuple(found)


def _statement(raw: dict[str, Any], places: list[int] | None) -> Node:
    ((tag, body),) = raw["stmt"].items()
    start, length = raw.get("stmt_location", 0), raw.get("stmt_len", 0)
    if places:
        start, length = places[start], places[start + length] - places[start]
    statement = node_of(tag, body, places)
    return Node("RawStmt", stmt=statement, stmt_location=start, stmt_len=length)


def _places(text: str) -> list[int] | None:
    """The character that each byte of a text belongs to; None where that is the byte itself."""
    if text.isascii():
        return None
    sizes = (len(character.encode()) for character in text)
    found: list[int] = []
    for number, size in enumerate(sizes):
        found += [number] * size
    return [*found, len(text)]
