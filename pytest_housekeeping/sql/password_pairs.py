"""Passwords that stand beside their name: rows of settings, parts of a JSON document.

``('smtp_password', 'x')`` may as well be a title, a kind or a column and its type. So what stands
there counts where it looks like a secret: in one piece, of letters and of something else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from pytest_housekeeping.sql.literal_tokens import LiteralToken
from pytest_housekeeping.sql.password_places import (
    ENDS,
    FLAG,
    NAME,
    Tokens,
    is_value,
    literals_from,
    split_list,
    word_at,
)

_KEY = re.compile(rf"[\w.:/-]*{NAME}\Z", re.IGNORECASE)
# What is done with a password, and no password: reset_password, auth.forgot_password.
_DONE = re.compile(
    r"(?:\A|[._:/-])(?:reset|forgot|forgotten|lost|change|changed|confirm|expired?|recover|update|verify)"
    rf"[._-]?(?:\w*[._-])?{NAME}\Z",
    re.IGNORECASE,
)
_LETTER, _OTHER = re.compile(r"[^\W\d_]"), re.compile(r"[\d!@#$%^&*+=~]")
_NO_SECRET = re.compile(
    r"/|\w+://|\w+\(\d|(?:sha|md|utf|int|float|oauth|fido|u2f|argon|pbkdf)-?\d", re.IGNORECASE
)
_VALUE = re.compile(r"(?:\A|_)(?:value|val|v|contents?|data|setting)\Z", re.IGNORECASE)
_IN_DOCUMENT = frozenset({"jsonb_set", "jsonb_set_lax", "jsonb_insert", "json_set"})
_LAST_OF_PATH = re.compile(rf"\{{(?:[^{{}}]*,)?\s*\"?[\w-]*{NAME}\"?\s*\}}", re.IGNORECASE)
# So far is looked back from a name, and so far a row or a call is read.
_BACK, _MOST = 60, 60


def looks_like_a_secret(text: str) -> bool:
    """Whether a text may be a password where others than passwords stand as well."""
    bare = text.strip('"')
    return (
        is_value(bare)
        and not re.search(r"\s", bare)
        and bool(_LETTER.search(bare) and _OTHER.search(bare))
        and not _NO_SECRET.match(bare)
    )


def strings_beside_names(tokens: Tokens) -> Iterator[str]:
    """The literals among the tokens of a text that a string beside them says are passwords."""
    keys = [at for at, token in enumerate(tokens) if _is_key(token)]
    for at in keys:
        yield from _subscript(tokens, at)
        yield from _secrets(_selected(tokens, at))
        yield from _secrets(_set_where(tokens, at))
    if keys:
        yield from _secrets(_in_rows(tokens))
    for at, token in enumerate(tokens):
        if token.is_string and (ENDS.search(token.text) or token.text.endswith("}")):
            yield from _in_a_document(tokens, at)


def _is_key(token: LiteralToken) -> bool:
    return (
        token.is_string
        and bool(_KEY.fullmatch(token.text))
        and not (FLAG.search(token.text) or _DONE.search(token.text))
    )


def _secrets(found: Iterator[str]) -> Iterator[str]:
    for text in found:
        if looks_like_a_secret(text):
            yield from {text, text.strip('"')}


def _subscript(tokens: Tokens, at: int) -> Iterator[str]:
    """SET config['password'] = '"x"'."""
    around = (word_at(tokens, at - 1) if at else "", word_at(tokens, at + 1))
    if around == ("[", "]") and word_at(tokens, at + 2) == "=":
        for text in literals_from(tokens, at + 3):
            yield from {text, text.strip('"')}


def _selected(tokens: Tokens, at: int) -> Iterator[str]:
    """SELECT …, 'smtp_password', 'x'."""
    if word_at(tokens, at + 1) == "," and _beginning(tokens, at)[1] == "select":
        yield from literals_from(tokens, at + 2)


def _in_rows(tokens: Tokens) -> Iterator[str]:
    """VALUES (…, 'smtp_password', …, 'x'): beside it, or in a column that is called so."""
    for at, token in enumerate(tokens):
        if token.kind == "word" and token.text == "values":
            columns = _columns(tokens, at)
            for row in _rows(tokens, at + 1):
                yield from _in_a_row(row, columns)


def _rows(tokens: Tokens, at: int) -> Iterator[list[list[LiteralToken]]]:
    while word_at(tokens, at) == "(":
        row, at = split_list(tokens, at, _MOST)
        yield row
        at += word_at(tokens, at) == ","


def _in_a_row(row: Sequence[Tokens], columns: Sequence[str]) -> Iterator[str]:
    place = next((n for n, entry in enumerate(row) if entry and _is_key(entry[0])), len(row))
    for number in range(place + 1, len(row)):
        named = number < len(columns) and _VALUE.search(columns[number])
        if named or (not columns and number == place + 1):
            yield from literals_from(row[number], 0)


def _columns(tokens: Tokens, at: int) -> list[str]:
    """The columns that are named before VALUES; none where none are."""
    if at < 2 or word_at(tokens, at - 1) != ")":
        return []
    begins, _ = _beginning(tokens, at - 1)
    return [entry[-1].text if entry else "" for entry in split_list(tokens, begins, _MOST)[0]]


def _beginning(tokens: Tokens, at: int) -> tuple[int, str]:
    """Where the list begins that a token stands in, and the word or sign before it."""
    depth = 0
    for place in range(at - 1, max(-1, at - _BACK), -1):
        word = word_at(tokens, place)
        if word == ")":
            depth += 1
        elif word == "(" and depth == 0:
            return place, word_at(tokens, place - 1) if place else ""
        elif word == "(":
            depth -= 1
        elif depth == 0 and word == "select":
            return place, word
        elif word == ";":
            break
    return at, ""


def _set_where(tokens: Tokens, at: int) -> Iterator[str]:
    """UPDATE … SET value = 'x' WHERE key = 'smtp_password'."""
    if not at or word_at(tokens, at - 1) != "=":
        return
    for place in range(at - 2, max(1, at - _BACK), -1):
        word = word_at(tokens, place)
        if word in (";", "update"):
            return
        if word == "=" and _VALUE.search(tokens[place - 1].text):
            yield from literals_from(tokens, place + 1)


def _in_a_document(tokens: Tokens, at: int) -> Iterator[str]:
    """jsonb_set(config, '{smtp,password}', '"x"'), also where the path is an ARRAY."""
    start, before = _beginning(tokens, at)
    if before not in _IN_DOCUMENT:
        return
    given, _ = split_list(tokens, start, _MOST)
    place = _entry_of(tokens[at], given)
    if not 0 < place < len(given) - 1:
        return
    # ARRAY['smtp', 'password'] is split at its commas as well.
    last_of_array = given[place][-1].text == "]" and ENDS.search(tokens[at].text)
    if last_of_array or _LAST_OF_PATH.fullmatch(tokens[at].text):
        for text in literals_from(given[place + 1], 0):
            yield from {text, text.strip('"')}


def _entry_of(token: LiteralToken, given: Sequence[Tokens]) -> int:
    """Which entry of a list a token is in, -1 for none."""
    return next((n for n, entry in enumerate(given) if any(each is token for each in entry)), -1)
