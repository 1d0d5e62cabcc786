"""Passwords that stand in a SQL file as text: whether there is one, and those that are seen.

A file may be one that no parser reads, and a password may stand in the body of a function, in a
statement that is put together at run time, in a connection string or in a comment. So the text is
searched for what a password stands behind, and rather too much is taken for one than too little.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

# What is told instead of whatever quotes the file.
UNSHOWN = "the file holds a password as text, so nothing of it is shown"
_WORDS = r"(?:password|passwd|passphrase|pwd|secret)"
_QUOTED = r"""(?:[EUeu]&?)?'(?P<{0}>(?:[^']|'')*)'|\$(?:\w*)\$(?P<{0}d>.*?)\$\w*\$"""
_DECLARED = r"(?:\w*\s+(?:constant\s+)?[\w.]+(?=\s*:=))?"
_BLANK = r"(?:\s|/\*.*?\*/|--[^\n]*\n)*"
# PASSWORD 'x', password => 'x', "password":"x", password=x, PASSWORD %L, PASSWORD :'pw', PASSWORD '
# || quote_literal(x): a column's name is followed by a word, a comma or a bracket. Of PL/pgSQL:
# my_password CONSTANT text := 'x'.
_BEHIND_A_WORD = re.compile(
    rf"{_WORDS}{_DECLARED}[\"']?{_BLANK}(?:=>|:=|[=:%$'\"|]|[EU]&?')(?!\s*(?:NULL|\$\d)\b)",
    re.IGNORECASE | re.DOTALL,
)
_IN_A_URL = re.compile(r"\b[a-z][a-z0-9+.-]*://[^\s/@:'\"]*:(?P<url>[^\s/@'\"]+)@", re.IGNORECASE)
# INSERT INTO account (name, password) VALUES …, and what hashes or encrypts with one.
_ELSEWHERE = re.compile(
    rf"\bINSERT\s+INTO\b[^;()]*\([^)]*{_WORDS}\b|\bSET\s+\"?\w*{_WORDS}\"?\s*="
    r"|\b(?:crypt|pgp_sym_encrypt|pgp_sym_decrypt|dblink_connect|dblink_exec|dblink)\s*\(",
    re.IGNORECASE,
)
_VALUE = re.compile(
    rf"{_WORDS}{_DECLARED}[\"']?{_BLANK}(?:=>|:=|[=:])?{_BLANK}(?:{_QUOTED.format('text')}|\"(?P<json>[^\"]*)\""
    r"|(?P<bare>[^\s'\",;()%$:]+))",
    re.IGNORECASE | re.DOTALL,
)
_LEAST = 8


def holds_password(text: str) -> bool:
    """Whether a password may stand in a text, or in what the server says of one."""
    low = text.lower()
    if not any(word in low for word in _HINTS):
        return False  # nearly every text
    return any(pattern.search(text) for pattern in (_BEHIND_A_WORD, _IN_A_URL, _ELSEWHERE))


def seen_passwords(texts: Iterable[str]) -> frozenset[str]:
    """The passwords of some files that can be told from words wherever they come up again.

    What is short, or a word, is not among them: to hide it would hide names that reports need.
    """
    found: set[str] = set()
    for text in texts:
        if holds_password(text):
            found |= {
                value
                for match in (*_VALUE.finditer(text), *_IN_A_URL.finditer(text))
                for value in match.groupdict().values()
                if value and _is_no_word(value)
            }
    return frozenset(value.replace("''", "'") for value in found)


_HINTS = ("password", "passwd", "passphrase", "pwd", "secret", "://", "crypt", "dblink")


def _is_no_word(value: str) -> bool:
    kinds = (str.islower, str.isupper, str.isdigit, lambda char: not char.isalnum())
    some = sum(any(kind(char) for char in value) for kind in kinds)
    looks = any(map(str.isdigit, value)) and not any(map(str.isspace, value)) and some >= 3
    return len(value) >= _LEAST and looks
