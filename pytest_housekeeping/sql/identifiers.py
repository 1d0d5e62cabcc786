"""Identifiers: written for SQL as PostgreSQL writes them, and read again."""

from __future__ import annotations

import re
from functools import lru_cache

# What is left out of ASCII is named: to compile a class of all the other letters takes 30 ms.
_FIRST, _FURTHER = r"[^\x00-@\[-^`{-\x7f]", r"[^\x00-#%-/:-@\[-^`{-\x7f]"
PART = rf'(?:{_FIRST}{_FURTHER}*|"(?:[^"]|"")+")'
"""A regular expression for one identifier as a person may type it, in quotes or without."""

FUNCTION = re.compile(rf"({PART}\.{PART})\s*\((.*)\)", re.DOTALL)
"""Matches a function with its schema as a whole: its name, and the text of its arguments."""

SIMPLE = re.compile(r"[a-z_][a-z0-9_]{0,62}")
"""Matches a name that PostgreSQL keeps whole and prints without quotes, or is a key word."""

DOTTED = re.compile(r'(?:"(?:[^"]|"")+"|[\w$]+)(?:\s*\.\s*(?:"(?:[^"]|"")+"|[\w$]+))*')
"""Matches a name of any parts as it stands in a statement, with blanks around its dots."""

_EVERY_PART = re.compile(PART)
_PLAIN = re.compile(r"[a-z_][a-z0-9_]*")
_PLAIN_OR_DOLLAR = re.compile(r"[a-z_][a-z0-9_$]*")
# Every key word but those that are unreserved, of PostgreSQL 15 to 18:
# https://www.postgresql.org/docs/18/sql-keywords-appendix.html
_WORDS = """
    all analyse analyze and any array as asc asymmetric authorization between bigint binary bit
    boolean both case cast char character check coalesce collate collation column concurrently
    constraint create cross current_catalog current_date current_role current_schema current_time
    current_timestamp current_user dec decimal default deferrable desc distinct do else end except
    exists extract false fetch float for foreign freeze from full grant greatest group grouping
    having ilike in initially inner inout int integer intersect interval into is isnull join json
    json_array json_arrayagg json_exists json_object json_objectagg json_query json_scalar
    json_serialize json_table json_value lateral leading least left like limit localtime
    localtimestamp merge_action national natural nchar none normalize not notnull null nullif
    numeric offset on only or order out outer overlaps overlay placing position precision primary
    real references returning right row select session_user setof similar smallint some substring
    symmetric system_user table tablesample then time timestamp to trailing treat trim true union
    unique user using values varchar variadic verbose when where window with xmlattributes
    xmlconcat xmlelement xmlexists xmlforest xmlnamespaces xmlparse xmlpi xmlroot xmlserialize
    xmltable
    """
KEY_WORDS = frozenset(_WORDS.split())


@lru_cache(maxsize=4096)
def quoted(*names: str) -> str:
    """A name for SQL, its parts joined by dots: in quotes where PostgreSQL's quote_ident() puts
    them, that is around what is not all lower-case letters and around key words.

    The result parses as an identifier wherever one may stand, in each supported version.
    """
    return ".".join(
        name if _PLAIN.fullmatch(name) and name not in KEY_WORDS else in_quotes(name)
        for name in names
    )


def in_quotes(*names: str) -> str:
    """A name for SQL, its parts joined by dots, each in quotes whether it needs them or not."""
    return ".".join('"' + name.replace('"', '""') + '"' for name in names)


def text_literal(value: str) -> str:
    """A text for SQL, where standard_conforming_strings is on."""
    return "'" + value.replace("'", "''") + "'"


def spelt(*names: str) -> str:
    """A name for a step id or a recorded fingerprint, its parts joined by dots.

    Only letters ask for quotes here, key words do not: each major version of PostgreSQL has key
    words of its own, and what was recorded under one has to read the same under the next.
    """
    return ".".join(name if _PLAIN_OR_DOLLAR.fullmatch(name) else in_quotes(name) for name in names)


def unquoted(text: str) -> str:
    """The name that an identifier stands for, without its quotes; the case is left as it is."""
    return text[1:-1].replace('""', '"') if text.startswith('"') else text


def split_name(name: str) -> tuple[str, ...]:
    """The parts of a dotted name as PostgreSQL stores them: ``a."B c"`` is a and B c.

    A part without quotes is folded to lower case. Of a function, ``a.f(integer)``, only the name
    counts.
    """
    function = FUNCTION.fullmatch(name)
    parts = _EVERY_PART.findall(function[1] if function else name)
    return tuple(stored_name(part) for part in parts)


def stored_name(part: str) -> str:
    """One identifier as PostgreSQL stores it: without quotes it is folded to lower case."""
    return unquoted(part) if part.startswith('"') else part.lower()
