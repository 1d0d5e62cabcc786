"""Where in a statement a string stands for a password: behind a name, as an argument, in a row."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from pytest_housekeeping.sql.literal_tokens import LiteralToken

Tokens = Sequence[LiteralToken]

# What a name of a password ends with: password_hash and password_encryption name none.
NAME = (
    r"(?:password|passwd|passphrase|pwd|secret(?:_?(?:access_?)?key)?|api_?key"
    r"|(?:access|auth|bearer|refresh|api)_?token)\d*+"
)
ENDS = re.compile(rf"(?:{NAME}|(?:\A|[._])(?:pass|pw))\Z", re.IGNORECASE)
FLAG = re.compile(r"(?:\A|[._])(?:is|has|needs|requires|no|with)_", re.IGNORECASE)
_HOLDER = re.compile(
    r"%(?:\d+\$)?[A-Z]?|\$\d+|\$\{.*|\{.*|<.*>|:\w+|[*.•…?_\s-]*|x{3,}"
    r"|pass(?:word|wd)?|your[_-]?\w*|null|true|false",
    re.IGNORECASE | re.DOTALL,
)
_SIGNS = ("=", ":=", "=>", ":", "to")
# A call that stands around a literal, and whose value is as good as the literal.
_AROUND = frozenset(
    {
        "crypt",
        "md5",
        "digest",
        "sha224",
        "sha256",
        "sha384",
        "sha512",
        "encode",
        "convert_to",
        "cast",
        "quote_literal",
        "quote_nullable",
        "row",
        "lower",
        "upper",
        "trim",
        "concat",
        "to_json",
        "to_jsonb",
    }
)
# Which argument of a function is a password.
_ARGUMENT = {
    "crypt": 0,
    "create_secret": 0,
    "add_secret": 0,
    "update_secret": 1,
    "hmac": 1,
    "encrypt": 1,
    "decrypt": 1,
    "pgp_sym_encrypt": 1,
    "pgp_sym_encrypt_bytea": 1,
    "pgp_sym_decrypt": 1,
    "pgp_sym_decrypt_bytea": 1,
}
_PAIRS = frozenset({"set_config", "hstore", "json_build_object", "jsonb_build_object"})
_SETS = re.compile(r"(?:set|change|reset|update|store|hash)_(?:\w*_)?(?:password|passwd|secret)")
_OTHER_COLUMN = frozenset({"add", "alter", "table", "column", "from", "where", "select", "and"})
# So many tokens of a call, of a list and of a row are read at most: each may stand in another.
_FEW, _MOST, _ROW = 60, 200, 500
_URL = re.compile(r"://[^\s/@:]*:\Z")
_PLACEHOLDER = re.compile(r"%(?:%|(?:\d+\$)?[-\d]*[sIL])")


def is_value(text: str) -> bool:
    """Whether a text may be a password: not empty, no mask, no placeholder."""
    return not _HOLDER.fullmatch(text)


def strings_for_passwords(tokens: Tokens) -> Iterator[str]:
    """The literals among the tokens of a text that stand for passwords."""
    for at, token in enumerate(tokens):
        if token.kind in ("word", "name"):
            if ENDS.search(token.text) and not FLAG.search(token.text):
                yield from _behind_a_name(tokens, at)
                if at > 1 and tokens[at - 1].text == "as" and tokens[at - 2].is_string:
                    yield from literals_from(tokens, at - 2)
            if token.kind == "word":
                yield from _argument(tokens, at)
                yield from _in_a_list(tokens, at)
        elif token.is_string:
            yield from _put_together(tokens, at)


def _behind_a_name(tokens: Tokens, at: int) -> Iterator[str]:
    """PASSWORD 'x', password => 'x', SET app.password TO 'x', {"password": "x"}, := and DEFAULT."""
    quoted = tokens[at].kind == "name"
    sign = word_at(tokens, at + 1)
    if quoted and sign in (":", "=>") and _kind(tokens, at + 2) == "name":
        if is_value(tokens[at + 2].text):
            yield tokens[at + 2].text
    elif sign in _SIGNS and _kind(tokens, at + 1) != "string":
        yield from literals_from(tokens, at + 2)
    elif _kind(tokens, at + 1) == "string":
        yield from literals_from(tokens, at + 1)
    else:
        yield from _declared(tokens, at)


def _declared(tokens: Tokens, at: int) -> Iterator[str]:
    """my_password CONSTANT text := 'x'; password varchar(80) NOT NULL DEFAULT 'x'."""
    words = 0
    for place in range(at + 1, min(at + 12, len(tokens))):
        token = tokens[place]
        if token.text == "default" or token.text == ":=" or (token.text == "=" and words == 1):
            yield from literals_from(tokens, place + 1)
            return
        if token.kind == "word":
            if token.text in _OTHER_COLUMN:
                return
            words += token.text != "constant"
        elif token.kind == "string" or token.text not in ("(", ")", ".", "[", "]"):
            return
        elif token.text == "(" and not word_at(tokens, place + 1).isdigit():
            return  # no varchar(80) but a list of columns
        elif token.text == ")" and "(" not in [each.text for each in tokens[at:place]]:
            return  # the name stood in brackets, and what follows is about something else


def _argument(tokens: Tokens, at: int) -> Iterator[str]:
    """crypt('x', …), vault.create_secret('x'), set_config('app.secret', 'x', …)."""
    name = tokens[at].text
    known = name in _ARGUMENT or name in _PAIRS or _SETS.fullmatch(name)
    if not known or word_at(tokens, at + 1) != "(":
        return
    given, _ = split_list(tokens, at + 1, _MOST if name in _PAIRS else _FEW)
    if name in _PAIRS:
        for key, value in zip(given[::2], given[1::2], strict=False):
            if key and key[0].is_string and ENDS.search(key[0].text):
                yield from literals_from(value, 0)
    elif name in _ARGUMENT:
        yield from _literal_at(given, _ARGUMENT[name])
    else:
        last = len(given) - 1
        # What is alone in reset_password('me@example.org') says whose.
        yield from _literal_at(given, last) if last or not name.startswith("reset") else ()


def _in_a_list(tokens: Tokens, at: int) -> Iterator[str]:
    """INSERT INTO t (…, password) VALUES (…, 'x') or SELECT …, 'x'; SET (…) = (…).

    The value has the place of its column, so that one that is computed is told from a literal.
    """
    if tokens[at].text == "into":
        # The name of the table, and what it is called meanwhile.
        at = next((n for n in range(at, at + 8) if word_at(tokens, n + 1) == "("), at)
    elif tokens[at].text not in ("set", "insert"):
        return
    if word_at(tokens, at + 1) != "(":
        return
    columns, at = _columns(tokens, at + 2)
    places = [n for n, each in enumerate(columns) if ENDS.search(each)]
    if not places:
        return
    while word_at(tokens, at) in ("overriding", "system", "user", "value", "=", "row"):
        at += 1
    for row in _rows(tokens, at):
        for place in places:
            yield from _literal_at(row, place)


def _rows(tokens: Tokens, at: int) -> Iterator[list[list[LiteralToken]]]:
    """The rows of VALUES, the entries of a SELECT, or a row that is assigned."""
    if word_at(tokens, at) == "select":
        yield split_list(tokens, at, _MOST)[0]
        return
    at += word_at(tokens, at) == "values"
    while word_at(tokens, at) == "(":
        row, at = split_list(tokens, at, _ROW)
        yield row
        at += word_at(tokens, at) == ","


def _columns(tokens: Tokens, at: int) -> tuple[list[str], int]:
    """The names of a list of columns, and where it is over; they hold no brackets."""
    names = [""]
    while at < len(tokens) and tokens[at].text not in ("(", ")", ";"):
        if word_at(tokens, at) == ",":
            names.append("")
        else:
            names[-1] = tokens[at].text
        at += 1
    return names, at + 1


def _put_together(tokens: Tokens, at: int) -> Iterator[str]:
    """'… PASSWORD ' || quote_literal('x'), format('… PASSWORD %L', 'x'), ->> 'password' = 'x'."""
    text = tokens[at].text
    if at and tokens[at - 1].text in ("->", "->>") and word_at(tokens, at + 1) == "=":
        yield from literals_from(tokens, at + 2) if ENDS.search(text) else ()
    if word_at(tokens, at + 1) == "||" and _asks(text):
        yield from literals_from(tokens, at + 2)
    if at > 1 and tokens[at - 2].text == "format" and tokens[at - 1].text == "(":
        given, _ = split_list(tokens, at - 1, _MOST)
        number = 0
        for match in _PLACEHOLDER.finditer(text):
            if match[0] == "%%":
                continue
            number += 1
            if _asks(text[max(0, match.start() - 80) : match.start()]):
                yield from _literal_at(given, number)


def _asks(text: str) -> bool:
    """Whether a text ends where a password is to follow."""
    ending = text[-80:]
    name = ending.rstrip("=:'\" \t\n>")
    return bool(name != ending and ENDS.search(name)) or bool(_URL.search(ending))


def literals_from(tokens: Tokens, at: int) -> Iterator[str]:
    """The string that begins here, also inside of brackets or of a call that only changes it."""
    while at < len(tokens) and (
        tokens[at].text == "(" or (tokens[at].text in _AROUND and word_at(tokens, at + 1) == "(")
    ):
        at += 1
    while at < len(tokens) and tokens[at].is_string:
        if is_value(tokens[at].text):
            yield tokens[at].text
        # 'x' || 'y', and 'x' on one line with 'y' on the next, are one string.
        at += 2 if word_at(tokens, at + 1) == "||" else 1


def _literal_at(given: Sequence[Tokens], number: int) -> Iterator[str]:
    """The literal that one of the entries of a list begins with."""
    return literals_from(given[number], 0) if number < len(given) else iter(())


def split_list(tokens: Tokens, at: int, most: int) -> tuple[list[list[LiteralToken]], int]:
    """What stands between the commas of a list, and where the list is over."""
    found: list[list[LiteralToken]] = [[]]
    depth, inner = 0, int(tokens[at].text == "(")
    for place in range(at, min(len(tokens), at + most)):
        token = tokens[place]
        sign = token.text if token.kind == "sign" else ""
        if sign == "(":
            depth += 1
        elif sign == ")":
            depth -= 1
        if sign == ";" or (sign == ")" and depth <= 0):
            return found, place + 1
        if sign == "," and depth == inner:
            found.append([])
        elif place > at:
            found[-1].append(token)
    return found, len(tokens)


def word_at(tokens: Tokens, at: int) -> str:
    """The word or sign at a place; nothing for a string or a quoted name."""
    if at < len(tokens) and tokens[at].kind in ("word", "sign"):
        return tokens[at].text
    return ""


def _kind(tokens: Tokens, at: int) -> str:
    return tokens[at].kind if at < len(tokens) else ""
