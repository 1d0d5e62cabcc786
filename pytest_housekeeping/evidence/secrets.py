"""Keep passwords out of everything that is written down: reports, audits, journals, terminal.

A password seldom stands in a text as it was given: an error quotes a URL or an escaped string, a
dump encodes it. Every such writing is looked for, and parts of a long password too; what is too
short or too common to be told from ordinary words is left alone (see Secrets).
"""

from __future__ import annotations

import ast
import base64
import html
import json
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

from pytest_housekeeping.sql.identifiers import in_quotes
from pytest_housekeeping.sql.text import MARK, passwords_in_urls

_WINDOW = 8
# What is longer, a token or a key, is looked for in pieces that do not overlap.
_LONG = 200
_PIECE = 16
# Programs break base64 into lines of 76 characters, or 64.
_LINE = 60
# Passwords that are words of every report: hiding them would hide the report, not the password.
_ORDINARY = frozenset(
    {"postgres", "password", "secret", "test", "admin", "root", "public", "throwaway"}
)

# Variables that hold a secret of whatever service, by their names.
_NAMED = re.compile(
    r"(?:\A|_)(?:PASSWORD|PASSWD|PASSPHRASE|PWD|SECRET|TOKEN|API_?KEY|(?:ACCESS|SECRET|PRIVATE|"
    r"SIGNING|ENCRYPTION|MASTER)_KEY)\Z",
    re.IGNORECASE,
)
_IN_A_URL = passwords_in_urls()
# One text as Python's pprint breaks it up, and pytest does so with -vv: literals on lines of their
# own, which may be those of a failure.
_LITERAL = r"""b?(?:'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*")"""
_BROKEN_UP = re.compile(rf"{_LITERAL}(?:\n[E>| ]*{_LITERAL})+")
_JOINT = re.compile(r"""['"]\n[E>| ]*b?['"]""")


def secrets_of_environment() -> Iterator[str]:
    """What the variables of the environment hold that are called a password, a token or a key, and
    the passwords of the URLs in any of them.

    A word, and the name of a file, is none: to hide it would hide the report.
    """
    for name, value in os.environ.items():
        found = _IN_A_URL.findall(value)
        if _NAMED.search(name) and not value.startswith(("/", "~")) and "://" not in value:
            found.append(value)
        yield from (each for each in found if len(each) >= _WINDOW and _is_no_word(each))


class Secrets:
    """The values that must stand in nothing that is written.

    Recognised in a text: the value itself, URL-encoded, base64 (alone, inside a longer text, or
    broken into lines), hexadecimal, escaped for SQL, libpq, a shell, JSON, HTML or XML, written in
    ASCII as Python, pytest and git do, read in a wrong encoding, and parts of a value of 12 or more
    characters that look like no word. A value of fewer than 8 characters counts only as a whole
    word; one of fewer than 4 does not count at all, nor does one that is equal to a public fact
    (``public``: host, user, database). They are never shown by repr and cannot be pickled.
    """

    __slots__ = ("_parts", "_words")

    def __init__(self, values: Iterable[str] = (), *, public: Iterable[str] = ()) -> None:
        known = _ORDINARY.union(public)
        values = {value for value in values if len(value) >= 4 and value not in known}
        parts = {part for value in values for part in _forms(value)} - known
        self._parts = tuple(sorted((p for p in parts if len(p) >= _WINDOW), key=len, reverse=True))
        short = sorted(part for part in parts if len(part) < _WINDOW)
        words = "|".join(re.escape(part) for part in short)
        self._words = re.compile(rf"(?<!\w)(?:{words})(?!\w)") if words else None

    def __repr__(self) -> str:
        return "Secrets(...)"

    def __bool__(self) -> bool:
        return bool(self._parts or self._words)

    def __reduce__(self) -> str:
        raise TypeError("secrets are not pickled")

    def find(self, text: str) -> bool:
        """Whether the text gives a secret away."""
        if self._in_one(text):
            return True
        broken = _BROKEN_UP.finditer(text) if _JOINT.search(text) else ()
        return any(self._in_one(_whole(each[0])) for each in broken)

    def _in_one(self, text: str) -> bool:
        return any(map(text.__contains__, self._parts)) or bool(
            self._words and self._words.search(text)
        )

    def redact(self, text: str) -> str:
        """The text with every trace of a secret replaced by ``[secret]``."""
        if not self.find(text):
            return text
        if _JOINT.search(text):
            text = _BROKEN_UP.sub(self._redact_whole, text)
        pieces, at = [], 0
        for start, end in _merged(self._spans(text)):
            pieces += [text[at:start], MARK]
            at = end
        return "".join([*pieces, text[at:]])

    def redact_all(self, value: Any) -> Any:
        """``redact`` for every string in a JSON document, keys included."""
        if isinstance(value, str):
            return self.redact(value)
        if isinstance(value, list):
            return [self.redact_all(item) for item in value]
        if isinstance(value, dict):
            return {self.redact(key): self.redact_all(item) for key, item in value.items()}
        return value

    def scrub(self, path: Path) -> bool:
        """Redact a UTF-8 text file in place. Whether there was something to redact."""
        text = path.read_text(encoding="utf-8", errors="surrogateescape")
        if not self.find(text):
            return False
        path.write_text(self.redact(text), encoding="utf-8", errors="surrogateescape")
        return True

    def _redact_whole(self, broken: re.Match[str]) -> str:
        """One that holds a secret is put together again, without it."""
        whole = _whole(broken[0])
        return repr(self.redact(whole)) if self._in_one(whole) else broken[0]

    def _spans(self, text: str) -> Iterator[tuple[int, int]]:
        for part in self._parts:
            start = text.find(part)
            while start >= 0:
                yield start, start + len(part)
                start = text.find(part, start + 1)
        if self._words:
            yield from (match.span() for match in self._words.finditer(text))


def _whole(broken: str) -> str:
    """What the literals say together; "" for what are none."""
    literals = re.findall(_LITERAL, broken)
    with suppress(SyntaxError, ValueError):
        value = ast.literal_eval(f"({' '.join(literals)})")
        return value if isinstance(value, str) else value.decode(errors="replace")
    return ""


def _merged(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _forms(value: str) -> Iterator[str]:
    """Every form of a secret that a program between here and a file is known to write."""
    yield from _escaped(value)
    yield from _base64_cores(value.encode())
    yield from (value.encode().hex(), value.encode().hex().upper())
    # An error about a malformed URL or conninfo quotes what stands behind a blank, quote or ':'.
    yield from (part for part in re.split(r"[\s'\"@:/?#&=%\\]+", value) if _is_no_word(part))
    if len(value) > _LONG:
        yield from (value[at : at + _PIECE] for at in range(0, len(value) - _PIECE + 1, _PIECE))
    elif len(value) >= 12:
        windows = [value[at : at + _WINDOW] for at in range(len(value) - _WINDOW + 1)]
        yield from (part for part in windows if _is_no_word(part))
        most = max(_WINDOW, -(-2 * len(value) // 3))
        yield from (value[at : at + most] for at in range(len(value) - most + 1))


def _escaped(value: str) -> Iterator[str]:
    writings = {
        value,
        quote(value, safe=""),
        quote(value),
        quote_plus(value),
        *(value.replace("'", sign) for sign in ("''", "''''", "'\"'\"'")),
        in_quotes(value)[1:-1],
        value.replace("\\", "\\\\").replace("'", "\\'"),
        json.dumps(value)[1:-1],
        json.dumps(value, ensure_ascii=False)[1:-1],
        repr(value)[1:-1],
    }
    if not value.isascii():
        writings |= set(_in_ascii(value))
    writings |= {re.sub("%..", lambda code: code[0].lower(), text) for text in list(writings)}
    writings |= {json.dumps(text)[1:-1] for text in list(writings)}
    for text in writings:
        yield text
        yield html.escape(text)
        yield html.escape(text).replace("&quot;", "&#34;").replace("&#x27;", "&#39;")
        yield html.escape(text, quote=False)
        yield html.escape(text, quote=False).replace('"', "&quot;")


def _in_ascii(value: str) -> Iterator[str]:
    """What stands for the other letters: Python's escapes, git's, and what a reader makes of UTF-8
    who takes it for something else."""
    data = value.encode()
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').encode()
    yield "".join(chr(byte) if byte < 127 else f"\\{byte:03o}" for byte in escaped)
    yield ascii(value)[1:-1]
    yield value.encode("ascii", "backslashreplace").decode()
    # As pytest makes a name of it, and that name as Python shows it.
    yield (name := value.encode("unicode_escape").decode())
    yield name.replace("\\", "\\\\").replace("'", "\\'")
    yield repr(data)[2:-1]
    yield data.decode("latin-1")
    yield data.decode("cp1252", "replace")


def _base64_cores(value: bytes) -> Iterator[str]:
    """What is the same in the base64 of every text that holds the value.

    Base64 writes three bytes as four characters, so the value can begin at three offsets; the
    characters at both ends depend on its neighbours and are cut off.
    """
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        yield encode(value).decode()
    for offset, cut in ((0, 0), (1, 2), (2, 3)):
        whole = (offset + len(value)) * 8 // 6
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            core = encode(b"\0" * offset + value).decode()[cut:whole]
            if len(core) >= _WINDOW:
                yield core
            if len(core) > _LINE:
                yield from (core[at : at + _PIECE] for at in range(0, len(core), _PIECE // 2))


def _is_no_word(part: str) -> bool:
    """Whether it looks like no word: letters mixed with digits, or three kinds of characters."""
    kinds = (str.islower, str.isupper, str.isdigit, lambda c: not c.isalnum())
    lower, upper, digit, other = (any(kind(char) for char in part) for kind in kinds)
    mixed = (digit and (lower or upper)) or sum((lower, upper, digit, other)) >= 3
    return len(part) >= 6 and mixed
