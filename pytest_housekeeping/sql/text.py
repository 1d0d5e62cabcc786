"""The text of a file: its digest, its characters, and the places in it."""

from __future__ import annotations

import hashlib
import json
import re

from pytest_housekeeping.errors import SqlFileError

# What stands where a secret was cut out.
MARK = "[secret]"


def passwords_in_urls(ends: str = "") -> re.Pattern[str]:
    """What finds the passwords of the URLs in a text in which ``ends`` stand behind a URL."""
    user, password = rf"[^\s/@:{ends}]*+", rf"([^\s/@{ends}]++)"
    return re.compile(rf"(?<=[a-z0-9])://{user}:{password}@", re.IGNORECASE)


class Woven(str):
    """A text that was put together of several files: of each line, the file that it stands in, ""
    for the file itself, and its number there."""

    origins: tuple[tuple[str, int], ...]

    def __new__(cls, text: str, origins: tuple[tuple[str, int], ...]) -> Woven:
        woven = super().__new__(cls, text)
        woven.origins = origins
        return woven


def origin(text: str, path: str, line: int) -> tuple[str, int]:
    """The file and the line of it in which a line of a text stands, that of ``path``."""
    if not isinstance(text, Woven) or line > len(text.origins):
        return path, line
    there, number = text.origins[line - 1]
    return there or path, number


def blanked(text: str, start: int, end: int) -> str:
    """The text with blanks between two places, and every line where it was."""
    changed = text[:start] + re.sub(r"[^\n]", " ", text[start:end]) + text[end:]
    return Woven(changed, text.origins) if isinstance(text, Woven) else changed


def digest(data: bytes) -> str:
    """sha256 of the bytes, in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def digest_of_facts(facts: object) -> str:
    """The same of whatever JSON can hold, its keys sorted; what it cannot is told as text."""
    return digest(json.dumps(facts, sort_keys=True, default=str).encode())


def decode(data: bytes, path: str) -> str:
    """The text of a file. Raises SqlFileError when it is not UTF-8, or holds a NUL byte."""
    if (at := data.find(b"\0")) >= 0:
        raise SqlFileError(
            f"{path} holds a NUL byte (byte {at + 1})",
            why="for PostgreSQL the text ends there: what follows would be left out and not said",
            fix="remove it; a file of two bytes a character has to be saved as UTF-8",
        )
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SqlFileError(
            f"{path} is not UTF-8 (byte {error.start + 1})",
            why="PostgreSQL would store something else than what was reviewed",
            fix="save the file as UTF-8",
        ) from None


def place(text: str, offset: int) -> tuple[int, int]:
    """Line and column, both from 1, of a character offset that counts from 0."""
    before = text[:offset]
    return before.count("\n") + 1, offset - (before.rfind("\n") + 1) + 1


def excerpt(text: str, line: int, column: int) -> str:
    """Five lines around a place, numbered, with a caret under the column."""
    lines = text.splitlines() or [""]
    shown = []
    for number in range(max(1, line - 2), min(len(lines), line + 2) + 1):
        mark = ">" if number == line else " "
        shown.append(f"{mark} {origin(text, '', number)[1]:4} | {lines[number - 1]}")
        if number == line:
            shown.append(f"       | {' ' * (column - 1)}^")
    return "\n".join(shown)
