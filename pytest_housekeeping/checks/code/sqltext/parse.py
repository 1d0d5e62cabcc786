"""The statements of a text that code puts together, and what they name: parsed by PostgreSQL."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pytest_housekeeping.checks.code.facts import ReferenceKind
from pytest_housekeeping.checks.code.sqltext.bodies import statement_names
from pytest_housekeeping.checks.code.sqltext.names import StatementNames
from pytest_housekeeping.checks.code.sqltext.placeholders import (
    HOLE_BASE,
    RUN_TIME_NAME,
    NormalizedText,
    filled,
    normalize,
    renumbered,
)
from pytest_housekeeping.checks.code.sqltext.recognize import is_surely_sql, reads_like_prose
from pytest_housekeeping.checks.code.sqltext.template import Template, visible_text
from pytest_housekeeping.checks.code.sqltext.written import WrittenName
from pytest_housekeeping.sql.identifiers import split_name
from pytest_housekeeping.sql.parse import Statement, SyntaxRefused, extents, parse

# Up to so many holes every combination of what may fill them is tried: 3 to the power of 5.
_MAX_HOLES = 5


@dataclass(frozen=True, slots=True)
class ParsedStatement:
    """One statement of a text. ``doubt``: why it may name more than ``names``.

    ``certain``: it is no prose. ``exact``: the text is what will be sent, but for values.
    ``makes``: relations that the statement itself creates.
    """

    text: str
    names: tuple[WrittenName, ...]
    makes: tuple[str, ...] = ()
    certain: bool = True
    exact: bool = True
    doubt: str = ""


def parse_template(template: Template, *, sink: bool) -> tuple[ParsedStatement, ...] | None:
    """The statements of a text, None when it is no SQL.

    ``sink``: the text is handed to a database, so it is SQL whatever it looks like; what then
    cannot be parsed is one statement in doubt.
    """
    normalized = normalize(template)
    for text, fillings in _trials(normalized):
        try:
            statements = parse(text)
        except SyntaxRefused:
            continue
        except ValueError:
            return None
        found = tuple(_read_statements(text, statements, normalized, fillings, sink=sink))
        return found if sink or any(each.names or each.doubt for each in found) else None
    if sink:
        return (_not_understood(template),)
    return None


def _trials(normalized: NormalizedText) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The text with its holes as values, as names, as nothing, whichever PostgreSQL can parse."""
    base = normalized.text
    choices: list[tuple[str, ...]] = []
    for number, hole in enumerate(normalized.holes):
        parameter = f"${HOLE_BASE + number}"
        # A helper that writes rows or assignments stands where VALUES or SET would.
        rows = ("VALUES (1)", f"{RUN_TIME_NAME} = 1")
        choices.append((parameter, *rows) if hole.value else (parameter, RUN_TIME_NAME, " "))
    if len(choices) > _MAX_HOLES:
        combinations: Iterable[tuple[str, ...]] = zip(*choices, strict=False)
    else:
        combinations = itertools.product(*choices)
    for fillings in combinations:
        yield filled(base, fillings), fillings
    if normalized.placeholders:
        # psycopg2 lets a list stand for a parameter: IN %s, VALUES %s, interval %s.
        plain = filled(base, [c[0] for c in choices])
        bracketed = re.sub(r"(?i)\b(in|values)\s*(\$\d+)", r"\1 (\2)", plain)
        if bracketed != plain:
            yield bracketed, ("(",)
        yield re.sub(r"\$\d+", "'1'", bracketed), ("'",)
        yield re.sub(r"\$\d+", RUN_TIME_NAME, bracketed), (RUN_TIME_NAME,)


def _read_statements(
    text: str,
    statements: list[Statement],
    normalized: NormalizedText,
    fillings: tuple[str, ...],
    *,
    sink: bool,
) -> Iterator[ParsedStatement]:
    guessed = _is_guessed(text, fillings)
    for statement, end in extents(statements, text):
        own = text[statement.offset : end]
        found = statement_names(statement, text)
        names = [name for name in found.names if RUN_TIME_NAME not in name.parts]
        doubt = _doubt(found, own, normalized, fillings)
        certain = sink
        if not sink:
            if reads_like_prose(found, names):
                continue
            # What fills a hole says nothing about the text around it.
            certain = is_surely_sql(re.sub(rf"\${HOLE_BASE // 1000}\d{{3}}", " ", own))
            if not names and not (doubt and certain):
                continue
        yield ParsedStatement(
            text=renumbered(own.rstrip().rstrip(";").rstrip()),
            names=tuple(names),
            makes=tuple(found.makes),
            certain=certain,
            exact=not guessed and not doubt and RUN_TIME_NAME not in own,
            doubt=doubt,
        )


def _is_guessed(text: str, fillings: tuple[str, ...]) -> bool:
    """Whether a list stands where the text has one parameter: the server cannot judge it.

    In the place of VALUES it has as many columns as the table.
    """
    return fillings in (("'",), (RUN_TIME_NAME,)) or (
        fillings == ("(",) and re.search(r"(?i)\bvalues\s*\(\$\d+\)", text) is not None
    )


def _doubt(
    found: StatementNames, own: str, normalized: NormalizedText, fillings: tuple[str, ...]
) -> str:
    if found.dynamic:
        return "what it names is put together by the server at run time"
    if any(filling == RUN_TIME_NAME for filling in fillings) and RUN_TIME_NAME in own:
        missing = [
            hole.expression
            for hole, filling in zip(normalized.holes, fillings, strict=False)
            if filling == RUN_TIME_NAME
        ]
        return f"a name is made at run time{_of(missing)}"
    missing = [
        hole.expression
        for number, (hole, filling) in enumerate(zip(normalized.holes, fillings, strict=False))
        if not hole.value and (filling == " " or HOLE_BASE + number in found.loose_parameters)
    ]
    return f"a part of the statement is made at run time{_of(missing)}" if missing else ""


def _of(expressions: list[str]) -> str:
    return f": {', '.join(dict.fromkeys(expressions))}" if expressions else ""


_AFTER = re.compile(
    r"(?i)\b(?:from|join|into|update|table|call|truncate)\s+(?:only\s+)?"
    r'((?:"[^"]+"|[A-Za-z_]\w*)\s*\.\s*(?:"[^"]+"|[A-Za-z_]\w*))'
)


def _not_understood(template: Template) -> ParsedStatement:
    """Handed to a database and no SQL that PostgreSQL knows: its qualified names are kept."""
    text = visible_text(template)
    names = tuple(
        WrittenName(split_name(m[1]), ReferenceKind.RELATION, m[1], text.count(m[1], 0, m.start(1)))
        for m in _AFTER.finditer(text)
    )
    return ParsedStatement(
        text=text.strip(),
        names=names,
        exact=False,
        doubt="PostgreSQL's parser does not understand the statement",
    )
