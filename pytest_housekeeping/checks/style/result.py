"""What sqlfluff said of one file, and how it is written into a cache."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Violation:
    """One breach of the style, where sqlfluff saw it; lines and columns count from 1.

    ``fixable``: whether ``sqlfluff fix`` would repair it.
    """

    line: int
    column: int
    code: str
    name: str
    description: str
    fixable: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Style:
    """What sqlfluff said of one file: ``violations`` fail it, ``warnings`` do not.

    ``unexamined`` is the reason why it was not looked at: an ignore pattern that names it.
    """

    violations: tuple[Violation, ...] = ()
    warnings: tuple[Violation, ...] = ()
    unexamined: str = ""


def encode(style: Style) -> list[object]:
    """A style as JSON: ``[]`` when clean, else ``[violations, warnings, unexamined]``."""
    if style == Style():
        return []
    return [_rows(style.violations), _rows(style.warnings), style.unexamined]


def decode(stored: object) -> Style | None:
    """The style that ``encode`` wrote; None for anything else."""
    if stored == []:
        return Style()
    if not isinstance(stored, list) or len(stored) != 3:
        return None
    violations, warnings, unexamined = stored
    try:
        return Style(
            violations=_violations(violations),
            warnings=_violations(warnings),
            unexamined=_text(unexamined),
        )
    except (TypeError, ValueError):
        return None


def from_answer(answer: Mapping[str, Any]) -> Style:
    """The style in one line of the worker, whose rows end with whether it is only a warning."""
    told = [(_violations([row[:6]])[0], row[6]) for row in answer.get("violations", ())]
    return Style(
        violations=tuple(violation for violation, warning in told if not warning),
        warnings=tuple(violation for violation, warning in told if warning),
        unexamined=_text(answer.get("unexamined", "")),
    )


def _rows(violations: tuple[Violation, ...]) -> list[object]:
    return [[v.line, v.column, v.code, v.name, v.description, v.fixable] for v in violations]


def _violations(
    rows: Iterable[tuple[object, object, object, object, object, object]],
) -> tuple[Violation, ...]:
    return tuple(
        Violation(
            line=_number(line),
            column=_number(column),
            code=_text(code),
            name=_text(name),
            description=_text(description),
            fixable=fixable is True,
        )
        for line, column, code, name, description, fixable in rows
    )


def _number(value: object) -> int:
    if type(value) is not int:
        raise TypeError("a line or column is a number")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("a code, name, description or reason is text")
    return value
