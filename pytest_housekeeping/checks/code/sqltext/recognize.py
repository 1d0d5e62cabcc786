"""Whether a text is SQL, a part of SQL, or prose: cheap questions, before and after parsing."""

from __future__ import annotations

import re

from pytest_housekeeping.checks.code.sqltext.names import StatementNames
from pytest_housekeeping.checks.code.sqltext.written import WrittenName
from pytest_housekeeping.checks.code.vocabulary import vocabulary

_VERB = re.compile(
    r"(?is)\s*(?:--[^\n]*\n\s*|/\*.*?\*/\s*)*[(\s]*"
    r"(select|insert|update|delete|merge|with|call|truncate|copy|values|table|lock|refresh|explain"
    r"|declare|create|alter|drop|grant|revoke|do|set|reset|comment|cluster|vacuum|analyze|reindex"
    r"|import|security|prepare|begin|start)\b"
)
_FRAGMENT = re.compile(
    r"\s*((?:(?:LEFT|RIGHT|FULL|INNER|CROSS|NATURAL)\s+(?:OUTER\s+)?)?JOIN|FROM|WHERE|AND|OR"
    r"|UNION(?:\s+ALL)?|EXCEPT|INTERSECT|USING|,)\b",
    re.IGNORECASE,
)
_QUALIFIED = re.compile(r'[\w"]\.[\w"]')
_SHOUTED = re.compile(
    r"\b(?:SELECT|FROM|INSERT|INTO|UPDATE|SET|DELETE|WHERE|JOIN|MERGE|USING|TRUNCATE|CALL|COPY|WITH"
    r"|TABLE|VALUES|CREATE|ALTER|DROP|GRANT|ON|TO|RETURNING|EXISTS|ROLE)\b"
)
_STRUCTURE = re.compile(r"[*=();<>]|\$\d|\w\.\w|::|'")
# PostgreSQL parses "select the best from our list": such words are no columns and no tables.
_PROSE = vocabulary(
    """
    the an your this these those our my his their which what every each some another it them you
    me us everything something anything nothing someone please is are was were be been has have
    of to by at its there here later now then than too very
    """
)


def starts_like_sql(text: str) -> bool:
    """Whether the first word could begin a statement."""
    return _VERB.match(text) is not None


def starts_like_fragment(text: str) -> bool:
    """Whether it begins like a part of a statement and has a dot: ``JOIN governance.ledger``."""
    return _FRAGMENT.match(text) is not None and _QUALIFIED.search(text) is not None


def reads_like_prose(found: StatementNames, names: list[WrittenName]) -> bool:
    """Whether what it names are words of a sentence."""
    return bool(found.identifiers & _PROSE) or any(set(name.parts) & _PROSE for name in names)


def is_surely_sql(text: str) -> bool:
    """Whether nobody would write it but as SQL: keywords in capitals, or operators and dots."""
    return len(set(_SHOUTED.findall(text))) > 1 or _STRUCTURE.search(text) is not None
