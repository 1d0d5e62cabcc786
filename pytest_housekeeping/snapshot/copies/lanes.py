"""Which objects of a dump two sessions may restore at the same time.

All names in a dump are written in full and as they are, so which tables an entry has to do with
shows in its words. What is of one table and no other goes in the lane of that table, in the dump's
order; all else waits for both lanes, and they for it. A word that only looks like a table's name
costs time and no more: what is refused in a lane is tried again alone, in the dump's order.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

_HEADER = re.compile(
    rb"^-- (?:Data for )?Name: (?P<name>[^\n]*); Type: (?P<kind>[^;\n]*); Schema: ", re.MULTILINE
)
_WORD = re.compile(rb"\w+")
# They lock, make and change nothing but the table that they name, and what is its own.
_OF_A_TABLE = frozenset(
    (
        *(b"TABLE", b"SEQUENCE", b"SEQUENCE OWNED BY", b"DEFAULT", b"CONSTRAINT", b"INDEX"),
        *(b"CHECK CONSTRAINT", b"POLICY", b"ROW SECURITY", b"ACL", b"COMMENT"),
    )
)
# What the entries behind it are made with, in every session.
MADE_WITH = re.compile(
    rb"^SET (default_tablespace|default_table_access_method) = .*;$", re.MULTILINE
)
# For fewer it is not worth waiting for each other.
WORTH_TWO = 200


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """Objects of a dump that follow each other, by their places: in one lane, or in two."""

    lanes: tuple[tuple[int, ...], ...]


def stretches(objects: Sequence[bytes]) -> Iterator[Stretch]:
    """All objects in the dump's order, those between which nothing has to wait together."""
    tables = frozenset(
        match["name"]
        for match in map(_HEADER.search, objects)
        if match and match["kind"] == b"TABLE"
    )
    alone: list[int] = []
    lanes: dict[bytes, list[int]] = {}
    for place, text in enumerate(objects):
        table = _only_table(text, tables)
        if table is not None:
            lanes.setdefault(table, []).append(place)
            continue
        if _is_worth_two(lanes):
            yield from _ended(alone, lanes)
            alone = []
        else:
            alone += _in_order(lanes.values())
        lanes = {}
        alone.append(place)
    if not _is_worth_two(lanes):
        alone += _in_order(lanes.values())
        lanes = {}
    yield from _ended(alone, lanes)


def _is_worth_two(lanes: Mapping[bytes, Sequence[int]]) -> bool:
    return len(lanes) > 1 and sum(map(len, lanes.values())) >= WORTH_TWO


def _in_order(lanes: Iterable[Sequence[int]]) -> tuple[int, ...]:
    return tuple(sorted(place for lane in lanes for place in lane))


def _ended(alone: Sequence[int], lanes: Mapping[bytes, Sequence[int]]) -> Iterator[Stretch]:
    if alone:
        yield Stretch(lanes=(tuple(alone),))
    if lanes:
        each = list(lanes.values())
        yield Stretch(lanes=(_in_order(each[::2]), _in_order(each[1::2])))


def _only_table(text: bytes, tables: frozenset[bytes]) -> bytes | None:
    """The one table that an object has to do with; None where it is not of one alone."""
    header = _HEADER.search(text)
    if header is None or header["kind"] not in _OF_A_TABLE or MADE_WITH.search(text):
        return None
    found = tables.intersection(_WORD.findall(text))
    return next(iter(found)) if len(found) == 1 else None
