"""Whether it was made-up values that a batch was refused for, where production's own may be others.

https://www.postgresql.org/docs/16/errcodes-appendix.html
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from pytest_housekeeping.errors import SqlFailed
from pytest_housekeeping.sql.identifiers import unquoted

# Class 22, data exception, and 23, integrity constraint violation.
_OF_VALUES = ("22", "23")
_NOT_NULL = "23502"
_COLUMN = re.compile(r'column "(.+?)" of relation "(.+?)"')
# Classes 3D, 3F and 42: a database, a schema, another object that is not there.
_OF_NAMES = ("3D", "3F", "42")
_NAME = re.compile(r'"((?:[^"]|"")+)" does not exist')


def refused_for_values(
    error: SqlFailed, text: str, columns: Collection[tuple[str, str]], values: Iterable[str]
) -> bool:
    """Of an error of a file, whose text this is, on tables with made-up rows; ``columns`` are those
    of them that were there before, each with its table, and ``values`` what the rows hold.

    A name that has one of these values in it, and does not stand in the text, was put together from
    a row. Any other may be one that a function of the database calls in vain.
    """
    if error.sqlstate[:2] in _OF_NAMES:
        named = _NAME.search(error.found)
        if named is None or unquoted(named[1]).lower() in text.lower():
            return False
        return any(_has(unquoted(named[1]), value) for value in values)
    column = _COLUMN.search(error.found) if error.sqlstate == _NOT_NULL else None
    if column and (column[2], column[1]) not in columns:
        return False  # a new column, in which no row has anything
    return error.sqlstate[:2] in _OF_VALUES


def _has(name: str, value: str) -> bool:
    """Between other letters and digits it would be there by chance."""
    found = re.search(rf"(?<![^\W_]){re.escape(value)}(?![^\W_])", name, re.IGNORECASE)
    return bool(value) and found is not None
