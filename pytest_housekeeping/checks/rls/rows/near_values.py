"""Values close to another one: what a comparison that is nearly right takes for the same."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from datetime import date, timedelta

from pytest_housekeeping.checks.rls.rows.table_shape import ColumnShape
from pytest_housekeeping.checks.rls.rows.type_values import (
    TEXTS,
    WHOLE_NUMBERS,
    fresh,
    length_of,
)

# By so many others some share a bucket of a small hash, or a remainder.
_NUMBERED = 200
_BITS = {"int2": 15, "int4": 31, "int8": 63}


def near_values(value: str, column: ColumnShape) -> tuple[str, ...]:
    """Other values of the column's type, the closest first: with the same beginning or end, in
    other letters, with blanks, with the same remainder, and many that only differ."""
    if column.plain in TEXTS:
        length = length_of(column)
        found = [text for text in _texts(value) if not length or len(text) <= length]
    elif column.plain in WHOLE_NUMBERS:
        most = 2 ** _BITS[column.plain]
        found = [str(each) for each in _numbers(int(value)) if -most <= each < most]
    elif column.plain == "uuid":
        found = list(_uuids(value))
    elif column.plain == "date":
        found = list(_dates(value))
    else:
        found = list(fresh(column))
    return tuple(each for each in dict.fromkeys(found) if each != value)


def _texts(value: str) -> Iterator[str]:
    yield from (value.upper(), value.lower(), value.swapcase(), value.title())
    yield from (value[:1].swapcase() + value[1:], value[:-1] + value[-1:].swapcase())
    yield from (f"{value} ", f" {value}", f"{value}x", f"{value}-2", f"x{value}")
    yield from (value[:-1] + "~", "~" + value[1:])
    yield from (value[:-1], value[: len(value) // 2], value[:8], value[:1], value[1:])
    yield from (value[:8] + "-other", value[:4] + "-other", value[:12] + "-other")
    yield re.sub(r"[^A-Za-z0-9]", "", value)
    yield from (re.sub(r"[^A-Za-z0-9]", sign, value) for sign in "-_. ")
    yield from (value[:3] + sign + value[3:] for sign in "-_. ")
    # What passes a pattern that the other value is.
    yield value.replace("_", "e")
    yield from ("%", "_" * len(value), ".*", "k" * len(value), value[::-1])
    yield from (f"org-{number}" for number in range(_NUMBERED))


def _numbers(value: int) -> Iterator[int]:
    yield from (value + step for step in (1, -1, 10, -10, 100, -100, 1000, -1000))
    yield from (value + 2**bits for bits in (8, 16, 32))
    yield from (value - 2**bits for bits in (8, 16, 32))
    digits = str(abs(value))
    for length in range(1, len(digits)):
        yield from (int(digits[:length]), int(digits[-length:]))
    yield from (value * 10, value * 10 + 1, -value, 0, 1)
    yield from range(2, _NUMBERED)


def _uuids(value: str) -> Iterator[str]:
    digits = uuid.UUID(value).hex
    zeros = "0" * len(digits)
    for kept in (31, 24, 16, 12, 8, 4):
        yield str(uuid.UUID(digits[:kept] + zeros[kept:]))
        yield str(uuid.UUID(zeros[kept:] + digits[-kept:]))
    yield str(uuid.UUID(("1" if digits[0] == "0" else "0") + digits[1:]))
    yield from (str(uuid.UUID(int=number)) for number in range(_NUMBERED))


def _dates(value: str) -> Iterator[str]:
    day = date.fromisoformat(value)
    for step in (1, -1, 7, 30, 365, 366, -365):
        yield (day + timedelta(days=step)).isoformat()
