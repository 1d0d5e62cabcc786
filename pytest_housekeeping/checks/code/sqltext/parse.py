"""Whether a text is SQL, and what its statements name: parsed, not searched for words."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pytest_housekeeping.checks.code.facts import ReferenceKind
from pytest_housekeeping.checks.code.sqltext.names import StatementNames, WrittenName, named
from pytest_housekeeping.checks.code.sqltext.placeholders import (
    HOLE_BASE,
    NormalizedText,
    filled,
    normalize,
    renumbered,
)
from pytest_housekeeping.checks.code.sqltext.template import Template, visible
from pytest_housekeeping.checks.code.vocabulary import vocabulary
from pytest_housekeeping.sql.parse import Statement, SyntaxRefused, parse

_VERB = re.compile(
    r"(?is)\s*(?:--[^\n]*\n\s*|/\*.*?\*/\s*)*[(\s]*"
    r"(select|insert|update|delete|merge|with|call|truncate|copy|values|table|lock|refresh|explain"
    r"|declare|create|alter|drop|grant|revoke|do|set|reset|comment|cluster|vacuum|analyze|reindex"
    r"|import|security|prepare|begin|start)\b"
)
_FRAGMENT = re.compile(
    r"\s*((?:(?:LEFT|RIGHT|FULL|INNER|CROSS|NATURAL)\s+(?:OUTER\s+)?)?JOIN|FROM|WHERE|AND|OR"
    r"|UNION(?:\s+ALL)?|EXCEPT|INTERSECT|USING|,)\b"
)
_SHOUTED = re.compile(
    r"\b(?:SELECT|FROM|INSERT|INTO|UPDATE|SET|DELETE|WHERE|JOIN|MERGE|USING|TRUNCATE|CALL|COPY|WITH"
    r"|TABLE|VALUES|CREATE|ALTER|DROP|GRANT|ON|TO|RETURNING|EXISTS|ROLE)\b"
)
_STRUCTURE = re.compile(r"[*=();<>]|\$\d|\w\.\w|::|'")
_PROSE = vocabulary(
    """
    the an your this these those our my his their which what every each some another it them you
    me us everything something anything nothing someone please is are was were be been has have
    of to by at its there here later now then than too very
    """
)
_MAX_HOLES = 5
_IDENTIFIER = "hk_run_time"


@dataclass(frozen=True, slots=True)
class ParsedStatement:
    """One statement of a text. ``doubt``: why it may name more than ``names``."""

    text: str
    names: tuple[WrittenName, ...]
    makes: tuple[str, ...] = ()
    certain: bool = True
    exact: bool = True
    doubt: str = ""


def starts_like_sql(text: str) -> bool:
    """Whether the first word could begin a statement: the cheap question before parsing."""
    return _VERB.match(text) is not None


def starts_like_fragment(text: str) -> bool:
    """A part of a statement, in capitals, such as ``FROM governance.ledger``."""
    return _FRAGMENT.match(text) is not None


def read(template: Template, *, sink: bool) -> tuple[ParsedStatement, ...] | None:
    """The statements of a text, None when it is no SQL.

    ``sink``: the text is handed to a database, so it is SQL whatever it looks like; what then
    cannot be parsed is one statement in doubt.
    """
    normal = normalize(template)
    for text, fillings in _trials(normal):
        try:
            statements = parse(text)
        except SyntaxRefused:
            continue
        except ValueError:
            return None
        found = tuple(_read_statements(text, statements, normal, fillings, sink=sink))
        return found if sink or any(f.names or f.doubt for f in found) else None
    if sink:
        return (_unreadable(template),)
    return None


def read_fragment(template: Template) -> tuple[WrittenName, ...]:
    """The names in a part of a statement, or nothing when it is none."""
    normal = normalize(template)
    text = filled(normal.text, [_IDENTIFIER] * len(normal.holes))
    word = text.split(None, 1)[0].upper().rstrip(",") if text.split() else ","
    prefix = {
        "FROM": "SELECT 1 ",
        "UNION": "SELECT 1 ",
        "EXCEPT": "SELECT 1 ",
        "INTERSECT": "SELECT 1 ",
        "AND": "SELECT 1 WHERE true ",
        "OR": "SELECT 1 WHERE true ",
        "WHERE": "SELECT 1 ",
        "USING": "DELETE FROM hk_run_time ",
    }.get(word, "SELECT 1 FROM hk_run_time ")
    for suffix in ("", " ON true"):
        try:
            statements = parse(prefix + text + suffix)
        except (SyntaxRefused, ValueError):
            continue
        found = [
            spelt
            for statement in statements
            for spelt in named(statement.name, statement.body, prefix + text).names
            if _IDENTIFIER not in spelt.parts
        ]
        return tuple(spelt for spelt in found if len(spelt.parts) > 1)
    return ()


def _trials(normal: NormalizedText) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The text with its holes as values, as names, as nothing, whichever PostgreSQL can parse."""
    base = normal.text
    choices: list[tuple[str, ...]] = []
    for number, hole in enumerate(normal.holes):
        parameter = f"${HOLE_BASE + number}"
        # A helper that writes rows or assignments stands where VALUES or SET would.
        rows = ("VALUES (1)", f"{_IDENTIFIER} = 1")
        choices.append((parameter, *rows) if hole.value else (parameter, _IDENTIFIER, " "))
    if len(choices) > _MAX_HOLES:
        combinations: Iterable[tuple[str, ...]] = zip(*choices, strict=False)
    else:
        combinations = itertools.product(*choices)
    for fillings in combinations:
        yield filled(base, fillings), fillings
    if normal.placeholders:
        # psycopg2 lets a list stand for a parameter: IN %s, VALUES %s, interval %s.
        plain = filled(base, [c[0] for c in choices])
        bracketed = re.sub(r"(?i)\b(in|values)\s*(\$\d+)", r"\1 (\2)", plain)
        if bracketed != plain:
            yield bracketed, ("(",)
        yield re.sub(r"\$\d+", "'1'", bracketed), ("'",)
        yield re.sub(r"\$\d+", _IDENTIFIER, bracketed), (_IDENTIFIER,)


def _read_statements(
    text: str,
    statements: list[Statement],
    normal: NormalizedText,
    fillings: tuple[str, ...],
    *,
    sink: bool,
) -> Iterator[ParsedStatement]:
    ends = [*(statement.offset for statement in statements[1:]), len(text)][: len(statements)]
    # A list in the place of VALUES has as many columns as the table: the server cannot judge it.
    guessed = fillings in (("'",), (_IDENTIFIER,)) or (
        fillings == ("(",) and re.search(r"(?i)\bvalues\s*\(\$\d+\)", text) is not None
    )
    for statement, end in zip(statements, ends, strict=True):
        own = text[statement.offset : end]
        found = named(statement.name, statement.body, text)
        names = [spelt for spelt in found.names if _IDENTIFIER not in spelt.parts]
        doubt = _doubt(found, own, normal, fillings)
        certain = sink
        if not sink:
            if found.identifiers & _PROSE or any(set(s.parts) & _PROSE for s in names):
                continue
            # What fills a hole says nothing about the text around it.
            certain = _looks_meant(re.sub(r"\$9\d{3}", " ", own))
            if not names and not (doubt and certain):
                continue
        yield ParsedStatement(
            text=renumbered(own.rstrip().rstrip(";").rstrip()),
            names=tuple(names),
            makes=tuple(found.makes),
            certain=certain,
            exact=not guessed and not doubt and _IDENTIFIER not in own,
            doubt=doubt,
        )


def _doubt(
    found: StatementNames, own: str, normal: NormalizedText, fillings: tuple[str, ...]
) -> str:
    if found.dynamic:
        return "what it names is put together by the server at run time"
    if any(filling == _IDENTIFIER for filling in fillings) and _IDENTIFIER in own:
        missing = [
            hole.expression
            for hole, filling in zip(normal.holes, fillings, strict=False)
            if filling == _IDENTIFIER
        ]
        return f"a name is made at run time{_of(missing)}"
    missing = [
        hole.expression
        for number, (hole, filling) in enumerate(zip(normal.holes, fillings, strict=False))
        if not hole.value and (filling == " " or HOLE_BASE + number in found.loose_parameters)
    ]
    return f"a part of the statement is made at run time{_of(missing)}" if missing else ""


def _of(expressions: list[str]) -> str:
    return f": {', '.join(dict.fromkeys(expressions))}" if expressions else ""


def _looks_meant(text: str) -> bool:
    """Whether nobody would write it but as SQL: keywords in capitals, or operators and dots."""
    return len(set(_SHOUTED.findall(text))) > 1 or _STRUCTURE.search(text) is not None


_AFTER = re.compile(
    r"(?i)\b(?:from|join|into|update|table|call|truncate)\s+(?:only\s+)?"
    r'((?:"[^"]+"|[A-Za-z_]\w*)\s*\.\s*(?:"[^"]+"|[A-Za-z_]\w*))'
)


def _unreadable(template: Template) -> ParsedStatement:
    """Handed to a database and no SQL that PostgreSQL knows: its qualified names are kept."""
    from pytest_housekeeping.sql.identifiers import split_name

    text = visible(template)
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
