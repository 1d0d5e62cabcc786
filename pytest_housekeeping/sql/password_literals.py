"""Passwords that stand in a SQL file as text: whether there is one, and what can be told then.

What counts is a literal (a string, or the value in a connection string, a URL or a comment) that
stands for a password; a table, a column or a function that is called so is a name like any other.
A file may be one that no parser reads, so its tokens are looked at and not its parse tree.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from pytest_housekeeping.sql.literal_tokens import LiteralToken, tokens_of
from pytest_housekeeping.sql.password_pairs import looks_like_a_secret, strings_beside_names
from pytest_housekeeping.sql.password_places import NAME, is_value, strings_for_passwords
from pytest_housekeeping.sql.text import MARK, passwords_in_urls

# What is told instead of whatever quotes the file.
UNSHOWN = "the file holds a password as text, so nothing of it is shown"
# Where it is in no file that is at hand: an earlier one has put it into a function, say.
_QUOTED = "what the server says quotes a password, so nothing of it is shown"
_HINTS = (
    *("pass", "pw", "secret", "://", "crypt", "hmac"),
    *("apikey", "api_key", "token", "bearer", "basic", "-u", "--user", "credential"),
    *("program", "private_key", "privatekey", "encryption_key", "signing_key", "client_key"),
    *("service_key", "account_key", "accountkey", "master_key", "sa_key"),
)
_LEAST = 8
_DEPTH = 4
_IN_A_URL = passwords_in_urls("'\"")
# Where quotes do not pair up, what is a string and what is not cannot be told: a line is enough.
_IN_A_LINE = re.compile(
    rf"{NAME}(?:[ \t]*+(?:=>|:=|=)[ \t]*+|[ \t]++)(?:[EU]&?)?'([^'\s,;:|)\]][^'\s]*+)'",
    re.IGNORECASE,
)
# PASSWORD at the end of a line that another tool's mark or a stray quote has made a comment.
_ON_THE_NEXT_LINE = re.compile(
    rf"{NAME}[ \t]*+(?:--[^\n]*+)?\n[ \t]*+'([^'\s,;:|)\]][^'\s]*+)'", re.IGNORECASE
)
_IN_A_COMMENT = re.compile(
    rf"{NAME}[\"'`]?[ \t]*+(?:(?P<sign>=>|:=|[=:])(?P<blank>[ \t]*+)"
    r"(?:'(?P<q>[^'\n]++)'|\"(?P<qq>[^\"\n]++)\"|(?P<bare>[^\s'\",;()]++)"
    r"(?P<alone>[ \t]*+[.,;]?+[ \t]*+(?:\n|\Z))?)|(?<=[ \t])'(?P<direct>[^\s']++)')",
    re.IGNORECASE,
)
_CONNECTION = re.compile(
    r"\A\s*+\w++\s*+=(?!=)|://|\b(?:host|hostaddr|port|dbname|user|sslmode)\s*+=", re.IGNORECASE
)
_PAIRS = re.compile(r"\s*+(?:\w++\s*+=\s*+(?:'[^']*+'|[^\s'\";=(]++)\s*+)++")
_IN_A_PART = re.compile(
    rf"(?<![\w-])\w*?{NAME}(?:=|:[ \t]+|[ \t]+is[ \t]+)([^\s'\";&,]++)", re.IGNORECASE
)
# What is a secret as often as not, and counts where it cannot be taken for a word: a token, a key.
_WEAK = re.compile(
    r"(?:token|credentials?|(?:private|encryption|signing|client|service|account|master|sa)_?key)"
    r"[\"'`]?[ \t]*+(?:(?:=>|:=|[=:]|to\b|)[ \t]*+(?:[EU]&?)?'|:[ \t]*+\")\"?([^\s'\"]{8,}+)",
    re.IGNORECASE,
)
# mysql -px, sshpass -p x, redis-cli -a x.
_OPTION = re.compile(r"(?<!\S)-[pa] ?([^\s'\";,]{8,}+)")
# What a program or a request is handed: curl -u somebody:x, Authorization: Bearer x.
_HANDED_OVER = re.compile(
    r"(?:(?<!\S)(?:-u|--user)[ =]*+[^\s:'\"]++:|\b(?:Bearer|Basic) +)([^\s'\";,]++)", re.IGNORECASE
)
_IN_A_CONNECTION = re.compile(rf"{NAME}\s*+=>?\s*+(?:'([^']++)'|([^\s'\"]++))", re.IGNORECASE)
# What a comment says of a password column.
_DESCRIBES = re.compile(
    r"a|an|any|argon2|argon2id|bcrypt|bytea|char|citext|default|digest|empty|encrypted|"
    r"false|hash|hashed|hidden|hmac|jsonb|masked|md5|missing|never|no|none|null|nullable|"
    r"optional|pbkdf2|plain|removed|required|scram|scram-sha-256|scrypt|see|sha1|sha256|"
    r"sha512|salted|string|tbd|text|the|todo|true|unique|unset|uuid|varchar|vault|yes",
    re.IGNORECASE,
)


def holds_password(text: str) -> bool:
    """Whether a password stands in a text as a literal."""
    return next(_literals(text), None) is not None


def without_passwords(said: str, *texts: str) -> str | None:
    """What is said of some texts without the passwords that stand in those.

    None where one of them cannot be told from other words, or the quotes of a text do not pair up.
    """
    found = {value for text in texts for value in _literals(text)}
    if not all(_is_no_word(value) for value in found):
        return None
    if found and not all(token.whole for text in texts for token in tokens_of(text)):
        return None
    for value in sorted(found, key=len, reverse=True):
        said = said.replace(value, MARK)
    return said


def unshown(text: str) -> str:
    """Why nothing is shown of what the server says of a text."""
    return UNSHOWN if holds_password(text) else _QUOTED


def seen_passwords(texts: Iterable[str]) -> frozenset[str]:
    """The passwords of some files that can be told from words wherever they come up again.

    What is short, or a word, is not among them: to hide it would hide names that reports need.
    """
    return frozenset(value for text in texts for value in _literals(text) if _is_no_word(value))


def _literals(text: str, depth: int = 0) -> Iterator[str]:
    low = text.lower()
    if not any(map(low.__contains__, _HINTS)):
        return  # nearly every text
    if depth == 0:
        yield from filter(_is_no_word, _WEAK.findall(text))
        if "program" in low:
            yield from filter(_is_no_word, _OPTION.findall(text))
        yield from filter(is_value, _IN_A_URL.findall(text))
        yield from (match[1] for match in _IN_A_LINE.finditer(text) if is_value(match[1]))
        for match in _ON_THE_NEXT_LINE.finditer(text):
            if is_value(match[1]) and not match[1].replace("_", "a").isalpha():
                yield match[1]
    tokens = list(tokens_of(text))
    code = [token for token in tokens if token.kind != "comment"]
    yield from strings_for_passwords(code)
    yield from strings_beside_names(code)
    for token in tokens:
        yield from _inside(token, depth)


def _inside(token: LiteralToken, depth: int) -> Iterator[str]:
    """The passwords in a comment, in a string, or in what a message quotes."""
    if token.kind == "comment":
        yield from _in_comment(token.text)
    elif token.is_string and _is_connection(token):
        for match in _IN_A_CONNECTION.finditer(token.text):
            # In a URL, and behind a semicolon, the next one follows; elsewhere the value goes on.
            whole = match[1] or match[2]
            for value in {whole, whole.partition("&")[0], whole.partition(";")[0]}:
                if is_value(value):
                    yield value
    elif token.is_string and not token.body:
        # A part of one that is put together, or one behind a few words.
        yield from filter(looks_like_a_secret, _IN_A_PART.findall(token.text))
    if token.is_string and not token.body:
        yield from filter(looks_like_a_secret, _HANDED_OVER.findall(token.text))
    if token.kind in ("comment", "string", "name") and depth < _DEPTH:
        yield from _literals(token.text, depth + 1)


def _is_connection(token: LiteralToken) -> bool:
    """Between dollars stands a function's body as well, in which something is assigned."""
    if token.body:
        return bool(_CONNECTION.search(token.text) and _PAIRS.fullmatch(token.text))
    return bool(_CONNECTION.search(token.text))


def _in_comment(text: str) -> Iterator[str]:
    """Values that a comment shows: in prose most of what follows a colon is none."""
    for match in _IN_A_COMMENT.finditer(text):
        value = match["q"] or match["qq"] or match["direct"] or match["bare"].rstrip(".!?")
        if not is_value(value):
            continue
        if match["bare"] is None or _shown_bare(match, value):
            yield value


def _shown_bare(match: re.Match[str], value: str) -> bool:
    if _DESCRIBES.fullmatch(value) or "://" in value:
        return False
    letters, others = re.search(r"[^\W\d_]", value), re.search(r"[\d!@#$%^&*+=~]", value)
    close = match["sign"] == "=" and not match["blank"]
    return close or bool(match["alone"]) or bool(letters and others and len(value) > 3)


def _is_no_word(value: str) -> bool:
    kinds = (str.islower, str.isupper, str.isdigit, lambda char: not char.isalnum())
    some = sum(any(kind(char) for char in value) for kind in kinds)
    # What a quote, a backslash or a percent sign stands in is written in several ways.
    looks = any(map(str.isdigit, value)) and not re.search(r"[\s'\"\\%]", value) and some >= 3
    return len(value) >= _LEAST and looks
