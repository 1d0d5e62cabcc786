"""The order of a table's columns: INSERT without a list, COPY, SELECT * and LIKE go by it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

NAME = "order of columns in "
# Only the row of a column has its place behind the ACL (`COLUMNS` of queries/relations.py).
_COLUMN_FIELDS = 7
_COLUMN = re.compile(r'"(?:[^"]|"")*"|[^,\s]+')


def column_orders(rows: Iterable[tuple[Any, ...]]) -> Iterator[tuple[str, str, str]]:
    """Name, parent and text of an object for each table, of the rows that its columns have."""
    places: dict[str, list[tuple[int, str]]] = {}
    for row in rows:
        if len(row) == _COLUMN_FIELDS:
            places.setdefault(row[2], []).append((row[6], row[1]))
    for parent, columns in places.items():
        if parent.startswith(("table ", "foreign table ")):
            columns.sort()
            start = len(parent.removeprefix("foreign ").removeprefix("table ")) + 1
            yield f"{NAME}{parent}", parent, ", ".join([name[start:] for _, name in columns])


def same_order(before: str, after: str) -> bool:
    """Whether the columns of both texts are in one order; what came or went is another matter."""
    old, new = _COLUMN.findall(before), _COLUMN.findall(after)
    return [each for each in old if each in new] == [each for each in new if each in old]
