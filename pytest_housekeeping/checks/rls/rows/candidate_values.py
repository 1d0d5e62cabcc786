"""Values to try for a column, by its type and by the literals in its constraints."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from pytest_housekeeping.checks.rls.rows.regex_samples import samples_of
from pytest_housekeeping.checks.rls.rows.table_shape import ColumnShape
from pytest_housekeeping.checks.rls.rows.type_values import (
    FRACTIONS,
    TEXTS,
    WHOLE_NUMBERS,
    fresh,
    length_of,
    typical,
)
from pytest_housekeeping.sql.parser import ParseError, is_a, parse, walk

_MOST = 24
_INT2_MAX = 32_767
_NUMBER = re.compile(r"[-+]?\d+(\.\d+)?")
_MOMENT = re.compile(r"(\d{4}-\d\d-\d\d.*|-?infinity)")
_REGEX = ("~", "~*")
_LIKE = ("~~", "~~*")


def candidates_of(
    column: ColumnShape, texts: Sequence[str], *, unique: bool = False
) -> tuple[str, ...]:
    """Values as texts, the likeliest first; ``texts`` are the constraints that name the column.

    A ``unique`` column gets values that no row is likely to have: first of all, where no constraint
    asks for others.
    """
    found: dict[str, None] = {}
    suggested = [value for text in texts for value in _suggestions(text)]
    groups = [_fitting(column, suggested), typical(column)]
    if unique:
        groups.insert(0 if not texts else 1, fresh(column))
    for group in groups:
        found.update(dict.fromkeys(group))
    return tuple(found)[:_MOST]


def _fitting(column: ColumnShape, suggested: Sequence[str]) -> list[str]:
    """The literals that the type can hold, and their neighbours."""
    if column.kind == "e":
        return [text for text in suggested if text in column.labels]
    if column.plain in TEXTS or column.plain == "name":
        length = length_of(column)
        return [text for text in suggested if not length or len(text) <= length]
    if column.plain in WHOLE_NUMBERS or column.plain in FRACTIONS:
        numbers = [text for text in suggested if _NUMBER.fullmatch(text)]
        whole = [int(float(number)) for number in numbers]
        near = [str(number + step) for number in whole for step in (0, 1, -1)]
        if column.plain == "int2":
            near = [text for text in near if abs(int(text)) <= _INT2_MAX]
        return near if column.plain in WHOLE_NUMBERS else [*numbers, *near]
    if column.plain in ("date", "timestamp", "timestamptz"):
        return [text for text in suggested if _MOMENT.fullmatch(text)]
    return []


def _suggestions(text: str) -> Iterator[str]:
    """Values that an expression suggests: its literals, texts as long as its numbers, and texts
    that match its patterns."""
    try:
        tree = parse(f"SELECT WHERE {text}")
    except ParseError:
        return
    for item in walk(tree[0].stmt):
        operator = item.name[-1].sval if is_a(item, "A_Expr") and item.name else ""
        if operator in (*_REGEX, *_LIKE):
            literal = _literal(item.rexpr)
            if literal is not None:
                yield from samples_of(literal) if operator in _REGEX else _like(literal)
        elif is_a(item, "A_Const") and item.val is not None:
            value = getattr(item.val, "sval", None)
            number = getattr(item.val, "ival", None)
            if value is None and number is None:
                number = getattr(item.val, "fval", None)
            yield str(value if value is not None else number)
            if isinstance(number, int) and 0 < number <= 200:
                yield from ("k" * number, "k" * (number + 1), "k" * (number - 1))


def _literal(node: object) -> str | None:

    while is_a(node, "TypeCast"):
        node = node.arg
    value = getattr(getattr(node, "val", None), "sval", None)
    return value if isinstance(value, str) else None


def _like(pattern: str) -> Iterator[str]:
    yield pattern.replace("%", "hk").replace("_", "a")
    yield pattern.replace("%", "").replace("_", "b")
